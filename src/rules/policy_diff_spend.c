/* What differs beside hosts and requests: credentials, where names lead, who vouches for hosts, what becomes of answers. */
#include "rules/policy_diff_spend.h"

#include "rules/policy_path.h"
#include "rules/policy_spelling.h"

enum { LINE_MAX_LEN = 256 * 1024 }; /* POLICY_BOUND_MAX paths */

static struct bytes text_of(const struct policy *p, struct blob_str s)
{
	return blob_text(p, s);
}

static const struct blob_credential *credential_of(const struct policy *p, const struct blob_entry *e)
{
	if (!e || e->credential == BLOB_NONE)
		return NULL;
	return (const struct blob_credential *)blob_at(p, BLOB_CREDENTIALS) + e->credential;
}

static bool same_way(const struct policy_spend_pair *s, const struct blob_credential *a, const struct blob_credential *b)
{
	return a->inject == b->inject && bytes_eq(text_of(s->from, a->id), text_of(s->to, b->id)) &&
	       bytes_eq(text_of(s->from, a->header), text_of(s->to, b->header)) &&
	       bytes_eq(text_of(s->from, a->prefix), text_of(s->to, b->prefix)) &&
	       bytes_eq(text_of(s->from, a->suffix), text_of(s->to, b->suffix)) && bytes_eq(text_of(s->from, a->user), text_of(s->to, b->user));
}

/* All of a new pattern was bound: as it is and, where it has encoded slashes, also decoded, by the same pattern or another. */
static bool path_bound_before(const struct policy_spend_pair *s, const struct blob_credential *before, struct bytes path)
{
	const struct blob_str *paths = (const struct blob_str *)blob_at(s->from, BLOB_VALUES) + before->paths.first;
	bool as_it_is = false, decoded = !memmem(path.p, path.len, "%2F", 3);
	uint8_t a[POLICY_PATH_MAX], b[POLICY_PATH_MAX];

	if (path.len > POLICY_PATH_MAX)
		return false;
	for (uint32_t i = 0; i < before->paths.n; i++) {
		struct bytes bound = blob_text(s->from, paths[i]);

		as_it_is = as_it_is || policy_path_contains(bound, path);
		if (!decoded && bound.len <= POLICY_PATH_MAX)
			decoded = policy_path_contains(policy_spelling_slashes(bound, a), policy_spelling_slashes(path, b));
	}
	return as_it_is && decoded;
}

static void end(struct policy_spend_pair *s, struct buf *line)
{
	buf_str(line, " (entry ");
	buf_bytes(line, text_of(s->to, s->to_entry->name));
	buf_byte(line, ')');
	if (line->failed)
		s->failed = true;
	else
		s->tell(s->owner, buf_cstr(line));
}

// "spends github on api.example:443 /repos/** /user"
static void compare_credential(struct policy_spend_pair *s)
{
	const struct blob_credential *now = credential_of(s->to, s->to_entry), *before = credential_of(s->from, s->from_entry);
	const struct blob_str *paths;
	BUF_AUTO struct buf line = { .max = LINE_MAX_LEN };
	unsigned n = 0;

	if (!now)
		return;
	if (before && !same_way(s, before, now))
		before = NULL;
	paths = (const struct blob_str *)blob_at(s->to, BLOB_VALUES) + now->paths.first;
	buf_str(&line, "spends ");
	buf_bytes(&line, text_of(s->to, now->id));
	buf_str(&line, " on ");
	buf_bytes(&line, s->host);
	buf_fmt(&line, ":%u", s->port);
	for (uint32_t i = 0; i < now->paths.n; i++) {
		if (before && path_bound_before(s, before, blob_text(s->to, paths[i])))
			continue;
		buf_byte(&line, ' ');
		buf_bytes(&line, blob_text(s->to, paths[i]));
		n++;
	}
	if (n)
		end(s, &line);
}

static void compare_upstream(struct policy_spend_pair *s)
{
	const struct blob_entry *e = s->to_entry, *f = s->from_entry;
	BUF_AUTO struct buf line = { .max = LINE_MAX_LEN };

	/* from where `from` leads elsewhere a name that leads nowhere leads to itself */
	if (f ? f->upstream_port == e->upstream_port && bytes_eq(text_of(s->from, f->upstream), text_of(s->to, e->upstream))
	      : e->upstream.len == 0)
		return;
	buf_str(&line, "leads ");
	buf_bytes(&line, s->host);
	buf_fmt(&line, ":%u to ", s->port);
	buf_bytes(&line, e->upstream.len ? text_of(s->to, e->upstream) : s->host);
	buf_fmt(&line, ":%u", e->upstream.len ? e->upstream_port : s->port);
	end(s, &line);
}

static void tell_words(struct policy_spend_pair *s, const char *words)
{
	BUF_AUTO struct buf line = { .max = LINE_MAX_LEN };

	buf_str(&line, words);
	buf_bytes(&line, s->host);
	buf_fmt(&line, ":%u", s->port);
	end(s, &line);
}

static bool judged(const struct blob_entry *e)
{
	return e->mode == POLICY_HTTP || e->mode == POLICY_INTERCEPT;
}

void policy_diff_spend(struct policy_spend_pair *s)
{
	const struct blob_entry *e = s->to_entry, *f = s->from_entry;

	compare_credential(s);
	compare_upstream(s);
	if (e->ca.len && !(f && bytes_eq(text_of(s->from, f->ca), text_of(s->to, e->ca))))
		tell_words(s, "trusts other roots for ");
	if (f && f->mode == POLICY_INTERCEPT && e->mode == POLICY_INTERCEPT) {
		if (f->ca.len && !e->ca.len)
			tell_words(s, "trusts the system's roots for ");
		if ((f->flags & BLOB_REFLECTIVE) && !(e->flags & BLOB_REFLECTIVE))
			tell_words(s, "answers not scanned for the secret from ");
	}
	if (f && judged(f) && judged(e) && (f->flags & BLOB_STRIP_COOKIE) && !(e->flags & BLOB_STRIP_COOKIE))
		tell_words(s, "cookies from ");
}
