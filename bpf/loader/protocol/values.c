/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and bytes as text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/protocol/values.h"

/* A digit's value plus 16, or 0 for other characters. A table, because batches have millions of digits. */
static const uint8_t digits[256] = {
	['0'] = 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, ['a'] = 26, 27, 28, 29, 30, 31,
};

/* The number of bytes, or 0 when the text is not hexadecimal or too long. */
static size_t decode_hex(const char *text, void *bytes, size_t capacity)
{
	const uint8_t *from = (const uint8_t *)text;
	uint8_t *to = bytes;
	size_t length = 0;

	for (; *from && length < capacity; from += 2) {
		uint8_t high = digits[from[0]], low = digits[from[1]];

		if (!high || !low)
			return 0;
		to[length++] = high << 4 | (low & 15);
	}
	return *from ? 0 : length;
}

bool parse_key(const char *text, void *key, size_t length)
{
	return decode_hex(text, key, length) == length;
}

bool parse_value(const char *text, void *value, size_t length)
{
	size_t given = decode_hex(text, value, length);

	memset((uint8_t *)value + given, 0, length - given);
	return given > 0;
}

void print_hex(const void *bytes, size_t length)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < length; i++) {
		putchar_unlocked("0123456789abcdef"[from[i] >> 4]);
		putchar_unlocked("0123456789abcdef"[from[i] & 15]);
	}
}

bool parse_number(const char *text, uint32_t *number)
{
	char *after;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &after, 10);
	if (errno || *after || after == text || text[0] == '-' || value > UINT32_MAX)
		return false;
	*number = value;
	return true;
}
