/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Structs and constants shared by the programs, the loader and src/fastpath/maps/layout.ts. Fixed widths, no padding.
 *
 * Ports and addresses are in network byte order, other fields in host byte order. 16 bytes of IPv4 are v4-mapped.
 */
#ifndef NFTLANE_SHARED_H
#define NFTLANE_SHARED_H

#include <linux/types.h>

/* Incremented with every change of a struct or map. Part of the name of the pin directory. */
#define FP_SCHEMA 1

#define FP_MAX_FRONTENDS 16384
#define FP_MAX_BACKENDS 4096
/* Backends of one frontend: as many as fit into a value of 128 bytes. */
#define FP_MAX_FRONTEND_BACKENDS 56
#define FP_MAX_FLOWS 262144
#define FP_MAX_FRAGMENTS 8192
#define FP_MAX_SOURCES 4096
#define FP_MAX_UPLINKS 64
/* In words of 64 bits: 65,536 bits for ports of frontends, then as many for ports of backends. */
#define FP_PORT_WORDS 2048
#define FP_BACKEND_PORTS_OFFSET 1024

/* Times are 32-bit ticks of 2^20 ns, which wrap around after 52 days. */
#define FP_TICK_SHIFT 20

struct fp_frontend_key {
	__u8 addr[16];
	__be16 port;
	__u8 proto;
	__u8 zero;
};

/* The frontend takes no new flows: nft handles them. */
#define FP_FRONTEND_SUSPENDED 1

struct fp_frontend {
	/* The number of the Service port, which all its frontends share. */
	__u32 svc;
	__u16 count;
	__u16 flags;
	__u16 slots[FP_MAX_FRONTEND_BACKENDS];
	__u8 zero[8];
};

/* Sends through the qdisc and egress hook of the pod's device, instead of directly to its peer. */
#define FP_BACKEND_NEIGH 1
/* Takes no further UDP packets from clients: the next one begins another flow. Replies are still translated. */
#define FP_BACKEND_REPLY_ONLY 2

struct fp_backend {
	__u8 addr[16];
	__be16 port;
	__u8 proto;
	__u8 flags;
	/* The pod's device on this node, which may be a port of a bridge. */
	__u32 ifindex;
	/* Generation of the slot: 0 when it is free, and higher with each reuse. */
	__u32 gen;
	/* The number of the Service port, as in the frontend. */
	__u32 svc;
	/* The device that has the pod's gateway address: the pod's own, or the bridge. */
	__u32 l3if;
	/* MTU of the pod's device; 0 when unknown, which makes IPv4 UDP ineligible. */
	__u16 mtu;
	__u8 mac[6];
	__u8 gateway_mac[6];
	__u16 zero;
};

/* Directions: from the client to the frontend, and from the backend to the client. */
#define FP_DIR_ORIGINAL 0
#define FP_DIR_REPLY 1

/* `other` is the frontend in a forward key, the backend in a reverse one. `client_port` is the one used with it. */
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

/* Separate bytes, so that two CPUs can set them at the same time. */
struct fp_flow_state {
	/* 0 no reply yet, 1 a reply, 2 a packet from the client after it (UDP: after the latest reply). */
	__u8 seen;
	__u8 client_fin;
	__u8 backend_fin;
	__u8 reset;
};

/* The translation: replaces `other` and `client_port` of the key. Reverse entries use the next hop. */
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

/* Fields of the flow that the first fragment belongs to. */
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

/* New flows may be created. Without it, only existing ones are served. */
#define FP_CONFIG_CREATE 1

struct fp_config {
	__u32 flags;
	/* In ticks, by enum fp_timeout. */
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

/* A device on which traffic from outside the node arrives. */
struct fp_uplink {
	__u32 mtu;
};

/* Flows by backend slot. Many created and none answered: replies do not pass through the programs. */
struct fp_slot_count {
	__u64 created;
	__u64 answered;
};

/*
 * The reasons for which packets are counted, with descriptions. Before FP_FORWARDED: the packet went to the stack
 * unchanged. Before FP_FIRST_EVENT: it was redirected. The rest: events of packets that have another reason, too.
 */
#define FP_REASONS(X) \
	X(OTHER, "not TCP, UDP or an ICMP error over IPv4 or IPv6, VLAN-tagged, or malformed") \
	X(OPTIONS, "IP options or extension headers") \
	X(PORT, "no frontend, or no backend, has this port") \
	X(OTHERHOST, "not to this host's MAC address, or not from the backend's device") \
	X(TTL, "TTL or hop limit exceeded") \
	X(NO_FLOW, "not of a flow, and not the first packet of one") \
	X(NO_FRONTEND, "not to a frontend") \
	X(SUSPENDED, "the frontend is suspended or has no backends") \
	X(CREATION_OFF, "creation of flows is turned off") \
	X(SOURCE, "nft handles this source") \
	X(BACKEND, "the backend slot is free or belongs to another Service port") \
	X(STALE, "the backend of the flow was removed") \
	X(EXPIRED, "the flow has expired") \
	X(CONNTRACK, "conntrack has an entry for the flow") \
	X(NO_CONNTRACK, "UDP, on a kernel without the conntrack lookup") \
	X(ROUTE, "no route to the client, or not a forwarding one") \
	X(ASYMMETRIC, "the route to the client uses another uplink") \
	X(MTU, "longer than the MTU of the route to the client") \
	X(POD_MTU, "UDP to a pod whose MTU is unknown or above the uplink's") \
	X(FRAGMENT, "a fragment that arrived before the first one, or cannot be stored") \
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
	X(RECYCLED, "a new connection replaced a closed one") \
	X(REROUTED, "the route to a client changed")

enum fp_reason {
#define FP_ENUM(name, words) FP_##name,
	FP_REASONS(FP_ENUM) FP_REASON_COUNT,
#undef FP_ENUM
};

#define FP_FIRST_EVENT FP_RECYCLED

/* The timeout of a flow in this state. */
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
