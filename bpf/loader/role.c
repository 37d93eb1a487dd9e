/* SPDX-License-Identifier: Apache-2.0 */
/* The two programs. */
#include <string.h>

#include "loader/role.h"

const char *const role_names[ROLES] = { "uplink", "pod" };
const char *const program_names[ROLES] = { "fp_uplink", "fp_pod" };

bool parse_role(const char *text, enum role *role)
{
	for (int i = 0; i < ROLES; i++) {
		if (strcmp(text, role_names[i]))
			continue;
		*role = i;
		return true;
	}
	return false;
}
