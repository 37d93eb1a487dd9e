/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lookups of conntrack entries (Linux 5.18). The object that is built without them finds none. */
#ifndef NFTLANE_FLOW_CONNTRACK_H
#define NFTLANE_FLOW_CONNTRACK_H

#include "base.h"

#ifdef NO_CONNTRACK_LOOKUP

#define HAS_CONNTRACK false

static __always_inline bool is_tracked4(struct __sk_buff *skb, const struct fp_flow4_key *key)
{
	return false;
}

static __always_inline bool is_tracked6(struct __sk_buff *skb, const struct fp_flow6_key *key)
{
	return false;
}

#else

#define HAS_CONNTRACK true

/* Opaque. An incomplete type would not match the kernel's in BTF. */
struct nf_conn {};

/* Its first layout: the kernel takes 12 bytes, or 16 in newer versions. */
struct bpf_ct_opts___12 {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 tuple_size,
					 struct bpf_ct_opts___12 *opts, __u32 opts_size) __ksym;
extern void bpf_ct_release(struct nf_conn *entry) __ksym;

static __always_inline bool is_tracked(struct __sk_buff *skb, __u8 proto, struct bpf_sock_tuple *tuple, __u32 size)
{
	struct bpf_ct_opts___12 opts = { .netns_id = BPF_F_CURRENT_NETNS, .l4proto = proto };
	struct nf_conn *entry = bpf_skb_ct_lookup(skb, tuple, size, &opts, sizeof(opts));

	if (!entry)
		return false;
	bpf_ct_release(entry);
	return true;
}

/* Looks up the tuple of a packet with this key: from the client, or from the backend. */
static __noinline bool is_tracked4(struct __sk_buff *skb, const struct fp_flow4_key *key)
{
	struct bpf_sock_tuple tuple = { .ipv4 = { key->client, key->other, key->client_port, key->other_port } };

	if (key->dir == FP_DIR_REPLY) {
		tuple.ipv4.saddr = key->other;
		tuple.ipv4.daddr = key->client;
		tuple.ipv4.sport = key->other_port;
		tuple.ipv4.dport = key->client_port;
	}
	return is_tracked(skb, key->proto, &tuple, sizeof(tuple.ipv4));
}

static __noinline bool is_tracked6(struct __sk_buff *skb, const struct fp_flow6_key *key)
{
	bool reverse = key->dir == FP_DIR_REPLY;
	struct bpf_sock_tuple tuple;

	__builtin_memcpy(tuple.ipv6.saddr, reverse ? key->other : key->client, 16);
	__builtin_memcpy(tuple.ipv6.daddr, reverse ? key->client : key->other, 16);
	tuple.ipv6.sport = reverse ? key->other_port : key->client_port;
	tuple.ipv6.dport = reverse ? key->client_port : key->other_port;
	return is_tracked(skb, key->proto, &tuple, sizeof(tuple.ipv6));
}

#endif
#endif
