/* SPDX-License-Identifier: Apache-2.0 */
/* Pinned programs with the conntrack lookup, loaded by a more privileged process. */
#ifndef NFTLANE_LOADER_LOAD_PRELOADED_H
#define NFTLANE_LOADER_LOAD_PRELOADED_H

#include <stdbool.h>
#include "loader/role.h"

/* Records that the pinned programs come from the object of this build, or that they may not. */
void mark_preloaded(void);
void unmark_preloaded(void);
/* Opens them if they come from the object of this build and use the pinned maps. 0 or a negative errno. */
int open_preloaded(int fds[ROLES]);
bool has_preloaded(void);

#endif
