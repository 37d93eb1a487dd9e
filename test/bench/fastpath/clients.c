/* SPDX-License-Identifier: Dual BSD/GPL */
/* The clients: each runs for a time and counts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "load.h"

/* Datagrams that one call sends, so that less of what is measured is the sender's. */
#define BURST 16
#define PAYLOAD 18
#define PATIENCE_MS 5000

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

static void be_patient(int fd)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

/* The clocks run from here on. */
static struct outcome start(void)
{
	return (struct outcome){ .wall_ns = wall_ns(), .processor_ns = processor_ns() };
}

static bool has_time(const struct outcome *started, uint64_t ms)
{
	return wall_ns() - started->wall_ns < ms * 1000000;
}

static struct outcome stop(struct outcome outcome)
{
	outcome.wall_ns = wall_ns() - outcome.wall_ns;
	outcome.processor_ns = processor_ns() - outcome.processor_ns;
	return outcome;
}

static void send_burst(int fd, struct mmsghdr *burst, unsigned int length, struct outcome *outcome)
{
	int sent = sendmmsg(fd, burst, length, 0);

	if (sent < 0)
		outcome->failures++;
	else
		outcome->count += sent;
}

/* So many from each socket in turn. Where flows are many, the first turn, which begins them, does not count. */
static struct outcome send_in_turn(const int *fds, unsigned int sockets, unsigned int length, uint64_t ms)
{
	static char payload[PAYLOAD];
	struct iovec part = { payload, sizeof(payload) };
	struct mmsghdr burst[BURST] = { 0 };
	struct outcome outcome = { 0 };

	for (unsigned int i = 0; i < BURST; i++) {
		burst[i].msg_hdr.msg_iov = &part;
		burst[i].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned int i = 0; i < sockets && sockets > MAX_SOCKETS; i++)
		send_burst(fds[i], burst, 1, &outcome);
	outcome = start();
	while (has_time(&outcome, ms)) {
		for (unsigned int i = 0; i < sockets; i++)
			send_burst(fds[i], burst, length, &outcome);
	}
	return stop(outcome);
}

struct outcome send_datagrams(const struct target *target, unsigned int sockets, uint64_t ms)
{
	int fds[MAX_SOCKETS];

	for (unsigned int i = 0; i < sockets; i++)
		fds[i] = open_socket(target, SOCK_DGRAM);
	return send_in_turn(fds, sockets, BURST, ms);
}

/* One of each flow at a time: nothing of the last packet is of use to the next. */
struct outcome scatter_datagrams(const struct target *target, unsigned int sockets, uint64_t ms)
{
	struct rlimit files = { MAX_FLOWS + 64, MAX_FLOWS + 64 };
	static int fds[MAX_FLOWS];

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("setrlimit");
	for (unsigned int i = 0; i < sockets; i++)
		fds[i] = open_socket(target, SOCK_DGRAM);
	return send_in_turn(fds, sockets, 1, ms);
}

static void watch(int poll_fd, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
}

static void rewatch(int poll_fd, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, fd, &event))
		die("epoll_ctl");
}

static void begin(const struct target *target, int poll_fd)
{
	watch(poll_fd, open_socket(target, SOCK_STREAM | SOCK_NONBLOCK), EPOLLOUT);
}

/* Closes it when it is over. Returns whether it is. */
static bool go_on(int poll_fd, const struct epoll_event *event, struct outcome *outcome)
{
	static const char request = SAY_CONNECT;
	int fd = event->data.fd;
	char answer[16];

	if (event->events & EPOLLERR) {
		outcome->failures++;
		close(fd);
		return true;
	}
	if (event->events & EPOLLOUT) {
		if (send(fd, &request, 1, MSG_NOSIGNAL) != 1)
			outcome->failures++;
		rewatch(poll_fd, fd, EPOLLIN);
		return false;
	}
	/* The answer; and once more, the end. */
	if (recv(fd, answer, sizeof(answer), 0) > 0)
		return false;
	outcome->count++;
	close(fd);
	return true;
}

/* Connects, asks, is answered, and sees the server close; so many at a time. */
struct outcome open_connections(const struct target *target, unsigned int sockets, uint64_t ms)
{
	struct epoll_event events[MAX_SOCKETS];
	struct outcome outcome = start();
	int poll_fd = epoll_create1(0);

	for (unsigned int i = 0; i < sockets; i++)
		begin(target, poll_fd);
	while (sockets > 0 && has_time(&outcome, ms + PATIENCE_MS)) {
		int count = epoll_wait(poll_fd, events, MAX_SOCKETS, PATIENCE_MS);

		for (int i = 0; i < count; i++) {
			if (!go_on(poll_fd, &events[i], &outcome))
				continue;
			if (has_time(&outcome, ms))
				begin(target, poll_fd);
			else
				sockets--;
		}
	}
	outcome.failures += sockets;
	return stop(outcome);
}

/* A byte there, a byte back: on each connection as soon as its last answer is there. */
struct outcome exchange_requests(const struct target *target, unsigned int sockets, uint64_t ms)
{
	struct epoll_event events[MAX_SOCKETS];
	int poll_fd = epoll_create1(0);
	char byte = SAY_REQUEST;
	struct outcome outcome;

	for (unsigned int i = 0; i < sockets; i++) {
		int fd = open_socket(target, SOCK_STREAM);

		watch(poll_fd, fd, EPOLLIN);
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			die("send");
	}
	outcome = start();
	while (has_time(&outcome, ms)) {
		int count = epoll_wait(poll_fd, events, MAX_SOCKETS, PATIENCE_MS);

		if (count <= 0)
			die("no answer");
		for (int i = 0; i < count; i++) {
			if (recv(events[i].data.fd, &byte, 1, 0) != 1 ||
			    send(events[i].data.fd, &byte, 1, MSG_NOSIGNAL) != 1)
				die("connection lost");
			outcome.count++;
		}
	}
	return stop(outcome);
}

/* One connection; what counts is what the server has read, and when it says so. */
struct outcome send_stream(const struct target *target, unsigned int sockets, uint64_t ms)
{
	static char chunk[CHUNK];
	struct outcome outcome = start();
	int fd = open_socket(target, SOCK_STREAM);

	(void)sockets;
	be_patient(fd);
	memset(chunk, SAY_STREAM, sizeof(chunk));
	while (has_time(&outcome, ms)) {
		if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0)
			die("send");
	}
	shutdown(fd, SHUT_WR);
	if (recv(fd, &outcome.count, sizeof(outcome.count), MSG_WAITALL) != sizeof(outcome.count))
		die("the server has not said how much it has read");
	return stop(outcome);
}
