/* SPDX-License-Identifier: Apache-2.0 */
/* The requests "attach", "detach", "list" and "replace". */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "loader/attach/attach.h"
#include "loader/attach/attachments.h"
#include "loader/load/programs.h"
#include "loader/protocol/answers.h"
#include "loader/protocol/values.h"
#include "loader/role.h"
#include "loader/tc/clsact.h"
#include "loader/tc/tcx.h"

static bool parse_attachment(const struct request *r, enum role *role, uint32_t *ifindex)
{
	if (!parse_role(r->args[1], role))
		fail(EINVAL, "unknown role \"%s\": must be \"uplink\" or \"pod\"", r->args[1]);
	else if (!parse_number(r->args[2], ifindex) || *ifindex == 0)
		fail(EINVAL, "invalid interface index \"%s\"", r->args[2]);
	else
		return true;
	return false;
}

/* tcx where the kernel has it, unless the request names clsact. */
static bool parse_hook(const struct request *r, bool *use_tcx)
{
	*use_tcx = kernel_has_tcx();
	if (r->count < 4 || !strcmp(r->args[3], "tcx"))
		return true;
	*use_tcx = false;
	if (!strcmp(r->args[3], "clsact"))
		return true;
	fail(EINVAL, "unknown hook \"%s\": must be \"tcx\" or \"clsact\"", r->args[3]);
	return false;
}

/* Attached both ways, the program would see every packet twice. */
static void detach_other_hook(enum role role, uint32_t ifindex, bool is_tcx)
{
	uint32_t other;

	if (!is_tcx)
		tcx_detach(role, ifindex);
	else if (!clsact_program(role, ifindex, &other) && other)
		clsact_detach(role, ifindex);
}

void request_attach(const struct request *r)
{
	uint32_t ifindex;
	enum role role;
	bool use_tcx;
	int program, error;

	if (!parse_attachment(r, &role, &ifindex) || !parse_hook(r, &use_tcx))
		return;
	program = program_fd(role);
	if (program < 0) {
		fail(program, "no programs are loaded");
		return;
	}
	error = use_tcx ? tcx_attach(role, ifindex, program) : clsact_attach(role, ifindex, program);
	if (error) {
		fail(error, "cannot attach to interface %u by %s", ifindex, use_tcx ? "tcx" : "clsact");
		return;
	}
	detach_other_hook(role, ifindex, use_tcx);
	ok("by=%s", use_tcx ? "tcx" : "clsact");
}

void request_detach(const struct request *r)
{
	struct attachment attachment = { .is_tcx = true };
	uint32_t program_id = 0;
	char name[IF_NAMESIZE];
	int error;

	if (!parse_attachment(r, &attachment.role, &attachment.ifindex))
		return;
	error = detach_attachment(&attachment, NULL);
	attachment.is_tcx = false;
	if (!error && !clsact_program(attachment.role, attachment.ifindex, &program_id) && program_id)
		error = detach_attachment(&attachment, NULL);
	if (!if_indextoname(attachment.ifindex, name))
		clsact_remove_mark(attachment.ifindex);
	if (error)
		fail(error, "cannot detach from interface %u", attachment.ifindex);
	else
		done();
}

static int print_attachment(const struct attachment *attachment, void *context)
{
	emit("attachment %s %u %s program=%u %s\n", role_names[attachment->role], attachment->ifindex,
	     attachment->is_tcx ? "tcx" : "clsact", attachment->program_id, attachment->is_gone ? "gone" : "attached");
	return 0;
}

void request_list(const struct request *r)
{
	int error = for_each_attachment(print_attachment, NULL);

	if (error)
		fail(error, "cannot list attached programs");
	else
		done();
}

static int replace_program(const struct attachment *attachment, void *context)
{
	int program = program_fd(attachment->role);
	int *count = context;
	int error;

	if (attachment->is_gone)
		return 0;
	error = attachment->is_tcx ? tcx_update(attachment->role, attachment->ifindex, program) :
				     clsact_attach(attachment->role, attachment->ifindex, program);
	/* The device was deleted in the meantime. */
	if (error == -ENOLINK || error == -ENODEV)
		return 0;
	*count += !error;
	return error;
}

void request_replace(const struct request *r)
{
	int count = 0, error;

	for (int i = 0; i < ROLES; i++) {
		if (program_fd(i) >= 0)
			continue;
		fail(ENOENT, "no programs are loaded");
		return;
	}
	error = for_each_attachment(replace_program, &count);
	if (error)
		fail(error, "cannot replace all programs: replaced %d", count);
	else
		ok("replaced=%d", count);
}
