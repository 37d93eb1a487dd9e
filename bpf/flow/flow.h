/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flow entries: lookup, expiry, state and deletion. A template of per-family.h. */
#include "flow/clock.h"
#include "maps/counters.h"
#include "maps/maps.h"

static __always_inline FLOW *FN(lookup_flow)(const KEY *key)
{
	return bpf_map_lookup_elem(&FLOWS, key);
}

/* The key of the flow's other direction. */
static __always_inline void FN(opposite_key)(KEY *other, const KEY *key, const FLOW *flow)
{
	COPY_ADDRESS(other->client, key->client);
	COPY_ADDRESS(other->other, flow->other);
	other->client_port = flow->client_port;
	other->other_port = flow->other_port;
	other->proto = key->proto;
	other->dir = !key->dir;
	other->zero = 0;
}

static __noinline FLOW *FN(opposite_flow)(const KEY *key, const FLOW *flow)
{
	KEY opposite;

	FN(opposite_key)(&opposite, key, flow);
	return FN(lookup_flow)(&opposite);
}

static __always_inline bool FN(is_idle)(const FLOW *flow, __u8 proto, const struct fp_config *cfg, __u32 now)
{
	return (__s32)(now - flow->last) > (__s32)cfg->timeouts[fp_timeout_of(proto, &flow->state)];
}

/* Each entry records its own packets only, so an active one also keeps its idle opposite. */
static __always_inline bool FN(keeps_alive)(const FLOW *other, const FLOW *flow, __u8 proto,
					    const struct fp_config *cfg, __u32 now)
{
	return other && other->gen == flow->gen && other->slot == flow->slot && !FN(is_idle)(other, proto, cfg, now);
}

static __always_inline bool FN(is_expired)(const KEY *key, const FLOW *flow, const struct fp_config *cfg, __u32 now)
{
	return FN(is_idle)(flow, key->proto, cfg, now) &&
	       !FN(keeps_alive)(FN(opposite_flow)(key, flow), flow, key->proto, cfg, now);
}

/* The backend of a flow, or NULL when its slot was freed or reused. */
static __always_inline struct fp_backend *FN(flow_backend)(const FLOW *flow)
{
	__u32 slot = flow->slot;
	struct fp_backend *be = bpf_map_lookup_elem(&fp_backends, &slot);

	return be && be->gen && be->gen == flow->gen ? be : NULL;
}

/* Updates the state by a packet. Returns whether it changed. */
static __always_inline bool FN(update_state)(struct fp_flow_state *s, const KEY *key, __u8 tcp_flags, __u32 now)
{
	bool changed = false;

	if (key->dir == FP_DIR_REPLY && (s->seen == 0 || (s->seen == 2 && key->proto != IPPROTO_TCP))) {
		s->seen = 1;
		changed = true;
	} else if (key->dir == FP_DIR_ORIGINAL && s->seen == 1) {
		s->seen = 2;
		changed = true;
	}
	if (key->proto != IPPROTO_TCP)
		return changed;
	if ((tcp_flags & TCP_FIN) && key->dir == FP_DIR_ORIGINAL && !s->client_fin) {
		s->client_fin = 1;
		changed = true;
	}
	if ((tcp_flags & TCP_FIN) && key->dir == FP_DIR_REPLY && !s->backend_fin) {
		s->backend_fin = 1;
		changed = true;
	}
	if ((tcp_flags & TCP_RST) && !s->reset) {
		s->reset = reset_seconds(now);
		changed = true;
	} else if (s->reset && !(tcp_flags & TCP_RST) && (__u8)(reset_seconds(now) - s->reset) > 2) {
		/* Traffic continues seconds after the reset, which was forged or not accepted. */
		s->reset = 0;
		changed = true;
	}
	return changed;
}

static __noinline void FN(sync_opposite)(const KEY *key, const FLOW *flow)
{
	FLOW *other = FN(opposite_flow)(key, flow);

	if (!other || other->gen != flow->gen)
		return;
	/* By single bytes, because another CPU may be updating the entry for its own direction. */
	if (other->state.seen < flow->state.seen || key->proto != IPPROTO_TCP)
		other->state.seen = flow->state.seen;
	if (flow->state.client_fin)
		other->state.client_fin = 1;
	if (flow->state.backend_fin)
		other->state.backend_fin = 1;
	other->state.reset = flow->state.reset;
}

/* Records a packet of a flow. Writes the other direction's entry only when the state changes. */
static __always_inline void FN(update_flow)(const KEY *key, FLOW *flow, __u8 tcp_flags, __u32 now)
{
	bool first_answer = key->dir == FP_DIR_REPLY && flow->state.seen == 0;

	if (flow->last != now)
		flow->last = now;
	if (!FN(update_state)(&flow->state, key, tcp_flags, now))
		return;
	FN(sync_opposite)(key, flow);
	if (first_answer)
		count_answered(flow->slot);
}

/* Forward entry first: it must not exist without the reverse one. */
static __noinline void FN(delete_flow)(const KEY *forward, const FLOW *flow)
{
	KEY opposite;

	FN(opposite_key)(&opposite, forward, flow);
	bpf_map_delete_elem(&FLOWS, forward);
	bpf_map_delete_elem(&FLOWS, &opposite);
}
