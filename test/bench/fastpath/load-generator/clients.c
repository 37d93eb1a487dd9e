/* SPDX-License-Identifier: Apache-2.0 */
/* The clients: each runs for a time and counts. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "clients.h"
#include "process.h"
#include "target.h"

/* Datagrams per system call, to reduce the sender's share of the time. */
#define BURST 16
#define PAYLOAD 18
#define TIMEOUT_MS 5000

static int open_socket(const struct target *target, int kind)
{
	int fd = socket(target->address.ss_family, kind, 0);
	int on = 1;

	if (fd < 0)
		die("socket");
	if ((kind & 0xf) == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const void *)&target->address, target->length) && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static void set_timeouts(int fd)
{
	struct timeval timeout = { .tv_sec = TIMEOUT_MS / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

/* Starts the clocks. */
static struct result start(void)
{
	return (struct result){ .wall_ns = wall_ns(), .cpu_ns = cpu_ns() };
}

static bool has_time_left(const struct result *started, uint64_t ms)
{
	return wall_ns() - started->wall_ns < ms * 1000000;
}

static struct result stop(struct result result)
{
	result.wall_ns = wall_ns() - result.wall_ns;
	result.cpu_ns = cpu_ns() - result.cpu_ns;
	return result;
}

static void send_burst(int fd, struct mmsghdr *burst, unsigned int length, struct result *result)
{
	int sent = sendmmsg(fd, burst, length, 0);

	if (sent < 0)
		result->failures++;
	else
		result->count += sent;
}

/* Sends `length` datagrams from each socket in turn. With many flows, a first turn creates them and does not count. */
static struct result send_round_robin(const int *fds, unsigned int sockets, unsigned int length, uint64_t ms)
{
	static char payload[PAYLOAD];
	struct iovec part = { payload, sizeof(payload) };
	struct mmsghdr burst[BURST] = { 0 };
	struct result result = { 0 };

	for (unsigned int i = 0; i < BURST; i++) {
		burst[i].msg_hdr.msg_iov = &part;
		burst[i].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned int i = 0; i < sockets && sockets > MAX_SOCKETS; i++)
		send_burst(fds[i], burst, 1, &result);
	result = start();
	while (has_time_left(&result, ms)) {
		for (unsigned int i = 0; i < sockets; i++)
			send_burst(fds[i], burst, length, &result);
	}
	return stop(result);
}

struct result send_datagrams(const struct target *target, unsigned int sockets, uint64_t ms)
{
	int fds[MAX_SOCKETS];

	for (unsigned int i = 0; i < sockets; i++)
		fds[i] = open_socket(target, SOCK_DGRAM);
	return send_round_robin(fds, sockets, BURST, ms);
}

/* One datagram of each flow at a time, so that no cache line of a flow is reused by the next packet. */
struct result scatter_datagrams(const struct target *target, unsigned int sockets, uint64_t ms)
{
	struct rlimit files = { MAX_FLOWS + 64, MAX_FLOWS + 64 };
	static int fds[MAX_FLOWS];

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("setrlimit");
	for (unsigned int i = 0; i < sockets; i++)
		fds[i] = open_socket(target, SOCK_DGRAM);
	return send_round_robin(fds, sockets, 1, ms);
}

static void watch(int poll_fd, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
}

static void modify_watch(int poll_fd, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, fd, &event))
		die("epoll_ctl");
}

static void start_connection(const struct target *target, int poll_fd)
{
	watch(poll_fd, open_socket(target, SOCK_STREAM | SOCK_NONBLOCK), EPOLLOUT);
}

/* Returns whether the connection is over, and then has closed it. */
static bool handle_event(int poll_fd, const struct epoll_event *event, struct result *result)
{
	static const char request = MODE_CONNECT;
	int fd = event->data.fd;
	char answer[16];

	if (event->events & EPOLLERR) {
		result->failures++;
		close(fd);
		return true;
	}
	if (event->events & EPOLLOUT) {
		if (send(fd, &request, 1, MSG_NOSIGNAL) != 1)
			result->failures++;
		modify_watch(poll_fd, fd, EPOLLIN);
		return false;
	}
	/* First the answer, then the end. */
	if (recv(fd, answer, sizeof(answer), 0) > 0)
		return false;
	result->count++;
	close(fd);
	return true;
}

/* Connect, request, response and close, on `sockets` connections at a time. */
struct result open_connections(const struct target *target, unsigned int sockets, uint64_t ms)
{
	struct epoll_event events[MAX_SOCKETS];
	struct result result = start();
	int poll_fd = epoll_create1(0);

	for (unsigned int i = 0; i < sockets; i++)
		start_connection(target, poll_fd);
	while (sockets > 0 && has_time_left(&result, ms + TIMEOUT_MS)) {
		int count = epoll_wait(poll_fd, events, MAX_SOCKETS, TIMEOUT_MS);

		for (int i = 0; i < count; i++) {
			if (!handle_event(poll_fd, &events[i], &result))
				continue;
			if (has_time_left(&result, ms))
				start_connection(target, poll_fd);
			else
				sockets--;
		}
	}
	result.failures += sockets;
	return stop(result);
}

/* Requests and responses of one byte, one at a time on each connection. */
struct result exchange_requests(const struct target *target, unsigned int sockets, uint64_t ms)
{
	struct epoll_event events[MAX_SOCKETS];
	int poll_fd = epoll_create1(0);
	char byte = MODE_REQUEST;
	struct result result;

	for (unsigned int i = 0; i < sockets; i++) {
		int fd = open_socket(target, SOCK_STREAM);

		watch(poll_fd, fd, EPOLLIN);
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			die("send");
	}
	result = start();
	while (has_time_left(&result, ms)) {
		int count = epoll_wait(poll_fd, events, MAX_SOCKETS, TIMEOUT_MS);

		if (count <= 0)
			die("no answer");
		for (int i = 0; i < count; i++) {
			if (recv(events[i].data.fd, &byte, 1, 0) != 1 ||
			    send(events[i].data.fd, &byte, 1, MSG_NOSIGNAL) != 1)
				die("connection lost");
			result.count++;
		}
	}
	return stop(result);
}

/* One connection. Counts the bytes that the server has read, when it reports them. */
struct result send_stream(const struct target *target, unsigned int sockets, uint64_t ms)
{
	static char chunk[CHUNK];
	struct result result = start();
	int fd = open_socket(target, SOCK_STREAM);

	(void)sockets;
	set_timeouts(fd);
	memset(chunk, MODE_STREAM, sizeof(chunk));
	while (has_time_left(&result, ms)) {
		if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0)
			die("send");
	}
	shutdown(fd, SHUT_WR);
	if (recv(fd, &result.count, sizeof(result.count), MSG_WAITALL) != sizeof(result.count))
		die("no byte count from the server");
	return stop(result);
}
