/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps. Flow maps allocate their elements on demand. */
#ifndef NFTLANE_MAPS_MAPS_H
#define NFTLANE_MAPS_MAPS_H

#include "base.h"

/*
 * Frontends, with the slots of their backends in the value, so that one update replaces the whole set. Preallocated
 * (3 MB), which halves the time to fill it at a start.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FP_MAX_FRONTENDS);
	__type(key, struct fp_frontend_key);
	__type(value, struct fp_frontend);
} fp_frontends SEC(".maps");

/* An array: lookups are inlined, and freeing a slot ends all of its flows immediately. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FP_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct fp_backend);
} fp_backends SEC(".maps");

/* Not LRU, which would evict live flows when full. The loader deletes expired ones. */
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

/* LRU: fragments are short-lived, and senders retransmit. */
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

/* Sources that nft handles, such as those of the cluster itself. */
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

/* A bitmap of ports, to recognize without hashing the many packets that are not for a Service. */
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
