/* SPDX-License-Identifier: Apache-2.0 */
/* The request "remove". */
#ifndef NFTLANE_LOADER_ATTACH_REMOVE_H
#define NFTLANE_LOADER_ATTACH_REMOVE_H

void request_remove(void);

#endif
