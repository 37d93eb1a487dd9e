/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and bytes as text: decimal, and lower-case hexadecimal. */
#ifndef NFTLANE_LOADER_PROTOCOL_VALUES_H
#define NFTLANE_LOADER_PROTOCOL_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool parse_number(const char *text, uint32_t *number);
/* A key has exactly `length` bytes. A value may omit zeros at its end. */
bool parse_key(const char *text, void *key, size_t length);
bool parse_value(const char *text, void *value, size_t length);
void print_hex(const void *bytes, size_t length);

#endif
