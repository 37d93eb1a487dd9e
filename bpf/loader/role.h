/* SPDX-License-Identifier: Apache-2.0 */
/* The two programs, by the devices they attach to. */
#ifndef NFTLANE_LOADER_ROLE_H
#define NFTLANE_LOADER_ROLE_H

#include <stdbool.h>

enum role { UPLINK, POD, ROLES };

/* The names in requests and in the object. */
extern const char *const role_names[ROLES];
extern const char *const program_names[ROLES];

bool parse_role(const char *text, enum role *role);

#endif
