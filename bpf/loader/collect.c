/* SPDX-License-Identifier: Dual BSD/GPL */
/*
 * Deletes flows that are over: by their time, or because their backend's slot is of another generation. The programs
 * treat such flows as absent anyway, so that all this does is to make room.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>

#include "../shared.h"
#include "loader.h"

#define CHUNK 4096
#define MAX_KEY sizeof(struct fp_flow6_key)
#define MAX_VALUE sizeof(struct fp_flow6)

/* Where the fields are that collecting needs, for either family. */
struct layout {
	const char *map;
	size_t key_size, value_size;
	size_t address;
	size_t proto, dir;
	size_t client_port, other_port;
	size_t flow_other_port, flow_client_port, slot, gen, last, state;
};

#define LAYOUT(family, words)                                                                                       \
	{                                                                                                           \
		.map = "f" #family, .key_size = sizeof(struct fp_flow##family##_key),                               \
		.value_size = sizeof(struct fp_flow##family), .address = 4 * (words),                               \
		.proto = offsetof(struct fp_flow##family##_key, proto),                                             \
		.dir = offsetof(struct fp_flow##family##_key, dir),                                                 \
		.client_port = offsetof(struct fp_flow##family##_key, client_port),                                 \
		.other_port = offsetof(struct fp_flow##family##_key, other_port),                                   \
		.flow_other_port = offsetof(struct fp_flow##family, other_port),                                    \
		.flow_client_port = offsetof(struct fp_flow##family, client_port),                                  \
		.slot = offsetof(struct fp_flow##family, slot), .gen = offsetof(struct fp_flow##family, gen),       \
		.last = offsetof(struct fp_flow##family, last), .state = offsetof(struct fp_flow##family, state),   \
	}

static const struct layout layouts[] = { LAYOUT(4, 1), LAYOUT(6, 4) };

static uint8_t keys[CHUNK * MAX_KEY], values[CHUNK * MAX_VALUE];
static uint8_t dead[CHUNK * 2 * MAX_KEY];
static struct fp_backend backends[FP_MAX_BACKENDS];
static struct fp_config config;
/* Flows that are left, by slot. */
static uint32_t flows_of[FP_MAX_BACKENDS];

struct fds {
	int flows, backends;
};

/* Entries. One that was deleted together with its other direction is not scanned any more. */
struct count {
	uint32_t scanned, deleted, left;
};

static uint32_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000 + t.tv_nsec) >> FP_TICK_SHIFT;
}

static uint16_t read16(const uint8_t *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static uint32_t read32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static bool is_stale(const struct layout *l, const uint8_t *value)
{
	uint16_t slot = read16(value + l->slot);
	uint32_t gen = read32(value + l->gen);

	return slot >= FP_MAX_BACKENDS || gen == 0 || backends[slot].gen != gen;
}

static bool is_late(const struct layout *l, const uint8_t *key, const uint8_t *value, uint32_t time)
{
	struct fp_flow_state state;
	uint32_t age = time - read32(value + l->last);

	memcpy(&state, value + l->state, sizeof(state));
	return (int32_t)age > (int32_t)config.timeouts[fp_timeout_of(key[l->proto], &state)];
}

static void turn(const struct layout *l, uint8_t *other, const uint8_t *key, const uint8_t *value)
{
	memcpy(other, key, l->key_size);
	memcpy(other + l->address, value, l->address);
	memcpy(other + l->client_port, value + l->flow_client_port, 2);
	memcpy(other + l->other_port, value + l->flow_other_port, 2);
	other[l->dir] = !key[l->dir];
}

/* Whether neither this entry nor the other direction's is in use, looked at anew. */
static bool is_over(const struct layout *l, int fd, const uint8_t *key, const uint8_t *value, uint32_t time)
{
	uint8_t other_key[MAX_KEY], other[MAX_VALUE];

	if (is_stale(l, value))
		return true;
	if (!is_late(l, key, value, time))
		return false;
	turn(l, other_key, key, value);
	if (bpf_map_lookup_elem(fd, other_key, other) || read32(other + l->gen) != read32(value + l->gen))
		return true;
	return is_late(l, other_key, other, time);
}

enum finding { GONE, ALIVE, OVER };

/* The same with nothing but what the kernel has at this moment: a slot may have been given to another backend. */
static enum finding look_again(const struct layout *l, const struct fds *fds, const uint8_t *key, uint8_t *value,
			       uint32_t time)
{
	uint32_t slot;

	if (bpf_map_lookup_elem(fds->flows, key, value))
		return GONE;
	slot = read16(value + l->slot);
	if (slot < FP_MAX_BACKENDS && bpf_map_lookup_elem(fds->backends, &slot, &backends[slot]))
		return ALIVE;
	return is_over(l, fds->flows, key, value, time) ? OVER : ALIVE;
}

/* Each flow has one entry for each direction. */
static void count_flow(const struct layout *l, const uint8_t *key, const uint8_t *value)
{
	uint16_t slot = read16(value + l->slot);

	if (key[l->dir] == FP_FORWARD && slot < FP_MAX_BACKENDS)
		flows_of[slot]++;
}

/*
 * Deletes the flows of one chunk that are over, forward entries first. Each is looked at once more right before, for
 * a new connection may have taken its place.
 */
static void sweep(const struct layout *l, const struct fds *fds, uint32_t count, uint32_t time, struct count *c)
{
	c->scanned += count;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *key = keys + i * l->key_size, value[MAX_VALUE];
		uint8_t *pair[2] = { dead, dead + l->key_size };
		bool forward = key[l->dir] == FP_FORWARD;

		enum finding found = ALIVE;

		if (is_over(l, fds->flows, key, values + i * l->value_size, time))
			found = look_again(l, fds, key, value, time);
		c->left += found == ALIVE;
		if (found == ALIVE)
			count_flow(l, key, values + i * l->value_size);
		if (found != OVER)
			continue;
		memcpy(pair[!forward], key, l->key_size);
		turn(l, pair[forward], key, value);
		c->deleted += !bpf_map_delete_elem(fds->flows, pair[0]);
		c->deleted += !bpf_map_delete_elem(fds->flows, pair[1]);
	}
}

static int collect(const struct layout *l, uint32_t time, struct count *c)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint8_t position[16];
	struct map map, be;
	struct fds fds;
	bool first = true;
	int error = open_map(l->map, &map);

	if (!error)
		error = open_map("be", &be);
	if (error)
		return error;
	fds = (struct fds){ .flows = map.fd, .backends = be.fd };
	if (map.key_size != l->key_size || map.value_size != l->value_size)
		return -EINVAL;
	for (;;) {
		__u32 count = CHUNK;
		int end = bpf_map_lookup_batch(map.fd, first ? NULL : position, position, keys, values, &count, &opts) ?
				  errno : 0;

		first = false;
		if (end && end != ENOENT)
			return -end;
		sweep(l, &fds, count, time, c);
		if (end)
			return 0;
	}
}

static int read_backends(void)
{
	struct map be, cfg;
	uint32_t zero = 0;
	int error = open_map("be", &be);

	if (!error)
		error = open_map("cfg", &cfg);
	if (error)
		return error;
	for (uint32_t i = 0; i < FP_MAX_BACKENDS; i++)
		if (bpf_map_lookup_elem(be.fd, &i, &backends[i]))
			return -errno;
	return bpf_map_lookup_elem(cfg.fd, &zero, &config) ? -errno : 0;
}

void request_gc(void)
{
	struct count counts[2] = { { 0 }, { 0 } };
	uint32_t time = now();
	int error = read_backends();

	memset(flows_of, 0, sizeof(flows_of));
	for (int i = 0; !error && i < 2; i++)
		error = collect(&layouts[i], time, &counts[i]);
	if (error) {
		fail(error, "cannot collect flows");
		return;
	}
	for (uint32_t slot = 0; slot < FP_MAX_BACKENDS; slot++)
		if (flows_of[slot])
			say("flows %u %u\n", slot, flows_of[slot]);
	ok("scanned=%u deleted=%u left4=%u left6=%u", counts[0].scanned + counts[1].scanned,
	   counts[0].deleted + counts[1].deleted, counts[0].left, counts[1].left);
}
