/* SPDX-License-Identifier: Apache-2.0 */
/* The directory where maps, programs and links are pinned. */
#ifndef NFTLANE_LOADER_PINS_H
#define NFTLANE_LOADER_PINS_H

/* Keeps the pointer. */
void set_pin_directory(const char *path);
const char *pin_directory(void);
/* The path of a pin. Valid until the eighth call after this one. */
const char *pin_path(const char *name);

/* All return 0 or a negative errno. */
int check_bpf_fs(const char **reason);
int make_pin_directory(void);
int remove_pin_directory(void);
/* Checks that the directory is writable, and leaves nothing behind. */
int probe_pin_directory(void);

#endif
