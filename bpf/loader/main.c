/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nftlane-bpf: loads and attaches the BPF programs and writes their maps, as the daemon requests over a pipe.
 *
 *   nftlane-bpf DIRECTORY      pins maps, programs and links in DIRECTORY, such as /sys/fs/bpf/nftlane/v1
 *
 * A request is one line. The answer is any number of data lines, then one line "ok KEY=VALUE..." or "error NAME TEXT",
 * where NAME is that of an errno. Answers keep the order of the requests. The program exits at the end of its input and
 * leaves everything pinned and attached. docs/FAST-PATH.md lists the requests.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/attach/attach.h"
#include "loader/attach/inspect.h"
#include "loader/attach/remove.h"
#include "loader/flows/gc.h"
#include "loader/flows/list.h"
#include "loader/load/load.h"
#include "loader/load/probe.h"
#include "loader/maps/batch.h"
#include "loader/maps/requests.h"
#include "loader/maps/stats.h"
#include "loader/pins.h"
#include "loader/protocol/answers.h"
#include "loader/protocol/lines.h"
#include "shared.h"

#define PROTOCOL_VERSION 2

static void request_hello(const struct request *r)
{
	ok("protocol=%d schema=%d pid=%d", PROTOCOL_VERSION, FP_SCHEMA, getpid());
}

static const struct command {
	const char *name;
	int min_args, max_args;
	void (*handle)(const struct request *r);
} commands[] = {
	{ "hello", 0, 0, request_hello },   { "probe", 0, 0, request_probe },
	{ "load", 0, 2, request_load },	    { "attach", 2, 3, request_attach },
	{ "detach", 2, 2, request_detach }, { "replace", 0, 0, request_replace },
	{ "list", 0, 0, request_list },	    { "inspect", 1, 1, request_inspect },
	{ "put", 3, 3, request_put },	    { "del", 2, 2, request_del },
	{ "get", 2, 2, request_get },	    { "dump", 1, 1, request_dump },
	{ "flush", 1, 1, request_flush },   { "batch", 0, 0, request_batch },
	{ "stats", 0, 0, request_stats },   { "flows", 1, MAX_ARGS - 2, request_flows },
	{ "gc", 0, 0, request_gc },	    { "remove", 0, 0, request_remove },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void dispatch(const struct request *r)
{
	const struct command *c = find_command(r->args[0]);
	int given = r->count - 1;

	if (!c)
		fail(EINVAL, "unknown request \"%s\"", r->args[0]);
	else if (given < c->min_args || given > c->max_args)
		fail(EINVAL, "\"%s\" takes %d to %d arguments, not %d", c->name, c->min_args, c->max_args, given);
	else
		c->handle(r);
}

int main(int argc, char **argv)
{
	char *line;

	if (argc != 2 || argv[1][0] != '/') {
		fprintf(stderr, "Usage: nftlane-bpf DIRECTORY (an absolute path on a BPF file system)\n");
		return 2;
	}
	set_pin_directory(argv[1]);
	signal(SIGPIPE, SIG_IGN);
	capture_libbpf_warnings();
	while ((line = read_line())) {
		struct request r = parse_request(line);

		if (r.count)
			dispatch(&r);
	}
	fflush(stdout);
	return ferror(stdout) ? 1 : 0;
}
