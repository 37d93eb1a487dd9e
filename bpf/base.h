/* SPDX-License-Identifier: Dual BSD/GPL */
/* What every part of the programs begins with. */
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

#define INLINE static __always_inline
/* A function of its own, so that its stack is in use only during the call. */
#define APART static __attribute__((noinline))

/* As a reason: nothing speaks against going on. */
#define GO_ON (-1)

/* From <errno.h>, which has nothing for this target. */
#define EEXIST 17

#define CLIENT_PORT_TRIES 4

#define FAMILY_INET 2
#define FAMILY_INET6 10

#define COPY(to, from)                                                                  \
	do {                                                                            \
		_Static_assert(sizeof(to) == sizeof(from), "the same kind of address"); \
		__builtin_memcpy(&(to), &(from), sizeof(to));                           \
	} while (0)

INLINE bool same_words(const __be32 *a, const __be32 *b, int words)
{
	__be32 different = 0;

	for (int i = 0; i < words; i++)
		different |= a[i] ^ b[i];
	return different == 0;
}

#define SAME(a, b) same_words((const __be32 *)&(a), (const __be32 *)&(b), sizeof(a) / 4)

#endif
