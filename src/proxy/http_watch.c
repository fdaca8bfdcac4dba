#include "proxy/http_watch.h"

#include <stdlib.h>

#include "crypt/secret.h"
#include "net/held.h"
#include "wire/secret_scan.h"

/* What the scanner knows of the secret lies beside the secret, once for all answers that are scanned for that value: guarded memory has room
 * for the workspace's secrets (outlet's main.c), and a guest with many slow answers must not take it. Of the content only what may be its
 * beginning is held back. */

struct known {
	struct bytes value;
	struct secret_scan scan;
};

struct sought {
	struct secret *value;
	struct secret *known; /* struct known */
	size_t users;
	struct sought *next;
};

static struct sought *all;

struct http_watch {
	size_t charged; /* net/held.h */
	struct sought *sought; /* NULL: nothing is looked for */
	struct buf held;
	size_t passed; /* bytes at the front of `held` that have gone */
	struct ai_usage usage;
};

static const struct secret_scan *scan_of(const struct http_watch *w)
{
	return &((const struct known *)(const void *)secret_view(w->sought->known).p)->scan;
}

static void forget(struct sought *s)
{
	struct sought **at = &all;

	if (!s || --s->users)
		return;
	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
	secret_free(s->known);
	secret_free(s->value);
	free(s);
}

static struct sought *learn(struct bytes secret)
{
	struct sought *s = calloc(1, sizeof(*s));
	struct known *known;

	if (!s)
		return NULL;
	s->users = 1;
	s->value = secret_new(secret);
	s->known = secret_new_empty(sizeof(*known));
	if (!s->value || !s->known) {
		forget(s);
		return NULL;
	}
	known = (struct known *)(void *)secret_room(s->known);
	known->value = secret_view(s->value);
	secret_scan_init(&known->scan, &known->value, 1);
	s->next = all;
	all = s;
	return s;
}

static struct sought *seek(struct bytes secret)
{
	for (struct sought *s = all; s; s = s->next) {
		if (secret_eq(s->value, secret)) {
			s->users++;
			return s;
		}
	}
	return learn(secret);
}

struct http_watch *http_watch_new(struct bytes secret)
{
	struct http_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	buf_init_wiping(&w->held, HTTP_WATCH_HELD_MAX);
	held_buf(&w->held);
	held_set(&w->charged, sizeof(*w));
	w->sought = secret.len ? seek(secret) : NULL;
	return secret.len == 0 || w->sought ? w : http_watch_free(w);
}

struct http_watch *http_watch_free(struct http_watch *w)
{
	if (!w)
		return NULL;
	forget(w->sought);
	buf_deinit(&w->held);
	held_set(&w->charged, 0);
	free(w);
	return NULL;
}

bool http_watch_scans(const struct http_watch *w)
{
	return w->sought != NULL;
}

bool http_watch_leaks(const struct http_watch *w, struct bytes text)
{
	size_t safe;

	return w->sought && secret_scan_find(scan_of(w), text, 0, true, &safe);
}

bool http_watch_starved(const struct http_watch *w)
{
	return w->held.failed;
}

bool http_watch_pass(struct http_watch *w, struct bytes data, bool last, struct bytes *ret)
{
	size_t behind = w->passed < SECRET_SCAN_BEHIND ? w->passed : SECRET_SCAN_BEHIND, safe;

	ai_usage_feed(&w->usage, data);
	if (!w->sought) {
		*ret = data;
		return true;
	}
	buf_consume(&w->held, w->passed - behind);
	w->passed = behind;
	if (data.len > HTTP_WATCH_HELD_MAX - w->held.len) /* no host writes a secret so long-winded, but as the beginning of one it cannot go */
		return false;
	if (!buf_bytes(&w->held, data) || secret_scan_find(scan_of(w), buf_view(&w->held), behind, last, &safe))
		return false;
	w->passed = safe;
	*ret = bytes_skip(bytes_of(w->held.p, safe), behind);
	return true;
}

void http_watch_count(struct http_watch *w, struct bytes content_type)
{
	ai_usage_init(&w->usage, ai_usage_kind_of(content_type));
}

const struct ai_counts *http_watch_counts(const struct http_watch *w)
{
	const struct ai_counts *c = &w->usage.counts;
	bool any = c->model[0] != '\0';

	for (size_t i = 0; i < AI_COUNTS; i++)
		any = any || c->has[i];
	return any ? c : NULL;
}
