/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Structs and numbers that the programs, the loader and src/fastpath/maps/layout.ts share. Fixed widths, no padding.
 *
 * Ports and addresses are in network byte order, all else in the host's. An IPv4 address in 16 bytes is v4-mapped.
 */
#ifndef NFTLANE_SHARED_H
#define NFTLANE_SHARED_H

#include <linux/types.h>

/* Goes up with every change of a struct or map; part of the directory that maps are pinned in. */
#define FP_SCHEMA 1

#define FP_MAX_FRONTENDS 16384
#define FP_MAX_BACKENDS 4096
/* Backends of one frontend: with them its value is 128 bytes. */
#define FP_MAX_FRONTEND_BACKENDS 56
#define FP_MAX_FLOWS 262144
#define FP_MAX_FRAGMENTS 8192
#define FP_MAX_SOURCES 4096
#define FP_MAX_UPLINKS 64
/* 65,536 bits for ports of frontends, then as many for ports of backends. */
#define FP_PORT_WORDS 2048
#define FP_BACKEND_PORTS_OFFSET 1024

/* Time is counted in ticks of 2^20 ns, in 32 bits: they go round after 52 days. */
#define FP_TICK_SHIFT 20

struct fp_frontend_key {
	__u8 addr[16];
	__be16 port;
	__u8 proto;
	__u8 zero;
};

/* Not handed out at present: nft has the new flows of this frontend. */
#define FP_FRONTEND_SUSPENDED 1

struct fp_frontend {
	/* Which set of backends; one number for all frontends of a Service port. */
	__u32 svc;
	__u16 count;
	__u16 flags;
	__u16 slots[FP_MAX_FRONTEND_BACKENDS];
	__u8 zero[8];
};

/* Through the qdisc and egress hook of the pod's device, instead of straight to its peer. */
#define FP_BACKEND_NEIGH 1
/* Gets no packets of clients any more: a UDP flow begins anew with the next one. What it answers still goes out. */
#define FP_BACKEND_REPLY_ONLY 2

struct fp_backend {
	__u8 addr[16];
	__be16 port;
	__u8 proto;
	__u8 flags;
	/* The pod's device on this node, which may be a port of a bridge. */
	__u32 ifindex;
	/* 0: the slot is free. A slot that is used again has a higher number. */
	__u32 gen;
	/* The Service port that it belongs to, as in the frontend. */
	__u32 svc;
	/* The device with the pod's gateway address: the pod's own one, or the bridge. */
	__u32 l3if;
	/* MTU of the pod's device; 0 when it is not known, which makes UDP ineligible. */
	__u16 mtu;
	__u8 mac[6];
	__u8 gateway_mac[6];
	__u16 zero;
};

/* From the client to the frontend, and from the backend to the client. */
#define FP_DIR_ORIGINAL 0
#define FP_DIR_REPLY 1

/* `other` is the frontend of a forward key, the backend of a reverse one; `client_port` is the one seen there. */
struct fp_flow4_key {
	__be32 client;
	__be32 other;
	__be16 client_port;
	__be16 other_port;
	__u8 proto;
	__u8 dir;
	__u16 zero;
};

struct fp_flow6_key {
	__be32 client[4];
	__be32 other[4];
	__be16 client_port;
	__be16 other_port;
	__u8 proto;
	__u8 dir;
	__u16 zero;
};

/* Bytes of their own, so that two CPUs can set them at once. */
struct fp_flow_state {
	/* 0 nothing, 1 an answer from the backend, 2 something from the client after that; of UDP, after the last answer. */
	__u8 seen;
	__u8 client_fin;
	__u8 backend_fin;
	__u8 reset;
};

/* What takes the place of `other` and `client_port` of the key. The next hop belongs to reverse entries. */
struct fp_flow4 {
	__be32 other;
	__be32 next_hop;
	__be16 other_port;
	__be16 client_port;
	__u16 slot;
	__u16 mtu;
	__u32 gen;
	__u32 oif;
	__u32 last;
	__u32 probed;
	struct fp_flow_state state;
};

struct fp_flow6 {
	__be32 other[4];
	__be32 next_hop[4];
	__be16 other_port;
	__be16 client_port;
	__u16 slot;
	__u16 mtu;
	__u32 gen;
	__u32 oif;
	__u32 last;
	__u32 probed;
	struct fp_flow_state state;
};

struct fp_fragment4_key {
	__be32 saddr;
	__be32 daddr;
	__be32 id;
	__u8 proto;
	__u8 dir;
	__u16 zero;
};

struct fp_fragment6_key {
	__be32 saddr[4];
	__be32 daddr[4];
	__be32 id;
	__u8 proto;
	__u8 dir;
	__u16 zero;
};

/* `other` and the next hop as in the flow that the first fragment belongs to. */
struct fp_fragment4 {
	__be32 other;
	__be32 next_hop;
	__u32 gen;
	__u32 oif;
	__u32 last;
	__u16 slot;
	__u16 mtu;
};

struct fp_fragment6 {
	__be32 other[4];
	__be32 next_hop[4];
	__u32 gen;
	__u32 oif;
	__u32 last;
	__u16 slot;
	__u16 mtu;
};

struct fp_source4_key {
	__u32 prefix;
	__be32 addr;
};

struct fp_source6_key {
	__u32 prefix;
	__be32 addr[4];
};

/* New flows may be taken. Without it only those that are there are served. */
#define FP_CONFIG_CREATE 1

struct fp_config {
	__u32 flags;
	/* In ticks: TCP without an answer, answered, established, closed; UDP without an answer, answered; fragments. */
	__u32 timeouts[7];
};

enum fp_timeout {
	FP_TCP_SYN,
	FP_TCP_ANSWERED,
	FP_TCP_ESTABLISHED,
	FP_TCP_CLOSED,
	FP_UDP_NEW,
	FP_UDP_ANSWERED,
	FP_FRAGMENTS,
	FP_TIMEOUTS,
};

/* A device that traffic from outside comes in by. */
struct fp_uplink {
	__u32 mtu;
};

/* Counted for each backend slot: many new flows and no answer mean that answers do not come this way. */
struct fp_slot_count {
	__u64 created;
	__u64 answered;
};

/*
 * What became of packets, for people in words. Those before FP_FORWARDED were handed on untouched, those before FP_FIRST_EVENT went
 * by the fast path, and the others happened to packets that are counted besides.
 */
#define FP_REASONS(X) \
	X(OTHER, "not IPv4 or IPv6, TCP, UDP or an ICMP error; a VLAN tag; malformed") \
	X(OPTIONS, "IP options or extension headers") \
	X(PORT, "no frontend, or no backend, has this port") \
	X(OTHERHOST, "not to this host's MAC address, or from another device than the backend's") \
	X(TTL, "TTL or hop limit at its end") \
	X(NO_FLOW, "in the middle of a connection that is not ours, or an answer to such a one") \
	X(NO_FRONTEND, "not to a frontend") \
	X(SUSPENDED, "the frontend is not handed out, or has no backends") \
	X(CREATION_OFF, "no new flows are taken") \
	X(SOURCE, "the source is one that nft handles") \
	X(BACKEND, "the backend's slot is free or not the Service's") \
	X(STALE, "the flow's backend has gone") \
	X(EXPIRED, "the flow's time is over") \
	X(CONNTRACK, "conntrack knows the flow") \
	X(NO_CONNTRACK, "UDP, and the kernel cannot be asked for conntrack entries") \
	X(ROUTE, "no route to the client, or a kind that is not for us") \
	X(ASYMMETRIC, "the route to the client leaves by another uplink") \
	X(MTU, "longer than the uplink allows: the stack tells the sender") \
	X(POD_MTU, "UDP to a pod whose MTU is not known or above the uplink's") \
	X(FRAGMENT, "a fragment that came before its first one, or cannot be remembered") \
	X(FULL, "the flow table is full") \
	X(CLASH, "no free client port towards the backend") \
	X(TRUNCATED, "shorter than its headers say") \
	X(FORWARDED, "a packet of a flow, to its backend") \
	X(CREATED, "the first packet of a flow, to its backend") \
	X(REMAPPED, "the first packet of a flow, to its backend with another client port") \
	X(ANSWERED, "a packet of a flow, to its client") \
	X(ICMP_IN, "an ICMP error to the backend") \
	X(ICMP_OUT, "an ICMP error to the client") \
	X(FRAGMENT_IN, "a later fragment to the backend") \
	X(FRAGMENT_OUT, "a later fragment to the client") \
	X(RECYCLED, "a new connection took the place of one that had ended") \
	X(REROUTED, "the route to a client changed")

enum fp_reason {
#define FP_ENUM(name, words) FP_##name,
	FP_REASONS(FP_ENUM) FP_REASON_COUNT,
#undef FP_ENUM
};

#define FP_FIRST_EVENT FP_RECYCLED

/* Which timeout a flow in this state has. */
static inline __attribute__((always_inline)) enum fp_timeout fp_timeout_of(__u8 proto, const struct fp_flow_state *s)
{
	if (proto != 6 /* TCP */)
		return s->seen ? FP_UDP_ANSWERED : FP_UDP_NEW;
	if (s->reset || (s->client_fin && s->backend_fin))
		return FP_TCP_CLOSED;
	if (s->seen == 0)
		return FP_TCP_SYN;
	return s->seen == 1 ? FP_TCP_ANSWERED : FP_TCP_ESTABLISHED;
}

_Static_assert(sizeof(struct fp_frontend_key) == 20, "fp_frontend_key");
_Static_assert(sizeof(struct fp_frontend) == 128, "fp_frontend");
_Static_assert(sizeof(struct fp_backend) == 52, "fp_backend");
_Static_assert(sizeof(struct fp_flow4_key) == 16 && sizeof(struct fp_flow4) == 36, "fp_flow4");
_Static_assert(sizeof(struct fp_flow6_key) == 40 && sizeof(struct fp_flow6) == 60, "fp_flow6");
_Static_assert(sizeof(struct fp_fragment4_key) == 16 && sizeof(struct fp_fragment4) == 24, "fp_fragment4");
_Static_assert(sizeof(struct fp_fragment6_key) == 40 && sizeof(struct fp_fragment6) == 48, "fp_fragment6");
_Static_assert(sizeof(struct fp_config) == 32, "fp_config");

#endif
