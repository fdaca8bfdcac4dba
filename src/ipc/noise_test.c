#include "ipc/noise.h"

#include "base/tap.h"

TEST(a_burst_passes_and_then_one_event_in_its_time)
{
	struct noise n = { 0 };
	uint64_t now = 1000000;
	unsigned written = 0;

	for (unsigned i = 0; i < NOISE_BURST; i++)
		noise_add(&n, now);
	CHECK(!noise_over(&n, now));
	for (unsigned i = 0; i < 10000; i++, now++)
		while (!noise_over(&n, now)) {
			noise_add(&n, now);
			written++;
		}
	CHECK(written >= 10000 / NOISE_EVENT_MS && written <= 10000 / NOISE_EVENT_MS + 1);
}

TEST(a_source_that_was_quiet_has_its_burst_again_and_no_more)
{
	struct noise n = { 0 };
	uint64_t now = 50;
	unsigned written = 0;

	while (!noise_over(&n, now))
		noise_add(&n, now);
	now += 1000000;
	for (; !noise_over(&n, now); written++)
		noise_add(&n, now);
	CHECK_INT(written, NOISE_BURST + 1);
}
