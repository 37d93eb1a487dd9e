/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executes a program under a seccomp filter that is at least as strict as those that container runtimes apply by default.
 *
 *   with-seccomp PROGRAM [ARGUMENT...]
 *
 * The default profiles of Docker and containerd are allow lists that depend on the container's capabilities. The list below
 * has only calls that both allow to a container with NET_ADMIN alone, and none for other architectures than that of the build.
 * So a program that works here does not miss a call under these profiles. As under them, other calls fail with EPERM; clone3,
 * whose flags a filter cannot read, and calls newer than the list fail with ENOSYS, so that libraries use an older call.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "The architecture's AUDIT_ARCH is missing here."
#endif

#define NEW_NAMESPACES                                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const unsigned int allowed[] = {
	/* files and directories */
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev, SYS_lseek,
	SYS_openat, SYS_close, SYS_close_range, SYS_dup, SYS_dup3, SYS_fcntl, SYS_flock, SYS_ioctl, SYS_pipe2,
	SYS_newfstatat, SYS_fstat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat, SYS_faccessat2, SYS_getdents64,
	SYS_readlinkat, SYS_mkdirat, SYS_unlinkat, SYS_linkat, SYS_symlinkat, SYS_renameat2, SYS_fchmod, SYS_fchmodat,
	SYS_fchown, SYS_fchownat, SYS_ftruncate, SYS_truncate, SYS_fallocate, SYS_fadvise64, SYS_fsync, SYS_fdatasync,
	SYS_utimensat, SYS_umask, SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_copy_file_range, SYS_sendfile, SYS_splice,
	SYS_memfd_create, SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch,
	/* memory */
	SYS_brk, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_mincore, SYS_msync, SYS_mlock,
	SYS_munlock, SYS_membarrier,
	/* processes, threads and signals */
	SYS_execve, SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid, SYS_kill, SYS_tkill, SYS_tgkill, SYS_getpid,
	SYS_getppid, SYS_gettid, SYS_getpgid, SYS_setpgid, SYS_getsid, SYS_setsid, SYS_set_tid_address,
	SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_futex, SYS_futex_waitv, SYS_prctl, SYS_capget,
	SYS_pidfd_open, SYS_pidfd_send_signal, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
	SYS_rt_sigpending, SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_sigaltstack, SYS_signalfd4, SYS_restart_syscall,
	/* users and limits */
	SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_setuid,
	SYS_setgid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_getrlimit,
	SYS_setrlimit, SYS_prlimit64, SYS_getrusage, SYS_getpriority, SYS_setpriority, SYS_sched_yield,
	SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getparam, SYS_sched_getscheduler,
	SYS_sched_get_priority_max, SYS_sched_get_priority_min,
	/* time, events and facts about the system */
	SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_times,
	SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_setitimer, SYS_getitimer, SYS_ppoll,
	SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd2, SYS_uname,
	SYS_sysinfo, SYS_getcpu, SYS_getrandom,
	/* sockets, besides `socket` */
	SYS_socketpair, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect, SYS_shutdown, SYS_getsockname,
	SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom,
	SYS_recvmsg, SYS_recvmmsg,
#if defined(__x86_64__)
	/* calls that newer architectures do not have */
	SYS_open, SYS_creat, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_mkdir, SYS_rmdir, SYS_unlink, SYS_link,
	SYS_symlink, SYS_rename, SYS_renameat, SYS_chmod, SYS_chown, SYS_lchown, SYS_getdents, SYS_dup2, SYS_pipe,
	SYS_fork, SYS_vfork, SYS_getpgrp, SYS_arch_prctl, SYS_time, SYS_alarm, SYS_pause, SYS_poll, SYS_select,
	SYS_epoll_create, SYS_epoll_wait, SYS_eventfd, SYS_signalfd, SYS_inotify_init, SYS_utimes,
#endif
};

#define COUNT (sizeof(allowed) / sizeof(*allowed))
/* Beside two instructions for each allowed call. */
#define OTHER_INSTRUCTIONS 64

static struct sock_filter filter[2 * COUNT + OTHER_INSTRUCTIONS];
static unsigned short length;

static void die(const char *what)
{
	fprintf(stderr, "with-seccomp: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void add(struct sock_filter instruction)
{
	if (length == sizeof(filter) / sizeof(*filter)) {
		errno = ENOSPC;
		die("filter");
	}
	filter[length++] = instruction;
}

static void load(size_t offset)
{
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void result(unsigned int action)
{
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The next `count` instructions are for this value only. */
static void if_equal(unsigned int value, unsigned char count)
{
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count));
}

static unsigned int error(unsigned int number)
{
	return SECCOMP_RET_ERRNO | number;
}

/* Flags, domains and personalities are in the first argument, whose lower half comes first on little-endian machines. */
static void add_argument_checks(void)
{
	static const unsigned int personalities[] = { 0, 0x8, 0x20000, 0x20008, 0xffffffff };
	const size_t count = sizeof(personalities) / sizeof(*personalities);
	const size_t argument = offsetof(struct seccomp_data, args[0]);

	if_equal(SYS_clone, 4);
	load(argument);
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1));
	result(error(EPERM));
	result(SECCOMP_RET_ALLOW);

	if_equal(SYS_socket, 4);
	load(argument);
	if_equal(AF_VSOCK, 1);
	result(error(EPERM));
	result(SECCOMP_RET_ALLOW);

	if_equal(SYS_personality, 2 * count + 2);
	load(argument);
	for (size_t i = 0; i < count; i++) {
		if_equal(personalities[i], 1);
		result(SECCOMP_RET_ALLOW);
	}
	result(error(EPERM));
}

static void make_filter(void)
{
	unsigned int newest = 0;

	load(offsetof(struct seccomp_data, arch));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
	result(error(EPERM));
	load(offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT; i++) {
		if_equal(allowed[i], 1);
		result(SECCOMP_RET_ALLOW);
		if (allowed[i] > newest)
			newest = allowed[i];
	}
	if_equal(SYS_clone3, 1);
	result(error(ENOSYS));
	/* Also the calls of x32, which have bit 30 set. */
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newest, 0, 1));
	result(error(ENOSYS));
	add_argument_checks();
	result(error(EPERM));
}

int main(int argc, char **argv)
{
	struct sock_fprog program = { .filter = filter };

	if (argc < 2) {
		fprintf(stderr, "with-seccomp PROGRAM [ARGUMENT...]\n");
		return 125;
	}
	make_filter();
	program.len = length;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		die("seccomp");
	execvp(argv[1], argv + 1);
	die(argv[1]);
}
