/* SPDX-License-Identifier: Dual BSD/GPL */
/* New flows: whether they may be ours, which backend they get, and their two entries. Part of family.h. */

INLINE void FN(frontend_key)(struct fp_frontend_key *key, const PACKET *p)
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

INLINE bool FN(is_excluded)(const PACKET *p)
{
#if FAMILY == 4
	struct fp_source4_key key = { .prefix = 32 };

	COPY(key.addr, p->src);
	return bpf_map_lookup_elem(&fp_src4, &key) != NULL;
#else
	struct fp_source6_key key = { .prefix = 128 };

	COPY(key.addr, p->src);
	return bpf_map_lookup_elem(&fp_src6, &key) != NULL;
#endif
}

/* One of the frontend's backends by chance. Neither value can be trusted alone: both may be overwritten just now. */
APART int FN(choose)(const PACKET *p, FLOW *flow)
{
	struct fp_frontend_key key;
	struct fp_frontend *fe;
	struct fp_backend *be;
	__u32 count, slot, svc, index;

	FN(frontend_key)(&key, p);
	fe = bpf_map_lookup_elem(&fp_fe, &key);
	if (!fe)
		return FP_NO_FRONTEND;
	count = fe->count;
	if ((fe->flags & FP_FRONTEND_PASS) || count == 0 || count > FP_MAX_CHOICE)
		return FP_FRONTEND_OFF;
	index = bpf_get_prandom_u32() % count;
	/* The compiler can prove what the verifier cannot. */
	barrier_var(index);
	if (index >= FP_MAX_CHOICE)
		return FP_FRONTEND_OFF;
	svc = fe->svc;
	slot = fe->slots[index];
	be = bpf_map_lookup_elem(&fp_be, &slot);
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
	return GO_ON;
}

/* The backend's answers must leave by the device that the client's packet came in by. */
APART int FN(find_way)(struct __sk_buff *skb, const PACKET *p, FLOW *flow)
{
	struct fp_backend *be = FN(backend_of)(flow);
	struct way way;

	if (!be)
		return FP_BACKEND;
	if (!FN(route_to)(skb, be->l3if, p->b.proto, flow->other, flow->other_port, p->src, p->b.sport, &way,
			  REF(flow->next_hop)))
		return FP_ROUTE;
	if (way.oif != skb->ifindex)
		return FP_ASYMMETRIC;
#if FAMILY == 4
	/* Without "don't fragment" the stack would cut up what is too long, and could not translate it. */
	if (p->b.proto == IPPROTO_UDP && (be->mtu == 0 || be->mtu > way.mtu))
		return FP_POD_MTU;
#endif
	flow->oif = way.oif;
	flow->mtu = way.mtu > 65535 ? 65535 : way.mtu;
	return GO_ON;
}

/*
 * The same values under the reverse key lead back to what the client dialled. Errors of map functions are `int`: before
 * Linux 6.4 the upper half of the register says nothing, and a `long` would be no -EEXIST.
 */
INLINE int FN(insert_turned)(const KEY *key, const PACKET *p, FLOW *flow)
{
	__be16 port = flow->client_port;
	int error;

	COPY(flow->other, p->dst);
	flow->other_port = p->b.dport;
	flow->client_port = p->b.sport;
	error = bpf_map_update_elem(&FLOWS, key, flow, BPF_NOEXIST);
	COPY(flow->other, key->other);
	flow->other_port = key->other_port;
	flow->client_port = port;
	return error;
}

/* Makes room where an entry has outlived its flow. */
APART void FN(forget_dead)(const KEY *key, const struct fp_config *cfg, __u32 now)
{
	FLOW *there = FN(find)(key);
	KEY forward;

	if (!there)
		return;
	FN(turn)(&forward, key, there);
	if (FN(backend_of)(there) && (!FN(is_late)(there, key->proto, cfg, now) ||
				      FN(keeps)(FN(find)(&forward), there, key->proto, cfg, now)))
		return;
	bpf_map_delete_elem(&FLOWS, &forward);
	bpf_map_delete_elem(&FLOWS, key);
}

/* The reverse entry, with a client port that nobody else has towards this backend. */
APART int FN(insert_reverse)(struct __sk_buff *skb, const PACKET *p, const KEY *forward, FLOW *flow,
			     const struct fp_config *cfg)
{
	KEY key;

	flow->client_port = p->b.sport;
	for (int i = 0; i < CLIENT_PORT_TRIES; i++) {
		FN(turn)(&key, forward, flow);
		if (!FN(is_tracked)(skb, &key)) {
			int error;

			FN(forget_dead)(&key, cfg, flow->last);
			error = FN(insert_turned)(&key, p, flow);
			if (!error)
				return i == 0 ? FP_CREATED : FP_REMAPPED;
			if (error != -EEXIST)
				return FP_FULL;
		}
		/* Ports below 1024 mean something to some servers. */
		flow->client_port = bpf_htons(1024 + bpf_get_prandom_u32() % 64512);
	}
	return FP_CLASH;
}

/* Takes back the reverse entry of a flow that has no forward one. */
APART void FN(undo)(const KEY *forward, const FLOW *flow)
{
	KEY turned;

	FN(turn)(&turned, forward, flow);
	bpf_map_delete_elem(&FLOWS, &turned);
}

/*
 * Tries to take the flow that a packet begins. `flow` is then its forward entry. Returns FP_CREATED or FP_REMAPPED,
 * FP_TAKEN when another CPU has just done it, or why the packet is left to nft.
 */
INLINE int FN(create)(struct __sk_buff *skb, const PACKET *p, const KEY *key, FLOW *flow)
{
	struct fp_config *cfg = config();
	int error, result;

	if (!cfg || !(cfg->flags & FP_CONFIG_CREATE))
		return FP_CREATION_OFF;
	result = FN(choose)(p, flow);
	if (result != GO_ON)
		return result;
	if (FN(is_excluded)(p))
		return FP_SOURCE;
	if (p->b.proto == IPPROTO_UDP && !HAS_CONNTRACK)
		return FP_NO_CONNTRACK;
	if (FN(is_tracked)(skb, key))
		return FP_CONNTRACK;
	result = FN(find_way)(skb, p, flow);
	if (result != GO_ON)
		return result;
	result = FN(insert_reverse)(skb, p, key, flow, cfg);
	if (result != FP_CREATED && result != FP_REMAPPED)
		return result;
	error = bpf_map_update_elem(&FLOWS, key, flow, BPF_NOEXIST);
	if (error) {
		FN(undo)(key, flow);
		return error == -EEXIST ? FP_TAKEN : FP_FULL;
	}
	count_created(flow->slot);
	return result;
}
