/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request "gc": deletes flows that have expired, or whose backend slot has another generation. The programs ignore
 * such flows, so this only frees map entries.
 */
#include <errno.h>
#include <bpf/bpf.h>

#include "loader/flows/flow-table.h"
#include "loader/flows/gc.h"
#include "loader/maps/maps.h"
#include "loader/protocol/answers.h"

/* The keys of the two entries of a flow. */
static uint8_t expired_pair[2 * MAX_KEY];
/* Remaining flows, by slot. */
static uint32_t flows_by_slot[FP_MAX_BACKENDS];

/* Numbers of entries. One that was deleted with its opposite is not scanned. */
struct gc_count {
	uint32_t time, scanned, deleted, remaining;
};

enum entry_state { GONE, ALIVE, EXPIRED };

/* Checks an entry again with fresh data: since the scan, its slot may have got another backend. */
static enum entry_state recheck(const struct chunk *c, const uint8_t *key, uint8_t *value, uint32_t time)
{
	const struct flow_layout *l = c->layout;
	struct map be;
	uint32_t slot;

	if (bpf_map_lookup_elem(c->fd, key, value))
		return GONE;
	slot = read16(value + l->slot);
	if (slot < FP_MAX_BACKENDS && (open_map("backends", &be) || bpf_map_lookup_elem(be.fd, &slot, &backends[slot])))
		return ALIVE;
	return is_expired(l, c->fd, key, value, time) ? EXPIRED : ALIVE;
}

/* Counts a flow by its forward entry. */
static void count_flow(const struct flow_layout *l, const uint8_t *key, const uint8_t *value)
{
	uint16_t slot = read16(value + l->slot);

	if (key[l->dir] == FP_DIR_ORIGINAL && slot < FP_MAX_BACKENDS)
		flows_by_slot[slot]++;
}

/*
 * Deletes the expired flows of one chunk, forward entries first. Each is checked again right before, because a new
 * connection may have replaced it.
 */
static void sweep(const struct chunk *c, void *context)
{
	const struct flow_layout *l = c->layout;
	struct gc_count *n = context;

	n->scanned += c->count;
	for (uint32_t i = 0; i < c->count; i++) {
		const uint8_t *key = c->keys + i * l->key_size, *seen = c->values + i * l->value_size;
		uint8_t *pair[2] = { expired_pair, expired_pair + l->key_size }, value[MAX_VALUE];
		bool forward = key[l->dir] == FP_DIR_ORIGINAL;
		enum entry_state state = ALIVE;

		if (is_expired(l, c->fd, key, seen, n->time))
			state = recheck(c, key, value, n->time);
		n->remaining += state == ALIVE;
		if (state == ALIVE)
			count_flow(l, key, seen);
		if (state != EXPIRED)
			continue;
		memcpy(pair[!forward], key, l->key_size);
		opposite_key(l, pair[forward], key, value);
		n->deleted += !bpf_map_delete_elem(c->fd, pair[0]);
		n->deleted += !bpf_map_delete_elem(c->fd, pair[1]);
	}
}

void request_gc(const struct request *r)
{
	uint32_t time = now_ticks();
	struct gc_count counts[2] = { { .time = time }, { .time = time } };
	int error = read_backends_and_config();

	memset(flows_by_slot, 0, sizeof(flows_by_slot));
	for (int i = 0; !error && i < 2; i++)
		error = for_each_chunk(&layouts[i], sweep, &counts[i]);
	if (error) {
		fail(error, "cannot collect expired flows");
		return;
	}
	for (uint32_t slot = 0; slot < FP_MAX_BACKENDS; slot++)
		if (flows_by_slot[slot])
			emit("flows %u %u\n", slot, flows_by_slot[slot]);
	ok("scanned=%u deleted=%u remaining4=%u remaining6=%u", counts[0].scanned + counts[1].scanned,
	   counts[0].deleted + counts[1].deleted, counts[0].remaining, counts[1].remaining);
}
