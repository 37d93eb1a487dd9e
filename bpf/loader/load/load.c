/* SPDX-License-Identifier: Apache-2.0 */
/* The request "load": loads the programs, with the pinned maps if there are any. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "loader/load/conntrack-lookup.h"
#include "loader/load/load.h"
#include "loader/load/objects.h"
#include "loader/load/preloaded.h"
#include "loader/load/programs.h"
#include "loader/maps/maps.h"
#include "loader/pins.h"
#include "loader/protocol/answers.h"
#include "loader/protocol/values.h"

static char first_warning[256];
static bool loading;

/* Keeps the first warning of libbpf, which names the cause, and writes all of them to standard error. */
static int capture_warning(enum libbpf_print_level level, const char *format, va_list values)
{
	va_list copy;

	/* Outside of "load", libbpf also warns of expected errors, such as an existing qdisc. */
	if (level != LIBBPF_WARN || !loading)
		return 0;
	va_copy(copy, values);
	if (!first_warning[0])
		vsnprintf(first_warning, sizeof(first_warning), format, copy);
	va_end(copy);
	first_warning[strcspn(first_warning, "\n")] = '\0';
	return vfprintf(stderr, format, values);
}

void capture_libbpf_warnings(void)
{
	libbpf_set_print(capture_warning);
}

/* Pinned maps keep their size, new ones get the requested one. Sets `entries` to the result. */
static int set_flow_map_sizes(struct bpf_object *object, uint32_t flows, uint32_t *entries)
{
	static const char *const names[] = { "flows_v4", "flows_v6" };

	for (int i = 0; i < 2; i++) {
		struct map pinned;
		char name[BPF_OBJ_NAME_LEN];
		struct bpf_map *map;

		snprintf(name, sizeof(name), "fp_%s", names[i]);
		map = bpf_object__find_map_by_name(object, name);
		if (!map)
			return -ENOENT;
		if (!open_map(names[i], &pinned))
			flows = pinned.max_entries;
		if (flows && bpf_map__set_max_entries(map, flows))
			return -EINVAL;
		*entries = bpf_map__max_entries(map);
	}
	return 0;
}

static int set_pin_paths(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		int error;

		/* Such as .rodata, which these objects do not have. */
		if (bpf_map__is_internal(map))
			continue;
		error = bpf_map__set_pin_path(map, pin_path(bpf_map__name(map)));
		if (error)
			return error;
	}
	return 0;
}

static int pin_programs(struct bpf_object *object)
{
	unmark_preloaded();
	for (int i = 0; i < ROLES; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, program_names[i]);
		int error, fd = program ? dup(bpf_program__fd(program)) : -1;

		if (fd < 0)
			return -ENOENT;
		error = pin_program(i, fd);
		if (error) {
			close(fd);
			return error;
		}
		set_program(i, fd);
	}
	return 0;
}

/* Uses the programs that a more privileged process has loaded from the same object, if there are any. */
static int open_preloaded_programs(uint32_t *entries)
{
	struct map flows;
	int fds[ROLES];
	int error = open_preloaded(fds);

	for (int i = 0; !error && i < ROLES; i++)
		set_program(i, fds[i]);
	if (!error && !open_map("flows_v4", &flows))
		*entries = flows.max_entries;
	return error;
}

static int load_object(const struct object *bytes, uint32_t flows, uint32_t *entries)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "fastpath");
	struct bpf_object *object;
	int error;

	first_warning[0] = '\0';
	object = bpf_object__open_mem(bytes->begin, bytes->end - bytes->begin, &opts);
	if (libbpf_get_error(object))
		return -EINVAL;
	error = set_pin_paths(object);
	if (!error)
		error = set_flow_map_sizes(object, flows, entries);
	if (!error)
		error = bpf_object__load(object);
	if (!error)
		error = pin_programs(object);
	bpf_object__close(object);
	return error;
}

static int load_with_conntrack(uint32_t flows, uint32_t *entries)
{
	int error = may_load_conntrack_lookup() ? load_object(&with_conntrack, flows, entries) : -EPERM;

	if (!error)
		mark_preloaded();
	else
		error = open_preloaded_programs(entries);
	return error;
}

struct load_options {
	/* Entries of each flow map; 0 for the default. */
	uint32_t flows;
	bool use_conntrack;
};

static bool parse_load(const struct request *r, struct load_options *options)
{
	*options = (struct load_options){ .use_conntrack = r->count < 3 };
	if (r->count == 3 && strcmp(r->args[2], "no-conntrack"))
		fail(EINVAL, "unknown option \"%s\": only \"no-conntrack\" is known", r->args[2]);
	else if (r->count >= 2 &&
		 (!parse_number(r->args[1], &options->flows) || options->flows < 2 || options->flows > 1 << 24))
		fail(EINVAL, "invalid number of entries \"%s\": must be 2 to 16777216", r->args[1]);
	else
		return true;
	return false;
}

static bool prepare_pin_directory(void)
{
	const char *reason;
	int error = check_bpf_fs(&reason);

	if (error) {
		fail(error, "%s", reason);
		return false;
	}
	error = make_pin_directory();
	if (error)
		fail(error, "cannot create \"%s\"", pin_directory());
	return !error;
}

/* Loads the programs with the conntrack lookup, or else those without. Sets `udp` for the former. */
static int load_programs(const struct load_options *options, uint32_t *entries, bool *udp)
{
	const char *reason;
	int error = -ENOENT;

	if (options->use_conntrack && kernel_has_conntrack_lookup(&reason))
		error = load_with_conntrack(options->flows, entries);
	*udp = !error;
	return error ? load_object(&without_conntrack, options->flows, entries) : 0;
}

void request_load(const struct request *r)
{
	struct load_options options;
	uint32_t entries = 0;
	bool reused, udp;
	int error;

	if (!parse_load(r, &options) || !prepare_pin_directory())
		return;
	reused = access(pin_path("fp_frontends"), F_OK) == 0;
	loading = true;
	error = load_programs(&options, &entries, &udp);
	loading = false;
	if (error)
		fail(error, "cannot load the programs: %s", *first_warning ? first_warning : "see standard error");
	else
		ok("udp=%s maps=%s entries=%u", udp ? "yes" : "no", reused ? "reused" : "new", entries);
	close_maps();
}
