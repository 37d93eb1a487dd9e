/* SPDX-License-Identifier: Apache-2.0 */
/* Answers on standard output. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/protocol/answers.h"

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
