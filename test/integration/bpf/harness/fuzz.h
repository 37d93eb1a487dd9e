/* SPDX-License-Identifier: Apache-2.0 */
/* Random and mutated packets. */
#ifndef NFTLANE_HARNESS_FUZZ_H
#define NFTLANE_HARNESS_FUZZ_H

/* Mutates the frames of standard input. `programs` are uplink and pod. Returns the exit status. */
int fuzz(const int *programs, unsigned long count, unsigned long seed);

#endif
