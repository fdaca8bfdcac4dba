#include "proxy/http_watch.h"

#include <stdlib.h>

#include "crypt/secret.h"
#include "net/held.h"
#include "wire/secret_scan.h"

/* What the scanner knows of the secret lies beside the secret. Of the content only what may be its beginning is held back. */

struct known {
	struct bytes value;
	struct secret_scan scan;
};

enum { SECRETS_HOLD = 16 * 1024 /* the pages of both */ };

struct http_watch {
	size_t charged; /* net/held.h */
	struct secret *value;
	struct secret *known; /* struct known */
	struct buf held;
	size_t passed; /* bytes at the front of `held` that the last call gave */
	struct ai_usage usage;
};

static const struct secret_scan *scan_of(const struct http_watch *w)
{
	return &((const struct known *)(const void *)secret_view(w->known).p)->scan;
}

static bool learn(struct http_watch *w, struct bytes secret)
{
	struct known *known;

	w->value = secret_new(secret);
	w->known = secret_new_empty(sizeof(*known));
	if (!w->value || !w->known)
		return false;
	known = (struct known *)(void *)secret_room(w->known);
	known->value = secret_view(w->value);
	secret_scan_init(&known->scan, &known->value, 1);
	return true;
}

struct http_watch *http_watch_new(struct bytes secret)
{
	struct http_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	buf_init_wiping(&w->held, HTTP_WATCH_HELD_MAX);
	held_buf(&w->held);
	held_set(&w->charged, sizeof(*w) + (secret.len ? SECRETS_HOLD : 0));
	return secret.len == 0 || learn(w, secret) ? w : http_watch_free(w);
}

struct http_watch *http_watch_free(struct http_watch *w)
{
	if (!w)
		return NULL;
	w->known = secret_free(w->known);
	w->value = secret_free(w->value);
	buf_deinit(&w->held);
	held_set(&w->charged, 0);
	free(w);
	return NULL;
}

bool http_watch_scans(const struct http_watch *w)
{
	return w->value != NULL;
}

bool http_watch_leaks(const struct http_watch *w, struct bytes text)
{
	size_t safe;

	return w->value && secret_scan_find(scan_of(w), text, true, &safe);
}

bool http_watch_starved(const struct http_watch *w)
{
	return w->held.failed;
}

bool http_watch_pass(struct http_watch *w, struct bytes data, bool last, struct bytes *ret)
{
	size_t safe;

	ai_usage_feed(&w->usage, data);
	if (!w->value) {
		*ret = data;
		return true;
	}
	buf_consume(&w->held, w->passed);
	w->passed = 0;
	if (!buf_bytes(&w->held, data) || secret_scan_find(scan_of(w), buf_view(&w->held), last, &safe))
		return false;
	w->passed = safe;
	*ret = bytes_of(w->held.p, safe);
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
