/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the pinned programs on packets by BPF_PROG_TEST_RUN.
 *
 *   bpf-harness DIRECTORY run              reads lines "PROGRAM IFINDEX GSO_SIZE HEX", answers "VERDICT HEX"
 *   bpf-harness DIRECTORY time REPEAT      reads the same lines, answers "VERDICT NANOSECONDS" of one run; each of the
 *                                          REPEAT runs gets the packet as the run before it has left it
 *   bpf-harness DIRECTORY fuzz COUNT SEED  reads the same lines and runs mutations of the packets
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "frame.h"
#include "fuzz.h"

static int open_program(const char *directory, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static void run_frames(const int *programs)
{
	static char line[2 * MAX_FRAME + 64];
	struct frame in, out;
	char program[16];
	uint32_t verdict;

	while (fgets(line, sizeof(line), stdin)) {
		if (!read_frame(line, program, &in))
			printf("error EINVAL\n");
		else if (!run_program(programs[!strcmp(program, "pod")], &in, &out, &verdict))
			printf("error %s\n", strerrorname_np(errno));
		else {
			printf("%d ", (int)verdict);
			for (uint32_t i = 0; i < out.length; i++)
				printf("%02x", out.bytes[i]);
			printf("\n");
		}
		fflush(stdout);
	}
}

static void time_frames(const int *programs, uint32_t repeat)
{
	static char line[2 * MAX_FRAME + 64];
	uint32_t verdict, ns;
	struct frame in;
	char program[16];

	while (fgets(line, sizeof(line), stdin)) {
		if (!read_frame(line, program, &in))
			printf("error EINVAL\n");
		else if (!time_program(programs[!strcmp(program, "pod")], &in, repeat, &verdict, &ns))
			printf("error %s\n", strerrorname_np(errno));
		else
			printf("%d %u\n", (int)verdict, ns);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	int programs[2];

	if (argc < 3) {
		fprintf(stderr, "Usage: bpf-harness DIRECTORY run|time|fuzz [REPEAT|COUNT SEED]\n");
		return 2;
	}
	programs[0] = open_program(argv[1], "fp_uplink");
	programs[1] = open_program(argv[1], "fp_pod");
	if (!strcmp(argv[2], "fuzz") && argc == 5)
		return fuzz(programs, strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	if (!strcmp(argv[2], "time") && argc == 4)
		time_frames(programs, strtoul(argv[3], NULL, 10));
	else
		run_frames(programs);
	return 0;
}
