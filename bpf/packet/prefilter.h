/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A quick check of the ports of packets without options, extension headers or fragments: most packets are not for a
 * Service. Packets of other shapes, or whose ports are not in the linear part, get the full parser.
 */
#ifndef NFTLANE_PACKET_PREFILTER_H
#define NFTLANE_PACKET_PREFILTER_H

#include "maps/lookup.h"
#include "packet/packet.h"

/* Whether no frontend has the destination port, or, in the reply direction, no backend the source port. */
static __always_inline bool is_unknown_port(const struct ports *ports, __u8 dir)
{
	return dir == FP_DIR_ORIGINAL ? !has_port(0, ports->dest) : !has_port(FP_BACKEND_PORTS_OFFSET, ports->source);
}

static __always_inline bool is_unrelated4(struct __sk_buff *skb, __u8 dir)
{
	struct iphdr *ip = SKB_FIELD(skb, data) + L3;
	struct ports *ports = (void *)(ip + 1);

	if ((void *)(ports + 1) > SKB_FIELD(skb, data_end))
		return false;
	if (ip->version != 4 || ip->ihl != 5 || (ip->frag_off & bpf_htons(0x3fff)) || !is_tcp_or_udp(ip->protocol))
		return false;
	return is_unknown_port(ports, dir);
}

static __always_inline bool is_unrelated6(struct __sk_buff *skb, __u8 dir)
{
	struct ipv6hdr *ip = SKB_FIELD(skb, data) + L3;
	struct ports *ports = (void *)(ip + 1);

	if ((void *)(ports + 1) > SKB_FIELD(skb, data_end))
		return false;
	return ip->version == 6 && is_tcp_or_udp(ip->nexthdr) && is_unknown_port(ports, dir);
}

#endif
