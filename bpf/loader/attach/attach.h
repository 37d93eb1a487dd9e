/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about attached programs. */
#ifndef NFTLANE_LOADER_ATTACH_ATTACH_H
#define NFTLANE_LOADER_ATTACH_ATTACH_H

#include "loader/protocol/lines.h"

void request_attach(const struct request *r);
void request_detach(const struct request *r);
void request_list(const struct request *r);
void request_replace(const struct request *r);

#endif
