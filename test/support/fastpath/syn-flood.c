/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends TCP SYNs from spoofed addresses: 198.18.0.0/15 or 2001:db8:f::/64, which are reserved for tests and documentation.
 *
 *   syn-flood ADDRESS PORT COUNT
 *
 * For network namespaces of tests. COUNT is limited, and a pause after each burst limits the rate.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_COUNT 100000
#define BURST 50
#define PAUSE_US 5000

struct packet4 {
	struct iphdr ip;
	struct tcphdr tcp;
};

struct packet6 {
	struct ip6_hdr ip;
	struct tcphdr tcp;
};

static void die(const char *what)
{
	fprintf(stderr, "syn-flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t sum_of(const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += at[i] << 8 | at[i + 1];
	return sum;
}

/* `addresses` are the sum of both addresses, which the pseudo header has besides protocol and length. */
static void fill(struct tcphdr *tcp, uint16_t port, uint32_t n, uint32_t addresses)
{
	uint32_t sum;

	memset(tcp, 0, sizeof(*tcp));
	tcp->source = htons(1024 + n * 7919 % 60000);
	tcp->dest = htons(port);
	tcp->seq = htonl(n * 2654435761u);
	tcp->doff = sizeof(*tcp) / 4;
	tcp->syn = 1;
	tcp->window = htons(65535);
	sum = addresses + IPPROTO_TCP + sizeof(*tcp) + sum_of(tcp, sizeof(*tcp));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	tcp->check = htons(~sum);
}

static void send4(int fd, const struct sockaddr_in *to, uint16_t port, uint32_t n)
{
	struct packet4 p = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP } };

	/* The kernel fills in identification, length and checksum. */
	p.ip.saddr = htonl(0xc6120000 | (n & 0x1ffff));
	p.ip.daddr = to->sin_addr.s_addr;
	fill(&p.tcp, port, n, sum_of(&p.ip.saddr, 8));
	if (sendto(fd, &p, sizeof(p), 0, (const void *)to, sizeof(*to)) < 0)
		die("sendto");
}

static void send6(int fd, const struct sockaddr_in6 *to, uint16_t port, uint32_t n)
{
	struct packet6 p = { .ip = { .ip6_flow = htonl(6u << 28), .ip6_hlim = 64, .ip6_nxt = IPPROTO_TCP } };

	p.ip.ip6_plen = htons(sizeof(p.tcp));
	inet_pton(AF_INET6, "2001:db8:f::", &p.ip.ip6_src);
	p.ip.ip6_src.s6_addr32[3] = htonl(n);
	p.ip.ip6_dst = to->sin6_addr;
	fill(&p.tcp, port, n, sum_of(&p.ip.ip6_src, 32));
	if (sendto(fd, &p, sizeof(p), 0, (const void *)to, sizeof(*to)) < 0)
		die("sendto");
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	uint32_t count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	uint16_t port = argc == 4 ? atoi(argv[2]) : 0;
	int is6, fd;

	if (!port || !count || count > MAX_COUNT) {
		fprintf(stderr, "syn-flood ADDRESS PORT COUNT, at most %d\n", MAX_COUNT);
		return 2;
	}
	is6 = inet_pton(AF_INET6, argv[1], &to6.sin6_addr) == 1;
	if (!is6 && inet_pton(AF_INET, argv[1], &to4.sin_addr) != 1) {
		fprintf(stderr, "syn-flood: \"%s\" is not an address\n", argv[1]);
		return 2;
	}
	fd = socket(is6 ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0)
		die("socket");
	for (uint32_t n = 1; n <= count; n++) {
		if (is6)
			send6(fd, &to6, port, n);
		else
			send4(fd, &to4, port, n);
		if (n % BURST == 0)
			usleep(PAUSE_US);
	}
	return 0;
}
