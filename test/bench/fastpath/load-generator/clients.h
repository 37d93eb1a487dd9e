/* SPDX-License-Identifier: Apache-2.0 */
/* The clients: each runs for a time and counts. */
#ifndef NFTLANE_LOAD_GENERATOR_CLIENTS_H
#define NFTLANE_LOAD_GENERATOR_CLIENTS_H

#include <stdint.h>

#include "target.h"

#define MAX_SOCKETS 256
#define MAX_FLOWS 16384

struct result {
	/* Datagrams, connections, requests or bytes. */
	uint64_t count;
	uint64_t wall_ns;
	uint64_t cpu_ns;
	uint64_t failures;
};

typedef struct result (*load)(const struct target *target, unsigned int sockets, uint64_t ms);

struct result send_datagrams(const struct target *target, unsigned int sockets, uint64_t ms);
struct result scatter_datagrams(const struct target *target, unsigned int sockets, uint64_t ms);
struct result open_connections(const struct target *target, unsigned int sockets, uint64_t ms);
struct result exchange_requests(const struct target *target, unsigned int sockets, uint64_t ms);
struct result send_stream(const struct target *target, unsigned int sockets, uint64_t ms);

#endif
