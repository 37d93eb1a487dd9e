/* SPDX-License-Identifier: Apache-2.0 */
/* The request "batch": many puts and deletes with one answer. */
#ifndef NFTLANE_LOADER_MAPS_BATCH_H
#define NFTLANE_LOADER_MAPS_BATCH_H

void request_batch(void);

#endif
