/* SPDX-License-Identifier: Apache-2.0 */
/* The pinned maps, which stay open after their first use. */
#ifndef NFTLANE_LOADER_MAPS_MAPS_H
#define NFTLANE_LOADER_MAPS_MAPS_H

#include <stdbool.h>
#include <stdint.h>

/* Keys and values have at most this many bytes. */
#define MAX_BYTES 256

struct map {
	const char *name;
	uint32_t key_size;
	uint32_t value_size;
	bool per_cpu;
	bool is_array;
	uint32_t max_entries;
	int fd;
};

/* Opens a pinned map by its name without "fp_". 0 or a negative errno. */
int open_map(const char *name, struct map *map);
void close_maps(void);

#endif
