/* SPDX-License-Identifier: Apache-2.0 */
/* The flow maps of both families, and walks through them. */
#ifndef NFTLANE_LOADER_FLOWS_FLOW_TABLE_H
#define NFTLANE_LOADER_FLOWS_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shared.h"

#define FLOW_CHUNK 4096
#define MAX_KEY sizeof(struct fp_flow6_key)
#define MAX_VALUE sizeof(struct fp_flow6)

/* Sizes and offsets of one family's keys and values. */
struct flow_layout {
	const char *map;
	size_t key_size, value_size;
	size_t address;
	size_t proto, dir;
	size_t client_port, other_port;
	size_t flow_other_port, flow_client_port, slot, gen, last, state;
};

extern const struct flow_layout layouts[2];

/* The maps' contents at the last call of read_backends_and_config(). */
extern struct fp_backend backends[FP_MAX_BACKENDS];
extern struct fp_config config;

/* 0 or a negative errno. */
int read_backends_and_config(void);

/* The clock of the programs, in ticks. */
uint32_t now_ticks(void);

static inline uint16_t read16(const uint8_t *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static inline uint32_t read32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* The key of the same flow's other direction. */
void opposite_key(const struct flow_layout *l, uint8_t *other, const uint8_t *key, const uint8_t *value);

/* Whether the slot has another generation, or both directions are idle. Looks the other direction up. */
bool is_expired(const struct flow_layout *l, int fd, const uint8_t *key, const uint8_t *value, uint32_t time);

/* Entries that one system call has read. */
struct chunk {
	const struct flow_layout *layout;
	int fd;
	uint32_t count;
	const uint8_t *keys, *values;
};

typedef void on_chunk(const struct chunk *chunk, void *context);

/* Visits every entry that exists throughout the walk. 0 or a negative errno. */
int for_each_chunk(const struct flow_layout *l, on_chunk *callback, void *context);

#endif
