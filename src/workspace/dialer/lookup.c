#include "workspace/dialer/lookup.h"

#include "base/must.h"

void lookup_cancel(struct lookup *k)
{
	if (!k->loop)
		return;
	ask_cancel(&k->ask6);
	ask_cancel(&k->ask4);
	loop_timer_disarm(&k->other);
	loop_timer_disarm(&k->late);
	k->loop = NULL;
}

static bool either(const struct lookup *k, enum dns_answer_result r)
{
	return (k->v6.done && k->v6.result == r) || (k->v4.done && k->v4.result == r);
}

static enum reason outcome(const struct lookup *k)
{
	if (k->v6.n || k->v4.n)
		return REASON_OK;
	if (either(k, DNS_ANSWER_CHAIN))
		return REASON_CNAME_CHAIN;
	if (either(k, DNS_ANSWER_NXDOMAIN))
		return REASON_RESOLVE_NONE;
	if (!k->v6.done || !k->v4.done || either(k, DNS_ANSWER_FAILED))
		return REASON_RESOLVE_FAILED;
	return REASON_RESOLVE_NONE;
}

static void finish(struct lookup *k)
{
	enum reason r = outcome(k);

	lookup_cancel(k);
	k->done(k->owner, r);
}

static void on_timer(struct loop_timer *t)
{
	finish(t->owner);
}

static void note(struct lookup *k, struct lookup_family *f, enum dns_answer_result r, const struct dns_answer *a)
{
	f->done = true;
	f->result = r;
	if (r == DNS_ANSWER_OK) {
		f->n = a->n_addresses;
		memcpy(f->ips, a->addresses, f->n * sizeof(f->ips[0]));
	}
	if (k->v6.done && k->v4.done)
		finish(k);
	else if (f->n && k->enough(k->owner, f) && !loop_timer_arm(k->loop, &k->other, LOOKUP_OTHER_MS, on_timer, k))
		finish(k);
}

static void on_v6(void *owner, enum dns_answer_result r, const struct dns_answer *a)
{
	struct lookup *k = owner;

	note(k, &k->v6, r, a);
}

static void on_v4(void *owner, enum dns_answer_result r, const struct dns_answer *a)
{
	struct lookup *k = owner;

	note(k, &k->v4, r, a);
}

bool lookup_start(struct lookup *k, struct loop *l, const struct resolv_conf *conf, struct bytes name,
		  bool (*enough)(void *owner, const struct lookup_family *f), void (*done)(void *owner, enum reason r), void *owner)
{
	struct dns_name wire;

	*k = (struct lookup){ .loop = l, .enough = enough, .done = done, .owner = owner };
	must(dns_name_from(name, &wire));
	if (!loop_timer_arm(l, &k->late, LOOKUP_MS, on_timer, k)) {
		k->loop = NULL;
		return false;
	}
	ask_start(&k->ask6, l, conf, &wire, DNS_AAAA, on_v6, k);
	ask_start(&k->ask4, l, conf, &wire, DNS_A, on_v4, k);
	return true;
}
