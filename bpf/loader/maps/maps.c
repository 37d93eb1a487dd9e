/* SPDX-License-Identifier: Apache-2.0 */
/* Open maps. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "loader/maps/maps.h"
#include "loader/pins.h"

#define MAPS 16

static struct map maps[MAPS];
static int open_count;
static char names[MAPS][24];

int open_map(const char *name, struct map *map)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);
	char pin[32];
	int fd;

	for (int i = 0; i < open_count; i++) {
		if (strcmp(maps[i].name, name))
			continue;
		*map = maps[i];
		return 0;
	}
	if (strlen(name) >= sizeof(names[0]) || strchr(name, '/'))
		return -ENOENT;
	snprintf(pin, sizeof(pin), "fp_%s", name);
	fd = bpf_obj_get(pin_path(pin));
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &length) || info.key_size > MAX_BYTES || info.value_size > MAX_BYTES ||
	    open_count == MAPS) {
		close(fd);
		return -EINVAL;
	}
	strcpy(names[open_count], name);
	*map = (struct map){
		.name = names[open_count],
		.key_size = info.key_size,
		.value_size = info.value_size,
		.fd = fd,
		.per_cpu = info.type == BPF_MAP_TYPE_PERCPU_ARRAY,
		.max_entries = info.max_entries,
		.is_array = info.type == BPF_MAP_TYPE_ARRAY || info.type == BPF_MAP_TYPE_PERCPU_ARRAY,
	};
	maps[open_count++] = *map;
	return 0;
}

void close_maps(void)
{
	while (open_count > 0)
		close(maps[--open_count].fd);
}
