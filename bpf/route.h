/* SPDX-License-Identifier: Dual BSD/GPL */
/* The way back to a client, as the kernel's own routing has it for a packet that comes from the pod; and taking a way. */
#ifndef NFTLANE_ROUTE_H
#define NFTLANE_ROUTE_H

#include "count.h"

struct way {
	__u32 oif;
	__u32 mtu;
};

/* The smaller of the device's MTU and the route's, as far as they are known. Kernels before 5.12 do not tell the latter. */
INLINE __u32 mtu_of(__u32 oif, __u32 of_route)
{
	struct fp_uplink *uplink = bpf_map_lookup_elem(&fp_uplinks, &oif);
	__u32 mtu = of_route > 1 ? of_route : 65535;

	if (uplink && uplink->mtu < mtu)
		return uplink->mtu;
	/* Nothing is known: what every device can carry. */
	return uplink || of_route > 1 ? mtu : 1280;
}

INLINE bool is_found(long result)
{
	return result == BPF_FIB_LKUP_RET_SUCCESS || result == BPF_FIB_LKUP_RET_NO_NEIGH;
}

/* Each fails where the packet would not simply be forwarded; the family then sees to it. */
INLINE bool route_to4(struct __sk_buff *skb, __u32 iif, __u8 proto, __be32 from, __be16 sport, __be32 client,
		      __be16 dport, struct way *way, __be32 *next_hop)
{
	struct bpf_fib_lookup fib = {
		.family = FAMILY_INET, .l4_protocol = proto, .sport = sport, .dport = dport,
		/* Asks for the MTU of the route. */
		.tot_len = 1,
		.ifindex = iif, .ipv4_src = from, .ipv4_dst = client,
	};

	if (!is_found(bpf_fib_lookup(skb, &fib, sizeof(fib), 0)) || fib.family != FAMILY_INET)
		return false;
	*next_hop = fib.ipv4_dst;
	way->oif = fib.ifindex;
	way->mtu = mtu_of(fib.ifindex, fib.tot_len);
	return true;
}

INLINE bool route_to6(struct __sk_buff *skb, __u32 iif, __u8 proto, const __be32 *from, __be16 sport,
		      const __be32 *client, __be16 dport, struct way *way, __be32 *next_hop)
{
	struct bpf_fib_lookup fib = {
		.family = FAMILY_INET6, .l4_protocol = proto, .sport = sport, .dport = dport, .tot_len = 1,
		.ifindex = iif,
	};

	__builtin_memcpy(fib.ipv6_src, from, 16);
	__builtin_memcpy(fib.ipv6_dst, client, 16);
	if (!is_found(bpf_fib_lookup(skb, &fib, sizeof(fib), 0)))
		return false;
	__builtin_memcpy(next_hop, fib.ipv6_dst, 16);
	way->oif = fib.ifindex;
	way->mtu = mtu_of(fib.ifindex, fib.tot_len);
	return true;
}

/* Out by a device, to a neighbour there, whose MAC address the kernel knows or finds. */
INLINE int send_to4(__u32 oif, const __be32 *next_hop)
{
	struct bpf_redir_neigh hop = { .nh_family = FAMILY_INET, .ipv4_nh = *next_hop };

	return bpf_redirect_neigh(oif, &hop, sizeof(hop), 0);
}

INLINE int send_to6(__u32 oif, const __be32 *next_hop)
{
	struct bpf_redir_neigh hop = { .nh_family = FAMILY_INET6 };

	__builtin_memcpy(hop.ipv6_nh, next_hop, 16);
	return bpf_redirect_neigh(oif, &hop, sizeof(hop), 0);
}

#endif
