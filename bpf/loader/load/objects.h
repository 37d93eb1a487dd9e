/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF objects, as bytes of an ELF file. */
#ifndef NFTLANE_LOADER_LOAD_OBJECTS_H
#define NFTLANE_LOADER_LOAD_OBJECTS_H

struct object {
	const char *begin, *end;
};

/* The programs that look up conntrack entries, and those for kernels without that function. */
extern const struct object with_conntrack, without_conntrack;

#endif
