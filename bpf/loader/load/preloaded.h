/* SPDX-License-Identifier: Apache-2.0 */
/* Pinned programs with the conntrack lookup, loaded by a more privileged process. */
#ifndef NFTLANE_LOADER_LOAD_PRELOADED_H
#define NFTLANE_LOADER_LOAD_PRELOADED_H

#include <stdbool.h>
#include "loader/role.h"

/* Record that the pinned programs come from this build's object, or forget it. */
void mark_preloaded(void);
void unmark_preloaded(void);
/* Opens them if they come from this build's object and use the pinned maps. 0 or a negative errno. */
int open_preloaded(int fds[ROLES]);
bool has_preloaded(void);

#endif
