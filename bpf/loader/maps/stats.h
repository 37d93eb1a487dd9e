/* SPDX-License-Identifier: Apache-2.0 */
/* The request "stats": packets by reason. */
#ifndef NFTLANE_LOADER_MAPS_STATS_H
#define NFTLANE_LOADER_MAPS_STATS_H

void request_stats(void);

#endif
