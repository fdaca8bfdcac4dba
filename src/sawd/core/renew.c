#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/sha256.h"
#include "ipc/trust.h"
#include "os/fd.h"
#include "os/log.h"
#include "rules/bundle_check.h"
#include "sawd/core/bindings.h"
#include "sawd/core/secrets.h"

/* A compiled policy is of one version. One that an earlier build stored says nothing to this one, nor does one that was damaged since: its
 * workspaces have no credentials then, and no certificates, though their gateways, which compile for themselves, judge by it. What it was
 * made of is kept: at our start each that cannot be read is compiled anew, one after the other. Where that is refused, people are told. */

enum { PAGE = 500, AGAIN_MS = 30000 /* for what may pass */, LOST_MAX = 3 /* compilers that one may end */ };

struct stale {
	struct stale *next;
	char release[SAWD_RELEASE_LEN + 1];
	char channel[SAWD_CHANNEL_MAX + 1]; /* "": none */
	char sha256[65];
	bool good; /* it can be read after all */
	bool failed; /* and how it was meant is to be said again by people */
	bool told; /* that is on record */
	unsigned lost; /* answers */
};

struct scan {
	struct core *core;
	size_t left; /* of the page */
	char last[SAWD_NAME_MAX + 1];
	bool out_of_memory;
};

static void go_on(struct core *c);

static void add(struct scan *s, const char *release, const char *channel, const char *hash)
{
	struct core *c = s->core;
	struct stale *n;

	/* Of a version that kept no texts: that is said when it is to start. */
	if (!*release)
		return;
	for (const struct stale *x = c->stale; x; x = x->next)
		if (strcmp(x->sha256, hash) == 0 && strcmp(x->release, release) == 0)
			return;
	n = calloc(1, sizeof(*n));
	s->out_of_memory = s->out_of_memory || !n;
	if (!n)
		return;
	n->next = c->stale;
	c->stale = n;
	(void)snprintf(n->release, sizeof(n->release), "%s", release);
	(void)snprintf(n->channel, sizeof(n->channel), "%s", channel);
	(void)snprintf(n->sha256, sizeof(n->sha256), "%s", hash);
	n->good = bindings_readable(c, hash);
}

static bool on_row(void *ctx, const struct workspace *row)
{
	struct scan *s = ctx;

	memcpy(s->last, row->name, sizeof(s->last));
	s->left--;
	if (strcmp(row->desired, "deleted") != 0)
		add(s, row->release, row->channel, row->policy_sha256);
	return true;
}

static bool on_channel(void *ctx, const struct channel *ch)
{
	struct scan *s = ctx;
	struct release r;
	struct err e = { 0 };

	if (releases_find(s->core->db, bytes_str(ch->release), &r, &e) == 1)
		add(s, r.id, ch->name, r.policy_sha256);
	return true;
}

static void drop(struct core *c, bool (*is)(const struct stale *))
{
	for (struct stale **at = &c->stale; *at;) {
		struct stale *x = *at;

		if (!is(x)) {
			at = &x->next;
			continue;
		}
		*at = x->next;
		free(x);
	}
}

static bool is_good(const struct stale *x)
{
	return x->good;
}

static bool is_any(const struct stale *x)
{
	(void)x;
	return true;
}

static void find(struct core *c)
{
	struct scan s = { .core = c };
	struct err e = { 0 };
	int r = channels_each(c->db, on_channel, &s, &e);

	do {
		s.left = PAGE;
		r = r < 0 ? r : workspaces_page(c->db, c->owner, bytes_str(s.last), "", PAGE, on_row, &s, &e);
	} while (r >= 0 && !s.out_of_memory && s.left == 0);
	if (r < 0 || s.out_of_memory)
		log_line("which compiled policies are of an earlier version is not known: %s", r < 0 ? e.text : "out of memory");
	drop(c, is_good);
}

static struct stale *first(const struct core *c)
{
	struct stale *x = c->stale;

	while (x && x->failed)
		x = x->next;
	return x;
}

static void fail(struct core *c, struct stale *x, enum reason why, const char *detail)
{
	char text[SAWD_DETAIL_MAX];

	x->failed = true;
	(void)snprintf(text, sizeof(text), "release %.64s, compiled by an earlier version or damaged since, cannot be compiled anew%s%.600s", x->release,
		       *detail ? ": " : "", detail);
	if (!x->told) {
		journal_refused(c, why, x->channel, text);
		log_line("%s%s%s", x->channel, *x->channel ? ": " : "", text);
	}
	x->told = true;
	for (size_t i = 0; i < CORE_BUCKETS; i++)
		for (const struct ws *w = c->buckets[i]; w; w = w->next)
			if (strcmp(w->row.release, x->release) == 0)
				api_row(c, 0, &w->row);
}

/* Every record of the release has the new one's hash; whoever runs by it gets what it binds. */
static int replace(struct core *c, const struct stale *x, const struct release *fresh, struct err *e)
{
	int r = db_begin(c->db, e);

	if (r < 0)
		return r;
	r = releases_renew(c->db, fresh, e);
	r = r < 0 ? r : workspaces_renew(c->db, fresh, e);
	if (r < 0)
		db_rollback(c->db);
	else
		r = db_commit(c->db, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CORE_BUCKETS; i++)
		for (struct ws *w = c->buckets[i]; w; w = w->next) {
			bool bound = strcmp(w->bound_sha256, x->sha256) == 0;

			if (strcmp(w->row.release, x->release) == 0) {
				memcpy(w->row.policy_sha256, fresh->policy_sha256, sizeof(w->row.policy_sha256));
				memcpy(w->row.policy_observes, fresh->policy_observes, sizeof(w->row.policy_observes));
				api_row(c, 0, &w->row);
			} else if (!bound) {
				continue;
			}
			if (bound)
				memcpy(w->bound_sha256, fresh->policy_sha256, sizeof(w->bound_sha256));
			supply_widen(w);
		}
	return 0;
}

static void on_again(struct loop_timer *t)
{
	go_on(t->owner);
}

/* This machine's failure, which says nothing about the policy. */
static void later(struct core *c, const char *why)
{
	log_line("a compiled policy of an earlier version is not made anew yet: %s", why);
	(void)loop_timer_arm(c->loop, &c->renew_again, AGAIN_MS, on_again, c);
}

static bool on_good(struct core *c, struct stale *x, struct msg_in *in)
{
	struct bytes id = msg_get_bytes(in, SHA256_LEN);
	struct release r = { .serial = msg_get_u64(in) };
	struct bytes observes;
	struct err e = { 0 };
	FD_AUTO int fd = -1;
	int res;

	(void)msg_get_bytes(in, SAWD_POLICY_NAME_MAX);
	(void)msg_get_max(in, 1);
	observes = msg_get_bytes(in, SAWD_OBSERVES_MAX);
	(void)msg_get_bytes(in, BUNDLE_FINGERPRINT_MAX);
	(void)msg_get_u64(in);
	(void)msg_get_u64(in);
	fd = msg_take_fd(in);
	if (!msg_end(in) || id.len != SHA256_LEN)
		return false;
	sha256_hex(id.p, r.id);
	(void)snprintf(r.policy_observes, sizeof(r.policy_observes), "%.*s", (int)observes.len, (const char *)observes.p);
	res = strcmp(r.id, x->release) == 0 ? policies_store(c, fd, r.policy_sha256, &e) : err_set(&e, EBADMSG, "the release is damaged");
	res = res < 0 ? res : replace(c, x, &r, &e);
	if (res == -EBADMSG)
		fail(c, x, REASON_BUNDLE_NOT_TAKEN, e.text);
	else if (res < 0)
		later(c, e.text);
	if (res < 0)
		return true;
	log_line("release %s: its compiled policy could not be read, and was made anew", x->release);
	x->good = true;
	drop(c, is_good);
	return true;
}

static bool on_unsound(struct core *c, struct stale *x, struct msg_in *in)
{
	enum reason why = (enum reason)msg_get_max(in, REASON_COUNT - 1);
	struct bytes more = msg_get_bytes(in, ERR_MAX);
	char text[ERR_MAX + 1];

	if (!msg_end(in))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)more.len, (const char *)more.p);
	fail(c, x, why, *text ? text : reason_sentence(why));
	return true;
}

static bool on_refused(struct core *c, struct stale *x, struct msg_in *in)
{
	uint64_t n = msg_get_max(in, SAWD_PROBLEMS_MAX);
	char text[ERR_MAX + 1] = "";

	for (uint64_t i = 0; i < n && !in->bad; i++) {
		struct bytes what;

		(void)msg_get_max(in, UINT32_MAX);
		(void)msg_get_max(in, UINT32_MAX);
		what = msg_get_bytes(in, ERR_MAX);
		if (i == 0)
			(void)snprintf(text, sizeof(text), "%.*s", (int)what.len, (const char *)what.p);
	}
	if (!msg_end(in))
		return false;
	fail(c, x, REASON_POLICY_INVALID, text);
	return true;
}

static bool on_not_now(struct core *c, struct msg_in *in)
{
	struct bytes why = msg_get_bytes(in, ERR_MAX);
	char text[ERR_MAX + 1];

	if (!msg_end(in))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)why.len, (const char *)why.p);
	later(c, text);
	return true;
}

static bool on_answer(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	struct stale *x = c->renewing;
	bool ok = true;

	if (in && in->type == MSG_SAWD_NOT_NOW)
		ok = on_not_now(c, in);
	else if (in)
		ok = in->type == MSG_SAWD_CHECKED ? on_good(c, x, in) : in->type == MSG_SAWD_UNSOUND ? on_unsound(c, x, in) : on_refused(c, x, in);
	if (!ok)
		return false;
	c->renewing = NULL;
	if (!in && ++x->lost == LOST_MAX)
		fail(c, x, REASON_BUNDLE_NOT_TAKEN, "the compiler ends when it is asked");
	/* Without an answer: when there is a compiler again. */
	if (in && !c->renew_again.slot)
		go_on(c);
	return true;
}

static const struct ask_kind question = { SAWD_COMPILER, { MSG_SAWD_CHECKED, MSG_SAWD_UNSOUND, MSG_SAWD_REFUSED, MSG_SAWD_NOT_NOW }, on_answer };

static int ask(struct core *c, struct stale *x, struct err *e)
{
	struct bundle_keys trusted;
	char folder[PATHS_MAX];
	FD_AUTO int fd = bundles_open(c, x->release, e);
	int r = fd < 0 ? fd : paths_join(folder, c->state, TRUST_FOLDER, e);
	uint64_t req;

	r = r < 0 ? r : trust_read(folder, &trusted, e);
	if (r < 0)
		return r;
	c->renewing = x;
	req = ask_new(c, &question, c);
	msg_start(&core_out, MSG_SAWD_CHECK);
	msg_u64(&core_out, req);
	msg_str(&core_out, x->channel);
	msg_u64(&core_out, trusted.n);
	for (size_t i = 0; i < trusted.n; i++)
		msg_bytes(&core_out, bytes_of(trusted.key[i], BUNDLE_KEY));
	msg_fd(&core_out, fd);
	core_send(c, SAWD_COMPILER);
	return 0;
}

static void go_on(struct core *c)
{
	struct err e = { 0 };
	struct stale *x;

	while (!c->renewing && c->peers[SAWD_COMPILER] && (x = first(c)) != NULL) {
		int r = ask(c, x, &e);

		if (r == -EMFILE || r == -ENFILE || r == -ENOMEM) {
			later(c, e.text);
			return;
		}
		if (r < 0)
			fail(c, x, REASON_BUNDLE_NOT_TAKEN, e.text);
	}
}

void renew_start(struct core *c)
{
	if (!c->renew_found)
		find(c);
	c->renew_found = true;
	go_on(c);
}

void renew_retry(struct core *c)
{
	for (struct stale *x = c->stale; x; x = x->next) {
		x->failed = false;
		x->lost = 0;
	}
	go_on(c);
}

bool renew_failed(const struct core *c, const struct workspace *row)
{
	for (const struct stale *x = c->stale; x; x = x->next)
		if (x->failed && strcmp(x->sha256, row->policy_sha256) == 0 && strcmp(x->release, row->release) == 0)
			return true;
	return false;
}

void renew_deinit(struct core *c)
{
	loop_timer_disarm(&c->renew_again);
	ask_forget(c, c);
	c->renewing = NULL;
	drop(c, is_any);
}
