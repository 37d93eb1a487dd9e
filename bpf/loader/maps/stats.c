/* SPDX-License-Identifier: Apache-2.0 */
/* The request "stats": packets by reason. */
#include "loader/maps/elements.h"
#include "loader/maps/maps.h"
#include "loader/maps/stats.h"
#include "loader/pins.h"
#include "loader/protocol/answers.h"
#include "shared.h"

static const char *category_of(uint32_t reason)
{
	if (reason < FP_FORWARDED)
		return "passed";
	return reason < FP_FIRST_EVENT ? "forwarded" : "event";
}

void request_stats(const struct request *r)
{
#define FP_DESCRIPTION(name, words) { #name, words },
	static const struct {
		const char *name, *description;
	} reasons[] = { FP_REASONS(FP_DESCRIPTION) };
#undef FP_DESCRIPTION
	struct map map;
	int error;

	error = open_map("stats", &map);
	if (error) {
		fail(error, "no map \"stats\" in \"%s\"", pin_directory());
		return;
	}
	for (uint32_t i = 0; i < FP_REASON_COUNT; i++) {
		uint64_t count = 0;

		error = get_element(&map, &i, &count);
		if (error) {
			fail(error, "cannot read the counters");
			return;
		}
		emit("stat %s %llu %s %s\n", reasons[i].name, (unsigned long long)count, category_of(i),
		     reasons[i].description);
	}
	done();
}
