#include "workspace/supervisor/reload.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "os/fd.h"
#include "os/log.h"
#include "rules/reason.h"
#include "workspace/supervisor/bundle.h"
#include "workspace/supervisor/gateway.h"
#include "workspace/supervisor/hold.h"
#include "workspace/supervisor/listeners.h"
#include "workspace/supervisor/trail.h"
#include "workspace/supervisor/ws.h"

/* check (and compile) -> event on disk -> kept as the last good one -> listeners -> dialer -> outlet -> inlet -> old listeners closed -> answer.
 *
 * From "dialer" on the new policy is the one in force: a role that starts meanwhile gets it as its first. Dialer comes first
 * because it has the last word: while only some have the new policy, a flow is allowed only where all agree. */

enum stage { IDLE, COMPILING, WRITING, LISTENING, DIALER, OUTLET, INLET };

static struct {
	enum stage stage;
	struct ws *ws;
	struct hold *next;
	uint64_t generation;
	reload_done_fn done;
	void *owner;
	struct loop_timer timer;
	bool has[ROLE_COUNT];
} now;

static void answer(enum reload_end end, const char *why)
{
	reload_done_fn done = now.done;

	loop_timer_disarm(&now.timer);
	trail_came(now.ws->trail);
	now.stage = IDLE;
	now.next = hold_free(now.next);
	if (done)
		done(now.owner, now.generation, end, why);
}

static void note(struct ws *w, const struct hold *h, enum event_action action, enum reason why, const char *verb,
		 const char *detail, uint64_t generation, trail_done_fn written)
{
	struct event ev = { .kind = EVENT_POLICY, .action = action, .reason = (uint16_t)why, .generation = generation };

	ev.verb = bytes_str(verb);
	ev.actor = bytes_str("supervisor");
	ev.detail = bytes_str(detail);
	if (h)
		ev.name = policy_label(hold_policy(h));
	trail_write(w->trail, &ev, written ? 1 : 0, written, &now);
}

/* One event, one answer. */
static void refuse(struct ws *w, uint64_t generation, enum reason reason, const char *detail, reload_done_fn done, void *owner)
{
	char why[ERR_MAX];

	(void)snprintf(why, sizeof(why), "%s%s%.900s", reason == REASON_POLICY_INVALID ? "" : reason_sentence(reason),
		       *detail && reason != REASON_POLICY_INVALID ? ": " : "", detail);
	note(w, NULL, EVENT_DENIED, reason, "refused", detail, generation, NULL);
	log_line("policy generation %llu refused: %s", (unsigned long long)generation, why);
	if (done)
		done(owner, generation, reason == REASON_ROLE_DOWN || reason == REASON_BUNDLE_NOT_TAKEN ? RELOAD_NOT_NOW : RELOAD_REFUSED,
		     why);
}

static const struct step {
	enum stage stage;
	enum role_kind role;
} steps[] = { { DIALER, ROLE_DIALER }, { OUTLET, ROLE_OUTLET }, { INLET, ROLE_INLET } };

static const struct step *step_of(enum stage stage)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i].stage == stage)
			return &steps[i];
	return NULL;
}

/* A hung role is ended; its successor gets the new policy first of all, and answers for it. A listener that does not come is front's fault,
 * or that of an inlet that keeps the port from an earlier policy: both are ended, and what they held with them. */
static void on_late(struct loop_timer *t)
{
	struct ws *w = t->owner;
	const struct step *s = step_of(now.stage);

	if (s)
		child_signal(&w->roles[s->role].child, SIGKILL);
	if (now.stage == LISTENING) {
		log_line("policy generation %llu waits for a listener: front and inlet are replaced", (unsigned long long)now.generation);
		child_signal(&w->roles[ROLE_FRONT].child, SIGKILL);
		child_signal(&w->roles[ROLE_INLET].child, SIGKILL);
	}
	(void)loop_timer_arm(w->loop, &now.timer, RELOAD_MS, on_late, w);
}

static void put_in_force(struct ws *w)
{
	struct hold *old = w->hold;

	w->policy_note = NULL;
	w->hold = now.next;
	now.next = old;
	trail_policy(w->trail, hold_generation(w->hold), policy_label(hold_policy(w->hold)), policy_lab(hold_policy(w->hold)));
	now.stage = DIALER;
	gateway_send_policy(&w->roles[ROLE_DIALER]);
}

void reload_progress(struct ws *w)
{
	if (now.stage == LISTENING && listeners_complete(w->listeners))
		put_in_force(w);
	for (size_t i = 0; i + 1 < sizeof(steps) / sizeof(steps[0]); i++) {
		if (now.stage != steps[i].stage || !now.has[steps[i].role])
			continue;
		now.stage = steps[i + 1].stage;
		if (!now.has[steps[i + 1].role])
			gateway_send_policy(&w->roles[steps[i + 1].role]);
	}
	if (now.stage == INLET && now.has[ROLE_INLET]) {
		listeners_prune(w->listeners);
		ws_state(w, w->state, w->detail);
		answer(RELOAD_DONE, "");
	}
}

static void on_written(void *owner, uint64_t id, bool ok)
{
	uint16_t ports[POLICY_PORTS_MAX];
	struct err e = { 0 };

	(void)owner;
	(void)id;
	if (!ok) {
		answer(RELOAD_NOT_NOW, reason_sentence(REASON_AUDIT_UNWRITABLE));
		return;
	}
	if (hold_serial(now.next) && bundle_keep(now.ws, now.next, &e) < 0) {
		log_line("policy: %s", e.text);
		note(now.ws, now.next, EVENT_DENIED, REASON_BUNDLE_NOT_TAKEN, "refused", e.text, now.generation, NULL);
		answer(RELOAD_NOT_NOW, e.text);
		return;
	}
	now.stage = LISTENING;
	listeners_want(now.ws->listeners, ports, hold_ports(now.next, ports));
	reload_progress(now.ws);
}

static bool is_busy(struct ws *w, int fd, uint64_t generation, reload_done_fn done, void *owner)
{
	if (now.stage == IDLE && !ws_stopping(w))
		return false;
	(void)fd_close(fd);
	done(owner, generation, RELOAD_NOT_NOW, "another change of policy is under way: try again in a moment");
	return true;
}

/* Good in itself: is it one that may follow? Takes `next`. */
static void take(struct ws *w, struct hold *next, uint64_t generation, reload_done_fn done, void *owner)
{
	if (generation < hold_generation(w->hold) ||
	    (generation == hold_generation(w->hold) && !bytes_eq(policy_sha256(hold_policy(next)),
								 policy_sha256(hold_policy(w->hold))))) {
		hold_free(next);
		refuse(w, generation, REASON_POLICY_INVALID, "the policy's generation does not go back", done, owner);
		return;
	}
	if (generation == hold_generation(w->hold)) {
		hold_free(next);
		if (done)
			done(owner, generation, RELOAD_DONE, "");
		return;
	}
	now.stage = WRITING;
	now.ws = w;
	now.next = next;
	now.generation = generation;
	now.done = done;
	now.owner = owner;
	memset(now.has, 0, sizeof(now.has));
	(void)loop_timer_arm(w->loop, &now.timer, RELOAD_MS, on_late, w);
	trail_coming(w->trail, generation, policy_label(hold_policy(next)), policy_lab(hold_policy(next)));
	note(w, next, EVENT_NOTE, REASON_OK, "loaded", hold_origin(next), generation, on_written);
}

void reload_start(struct ws *w, int blob_fd, uint64_t generation, reload_done_fn done, void *owner)
{
	struct hold *next = NULL;
	struct err e = { 0 };

	if (is_busy(w, blob_fd, generation, done, owner))
		return;
	if (hold_take(&next, blob_fd, generation, &e) < 0)
		refuse(w, generation, REASON_POLICY_INVALID, e.text, done, owner);
	else
		take(w, next, generation, done, owner);
}

static void on_bundle(void *owner, struct hold *h, enum reason why, const char *detail)
{
	struct ws *w = owner;

	now.stage = IDLE;
	if (ws_stopping(w))
		hold_free(h);
	else if (h)
		take(w, h, now.generation, now.done, now.owner);
	else
		refuse(w, now.generation, why, detail, now.done, now.owner);
}

void reload_bundle(struct ws *w, int bundle_fd, const struct bundle_order *o, reload_done_fn done, void *owner)
{
	if (is_busy(w, bundle_fd, o->generation, done, owner))
		return;
	now.stage = COMPILING;
	now.ws = w;
	now.generation = o->generation;
	now.done = done;
	now.owner = owner;
	bundle_load(w, w->loop, bundle_fd, o, on_bundle, w);
}

void reload_forget(void *owner)
{
	if (now.owner == owner)
		now.done = NULL;
}

void reload_answer(struct role *r, uint64_t generation, bool ok, struct bytes why)
{
	if (!ok) {
		/* It judged otherwise than we did with the same code: it is not well. */
		log_line("%s refused policy generation %llu: %.*s", r->ops->name, (unsigned long long)generation, (int)why.len,
			 (const char *)why.p);
		child_signal(&r->child, SIGKILL);
		return;
	}
	if (now.stage == IDLE || generation != now.generation)
		return;
	now.has[r->kind] = true;
	reload_progress(r->ws);
}
