/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes of single map elements, per-CPU maps included. 0 or a negative errno. */
#ifndef NFTLANE_LOADER_MAPS_ELEMENTS_H
#define NFTLANE_LOADER_MAPS_ELEMENTS_H

#include "loader/maps/maps.h"

/* Writes the value on all CPUs of a per-CPU map. */
int put_element(const struct map *map, const void *key, const void *value);
/* Sums the values of all CPUs of a per-CPU map. */
int get_element(const struct map *map, const void *key, void *value);

#endif
