/* SPDX-License-Identifier: Apache-2.0 */
/* What the server and the clients of the load share. */
#ifndef NFTLANE_LOAD_GENERATOR_H
#define NFTLANE_LOAD_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* The first byte of a connection says what the server is to do with it. */
#define MODE_REQUEST 'r' /* answer every byte with one */
#define MODE_CONNECT 'c' /* answer one byte and close */
#define MODE_STREAM 's'	 /* read to the end, then tell the number of bytes */

#define MAX_SOCKETS 256
#define MAX_FLOWS 16384
#define CHUNK (256 * 1024)

struct target {
	struct sockaddr_storage address;
	socklen_t length;
};

/* What came of a run: how much, and how long it took by the clock on the wall and by the processor's. */
struct result {
	uint64_t count;
	uint64_t wall_ns;
	uint64_t cpu_ns;
	uint64_t failures;
};

/* Says what went wrong, with errno, and ends the process. */
void die(const char *what) __attribute__((noreturn));
uint64_t wall_ns(void);
/* That of this process. */
uint64_t cpu_ns(void);

void serve(const struct target *target);
struct result send_datagrams(const struct target *target, unsigned int sockets, uint64_t ms);
struct result scatter_datagrams(const struct target *target, unsigned int sockets, uint64_t ms);
struct result open_connections(const struct target *target, unsigned int sockets, uint64_t ms);
struct result exchange_requests(const struct target *target, unsigned int sockets, uint64_t ms);
struct result send_stream(const struct target *target, unsigned int sockets, uint64_t ms);

#endif
