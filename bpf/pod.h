/* SPDX-License-Identifier: Dual BSD/GPL */
/* The way of an answer from a backend to its client. Part of family.h. */

INLINE void FN(reverse_key)(KEY *key, const PACKET *p)
{
	bool is_error = p->b.kind == ICMP_ERROR;

	COPY(key->client, p->dst);
	if (is_error)
		COPY(key->other, p->inner_dst);
	else
		COPY(key->other, p->src);
	/* An error quotes what came from the client. */
	key->client_port = is_error ? p->b.sport : p->b.dport;
	key->other_port = is_error ? p->b.dport : p->b.sport;
	key->proto = p->b.proto;
	key->dir = FP_REVERSE;
	key->zero = 0;
}

/* Asks for the route again when it was long ago. An entry that has no route is asked about with every packet. */
APART bool FN(renew)(struct __sk_buff *skb, const KEY *key, FLOW *hit, const struct fp_backend *be, __u32 now)
{
	ADDRESS(next_hop);
	struct way way;

	if ((__s32)(now - hit->probed) < ROUTE_AGE)
		return true;
	if (!FN(route_to)(skb, be->l3if, key->proto, key->other, key->other_port, key->client, key->client_port,
			  &way, REF(next_hop)))
		return false;
	if (way.oif != hit->oif || !SAME(next_hop, hit->next_hop))
		note(FP_REROUTED);
	COPY(hit->next_hop, next_hop);
	hit->oif = way.oif;
	hit->mtu = way.mtu > 65535 ? 65535 : way.mtu;
	hit->probed = now;
	return true;
}

/* Whether nothing came from the client since the last answer, or this one begins another connection. */
INLINE bool FN(is_unexpected)(const FLOW *hit, const PACKET *p)
{
	if (p->b.proto != IPPROTO_TCP)
		return hit->state.seen == 1;
	return (p->b.tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) && (hit->state.seen || hit->state.reset);
}

/*
 * Whether an answer belongs to a flow that conntrack has, from the same port of the client to the same backend: one that
 * began after ours by way of another frontend, or past all of them. Conntrack is asked where that may be. A connection
 * that the backend has accepted anew is the end of ours; datagrams may be of either.
 */
APART bool FN(is_of_another)(struct __sk_buff *skb, const PACKET *p, const KEY *key, const FLOW *hit)
{
	KEY forward;

	if (!FN(is_unexpected)(hit, p) || !FN(is_tracked)(skb, key))
		return false;
	if (p->b.proto == IPPROTO_TCP) {
		FN(turn)(&forward, key, hit);
		bpf_map_delete_elem(&FLOWS, &forward);
		bpf_map_delete_elem(&FLOWS, key);
	}
	return true;
}

/* The reverse entry of the packet's flow. Returns why the packet is counted as it is. */
APART int FN(answer)(struct __sk_buff *skb, const PACKET *p, FLOW *flow, const struct fp_config *cfg)
{
	struct fp_backend *be;
	FLOW *hit;
	__u32 now;
	KEY key;

	if (p->b.kind != ICMP_ERROR && (p->b.tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return FP_NO_FLOW;
	if (p->b.kind == ICMP_ERROR && !SAME(p->src, p->inner_dst))
		return FP_NO_FLOW;
	FN(reverse_key)(&key, p);
	hit = FN(find)(&key);
	if (!hit)
		return FP_NO_FLOW;
	be = FN(backend_of)(hit);
	if (!be)
		return FP_STALE;
	if (!is_from(skb, be))
		return FP_FOREIGN;
	now = ticks();
	if (FN(is_over)(&key, hit, cfg, now))
		return FP_EXPIRED;
	if (p->b.kind != ICMP_ERROR && FN(is_of_another)(skb, p, &key, hit))
		return FP_CONNTRACK;
	if (!FN(renew)(skb, &key, hit, be, now))
		return FP_ROUTE;
	if (p->b.kind != ICMP_ERROR) {
		if (wire_length(skb, &p->b) > hit->mtu)
			return FP_MTU;
		FN(track)(&key, hit, p->b.tcp_flags, now);
	}
	*flow = *hit;
	return p->b.kind == ICMP_ERROR ? FP_ICMP_OUT : FP_ANSWERED;
}

INLINE int FN(answer_fragment)(struct __sk_buff *skb, const PACKET *p, FLOW *flow, const struct fp_config *cfg)
{
	struct fp_backend *be;

	if (!FN(recall)(p, FP_REVERSE, flow, cfg))
		return FP_FRAGMENT;
	be = FN(backend_of)(flow);
	if (!be)
		return FP_STALE;
	if (!is_from(skb, be))
		return FP_FOREIGN;
	return p->b.end - L3 > flow->mtu ? FP_MTU : FP_FRAGMENT_OUT;
}

APART int FN(to_client)(struct __sk_buff *skb, const PACKET *p, const FLOW *flow)
{
	bool is_error = p->b.kind == ICMP_ERROR;
	struct change change = {
		.sport = is_error ? flow->client_port : flow->other_port,
		.dport = is_error ? flow->other_port : flow->client_port,
		.dir = FP_REVERSE,
	};

	if (!FN(rewrite)(skb, p, &change, flow->other))
		return TC_ACT_UNSPEC;
	return FN(send_to)(flow->oif, REF(flow->next_hop));
}

APART int FN(pod)(struct __sk_buff *skb)
{
	struct fp_config *cfg;
	PACKET p = {};
	FLOW flow;
	int reason;

	reason = FN(parse)(skb, &p);
	if (reason != GO_ON)
		return pass(reason);
	if (p.b.kind != LATER_FRAGMENT &&
	    !has_port(FP_BACKEND_PORTS, p.b.kind == ICMP_ERROR ? p.b.dport : p.b.sport))
		return pass(FP_PORT);
	cfg = config();
	if (!cfg)
		return pass(FP_CREATION_OFF);
	if (p.b.kind == LATER_FRAGMENT)
		reason = FN(answer_fragment)(skb, &p, &flow, cfg);
	else
		reason = FN(answer)(skb, &p, &flow, cfg);
	if (reason < FP_TAKEN)
		return pass(reason);
	if (p.b.kind == FIRST_FRAGMENT && !FN(remember)(&p, FP_REVERSE, &flow))
		return pass(FP_FRAGMENT);
	note(reason);
	return FN(to_client)(skb, &p, &flow);
}
