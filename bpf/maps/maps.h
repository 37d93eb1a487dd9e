/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps. Those that grow with traffic take memory only for what is in them. */
#ifndef NFTLANE_MAPS_MAPS_H
#define NFTLANE_MAPS_MAPS_H

#include "base.h"

/*
 * What clients dial, with the slots of its backends inside: one update swaps the whole set. Its memory, 3 MB, is taken at
 * once: a start fills it twice as fast.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FP_MAX_FRONTENDS);
	__type(key, struct fp_frontend_key);
	__type(value, struct fp_frontend);
} fp_frontends SEC(".maps");

/* An array: looked up without a call, and freeing a slot ends all of its flows at once. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FP_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct fp_backend);
} fp_backends SEC(".maps");

/* Not LRU, which would forget live flows when full. The loader collects what is over. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FP_MAX_FLOWS);
	__type(key, struct fp_flow4_key);
	__type(value, struct fp_flow4);
} fp_flows_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FP_MAX_FLOWS);
	__type(key, struct fp_flow6_key);
	__type(value, struct fp_flow6);
} fp_flows_v6 SEC(".maps");

/* Fragments live for seconds, and the sender repeats what is lost: these may forget. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FP_MAX_FRAGMENTS);
	__type(key, struct fp_fragment4_key);
	__type(value, struct fp_fragment4);
} fp_fragments_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FP_MAX_FRAGMENTS);
	__type(key, struct fp_fragment6_key);
	__type(value, struct fp_fragment6);
} fp_fragments_v6 SEC(".maps");

/* Sources whose packets nft has to see: the cluster's own. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FP_MAX_SOURCES);
	__type(key, struct fp_source4_key);
	__type(value, __u32);
} fp_sources_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FP_MAX_SOURCES);
	__type(key, struct fp_source6_key);
	__type(value, __u32);
} fp_sources_v6 SEC(".maps");

/* Most packets are not for a Service: a bit for each port tells without hashing. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FP_PORT_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} fp_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FP_MAX_UPLINKS);
	__type(key, __u32);
	__type(value, struct fp_uplink);
} fp_uplinks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fp_config);
} fp_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FP_REASON_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} fp_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FP_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct fp_slot_count);
} fp_slot_counts SEC(".maps");

#endif
