/* SPDX-License-Identifier: Apache-2.0 */
/* The request "flows". */
#ifndef NFTLANE_LOADER_FLOWS_LIST_H
#define NFTLANE_LOADER_FLOWS_LIST_H

#include "loader/protocol/lines.h"

void request_flows(const struct request *r);

#endif
