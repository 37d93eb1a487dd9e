/* SPDX-License-Identifier: Dual BSD/GPL */
/* Reads requests and hands each to the part that serves it. See loader.h. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>

#include "../shared.h"
#include "loader.h"

const char *const role_names[ROLES] = { "uplink", "pod" };
const char *const program_names[ROLES] = { "fp_uplink", "fp_pod" };
const char *pin_directory;

static void request_hello(void)
{
	ok("protocol=%d schema=%d pid=%d", PROTOCOL_VERSION, FP_SCHEMA, getpid());
}

struct plain {
	const char *name;
	void (*serve)(void);
};

struct with_words {
	const char *name;
	int least, most;
	void (*serve)(const struct request *r);
};

static const struct plain plain[] = {
	{ "hello", request_hello },	{ "probe", request_probe },
	{ "replace", request_replace }, { "list", request_list },   { "batch", request_batch },
	{ "stats", request_stats },	{ "gc", request_gc },	    { "remove", request_remove },
};

static const struct with_words with_words[] = {
	{ "load", 0, 2, request_load },	    { "attach", 2, 3, request_attach }, { "detach", 2, 2, request_detach }, { "look", 1, 1, request_look },
	{ "put", 3, 3, request_put },	    { "del", 2, 2, request_del },	{ "get", 2, 2, request_get },
	{ "dump", 1, 1, request_dump },	    { "flush", 1, 1, request_flush },
	{ "flows", 1, MAX_WORDS - 2, request_flows },
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void serve(const struct request *r)
{
	for (size_t i = 0; i < LENGTH(plain); i++) {
		if (strcmp(plain[i].name, r->words[0]))
			continue;
		if (r->count == 1)
			plain[i].serve();
		else
			fail(EINVAL, "\"%s\" takes no words", plain[i].name);
		return;
	}
	for (size_t i = 0; i < LENGTH(with_words); i++) {
		const struct with_words *w = &with_words[i];

		if (strcmp(w->name, r->words[0]))
			continue;
		if (r->count - 1 < w->least || r->count - 1 > w->most)
			fail(EINVAL, "\"%s\" takes %d to %d words, not %d", w->name, w->least, w->most, r->count - 1);
		else
			w->serve(r);
		return;
	}
	fail(EINVAL, "there is no request \"%s\"", r->words[0]);
}

int main(int argc, char **argv)
{
	char *line;

	if (argc != 2 || argv[1][0] != '/') {
		fprintf(stderr, "Usage: nftlane-bpf DIRECTORY, an absolute path on a BPF file system\n");
		return 2;
	}
	pin_directory = argv[1];
	signal(SIGPIPE, SIG_IGN);
	listen_to_libbpf();
	while ((line = next_line())) {
		struct request r = split(line);

		if (r.count)
			serve(&r);
	}
	fflush(stdout);
	return ferror(stdout) ? 1 : 0;
}
