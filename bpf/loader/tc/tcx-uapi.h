/* SPDX-License-Identifier: Apache-2.0 */
/* The tcx parts of bpf(2), from Linux 6.6: the headers of Debian 12 do not have them. */
#ifndef NFTLANE_LOADER_TC_TCX_UAPI_H
#define NFTLANE_LOADER_TC_TCX_UAPI_H

#include <linux/types.h>

#define TCX_INGRESS 46
#define TCX_EGRESS 47
/* BPF_F_BEFORE: before all other programs. */
#define TCX_F_BEFORE (1U << 3)

struct tcx_link_create {
	__u32 prog_fd;
	__u32 target_ifindex;
	__u32 attach_type;
	__u32 flags;
	__u32 relative_fd;
	__u32 zero;
	__u64 expected_revision;
};

struct tcx_query {
	__u32 target_ifindex;
	__u32 attach_type;
	__u32 query_flags;
	__u32 attach_flags;
	__u64 prog_ids;
	__u32 count;
	__u32 zero;
	__u64 prog_attach_flags;
	__u64 link_ids;
	__u64 link_attach_flags;
	__u64 revision;
};

/* struct bpf_link_info of a tcx link. */
struct tcx_link_info {
	__u32 type;
	__u32 id;
	__u32 prog_id;
	__u32 zero;
	__u32 ifindex;
	__u32 attach_type;
	__u8 rest[64];
};

#endif
