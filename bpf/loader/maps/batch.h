/* SPDX-License-Identifier: Apache-2.0 */
/* The request "batch": many puts and deletes with one answer. */
#ifndef NFTLANE_LOADER_MAPS_BATCH_H
#define NFTLANE_LOADER_MAPS_BATCH_H

#include "loader/protocol/lines.h"

void request_batch(const struct request *r);

#endif
