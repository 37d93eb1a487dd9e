/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of the clsact qdisc, for kernels before 6.6. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/libbpf.h>

#include "loader/pins.h"
#include "loader/tc/clsact.h"
#include "loader/tc/netlink.h"

#define PRIORITY 1
/* Distinguishes our filters from others of the same priority. */
#define HANDLE(role) (0x6e6c0001 + (role))

/* An empty directory marks a qdisc that we created, also for later processes. */
static const char *mark_path(uint32_t ifindex)
{
	char name[64];

	snprintf(name, sizeof(name), "qdisc-%u", ifindex);
	return pin_path(name);
}

bool is_own_filter(const struct filter *filter, enum role role)
{
	size_t length = strlen(program_names[role]);

	return !strcmp(filter->kind, "bpf") && filter->handle == (uint32_t)HANDLE(role) &&
	       !strncmp(filter->name, program_names[role], length);
}

void clsact_remove_mark(uint32_t ifindex)
{
	rmdir(mark_path(ifindex));
}

struct filter_search {
	enum role role;
	uint32_t program_id;
	int others;
};

static void count_filter(const struct filter *filter, void *context)
{
	struct filter_search *search = context;

	if (is_own_filter(filter, search->role))
		search->program_id = filter->program_id;
	else
		search->others++;
}

int clsact_program(enum role role, uint32_t ifindex, uint32_t *program_id)
{
	struct filter_search search = { .role = role };
	int error = for_each_filter(ifindex, INGRESS, count_filter, &search);

	*program_id = search.program_id;
	return error;
}

int clsact_attach(enum role role, uint32_t ifindex, int program)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program, .handle = HANDLE(role), .priority = PRIORITY,
			    .flags = BPF_TC_F_REPLACE);
	int error = bpf_tc_hook_create(&hook);

	if (!error)
		mkdir(mark_path(ifindex), 0700);
	else if (error != -EEXIST)
		return error;
	return bpf_tc_attach(&hook, &opts);
}

static void remove_qdisc(uint32_t ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct filter_search search = { .role = UPLINK };

	if (access(mark_path(ifindex), F_OK))
		return;
	if (for_each_filter(ifindex, INGRESS, count_filter, &search) ||
	    for_each_filter(ifindex, EGRESS, count_filter, &search))
		return;
	if (search.others || search.program_id)
		return;
	bpf_tc_hook_destroy(&hook);
	rmdir(mark_path(ifindex));
}

int clsact_detach(enum role role, uint32_t ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE(role), .priority = PRIORITY);
	int error = bpf_tc_detach(&hook, &opts);

	if (!error)
		remove_qdisc(ifindex);
	return error;
}
