#include "workspace/supervisor/reload.h"

#include <signal.h>
#include <string.h>

#include "os/fd.h"
#include "os/log.h"
#include "rules/reason.h"
#include "workspace/supervisor/gateway.h"
#include "workspace/supervisor/hold.h"
#include "workspace/supervisor/listeners.h"
#include "workspace/supervisor/trail.h"
#include "workspace/supervisor/ws.h"

/* check -> event on disk -> listeners -> dialer -> outlet -> inlet -> old listeners closed -> answer.
 *
 * From "dialer" on the new policy is the one in force: a role that starts meanwhile gets it as its first. Dialer comes first
 * because it has the last word: while only some have the new policy, a flow is allowed only where all agree. */

enum stage { IDLE, WRITING, LISTENING, DIALER, OUTLET, INLET };

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

static void answer(bool ok, const char *why)
{
	reload_done_fn done = now.done;

	loop_timer_disarm(&now.timer);
	now.stage = IDLE;
	now.next = hold_free(now.next);
	if (done)
		done(now.owner, now.generation, ok, why);
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

static void refuse(struct ws *w, uint64_t generation, const char *why, reload_done_fn done, void *owner)
{
	note(w, NULL, EVENT_DENIED, REASON_POLICY_INVALID, "refused", why, generation, NULL);
	log_line("policy generation %llu refused: %s", (unsigned long long)generation, why);
	done(owner, generation, false, why);
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

/* A hung role is ended; its successor gets the new policy first of all, and answers for it. */
static void on_late(struct loop_timer *t)
{
	struct ws *w = t->owner;

	const struct step *s = step_of(now.stage);

	if (s)
		child_signal(&w->roles[s->role].child, SIGKILL);
	(void)loop_timer_arm(w->loop, &now.timer, RELOAD_MS, on_late, w);
}

static void put_in_force(struct ws *w)
{
	struct hold *old = w->hold;

	w->hold = now.next;
	now.next = old;
	trail_policy(w->trail, policy_label(hold_policy(w->hold)), policy_lab(hold_policy(w->hold)));
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
		answer(true, "");
	}
}

static void on_written(void *owner, uint64_t id, bool ok)
{
	uint16_t ports[POLICY_PORTS_MAX];

	(void)owner;
	(void)id;
	if (!ok) {
		answer(false, reason_sentence(REASON_AUDIT_UNWRITABLE));
		return;
	}
	now.stage = LISTENING;
	listeners_want(now.ws->listeners, ports, hold_ports(now.next, ports));
	reload_progress(now.ws);
}

void reload_start(struct ws *w, int blob_fd, uint64_t generation, reload_done_fn done, void *owner)
{
	struct hold *next = NULL;
	struct err e = { 0 };

	if (now.stage != IDLE || ws_stopping(w)) {
		(void)fd_close(blob_fd);
		done(owner, generation, false, "another change of policy is under way: try again in a moment");
		return;
	}
	if (hold_take(&next, blob_fd, generation, &e) < 0) {
		refuse(w, generation, e.text, done, owner);
		return;
	}
	if (generation < hold_generation(w->hold) ||
	    (generation == hold_generation(w->hold) && !bytes_eq(policy_sha256(hold_policy(next)),
								 policy_sha256(hold_policy(w->hold))))) {
		hold_free(next);
		refuse(w, generation, "the policy's generation does not go back", done, owner);
		return;
	}
	if (generation == hold_generation(w->hold)) {
		hold_free(next);
		done(owner, generation, true, "");
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
	note(w, next, EVENT_NOTE, REASON_OK, "loaded", "", generation, on_written);
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
