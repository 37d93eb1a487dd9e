/* SPDX-License-Identifier: Apache-2.0 */
/* The address of the server, and what connections ask it for. */
#ifndef NFTLANE_LOAD_GENERATOR_TARGET_H
#define NFTLANE_LOAD_GENERATOR_TARGET_H

#include <sys/socket.h>

/* The first byte of a connection is its mode. */
#define MODE_REQUEST 'r' /* answer every byte with one */
#define MODE_CONNECT 'c' /* answer one byte and close */
#define MODE_STREAM 's'	 /* read to the end, then answer the number of bytes */

#define CHUNK (256 * 1024)

struct target {
	struct sockaddr_storage address;
	socklen_t length;
};

#endif
