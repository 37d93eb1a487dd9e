/* SPDX-License-Identifier: Apache-2.0 */
/* Qdiscs and tc filters of a device. */
#ifndef NFTLANE_LOADER_TC_NETLINK_H
#define NFTLANE_LOADER_TC_NETLINK_H

#include <stdint.h>

enum direction { INGRESS, EGRESS };

struct filter {
	char kind[16];
	char name[64];
	uint32_t priority;
	uint32_t handle;
	uint32_t program_id;
};

typedef void on_filter(const struct filter *filter, void *context);
typedef void on_qdisc(const char *kind, uint32_t handle, uint32_t parent, void *context);

/* All return 0 or a negative errno. */
int for_each_filter(uint32_t ifindex, enum direction direction, on_filter *callback, void *context);
int for_each_qdisc(uint32_t ifindex, on_qdisc *callback, void *context);

#endif
