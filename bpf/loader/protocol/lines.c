/* SPDX-License-Identifier: Apache-2.0 */
/* Requests from standard input. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/protocol/lines.h"

#define BUFFER_BYTES (1 << 20)

static char buffer[BUFFER_BYTES + 1];
static size_t begin, end;
static bool eof;

/* Moves the unread input to the start of the buffer. */
static void compact_buffer(void)
{
	memmove(buffer, buffer + begin, end - begin);
	end -= begin;
	begin = 0;
}

static void fill_buffer(void)
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
		/* A last line without a newline is incomplete. */
		if (eof)
			return NULL;
		searched = end - begin;
		if (begin > 0 && end == BUFFER_BYTES)
			compact_buffer();
		if (end - begin == BUFFER_BYTES)
			return NULL;
		if (begin == end)
			begin = end = 0;
		fill_buffer();
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
