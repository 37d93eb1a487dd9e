/* SPDX-License-Identifier: Apache-2.0 */
/* The checksums of a frame. */
#ifndef NFTLANE_HARNESS_CHECKSUMS_H
#define NFTLANE_HARNESS_CHECKSUMS_H

#include <stdint.h>

#include "frame.h"

/* The checksums that a packet has, and those that are valid: one bit each. */
struct checksums {
	unsigned int present, valid;
};

struct checksums check_frame(const struct frame *f);

/* RFC 1071: the folded sum, from `start` on. */
uint32_t checksum(const uint8_t *bytes, uint32_t length, uint32_t start);

#endif
