/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A parsed packet, and access to the bytes of the frame. */
#ifndef NFTLANE_PACKET_PACKET_H
#define NFTLANE_PACKET_PACKET_H

#include "base.h"

#define L3 ETH_HLEN

enum packet_kind {
	UNFRAGMENTED,
	FIRST_FRAGMENT,
	NON_FIRST_FRAGMENT,
	/* Ports, protocol and `inner` fields are those of the packet that the error quotes. */
	ICMP_ERROR,
};

/* The part of both families. Offsets are from the Ethernet header. */
struct packet_base {
	__be16 sport;
	__be16 dport;
	__be32 fragment_id;
	/* The end of the packet. Padding may follow. */
	__u32 end;
	__u16 l4;
	/* ICMP errors: offsets of the quoted packet and of its ports. */
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

/* Loads a context field. Plain C lets the compiler modify the context pointer, which the verifier rejects. */
#define SKB_FIELD(skb, field) \
	({ \
		void *value; \
		asm volatile("%0 = *(u32 *)(%1 + %2)" \
			     : "=r"(value) \
			     : "r"(skb), "i"(offsetof(struct __sk_buff, field))); \
		value; \
	})

/*
 * A pointer to `length` bytes at `offset`, or NULL when the packet is shorter. Invalidates earlier pointers into the
 * packet, because it may have to pull bytes into the linear part.
 */
static __always_inline void *header(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	void *start;

	/* All headers are within the first 256 bytes; the mask proves that to the verifier. */
	if (!__builtin_constant_p(offset)) {
		barrier_var(offset);
		offset &= 0xff;
	}
	start = SKB_FIELD(skb, data) + offset;
	/* Keeps the compiler from computing it twice: the verifier would check one pointer and use the other. */
	barrier_var(start);
	if (start + length <= SKB_FIELD(skb, data_end))
		return start;
	if (offset + length > skb->len || bpf_skb_pull_data(skb, offset + length))
		return NULL;
	start = SKB_FIELD(skb, data) + offset;
	barrier_var(start);
	return start + length <= SKB_FIELD(skb, data_end) ? start : NULL;
}

static __always_inline bool is_tcp_or_udp(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

#endif
