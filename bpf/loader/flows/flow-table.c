/* SPDX-License-Identifier: Apache-2.0 */
/* The flow maps, walked in chunks. */
#include <errno.h>
#include <time.h>
#include <bpf/bpf.h>

#include "loader/flows/flow-table.h"
#include "loader/maps/maps.h"

#define LAYOUT(family, words) \
	{ \
		.map = "flows_v" #family, \
		.key_size = sizeof(struct fp_flow##family##_key), \
		.value_size = sizeof(struct fp_flow##family), \
		.address = 4 * (words), \
		.proto = offsetof(struct fp_flow##family##_key, proto), \
		.dir = offsetof(struct fp_flow##family##_key, dir), \
		.client_port = offsetof(struct fp_flow##family##_key, client_port), \
		.other_port = offsetof(struct fp_flow##family##_key, other_port), \
		.flow_other_port = offsetof(struct fp_flow##family, other_port), \
		.flow_client_port = offsetof(struct fp_flow##family, client_port), \
		.slot = offsetof(struct fp_flow##family, slot), \
		.gen = offsetof(struct fp_flow##family, gen), \
		.last = offsetof(struct fp_flow##family, last), \
		.state = offsetof(struct fp_flow##family, state), \
	}

const struct flow_layout layouts[2] = { LAYOUT(4, 1), LAYOUT(6, 4) };

struct fp_backend backends[FP_MAX_BACKENDS];
struct fp_config config;

static uint8_t keys[FLOW_CHUNK * MAX_KEY], values[FLOW_CHUNK * MAX_VALUE];

uint32_t now_ticks(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000 + t.tv_nsec) >> FP_TICK_SHIFT;
}

static bool is_stale(const struct flow_layout *l, const uint8_t *value)
{
	uint16_t slot = read16(value + l->slot);
	uint32_t gen = read32(value + l->gen);

	return slot >= FP_MAX_BACKENDS || gen == 0 || backends[slot].gen != gen;
}

static bool is_idle(const struct flow_layout *l, const uint8_t *key, const uint8_t *value, uint32_t time)
{
	struct fp_flow_state state;
	uint32_t age = time - read32(value + l->last);

	memcpy(&state, value + l->state, sizeof(state));
	return (int32_t)age > (int32_t)config.timeouts[fp_timeout_of(key[l->proto], &state)];
}

void opposite_key(const struct flow_layout *l, uint8_t *other, const uint8_t *key, const uint8_t *value)
{
	memcpy(other, key, l->key_size);
	memcpy(other + l->address, value, l->address);
	memcpy(other + l->client_port, value + l->flow_client_port, 2);
	memcpy(other + l->other_port, value + l->flow_other_port, 2);
	other[l->dir] = !key[l->dir];
}

bool is_expired(const struct flow_layout *l, int fd, const uint8_t *key, const uint8_t *value, uint32_t time)
{
	uint8_t other_key[MAX_KEY], other[MAX_VALUE];

	if (is_stale(l, value))
		return true;
	if (!is_idle(l, key, value, time))
		return false;
	opposite_key(l, other_key, key, value);
	if (bpf_map_lookup_elem(fd, other_key, other) || read32(other + l->gen) != read32(value + l->gen))
		return true;
	return is_idle(l, other_key, other, time);
}

int read_backends_and_config(void)
{
	struct map be, cfg;
	uint32_t zero = 0;
	int error = open_map("backends", &be);

	if (!error)
		error = open_map("config", &cfg);
	if (error)
		return error;
	for (uint32_t i = 0; i < FP_MAX_BACKENDS; i++)
		if (bpf_map_lookup_elem(be.fd, &i, &backends[i]))
			return -errno;
	return bpf_map_lookup_elem(cfg.fd, &zero, &config) ? -errno : 0;
}

int for_each_chunk(const struct flow_layout *l, on_chunk *callback, void *context)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	struct chunk chunk = { .layout = l, .keys = keys, .values = values };
	uint8_t position[16];
	struct map map;
	bool first = true;
	int error = open_map(l->map, &map);

	if (error)
		return error;
	if (map.key_size != l->key_size || map.value_size != l->value_size)
		return -EINVAL;
	chunk.fd = map.fd;
	for (;;) {
		int end = 0;

		chunk.count = FLOW_CHUNK;
		if (bpf_map_lookup_batch(map.fd, first ? NULL : position, position, keys, values, &chunk.count, &opts))
			end = errno;
		first = false;
		if (end && end != ENOENT)
			return -end;
		callback(&chunk, context);
		if (end)
			return 0;
	}
}
