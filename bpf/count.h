/* SPDX-License-Identifier: Dual BSD/GPL */
/* Counters, the configuration, and the bits of ports. */
#ifndef NFTLANE_COUNT_H
#define NFTLANE_COUNT_H

#include "maps.h"

/* Counts a packet that is handed on as it came. */
INLINE int pass(int reason)
{
	__u32 key = reason;
	__u64 *count = bpf_map_lookup_elem(&fp_stats, &key);

	if (count)
		*count += 1;
	/* Not TC_ACT_OK, which would hide programs after this one. */
	return TC_ACT_UNSPEC;
}

INLINE void note(__u32 reason)
{
	pass(reason);
}

INLINE void count_created(__u32 slot)
{
	struct fp_slot_count *count = bpf_map_lookup_elem(&fp_slots, &slot);

	if (count)
		count->created += 1;
}

INLINE void count_answered(__u32 slot)
{
	struct fp_slot_count *count = bpf_map_lookup_elem(&fp_slots, &slot);

	if (count)
		count->answered += 1;
}

/* `first_word`: 0 for ports of frontends, FP_BACKEND_PORTS for those of backends. */
INLINE bool has_port(__u32 first_word, __be16 port)
{
	__u32 number = bpf_ntohs(port);
	__u32 key = first_word + (number >> 6);
	__u64 *word = bpf_map_lookup_elem(&fp_ports, &key);

	return word && (*word >> (number & 63) & 1);
}

INLINE struct fp_config *config(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&fp_cfg, &key);
}

INLINE __u32 ticks(void)
{
#ifdef WITHOUT_CONNTRACK
	/* The coarse clock came with 5.11. */
	return bpf_ktime_get_ns() >> FP_TICK_SHIFT;
#else
	return bpf_ktime_get_coarse_ns() >> FP_TICK_SHIFT;
#endif
}

/* Seconds, nearly, and never 0. */
INLINE __u8 reset_time(__u32 now)
{
	return now >> 10 | 1;
}

#endif
