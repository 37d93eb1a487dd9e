/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nftlane-bpf: loads, attaches and fills the fast path for the daemon, which speaks to it by lines over pipes.
 *
 *   nftlane-bpf DIRECTORY      where maps, programs and links are pinned, such as /sys/fs/bpf/nftlane/v1
 *
 * Every request is one line. The answer is any number of data lines, then one line "ok KEY=VALUE..." or
 * "error NAME TEXT", where NAME is that of an errno. Answers come in the order of requests. The end of input ends the
 * program and changes nothing: what is pinned goes on. docs/FAST-PATH.md has the requests.
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

static void request_hello(void)
{
	ok("protocol=%d schema=%d pid=%d", PROTOCOL_VERSION, FP_SCHEMA, getpid());
}

struct command {
	const char *name;
	void (*handle)(void);
};

struct command_with_args {
	const char *name;
	int min_args, max_args;
	void (*handle)(const struct request *r);
};

static const struct command commands[] = {
	{ "hello", request_hello }, { "probe", request_probe },	  { "replace", request_replace },
	{ "list", request_list },   { "batch", request_batch },	  { "stats", request_stats },
	{ "gc", request_gc },	    { "remove", request_remove },
};

static const struct command_with_args commands_with_args[] = {
	{ "load", 0, 2, request_load },	    { "attach", 2, 3, request_attach },
	{ "detach", 2, 2, request_detach }, { "inspect", 1, 1, request_inspect },
	{ "put", 3, 3, request_put },	    { "del", 2, 2, request_del },
	{ "get", 2, 2, request_get },	    { "dump", 1, 1, request_dump },
	{ "flush", 1, 1, request_flush },   { "flows", 1, MAX_ARGS - 2, request_flows },
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static void dispatch(const struct request *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, r->args[0]))
			continue;
		if (r->count == 1)
			commands[i].handle();
		else
			fail(EINVAL, "\"%s\" takes no words", commands[i].name);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands_with_args); i++) {
		const struct command_with_args *w = &commands_with_args[i];

		if (strcmp(w->name, r->args[0]))
			continue;
		if (r->count - 1 < w->min_args || r->count - 1 > w->max_args)
			fail(EINVAL, "\"%s\" takes %d to %d words, not %d", w->name, w->min_args, w->max_args,
			     r->count - 1);
		else
			w->handle(r);
		return;
	}
	fail(EINVAL, "there is no request \"%s\"", r->args[0]);
}

int main(int argc, char **argv)
{
	char *line;

	if (argc != 2 || argv[1][0] != '/') {
		fprintf(stderr, "Usage: nftlane-bpf DIRECTORY, an absolute path on a BPF file system\n");
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
