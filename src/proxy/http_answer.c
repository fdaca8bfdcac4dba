#include "proxy/http_flow.h"

#include <stdio.h>

#include "wire/http1_out.h"
#include "wire/http1_trailer.h"

/* From the host's bytes to what of them the guest gets: a head of our own, the content in a framing of our own, and those trailers
 * that may pass. Where a rule says that the host may reflect the credential, only what cannot be a part of it goes on. */

enum { ROUNDS = 8 }; /* reads of a socket in a row, for the sake of other flows; what lies in a stream is bounded by its window */

/* What the request wears. */
static bool worn(const struct http_flow *f, struct bytes *ret)
{
	struct policy_credential credential;
	uint64_t version;

	return policy_credential_at(gate_policy(f->flow.gate), f->flow.entry.credential, &credential) &&
	       gate_secret(f->flow.gate, credential.id, ret, &version);
}

/* Only who talks to the host watches: it alone has the secret. */
static bool watch(struct http_flow *f)
{
	struct bytes secret = bytes_of(NULL, 0);
	bool scans = f->reflective && f->secret_version;

	f->watch = http_watch_free(f->watch);
	if (f->through_outlet || (!scans && f->flow.entry.ai == POLICY_AI_NONE))
		return true;
	if (scans && !worn(f, &secret))
		return false;
	f->watch = http_watch_new(secret);
	return f->watch;
}

/* What a host says of itself goes on record, where no secret may stand, whether its answers are scanned or not. */
static bool may_be_told(const struct http_flow *f, struct bytes text)
{
	struct bytes secret;
	struct http_watch *w;
	bool ok;

	if (!f->secret_version || http_watch_scans(f->watch))
		return !http_watch_leaks(f->watch, text);
	if (http_dress_stale(f) || !worn(f, &secret)) /* nobody knows any more what it was */
		return false;
	w = http_watch_new(secret);
	ok = w && !http_watch_leaks(w, text);
	(void)http_watch_free(w);
	return ok;
}

bool http_answer_begin(struct http_flow *f)
{
	f->answer_scan = (struct http1_scan){ 0 };
	f->answering = false;
	f->answer_done = false;
	f->n_interim = 0;
	f->cookies_stripped = false;
	buf_deinit(&f->trailers);
	return watch(f);
}

/* The name that the guest knows says nothing of who counted. */
static struct bytes upstream_of(const struct http_flow *f, char ret[NAME_MAX_LEN + 32])
{
	const struct policy_entry *e = &f->flow.entry;

	if (!e->upstream.len)
		return bytes_of(NULL, 0);
	(void)snprintf(ret, NAME_MAX_LEN + 32, "the host behind it is %.*s", (int)e->upstream.len, (const char *)e->upstream.p);
	return bytes_str(ret);
}

static void note_answer(struct http_flow *f)
{
	const struct ai_counts *said = f->watch ? http_watch_counts(f->watch) : NULL;
	struct event ev = http_request_event(f, EVENT_CLOSED, REASON_OK);
	char upstream[NAME_MAX_LEN + 32];

	ev.status = f->answer_status;
	ev.detail = bytes_str(f->cookies_stripped ? "stripped from the answer: set-cookie" : "");
	if (f->cookies_stripped)
		gate_note(f->flow.gate, &ev);
	f->cookies_stripped = false;
	if (said) {
		ev.kind = EVENT_MODEL;
		ev.detail = upstream_of(f, upstream);
		ev.tokens_in = said->n[AI_INPUT];
		ev.tokens_out = said->n[AI_OUTPUT];
		if (may_be_told(f, bytes_str(said->model)))
			ev.model = bytes_str(said->model);
		gate_note(f->flow.gate, &ev);
	}
	f->watch = http_watch_free(f->watch);
}

void http_answer_note(struct http_flow *f)
{
	if (f->cookies_stripped || f->watch)
		note_answer(f);
}

void http_answer_failed(struct http_flow *f, enum reason reason)
{
	if (f->through_outlet && f->answering && reason == REASON_UPSTREAM_CLOSED) { /* whoever cut it off has said why */
		http_refuse_silently(f, 502, reason);
		return;
	}
	http_refuse(f, reason == REASON_UPSTREAM_TIMEOUT ? 504 : reason == REASON_TOO_MANY_FLOWS ? 503 : 502, EVENT_FAILED, reason);
}

/* The guest keeps no session of the host's that it is to have none of. Only who talks to the host takes it away, and says so. */
static void strip_cookies(struct http_flow *f, struct http1_head *h)
{
	size_t n = 0;

	if (!f->flow.entry.strip_set_cookie || f->through_outlet)
		return;
	for (size_t i = 0; i < h->n_fields; i++) {
		if (bytes_ieq(h->fields[i].name, bytes_str("set-cookie")) || bytes_ieq(h->fields[i].name, bytes_str("set-cookie2")))
			f->cookies_stripped = true;
		else
			h->fields[n++] = h->fields[i];
	}
	h->n_fields = n;
}

/* A final head: what of it goes to the guest, and what happens to both connections afterwards. */
static void take_answer(struct http_flow *f, struct http1_head *h, const struct http1_length *l)
{
	struct http1_relay relay = { .client_minor = f->minor, .to_head = f->to_head };

	f->keep = f->keep && f->body_done && !f->unlisted && !f->guest.eof;
	relay.keep = f->keep || f->guest.stream; /* of a stream nobody says that it closes */
	strip_cookies(f, h);
	(void)buf_room(&f->guest.out, f->upstream.in.len); /* most of what is here goes on: memory for all of it at once */
	f->answer_framing = http1_answer_canon(h, l, &relay, &f->guest.out);
	f->keep = f->keep && f->answer_framing != HTTP1_UNTIL_CLOSE;
	f->upstream_keep = l->keep && l->framing != HTTP1_NO_BODY && !f->upstream.stream; /* a stream is one exchange */
	f->answering = true;
	f->answer_status = h->status;
	f->answer_done = l->framing == HTTP1_NO_BODY || (l->framing == HTTP1_LENGTH && l->len == 0);
	http1_body_init(&f->answer_body, l->framing, l->len);
	http1_body_keep_trailers(&f->answer_body, &f->trailers);
}

/* Part by part a secret passes unseen. That these were not asked for (dress.c) does not keep a host from sending them. */
static bool is_part(const struct http1_head *h)
{
	static const char parts[] = "multipart/byteranges";

	for (size_t i = 0; i < h->n_fields; i++) {
		const struct http1_field *f = &h->fields[i];

		if (bytes_ieq(f->name, bytes_str("content-range")) || bytes_ieq(f->name, bytes_str("im")))
			return true;
		if (bytes_ieq(f->name, bytes_str("content-type")) && f->value.len >= strlen(parts) &&
		    bytes_ieq(bytes_of(f->value.p, strlen(parts)), bytes_str(parts)))
			return true;
	}
	return h->status == 206 || h->status == 226;
}

/* Its messages have a coding of their own (gRPC; Connect), whatever the request said that it takes. */
static bool has_coded_messages(const struct http1_head *h)
{
	static const char *const names[] = { "grpc-encoding", "connect-content-encoding" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct http1_list at = { 0 };
		struct bytes coding;

		while (http1_list_next(h, names[i], &at, &coding))
			if (!bytes_ieq(coding, bytes_str("identity")))
				return true;
	}
	return false;
}

/* A secret could be in it that the scan does not find. */
static enum reason unreadable(const struct http1_head *h, const struct http1_length *l)
{
	if (l->framing == HTTP1_NO_BODY)
		return REASON_OK;
	return http_ask_coded(h) || has_coded_messages(h) ? REASON_ANSWER_CODED : is_part(h) ? REASON_ANSWER_PARTIAL : REASON_OK;
}

/* False: the answer has failed. `raw`: the head as it came, an interim one too. */
static bool head_may_pass(struct http_flow *f, struct bytes raw, const struct http1_head *h, const struct http1_length *l)
{
	struct bytes type = bytes_of(NULL, 0);
	enum reason r;

	if (!f->watch)
		return true;
	if (http_watch_leaks(f->watch, raw)) {
		http_answer_failed(f, REASON_CREDENTIAL_REFLECTED);
		return false;
	}
	r = http_watch_scans(f->watch) ? unreadable(h, l) : REASON_OK;
	if (r != REASON_OK) {
		http_answer_failed(f, r);
		return false;
	}
	if (h->status >= 200 && f->flow.entry.ai != POLICY_AI_NONE && !http_ask_coded(h) && http1_find(h, "content-type", &type) == 1)
		http_watch_count(f->watch, type);
	return true;
}

/* One that a policy since then would not open never opens. What goes through outlet is asked there. */
static bool upgrade_stands(struct http_flow *f)
{
	if (f->websocket && !f->through_outlet && f->generation != gate_generation(f->flow.gate))
		http_socket_judge(f);
	return f->phase == HTTP_RELAY;
}

/* True: something was taken off upstream.in. */
static bool answer_head(struct http_flow *f)
{
	struct http1_head h;
	struct http1_length l;
	enum http1_fault fault;
	enum http1_answer a;
	size_t len;

	a = http1_response_head(&f->answer_scan, buf_view(&f->upstream.in), &h, &len, &fault);
	if (a == HTTP1_MORE && f->upstream.cramped)
		http_answer_failed(f, REASON_TOO_MANY_FLOWS);
	if (a == HTTP1_MORE)
		return false;
	if (a == HTTP1_BAD || !http1_response_length(&h, f->to_head, &l, &fault) ||
	    (h.status < 200 && ++f->n_interim > HTTP_FLOW_INTERIM_MAX)) {
		http_answer_failed(f, REASON_UPSTREAM_MALFORMED);
		return false;
	}
	if (!head_may_pass(f, bytes_of(f->upstream.in.p, len), &h, &l))
		return false;
	if (h.status == 101) {
		if (!upgrade_stands(f))
			return false;
		strip_cookies(f, &h);
		f->answer_status = h.status;
		if (!http_socket_open(f, &h)) {
			http_answer_failed(f, REASON_UPSTREAM_MALFORMED);
			return false;
		}
	}
	if (h.status >= 200)
		take_answer(f, &h, &l);
	f->answer_scan = (struct http1_scan){ 0 };
	buf_consume(&f->upstream.in, len);
	return true;
}

/* Content goes on, as far as it may. False: the answer has failed. */
static bool pass(struct http_flow *f, struct bytes data, bool last)
{
	if (f->watch && (!http_watch_pass(f->watch, data, last, &data) || (last && http_watch_leaks(f->watch, buf_view(&f->trailers))))) {
		http_answer_failed(f, http_watch_starved(f->watch) ? REASON_TOO_MANY_FLOWS : REASON_CREDENTIAL_REFLECTED);
		return false;
	}
	http1_piece(&f->guest.out, f->answer_framing, data);
	if (last)
		http1_last_with(&f->guest.out, f->answer_framing, buf_view(&f->trailers));
	f->answer_done = last;
	return true;
}

static bool answer_piece(struct http_flow *f)
{
	enum http1_fault fault;
	enum http1_answer a;
	struct bytes data;
	size_t used;

	a = http1_body_next(&f->answer_body, buf_view(&f->upstream.in), &used, &data, &fault);
	if (a == HTTP1_BAD) {
		http_answer_failed(f, REASON_UPSTREAM_MALFORMED);
		return false;
	}
	if (!pass(f, data, a == HTTP1_DONE))
		return false;
	buf_consume(&f->upstream.in, used);
	return true;
}

/* Nothing will come any more. */
static void answer_cut(struct http_flow *f)
{
	if (f->answering && f->answer_body.framing == HTTP1_UNTIL_CLOSE && !f->upstream.broken)
		(void)pass(f, bytes_of(NULL, 0), true);
	else
		http_forward_ended(f);
}

void http_answer_relay(struct http_flow *f)
{
	f->answer_more = true;
	for (int round = 0; round < ROUNDS || !http_side_watched(&f->upstream); round++) {
		size_t n = http_side_read(&f->upstream, HTTP_SIDE_READ);
		bool moved = true;

		f->bytes_in += n;
		while (moved && f->phase == HTTP_RELAY && !f->answer_done && !http_side_full(&f->guest))
			moved = f->upstream.in.len && (f->answering ? answer_piece(f) : answer_head(f));
		if (f->phase != HTTP_RELAY)
			return;
		(void)http_side_flush(&f->guest);
		if (f->answer_done || http_side_full(&f->guest) || (n == 0 && moved == false && !f->upstream.cramped)) {
			f->answer_more = false;
			break;
		}
	}
	if (!f->answer_done && f->upstream.eof && (f->upstream.in.len == 0 || !f->answering) &&
	    !http_side_full(&f->guest))
		answer_cut(f);
}
