/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel headers and basic definitions of the programs. */
#ifndef NFTLANE_BASE_H
#define NFTLANE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"

/*
 * Functions with large local variables are __noinline (bpf_helpers.h): all live frames of a program share 512 bytes of
 * stack, and a frame is live only during its call.
 */

/* Returned in place of a reason: processing continues. */
#define CONTINUE (-1)

#define COPY_ADDRESS(to, from) \
	do { \
		_Static_assert(sizeof(to) == sizeof(from), "addresses of one family"); \
		__builtin_memcpy(&(to), &(from), sizeof(to)); \
	} while (0)

static __always_inline bool words_equal(const __be32 *a, const __be32 *b, int words)
{
	__be32 different = 0;

	for (int i = 0; i < words; i++)
		different |= a[i] ^ b[i];
	return different == 0;
}

#define ADDRESS_EQUAL(a, b) words_equal((const __be32 *)&(a), (const __be32 *)&(b), sizeof(a) / 4)

#endif
