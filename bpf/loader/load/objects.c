/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF objects, embedded so that they always match this program. */
#include "loader/load/objects.h"

#define EMBED(name, file) \
	__asm__(".section .rodata\n.balign 16\n" #name "_begin:\n.incbin \"" file "\"\n" #name "_end:\n" \
		".previous\n"); \
	extern const char name##_begin[], name##_end[]

EMBED(fastpath, OBJECT_DIR "/fastpath.o");
EMBED(fastpath_no_conntrack, OBJECT_DIR "/fastpath-no-conntrack.o");

const struct object with_conntrack = { fastpath_begin, fastpath_end };
const struct object without_conntrack = { fastpath_no_conntrack_begin, fastpath_no_conntrack_end };
