/* SPDX-License-Identifier: Apache-2.0 */
/* Answers on standard output: data lines by `emit`, then one line by `ok`, `done` or `fail`. */
#ifndef NFTLANE_LOADER_PROTOCOL_ANSWERS_H
#define NFTLANE_LOADER_PROTOCOL_ANSWERS_H

void emit(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the answer to a request that succeeded, with fields or without. */
void ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
void done(void);
/* Ends the answer to a request that failed. `error` is an errno, positive or negative. */
void fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "EINVAL" and so on, or "E42" for a number that libc has no name for. */
const char *error_name(int error);

#endif
