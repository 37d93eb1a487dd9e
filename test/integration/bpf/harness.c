/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs pinned programs on packets that never were on a wire.
 *
 *   bpf-harness DIRECTORY run              lines "PROGRAM IFINDEX GSO_SIZE HEX" in, "VERDICT HEX" out
 *   bpf-harness DIRECTORY time REPEAT      the same lines in, "VERDICT NANOSECONDS" of one run out; what the program has
 *                                          made of the packet is what it gets next, REPEAT times
 *   bpf-harness DIRECTORY fuzz COUNT SEED  mutates the packets that it reads in the same form
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf.h>

#include "harness.h"

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

bool run_program(int fd, const struct frame *in, struct frame *out, uint32_t *verdict)
{
	struct __sk_buff context = { .ifindex = in->ifindex, .gso_size = in->gso_size };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = in->length,
			    .data_out = out->bytes, .data_size_out = sizeof(out->bytes), .ctx_in = &context,
			    .ctx_size_in = sizeof(context));

	if (bpf_prog_test_run_opts(fd, &opts))
		return false;
	out->length = opts.data_size_out;
	*verdict = opts.retval;
	return true;
}

bool read_frame(char *line, char *program, struct frame *frame)
{
	char hex[2 * MAX_FRAME + 1];

	if (sscanf(line, "%15s %u %u %8192s", program, &frame->ifindex, &frame->gso_size, hex) != 4)
		return false;
	frame->length = strlen(hex) / 2;
	for (uint32_t i = 0; i < frame->length; i++) {
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		frame->bytes[i] = byte;
	}
	return true;
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

static bool time_program(int fd, const struct frame *in, uint32_t repeat, uint32_t *verdict, uint32_t *ns)
{
	struct __sk_buff context = { .ifindex = in->ifindex, .gso_size = in->gso_size };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = in->length,
			    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = repeat);

	if (bpf_prog_test_run_opts(fd, &opts))
		return false;
	*verdict = opts.retval;
	*ns = opts.duration;
	return true;
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
