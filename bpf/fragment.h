/* SPDX-License-Identifier: Dual BSD/GPL */
/* Only the first fragment has ports. What was decided for it is kept for the others. Part of family.h. */

INLINE void FN(fragment_key)(FRAGMENT_KEY *key, const PACKET *p, __u8 dir)
{
	COPY(key->saddr, p->src);
	COPY(key->daddr, p->dst);
	key->id = p->b.fragment_id;
	key->proto = p->b.proto;
	key->dir = dir;
	key->zero = 0;
}

/* False when there is no room, which an LRU map has as a rule. */
APART bool FN(remember)(const PACKET *p, __u8 dir, const FLOW *flow)
{
	FRAGMENT_KEY key;
	FRAGMENT fragment;

	FN(fragment_key)(&key, p, dir);
	COPY(fragment.other, flow->other);
	COPY(fragment.next_hop, flow->next_hop);
	fragment.gen = flow->gen;
	fragment.oif = flow->oif;
	fragment.last = ticks();
	fragment.slot = flow->slot;
	fragment.mtu = flow->mtu;
	return bpf_map_update_elem(&FRAGMENTS, &key, &fragment, BPF_ANY) == 0;
}

/* Fills in the parts of a flow that a fragment needs. */
APART bool FN(recall)(const PACKET *p, __u8 dir, FLOW *flow, const struct fp_config *cfg)
{
	FRAGMENT_KEY key;
	FRAGMENT *fragment;

	FN(fragment_key)(&key, p, dir);
	fragment = bpf_map_lookup_elem(&FRAGMENTS, &key);
	if (!fragment || (__s32)(ticks() - fragment->last) > (__s32)cfg->timeouts[FP_FRAGMENTS])
		return false;
	COPY(flow->other, fragment->other);
	COPY(flow->next_hop, fragment->next_hop);
	flow->gen = fragment->gen;
	flow->oif = fragment->oif;
	flow->slot = fragment->slot;
	flow->mtu = fragment->mtu;
	return true;
}
