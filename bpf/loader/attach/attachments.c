/* SPDX-License-Identifier: Apache-2.0 */
/* Attached programs: the pinned tcx links and the filters of all devices. */
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include "loader/attach/attachments.h"
#include "loader/pins.h"
#include "loader/tc/clsact.h"
#include "loader/tc/tcx.h"

static int for_each_link(on_attachment *callback, void *context)
{
	DIR *directory = opendir(pin_directory());
	struct dirent *entry;
	int error = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while (!error && (entry = readdir(directory))) {
		struct attachment attachment = { .is_tcx = true };
		char role[16];
		int device;

		if (sscanf(entry->d_name, "link-%15[a-z]-%u", role, &attachment.ifindex) != 2)
			continue;
		if (!parse_role(role, &attachment.role))
			continue;
		device = tcx_device(attachment.role, attachment.ifindex, &attachment.program_id);
		attachment.is_gone = device != (int)attachment.ifindex;
		error = callback(&attachment, context);
	}
	closedir(directory);
	return error;
}

static int for_each_filter_attachment(on_attachment *callback, void *context)
{
	struct if_nameindex *devices = if_nameindex();
	int error = 0;

	if (!devices)
		return -errno;
	for (struct if_nameindex *d = devices; !error && d->if_index; d++) {
		for (int role = 0; !error && role < ROLES; role++) {
			struct attachment attachment = { .role = role, .ifindex = d->if_index };

			/* A device that was deleted in the meantime has none. */
			if (clsact_program(role, d->if_index, &attachment.program_id) == 0 && attachment.program_id)
				error = callback(&attachment, context);
		}
	}
	if_freenameindex(devices);
	return error;
}

int for_each_attachment(on_attachment *callback, void *context)
{
	int error = for_each_link(callback, context);

	return error ? error : for_each_filter_attachment(callback, context);
}

int detach_attachment(const struct attachment *attachment, void *context)
{
	int error = attachment->is_tcx ? tcx_detach(attachment->role, attachment->ifindex) :
					 clsact_detach(attachment->role, attachment->ifindex);

	return error == -ENOENT || error == -ENODEV ? 0 : error;
}
