/* SPDX-License-Identifier: Apache-2.0 */
/* Exit on errors, and clocks. */
#ifndef NFTLANE_LOAD_GENERATOR_PROCESS_H
#define NFTLANE_LOAD_GENERATOR_PROCESS_H

#include <stdint.h>

/* Prints what failed, with errno, and exits. */
void die(const char *what) __attribute__((noreturn));
uint64_t wall_ns(void);
/* The processor time of this process. */
uint64_t cpu_ns(void);

#endif
