/* SPDX-License-Identifier: Apache-2.0 */
/* The request "inspect": qdiscs, filters and tcx programs of a device. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "loader/attach/inspect.h"
#include "loader/protocol/answers.h"
#include "loader/protocol/values.h"
#include "loader/role.h"
#include "loader/tc/clsact.h"
#include "loader/tc/netlink.h"
#include "loader/tc/tcx-uapi.h"
#include "loader/tc/tcx.h"

static void print_filter(const struct filter *filter, void *context)
{
	bool own = is_own_filter(filter, UPLINK) || is_own_filter(filter, POD);

	emit("filter %s %s priority=%u program=%u name=%s own=%s\n", (const char *)context, filter->kind,
	     filter->priority, filter->program_id, *filter->name ? filter->name : "-", own ? "yes" : "no");
}

static void print_qdisc(const char *kind, uint32_t handle, uint32_t parent, void *context)
{
	emit("qdisc %s handle=%x parent=%x\n", kind, handle, parent);
}

/* By the pinned links, which CAP_BPF may open. */
static bool is_own_link(uint32_t ifindex, uint32_t id)
{
	for (int role = 0; role < ROLES; role++) {
		uint32_t own = 0;

		if (tcx_device(role, ifindex, &own) == (int)ifindex && own == id)
			return true;
	}
	return false;
}

/* By its name, which needs CAP_SYS_ADMIN: finds programs that are pinned elsewhere too. */
static bool is_own_program(uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	__u32 length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);
	bool own = false;

	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &length))
		own = !strcmp(info.name, program_names[UPLINK]) || !strcmp(info.name, program_names[POD]);
	close(fd);
	return own;
}

static int print_tcx(uint32_t ifindex, uint32_t type, const char *direction)
{
	uint32_t ids[64];
	struct tcx_query query = {
		.target_ifindex = ifindex,
		.attach_type = type,
		.prog_ids = (uintptr_t)ids,
		.count = 64,
	};

	if (syscall(__NR_bpf, BPF_PROG_QUERY, &query, sizeof(query)))
		return errno == ENOENT ? 0 : -errno;
	for (uint32_t i = 0; i < query.count && i < 64; i++) {
		bool own = is_own_link(ifindex, ids[i]) || is_own_program(ids[i]);

		emit("tcx %s program=%u own=%s\n", direction, ids[i], own ? "yes" : "no");
	}
	return 0;
}

void request_inspect(const struct request *r)
{
	uint32_t ifindex;
	int error;

	if (!parse_number(r->args[1], &ifindex) || ifindex == 0) {
		fail(EINVAL, "invalid interface index \"%s\"", r->args[1]);
		return;
	}
	error = for_each_qdisc(ifindex, print_qdisc, NULL);
	if (!error)
		error = for_each_filter(ifindex, INGRESS, print_filter, "ingress");
	if (!error)
		error = for_each_filter(ifindex, EGRESS, print_filter, "egress");
	if (!error && kernel_has_tcx())
		error = print_tcx(ifindex, TCX_INGRESS, "ingress");
	if (!error && kernel_has_tcx())
		error = print_tcx(ifindex, TCX_EGRESS, "egress");
	if (error)
		fail(error, "cannot inspect interface %u", ifindex);
	else
		done();
}
