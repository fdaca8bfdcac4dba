#include "workspace/supervisor/trail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/log.h"
#include "rules/reason.h"
#include "store/audit_log.h"
#include "workspace/supervisor/hold.h"
#include "workspace/supervisor/ws.h"

/* Events gather during a loop turn; the turn's end writes them with one fdatasync and answers those who wait. A turn whose events nobody
 * waits for writes them, and leaves the fdatasync to the next group, or to LAZY_MS later. While the log cannot
 * be written, each turn tries again with what came in that turn: nobody is told "written" for what is not. The log's trouble
 * and its end are one line each in supervisor.log. */

enum { WAITING_MAX = 1024, LAZY_MS = 100 };

struct waiting {
	trail_done_fn done;
	void *owner;
	uint64_t id;
};

/* What an event says of the policy that decided it. */
struct label {
	uint64_t generation;
	char *text;
	bool lab;
};

struct trail {
	struct ws *ws;
	struct audit_log *log;
	struct label present;
	struct label before; /* roles decide by it until each has the present one */
	struct label coming; /* the event that says so has to be on disk first; text NULL: none is */
	const struct label *in_use;
	struct loop_later later;
	struct loop_timer lazy;
	bool now; /* this turn's events are to be on disk at its end */
	bool broken; /* the last commit failed: said once */
	size_t n_waiting;
	struct waiting waiting[WAITING_MAX];
};

int trail_new(struct trail **ret, struct ws *w, const char *path, struct err *e)
{
	struct ocsf_source src = { .version = bytes_str(SAW_VERSION), .writer = bytes_str("gateway") };
	struct trail *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_set(e, ENOMEM, "out of memory");
	src.workspace_id = w->spec.id;
	src.workspace_name = w->spec.name;
	src.owner = w->spec.owner;
	t->ws = w;
	r = audit_log_open(&t->log, path, &src, e);
	if (r < 0) {
		free(t);
		return r;
	}
	if (audit_log_torn(t->log))
		log_line("audit log: %llu bytes that a crash left were moved to %s.torn",
			 (unsigned long long)audit_log_torn(t->log), path);
	*ret = t;
	return 0;
}

struct trail *trail_free(struct trail *t)
{
	if (t) {
		loop_later_cancel(&t->later);
		loop_timer_disarm(&t->lazy);
		audit_log_free(t->log);
		free(t->present.text);
		free(t->before.text);
		free(t->coming.text);
		free(t);
	}
	return NULL;
}

static void report(struct trail *t, int r, const struct err *e)
{
	if (r < 0 && !t->broken)
		log_line("audit log: %s: nothing is let through until it can be written", e->text);
	if (r == 0 && t->broken)
		log_line("audit log: is written again");
	t->broken = r < 0;
}

static void answer(struct trail *t, bool ok)
{
	/* An answer may cause new events, which wait for the next commit. */
	size_t n = t->n_waiting;
	struct waiting done[WAITING_MAX];

	for (size_t i = 0; i < n; i++)
		done[i] = t->waiting[i];
	t->n_waiting = 0;
	for (size_t i = 0; i < n; i++)
		if (done[i].done)
			done[i].done(done[i].owner, done[i].id, ok);
}

static void on_lazy(struct loop_timer *timer)
{
	trail_flush(timer->owner);
}

/* What is written and not yet synced has its fdatasync to come. False: it must be now. */
static bool sync_later(struct trail *t)
{
	return !audit_log_pending(t->log) || t->lazy.slot || loop_timer_arm(t->ws->loop, &t->lazy, LAZY_MS, on_lazy, t);
}

void trail_flush(struct trail *t)
{
	struct err e = { 0 };
	int r;

	if (!audit_log_pending(t->log) && !t->n_waiting)
		return;
	t->now = false;
	loop_timer_disarm(&t->lazy);
	r = audit_log_commit(t->log, &e);
	report(t, r, &e);
	answer(t, r == 0);
	(void)sync_later(t); /* of those before it, when this group found no room */
}

static void on_turn_end(struct loop_later *later)
{
	struct trail *t = later->owner;
	struct err e = { 0 };

	if (t->now) {
		trail_flush(t);
		return;
	}
	report(t, audit_log_write(t->log, &e), &e);
	if (!sync_later(t))
		trail_flush(t);
}

static void use(struct trail *t, const struct label *l)
{
	struct err e = { 0 };

	if (t->in_use == l)
		return;
	t->in_use = l;
	if (audit_log_policy(t->log, bytes_str(l->text ? l->text : ""), l->lab, &e) < 0)
		log_line("audit log: %s", e.text);
}

static bool add(struct trail *t, const struct event *ev)
{
	enum reason why = (enum reason)ev->reason;
	bool earlier = ev->generation && ev->generation == t->before.generation && ev->generation != t->present.generation;
	bool coming = ev->kind == EVENT_POLICY && t->coming.text && ev->generation == t->coming.generation;

	use(t, coming ? &t->coming : earlier ? &t->before : &t->present);
	return audit_log_add(t->log, ev, reason_code(why), reason_sentence(why));
}

/* False: it is refused, and cannot be waiting for anything. */
static bool take(struct trail *t, const struct event *ev)
{
	if (t->n_waiting == WAITING_MAX)
		trail_flush(t);
	if (!add(t, ev)) {
		trail_flush(t);
		if (!add(t, ev)) /* still no room: the log is broken */
			return false;
	}
	loop_later(t->ws->loop, &t->later, on_turn_end, t);
	return true;
}

void trail_write(struct trail *t, const struct event *ev, uint64_t id, trail_done_fn done, void *owner)
{
	if (!take(t, ev)) {
		if (id)
			done(owner, id, false);
		return;
	}
	t->now = true;
	if (id)
		t->waiting[t->n_waiting++] = (struct waiting){ .done = done, .owner = owner, .id = id };
}

void trail_lazily(struct trail *t, const struct event *ev)
{
	(void)take(t, ev);
}

void trail_note(struct trail *t, const struct event *ev)
{
	struct event copy = *ev;

	if (!t)
		return;
	if (!copy.generation && t->ws->hold)
		copy.generation = hold_generation(t->ws->hold);
	trail_write(t, &copy, 0, NULL, NULL);
}

void trail_forget(struct trail *t, void *owner)
{
	for (size_t i = 0; t && i < t->n_waiting; i++)
		if (t->waiting[i].owner == owner)
			t->waiting[i].done = NULL;
}

static void label_set(struct trail *t, struct label *l, uint64_t generation, char *text, bool lab)
{
	free(l->text);
	*l = (struct label){ .generation = generation, .text = text, .lab = lab };
	t->in_use = NULL;
}

void trail_coming(struct trail *t, uint64_t generation, struct bytes label, bool lab)
{
	label_set(t, &t->coming, generation, bytes_dup(label), lab);
}

void trail_came(struct trail *t)
{
	label_set(t, &t->coming, 0, NULL, false);
}

bool trail_knows(const struct trail *t, uint64_t generation)
{
	return generation == t->present.generation || generation == t->before.generation;
}

void trail_policy(struct trail *t, uint64_t generation, struct bytes label, bool lab)
{
	/* What the supervisor said itself was said under the policy before. */
	trail_flush(t);
	free(t->before.text);
	t->before = t->present;
	t->present = (struct label){ .generation = generation, .text = bytes_dup(label), .lab = lab };
	t->in_use = NULL;
}
