/* SPDX-License-Identifier: Apache-2.0 */
/* The request "remove". */
#ifndef NFTLANE_LOADER_ATTACH_REMOVE_H
#define NFTLANE_LOADER_ATTACH_REMOVE_H

#include "loader/protocol/lines.h"

void request_remove(const struct request *r);

#endif
