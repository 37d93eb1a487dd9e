/* SPDX-License-Identifier: Apache-2.0 */
/* Frames as text, and runs of a program on a frame. */
#include <stdio.h>
#include <string.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>

#include "frame.h"

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

bool time_program(int fd, const struct frame *in, uint32_t repeat, uint32_t *verdict, uint32_t *ns)
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
