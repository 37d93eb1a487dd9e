/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the programs: with the maps that are pinned already, if there are some. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "loader.h"

/* The objects are part of this program, so that they cannot be of another version. */
#define EMBED(name, file)                                                                               \
	__asm__(".section .rodata\n.balign 16\n" #name "_begin:\n.incbin \"" file "\"\n" #name "_end:\n" \
		".previous\n");                                                                          \
	extern const char name##_begin[], name##_end[]

EMBED(with_conntrack, OBJECT_DIR "/fastpath.o");
EMBED(without_conntrack, OBJECT_DIR "/fastpath-no-conntrack.o");

static int programs[ROLES] = { -1, -1 };
static char first_warning[256];
static bool loading;

/* Keeps the first warning of libbpf, which names the cause. All go to standard error, with the verifier's log. */
static int capture_warning(enum libbpf_print_level level, const char *format, va_list values)
{
	va_list again;

	/* Elsewhere it also complains of what is expected, such as a qdisc that is there already. */
	if (level != LIBBPF_WARN || !loading)
		return 0;
	va_copy(again, values);
	if (!first_warning[0])
		vsnprintf(first_warning, sizeof(first_warning), format, again);
	va_end(again);
	first_warning[strcspn(first_warning, "\n")] = '\0';
	return vfprintf(stderr, format, values);
}

void capture_libbpf_warnings(void)
{
	libbpf_set_print(capture_warning);
}

/* Pinned maps keep their size; new ones have what was asked for. `entries` is what they have then. */
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

		/* Such as .rodata, of which there is none. */
		if (bpf_map__is_internal(map))
			continue;
		error = bpf_map__set_pin_path(map, pin_path(bpf_map__name(map)));
		if (error)
			return error;
	}
	return 0;
}

/* A pin is replaced by renaming another over it, so that it is never missing. */
static int pin_program(enum role role, int fd)
{
	char temporary[64];

	snprintf(temporary, sizeof(temporary), "%s-new", program_names[role]);
	unlink(pin_path(temporary));
	if (bpf_obj_pin(fd, pin_path(temporary)))
		return -errno;
	return rename(pin_path(temporary), pin_path(program_names[role])) ? -errno : 0;
}

static void set_program(enum role role, int fd)
{
	if (programs[role] >= 0)
		close(programs[role]);
	programs[role] = fd;
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

/* Where this process may not load what asks conntrack, one that might has done so before, from the same bytes. */
static int open_preloaded_programs(uint32_t *entries)
{
	struct map flows;
	int fds[ROLES];
	int error = open_preloaded(with_conntrack_begin, with_conntrack_end, fds);

	for (int i = 0; !error && i < ROLES; i++)
		set_program(i, fds[i]);
	if (!error && !open_map("flows_v4", &flows))
		*entries = flows.max_entries;
	return error;
}

static int load_object(const char *begin, const char *end, uint32_t flows, uint32_t *entries)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "fastpath");
	struct bpf_object *object;
	int error;

	first_warning[0] = '\0';
	object = bpf_object__open_mem(begin, end - begin, &opts);
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
	int error = may_load_conntrack_lookup() ? load_object(with_conntrack_begin, with_conntrack_end, flows, entries) : -EPERM;

	if (!error)
		mark_preloaded(with_conntrack_begin, with_conntrack_end);
	else
		error = open_preloaded_programs(entries);
	return error;
}

bool has_preloaded(void)
{
	int fds[ROLES];

	if (open_preloaded(with_conntrack_begin, with_conntrack_end, fds))
		return false;
	for (int i = 0; i < ROLES; i++)
		close(fds[i]);
	/* Others may put new maps in their place before this process loads anything. */
	close_maps();
	return true;
}

void request_load(const struct request *r)
{
	uint32_t flows = 0, entries = 0;
	bool reused, conntrack;
	const char *reason;
	int error = check_bpf_fs(&reason);

	if (r->count == 3 && strcmp(r->args[2], "plain")) {
		fail(EINVAL, "\"%s\" is not \"plain\"", r->args[2]);
		return;
	}
	if (r->count >= 2 && (!parse_number(r->args[1], &flows) || flows < 2 || flows > 1 << 24)) {
		fail(EINVAL, "\"%s\" is not a number of entries from 2 to 16777216", r->args[1]);
		return;
	}
	if (error) {
		fail(error, "%s", reason);
		return;
	}
	error = make_pin_directory();
	if (error) {
		fail(error, "cannot make \"%s\"", pin_directory);
		return;
	}
	loading = true;
	reused = access(pin_path("fp_frontends"), F_OK) == 0;
	conntrack = r->count < 3 && kernel_has_conntrack_lookup(&reason);
	error = conntrack ? load_with_conntrack(flows, &entries) : -ENOENT;
	if (error) {
		conntrack = false;
		error = load_object(without_conntrack_begin, without_conntrack_end, flows, &entries);
	}
	loading = false;
	if (error)
		fail(error, "the programs cannot be loaded: %s", *first_warning ? first_warning : "see standard error");
	else
		ok("udp=%s maps=%s entries=%u", conntrack ? "yes" : "no", reused ? "reused" : "new", entries);
	close_maps();
}

int program_fd(enum role role)
{
	if (programs[role] < 0)
		programs[role] = bpf_obj_get(pin_path(program_names[role]));
	return programs[role] < 0 ? -ENOENT : programs[role];
}

void close_programs(void)
{
	for (int i = 0; i < ROLES; i++) {
		if (programs[i] >= 0)
			close(programs[i]);
		programs[i] = -1;
	}
}
