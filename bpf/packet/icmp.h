/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors. They belong to the flow of the packet that they quote. */
#ifndef NFTLANE_PACKET_ICMP_H
#define NFTLANE_PACKET_ICMP_H

#include "packet/packet.h"

static __always_inline int parse_inner_ports(struct __sk_buff *skb, struct packet_base *b)
{
	struct ports *ports = header(skb, b->inner_l4, sizeof(*ports));

	if (!ports || b->inner_l4 + sizeof(*ports) > b->end)
		return FP_OTHER;
	b->sport = ports->source;
	b->dport = ports->dest;
	return CONTINUE;
}

/* Destination unreachable (including "fragmentation needed"), time exceeded, parameter problem. */
static __always_inline bool is_icmp4_error(__u8 type)
{
	return type == 3 || type == 11 || type == 12;
}

static __always_inline int parse_icmp4(struct __sk_buff *skb, struct packet4 *p)
{
	struct icmp_header *icmp = header(skb, p->b.l4, sizeof(*icmp) + sizeof(struct iphdr));
	struct iphdr *ip;

	if (!icmp)
		return FP_OTHER;
	if (!is_icmp4_error(icmp->type))
		return FP_OTHER;
	ip = (void *)(icmp + 1);
	if (ip->version != 4 || ip->ihl != 5 || (ip->frag_off & bpf_htons(0x1fff)) || !is_tcp_or_udp(ip->protocol))
		return FP_OTHER;
	if (ip->saddr != p->dst)
		return FP_OTHER;
	p->inner_dst = ip->daddr;
	p->b.proto = ip->protocol;
	p->b.kind = ICMP_ERROR;
	p->b.inner_l3 = p->b.l4 + sizeof(*icmp);
	p->b.inner_l4 = p->b.inner_l3 + sizeof(*ip);
	return parse_inner_ports(skb, &p->b);
}

static __always_inline int parse_icmp6(struct __sk_buff *skb, struct packet6 *p)
{
	struct icmp_header *icmp = header(skb, p->b.l4, sizeof(*icmp) + sizeof(struct ipv6hdr));
	struct ipv6hdr *ip;

	/* Types 1 to 4 are errors. */
	if (!icmp || icmp->type < 1 || icmp->type > 4)
		return FP_OTHER;
	ip = (void *)(icmp + 1);
	if (ip->version != 6 || !ADDRESS_EQUAL(ip->saddr, p->dst))
		return FP_OTHER;
	COPY_ADDRESS(p->inner_dst, ip->daddr);
	p->b.proto = ip->nexthdr;
	p->b.kind = ICMP_ERROR;
	p->b.inner_l3 = p->b.l4 + sizeof(*icmp);
	p->b.inner_l4 = p->b.inner_l3 + sizeof(*ip);
	if (p->b.proto == IPPROTO_FRAGMENT) {
		struct fragment_header *fragment = header(skb, p->b.inner_l4, sizeof(*fragment));

		if (!fragment || (fragment->offset & bpf_htons(0xfff8)))
			return FP_OTHER;
		p->b.proto = fragment->next;
		p->b.inner_l4 += sizeof(*fragment);
	}
	if (!is_tcp_or_udp(p->b.proto))
		return FP_OTHER;
	return parse_inner_ports(skb, &p->b);
}

#endif
