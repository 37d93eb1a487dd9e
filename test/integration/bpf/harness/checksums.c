/* SPDX-License-Identifier: Apache-2.0 */
/* The checksums of a frame. */
#include <stdbool.h>

#include "checksums.h"

uint32_t checksum(const uint8_t *bytes, uint32_t length, uint32_t start)
{
	for (uint32_t i = 0; i < length; i++)
		start += i % 2 ? bytes[i] : bytes[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

enum { IP, L4, QUOTED_IP };

static void record_checksum(struct checksums *s, int which, bool valid)
{
	s->present |= 1U << which;
	if (valid)
		s->valid |= 1U << which;
}

/* The sum of the pseudo header. Addresses have `size` bytes each. */
static uint32_t pseudo_header_sum(const uint8_t *addresses, uint32_t size, uint8_t proto, uint32_t length)
{
	return checksum(addresses, 2 * size, proto + length);
}

static void check_l4(struct checksums *s, const uint8_t *l4, uint32_t length, uint8_t proto, uint32_t start)
{
	if (proto == 17 && length >= 8 && !l4[6] && !l4[7])
		return;
	if ((proto == 17 && length >= 8) || (proto == 6 && length >= 20) || (proto == 58 && length >= 8))
		record_checksum(s, L4, checksum(l4, length, start) == 0xffff);
	if (proto != 1 || length < 8)
		return;
	record_checksum(s, L4, checksum(l4, length, 0) == 0xffff);
	if (length >= 28)
		record_checksum(s, QUOTED_IP, checksum(l4 + 8, 20, 0) == 0xffff);
}

static struct checksums check4(const uint8_t *ip, uint32_t length)
{
	uint32_t total = ip[2] << 8 | ip[3];
	struct checksums s = { 0, 0 };

	record_checksum(&s, IP, checksum(ip, 20, 0) == 0xffff);
	/* The checksum of a fragmented packet covers all of its fragments. */
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
		/* Only a fragment that is the whole packet can be checked. */
		if (total < 48 || ip[42] || (ip[43] & 0xf9))
			return s;
		proto = ip[40];
		at = 48;
	}
	check_l4(&s, ip + at, total - at, proto, pseudo_header_sum(ip + 8, 16, proto, total - at));
	return s;
}

struct checksums check_frame(const struct frame *f)
{
	struct checksums none = { 0, 0 };

	if (f->length >= 34 && f->bytes[12] == 0x08 && f->bytes[13] == 0x00)
		return check4(f->bytes + 14, f->length - 14);
	if (f->length >= 54 && f->bytes[12] == 0x86 && f->bytes[13] == 0xdd)
		return check6(f->bytes + 14, f->length - 14);
	return none;
}
