/* SPDX-License-Identifier: Apache-2.0 */
/* The TCP server. */
#ifndef NFTLANE_LOAD_GENERATOR_SERVER_H
#define NFTLANE_LOAD_GENERATOR_SERVER_H

#include "target.h"

/* Serves until standard input ends. */
void serve(const struct target *target);

#endif
