/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of this process, loaded or opened from their pins. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "loader/load/programs.h"
#include "loader/pins.h"

static int programs[ROLES] = { -1, -1 };

/* Renames a new pin over the old one, so that there always is one. */
int pin_program(enum role role, int fd)
{
	char temporary[64];

	snprintf(temporary, sizeof(temporary), "%s-new", program_names[role]);
	unlink(pin_path(temporary));
	if (bpf_obj_pin(fd, pin_path(temporary)))
		return -errno;
	return rename(pin_path(temporary), pin_path(program_names[role])) ? -errno : 0;
}

void set_program(enum role role, int fd)
{
	if (programs[role] >= 0)
		close(programs[role]);
	programs[role] = fd;
}

int program_fd(enum role role)
{
	if (programs[role] < 0)
		programs[role] = bpf_obj_get(pin_path(program_names[role]));
	return programs[role] < 0 ? -ENOENT : programs[role];
}

void close_programs(void)
{
	for (int i = 0; i < ROLES; i++) {
		if (programs[i] >= 0)
			close(programs[i]);
		programs[i] = -1;
	}
}
