/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fragments: only the first one has ports, so its translation is stored for the others. A template of per-family.h. */
#include "flow/clock.h"
#include "maps/maps.h"
#include "packet/packet.h"

static __always_inline void FN(fragment_key)(FRAGMENT_KEY *key, const PACKET *p, __u8 dir)
{
	COPY_ADDRESS(key->saddr, p->src);
	COPY_ADDRESS(key->daddr, p->dst);
	key->id = p->b.fragment_id;
	key->proto = p->b.proto;
	key->dir = dir;
	key->zero = 0;
}

/* False when the map is full, which is rare with an LRU map. */
static __noinline bool FN(store_fragment)(const PACKET *p, __u8 dir, const FLOW *flow)
{
	FRAGMENT_KEY key;
	FRAGMENT fragment;

	FN(fragment_key)(&key, p, dir);
	COPY_ADDRESS(fragment.other, flow->other);
	COPY_ADDRESS(fragment.next_hop, flow->next_hop);
	fragment.gen = flow->gen;
	fragment.oif = flow->oif;
	fragment.last = now_ticks();
	fragment.slot = flow->slot;
	fragment.mtu = flow->mtu;
	return bpf_map_update_elem(&FRAGMENTS, &key, &fragment, BPF_ANY) == 0;
}

/* Sets the fields of a flow that a fragment needs. */
static __noinline bool FN(lookup_fragment)(const PACKET *p, __u8 dir, FLOW *flow, const struct fp_config *cfg)
{
	FRAGMENT_KEY key;
	FRAGMENT *fragment;

	FN(fragment_key)(&key, p, dir);
	fragment = bpf_map_lookup_elem(&FRAGMENTS, &key);
	if (!fragment || (__s32)(now_ticks() - fragment->last) > (__s32)cfg->timeouts[FP_FRAGMENTS])
		return false;
	COPY_ADDRESS(flow->other, fragment->other);
	COPY_ADDRESS(flow->next_hop, fragment->next_hop);
	flow->gen = fragment->gen;
	flow->oif = fragment->oif;
	flow->slot = fragment->slot;
	flow->mtu = fragment->mtu;
	return true;
}
