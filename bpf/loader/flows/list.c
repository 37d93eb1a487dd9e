/* SPDX-License-Identifier: Apache-2.0 */
/* The request "flows": flows to the backends behind the given devices. */
#include <errno.h>

#include "loader/flows/flow-table.h"
#include "loader/flows/list.h"
#include "loader/protocol/answers.h"
#include "loader/protocol/values.h"

struct device_filter {
	/* By interface index. */
	uint32_t devices[MAX_ARGS];
	int count;
	uint32_t time, found;
};

static bool uses_device(const struct device_filter *f, uint32_t slot)
{
	for (int i = 0; i < f->count; i++)
		if (backends[slot].ifindex == f->devices[i])
			return true;
	return false;
}

/* Prints the forward entry of each flow, whose key has the client's destination. */
static void print_flows(const struct chunk *c, void *context)
{
	const struct flow_layout *l = c->layout;
	struct device_filter *f = context;

	for (uint32_t i = 0; i < c->count; i++) {
		const uint8_t *key = c->keys + i * l->key_size, *value = c->values + i * l->value_size;
		uint16_t slot = read16(value + l->slot);

		if (key[l->dir] != FP_DIR_ORIGINAL || slot >= FP_MAX_BACKENDS || !uses_device(f, slot) ||
		    is_expired(l, c->fd, key, value, f->time))
			continue;
		emit("flow %s ", l->map);
		print_hex(key, l->key_size);
		emit(" ");
		print_hex(value, l->value_size);
		emit("\n");
		f->found++;
	}
}

void request_flows(const struct request *r)
{
	struct device_filter f = { .time = now_ticks() };
	int error;

	for (; f.count < r->count - 1; f.count++) {
		if (parse_number(r->args[f.count + 1], &f.devices[f.count]) && f.devices[f.count])
			continue;
		fail(EINVAL, "invalid interface index \"%.20s\"", r->args[f.count + 1]);
		return;
	}
	error = read_backends_and_config();
	for (int i = 0; !error && i < 2; i++)
		error = for_each_chunk(&layouts[i], print_flows, &f);
	if (error)
		fail(error, "cannot read flows");
	else
		ok("count=%u", f.found);
}
