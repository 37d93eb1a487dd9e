/* SPDX-License-Identifier: Apache-2.0 */
/* The request "probe": what the kernel and the privileges of this process allow. */
#ifndef NFTLANE_LOADER_LOAD_PROBE_H
#define NFTLANE_LOADER_LOAD_PROBE_H

#include "loader/protocol/lines.h"

void request_probe(const struct request *r);

#endif
