/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the kernel lets programs look up conntrack entries. */
#ifndef NFTLANE_LOADER_LOAD_CONNTRACK_LOOKUP_H
#define NFTLANE_LOADER_LOAD_CONNTRACK_LOOKUP_H

#include <stdbool.h>

/* Sets the reason when it does not. */
bool kernel_has_conntrack_lookup(const char **reason);
/* Whether this process may load such programs, where the kernel has the function. */
bool may_load_conntrack_lookup(void);

#endif
