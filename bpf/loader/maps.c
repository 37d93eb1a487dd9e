/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about what is in maps, as bytes: the daemon knows the structs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../shared.h"
#include "loader.h"

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
		.name = names[open_count], .key_size = info.key_size, .value_size = info.value_size, .fd = fd,
		.per_cpu = info.type == BPF_MAP_TYPE_PERCPU_ARRAY, .max_entries = info.max_entries,
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

static bool require_map(const char *name, struct map *map)
{
	int error = open_map(name, map);

	if (error)
		fail(error, "there is no map \"%s\" in \"%s\"", name, pin_directory);
	return !error;
}

static bool require_key(const char *text, void *key, const struct map *map)
{
	if (parse_key(text, key, map->key_size))
		return true;
	fail(EINVAL, "a key of map \"%s\" has %u bytes as hexadecimal digits, not \"%.80s\"", map->name, map->key_size,
	     text);
	return false;
}

static bool require_value(const char *text, void *value, const struct map *map)
{
	if (parse_value(text, value, map->value_size))
		return true;
	fail(EINVAL, "a value of map \"%s\" has at most %u bytes as hexadecimal digits, not \"%.80s\"", map->name,
	     map->value_size, text);
	return false;
}

/* Elements of per-CPU maps are set on all of them alike. */
static int put(const struct map *map, const void *key, const void *value)
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

/* Adds up what the CPUs have counted: such values consist of numbers of 64 bits. */
static int get(const struct map *map, const void *key, void *value)
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

void request_put(const struct request *r)
{
	uint8_t key[MAX_BYTES], value[MAX_BYTES];
	struct map map;
	int error;

	if (!require_map(r->args[1], &map) || !require_key(r->args[2], key, &map) ||
	    !require_value(r->args[3], value, &map))
		return;
	error = put(&map, key, value);
	if (error)
		fail(error, "cannot put %s into map \"%s\"", r->args[2], map.name);
	else
		done();
}

void request_del(const struct request *r)
{
	uint8_t key[MAX_BYTES];
	struct map map;

	if (!require_map(r->args[1], &map) || !require_key(r->args[2], key, &map))
		return;
	if (bpf_map_delete_elem(map.fd, key) && errno != ENOENT)
		fail(errno, "cannot delete %s from map \"%s\"", r->args[2], map.name);
	else
		done();
}

static void print_entry(const struct map *map, const void *key, const void *value)
{
	emit("entry ");
	print_hex(key, map->key_size);
	emit(" ");
	print_hex(value, map->value_size);
	emit("\n");
}

void request_get(const struct request *r)
{
	uint64_t value[MAX_BYTES / 8];
	uint8_t key[MAX_BYTES];
	struct map map;
	int error;

	if (!require_map(r->args[1], &map) || !require_key(r->args[2], key, &map))
		return;
	error = get(&map, key, value);
	if (error) {
		fail(error, "cannot get %s from map \"%s\"", r->args[2], map.name);
		return;
	}
	print_entry(&map, key, value);
	done();
}

static bool is_zero(const void *bytes, size_t length)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < length; i++)
		if (b[i])
			return false;
	return true;
}

/* An element that goes away meanwhile makes the kernel begin again; some are then seen twice, none is missed. */
void request_dump(const struct request *r)
{
	uint8_t key[MAX_BYTES], next[MAX_BYTES];
	uint64_t value[MAX_BYTES / 8];
	struct map map;
	uint32_t count = 0, steps = 0;
	bool first = true;

	if (!require_map(r->args[1], &map))
		return;
	while (!bpf_map_get_next_key(map.fd, first ? NULL : key, next) && steps++ < 4 * map.max_entries) {
		first = false;
		memcpy(key, next, map.key_size);
		/* Slots that nobody uses say nothing. */
		if (get(&map, key, value) || (map.is_array && is_zero(value, map.value_size)))
			continue;
		print_entry(&map, key, value);
		count++;
	}
	ok("count=%u", count);
}

/* Deletes all elements of a hash, or zeroes those of an array. */
void request_flush(const struct request *r)
{
	uint8_t key[MAX_BYTES];
	uint64_t zero[MAX_BYTES / 8] = { 0 };
	struct map map;
	uint32_t count = 0;

	if (!require_map(r->args[1], &map))
		return;
	if (map.is_array) {
		for (uint32_t i = 0; i < map.max_entries; i++)
			count += !put(&map, &i, zero);
	} else {
		while (count < 4 * map.max_entries && !bpf_map_get_next_key(map.fd, NULL, key))
			count += !bpf_map_delete_elem(map.fd, key) || errno == ENOENT;
	}
	ok("count=%u", count);
}

static const char *category_of(uint32_t reason)
{
	if (reason < FP_FORWARDED)
		return "passed";
	return reason < FP_FIRST_EVENT ? "forwarded" : "event";
}

void request_stats(void)
{
#define FP_DESCRIPTION(name, words) { #name, words },
	static const struct {
		const char *name, *description;
	} reasons[] = { FP_REASONS(FP_DESCRIPTION) };
#undef FP_DESCRIPTION
	struct map map;

	if (!require_map("stats", &map))
		return;
	for (uint32_t i = 0; i < FP_REASON_COUNT; i++) {
		uint64_t count = 0;

		if (get(&map, &i, &count)) {
			fail(errno, "cannot read the counters");
			return;
		}
		emit("stat %s %llu %s %s\n", reasons[i].name, (unsigned long long)count, category_of(i), reasons[i].description);
	}
	done();
}
