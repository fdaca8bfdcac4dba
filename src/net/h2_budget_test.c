#include "net/h2_budget.h"

#include "base/tap.h"

TEST(points_are_spent_and_never_owed)
{
	struct h2_budget b;

	h2_budget_init(&b);
	for (int i = 0; i < H2_BUDGET_BURST; i++)
		CHECK(h2_budget_pay(&b, 1));
	CHECK(!h2_budget_pay(&b, 1));
	h2_budget_earn(&b, 5);
	CHECK(!h2_budget_pay(&b, 6));
	CHECK(h2_budget_pay(&b, 5));
	CHECK(h2_budget_pay(&b, 0));
}

TEST(time_and_use_earn_up_to_the_burst)
{
	struct h2_budget b;

	h2_budget_init(&b);
	h2_budget_tick(&b, 1000);
	CHECK(h2_budget_pay(&b, H2_BUDGET_BURST));
	h2_budget_tick(&b, 1099);
	CHECK(!h2_budget_pay(&b, 1));
	h2_budget_tick(&b, 1100);
	CHECK(h2_budget_pay(&b, H2_BUDGET_PER_100MS));
	h2_budget_tick(&b, 1250);
	h2_budget_tick(&b, 1300); /* what was left of a tenth is not lost */
	CHECK(h2_budget_pay(&b, 2 * H2_BUDGET_PER_100MS));
	h2_budget_tick(&b, 1050); /* a clock that goes back gives nothing */
	CHECK(!h2_budget_pay(&b, 1));
	h2_budget_tick(&b, UINT64_MAX);
	CHECK(h2_budget_pay(&b, H2_BUDGET_BURST));
	CHECK(!h2_budget_pay(&b, 1));
	h2_budget_earn(&b, 1000 * H2_BUDGET_BURST);
	CHECK_INT(b.points, H2_BUDGET_BURST);
}

TEST(streams_given_up_are_weighed_against_streams_served)
{
	struct h2_budget b;

	h2_budget_init(&b);
	for (int i = 0; i < H2_RESETS_BURST; i++)
		CHECK(h2_budget_reset(&b));
	CHECK(!h2_budget_reset(&b));
	h2_budget_served(&b);
	CHECK(h2_budget_reset(&b));
	CHECK(!h2_budget_reset(&b));
	for (int i = 0; i < 1000; i++) {
		h2_budget_served(&b);
		CHECK(h2_budget_reset(&b));
	}
}
