/* SPDX-License-Identifier: Apache-2.0 */
/* The request "stats": packets by reason. */
#ifndef NFTLANE_LOADER_MAPS_STATS_H
#define NFTLANE_LOADER_MAPS_STATS_H

#include "loader/protocol/lines.h"

void request_stats(const struct request *r);

#endif
