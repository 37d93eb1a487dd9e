/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counters, the configuration, and the bits of ports. */
#ifndef NFTLANE_MAP_HELPERS_H
#define NFTLANE_MAP_HELPERS_H

#include "maps.h"

/* Counts a packet that is handed on as it came. */
static __always_inline int pass(int reason)
{
	__u32 key = reason;
	__u64 *count = bpf_map_lookup_elem(&fp_stats, &key);

	if (count)
		*count += 1;
	/* Not TC_ACT_OK, which would hide programs after this one. */
	return TC_ACT_UNSPEC;
}

static __always_inline void count_reason(__u32 reason)
{
	pass(reason);
}

static __always_inline void count_created(__u32 slot)
{
	struct fp_slot_count *count = bpf_map_lookup_elem(&fp_slot_counts, &slot);

	if (count)
		count->created += 1;
}

static __always_inline void count_answered(__u32 slot)
{
	struct fp_slot_count *count = bpf_map_lookup_elem(&fp_slot_counts, &slot);

	if (count)
		count->answered += 1;
}

/* `first_word`: 0 for ports of frontends, FP_BACKEND_PORTS_OFFSET for those of backends. */
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

static __always_inline __u32 now_ticks(void)
{
#ifdef NO_CONNTRACK_LOOKUP
	/* The coarse clock came with 5.11. */
	return bpf_ktime_get_ns() >> FP_TICK_SHIFT;
#else
	return bpf_ktime_get_coarse_ns() >> FP_TICK_SHIFT;
#endif
}

/* Seconds, nearly, and never 0. */
static __always_inline __u8 reset_seconds(__u32 now)
{
	return now >> 10 | 1;
}

#endif
