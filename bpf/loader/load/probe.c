/* SPDX-License-Identifier: Apache-2.0 */
/* The request "probe". Each feature is tested: with backports, the kernel version is not sufficient. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <bpf/libbpf.h>

#include "loader/load/conntrack-lookup.h"
#include "loader/load/preloaded.h"
#include "loader/load/probe.h"
#include "loader/pins.h"
#include "loader/protocol/answers.h"
#include "loader/tc/tcx.h"

struct helper {
	const char *name;
	enum bpf_func_id id;
	const char *reason;
};

/* The fast path needs all of these. */
static const struct helper helpers[] = {
	{ "fib-lookup", BPF_FUNC_fib_lookup, "bpf_fib_lookup needs Linux 4.18" },
	{ "redirect-peer", BPF_FUNC_redirect_peer, "bpf_redirect_peer needs Linux 5.10" },
	{ "redirect-neigh", BPF_FUNC_redirect_neigh, "bpf_redirect_neigh needs Linux 5.10" },
};

static bool has_usable_lookup(const char **reason)
{
	if (!kernel_has_conntrack_lookup(reason))
		return false;
	*reason = "nf_conntrack is a kernel module: loading programs that use it needs CAP_SYS_ADMIN, here or in "
		  "`nftlane run --init-only` before";
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
	snprintf(text, sizeof(text), "cannot write to \"%s\": %s%s", pin_directory(), error_name(error),
		 error == -EACCES ? " (AppArmor denies containers writes below /sys)" : "");
	*reason = text;
	return false;
}

/* CAP_NET_ADMIN to attach, CAP_BPF to load, CAP_PERFMON for pointer arithmetic; CAP_SYS_ADMIN includes the last two. */
static bool has_capabilities(void)
{
	const uint64_t net_admin = 1ULL << 12, sys_admin = 1ULL << 21, perfmon = 1ULL << 38, bpf = 1ULL << 39;
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long effective = 0;
	char line[256];

	if (!status)
		return false;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	fclose(status);
	return (effective & net_admin) && ((effective & sys_admin) || ((effective & bpf) && (effective & perfmon)));
}

static bool report_feature(const char *name, bool has, const char *reason)
{
	if (has)
		emit("feature %s yes\n", name);
	else
		emit("feature %s no %s\n", name, reason);
	return has;
}

void request_probe(const struct request *r)
{
	const char *reason = "";
	bool usable, udp, tcx, has;
	int type = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL);

	has = has_capabilities();
	usable = report_feature("capabilities", has, "needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN");
	usable = report_feature("programs", type == 1,
				type < 0 ? "bpf(2) is refused" : "the kernel has no tc programs") &&
		 usable;
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		has = libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, helpers[i].id, NULL) == 1;
		usable = report_feature(helpers[i].name, has, helpers[i].reason) && usable;
	}
	/* Not as arguments of `report_feature`: C does not define the order in which arguments are evaluated. */
	has = has_usable_directory(&reason);
	usable = report_feature("bpf-file-system", has, reason) && usable;
	has = has_usable_lookup(&reason);
	udp = report_feature("conntrack-lookup", has, reason);
	tcx = report_feature("tcx", kernel_has_tcx(), "needs Linux 6.6");
	ok("usable=%s udp=%s attach=%s", usable ? "yes" : "no", usable && udp ? "yes" : "no", tcx ? "tcx" : "clsact");
}
