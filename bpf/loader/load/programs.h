/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of this process: file descriptors by role. */
#ifndef NFTLANE_LOADER_LOAD_PROGRAMS_H
#define NFTLANE_LOADER_LOAD_PROGRAMS_H

#include "loader/role.h"

/* 0 or a negative errno. */
int pin_program(enum role role, int fd);
/* Takes over the descriptor, and closes the one before. */
void set_program(enum role role, int fd);
/* The program that was set, or else the pinned one; -ENOENT when there is none. */
int program_fd(enum role role);
void close_programs(void);

#endif
