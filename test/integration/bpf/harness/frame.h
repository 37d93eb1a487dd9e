/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, and runs of a program on a frame. */
#ifndef NFTLANE_HARNESS_FRAME_H
#define NFTLANE_HARNESS_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_FRAME 4096

struct frame {
	uint32_t ifindex;
	uint32_t gso_size;
	uint32_t length;
	uint8_t bytes[MAX_FRAME];
};

/* Reads "PROGRAM IFINDEX GSO_SIZE HEX". `program` has room for 16 bytes. */
bool read_frame(char *line, char *program, struct frame *frame);
/* Each is false when the kernel refuses the frame, with errno. */
bool run_program(int fd, const struct frame *in, struct frame *out, uint32_t *verdict);
bool time_program(int fd, const struct frame *in, uint32_t repeat, uint32_t *verdict, uint32_t *ns);

#endif
