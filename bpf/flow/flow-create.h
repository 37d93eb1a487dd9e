/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* New flows: eligibility, choice of a backend, and both entries. A template of per-family.h. */
#include "flow/conntrack.h"
#include "flow/fib.h"
#include "maps/counters.h"
#include "maps/lookup.h"
#include "packet/packet.h"

/* As in <errno.h>, which cannot be included for this target. */
#define EEXIST 17

#define MAX_CLIENT_PORT_ATTEMPTS 4

static __always_inline void FN(frontend_key)(struct fp_frontend_key *key, const PACKET *p)
{
	__builtin_memset(key, 0, sizeof(*key));
#if FAMILY == 4
	key->addr[10] = key->addr[11] = 0xff;
	__builtin_memcpy(key->addr + 12, &p->dst, 4);
#else
	__builtin_memcpy(key->addr, p->dst, 16);
#endif
	key->port = p->b.dport;
	key->proto = p->b.proto;
}

static __always_inline bool FN(is_excluded_source)(const PACKET *p)
{
#if FAMILY == 4
	struct fp_source4_key key = { .prefix = 32 };

	COPY_ADDRESS(key.addr, p->src);
	return bpf_map_lookup_elem(&fp_sources_v4, &key) != NULL;
#else
	struct fp_source6_key key = { .prefix = 128 };

	COPY_ADDRESS(key.addr, p->src);
	return bpf_map_lookup_elem(&fp_sources_v6, &key) != NULL;
#endif
}

/* Picks a random backend of the frontend. Both map values may change concurrently, so each is checked. */
static __noinline int FN(select_backend)(const PACKET *p, FLOW *flow)
{
	struct fp_frontend_key key;
	struct fp_frontend *fe;
	struct fp_backend *be;
	__u32 count, slot, svc, index;

	FN(frontend_key)(&key, p);
	fe = bpf_map_lookup_elem(&fp_frontends, &key);
	if (!fe)
		return FP_NO_FRONTEND;
	count = fe->count;
	if ((fe->flags & FP_FRONTEND_SUSPENDED) || count == 0 || count > FP_MAX_FRONTEND_BACKENDS)
		return FP_SUSPENDED;
	index = bpf_get_prandom_u32() % count;
	/* The compiler would drop the check below as redundant; the verifier needs it. */
	barrier_var(index);
	if (index >= FP_MAX_FRONTEND_BACKENDS)
		return FP_SUSPENDED;
	svc = fe->svc;
	slot = fe->slots[index];
	be = bpf_map_lookup_elem(&fp_backends, &slot);
	if (!be || be->gen == 0 || be->proto != p->b.proto || be->svc != svc)
		return FP_BACKEND;
#if FAMILY == 4
	__builtin_memcpy(&flow->other, be->addr + 12, 4);
#else
	__builtin_memcpy(flow->other, be->addr, 16);
#endif
	flow->other_port = be->port;
	flow->slot = slot;
	flow->gen = be->gen;
	return CONTINUE;
}

/* Replies must leave by the device on which the client's packet arrived. */
static __noinline int FN(resolve_route)(struct __sk_buff *skb, const PACKET *p, FLOW *flow)
{
	struct fp_backend *be = FN(flow_backend)(flow);
	struct route route;

	if (!be)
		return FP_BACKEND;
	if (!FN(lookup_route)(skb, be->l3if, p->b.proto, flow->other, flow->other_port, p->src, p->b.sport, &route,
			      REF(flow->next_hop)))
		return FP_ROUTE;
	if (route.oif != skb->ifindex)
		return FP_ASYMMETRIC;
#if FAMILY == 4
	/* Without "don't fragment", the stack would fragment long packets, which are then not translated. */
	if (p->b.proto == IPPROTO_UDP && (be->mtu == 0 || be->mtu > route.mtu))
		return FP_POD_MTU;
#endif
	flow->oif = route.oif;
	flow->mtu = route.mtu > 65535 ? 65535 : route.mtu;
	return CONTINUE;
}

/*
 * Inserts the flow under the reverse key, with the frontend and the client's port as its translation. Errors of map
 * helpers are kept in an `int`: before Linux 6.4 the upper half of the register is undefined, and a `long` would not
 * equal -EEXIST.
 */
static __always_inline int FN(insert_opposite)(const KEY *key, const PACKET *p, FLOW *flow)
{
	__be16 port = flow->client_port;
	int error;

	COPY_ADDRESS(flow->other, p->dst);
	flow->other_port = p->b.dport;
	flow->client_port = p->b.sport;
	error = bpf_map_update_elem(&FLOWS, key, flow, BPF_NOEXIST);
	COPY_ADDRESS(flow->other, key->other);
	flow->other_port = key->other_port;
	flow->client_port = port;
	return error;
}

/* Deletes the entry of this key if its flow has expired. */
static __noinline void FN(evict_expired)(const KEY *key, const struct fp_config *cfg, __u32 now)
{
	FLOW *existing = FN(lookup_flow)(key);
	KEY forward;

	if (!existing)
		return;
	FN(opposite_key)(&forward, key, existing);
	if (FN(flow_backend)(existing) && (!FN(is_idle)(existing, key->proto, cfg, now) ||
					   FN(keeps_alive)(FN(lookup_flow)(&forward), existing, key->proto, cfg, now)))
		return;
	bpf_map_delete_elem(&FLOWS, &forward);
	bpf_map_delete_elem(&FLOWS, key);
}

/* Inserts the reverse entry, with a client port that no other flow to this backend uses. */
static __noinline int FN(insert_reverse)(struct __sk_buff *skb, const PACKET *p, const KEY *forward, FLOW *flow,
					 const struct fp_config *cfg)
{
	KEY key;

	flow->client_port = p->b.sport;
	for (int i = 0; i < MAX_CLIENT_PORT_ATTEMPTS; i++) {
		FN(opposite_key)(&key, forward, flow);
		if (!FN(is_tracked)(skb, &key)) {
			int error;

			FN(evict_expired)(&key, cfg, flow->last);
			error = FN(insert_opposite)(&key, p, flow);
			if (!error)
				return i == 0 ? FP_CREATED : FP_REMAPPED;
			if (error != -EEXIST)
				return FP_FULL;
		}
		/* Some servers treat ports below 1024 specially. */
		flow->client_port = bpf_htons(1024 + bpf_get_prandom_u32() % 64512);
	}
	return FP_CLASH;
}

/* Deletes the reverse entry of a flow without a forward one. */
static __noinline void FN(delete_reverse)(const KEY *forward, const FLOW *flow)
{
	KEY opposite;

	FN(opposite_key)(&opposite, forward, flow);
	bpf_map_delete_elem(&FLOWS, &opposite);
}

/*
 * Tries to create the flow of a first packet, and sets `flow` to its forward entry. Returns FP_CREATED or FP_REMAPPED,
 * FP_FORWARDED when another CPU has just created it, or the reason to leave the packet to nft.
 */
static __always_inline int FN(create_flow)(struct __sk_buff *skb, const PACKET *p, const KEY *key, FLOW *flow)
{
	struct fp_config *cfg = get_config();
	int error, result;

	if (!cfg || !(cfg->flags & FP_CONFIG_CREATE))
		return FP_CREATION_OFF;
	result = FN(select_backend)(p, flow);
	if (result != CONTINUE)
		return result;
	if (FN(is_excluded_source)(p))
		return FP_SOURCE;
	if (p->b.proto == IPPROTO_UDP && !HAS_CONNTRACK)
		return FP_NO_CONNTRACK;
	if (FN(is_tracked)(skb, key))
		return FP_CONNTRACK;
	result = FN(resolve_route)(skb, p, flow);
	if (result != CONTINUE)
		return result;
	result = FN(insert_reverse)(skb, p, key, flow, cfg);
	if (result != FP_CREATED && result != FP_REMAPPED)
		return result;
	error = bpf_map_update_elem(&FLOWS, key, flow, BPF_NOEXIST);
	if (error) {
		FN(delete_reverse)(key, flow);
		return error == -EEXIST ? FP_FORWARDED : FP_FULL;
	}
	count_created(flow->slot);
	return result;
}
