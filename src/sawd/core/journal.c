#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "os/log.h"
#include "rules/reason.h"
#include "sawd/core/core.h"

/* The event is on disk before the change is made: one commit each, since calls that change state are rare. A log that cannot be
 * opened or written is tried anew with each event. */

static int open_log(struct core *c, struct err *e)
{
	struct ocsf_source src = { .version = bytes_str(SAW_VERSION), .writer = bytes_str("control"), .owner = bytes_str(c->owner) };
	char path[PATHS_MAX];
	int r;

	if (c->audit)
		return 0;
	r = paths_join(path, c->state, "audit/control.jsonl", e);
	r = r < 0 ? r : audit_log_open(&c->audit, path, &src, e);
	if (r < 0)
		c->audit = NULL;
	else if (audit_log_torn(c->audit))
		log_line("audit log: %llu bytes of a torn line were put aside", (unsigned long long)audit_log_torn(c->audit));
	return r;
}

int journal_event(struct core *c, const struct event *ev, struct err *e)
{
	int r = open_log(c, e);

	if (r == 0 && !audit_log_add(c->audit, ev, reason_code((enum reason)ev->reason), reason_sentence((enum reason)ev->reason)))
		r = err_set(e, ENOMEM, "audit log: no memory for an event");
	r = r < 0 ? r : audit_log_commit(c->audit, e);
	/* Replaced or removed by somebody: the next event opens what is there then. */
	if (r < 0 && c->audit)
		c->audit = audit_log_free(c->audit);
	if (r < 0 && c->audit_ok)
		log_line("%s", e->text);
	c->audit_ok = r == 0;
	return r < 0 ? JOURNAL_FAULT : 0;
}

static int note(struct core *c, enum event_kind kind, enum event_action action, enum reason why, const char *verb, const char *id,
		const char *name, const char *detail, struct err *e)
{
	char text[EVENT_TEXT_MAX];
	struct event ev = { .kind = kind, .action = action, .reason = (uint16_t)why, .count = 1 };

	(void)snprintf(text, sizeof(text), "%s%s%s%s%s", name, *name ? " " : "", id, *detail ? ": " : "", detail);
	ev.verb = bytes_str(verb);
	ev.actor = bytes_str(c->owner);
	ev.detail = bytes_str(text);
	return journal_event(c, &ev, e);
}

int journal_call(struct core *c, const char *operation, const char *id, const char *name, const char *detail, struct err *e)
{
	return note(c, EVENT_API, EVENT_ALLOWED, REASON_OK, operation, id, name, detail, e);
}

void journal_failed(struct core *c, enum reason why, const char *operation, const char *id, const char *detail)
{
	struct err e = { 0 };

	(void)note(c, EVENT_API, EVENT_FAILED, why, operation, id, "", detail, &e);
}

int journal_state(struct core *c, const char *word, const char *id, const char *name, const char *detail, struct err *e)
{
	return note(c, EVENT_LIFECYCLE, EVENT_NOTE, REASON_OK, word, id, name, detail, e);
}

void journal_refused(struct core *c, enum reason why, const char *channel, const char *detail)
{
	char text[EVENT_TEXT_MAX];
	struct event ev = { .kind = EVENT_POLICY, .action = EVENT_DENIED, .reason = (uint16_t)why, .count = 1 };
	struct err e = { 0 };

	(void)snprintf(text, sizeof(text), "%s%s%s", channel, *detail ? ": " : "", detail);
	ev.verb = bytes_str("refused");
	ev.actor = bytes_str(c->owner);
	ev.detail = bytes_str(text);
	(void)journal_event(c, &ev, &e);
}

bool journal_ok(struct core *c, struct err *e)
{
	return open_log(c, e) == 0;
}
