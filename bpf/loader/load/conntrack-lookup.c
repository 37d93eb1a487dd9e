/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the kernel lets programs look up conntrack entries. */
#include <errno.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "loader/load/conntrack-lookup.h"

static bool lookup_is_in_module;

static bool has_lookup_function(struct btf *btf)
{
	return btf__find_by_name_kind(btf, "bpf_skb_ct_lookup", BTF_KIND_FUNC) > 0;
}

static bool find_lookup(const char **reason)
{
	struct btf *kernel = btf__load_vmlinux_btf(), *module;
	bool found;

	if (libbpf_get_error(kernel)) {
		*reason = "the kernel has no BTF (/sys/kernel/btf/vmlinux)";
		return false;
	}
	found = has_lookup_function(kernel);
	if (!found) {
		module = btf__load_module_btf("nf_conntrack", kernel);
		if (!libbpf_get_error(module)) {
			found = has_lookup_function(module);
			if (found)
				lookup_is_in_module = true;
			btf__free(module);
		}
	}
	btf__free(kernel);
	if (!found)
		*reason = "bpf_skb_ct_lookup needs Linux 5.18 and nf_conntrack loaded";
	return found;
}

bool kernel_has_conntrack_lookup(const char **reason)
{
	static const char *known_reason;
	static int known = -1;

	if (known < 0)
		known = find_lookup(&known_reason) &&
			libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ktime_get_coarse_ns, NULL) == 1;
	*reason = known_reason ? known_reason : "bpf_ktime_get_coarse_ns needs Linux 5.11";
	return known;
}

/* libbpf finds the functions of a module by its BTF ID, and iterating over IDs needs CAP_SYS_ADMIN. */
bool may_load_conntrack_lookup(void)
{
	__u32 id;

	return !lookup_is_in_module || !bpf_btf_get_next_id(0, &id) || errno != EPERM;
}
