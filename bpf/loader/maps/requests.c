/* SPDX-License-Identifier: Apache-2.0 */
/* The requests "put", "del", "get", "dump" and "flush". */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>

#include "loader/maps/elements.h"
#include "loader/maps/maps.h"
#include "loader/maps/requests.h"
#include "loader/pins.h"
#include "loader/protocol/answers.h"
#include "loader/protocol/values.h"

static bool require_map(const char *name, struct map *map)
{
	int error = open_map(name, map);

	if (error)
		fail(error, "no map \"%s\" in \"%s\"", name, pin_directory());
	return !error;
}

static bool require_key(const char *text, void *key, const struct map *map)
{
	if (parse_key(text, key, map->key_size))
		return true;
	fail(EINVAL, "invalid key \"%.80s\": map \"%s\" has keys of %u hexadecimal bytes", text, map->name,
	     map->key_size);
	return false;
}

static bool require_value(const char *text, void *value, const struct map *map)
{
	if (parse_value(text, value, map->value_size))
		return true;
	fail(EINVAL, "invalid value \"%.80s\": map \"%s\" has values of at most %u hexadecimal bytes", text, map->name,
	     map->value_size);
	return false;
}

void request_put(const struct request *r)
{
	uint8_t key[MAX_BYTES], value[MAX_BYTES];
	struct map map;
	int error;

	if (!require_map(r->args[1], &map) || !require_key(r->args[2], key, &map) ||
	    !require_value(r->args[3], value, &map))
		return;
	error = put_element(&map, key, value);
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
	error = get_element(&map, key, value);
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

/* The kernel restarts the walk when the current key was deleted, so an element may be printed twice. None is missed. */
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
		/* Unused elements of arrays are zero. */
		if (get_element(&map, key, value) || (map.is_array && is_zero(value, map.value_size)))
			continue;
		print_entry(&map, key, value);
		count++;
	}
	ok("count=%u", count);
}

/* Deletes the elements of a hash, or zeroes those of an array. */
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
			count += !put_element(&map, &i, zero);
	} else {
		while (count < 4 * map.max_entries && !bpf_map_get_next_key(map.fd, NULL, key))
			count += !bpf_map_delete_elem(map.fd, key) || errno == ENOENT;
	}
	ok("count=%u", count);
}
