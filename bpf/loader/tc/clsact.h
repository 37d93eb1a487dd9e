/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of the clsact qdisc, for kernels before 6.6. */
#ifndef NFTLANE_LOADER_TC_CLSACT_H
#define NFTLANE_LOADER_TC_CLSACT_H

#include <stdbool.h>
#include <stdint.h>
#include "loader/role.h"
#include "loader/tc/netlink.h"

/* All return 0 or a negative errno. */
int clsact_attach(enum role role, uint32_t ifindex, int program);
int clsact_detach(enum role role, uint32_t ifindex);
/* Sets the program's ID, or 0 when no filter of ours is attached. */
int clsact_program(enum role role, uint32_t ifindex, uint32_t *program_id);
/* Removes the mark of the qdisc of a deleted device. */
void clsact_remove_mark(uint32_t ifindex);
bool is_own_filter(const struct filter *filter, enum role role);

#endif
