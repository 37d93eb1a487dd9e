/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The clock that flows age by. */
#ifndef NFTLANE_FLOW_CLOCK_H
#define NFTLANE_FLOW_CLOCK_H

#include "base.h"

static __always_inline __u32 now_ticks(void)
{
#ifdef NO_CONNTRACK_LOOKUP
	/* The coarse clock is there since Linux 5.11. */
	return bpf_ktime_get_ns() >> FP_TICK_SHIFT;
#else
	return bpf_ktime_get_coarse_ns() >> FP_TICK_SHIFT;
#endif
}

/* Approximately seconds, modulo 256, and never 0. */
static __always_inline __u8 reset_seconds(__u32 now)
{
	return now >> 10 | 1;
}

#endif
