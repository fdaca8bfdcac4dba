#include "net/h2_budget.h"

static int capped(int v, uint64_t more, int max)
{
	return more >= (uint64_t)(max - v) ? max : v + (int)more;
}

void h2_budget_init(struct h2_budget *b)
{
	*b = (struct h2_budget){ .points = H2_BUDGET_BURST, .resets = H2_RESETS_BURST };
}

void h2_budget_tick(struct h2_budget *b, uint64_t now_ms)
{
	uint64_t steps = now_ms > b->at_ms ? (now_ms - b->at_ms) / 100 : 0;

	if (!steps)
		return;
	if (steps > H2_BUDGET_BURST)
		steps = H2_BUDGET_BURST;
	b->points = capped(b->points, steps * H2_BUDGET_PER_100MS, H2_BUDGET_BURST);
	b->resets = capped(b->resets, steps * H2_RESETS_PER_100MS, H2_RESETS_BURST);
	b->at_ms = now_ms - (now_ms - b->at_ms) % 100;
}

bool h2_budget_pay(struct h2_budget *b, int cost)
{
	if (b->points < cost)
		return false;
	b->points -= cost;
	return true;
}

void h2_budget_earn(struct h2_budget *b, int points)
{
	b->points = capped(b->points, (uint64_t)points, H2_BUDGET_BURST);
}

bool h2_budget_reset(struct h2_budget *b)
{
	if (b->resets == 0)
		return false;
	b->resets--;
	return true;
}

void h2_budget_served(struct h2_budget *b)
{
	b->resets = capped(b->resets, 1, H2_RESETS_BURST);
	h2_budget_earn(b, H2_EARN_SERVED);
}
