/* SPDX-License-Identifier: Dual BSD/GPL */
/* Flows: finding them, whether they are over, and what a packet changes of them. Part of family.h. */

INLINE FLOW *FN(find)(const KEY *key)
{
	return bpf_map_lookup_elem(&FLOWS, key);
}

/* The key of the same flow's other direction. */
INLINE void FN(turn)(KEY *other, const KEY *key, const FLOW *flow)
{
	COPY(other->client, key->client);
	COPY(other->other, flow->other);
	other->client_port = flow->client_port;
	other->other_port = flow->other_port;
	other->proto = key->proto;
	other->dir = !key->dir;
	other->zero = 0;
}

APART FLOW *FN(other_of)(const KEY *key, const FLOW *flow)
{
	KEY turned;

	FN(turn)(&turned, key, flow);
	return FN(find)(&turned);
}

INLINE bool FN(is_late)(const FLOW *flow, __u8 proto, const struct fp_config *cfg, __u32 now)
{
	return (__s32)(now - flow->last) > (__s32)cfg->timeouts[fp_timeout_of(proto, &flow->state)];
}

/* Traffic in one direction keeps both entries: each notes only its own packets. */
INLINE bool FN(keeps)(const FLOW *other, const FLOW *flow, __u8 proto, const struct fp_config *cfg, __u32 now)
{
	return other && other->gen == flow->gen && other->slot == flow->slot &&
	       !FN(is_late)(other, proto, cfg, now);
}

INLINE bool FN(is_over)(const KEY *key, const FLOW *flow, const struct fp_config *cfg, __u32 now)
{
	return FN(is_late)(flow, key->proto, cfg, now) &&
	       !FN(keeps)(FN(other_of)(key, flow), flow, key->proto, cfg, now);
}

/* The backend of a flow, or NULL when it has gone. */
INLINE struct fp_backend *FN(backend_of)(const FLOW *flow)
{
	__u32 slot = flow->slot;
	struct fp_backend *be = bpf_map_lookup_elem(&fp_be, &slot);

	return be && be->gen && be->gen == flow->gen ? be : NULL;
}

/* What becomes known of the state by this packet, as the entry of its own direction is to have it. */
INLINE bool FN(advance)(struct fp_flow_state *s, const KEY *key, __u8 tcp_flags, __u32 now)
{
	bool changed = false;

	if (key->dir == FP_REVERSE && (s->seen == 0 || (s->seen == 2 && key->proto != IPPROTO_TCP))) {
		s->seen = 1;
		changed = true;
	} else if (key->dir == FP_FORWARD && s->seen == 1) {
		s->seen = 2;
		changed = true;
	}
	if (key->proto != IPPROTO_TCP)
		return changed;
	if ((tcp_flags & TCP_FIN) && key->dir == FP_FORWARD && !s->client_fin) {
		s->client_fin = 1;
		changed = true;
	}
	if ((tcp_flags & TCP_FIN) && key->dir == FP_REVERSE && !s->backend_fin) {
		s->backend_fin = 1;
		changed = true;
	}
	if ((tcp_flags & TCP_RST) && !s->reset) {
		s->reset = reset_time(now);
		changed = true;
	} else if (s->reset && !(tcp_flags & TCP_RST) && (__u8)(reset_time(now) - s->reset) > 2) {
		/* Seconds later somebody still sends: the reset was forged, or not accepted. */
		s->reset = 0;
		changed = true;
	}
	return changed;
}

APART void FN(tell_other)(const KEY *key, const FLOW *flow)
{
	FLOW *other = FN(other_of)(key, flow);

	if (!other || other->gen != flow->gen)
		return;
	/* Byte by byte, for its own direction may be changing it at this moment. */
	if (other->state.seen < flow->state.seen || key->proto != IPPROTO_TCP)
		other->state.seen = flow->state.seen;
	if (flow->state.client_fin)
		other->state.client_fin = 1;
	if (flow->state.backend_fin)
		other->state.backend_fin = 1;
	other->state.reset = flow->state.reset;
}

/* Notes a packet of a flow. Only news about its state touch the other direction's entry. */
INLINE void FN(track)(const KEY *key, FLOW *flow, __u8 tcp_flags, __u32 now)
{
	bool first_answer = key->dir == FP_REVERSE && flow->state.seen == 0;

	if (flow->last != now)
		flow->last = now;
	if (!FN(advance)(&flow->state, key, tcp_flags, now))
		return;
	FN(tell_other)(key, flow);
	if (first_answer)
		count_answered(flow->slot);
}

/* Forward first: a forward entry never stands without its reverse one. */
APART void FN(forget)(const KEY *forward, const FLOW *flow)
{
	KEY turned;

	FN(turn)(&turned, forward, flow);
	bpf_map_delete_elem(&FLOWS, forward);
	bpf_map_delete_elem(&FLOWS, &turned);
}
