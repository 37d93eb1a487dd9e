/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel can do, found by asking it for each thing rather than by its version. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "loader.h"
#include "tcx.h"

struct helper {
	const char *name;
	enum bpf_func_id id;
	const char *reason;
};

/* Without these there is no fast path. */
static const struct helper helpers[] = {
	{ "fib-lookup", BPF_FUNC_fib_lookup, "bpf_fib_lookup: Linux 4.18" },
	{ "redirect-peer", BPF_FUNC_redirect_peer, "bpf_redirect_peer: Linux 5.10" },
	{ "redirect-neigh", BPF_FUNC_redirect_neigh, "bpf_redirect_neigh: Linux 5.10" },
};

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
		*reason = "bpf_skb_ct_lookup: Linux 5.18, with nf_conntrack loaded";
	return found;
}

bool kernel_has_conntrack_lookup(const char **reason)
{
	static const char *known_reason;
	static int known = -1;

	if (known < 0)
		known = find_lookup(&known_reason) &&
			libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ktime_get_coarse_ns, NULL) == 1;
	*reason = known_reason ? known_reason : "bpf_ktime_get_coarse_ns: Linux 5.11";
	return known;
}

/* A module's functions are found by its number, and numbers are for CAP_SYS_ADMIN alone. */
bool may_load_conntrack_lookup(void)
{
	__u32 id;

	return !lookup_is_in_module || !bpf_btf_get_next_id(0, &id) || errno != EPERM;
}

static bool has_usable_lookup(const char **reason)
{
	if (!kernel_has_conntrack_lookup(reason))
		return false;
	*reason = "nf_conntrack is a kernel module: loading what asks it takes CAP_SYS_ADMIN, here or beforehand by "
		  "`nftlane run --init-only`";
	return may_load_conntrack_lookup() || has_preloaded();
}

static bool has_usable_directory(const char **reason)
{
	static char text[640];
	int error = check_bpf_fs(reason);

	if (error)
		return false;
	error = probe_pin_directory();
	if (!error)
		return true;
	snprintf(text, sizeof(text), "nothing can be made in \"%s\": %s%s", pin_directory, error_name(error),
		 error == -EACCES ? " (below /sys, AppArmor forbids it to containers)" : "");
	*reason = text;
	return false;
}

/* Asks which programs the loopback device has: the kernel refuses the question when it does not know tcx. */
bool kernel_has_tcx(void)
{
	struct tcx_query query = { .target_ifindex = 1, .attach_type = TCX_INGRESS };

	return syscall(__NR_bpf, BPF_PROG_QUERY, &query, sizeof(query)) == 0 || errno == ENOENT;
}

/* CAP_NET_ADMIN to attach, CAP_BPF to load, CAP_PERFMON for what the programs do with pointers; CAP_SYS_ADMIN has the latter. */
static bool has_capabilities(void)
{
	const uint64_t net_admin = 1ULL << 12, sys_admin = 1ULL << 21, perfmon = 1ULL << 38, bpf = 1ULL << 39;
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long have = 0;
	char line[256];

	if (!status)
		return false;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %llx", &have) == 1)
			break;
	fclose(status);
	return (have & net_admin) && ((have & sys_admin) || ((have & bpf) && (have & perfmon)));
}

static bool report_feature(const char *name, bool has, const char *reason)
{
	if (has)
		emit("feature %s yes\n", name);
	else
		emit("feature %s no %s\n", name, reason);
	return has;
}

void request_probe(void)
{
	const char *reason = "";
	bool usable, udp, tcx, has;
	int type = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL);

	usable = report_feature("capabilities", has_capabilities(), "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are needed");
	usable = report_feature("programs", type == 1, type < 0 ? "bpf(2) is refused" : "tc programs") && usable;
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		has = libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, helpers[i].id, NULL) == 1;
		usable = report_feature(helpers[i].name, has, helpers[i].reason) && usable;
	}
	/* Not within the calls of `report_feature`, for nothing says which argument is computed first. */
	has = has_usable_directory(&reason);
	usable = report_feature("bpf-file-system", has, reason) && usable;
	has = has_usable_lookup(&reason);
	udp = report_feature("conntrack-lookup", has, reason);
	tcx = report_feature("tcx", kernel_has_tcx(), "tcx: Linux 6.6");
	ok("usable=%s udp=%s attach=%s", usable ? "yes" : "no", usable && udp ? "yes" : "no", tcx ? "tcx" : "clsact");
}
