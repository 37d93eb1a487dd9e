/* SPDX-License-Identifier: Apache-2.0 */
/* Requests from standard input: one line each, split at spaces. */
#ifndef NFTLANE_LOADER_PROTOCOL_LINES_H
#define NFTLANE_LOADER_PROTOCOL_LINES_H

#define MAX_ARGS 8

/* The words of a request, its name included. They point into the line. */
struct request {
	int count;
	char *args[MAX_ARGS];
};

/* The next line of input without its newline, or NULL at the end. Flushes the answers before it blocks. */
char *read_line(void);
struct request parse_request(char *line);

#endif
