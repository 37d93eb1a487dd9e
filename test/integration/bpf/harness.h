/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the harness share. */
#ifndef NFTLANE_HARNESS_H
#define NFTLANE_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_FRAME 4096

struct frame {
	uint32_t ifindex;
	uint32_t gso_size;
	uint32_t length;
	uint8_t bytes[MAX_FRAME];
};

bool run_program(int fd, const struct frame *in, struct frame *out, uint32_t *verdict);
bool read_frame(char *line, char *program, struct frame *frame);
/* Returns the exit status. `programs`: uplink, pod. */
int fuzz(const int *programs, unsigned long count, unsigned long seed);

#endif
