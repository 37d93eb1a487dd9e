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
#ifndef NFTLANE_LOADER_H
#define NFTLANE_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_VERSION 2

/* Keys and values have at most this many bytes. */
#define MAX_BYTES 256
#define MAX_ARGS 8

enum role { UPLINK, POD, ROLES };

extern const char *const role_names[ROLES];
extern const char *const program_names[ROLES];

/* The directory of all pins. */
extern const char *pin_directory;

/* One line of a request, cut at its spaces. */
struct request {
	int count;
	char *args[MAX_ARGS];
};

/* Answers. Data lines are written with `emit`; every request ends with `ok`, `done` (nothing to add) or `fail`. */
void emit(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
void done(void);
/* `error` is an errno, positive or negative. */
void fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "EINVAL" and so on; "E42" for what has no name here. */
const char *error_name(int error);

/* The next line of input without its end, or NULL at the end. Sends what has been answered before it waits. */
char *read_line(void);
struct request parse_request(char *line);
/* From hexadecimal text: a key of exactly that length, or a value that may leave out zeros at its end. */
bool parse_key(const char *text, void *key, size_t length);
bool parse_value(const char *text, void *value, size_t length);
void print_hex(const void *bytes, size_t length);
bool parse_number(const char *text, uint32_t *number);
bool parse_role(const char *text, enum role *role);

/* A path under the directory of pins; valid until the next but seven calls. */
const char *pin_path(const char *name);

/* Opens a pinned map by its short name ("frontends", "backends", ...); negative errno. */
struct map {
	const char *name;
	uint32_t key_size;
	uint32_t value_size;
	bool per_cpu;
	bool is_array;
	uint32_t max_entries;
	int fd;
};

int open_map(const char *name, struct map *map);
void close_maps(void);

/* Requests. */
void request_probe(void);
void request_load(const struct request *r);
void request_replace(void);
void request_remove(void);
void request_attach(const struct request *r);
void request_detach(const struct request *r);
void request_list(void);
void request_hooks(const struct request *r);
void request_put(const struct request *r);
void request_del(const struct request *r);
void request_get(const struct request *r);
void request_batch(void);
void request_dump(const struct request *r);
void request_flush(const struct request *r);
void request_flows(const struct request *r);
void request_stats(void);
void request_gc(void);

void capture_libbpf_warnings(void);

/* Between the parts. All errors are negative errnos. */
bool kernel_has_conntrack_lookup(const char **reason);
bool kernel_has_tcx(void);
/* The program of this process, or the pinned one. */
int program_fd(enum role role);
void close_programs(void);
/* Whether programs that ask conntrack can be loaded by this process, where the kernel has the function. */
bool may_load_conntrack_lookup(void);
/* Whether such programs, of this build, are pinned. */
bool has_preloaded(void);

int check_bpf_fs(const char **reason);
int make_pin_directory(void);
int remove_pin_directory(void);
/* Whether something can be made in it; leaves nothing. */
int probe_pin_directory(void);

/* Of an object's bytes: notes that the pinned programs are made from them, that they may not be any more, and opens them. */
void mark_preloaded(const char *begin, const char *end);
void unmark_preloaded(void);
int open_preloaded(const char *begin, const char *end, int fds[ROLES]);

int tcx_attach(enum role role, uint32_t ifindex, int program);
int tcx_detach(enum role role, uint32_t ifindex);
/* The device that a pinned link is attached to, 0 when it is gone, or an error. */
int tcx_device(enum role role, uint32_t ifindex, uint32_t *program_id);
int tcx_update(enum role role, uint32_t ifindex, int program);

int clsact_attach(enum role role, uint32_t ifindex, int program);
int clsact_detach(enum role role, uint32_t ifindex);
/* To be called for a device that has gone. */
void clsact_remove_mark(uint32_t ifindex);
/* The program that is attached by a filter of ours; 0 for none. */
int clsact_program(enum role role, uint32_t ifindex, uint32_t *program_id);

struct filter {
	char kind[16];
	char name[64];
	uint32_t priority;
	uint32_t handle;
	uint32_t program_id;
};

typedef void on_filter(const struct filter *filter, void *context);
typedef void on_qdisc(const char *kind, uint32_t handle, uint32_t parent, void *context);

int for_each_filter(uint32_t ifindex, bool egress, on_filter *call, void *context);
int for_each_qdisc(uint32_t ifindex, on_qdisc *call, void *context);
bool is_own_filter(const struct filter *filter, enum role role);

#endif
