/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lookups of the configuration and of the port bitmap. */
#ifndef NFTLANE_MAPS_LOOKUP_H
#define NFTLANE_MAPS_LOOKUP_H

#include "maps/maps.h"

/* `first_word` is 0 for the ports of frontends, FP_BACKEND_PORTS_OFFSET for those of backends. */
static __always_inline bool has_port(__u32 first_word, __be16 port)
{
	__u32 number = bpf_ntohs(port);
	__u32 key = first_word + (number >> 6);
	__u64 *word = bpf_map_lookup_elem(&fp_ports, &key);

	return word && (*word >> (number & 63) & 1);
}

static __always_inline struct fp_config *get_config(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&fp_config, &key);
}

#endif
