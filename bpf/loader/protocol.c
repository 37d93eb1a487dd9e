/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers as text. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader.h"

#define BUFFER_BYTES (1 << 20)

static char buffer[BUFFER_BYTES + 1];
static size_t begin, end;
static bool eof;

/* Room for more after what has not been read yet. */
static void compact_buffer(void)
{
	memmove(buffer, buffer + begin, end - begin);
	end -= begin;
	begin = 0;
}

static void read_more(void)
{
	ssize_t n;

	fflush(stdout);
	do
		n = read(STDIN_FILENO, buffer + end, BUFFER_BYTES - end);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		eof = true;
	else
		end += n;
}

char *read_line(void)
{
	size_t searched = 0;

	for (;;) {
		char *newline = memchr(buffer + begin + searched, '\n', end - begin - searched);
		char *line = buffer + begin;

		if (newline) {
			*newline = '\0';
			begin = newline + 1 - buffer;
			return line;
		}
		/* A last line without an end is half a request. */
		if (eof)
			return NULL;
		searched = end - begin;
		if (begin > 0 && end == BUFFER_BYTES)
			compact_buffer();
		if (end - begin == BUFFER_BYTES)
			return NULL;
		if (begin == end)
			begin = end = 0;
		read_more();
	}
}

struct request parse_request(char *line)
{
	struct request r = { 0 };
	char *end = line + strlen(line);

	if (end > line && end[-1] == '\r')
		*--end = '\0';
	while (line < end && r.count < MAX_ARGS) {
		char *space = memchr(line, ' ', end - line);

		if (space)
			*space = '\0';
		if (*line)
			r.args[r.count++] = line;
		line = space ? space + 1 : end;
	}
	return r;
}

/* Of a digit its value and 16, of everything else 0: a batch has millions of them. */
static const uint8_t digits[256] = {
	['0'] = 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, ['a'] = 26, 27, 28, 29, 30, 31,
};

/* How many bytes the text has; 0 when it is something else, or has more than there is room for. */
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

bool parse_role(const char *text, enum role *role)
{
	for (int i = 0; i < ROLES; i++) {
		if (strcmp(text, role_names[i]))
			continue;
		*role = i;
		return true;
	}
	return false;
}

const char *pin_path(const char *name)
{
	static char paths[8][512];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", pin_directory, name);
	return path;
}

void emit(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vprintf(format, values);
	va_end(values);
}

void ok(const char *format, ...)
{
	va_list values;

	fputs("ok ", stdout);
	va_start(values, format);
	vprintf(format, values);
	va_end(values);
	putchar('\n');
}

void done(void)
{
	puts("ok");
}

const char *error_name(int error)
{
	static char number[16];
	const char *name = strerrorname_np(abs(error));

	if (name)
		return name;
	snprintf(number, sizeof(number), "E%d", abs(error));
	return number;
}

void fail(int error, const char *format, ...)
{
	va_list values;

	printf("error %s ", error_name(error));
	va_start(values, format);
	vprintf(format, values);
	va_end(values);
	putchar('\n');
}
