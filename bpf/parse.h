/* SPDX-License-Identifier: Dual BSD/GPL */
/* From bytes to what the programs want to know of a packet. All bounds are checked here. */
#ifndef NFTLANE_PARSE_H
#define NFTLANE_PARSE_H

#include "base.h"

#define L3 ETH_HLEN
#define FRAGMENT_HEADER 44
#define ICMPV6 58

enum packet_kind {
	WHOLE,
	FIRST_FRAGMENT,
	LATER_FRAGMENT,
	/* The ports, the protocol and `inner` are those of the packet that the error quotes. */
	ICMP_ERROR,
};

/* What both families have. Offsets count from the Ethernet header. */
struct packet_base {
	__be16 sport;
	__be16 dport;
	__be32 fragment_id;
	/* Where the packet ends; padding may follow. */
	__u32 end;
	__u16 l4;
	/* Of an ICMP error: where the quoted packet and its ports begin. */
	__u16 inner_l3;
	__u16 inner_l4;
	__u8 proto;
	__u8 kind;
	__u8 tcp_flags;
};

struct packet4 {
	struct packet_base b;
	__be32 src;
	__be32 dst;
	__be32 inner_dst;
};

struct packet6 {
	struct packet_base b;
	__be32 src[4];
	__be32 dst[4];
	__be32 inner_dst[4];
};

struct fragment_header {
	__u8 next;
	__u8 zero;
	__be16 offset;
	__be32 id;
};

struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 check;
	__be32 rest;
};

struct ports {
	__be16 source;
	__be16 dest;
	__be32 rest;
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* The compiler would otherwise keep the address of the field, which the verifier does not allow. */
#define FIELD(skb, field)                                                                                        \
	({                                                                                                       \
		void *value;                                                                                     \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                                            \
			     : "=r"(value)                                                                       \
			     : "r"(skb), "i"(offsetof(struct __sk_buff, field)));                                \
		value;                                                                                           \
	})

/*
 * `length` bytes at `offset`, or NULL when the packet is shorter. Pointers from earlier calls are void afterwards:
 * bytes that a driver left outside of the linear part are moved into it.
 */
INLINE void *header(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	void *start;

	/* All headers are within the first 256 bytes. The verifier has to be told. */
	if (!__builtin_constant_p(offset)) {
		barrier_var(offset);
		offset &= 0xff;
	}
	start = FIELD(skb, data) + offset;
	/* Computed twice, it would be another pointer to the verifier. */
	barrier_var(start);
	if (start + length <= FIELD(skb, data_end))
		return start;
	if (offset + length > skb->len || bpf_skb_pull_data(skb, offset + length))
		return NULL;
	start = FIELD(skb, data) + offset;
	barrier_var(start);
	return start + length <= FIELD(skb, data_end) ? start : NULL;
}

/* Whether the packet has the bytes its header speaks of. The length is 0 in segments of 64 KiB and more. */
INLINE bool has_length(struct __sk_buff *skb, __u32 claimed, __u32 least)
{
	if (claimed == 0 && skb->gso_size)
		return true;
	return claimed >= least && L3 + claimed <= skb->len;
}

INLINE int parse_ports(struct __sk_buff *skb, struct packet_base *b)
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
	return GO_ON;
}

INLINE int parse_inner_ports(struct __sk_buff *skb, struct packet_base *b)
{
	struct ports *ports = header(skb, b->inner_l4, sizeof(*ports));

	if (!ports || b->inner_l4 + sizeof(*ports) > b->end)
		return FP_OTHER;
	b->sport = ports->source;
	b->dport = ports->dest;
	return GO_ON;
}

INLINE bool is_tcp_or_udp(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

INLINE __u32 least_l4(__u8 proto)
{
	return proto == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
}

/* Destination unreachable (which has "fragmentation needed"), time exceeded, parameter problem. */
INLINE bool is_icmp4_error(__u8 type)
{
	return type == 3 || type == 11 || type == 12;
}

INLINE int parse_icmp4(struct __sk_buff *skb, struct packet4 *p)
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

INLINE int parse4(struct __sk_buff *skb, struct packet4 *p)
{
	struct iphdr *ip = header(skb, L3, sizeof(*ip));
	__u32 length, least;
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
		least = 2 * sizeof(*ip) + sizeof(struct icmp_header) + sizeof(struct ports);
	else
		least = sizeof(*ip) + ((fragment & bpf_htons(0x1fff)) ? 1 : least_l4(p->b.proto));
	if (!has_length(skb, length, least))
		return p->b.proto == IPPROTO_ICMP ? FP_OTHER : FP_TRUNCATED;
	if (p->b.proto == IPPROTO_ICMP)
		return fragment ? FP_OTHER : parse_icmp4(skb, p);
	if (fragment & bpf_htons(0x1fff)) {
		p->b.kind = LATER_FRAGMENT;
		return GO_ON;
	}
	p->b.kind = fragment ? FIRST_FRAGMENT : WHOLE;
	return parse_ports(skb, &p->b);
}

INLINE int parse_icmp6(struct __sk_buff *skb, struct packet6 *p)
{
	struct icmp_header *icmp = header(skb, p->b.l4, sizeof(*icmp) + sizeof(struct ipv6hdr));
	struct ipv6hdr *ip;

	/* Errors have the types 1 to 4. */
	if (!icmp || icmp->type < 1 || icmp->type > 4)
		return FP_OTHER;
	ip = (void *)(icmp + 1);
	if (ip->version != 6 || !SAME(ip->saddr, p->dst))
		return FP_OTHER;
	COPY(p->inner_dst, ip->daddr);
	p->b.proto = ip->nexthdr;
	p->b.kind = ICMP_ERROR;
	p->b.inner_l3 = p->b.l4 + sizeof(*icmp);
	p->b.inner_l4 = p->b.inner_l3 + sizeof(*ip);
	if (p->b.proto == FRAGMENT_HEADER) {
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

/* After the IPv6 header: notes the fragment, if it is one. */
INLINE int parse_fragment6(struct __sk_buff *skb, struct packet6 *p)
{
	struct fragment_header *fragment = header(skb, p->b.l4, sizeof(*fragment));

	if (!fragment || !is_tcp_or_udp(fragment->next))
		return FP_OTHER;
	p->b.proto = fragment->next;
	p->b.fragment_id = fragment->id;
	p->b.l4 += sizeof(*fragment);
	if (fragment->offset & bpf_htons(0xfff8))
		p->b.kind = LATER_FRAGMENT;
	else
		p->b.kind = (fragment->offset & bpf_htons(1)) ? FIRST_FRAGMENT : WHOLE;
	return GO_ON;
}

INLINE int parse6(struct __sk_buff *skb, struct packet6 *p)
{
	struct ipv6hdr *ip = header(skb, L3, sizeof(*ip));
	__u32 length, least;

	if (!ip || ip->version != 6)
		return FP_OTHER;
	p->b.proto = ip->nexthdr;
	if (p->b.proto == 0 || p->b.proto == 43 || p->b.proto == 60)
		return FP_OPTIONS;
	if (!is_tcp_or_udp(p->b.proto) && p->b.proto != FRAGMENT_HEADER && p->b.proto != ICMPV6)
		return FP_OTHER;
	if (ip->hop_limit <= 1)
		return FP_TTL;
	COPY(p->src, ip->saddr);
	COPY(p->dst, ip->daddr);
	p->b.l4 = L3 + sizeof(*ip);
	p->b.kind = WHOLE;
	length = bpf_ntohs(ip->payload_len);
	p->b.end = L3 + sizeof(*ip) + length;
	if (p->b.proto == FRAGMENT_HEADER && parse_fragment6(skb, p) != GO_ON)
		return FP_OTHER;
	if (p->b.proto == ICMPV6)
		least = 2 * sizeof(*ip) + sizeof(struct icmp_header) + sizeof(struct ports);
	else
		least = p->b.l4 - L3 + (p->b.kind == LATER_FRAGMENT ? 1 : least_l4(p->b.proto));
	/* The length is that of the payload. */
	if (length == 0 ? !skb->gso_size : !has_length(skb, length + sizeof(*ip), least))
		return p->b.proto == ICMPV6 ? FP_OTHER : FP_TRUNCATED;
	if (p->b.proto == ICMPV6)
		return parse_icmp6(skb, p);
	return p->b.kind == LATER_FRAGMENT ? GO_ON : parse_ports(skb, &p->b);
}

#endif
