/* SPDX-License-Identifier: Apache-2.0 */
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
struct attachment {
	enum role role;
	uint32_t ifindex;
	bool is_tcx;
	/* The device of a tcx link has gone. */
	bool is_gone;
	uint32_t program_id;
};

/* Ends the walk when it returns an error. */
typedef int on_attachment(const struct attachment *attachment, void *context);

static int for_each_link(on_attachment *call, void *context)
{
	DIR *directory = opendir(pin_directory);
	struct dirent *entry;
	int error = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while (!error && (entry = readdir(directory))) {
		struct attachment attachment = { .is_tcx = true };
		char role[16];
		int device;

		if (sscanf(entry->d_name, "link-%15[a-z]-%u", role, &attachment.ifindex) != 2)
			continue;
		if (!parse_role(role, &attachment.role))
			continue;
		device = tcx_device(attachment.role, attachment.ifindex, &attachment.program_id);
		attachment.is_gone = device != (int)attachment.ifindex;
		error = call(&attachment, context);
	}
	closedir(directory);
	return error;
}

static int for_each_filter_attachment(on_attachment *call, void *context)
{
	struct if_nameindex *devices = if_nameindex();
	int error = 0;

	if (!devices)
		return -errno;
	for (struct if_nameindex *d = devices; !error && d->if_index; d++) {
		for (int role = 0; !error && role < ROLES; role++) {
			struct attachment attachment = { .role = role, .ifindex = d->if_index };

			/* A device that went away meanwhile has none. */
			if (clsact_program(role, d->if_index, &attachment.program_id) == 0 && attachment.program_id)
				error = call(&attachment, context);
		}
	}
	if_freenameindex(devices);
	return error;
}

static int for_each_attachment(on_attachment *call, void *context)
{
	int error = for_each_link(call, context);

	return error ? error : for_each_filter_attachment(call, context);
}

static bool parse_attachment(const struct request *r, enum role *role, uint32_t *ifindex)
{
	if (!parse_role(r->args[1], role))
		fail(EINVAL, "\"%s\" is neither \"uplink\" nor \"pod\"", r->args[1]);
	else if (!parse_number(r->args[2], ifindex) || *ifindex == 0)
		fail(EINVAL, "\"%s\" is not the number of a device", r->args[2]);
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

	if (!parse_attachment(r, &role, &ifindex))
		return;
	if (r->count == 4) {
		if (!strcmp(r->args[3], "clsact")) {
			use_tcx = false;
		} else if (strcmp(r->args[3], "tcx")) {
			fail(EINVAL, "\"%s\" is neither \"tcx\" nor \"clsact\"", r->args[3]);
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

static int detach(const struct attachment *attachment, void *context)
{
	int error = attachment->is_tcx ? tcx_detach(attachment->role, attachment->ifindex) :
				    clsact_detach(attachment->role, attachment->ifindex);

	(void)context;
	return error == -ENOENT || error == -ENODEV ? 0 : error;
}

void request_detach(const struct request *r)
{
	struct attachment attachment = { .is_tcx = true };
	uint32_t program_id = 0;
	char name[IF_NAMESIZE];
	int error;

	if (!parse_attachment(r, &attachment.role, &attachment.ifindex))
		return;
	error = detach(&attachment, NULL);
	attachment.is_tcx = false;
	if (!error && !clsact_program(attachment.role, attachment.ifindex, &program_id) && program_id)
		error = detach(&attachment, NULL);
	if (!if_indextoname(attachment.ifindex, name))
		clsact_remove_mark(attachment.ifindex);
	if (error)
		fail(error, "cannot detach from device %u", attachment.ifindex);
	else
		done();
}

static int print_attachment(const struct attachment *attachment, void *context)
{
	(void)context;
	emit("attachment %s %u %s program=%u %s\n", role_names[attachment->role], attachment->ifindex,
	    attachment->is_tcx ? "tcx" : "clsact", attachment->program_id, attachment->is_gone ? "gone" : "attached");
	return 0;
}

void request_list(void)
{
	int error = for_each_attachment(print_attachment, NULL);

	if (error)
		fail(error, "cannot list what is attached");
	else
		done();
}

static int replace_program(const struct attachment *attachment, void *context)
{
	int program = program_fd(attachment->role);
	int *count = context;
	int error;

	if (attachment->is_gone)
		return 0;
	error = attachment->is_tcx ? tcx_update(attachment->role, attachment->ifindex, program) :
				clsact_attach(attachment->role, attachment->ifindex, program);
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
	error = for_each_attachment(replace_program, &count);
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
	int error = for_each_attachment(detach, NULL);

	if (!error)
		error = remove_pins();
	close_maps();
	close_programs();
	if (error)
		fail(error, "cannot remove all of \"%s\"", pin_directory);
	else
		done();
}
