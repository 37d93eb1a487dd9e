/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parses frames. All bounds are checked here. */
#ifndef NFTLANE_PACKET_PARSE_H
#define NFTLANE_PACKET_PARSE_H

#include "packet/icmp.h"
#include "packet/packet.h"

/* Whether the packet is as long as its header says. The length is 0 in GSO packets of 64 KiB and more. */
static __always_inline bool has_length(struct __sk_buff *skb, __u32 declared, __u32 min_length)
{
	if (declared == 0 && skb->gso_size)
		return true;
	return declared >= min_length && L3 + declared <= skb->len;
}

static __always_inline int parse_ports(struct __sk_buff *skb, struct packet_base *b)
{
	if (b->proto == IPPROTO_TCP) {
		struct tcphdr *tcp = header(skb, b->l4, sizeof(*tcp));

		if (!tcp)
			return FP_TRUNCATED;
		b->sport = tcp->source;
		b->dport = tcp->dest;
		b->tcp_flags = ((__u8 *)tcp)[13];
	} else {
		struct udphdr *udp = header(skb, b->l4, sizeof(*udp));

		if (!udp)
			return FP_TRUNCATED;
		b->sport = udp->source;
		b->dport = udp->dest;
	}
	return CONTINUE;
}

static __always_inline __u32 min_l4_length(__u8 proto)
{
	return proto == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
}

static __always_inline int parse4(struct __sk_buff *skb, struct packet4 *p)
{
	struct iphdr *ip = header(skb, L3, sizeof(*ip));
	__u32 length, min_length;
	__be16 fragment;

	if (!ip || ip->version != 4)
		return FP_OTHER;
	if (ip->ihl != 5)
		return FP_OPTIONS;
	if (!is_tcp_or_udp(ip->protocol) && ip->protocol != IPPROTO_ICMP)
		return FP_OTHER;
	if (ip->ttl <= 1)
		return FP_TTL;
	p->src = ip->saddr;
	p->dst = ip->daddr;
	p->b.proto = ip->protocol;
	p->b.l4 = L3 + sizeof(*ip);
	p->b.fragment_id = ip->id;
	fragment = ip->frag_off & bpf_htons(0x3fff);
	length = bpf_ntohs(ip->tot_len);
	p->b.end = L3 + length;
	if (p->b.proto == IPPROTO_ICMP)
		min_length = 2 * sizeof(*ip) + sizeof(struct icmp_header) + sizeof(struct ports);
	else
		min_length = sizeof(*ip) + ((fragment & bpf_htons(0x1fff)) ? 1 : min_l4_length(p->b.proto));
	if (!has_length(skb, length, min_length))
		return p->b.proto == IPPROTO_ICMP ? FP_OTHER : FP_TRUNCATED;
	if (p->b.proto == IPPROTO_ICMP)
		return fragment ? FP_OTHER : parse_icmp4(skb, p);
	if (fragment & bpf_htons(0x1fff)) {
		p->b.kind = NON_FIRST_FRAGMENT;
		return CONTINUE;
	}
	p->b.kind = fragment ? FIRST_FRAGMENT : UNFRAGMENTED;
	return parse_ports(skb, &p->b);
}

/* Parses the fragment header that follows the IPv6 header. */
static __always_inline int parse_fragment6(struct __sk_buff *skb, struct packet6 *p)
{
	struct fragment_header *fragment = header(skb, p->b.l4, sizeof(*fragment));

	if (!fragment || !is_tcp_or_udp(fragment->next))
		return FP_OTHER;
	p->b.proto = fragment->next;
	p->b.fragment_id = fragment->id;
	p->b.l4 += sizeof(*fragment);
	if (fragment->offset & bpf_htons(0xfff8))
		p->b.kind = NON_FIRST_FRAGMENT;
	else
		p->b.kind = (fragment->offset & bpf_htons(1)) ? FIRST_FRAGMENT : UNFRAGMENTED;
	return CONTINUE;
}

static __always_inline int parse6(struct __sk_buff *skb, struct packet6 *p)
{
	struct ipv6hdr *ip = header(skb, L3, sizeof(*ip));
	__u32 length, min_length;

	if (!ip || ip->version != 6)
		return FP_OTHER;
	p->b.proto = ip->nexthdr;
	if (p->b.proto == 0 || p->b.proto == 43 || p->b.proto == 60)
		return FP_OPTIONS;
	if (!is_tcp_or_udp(p->b.proto) && p->b.proto != IPPROTO_FRAGMENT && p->b.proto != IPPROTO_ICMPV6)
		return FP_OTHER;
	if (ip->hop_limit <= 1)
		return FP_TTL;
	COPY_ADDRESS(p->src, ip->saddr);
	COPY_ADDRESS(p->dst, ip->daddr);
	p->b.l4 = L3 + sizeof(*ip);
	p->b.kind = UNFRAGMENTED;
	length = bpf_ntohs(ip->payload_len);
	p->b.end = L3 + sizeof(*ip) + length;
	if (p->b.proto == IPPROTO_FRAGMENT && parse_fragment6(skb, p) != CONTINUE)
		return FP_OTHER;
	if (p->b.proto == IPPROTO_ICMPV6)
		min_length = 2 * sizeof(*ip) + sizeof(struct icmp_header) + sizeof(struct ports);
	else
		min_length = p->b.l4 - L3 + (p->b.kind == NON_FIRST_FRAGMENT ? 1 : min_l4_length(p->b.proto));
	/* IPv6 has the length of the payload. */
	if (length == 0 ? !skb->gso_size : !has_length(skb, length + sizeof(*ip), min_length))
		return p->b.proto == IPPROTO_ICMPV6 ? FP_OTHER : FP_TRUNCATED;
	if (p->b.proto == IPPROTO_ICMPV6)
		return parse_icmp6(skb, p);
	return p->b.kind == NON_FIRST_FRAGMENT ? CONTINUE : parse_ports(skb, &p->b);
}

#endif
