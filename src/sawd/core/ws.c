#include "sawd/core/secrets.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/log.h"

static size_t bucket_of(struct bytes id)
{
	size_t h = 5381;

	for (size_t i = 0; i < id.len; i++)
		h = h * 33 + id.p[i];
	return h % CORE_BUCKETS;
}

struct ws *ws_find(const struct core *c, struct bytes id)
{
	struct ws *w = c->buckets[bucket_of(id)];

	while (w && !bytes_is(id, w->row.id))
		w = w->next;
	return w;
}

static void on_kick(struct loop_later *l)
{
	reconcile_step(l->owner);
}

static void on_timer(struct loop_timer *t)
{
	reconcile_step(t->owner);
}

void ws_kick(struct ws *w)
{
	loop_later(w->core->loop, &w->kick, on_kick, w);
}

void ws_kick_in(struct ws *w, uint64_t ms)
{
	if (!loop_timer_arm(w->core->loop, &w->timer, ms, on_timer, w))
		ws_kick(w);
}

struct ws *ws_new(struct core *c, const struct workspace *row)
{
	struct ws *w = calloc(1, sizeof(*w));
	size_t at = bucket_of(bytes_str(row->id));

	if (!w)
		return NULL;
	*w = (struct ws){ .core = c, .row = *row, .next = c->buckets[at], .retry_ms = WS_RETRY_MS, .grace_ms = WS_GRACE_MS };
	w->state = sawd_state_of(bytes_str(row->state));
	w->desired = bytes_is(bytes_str(row->desired), "running") ? SAWD_WANT_RUNNING :
		     bytes_is(bytes_str(row->desired), "deleted") ? SAWD_WANT_DELETED :
								    SAWD_WANT_STOPPED;
	if (!w->state)
		w->state = SAWD_FAILED;
	c->buckets[at] = w;
	c->n_ws++;
	return w;
}

void ws_free(struct ws *w)
{
	struct core *c = w->core;

	for (struct ws **at = &c->buckets[bucket_of(bytes_str(w->row.id))]; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			c->n_ws--;
			break;
		}
	control_close(w);
	supply_deinit(w);
	ask_forget(c, w);
	loop_timer_disarm(&w->timer);
	loop_later_cancel(&w->kick);
	free(w);
}

void ws_each(struct core *c, void (*fn)(struct ws *w))
{
	for (size_t i = 0; i < CORE_BUCKETS; i++)
		for (struct ws *w = c->buckets[i], *next; w; w = next) {
			next = w->next;
			fn(w);
		}
}

int ws_wake(struct core *c, struct bytes name_or_id, struct ws **ret, struct err *e)
{
	struct workspace row;
	int r = sawd_id_ok(name_or_id, "ws-") ? workspaces_by_id(c->db, name_or_id, &row, e) :
						workspaces_by_name(c->db, c->owner, name_or_id, &row, e);

	if (r != 1)
		return r;
	*ret = ws_find(c, bytes_str(row.id));
	if (!*ret)
		*ret = ws_new(c, &row);
	return *ret ? 1 : err_set(e, ENOMEM, "out of memory for a workspace");
}

int ws_save(struct ws *w, struct err *e)
{
	int r;

	(void)snprintf(w->row.state, sizeof(w->row.state), "%s", sawd_state_text(w->state));
	(void)snprintf(w->row.desired, sizeof(w->row.desired), "%s", sawd_desired_text(w->desired));
	r = workspaces_update(w->core->db, &w->row, e);
	if (r == 0)
		api_row(w->core, 0, &w->row);
	return r;
}

static int enter(struct ws *w, enum sawd_state state, const char *detail, struct err *e)
{
	if (state != w->state)
		w->row.since_ms = clock_real_ms();
	w->state = state;
	(void)snprintf(w->row.detail, sizeof(w->row.detail), "%s", detail);
	return ws_save(w, e);
}

void ws_set(struct ws *w, enum sawd_state state, const char *detail)
{
	struct err e = { 0 };

	if (state == w->state && bytes_is(bytes_str(detail), w->row.detail))
		return;
	if (state != w->state)
		(void)journal_state(w->core, sawd_state_text(state), w->row.id, w->row.name, detail, &e);
	if (enter(w, state, detail, &e) < 0)
		log_line("%s: %s", w->row.name, e.text);
}

bool ws_begin(struct ws *w, enum sawd_state state, const char *detail)
{
	enum sawd_state state_before = w->state;
	struct workspace before = w->row;
	struct err e = { 0 };

	if (state == w->state)
		return true;
	if (journal_state(w->core, sawd_state_text(state), w->row.id, w->row.name, detail, &e) < 0 ||
	    enter(w, state, detail, &e) < 0) {
		log_line("%s: %s", w->row.name, e.text);
		w->state = state_before;
		w->row = before;
		return false;
	}
	return true;
}

void ws_fail(struct ws *w, const char *format, ...)
{
	char text[SAWD_DETAIL_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_line("%s: %s", w->row.name, text);
	w->busy = false;
	w->deadline_ms = 0;
	w->not_before_ms = loop_now_ms(w->core->loop) + w->retry_ms;
	if (w->desired == SAWD_WANT_RUNNING)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "; next try in %llu s",
			       (unsigned long long)w->retry_ms / 1000);
	w->retry_ms = w->retry_ms * 2 > WS_RETRY_MAX_MS ? WS_RETRY_MAX_MS : w->retry_ms * 2;
	ws_set(w, SAWD_FAILED, text);
	ws_kick(w);
}

static bool may_run(const struct ws *w)
{
	return w->control || w->state == SAWD_STARTING || w->state == SAWD_RUNNING || w->state == SAWD_STOPPING;
}

bool ws_has_room(struct ws *w)
{
	struct core *c = w->core;
	uint64_t n = 0;

	for (size_t i = 0; i < CORE_BUCKETS; i++)
		for (const struct ws *x = c->buckets[i]; x; x = x->next)
			n += x != w && may_run(x);
	if (n < c->running_max)
		return true;
	ws_fail(w, "%llu other workspaces run, which is as many as this sawd runs at once: stop one of them", (unsigned long long)n);
	return false;
}
