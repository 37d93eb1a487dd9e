/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a pod: the path of a reply from the backend to its client. A template of per-family.h. */
#include "flow/clock.h"
#include "flow/conntrack.h"
#include "flow/fib.h"
#include "maps/counters.h"
#include "maps/lookup.h"
#include "packet/frame.h"
#include "packet/nat.h"
#include "packet/parse.h"

static __always_inline void FN(reverse_key)(KEY *key, const PACKET *p)
{
	bool is_error = p->b.kind == ICMP_ERROR;

	COPY_ADDRESS(key->client, p->dst);
	if (is_error)
		COPY_ADDRESS(key->other, p->inner_dst);
	else
		COPY_ADDRESS(key->other, p->src);
	/* An error quotes a packet from the client. */
	key->client_port = is_error ? p->b.sport : p->b.dport;
	key->other_port = is_error ? p->b.dport : p->b.sport;
	key->proto = p->b.proto;
	key->dir = FP_DIR_REPLY;
	key->zero = 0;
}

/* Looks the route up again when it is old. Without a route, every packet tries again. */
static __noinline bool FN(refresh_route)(struct __sk_buff *skb, const KEY *key, FLOW *entry,
					 const struct fp_backend *be, __u32 now)
{
	ADDRESS(next_hop);
	struct route route;

	if ((__s32)(now - entry->probed) < ROUTE_MAX_AGE)
		return true;
	if (!FN(lookup_route)(skb, be->l3if, key->proto, key->other, key->other_port, key->client, key->client_port,
			      &route, REF(next_hop)))
		return false;
	if (route.oif != entry->oif || !ADDRESS_EQUAL(next_hop, entry->next_hop))
		count_reason(FP_REROUTED);
	COPY_ADDRESS(entry->next_hop, next_hop);
	entry->oif = route.oif;
	entry->mtu = route.mtu > 65535 ? 65535 : route.mtu;
	entry->probed = now;
	return true;
}

/* Whether the client sent nothing since the last reply, or this one accepts another connection. */
static __always_inline bool FN(is_unsolicited)(const FLOW *entry, const PACKET *p)
{
	if (p->b.proto != IPPROTO_TCP)
		return entry->state.seen == 1;
	return (p->b.tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
	       (entry->state.seen || entry->state.reset);
}

/*
 * Whether a reply belongs to a conntrack entry with the same client port and backend: a flow that began after ours, by
 * another frontend or directly to the pod. Looked up only for unsolicited replies. A new connection that the backend
 * accepts ends ours; datagrams may belong to either flow.
 */
static __noinline bool FN(belongs_to_conntrack)(struct __sk_buff *skb, const PACKET *p, const KEY *key,
						const FLOW *entry)
{
	KEY forward;

	if (!FN(is_unsolicited)(entry, p) || !FN(is_tracked)(skb, key))
		return false;
	if (p->b.proto == IPPROTO_TCP) {
		FN(opposite_key)(&forward, key, entry);
		bpf_map_delete_elem(&FLOWS, &forward);
		bpf_map_delete_elem(&FLOWS, key);
	}
	return true;
}

/* Finds the reverse entry of the packet's flow. Returns the reason to count. */
static __noinline int FN(lookup_reverse)(struct __sk_buff *skb, const PACKET *p, FLOW *flow,
					 const struct fp_config *cfg)
{
	struct fp_backend *be;
	FLOW *entry;
	__u32 now;
	KEY key;

	if (p->b.kind != ICMP_ERROR && (p->b.tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return FP_NO_FLOW;
	if (p->b.kind == ICMP_ERROR && !ADDRESS_EQUAL(p->src, p->inner_dst))
		return FP_NO_FLOW;
	FN(reverse_key)(&key, p);
	entry = FN(lookup_flow)(&key);
	if (!entry)
		return FP_NO_FLOW;
	be = FN(flow_backend)(entry);
	if (!be)
		return FP_STALE;
	if (!is_from_backend(skb, be))
		return FP_OTHERHOST;
	now = now_ticks();
	if (FN(is_expired)(&key, entry, cfg, now))
		return FP_EXPIRED;
	if (p->b.kind != ICMP_ERROR && FN(belongs_to_conntrack)(skb, p, &key, entry))
		return FP_CONNTRACK;
	if (!FN(refresh_route)(skb, &key, entry, be, now))
		return FP_ROUTE;
	if (p->b.kind != ICMP_ERROR) {
		if (wire_length(skb, &p->b) > entry->mtu)
			return FP_MTU;
		FN(update_flow)(&key, entry, p->b.tcp_flags, now);
	}
	*flow = *entry;
	return p->b.kind == ICMP_ERROR ? FP_ICMP_OUT : FP_ANSWERED;
}

static __always_inline int FN(lookup_reverse_fragment)(struct __sk_buff *skb, const PACKET *p, FLOW *flow,
						       const struct fp_config *cfg)
{
	struct fp_backend *be;

	if (!FN(lookup_fragment)(p, FP_DIR_REPLY, flow, cfg))
		return FP_FRAGMENT;
	be = FN(flow_backend)(flow);
	if (!be)
		return FP_STALE;
	if (!is_from_backend(skb, be))
		return FP_OTHERHOST;
	return p->b.end - L3 > flow->mtu ? FP_MTU : FP_FRAGMENT_OUT;
}

static __noinline int FN(send_to_client)(struct __sk_buff *skb, const PACKET *p, const FLOW *flow)
{
	bool is_error = p->b.kind == ICMP_ERROR;
	struct nat_rewrite rewrite = {
		.sport = is_error ? flow->client_port : flow->other_port,
		.dport = is_error ? flow->other_port : flow->client_port,
		.dir = FP_DIR_REPLY,
	};

	if (!FN(rewrite)(skb, p, &rewrite, flow->other))
		return TC_ACT_UNSPEC;
	return FN(redirect_neigh)(flow->oif, REF(flow->next_hop));
}

static __noinline int FN(pod)(struct __sk_buff *skb)
{
	struct fp_config *cfg;
	PACKET p = {};
	FLOW flow;
	int reason;

	reason = FN(parse)(skb, &p);
	if (reason != CONTINUE)
		return pass(reason);
	if (p.b.kind != NON_FIRST_FRAGMENT &&
	    !has_port(FP_BACKEND_PORTS_OFFSET, p.b.kind == ICMP_ERROR ? p.b.dport : p.b.sport))
		return pass(FP_PORT);
	cfg = get_config();
	if (!cfg)
		return pass(FP_CREATION_OFF);
	if (p.b.kind == NON_FIRST_FRAGMENT)
		reason = FN(lookup_reverse_fragment)(skb, &p, &flow, cfg);
	else
		reason = FN(lookup_reverse)(skb, &p, &flow, cfg);
	if (reason < FP_FORWARDED)
		return pass(reason);
	if (p.b.kind == FIRST_FRAGMENT && !FN(store_fragment)(&p, FP_DIR_REPLY, &flow))
		return pass(FP_FRAGMENT);
	count_reason(reason);
	return FN(send_to_client)(skb, &p, &flow);
}
