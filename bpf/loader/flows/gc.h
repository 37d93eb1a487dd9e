/* SPDX-License-Identifier: Apache-2.0 */
/* The request "gc". */
#ifndef NFTLANE_LOADER_FLOWS_GC_H
#define NFTLANE_LOADER_FLOWS_GC_H

#include "loader/protocol/lines.h"

void request_gc(const struct request *r);

#endif
