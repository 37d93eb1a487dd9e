/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generates load between two network namespaces, with limits on sockets and time.
 *
 *   fastpath-load ADDRESS PORT serve                 a TCP server: prints "ready", exits at the end of its input
 *   fastpath-load ADDRESS PORT KIND SOCKETS MS       a client: datagrams, scattered, connections, requests or stream
 *
 * A client prints one line: COUNT WALL_NS CPU_NS FAILURES. The count of a stream is in bytes. Everything runs on the
 * first processor that the process may use, so that a comparison is one of processor time.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients.h"
#include "process.h"
#include "server.h"
#include "target.h"

#define MAX_MS 60000

static void pin_to_one_cpu(void)
{
	cpu_set_t set, one;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("sched_getaffinity");
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("sched_setaffinity");
}

static bool read_target(struct target *target, const char *address, const char *port)
{
	struct sockaddr_in *v4 = (void *)&target->address;
	struct sockaddr_in6 *v6 = (void *)&target->address;

	memset(target, 0, sizeof(*target));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		target->length = sizeof(*v4);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(atoi(port));
	target->length = sizeof(*v6);
	return inet_pton(AF_INET6, address, &v6->sin6_addr) == 1;
}

static load find_load(const char *kind)
{
	if (!strcmp(kind, "datagrams"))
		return send_datagrams;
	if (!strcmp(kind, "scattered"))
		return scatter_datagrams;
	if (!strcmp(kind, "connections"))
		return open_connections;
	if (!strcmp(kind, "requests"))
		return exchange_requests;
	return strcmp(kind, "stream") ? NULL : send_stream;
}

static int run(load load, const struct target *target, unsigned int sockets, uint64_t ms)
{
	struct result result = load(target, sockets, ms);

	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", result.count, result.wall_ns, result.cpu_ns,
	       result.failures);
	return 0;
}

int main(int argc, char **argv)
{
	struct target target;
	unsigned int sockets, max_sockets;
	uint64_t ms;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 4 || !read_target(&target, argv[1], argv[2]))
		goto usage;
	pin_to_one_cpu();
	if (!strcmp(argv[3], "serve")) {
		serve(&target);
		return 0;
	}
	if (argc != 6 || !find_load(argv[3]))
		goto usage;
	sockets = strtoul(argv[4], NULL, 10);
	ms = strtoull(argv[5], NULL, 10);
	max_sockets = find_load(argv[3]) == scatter_datagrams ? MAX_FLOWS : MAX_SOCKETS;
	if (sockets < 1 || sockets > max_sockets || ms < 1 || ms > MAX_MS)
		goto usage;
	return run(find_load(argv[3]), &target, sockets, ms);
usage:
	fprintf(stderr,
		"Usage: fastpath-load ADDRESS PORT serve|KIND [SOCKETS MS]\n"
		"KIND is datagrams, scattered, connections, requests or stream, with at most %d sockets,\n"
		"%d of scattered, and %d ms\n",
		MAX_SOCKETS, MAX_FLOWS, MAX_MS);
	return 2;
}
