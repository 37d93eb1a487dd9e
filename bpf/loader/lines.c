/* SPDX-License-Identifier: Dual BSD/GPL */
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
static bool at_end;

/* Room for more after what has not been read yet. */
static void make_room(void)
{
	memmove(buffer, buffer + begin, end - begin);
	end -= begin;
	begin = 0;
}

static void fill(void)
{
	ssize_t n;

	fflush(stdout);
	do
		n = read(STDIN_FILENO, buffer + end, BUFFER_BYTES - end);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		at_end = true;
	else
		end += n;
}

char *next_line(void)
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
		if (at_end)
			return NULL;
		searched = end - begin;
		if (begin > 0 && end == BUFFER_BYTES)
			make_room();
		if (end - begin == BUFFER_BYTES)
			return NULL;
		if (begin == end)
			begin = end = 0;
		fill();
	}
}

struct request split(char *line)
{
	struct request r = { 0 };
	char *rest = NULL, *word;

	for (word = strtok_r(line, " \r", &rest); word && r.count < MAX_WORDS; word = strtok_r(NULL, " \r", &rest))
		r.words[r.count++] = word;
	return r;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool from_hex(const char *text, void *bytes, size_t length)
{
	uint8_t *to = bytes;

	for (size_t i = 0; i < length; i++) {
		int high = digit(text[2 * i]);
		int low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		to[i] = high << 4 | low;
	}
	return text[2 * length] == '\0';
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
	static unsigned int turn;
	char *path = paths[turn++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", pin_directory, name);
	return path;
}

void say(const char *format, ...)
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
