/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Properties of frames from a pod, in both families. */
#ifndef NFTLANE_PACKET_FRAME_H
#define NFTLANE_PACKET_FRAME_H

#include "packet/packet.h"

/* The length of the IP packet on the wire: for a GSO packet, that of one segment. */
static __always_inline __u32 wire_length(struct __sk_buff *skb, const struct packet_base *b)
{
	__u32 headers = b->l4 - L3;
	struct tcphdr *tcp;

	if (!skb->gso_size)
		return b->end - L3;
	if (b->proto == IPPROTO_UDP)
		return headers + sizeof(struct udphdr) + skb->gso_size;
	tcp = header(skb, b->l4, sizeof(*tcp));
	return headers + (tcp ? tcp->doff * 4 : sizeof(*tcp)) + skb->gso_size;
}

static __always_inline bool ether_addr_equal(const __u8 *a, const __u8 *b)
{
	const __u16 *x = (const __u16 *)a, *y = (const __u16 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

/* Whether the frame comes from the backend's device and is addressed to its gateway. */
static __always_inline bool is_from_backend(struct __sk_buff *skb, const struct fp_backend *be)
{
	struct ethhdr *eth = header(skb, 0, sizeof(*eth));

	return eth && skb->ifindex == be->ifindex && ether_addr_equal(eth->h_dest, be->gateway_mac);
}

#endif
