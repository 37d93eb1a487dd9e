/* SPDX-License-Identifier: Dual BSD/GPL */
/* The way of a packet from the client to its backend. Part of family.h. */

INLINE void FN(forward_key)(KEY *key, const PACKET *p)
{
	bool is_error = p->b.kind == ICMP_ERROR;

	if (is_error)
		COPY(key->client, p->inner_dst);
	else
		COPY(key->client, p->src);
	COPY(key->other, p->dst);
	/* An error quotes what went from the frontend to the client. */
	key->client_port = is_error ? p->b.dport : p->b.sport;
	key->other_port = is_error ? p->b.sport : p->b.dport;
	key->proto = p->b.proto;
	key->dir = FP_FORWARD;
	key->zero = 0;
}

INLINE bool FN(may_begin)(const PACKET *p)
{
	if (p->b.kind == ICMP_ERROR)
		return false;
	return p->b.proto == IPPROTO_UDP ||
	       (p->b.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* Whether a packet of this flow still goes to its backend. */
INLINE bool FN(is_served)(const FLOW *hit, const PACKET *p)
{
	struct fp_backend *be = FN(backend_of)(hit);

	return be && !((be->flags & FP_BACKEND_LEAVING) && p->b.proto == IPPROTO_UDP && p->b.kind != ICMP_ERROR);
}

/* Whether an entry still stands for its flow. A SYN after the end of a connection begins another. */
INLINE int FN(judge)(const KEY *key, const FLOW *hit, const PACKET *p, const struct fp_config *cfg, __u32 now)
{
	if (!FN(is_served)(hit, p))
		return FP_STALE;
	if (FN(is_over)(key, hit, cfg, now))
		return FP_EXPIRED;
	if (p->b.proto == IPPROTO_TCP && FN(may_begin)(p) && fp_timeout_of(p->b.proto, &hit->state) == FP_TCP_CLOSED)
		return FP_RECYCLED;
	return GO_ON;
}

/* The forward entry of the packet's flow, found or made. Returns why the packet is counted as it is. */
APART int FN(own)(struct __sk_buff *skb, const PACKET *p, FLOW *flow, const struct fp_config *cfg)
{
	int reason = FP_NO_FLOW;
	FLOW *hit;
	__u32 now;
	KEY key;

	FN(forward_key)(&key, p);
	hit = FN(find)(&key);
	/* Connections that are not ours end here, before the clock is asked. */
	if (!hit && !FN(may_begin)(p))
		return FP_NO_FLOW;
	now = ticks();
	if (hit) {
		reason = FN(judge)(&key, hit, p, cfg, now);
		*flow = *hit;
		if (reason == GO_ON) {
			if (p->b.kind == ICMP_ERROR)
				return FP_ICMP_IN;
			FN(track)(&key, hit, p->b.tcp_flags, now);
			return FP_TAKEN;
		}
		if (!FN(may_begin)(p))
			return reason;
		FN(forget)(&key, flow);
	}
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->last = now;
	flow->probed = now;
	if (reason == FP_RECYCLED)
		note(FP_RECYCLED);
	reason = FN(create)(skb, p, &key, flow);
	if (reason != FP_TAKEN)
		return reason;
	hit = FN(find)(&key);
	if (!hit)
		return FP_FULL;
	*flow = *hit;
	return FP_TAKEN;
}

APART int FN(to_backend)(struct __sk_buff *skb, const PACKET *p, const FLOW *flow, const struct fp_backend *be)
{
	bool is_error = p->b.kind == ICMP_ERROR;
	__u32 ifindex = be->ifindex, l3if = be->l3if;
	__u8 flags = be->flags;
	struct change change = {
		.mac = be->mac, .gateway_mac = be->gateway_mac,
		.sport = is_error ? flow->other_port : flow->client_port,
		.dport = is_error ? flow->client_port : flow->other_port,
		.dir = FP_FORWARD,
	};

	if (!FN(rewrite)(skb, p, &change, flow->other))
		return TC_ACT_UNSPEC;
	if (!(flags & FP_BACKEND_NEIGH))
		return bpf_redirect_peer(ifindex, 0);
	return FN(send_to)(l3if, REF(flow->other));
}

APART int FN(uplink)(struct __sk_buff *skb)
{
	struct fp_config *cfg;
	struct fp_backend *be;
	PACKET p = {};
	FLOW flow;
	int reason;

	reason = FN(parse)(skb, &p);
	if (reason != GO_ON)
		return pass(reason);
	if (p.b.kind != LATER_FRAGMENT && !has_port(0, p.b.kind == ICMP_ERROR ? p.b.sport : p.b.dport))
		return pass(FP_PORT);
	cfg = config();
	if (!cfg)
		return pass(FP_CREATION_OFF);
	if (p.b.kind == LATER_FRAGMENT)
		reason = FN(recall)(&p, FP_FORWARD, &flow, cfg) ? FP_FRAGMENT_IN : FP_FRAGMENT;
	else
		reason = FN(own)(skb, &p, &flow, cfg);
	if (reason < FP_TAKEN)
		return pass(reason);
	be = FN(backend_of)(&flow);
	if (!be)
		return pass(FP_STALE);
	if (p.b.kind == FIRST_FRAGMENT && !FN(remember)(&p, FP_FORWARD, &flow))
		return pass(FP_FRAGMENT);
	note(reason);
	return FN(to_backend)(skb, &p, &flow, be);
}
