/* SPDX-License-Identifier: Dual BSD/GPL */
/* Requests about what is attached: attach, detach, list, replace, remove. */
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader.h"

/* What is attached where. */
struct place {
	enum role role;
	uint32_t ifindex;
	bool is_tcx;
	/* The device of a tcx link has gone. */
	bool is_gone;
	uint32_t program_id;
};

/* Ends the walk when it returns an error. */
typedef int on_place(const struct place *place, void *context);

static int each_link(on_place *call, void *context)
{
	DIR *directory = opendir(pin_directory);
	struct dirent *entry;
	int error = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while (!error && (entry = readdir(directory))) {
		struct place place = { .is_tcx = true };
		char role[16];
		int device;

		if (sscanf(entry->d_name, "link-%15[a-z]-%u", role, &place.ifindex) != 2)
			continue;
		if (!parse_role(role, &place.role))
			continue;
		device = tcx_device(place.role, place.ifindex, &place.program_id);
		place.is_gone = device != (int)place.ifindex;
		error = call(&place, context);
	}
	closedir(directory);
	return error;
}

static int each_filter_place(on_place *call, void *context)
{
	struct if_nameindex *devices = if_nameindex();
	int error = 0;

	if (!devices)
		return -errno;
	for (struct if_nameindex *d = devices; !error && d->if_index; d++) {
		for (int role = 0; !error && role < ROLES; role++) {
			struct place place = { .role = role, .ifindex = d->if_index };

			/* A device that went away meanwhile has none. */
			if (clsact_program(role, d->if_index, &place.program_id) == 0 && place.program_id)
				error = call(&place, context);
		}
	}
	if_freenameindex(devices);
	return error;
}

static int each_place(on_place *call, void *context)
{
	int error = each_link(call, context);

	return error ? error : each_filter_place(call, context);
}

static bool read_place(const struct request *r, enum role *role, uint32_t *ifindex)
{
	if (!parse_role(r->words[1], role))
		fail(EINVAL, "\"%s\" is neither \"uplink\" nor \"pod\"", r->words[1]);
	else if (!parse_number(r->words[2], ifindex) || *ifindex == 0)
		fail(EINVAL, "\"%s\" is not the number of a device", r->words[2]);
	else
		return true;
	return false;
}

void request_attach(const struct request *r)
{
	bool use_tcx = kernel_has_tcx();
	uint32_t ifindex, other;
	enum role role;
	int program, error;

	if (!read_place(r, &role, &ifindex))
		return;
	if (r->count == 4) {
		if (!strcmp(r->words[3], "clsact")) {
			use_tcx = false;
		} else if (strcmp(r->words[3], "tcx")) {
			fail(EINVAL, "\"%s\" is neither \"tcx\" nor \"clsact\"", r->words[3]);
			return;
		}
	}
	program = program_fd(role);
	if (program < 0) {
		fail(program, "nothing is loaded");
		return;
	}
	error = use_tcx ? tcx_attach(role, ifindex, program) : clsact_attach(role, ifindex, program);
	if (error) {
		fail(error, "cannot attach to device %u by %s", ifindex, use_tcx ? "tcx" : "clsact");
		return;
	}
	/* Attached both ways it would see every packet twice. */
	if (use_tcx) {
		if (!clsact_program(role, ifindex, &other) && other)
			clsact_detach(role, ifindex);
	} else {
		tcx_detach(role, ifindex);
	}
	ok("by=%s", use_tcx ? "tcx" : "clsact");
}

static int detach(const struct place *place, void *context)
{
	int error = place->is_tcx ? tcx_detach(place->role, place->ifindex) :
				    clsact_detach(place->role, place->ifindex);

	(void)context;
	return error == -ENOENT || error == -ENODEV ? 0 : error;
}

void request_detach(const struct request *r)
{
	struct place place = { .is_tcx = true };
	uint32_t program_id = 0;
	char name[IF_NAMESIZE];
	int error;

	if (!read_place(r, &place.role, &place.ifindex))
		return;
	error = detach(&place, NULL);
	place.is_tcx = false;
	if (!error && !clsact_program(place.role, place.ifindex, &program_id) && program_id)
		error = detach(&place, NULL);
	if (!if_indextoname(place.ifindex, name))
		clsact_forget(place.ifindex);
	if (error)
		fail(error, "cannot detach from device %u", place.ifindex);
	else
		done();
}

static int print(const struct place *place, void *context)
{
	(void)context;
	say("place %s %u %s program=%u %s\n", role_names[place->role], place->ifindex,
	    place->is_tcx ? "tcx" : "clsact", place->program_id, place->is_gone ? "gone" : "attached");
	return 0;
}

void request_list(void)
{
	int error = each_place(print, NULL);

	if (error)
		fail(error, "cannot list what is attached");
	else
		done();
}

static int replace(const struct place *place, void *context)
{
	int program = program_fd(place->role);
	int *count = context;
	int error;

	if (place->is_gone)
		return 0;
	error = place->is_tcx ? tcx_update(place->role, place->ifindex, program) :
				clsact_attach(place->role, place->ifindex, program);
	/* The device went away meanwhile. */
	if (error == -ENOLINK || error == -ENODEV)
		return 0;
	*count += !error;
	return error;
}

void request_replace(void)
{
	int count = 0, error;

	for (int i = 0; i < ROLES; i++) {
		if (program_fd(i) >= 0)
			continue;
		fail(ENOENT, "nothing is loaded");
		return;
	}
	error = each_place(replace, &count);
	if (error)
		fail(error, "replaced in %d places, then failed", count);
	else
		ok("replaced=%d", count);
}

/* Pins of maps and programs, and marks of qdiscs. */
static int remove_pins(void)
{
	DIR *directory = opendir(pin_directory);
	struct dirent *entry;
	int error = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory))) {
		const char *path = pin_path(entry->d_name);

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlink(path) && rmdir(path))
			error = -errno;
	}
	closedir(directory);
	return error ? error : remove_pin_directory();
}

void request_remove(void)
{
	int error = each_place(detach, NULL);

	if (!error)
		error = remove_pins();
	forget_maps();
	forget_programs();
	if (error)
		fail(error, "cannot remove all of \"%s\"", pin_directory);
	else
		done();
}
