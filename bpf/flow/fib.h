/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Routes to clients, by the kernel's FIB as for packets from the pod, and redirects. */
#ifndef NFTLANE_FLOW_FIB_H
#define NFTLANE_FLOW_FIB_H

#include "maps/maps.h"

/* As in <sys/socket.h>, which cannot be included for this target. */
#define AF_INET 2
#define AF_INET6 10

/* In ticks: how long a flow uses a route before it is looked up again. */
#define ROUTE_MAX_AGE 1000

struct route {
	__u32 oif;
	__u32 mtu;
};

/* The smaller known MTU of device and route. Kernels before 5.12 do not return that of the route. */
static __always_inline __u32 effective_mtu(__u32 oif, __u32 route_mtu)
{
	struct fp_uplink *uplink = bpf_map_lookup_elem(&fp_uplinks, &oif);
	__u32 mtu = route_mtu > 1 ? route_mtu : 65535;

	if (uplink && uplink->mtu < mtu)
		return uplink->mtu;
	/* Neither is known: the minimum of IPv6. */
	return uplink || route_mtu > 1 ? mtu : 1280;
}

static __always_inline bool has_route(long result)
{
	return result == BPF_FIB_LKUP_RET_SUCCESS || result == BPF_FIB_LKUP_RET_NO_NEIGH;
}

/* Fails unless the packet would simply be forwarded. The stack then handles it. */
static __always_inline bool lookup_route4(struct __sk_buff *skb, __u32 iif, __u8 proto, __be32 from, __be16 sport,
					  __be32 client, __be16 dport, struct route *route, __be32 *next_hop)
{
	struct bpf_fib_lookup fib = {
		.family = AF_INET,
		.l4_protocol = proto,
		.sport = sport,
		.dport = dport,
		/* Requests the MTU of the route. */
		.tot_len = 1,
		.ifindex = iif,
		.ipv4_src = from,
		.ipv4_dst = client,
	};

	if (!has_route(bpf_fib_lookup(skb, &fib, sizeof(fib), 0)) || fib.family != AF_INET)
		return false;
	*next_hop = fib.ipv4_dst;
	route->oif = fib.ifindex;
	route->mtu = effective_mtu(fib.ifindex, fib.tot_len);
	return true;
}

static __always_inline bool lookup_route6(struct __sk_buff *skb, __u32 iif, __u8 proto, const __be32 *from,
					  __be16 sport, const __be32 *client, __be16 dport, struct route *route,
					  __be32 *next_hop)
{
	struct bpf_fib_lookup fib = {
		.family = AF_INET6,
		.l4_protocol = proto,
		.sport = sport,
		.dport = dport,
		.tot_len = 1,
		.ifindex = iif,
	};

	__builtin_memcpy(fib.ipv6_src, from, 16);
	__builtin_memcpy(fib.ipv6_dst, client, 16);
	if (!has_route(bpf_fib_lookup(skb, &fib, sizeof(fib), 0)))
		return false;
	__builtin_memcpy(next_hop, fib.ipv6_dst, 16);
	route->oif = fib.ifindex;
	route->mtu = effective_mtu(fib.ifindex, fib.tot_len);
	return true;
}

/* Redirects to a neighbor on a device. The kernel resolves its MAC address. */
static __always_inline int redirect_neigh4(__u32 oif, const __be32 *next_hop)
{
	struct bpf_redir_neigh hop = { .nh_family = AF_INET, .ipv4_nh = *next_hop };

	return bpf_redirect_neigh(oif, &hop, sizeof(hop), 0);
}

static __always_inline int redirect_neigh6(__u32 oif, const __be32 *next_hop)
{
	struct bpf_redir_neigh hop = { .nh_family = AF_INET6 };

	__builtin_memcpy(hop.ipv6_nh, next_hop, 16);
	return bpf_redirect_neigh(oif, &hop, sizeof(hop), 0);
}

#endif
