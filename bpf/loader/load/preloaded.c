/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pinned programs with the conntrack lookup, for a process that may not load them. Where conntrack is a kernel module,
 * loading them needs CAP_SYS_ADMIN, which a daemon should not have. An empty directory among the pins, whose name is a
 * hash of the object, records their origin.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "loader/load/objects.h"
#include "loader/load/preloaded.h"
#include "loader/maps/maps.h"
#include "loader/pins.h"

#define PREFIX "conntrack-"
#define MAX_MAPS 64

/* FNV-1a. The hash only distinguishes builds: forging it requires the same privileges as replacing the programs. */
static const char *mark_path(void)
{
	uint64_t hash = 0xcbf29ce484222325;
	char name[48];

	for (const char *at = with_conntrack.begin; at < with_conntrack.end; at++)
		hash = (hash ^ (uint8_t)*at) * 0x100000001b3;
	snprintf(name, sizeof(name), PREFIX "%016" PRIx64, hash);
	return pin_path(name);
}

void mark_preloaded(void)
{
	mkdir(mark_path(), 0700);
}

void unmark_preloaded(void)
{
	DIR *directory = opendir(pin_directory());
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (!strncmp(entry->d_name, PREFIX, strlen(PREFIX)))
			rmdir(pin_path(entry->d_name));
	closedir(directory);
}

static uint32_t map_id(const char *name)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);
	struct map map;

	if (open_map(name, &map) || bpf_obj_get_info_by_fd(map.fd, &info, &length))
		return 0;
	return info.id;
}

/* The maps may have been replaced since. */
static bool uses_pinned_maps(int fd)
{
	static const char *const names[] = { "frontends", "backends", "flows_v4", "flows_v6", "stats" };
	__u32 ids[MAX_MAPS];
	struct bpf_prog_info info = { .nr_map_ids = MAX_MAPS, .map_ids = (uintptr_t)ids };
	__u32 length = sizeof(info);
	size_t found = 0;

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (uint32_t j = 0, id = map_id(names[i]); j < info.nr_map_ids && j < MAX_MAPS; j++)
			found += id && ids[j] == id;
	return found == sizeof(names) / sizeof(names[0]);
}

int open_preloaded(int fds[ROLES])
{
	bool has_all = !access(mark_path(), F_OK);

	for (int i = 0; i < ROLES; i++) {
		fds[i] = has_all ? bpf_obj_get(pin_path(program_names[i])) : -1;
		has_all = has_all && fds[i] >= 0;
	}
	/* Only the uplink program uses all of those maps. */
	if (has_all && uses_pinned_maps(fds[UPLINK]))
		return 0;
	for (int i = 0; i < ROLES; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return -ENOENT;
}

bool has_preloaded(void)
{
	int fds[ROLES];

	if (open_preloaded(fds))
		return false;
	for (int i = 0; i < ROLES; i++)
		close(fds[i]);
	/* Another process may replace the maps before this one loads anything. */
	close_maps();
	return true;
}
