/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about single maps. Keys and values are bytes: the daemon knows the structs. */
#ifndef NFTLANE_LOADER_MAPS_REQUESTS_H
#define NFTLANE_LOADER_MAPS_REQUESTS_H

#include "loader/protocol/lines.h"

void request_put(const struct request *r);
void request_del(const struct request *r);
void request_get(const struct request *r);
void request_dump(const struct request *r);
void request_flush(const struct request *r);

#endif
