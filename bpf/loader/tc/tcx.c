/* SPDX-License-Identifier: Apache-2.0 */
/* tcx links, by direct calls of bpf(2): libbpf 1.1 (Debian 12) does not have them. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "loader/pins.h"
#include "loader/tc/tcx-uapi.h"
#include "loader/tc/tcx.h"

/* Queries the programs of the loopback device, which kernels without tcx reject. */
bool kernel_has_tcx(void)
{
	struct tcx_query query = { .target_ifindex = 1, .attach_type = TCX_INGRESS };

	return syscall(__NR_bpf, BPF_PROG_QUERY, &query, sizeof(query)) == 0 || errno == ENOENT;
}

static const char *link_path(enum role role, uint32_t ifindex)
{
	char name[64];

	snprintf(name, sizeof(name), "link-%s-%u", role_names[role], ifindex);
	return pin_path(name);
}

int tcx_device(enum role role, uint32_t ifindex, uint32_t *program_id)
{
	struct tcx_link_info info = { 0 };
	__u32 length = sizeof(info);
	int fd = bpf_obj_get(link_path(role, ifindex)), error;

	if (fd < 0)
		return -errno;
	error = bpf_obj_get_info_by_fd(fd, &info, &length) ? -errno : 0;
	close(fd);
	*program_id = info.prog_id;
	return error ? error : (int)info.ifindex;
}

int tcx_update(enum role role, uint32_t ifindex, int program)
{
	int fd = bpf_obj_get(link_path(role, ifindex)), error;

	if (fd < 0)
		return -errno;
	error = bpf_link_update(fd, program, NULL) ? -errno : 0;
	close(fd);
	return error;
}

static int create(uint32_t ifindex, int program)
{
	struct tcx_link_create attr = {
		.prog_fd = program,
		.target_ifindex = ifindex,
		.attach_type = TCX_INGRESS,
		.flags = TCX_F_BEFORE,
	};
	int fd = syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

int tcx_attach(enum role role, uint32_t ifindex, int program)
{
	const char *path = link_path(role, ifindex);
	uint32_t program_id;
	int fd, error;

	if (tcx_device(role, ifindex, &program_id) == (int)ifindex)
		return tcx_update(role, ifindex, program);
	/* The link's device was deleted, and another one may have its index. */
	unlink(path);
	fd = create(ifindex, program);
	if (fd < 0)
		return fd;
	error = bpf_obj_pin(fd, path) ? -errno : 0;
	close(fd);
	return error;
}

int tcx_detach(enum role role, uint32_t ifindex)
{
	const char *path = link_path(role, ifindex);
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return -errno;
	/* Unlinking alone would keep the link while another process has it open. */
	bpf_link_detach(fd);
	close(fd);
	return unlink(path) ? -errno : 0;
}
