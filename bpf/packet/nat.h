/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rewrites addresses and ports, and updates the checksums. After the first write nothing may fail: a modified packet
 * has to be redirected.
 *
 * Direct writes come first, because helpers invalidate pointers into the packet. L4 checksums are updated by a helper,
 * which handles checksums that a device computes or has verified.
 */
#ifndef NFTLANE_PACKET_NAT_H
#define NFTLANE_PACKET_NAT_H

#include "packet/packet.h"

#ifndef BPF_F_IPV6
#define BPF_F_IPV6 (1ULL << 7)
#endif

/* The new MAC addresses and ports. The direction selects the address that is replaced. */
struct nat_rewrite {
	const __u8 *mac;
	const __u8 *gateway_mac;
	__be16 sport;
	__be16 dport;
	__u8 dir;
};

/* RFC 1624: the checksum after a change of covered words. */
static __always_inline __u16 csum_update(__u16 sum, __u32 from, __u32 to)
{
	__u32 s = (__u16)~sum;

	s += (__u16)~from;
	s += (__u16) ~(from >> 16);
	s += (__u16)to;
	s += to >> 16;
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return ~s;
}

static __always_inline __u32 port_pair(__be16 sport, __be16 dport)
{
	struct {
		__be16 source, dest;
	} ports = { sport, dport };
	__u32 word;

	__builtin_memcpy(&word, &ports, sizeof(word));
	return word;
}

static __always_inline __u32 csum_offset(const struct packet_base *b)
{
	return b->l4 + (b->proto == IPPROTO_TCP ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
}

static __always_inline void set_macs(struct ethhdr *eth, const struct nat_rewrite *r)
{
	if (r->dir != FP_DIR_ORIGINAL)
		return;
	__builtin_memcpy(eth->h_dest, r->mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, r->gateway_mac, ETH_ALEN);
}

static __always_inline void set_ports(void *where, const struct nat_rewrite *r)
{
	struct ports *ports = where;

	ports->source = r->sport;
	ports->dest = r->dport;
}

/* Adds a difference to the checksum at an offset. Kernels without BPF_F_IPV6 reject the flag. */
static __always_inline void csum_replace_pseudo6(struct __sk_buff *skb, __u32 offset, __s64 difference)
{
	__u64 flags = BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0;

	if (bpf_l4_csum_replace(skb, offset, 0, difference, flags | BPF_F_IPV6))
		bpf_l4_csum_replace(skb, offset, 0, difference, flags);
}

/* Rewrites the quoted address and IP checksum. The two changes cancel out in the ICMP checksum. */
static __always_inline void rewrite_inner4(struct iphdr *ip, __u8 dir, __be32 other)
{
	__be32 *where = dir == FP_DIR_ORIGINAL ? &ip->saddr : &ip->daddr;

	ip->check = csum_update(ip->check, *where, other);
	*where = other;
}

/* Headers that begin_rewrite() has checked. The verifier needs the check again, for a constant length. */
#define RELOAD(skb, offset, length, pointer) \
	do { \
		(pointer) = header(skb, offset, length); \
		if (!(pointer)) \
			return true; \
	} while (0)

/* The length of all headers that are rewritten. */
static __always_inline __u32 header_extent(const struct packet_base *b)
{
	if (b->kind == NON_FIRST_FRAGMENT)
		return b->l4;
	return (b->kind == ICMP_ERROR ? b->inner_l4 : b->l4) + sizeof(struct ports);
}

/* Makes the headers linear and sets the MAC addresses. Returns the IP header, or NULL before any change. */
static __always_inline void *begin_rewrite(struct __sk_buff *skb, const struct packet_base *b,
					   const struct nat_rewrite *r, __u32 ip_length)
{
	struct ethhdr *eth;

	if (!header(skb, 0, header_extent(b)))
		return NULL;
	eth = header(skb, 0, L3 + ip_length);
	if (!eth)
		return NULL;
	set_macs(eth, r);
	return eth + 1;
}

static __always_inline void rewrite_outer4(struct iphdr *ip, __be32 *where, __be32 other)
{
	__u16 before, after;

	__builtin_memcpy(&before, &ip->ttl, 2);
	ip->ttl--;
	__builtin_memcpy(&after, &ip->ttl, 2);
	ip->check = csum_update(csum_update(ip->check, before, after), *where, other);
	*where = other;
}

/* False, with the packet unchanged, when its headers cannot be read. */
static __always_inline bool rewrite4(struct __sk_buff *skb, const struct packet4 *p, const struct nat_rewrite *r,
				     __be32 other)
{
	__u32 from = port_pair(p->b.sport, p->b.dport), to = port_pair(r->sport, r->dport);
	__be32 old = r->dir == FP_DIR_ORIGINAL ? p->dst : p->src;
	struct iphdr *ip;
	void *quoted, *ports;

	ip = begin_rewrite(skb, &p->b, r, sizeof(*ip));
	if (!ip)
		return false;
	rewrite_outer4(ip, r->dir == FP_DIR_ORIGINAL ? &ip->daddr : &ip->saddr, other);
	if (p->b.kind == NON_FIRST_FRAGMENT)
		return true;
	if (p->b.kind == ICMP_ERROR) {
		RELOAD(skb, L3 + sizeof(*ip) + sizeof(struct icmp_header), sizeof(*ip) + sizeof(struct ports), quoted);
		rewrite_inner4(quoted, r->dir, other);
		set_ports(quoted + sizeof(*ip), r);
		bpf_l4_csum_replace(skb, p->b.l4 + offsetof(struct icmp_header, check), from, to, 4);
		return true;
	}
	RELOAD(skb, L3 + sizeof(*ip), sizeof(struct ports), ports);
	set_ports(ports, r);
	bpf_l4_csum_replace(skb, csum_offset(&p->b), old, other, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | 4);
	if (from != to)
		bpf_l4_csum_replace(skb, csum_offset(&p->b), from, to, BPF_F_MARK_MANGLED_0 | 4);
	return true;
}

static __always_inline void csum_update_icmp6_error(struct __sk_buff *skb, const struct packet6 *p, __u32 from,
						    __u32 to, __s64 difference)
{
	__u32 offset = p->b.l4 + offsetof(struct icmp_header, check);

	/* The checksum covers the quoted ports, the quoted address, and the address in the pseudo header. */
	bpf_l4_csum_replace(skb, offset, from, to, 4);
	bpf_l4_csum_replace(skb, offset, 0, difference, 0);
	csum_replace_pseudo6(skb, offset, difference);
}

static __always_inline void set_address6(struct in6_addr *where, const __be32 *other)
{
	__builtin_memcpy(where, other, 16);
}

static __always_inline bool rewrite6(struct __sk_buff *skb, const struct packet6 *p, const struct nat_rewrite *r,
				     const __be32 *other)
{
	__u32 from = port_pair(p->b.sport, p->b.dport), to = port_pair(r->sport, r->dport);
	const __be32 *old = r->dir == FP_DIR_ORIGINAL ? p->dst : p->src;
	struct ipv6hdr *ip, *quoted;
	__s64 difference;
	void *ports;

	ip = begin_rewrite(skb, &p->b, r, sizeof(*ip));
	if (!ip)
		return false;
	ip->hop_limit--;
	set_address6(r->dir == FP_DIR_ORIGINAL ? &ip->daddr : &ip->saddr, other);
	if (p->b.kind == NON_FIRST_FRAGMENT)
		return true;
	difference = bpf_csum_diff((__be32 *)old, 16, (__be32 *)other, 16, 0);
	if (p->b.kind == ICMP_ERROR) {
		RELOAD(skb, L3 + sizeof(*ip) + sizeof(struct icmp_header), sizeof(*ip), quoted);
		set_address6(r->dir == FP_DIR_ORIGINAL ? &quoted->saddr : &quoted->daddr, other);
		RELOAD(skb, p->b.inner_l4, sizeof(struct ports), ports);
		set_ports(ports, r);
		csum_update_icmp6_error(skb, p, from, to, difference);
		return true;
	}
	RELOAD(skb, p->b.l4, sizeof(struct ports), ports);
	set_ports(ports, r);
	csum_replace_pseudo6(skb, csum_offset(&p->b), difference);
	if (from != to)
		bpf_l4_csum_replace(skb, csum_offset(&p->b), from, to, BPF_F_MARK_MANGLED_0 | 4);
	return true;
}

#endif
