/* SPDX-License-Identifier: Apache-2.0 */
/* The request "inspect". */
#ifndef NFTLANE_LOADER_ATTACH_INSPECT_H
#define NFTLANE_LOADER_ATTACH_INSPECT_H

#include "loader/protocol/lines.h"

void request_inspect(const struct request *r);

#endif
