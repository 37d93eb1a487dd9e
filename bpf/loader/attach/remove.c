/* SPDX-License-Identifier: Apache-2.0 */
/* The request "remove": detaches all programs and removes all pins. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loader/attach/attachments.h"
#include "loader/attach/remove.h"
#include "loader/load/programs.h"
#include "loader/maps/maps.h"
#include "loader/pins.h"
#include "loader/protocol/answers.h"

/* Pins of maps and programs, and marks of qdiscs. */
static int remove_pins(void)
{
	DIR *directory = opendir(pin_directory());
	struct dirent *entry;
	int error = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory))) {
		const char *path = pin_path(entry->d_name);

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlink(path) && rmdir(path))
			error = -errno;
	}
	closedir(directory);
	return error ? error : remove_pin_directory();
}

void request_remove(const struct request *r)
{
	int error = for_each_attachment(detach_attachment, NULL);

	if (!error)
		error = remove_pins();
	close_maps();
	close_programs();
	if (error)
		fail(error, "cannot remove everything in \"%s\"", pin_directory());
	else
		done();
}
