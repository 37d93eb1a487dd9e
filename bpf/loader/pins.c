/* SPDX-License-Identifier: Apache-2.0 */
/* The pin directory. Its parent is created and removed with it. */
#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "loader/pins.h"

#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC 0xcafe4a11
#endif

static const char *pins;

void set_pin_directory(const char *path)
{
	pins = path;
}

const char *pin_directory(void)
{
	return pins;
}

const char *pin_path(const char *name)
{
	static char paths[8][512];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", pins, name);
	return path;
}

/* Checks the nearest parent that exists. */
int check_bpf_fs(const char **reason)
{
	char path[512];
	struct statfs fs;

	snprintf(path, sizeof(path), "%s", pins);
	while (statfs(path, &fs)) {
		char *slash = strrchr(path, '/');

		if (errno != ENOENT || !slash || slash == path) {
			*reason = "cannot access the pin directory";
			return -errno;
		}
		*slash = '\0';
	}
	if ((unsigned long)fs.f_type == BPF_FS_MAGIC)
		return 0;
	*reason = "the pin directory is not on a BPF file system (mount -t bpf bpf /sys/fs/bpf)";
	return -EMEDIUMTYPE;
}

int make_pin_directory(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s", pins);
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			return -errno;
		if (!slash)
			return 0;
		*slash = '/';
	}
}

/* Keeps a parent that is not empty or is the root of the file system. */
int remove_pin_directory(void)
{
	char path[512];
	char *slash;

	if (rmdir(pins) && errno != ENOENT)
		return -errno;
	snprintf(path, sizeof(path), "%s", pins);
	slash = strrchr(path, '/');
	if (slash && slash != path) {
		*slash = '\0';
		rmdir(path);
	}
	return 0;
}

/* Creates a directory, because file modes are not sufficient: AppArmor denies containers writes below /sys. */
int probe_pin_directory(void)
{
	bool existed = !access(pins, F_OK);
	int error = make_pin_directory();
	const char *probe = pin_path("probe");

	if (!error && mkdir(probe, 0700) && errno != EEXIST)
		error = -errno;
	if (!error)
		rmdir(probe);
	if (!existed)
		remove_pin_directory();
	return error;
}
