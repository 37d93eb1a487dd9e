/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries system calls that the default seccomp profiles of container runtimes deny, and prints "NAME ERROR" for each.
 *
 *   denied-calls [NAME...]
 *
 * Without names, it tries all of them. The arguments are invalid, so that no call does anything where it is not denied.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An address and file descriptor that no process has, and flags that no call knows. */
#define INVALID (-1L)
/* Newer than any call. */
#define SYS_unknown 4000

static const struct {
	const char *name;
	long number;
	long argument;
} calls[] = {
#define CALL(name) { #name, SYS_##name, INVALID }
	/* namespaces and mounts */
	CALL(unshare), CALL(setns), CALL(mount), CALL(umount2), CALL(pivot_root), CALL(chroot), CALL(move_mount),
	CALL(open_tree), CALL(fsopen), CALL(fsmount), CALL(fsconfig), CALL(fspick), CALL(mount_setattr),
	CALL(sethostname), CALL(setdomainname), CALL(open_by_handle_at), CALL(quotactl),
	/* A thread needs more flags than this one. */
	{ "clone", SYS_clone, CLONE_NEWNET | CLONE_NEWUTS | CLONE_THREAD },
	{ "clone3", SYS_clone3, INVALID },
	/* the kernel and the machine */
	CALL(bpf), CALL(perf_event_open), CALL(init_module), CALL(finit_module), CALL(delete_module), CALL(kexec_load),
	CALL(kexec_file_load), CALL(reboot), CALL(swapon), CALL(swapoff), CALL(acct), CALL(syslog), CALL(settimeofday),
	CALL(clock_settime), CALL(clock_adjtime),
#if defined(__x86_64__)
	CALL(iopl), CALL(ioperm),
#endif
	/* keys, other processes and interfaces with a large attack surface */
	CALL(keyctl), CALL(add_key), CALL(request_key), CALL(process_vm_readv), CALL(process_vm_writev), CALL(kcmp),
	CALL(pidfd_getfd), CALL(userfaultfd), CALL(io_uring_setup), CALL(io_uring_enter), CALL(io_uring_register),
	CALL(fanotify_init),
	/* ADDR_NO_RANDOMIZE, of this process only */
	{ "personality", SYS_personality, 0x40000 },
	{ "socket", SYS_socket, AF_VSOCK },
	CALL(unknown),
};

static int is_requested(const char *name, char **names)
{
	if (!*names)
		return 1;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (!is_requested(calls[i].name, argv + 1))
			continue;
		errno = 0;
		syscall(calls[i].number, calls[i].argument, INVALID, INVALID, INVALID, INVALID, INVALID);
		printf("%s %s\n", calls[i].name, strerrorname_np(errno) ?: "-");
	}
	return 0;
}
