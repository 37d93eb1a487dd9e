/* SPDX-License-Identifier: Apache-2.0 */
/* The TCP server: one process with one epoll instance, until its input ends. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "process.h"
#include "server.h"
#include "target.h"

#define BATCH 64
/* The highest file descriptor plus one: sockets and a few others. */
#define MAX_FILES 4096

struct connection {
	/* The mode, or 0 before the first byte. */
	char kind;
	uint64_t bytes;
};

static struct connection connections[MAX_FILES];
static int poll_fd;
static char buffer[CHUNK];

static void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
}

static int open_listener(const struct target *target)
{
	int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (const void *)&target->address, target->length) || listen(fd, 1024))
		die("listen");
	return fd;
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (fd >= MAX_FILES) {
			close(fd);
			continue;
		}
		connections[fd] = (struct connection){ 0 };
		watch(fd);
	}
}

static void answer(int fd, const void *bytes, size_t length)
{
	/* A few bytes always fit into the socket buffer. A closed connection is reported by epoll. */
	(void)!send(fd, bytes, length, MSG_NOSIGNAL);
}

static void finish(int fd)
{
	if (connections[fd].kind == MODE_STREAM)
		answer(fd, &connections[fd].bytes, sizeof(connections[fd].bytes));
	close(fd);
}

static void handle_readable(int fd)
{
	struct connection *c = &connections[fd];
	ssize_t length = recv(fd, buffer, sizeof(buffer), 0);

	if (length < 0 && errno == EAGAIN)
		return;
	if (length <= 0) {
		finish(fd);
		return;
	}
	if (!c->kind)
		c->kind = buffer[0];
	c->bytes += length;
	if (c->kind == MODE_REQUEST)
		answer(fd, buffer, length);
	if (c->kind == MODE_CONNECT) {
		answer(fd, buffer, 1);
		close(fd);
	}
}

void serve(const struct target *target)
{
	struct epoll_event events[BATCH];
	int listener = open_listener(target);

	poll_fd = epoll_create1(0);
	watch(listener);
	watch(STDIN_FILENO);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(poll_fd, events, BATCH, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == STDIN_FILENO)
				return;
			if (fd == listener)
				accept_all(listener);
			else
				handle_readable(fd);
		}
	}
}
