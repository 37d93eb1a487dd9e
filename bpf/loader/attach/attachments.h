/* SPDX-License-Identifier: Apache-2.0 */
/* Attached programs, by tcx or clsact. */
#ifndef NFTLANE_LOADER_ATTACH_ATTACHMENTS_H
#define NFTLANE_LOADER_ATTACH_ATTACHMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include "loader/role.h"

struct attachment {
	enum role role;
	uint32_t ifindex;
	bool is_tcx;
	/* The device of a tcx link was deleted. */
	bool is_gone;
	uint32_t program_id;
};

/* Ends the walk when it returns an error. */
typedef int on_attachment(const struct attachment *attachment, void *context);

/* All return 0 or a negative errno. */
int for_each_attachment(on_attachment *callback, void *context);
/* Detaches a program; its absence, or that of its device, is not an error. The context is unused. */
int detach_attachment(const struct attachment *attachment, void *context);

#endif
