/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random and mutated packets. Invariants: no packet is dropped, a passed packet is unchanged, and a redirected one has
 * the same length, and valid checksums if they were valid before.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksums.h"
#include "frame.h"
#include "fuzz.h"

#define MAX_SEEDS 256
#define REDIRECT 7
#define PASSED UINT32_MAX /* TC_ACT_UNSPEC */

struct seed {
	bool pod;
	struct frame frame;
};

static struct seed seeds[MAX_SEEDS];
static int seed_count;
static uint64_t state;

static uint32_t random32(void)
{
	/* xorshift64* */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dULL >> 32;
}

/* Repairs the IPv4 checksum, which would otherwise be the only fault of most mutated packets. */
static void fix_ip_checksum(struct frame *f)
{
	uint32_t s;

	if (f->length < 34 || f->bytes[12] != 0x08 || f->bytes[13])
		return;
	f->bytes[24] = f->bytes[25] = 0;
	s = ~checksum(f->bytes + 14, 20, 0);
	f->bytes[24] = s >> 8;
	f->bytes[25] = s;
}

static void mutate(struct frame *f)
{
	static const uint8_t interesting[] = { 0, 1, 2, 4, 6, 17, 44, 58, 64, 127, 128, 255 };
	uint32_t changes = random32() % 5;

	for (uint32_t i = 0; i < changes; i++) {
		/* Mostly in the headers, and rarely in the MAC addresses, where most changes end the processing. */
		uint32_t from = random32() % 16 ? 14 : 0;
		uint32_t at = from + random32() % ((random32() % 8 ? 110 : f->length) - from);

		if (at >= f->length)
			continue;
		switch (random32() % 3) {
		case 0:
			f->bytes[at] = random32();
			break;
		case 1:
			f->bytes[at] ^= 1U << (random32() % 8);
			break;
		default:
			f->bytes[at] = interesting[random32() % sizeof(interesting)];
		}
	}
	if (random32() % 8 == 0)
		f->length = 15 + random32() % (f->length + 64 - 15);
	if (random32() % 64 == 0)
		for (uint32_t i = 14; i < f->length; i++)
			f->bytes[i] = random32();
	if (random32() % 2)
		fix_ip_checksum(f);
}

static void print_frame(const char *what, const struct frame *f)
{
	printf("  %s device %u, %u bytes: ", what, f->ifindex, f->length);
	for (uint32_t i = 0; i < f->length; i++)
		printf("%02x", f->bytes[i]);
	printf("\n");
}

static const char *find_violation(const struct frame *in, const struct frame *out, uint32_t verdict)
{
	struct checksums before, after;

	if (verdict == PASSED) {
		if (in->length == out->length && !memcmp(in->bytes, out->bytes, in->length))
			return NULL;
		return "passed, but modified";
	}
	if (verdict != REDIRECT)
		return "neither passed nor redirected";
	if (in->length != out->length)
		return "redirected with another length";
	before = check_frame(in);
	after = check_frame(out);
	if (before.present != after.present)
		return "redirected with other kinds of checksums";
	if (before.valid & ~after.valid)
		return "redirected with an invalid checksum";
	return NULL;
}

static void read_seeds(void)
{
	static char line[2 * MAX_FRAME + 64];
	char program[16];

	while (seed_count < MAX_SEEDS && fgets(line, sizeof(line), stdin)) {
		if (!read_frame(line, program, &seeds[seed_count].frame))
			continue;
		seeds[seed_count++].pod = !strcmp(program, "pod");
	}
}

int fuzz(const int *programs, unsigned long count, unsigned long seed)
{
	static struct frame in, out;
	unsigned long redirected = 0, refused = 0, bad = 0, run = 0;

	state = seed * 2654435761UL + 88172645463325252UL;
	read_seeds();
	if (!seed_count)
		return 1;
	while (run < count && bad < 10) {
		const struct seed *s = &seeds[random32() % seed_count];
		const char *violation;
		uint32_t verdict;

		in = s->frame;
		mutate(&in);
		if (!run_program(programs[s->pod], &in, &out, &verdict)) {
			/* The kernel refuses to build a packet from it. */
			refused++;
			continue;
		}
		run++;
		redirected += verdict == REDIRECT;
		violation = find_violation(&in, &out, verdict);
		if (!violation)
			continue;
		bad++;
		printf("%s (verdict %d, %s)\n", violation, (int)verdict, s->pod ? "pod" : "uplink");
		print_frame("in: ", &in);
		print_frame("out:", &out);
	}
	printf("packets=%lu redirected=%lu refused=%lu violations=%lu\n", run, redirected, refused, bad);
	return bad ? 1 : 0;
}
