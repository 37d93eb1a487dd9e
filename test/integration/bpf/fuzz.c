/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random and mutated packets. Whatever comes in: no packet is dropped, one that is handed on is unchanged, one that is
 * redirected has right checksums if it had them before, and has as many bytes as before.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

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

static uint32_t sum(const uint8_t *bytes, uint32_t length, uint32_t start)
{
	for (uint32_t i = 0; i < length; i++)
		start += i % 2 ? bytes[i] : bytes[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

/* What checksums a packet has, and which of them are right: a bit each. */
struct checksums {
	unsigned int present, valid;
};

enum { IP, L4, QUOTED_IP };

static void record_checksum(struct checksums *s, int which, bool valid)
{
	s->present |= 1U << which;
	if (valid)
		s->valid |= 1U << which;
}

/* The pseudo header; addresses are `size` bytes each. */
static uint32_t pseudo_header_sum(const uint8_t *addresses, uint32_t size, uint8_t proto, uint32_t length)
{
	return sum(addresses, 2 * size, proto + length);
}

static void check_l4(struct checksums *s, const uint8_t *l4, uint32_t length, uint8_t proto, uint32_t start)
{
	if (proto == 17 && length >= 8 && !l4[6] && !l4[7])
		return;
	if ((proto == 17 && length >= 8) || (proto == 6 && length >= 20) || (proto == 58 && length >= 8))
		record_checksum(s, L4, sum(l4, length, start) == 0xffff);
	if (proto != 1 || length < 8)
		return;
	record_checksum(s, L4, sum(l4, length, 0) == 0xffff);
	if (length >= 28)
		record_checksum(s, QUOTED_IP, sum(l4 + 8, 20, 0) == 0xffff);
}

static struct checksums check4(const uint8_t *ip, uint32_t length)
{
	uint32_t total = ip[2] << 8 | ip[3];
	struct checksums s = { 0, 0 };

	record_checksum(&s, IP, sum(ip, 20, 0) == 0xffff);
	/* Sums of fragments cover the whole of what was cut up. */
	if (total < 20 || total > length || ip[6] & 0x3f || ip[7])
		return s;
	check_l4(&s, ip + 20, total - 20, ip[9], pseudo_header_sum(ip + 12, 4, ip[9], total - 20));
	return s;
}

static struct checksums check6(const uint8_t *ip, uint32_t length)
{
	uint32_t total = (ip[4] << 8 | ip[5]) + 40, at = 40;
	struct checksums s = { 0, 0 };
	uint8_t proto = ip[6];

	if (total > length)
		return s;
	if (proto == 44) {
		/* A fragment that is the whole, or not ours to check. */
		if (total < 48 || ip[42] || (ip[43] & 0xf9))
			return s;
		proto = ip[40];
		at = 48;
	}
	check_l4(&s, ip + at, total - at, proto, pseudo_header_sum(ip + 8, 16, proto, total - at));
	return s;
}

static struct checksums check(const struct frame *f)
{
	struct checksums none = { 0, 0 };

	if (f->length >= 34 && f->bytes[12] == 0x08 && f->bytes[13] == 0x00)
		return check4(f->bytes + 14, f->length - 14);
	if (f->length >= 54 && f->bytes[12] == 0x86 && f->bytes[13] == 0xdd)
		return check6(f->bytes + 14, f->length - 14);
	return none;
}

/* After a mutation of an IPv4 header most packets would be wrong in one way only: a wrong sum hides nothing here. */
static void fix_ip_checksum(struct frame *f)
{
	uint32_t s;

	if (f->length < 34 || f->bytes[12] != 0x08 || f->bytes[13])
		return;
	f->bytes[24] = f->bytes[25] = 0;
	s = ~sum(f->bytes + 14, 20, 0);
	f->bytes[24] = s >> 8;
	f->bytes[25] = s;
}

static void mutate(struct frame *f)
{
	static const uint8_t interesting[] = { 0, 1, 2, 4, 6, 17, 44, 58, 64, 127, 128, 255 };
	uint32_t changes = random32() % 5;

	for (uint32_t i = 0; i < changes; i++) {
		/* Mostly in the headers, and seldom in the MAC address: there it would end everything. */
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
		return "passed, but changed";
	}
	if (verdict != REDIRECT)
		return "neither passed nor redirected";
	if (in->length != out->length)
		return "redirected with another length";
	before = check(in);
	after = check(out);
	if (before.present != after.present)
		return "redirected, and of another kind";
	if (before.valid & ~after.valid)
		return "redirected with a wrong checksum";
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
			/* The kernel makes no packet of it at all. */
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
