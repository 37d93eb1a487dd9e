/* SPDX-License-Identifier: Dual BSD/GPL */
/*
 * Changes of addresses and ports with their checksums. Nothing here may fail: all has been checked before, and a
 * packet that is changed has to be sent on.
 *
 * Direct writes come first, for helpers make pointers into the packet void. L4 sums are left to the helper, which
 * knows of sums that a device will compute, or has computed.
 */
#ifndef NFTLANE_REWRITE_H
#define NFTLANE_REWRITE_H

#include "packet.h"

#ifndef BPF_F_IPV6
#define BPF_F_IPV6 (1ULL << 7)
#endif

/* What is to stand in the packet afterwards. The direction says which address is replaced. */
struct change {
	const __u8 *mac;
	const __u8 *gateway_mac;
	__be16 sport;
	__be16 dport;
	__u8 dir;
};

/* RFC 1624: the new sum after some words of what it covers have changed. */
INLINE __u16 changed_sum(__u16 sum, __u32 from, __u32 to)
{
	__u32 s = (__u16)~sum;

	s += (__u16)~from;
	s += (__u16)~(from >> 16);
	s += (__u16)to;
	s += to >> 16;
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return ~s;
}

INLINE __u32 both(__be16 sport, __be16 dport)
{
	struct {
		__be16 source, dest;
	} ports = { sport, dport };
	__u32 word;

	__builtin_memcpy(&word, &ports, sizeof(word));
	return word;
}

INLINE __u32 sum_offset(const struct packet_base *b)
{
	return b->l4 + (b->proto == IPPROTO_TCP ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
}

INLINE void set_macs(struct ethhdr *eth, const struct change *c)
{
	if (c->dir != FP_FORWARD)
		return;
	__builtin_memcpy(eth->h_dest, c->mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, c->gateway_mac, ETH_ALEN);
}

INLINE void set_ports(void *where, const struct change *c)
{
	struct ports *ports = where;

	ports->source = c->sport;
	ports->dest = c->dport;
}

/* A difference of checksums into the sum at an offset. Kernels that do not know the flag for IPv6 refuse it. */
INLINE void add_pseudo6(struct __sk_buff *skb, __u32 offset, __s64 difference)
{
	__u64 flags = BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0;

	if (bpf_l4_csum_replace(skb, offset, 0, difference, flags | BPF_F_IPV6))
		bpf_l4_csum_replace(skb, offset, 0, difference, flags);
}

/* The address in the quoted packet and its IP checksum, which together change nothing of the ICMP checksum. */
INLINE void rewrite_inner4(struct iphdr *ip, __u8 dir, __be32 other)
{
	__be32 *where = dir == FP_FORWARD ? &ip->saddr : &ip->daddr;

	ip->check = changed_sum(ip->check, *where, other);
	*where = other;
}

/* Bytes that are known to be there: the verifier cannot see it when a length depended on the kind of packet. */
#define AGAIN(skb, offset, length, pointer)                  \
	do {                                                 \
		(pointer) = header(skb, offset, length);     \
		if (!(pointer))                              \
			return true;                         \
	} while (0)

/* How many bytes will be looked at. */
INLINE __u32 extent(const struct packet_base *b)
{
	if (b->kind == LATER_FRAGMENT)
		return b->l4;
	return (b->kind == ICMP_ERROR ? b->inner_l4 : b->l4) + sizeof(struct ports);
}

INLINE void rewrite_outer4(struct iphdr *ip, __be32 *where, __be32 other)
{
	__u16 before, after;

	__builtin_memcpy(&before, &ip->ttl, 2);
	ip->ttl--;
	__builtin_memcpy(&after, &ip->ttl, 2);
	ip->check = changed_sum(changed_sum(ip->check, before, after), *where, other);
	*where = other;
}

/* False, and nothing is changed, when the headers are not where they were. */
INLINE bool rewrite4(struct __sk_buff *skb, const struct packet4 *p, const struct change *c, __be32 other)
{
	__u32 from = both(p->b.sport, p->b.dport), to = both(c->sport, c->dport);
	__be32 old = c->dir == FP_FORWARD ? p->dst : p->src;
	struct ethhdr *eth;
	struct iphdr *ip;
	void *quoted, *ports;

	if (!header(skb, 0, extent(&p->b)))
		return false;
	eth = header(skb, 0, L3 + sizeof(*ip));
	if (!eth)
		return false;
	ip = (void *)(eth + 1);
	set_macs(eth, c);
	rewrite_outer4(ip, c->dir == FP_FORWARD ? &ip->daddr : &ip->saddr, other);
	if (p->b.kind == LATER_FRAGMENT)
		return true;
	if (p->b.kind == ICMP_ERROR) {
		AGAIN(skb, L3 + sizeof(*ip) + sizeof(struct icmp_header), sizeof(*ip) + sizeof(struct ports), quoted);
		rewrite_inner4(quoted, c->dir, other);
		set_ports(quoted + sizeof(*ip), c);
		bpf_l4_csum_replace(skb, p->b.l4 + offsetof(struct icmp_header, check), from, to, 4);
		return true;
	}
	AGAIN(skb, L3 + sizeof(*ip), sizeof(struct ports), ports);
	set_ports(ports, c);
	bpf_l4_csum_replace(skb, sum_offset(&p->b), old, other, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | 4);
	if (from != to)
		bpf_l4_csum_replace(skb, sum_offset(&p->b), from, to, BPF_F_MARK_MANGLED_0 | 4);
	return true;
}

INLINE void sum_error6(struct __sk_buff *skb, const struct packet6 *p, __u32 from, __u32 to, __s64 difference)
{
	__u32 offset = p->b.l4 + offsetof(struct icmp_header, check);

	/* The quoted ports, the quoted address, and the address in the pseudo header. */
	bpf_l4_csum_replace(skb, offset, from, to, 4);
	bpf_l4_csum_replace(skb, offset, 0, difference, 0);
	add_pseudo6(skb, offset, difference);
}

INLINE void replace6(struct in6_addr *where, const __be32 *other)
{
	__builtin_memcpy(where, other, 16);
}

INLINE bool rewrite6(struct __sk_buff *skb, const struct packet6 *p, const struct change *c, const __be32 *other)
{
	__u32 from = both(p->b.sport, p->b.dport), to = both(c->sport, c->dport);
	const __be32 *old = c->dir == FP_FORWARD ? p->dst : p->src;
	struct ipv6hdr *ip, *quoted;
	struct ethhdr *eth;
	__s64 difference;
	void *ports;

	if (!header(skb, 0, extent(&p->b)))
		return false;
	eth = header(skb, 0, L3 + sizeof(*ip));
	if (!eth)
		return false;
	ip = (void *)(eth + 1);
	set_macs(eth, c);
	ip->hop_limit--;
	replace6(c->dir == FP_FORWARD ? &ip->daddr : &ip->saddr, other);
	if (p->b.kind == LATER_FRAGMENT)
		return true;
	difference = bpf_csum_diff((__be32 *)old, 16, (__be32 *)other, 16, 0);
	if (p->b.kind == ICMP_ERROR) {
		AGAIN(skb, L3 + sizeof(*ip) + sizeof(struct icmp_header), sizeof(*ip), quoted);
		replace6(c->dir == FP_FORWARD ? &quoted->saddr : &quoted->daddr, other);
		AGAIN(skb, p->b.inner_l4, sizeof(struct ports), ports);
		set_ports(ports, c);
		sum_error6(skb, p, from, to, difference);
		return true;
	}
	AGAIN(skb, p->b.l4, sizeof(struct ports), ports);
	set_ports(ports, c);
	add_pseudo6(skb, sum_offset(&p->b), difference);
	if (from != to)
		bpf_l4_csum_replace(skb, sum_offset(&p->b), from, to, BPF_F_MARK_MANGLED_0 | 4);
	return true;
}

#endif
