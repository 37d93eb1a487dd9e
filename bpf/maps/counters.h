/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Per-CPU counters: packets by reason, and new and answered flows by backend slot. */
#ifndef NFTLANE_MAPS_COUNTERS_H
#define NFTLANE_MAPS_COUNTERS_H

#include "maps/maps.h"

static __always_inline void count_reason(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&fp_stats, &reason);

	if (count)
		*count += 1;
}

/* Counts a packet that goes to the stack unchanged, and returns the verdict for it. */
static __always_inline int pass(int reason)
{
	count_reason(reason);
	/* TC_ACT_OK would skip the programs attached after this one. */
	return TC_ACT_UNSPEC;
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

#endif
