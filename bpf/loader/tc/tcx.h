/* SPDX-License-Identifier: Apache-2.0 */
/* tcx links (Linux 6.6), pinned so that they outlive this process. */
#ifndef NFTLANE_LOADER_TC_TCX_H
#define NFTLANE_LOADER_TC_TCX_H

#include <stdbool.h>
#include <stdint.h>
#include "loader/role.h"

bool kernel_has_tcx(void);

/* All return 0 or a negative errno. */
int tcx_attach(enum role role, uint32_t ifindex, int program);
int tcx_detach(enum role role, uint32_t ifindex);
int tcx_update(enum role role, uint32_t ifindex, int program);
/* The device that a pinned link is attached to, 0 when the device was deleted, or a negative errno. */
int tcx_device(enum role role, uint32_t ifindex, uint32_t *program_id);

#endif
