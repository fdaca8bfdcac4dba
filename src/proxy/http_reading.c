#include "proxy/http_reading.h"

#include <stdlib.h>

#include "net/held.h"
#include "wire/gzip.h"
#include "wire/http1_charset.h"
#include "wire/http1_form.h"

/* JSON is read whole, whatever its label says; but a host may go by the label, and then what it reads must not be something else. Of a push the commands are, which stand before the pack: they are ready as soon as they are all there, and the
 * pack goes on behind them unread. A body over its limit is TOO_LARGE, never judged by its beginning.
 *
 * The commands are views into `plain`, which therefore never changes once they are complete. */

struct http_reading {
	enum policy_needs needs;
	enum policy_body_state state; /* READ until something is wrong */
	enum http1_form_kind label; /* JSON: a form, says the client */
	bool over;
	bool complete; /* GIT: all commands are there */
	struct buf plain;
	struct gzip *gunzip;
	bool gunzip_done;
	struct git_push_scan scan;
	struct git_push push;
	struct git_command *commands;
	struct arena arena;
	struct policy_body facts;
	size_t fixed; /* what it costs from the start */
	size_t held; /* what the caller keeps beside it */
	size_t charged;
	size_t charged_all; /* the same without what is held: net/held.h */
};

static size_t all_charged; /* of this process: one workspace */

_Static_assert((size_t)HTTP_READING_MAX == POLICY_BODY_JSON_MAX && (size_t)HTTP_READING_MAX == GIT_PUSH_LEN_MAX,
	       "one limit for both");

/* READ with or without gzip to take off; else IS_CODED. */
static enum policy_body_state coding_of(const struct http1_head *h, enum policy_needs needs, bool *ret_gzip)
{
	struct http1_list at = { 0 };
	struct bytes coding;
	unsigned n = 0;

	*ret_gzip = false;
	while (http1_list_next(h, "content-encoding", &at, &coding)) {
		if (bytes_ieq(coding, bytes_str("identity")))
			continue;
		*ret_gzip = bytes_ieq(coding, bytes_str("gzip")) || bytes_ieq(coding, bytes_str("x-gzip"));
		if (++n > 1 || !*ret_gzip || needs != POLICY_NEEDS_GIT)
			return POLICY_BODY_IS_CODED;
	}
	return POLICY_BODY_READ;
}

/* Nearly every JSON text is YAML too, but there `<<` merges the members of another mapping, and 1e3 is a text. */
static bool says_yaml(struct bytes type)
{
	for (; type.len >= strlen("yaml"); type = bytes_skip(type, 1))
		if (bytes_ieq(bytes_of(type.p, strlen("yaml")), bytes_str("yaml")))
			return true;
	return false;
}

static enum policy_body_state label_of(const struct http1_head *h)
{
	enum http1_form_kind kind = http1_form_kind_of(h);
	struct bytes type = bytes_of(NULL, 0);

	/* in UTF-7 a host would find quotation marks where we find none, in others the end of a text earlier or later */
	(void)http1_find(h, "content-type", &type);
	if (http1_charset_of(type) != HTTP1_CHARSET_PLAIN || says_yaml(type))
		return POLICY_BODY_UNCLEAR;
	return kind == HTTP1_FORM_MULTIPART || kind == HTTP1_FORM_PARTS ? POLICY_BODY_UNCLEAR : POLICY_BODY_READ;
}

/* As a form it is one pair, whose name begins with a brace, unless something in it separates pairs. */
static bool reads_as_form(const struct http_reading *r)
{
	struct bytes body = buf_view(&r->plain);

	return r->label == HTTP1_FORM_URLENCODED && (bytes_find(body, '&') < body.len || bytes_find(body, ';') < body.len);
}

static void charge(struct http_reading *r)
{
	all_charged -= r->charged;
	r->charged = r->fixed + r->held + r->plain.cap + r->arena.used;
	all_charged += r->charged;
	held_set(&r->charged_all, r->charged - r->held);
}

struct http_reading *http_reading_new(enum policy_needs needs, const struct http1_head *h)
{
	struct http_reading *r = all_charged < HTTP_READING_ALL_MAX ? calloc(1, sizeof(*r)) : NULL;
	bool gzip;

	if (!r)
		return NULL;
	r->needs = needs;
	r->state = coding_of(h, needs, &gzip);
	if (needs == POLICY_NEEDS_JSON)
		r->label = http1_form_kind_of(h);
	if (needs == POLICY_NEEDS_JSON && r->state == POLICY_BODY_READ)
		r->state = label_of(h);
	buf_init(&r->plain, HTTP_READING_MAX + 1);
	arena_init(&r->arena, JSON_POINTER_ARENA_MAX);
	if (gzip && r->state == POLICY_BODY_READ)
		r->gunzip = gzip_new(HTTP_READING_MAX + 1);
	if (needs == POLICY_NEEDS_GIT)
		r->commands = calloc(GIT_PUSH_COMMANDS_MAX, sizeof(*r->commands));
	r->fixed = sizeof(*r) + (r->gunzip ? GZIP_MEMORY : 0) + (r->commands ? GIT_PUSH_COMMANDS_MAX * sizeof(*r->commands) : 0);
	charge(r);
	if ((gzip && r->state == POLICY_BODY_READ && !r->gunzip) || (needs == POLICY_NEEDS_GIT && !r->commands))
		return http_reading_free(r);
	return r;
}

struct http_reading *http_reading_free(struct http_reading *r)
{
	if (!r)
		return NULL;
	all_charged -= r->charged;
	held_set(&r->charged_all, 0);
	gzip_free(r->gunzip);
	free(r->commands);
	arena_deinit(&r->arena);
	buf_deinit(&r->plain);
	free(r);
	return NULL;
}

static void wrong(struct http_reading *r, enum policy_body_state state)
{
	if (r->state == POLICY_BODY_READ)
		r->state = state;
}

static void keep(struct http_reading *r, struct bytes data)
{
	if (r->complete) { /* behind the commands; the decoder counts how much there is */
		if (data.len && !r->push.has_pack)
			wrong(r, POLICY_BODY_UNPARSABLE);
		return;
	}
	if (!buf_bytes(&r->plain, data))
		wrong(r, POLICY_BODY_TOO_LARGE);
	charge(r);
	if (r->plain.len > HTTP_READING_MAX || all_charged > HTTP_READING_ALL_MAX)
		wrong(r, POLICY_BODY_TOO_LARGE);
}

void http_reading_held(struct http_reading *r, size_t held)
{
	r->held = held;
	charge(r);
	if (all_charged > HTTP_READING_ALL_MAX)
		wrong(r, POLICY_BODY_TOO_LARGE);
}

static void look(struct http_reading *r)
{
	enum git_fault fault;

	if (r->needs != POLICY_NEEDS_GIT || r->complete || r->state != POLICY_BODY_READ)
		return;
	switch (git_push_read(&r->scan, buf_view(&r->plain), r->commands, GIT_PUSH_COMMANDS_MAX, &r->push, &fault)) {
	case GIT_DONE:
		r->complete = true;
		if (r->plain.len > r->push.len && !r->push.has_pack)
			wrong(r, POLICY_BODY_UNPARSABLE);
		break;
	case GIT_MORE:
		if (r->over)
			wrong(r, POLICY_BODY_UNPARSABLE);
		break;
	case GIT_BAD:
		wrong(r, policy_body_git_fault(fault));
		break;
	}
}

static void gunzip(struct http_reading *r, struct bytes data)
{
	enum gzip_answer a = GZIP_MORE;
	enum gzip_fault fault;

	if (r->gunzip_done && data.len)
		wrong(r, POLICY_BODY_UNPARSABLE);
	while (data.len && r->state == POLICY_BODY_READ && !r->gunzip_done) {
		uint8_t out[8192];
		size_t used;
		size_t n;

		a = gzip_next(r->gunzip, data, out, sizeof(out), &used, &n, &fault);
		data = bytes_skip(data, used);
		keep(r, bytes_of(out, n));
		if (a == GZIP_BAD)
			wrong(r, fault == GZIP_FAULT_TOO_LARGE || fault == GZIP_FAULT_RATIO ? POLICY_BODY_TOO_LARGE : POLICY_BODY_UNPARSABLE);
		r->gunzip_done = a == GZIP_DONE;
		if (a == GZIP_MORE && used == 0 && n == 0)
			break;
	}
}

/* What comes needs no look. Where no pack follows the commands nothing may: a host could find further commands there. */
static bool pack_goes_by(const struct http_reading *r)
{
	return r->complete && !r->gunzip && r->push.has_pack;
}

void http_reading_feed(struct http_reading *r, struct bytes data)
{
	if (r->state != POLICY_BODY_READ || pack_goes_by(r) || !data.len)
		return;
	if (r->gunzip)
		gunzip(r, data);
	else
		keep(r, data);
	look(r);
}

void http_reading_end(struct http_reading *r)
{
	r->over = true;
	if (r->gunzip && !r->gunzip_done)
		wrong(r, POLICY_BODY_UNPARSABLE);
	look(r);
}

/* A coded push is decoded to its end, so that nothing can stand behind the one member. */
bool http_reading_ready(const struct http_reading *r)
{
	return r->over || r->state != POLICY_BODY_READ || pack_goes_by(r);
}

const struct git_push *http_reading_push(const struct http_reading *r, const struct git_command **ret_commands)
{
	if (!r->complete)
		return NULL;
	*ret_commands = r->commands;
	return &r->push;
}

const struct policy_body *http_reading_facts(struct http_reading *r, const struct policy *p, const struct policy_entry *e, enum policy_needs needs)
{
	if (needs != r->needs)
		return NULL;
	arena_deinit(&r->arena);
	arena_init(&r->arena, JSON_POINTER_ARENA_MAX);
	charge(r);
	if (!http_reading_ready(r)) /* its framing fills what may be held: there is more, and nobody knows what */
		wrong(r, POLICY_BODY_TOO_LARGE);
	if (reads_as_form(r))
		wrong(r, POLICY_BODY_UNCLEAR);
	r->facts = (struct policy_body){ .state = r->state };
	if (r->state != POLICY_BODY_READ)
		return &r->facts;
	if (r->needs == POLICY_NEEDS_JSON)
		policy_body_json(p, e, buf_view(&r->plain), &r->arena, &r->facts);
	else
		policy_body_push(&r->push, r->commands, &r->facts);
	charge(r);
	return &r->facts;
}
