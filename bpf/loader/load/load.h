/* SPDX-License-Identifier: Apache-2.0 */
/* The request "load". */
#ifndef NFTLANE_LOADER_LOAD_LOAD_H
#define NFTLANE_LOADER_LOAD_LOAD_H

#include "loader/protocol/lines.h"

void request_load(const struct request *r);
/* Shows libbpf's warnings only while loading. */
void capture_libbpf_warnings(void);

#endif
