/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the uplink: the path of a packet from the client to its backend. A template of per-family.h. */
#include "flow/clock.h"
#include "flow/fib.h"
#include "maps/counters.h"
#include "maps/lookup.h"
#include "packet/nat.h"
#include "packet/parse.h"

static __always_inline void FN(forward_key)(KEY *key, const PACKET *p)
{
	bool is_error = p->b.kind == ICMP_ERROR;

	if (is_error)
		COPY_ADDRESS(key->client, p->inner_dst);
	else
		COPY_ADDRESS(key->client, p->src);
	COPY_ADDRESS(key->other, p->dst);
	/* An error quotes a packet from the frontend to the client. */
	key->client_port = is_error ? p->b.dport : p->b.sport;
	key->other_port = is_error ? p->b.sport : p->b.dport;
	key->proto = p->b.proto;
	key->dir = FP_DIR_ORIGINAL;
	key->zero = 0;
}

static __always_inline bool FN(may_create_flow)(const PACKET *p)
{
	if (p->b.kind == ICMP_ERROR)
		return false;
	return p->b.proto == IPPROTO_UDP || (p->b.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* Whether the flow's backend still takes such packets. */
static __always_inline bool FN(has_serving_backend)(const FLOW *entry, const PACKET *p)
{
	struct fp_backend *be = FN(flow_backend)(entry);

	return be && !((be->flags & FP_BACKEND_REPLY_ONLY) && p->b.proto == IPPROTO_UDP && p->b.kind != ICMP_ERROR);
}

/* Whether the entry is still valid for this packet. A SYN after the end of a connection begins another one. */
static __always_inline int FN(check_flow)(const KEY *key, const FLOW *entry, const PACKET *p,
					  const struct fp_config *cfg, __u32 now)
{
	if (!FN(has_serving_backend)(entry, p))
		return FP_STALE;
	if (FN(is_expired)(key, entry, cfg, now))
		return FP_EXPIRED;
	if (p->b.proto == IPPROTO_TCP && FN(may_create_flow)(p) &&
	    fp_timeout_of(p->b.proto, &entry->state) == FP_TCP_CLOSED)
		return FP_RECYCLED;
	return CONTINUE;
}

/* Finds or creates the forward entry of the packet's flow. Returns the reason to count. */
static __noinline int FN(lookup_or_create)(struct __sk_buff *skb, const PACKET *p, FLOW *flow,
					   const struct fp_config *cfg)
{
	int reason = FP_NO_FLOW;
	FLOW *entry;
	__u32 now;
	KEY key;

	FN(forward_key)(&key, p);
	entry = FN(lookup_flow)(&key);
	/* The usual case of connections that are not ours, before the clock is read. */
	if (!entry && !FN(may_create_flow)(p))
		return FP_NO_FLOW;
	now = now_ticks();
	if (entry) {
		reason = FN(check_flow)(&key, entry, p, cfg, now);
		*flow = *entry;
		if (reason == CONTINUE) {
			if (p->b.kind == ICMP_ERROR)
				return FP_ICMP_IN;
			FN(update_flow)(&key, entry, p->b.tcp_flags, now);
			return FP_FORWARDED;
		}
		if (!FN(may_create_flow)(p))
			return reason;
		FN(delete_flow)(&key, flow);
	}
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->last = now;
	flow->probed = now;
	if (reason == FP_RECYCLED)
		count_reason(FP_RECYCLED);
	reason = FN(create_flow)(skb, p, &key, flow);
	if (reason != FP_FORWARDED)
		return reason;
	entry = FN(lookup_flow)(&key);
	if (!entry)
		return FP_FULL;
	*flow = *entry;
	return FP_FORWARDED;
}

static __noinline int FN(send_to_backend)(struct __sk_buff *skb, const PACKET *p, const FLOW *flow,
					  const struct fp_backend *be)
{
	bool is_error = p->b.kind == ICMP_ERROR;
	__u32 ifindex = be->ifindex, l3if = be->l3if;
	__u8 flags = be->flags;
	struct nat_rewrite rewrite = {
		.mac = be->mac,
		.gateway_mac = be->gateway_mac,
		.sport = is_error ? flow->other_port : flow->client_port,
		.dport = is_error ? flow->client_port : flow->other_port,
		.dir = FP_DIR_ORIGINAL,
	};

	if (!FN(rewrite)(skb, p, &rewrite, flow->other))
		return TC_ACT_UNSPEC;
	if (!(flags & FP_BACKEND_NEIGH))
		return bpf_redirect_peer(ifindex, 0);
	return FN(redirect_neigh)(l3if, REF(flow->other));
}

static __noinline int FN(uplink)(struct __sk_buff *skb)
{
	struct fp_config *cfg;
	struct fp_backend *be;
	PACKET p = {};
	FLOW flow;
	int reason;

	reason = FN(parse)(skb, &p);
	if (reason != CONTINUE)
		return pass(reason);
	if (p.b.kind != NON_FIRST_FRAGMENT && !has_port(0, p.b.kind == ICMP_ERROR ? p.b.sport : p.b.dport))
		return pass(FP_PORT);
	cfg = get_config();
	if (!cfg)
		return pass(FP_CREATION_OFF);
	if (p.b.kind == NON_FIRST_FRAGMENT)
		reason = FN(lookup_fragment)(&p, FP_DIR_ORIGINAL, &flow, cfg) ? FP_FRAGMENT_IN : FP_FRAGMENT;
	else
		reason = FN(lookup_or_create)(skb, &p, &flow, cfg);
	if (reason < FP_FORWARDED)
		return pass(reason);
	be = FN(flow_backend)(&flow);
	if (!be)
		return pass(FP_STALE);
	if (p.b.kind == FIRST_FRAGMENT && !FN(store_fragment)(&p, FP_DIR_ORIGINAL, &flow))
		return pass(FP_FRAGMENT);
	count_reason(reason);
	return FN(send_to_backend)(skb, &p, &flow, be);
}
