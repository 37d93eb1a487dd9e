/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request "batch": many changes with one answer. They are made in order, and consecutive ones of the same kind and
 * map by one system call. The first that fails ends the batch.
 */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>

#include "loader/maps/batch.h"
#include "loader/maps/maps.h"
#include "loader/protocol/answers.h"
#include "loader/protocol/lines.h"
#include "loader/protocol/values.h"

#define GROUP 256

enum operation { PUT, DEL };

/* Consecutive changes that are still to be made. */
static struct {
	enum operation operation;
	struct map map;
	__u32 count;
	uint8_t keys[GROUP * MAX_BYTES];
	uint8_t values[GROUP * MAX_BYTES];
} group;

struct progress {
	uint32_t line;
	uint32_t applied;
	/* A negative errno, and its context. */
	int error;
	const char *message;
};

static int apply_one(uint32_t i)
{
	const void *key = group.keys + i * group.map.key_size;
	const void *value = group.values + i * group.map.value_size;

	if (group.operation == PUT)
		return bpf_map_update_elem(group.map.fd, key, value, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(group.map.fd, key) && errno != ENOENT ? -errno : 0;
}

/* Falls back to single changes for kernels and maps without batches, and for deletions of missing elements. */
static void apply_group(struct progress *p)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t i = 0;
	__u32 count = group.count;
	int error;

	if (group.count == 0 || p->error)
		return;
	if (group.operation == PUT)
		error = bpf_map_update_batch(group.map.fd, group.keys, group.values, &count, &opts);
	else
		error = bpf_map_delete_batch(group.map.fd, group.keys, &count, &opts);
	if (!error)
		i = group.count;
	for (; i < group.count && !p->error; i++)
		p->error = apply_one(i);
	if (p->error) {
		i--;
		p->message = "the kernel refused the change";
		p->line -= group.count - i - 1;
	}
	p->applied += i;
	group.count = 0;
}

/* Applies the changes of earlier lines, so that a failure is reported with its own line. False on failure. */
static bool apply_preceding(struct progress *p)
{
	p->line--;
	apply_group(p);
	if (p->error)
		return false;
	p->line++;
	return true;
}

static void stop_batch(struct progress *p, int error, const char *message)
{
	if (!apply_preceding(p))
		return;
	p->error = error;
	p->message = message;
}

static bool fits_group(const struct request *r, enum operation operation)
{
	return group.operation == operation && !strcmp(group.map.name, r->args[1]) && group.count < GROUP;
}

static bool begin_group(struct progress *p, const struct request *r, enum operation operation)
{
	int error = open_map(r->args[1], &group.map);

	if (error)
		stop_batch(p, error, "unknown map");
	group.operation = operation;
	return !error;
}

static bool parse_change(const struct request *r, enum operation operation)
{
	uint8_t *key = group.keys + group.count * group.map.key_size;
	uint8_t *value = group.values + group.count * group.map.value_size;

	return parse_key(r->args[2], key, group.map.key_size) &&
	       (operation == DEL || parse_value(r->args[3], value, group.map.value_size));
}

static void add_change(struct progress *p, const struct request *r, enum operation operation)
{
	if (r->count != (operation == PUT ? 4 : 3)) {
		stop_batch(p, -EINVAL, "expected a map, a key and, for \"put\", a value");
		return;
	}
	if (group.count && !fits_group(r, operation) && !apply_preceding(p))
		return;
	if (group.count == 0 && !begin_group(p, r, operation))
		return;
	if (parse_change(r, operation))
		group.count++;
	else
		stop_batch(p, -EINVAL, "not the hexadecimal digits of the map's key and value");
}

static void handle_line(struct progress *p, char *line)
{
	struct request r = parse_request(line);

	if (p->error || r.count == 0)
		return;
	p->line++;
	if (!strcmp(r.args[0], "put"))
		add_change(p, &r, PUT);
	else if (!strcmp(r.args[0], "del"))
		add_change(p, &r, DEL);
	else
		stop_batch(p, -EINVAL, "expected \"put\", \"del\" or \"end\"");
}

void request_batch(const struct request *r)
{
	struct progress p = { 0 };
	char *line;

	group.count = 0;
	while ((line = read_line())) {
		if (!strcmp(line, "end"))
			break;
		handle_line(&p, line);
	}
	/* A batch without its end is not a request. */
	if (!line)
		return;
	apply_group(&p);
	if (p.error)
		fail(p.error, "at=%u applied=%u %s", p.line, p.applied, p.message);
	else
		ok("applied=%u", p.applied);
}
