/* SPDX-License-Identifier: Apache-2.0 */
/* Qdiscs and tc filters, by rtnetlink dumps. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "loader/tc/netlink.h"

struct dump_request {
	struct nlmsghdr header;
	struct tcmsg tc;
};

typedef void on_message(const struct nlmsghdr *message, void *context);

/* Reads the messages of a dump up to its end. */
static int receive_dump(int fd, on_message *callback, void *context)
{
	static char datagram[65536];

	for (;;) {
		ssize_t n = recv(fd, datagram, sizeof(datagram), 0);
		struct nlmsghdr *message = (void *)datagram;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		for (size_t left = n; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
			if (message->nlmsg_type == NLMSG_DONE)
				return 0;
			if (message->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(message))->error;
			callback(message, context);
		}
	}
}

static int dump(int type, uint32_t ifindex, uint32_t parent, on_message *callback, void *context)
{
	struct dump_request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = type,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			    .nlmsg_seq = 1 },
		.tc = { .tcm_ifindex = ifindex, .tcm_parent = parent },
	};
	struct timeval timeout = { .tv_sec = 5 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	error = send(fd, &request, sizeof(request), 0) < 0 ? -errno : receive_dump(fd, callback, context);
	close(fd);
	return error;
}

/* Sets `found` to the attributes by type, for types below `count`. */
static void parse_rtattrs(const struct rtattr *a, int length, const struct rtattr **found, int count)
{
	memset(found, 0, count * sizeof(*found));
	for (; RTA_OK(a, length); a = RTA_NEXT(a, length)) {
		int type = a->rta_type & NLA_TYPE_MASK;

		if (type < count)
			found[type] = a;
	}
}

static void copy_string(const struct rtattr *a, char *to, size_t size)
{
	size_t length = a ? RTA_PAYLOAD(a) : 0;

	if (length >= size)
		length = size - 1;
	if (length)
		memcpy(to, RTA_DATA(a), length);
	to[length] = '\0';
	/* Readers of answers split at spaces and newlines. */
	for (char *c = to; *c; c++)
		if (*c <= ' ')
			*c = '_';
}

struct dump_callbacks {
	uint32_t ifindex;
	on_filter *filter;
	on_qdisc *qdisc;
	void *context;
};

static void read_filter(const struct nlmsghdr *message, void *context)
{
	const struct rtattr *found[TCA_MAX + 1], *bpf_attributes[TCA_BPF_MAX + 1];
	const struct tcmsg *tc = NLMSG_DATA(message);
	const struct dump_callbacks *callbacks = context;
	struct filter filter = { 0 };

	/* A filter without a handle is the head of a priority. */
	if (message->nlmsg_type != RTM_NEWTFILTER || tc->tcm_handle == 0)
		return;
	parse_rtattrs(TCA_RTA(tc), message->nlmsg_len - NLMSG_LENGTH(sizeof(*tc)), found, TCA_MAX + 1);
	copy_string(found[TCA_KIND], filter.kind, sizeof(filter.kind));
	filter.handle = tc->tcm_handle;
	filter.priority = tc->tcm_info >> 16;
	if (!strcmp(filter.kind, "bpf") && found[TCA_OPTIONS]) {
		parse_rtattrs(RTA_DATA(found[TCA_OPTIONS]), RTA_PAYLOAD(found[TCA_OPTIONS]), bpf_attributes,
			      TCA_BPF_MAX + 1);
		copy_string(bpf_attributes[TCA_BPF_NAME], filter.name, sizeof(filter.name));
		if (bpf_attributes[TCA_BPF_ID])
			memcpy(&filter.program_id, RTA_DATA(bpf_attributes[TCA_BPF_ID]), sizeof(filter.program_id));
	}
	callbacks->filter(&filter, callbacks->context);
}

int for_each_filter(uint32_t ifindex, enum direction direction, on_filter *callback, void *context)
{
	struct dump_callbacks callbacks = { .filter = callback, .context = context };
	uint32_t parent = TC_H_MAKE(TC_H_CLSACT, direction == EGRESS ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
	int error = dump(RTM_GETTFILTER, ifindex, parent, read_filter, &callbacks);

	/* Without the qdisc there are no filters. */
	return error == -EINVAL || error == -ENOENT ? 0 : error;
}

static void read_qdisc(const struct nlmsghdr *message, void *context)
{
	const struct rtattr *found[TCA_MAX + 1];
	const struct tcmsg *tc = NLMSG_DATA(message);
	const struct dump_callbacks *callbacks = context;
	char kind[16];

	/* The kernel dumps the qdiscs of all devices. */
	if (message->nlmsg_type != RTM_NEWQDISC || (uint32_t)tc->tcm_ifindex != callbacks->ifindex)
		return;
	parse_rtattrs(TCA_RTA(tc), message->nlmsg_len - NLMSG_LENGTH(sizeof(*tc)), found, TCA_MAX + 1);
	copy_string(found[TCA_KIND], kind, sizeof(kind));
	callbacks->qdisc(kind, tc->tcm_handle, tc->tcm_parent, callbacks->context);
}

int for_each_qdisc(uint32_t ifindex, on_qdisc *callback, void *context)
{
	struct dump_callbacks callbacks = { .ifindex = ifindex, .qdisc = callback, .context = context };

	return dump(RTM_GETQDISC, ifindex, 0, read_qdisc, &callbacks);
}
