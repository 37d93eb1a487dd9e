/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes of single map elements. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "loader/maps/elements.h"

int put_element(const struct map *map, const void *key, const void *value)
{
	int cpus = map->per_cpu ? libbpf_num_possible_cpus() : 1;
	size_t stride = (map->value_size + 7) / 8 * 8;
	uint8_t *values;
	int error;

	if (!map->per_cpu)
		return bpf_map_update_elem(map->fd, key, value, BPF_ANY) ? -errno : 0;
	values = calloc(cpus, stride);
	if (!values)
		return -ENOMEM;
	for (int i = 0; i < cpus; i++)
		memcpy(values + i * stride, value, map->value_size);
	error = bpf_map_update_elem(map->fd, key, values, BPF_ANY) ? -errno : 0;
	free(values);
	return error;
}

/* Values of the per-CPU maps consist of 64-bit counters. */
int get_element(const struct map *map, const void *key, void *value)
{
	int cpus = map->per_cpu ? libbpf_num_possible_cpus() : 1;
	size_t numbers = map->value_size / 8;
	uint64_t *values, *sums = value;

	if (!map->per_cpu)
		return bpf_map_lookup_elem(map->fd, key, value) ? -errno : 0;
	values = calloc(cpus * numbers, 8);
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map->fd, key, values)) {
		free(values);
		return -errno;
	}
	memset(value, 0, map->value_size);
	for (size_t i = 0; i < cpus * numbers; i++)
		sums[i % numbers] += values[i];
	free(values);
	return 0;
}
