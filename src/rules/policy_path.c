/* Three questions about patterns, one idea: a pattern is a line of tokens, each a character or a loop.
 *
 *   LITERAL c   exactly c
 *   ONE         one character that is no slash
 *   RUN         any number of characters that are no slash
 *   ANY         any number of characters
 *
 * Matching walks text and pattern with one place to return to for the last loop of either kind. Containment runs the inner
 * pattern through the outer one with a fresh character for every wildcard, and lets a loop be absorbed only by a loop that is
 * at least as wide: what that accepts is contained for every text that the wildcard may stand for. Overlap is reachability in the product of
 * both lines. */
#include "rules/policy_path.h"

enum { TOKENS_MAX = 2 * POLICY_PATH_MAX };

enum token_kind { LITERAL, ONE, RUN, ANY };

struct token {
	enum token_kind kind;
	uint8_t c;
};

struct line {
	size_t n;
	struct token t[TOKENS_MAX];
};

/* The pattern's segment at `at` (its start) is exactly `word`. */
static bool segment_is(struct bytes pattern, size_t at, const char *word)
{
	struct bytes rest = bytes_skip(pattern, at);

	return bytes_eq(bytes_of(rest.p, bytes_find(rest, '/')), bytes_str(word));
}

static bool at_start(struct bytes pattern, size_t at)
{
	return at == 0 || pattern.p[at - 1] == '/';
}

struct walk {
	size_t p, s; /* cursors in pattern and text */
	size_t run_p, run_s; /* where the last `*` may go on; run_p 0: none */
	size_t deep_p, deep_s; /* the same for `**` */
};

/* Enters the wildcard at w->p. False: it does not fit here. */
static bool walk_star(struct walk *w, struct bytes pattern, struct bytes path)
{
	bool whole = at_start(pattern, w->p) && segment_is(pattern, w->p, "*");

	if (at_start(pattern, w->p) && segment_is(pattern, w->p, "**")) {
		if (w->s == path.len || path.p[w->s] == '/')
			return false;
		w->p += 2;
		w->s++;
		w->deep_p = w->p;
		w->deep_s = w->s;
		w->run_p = 0;
		return true;
	}
	if (whole && (w->s == path.len || path.p[w->s] == '/'))
		return false;
	w->p++;
	w->s += whole;
	w->run_p = w->p;
	w->run_s = w->s;
	return true;
}

/* One more character for the last loop that can take it. */
static bool walk_back(struct walk *w, struct bytes path)
{
	if (w->run_p && w->run_s < path.len && path.p[w->run_s] != '/') {
		w->s = ++w->run_s;
		w->p = w->run_p;
		return true;
	}
	w->run_p = 0;
	if (w->deep_p && w->deep_s < path.len) {
		w->s = ++w->deep_s;
		w->p = w->deep_p;
		return true;
	}
	return false;
}

bool policy_path_match_tail(struct bytes pattern, struct bytes path)
{
	struct walk w = { 0 };

	for (;;) {
		if (w.p == pattern.len) {
			if (w.s == path.len)
				return true;
		} else if (pattern.p[w.p] == '*') {
			if (at_start(pattern, w.p) && pattern.len - w.p == 2 &&
			    pattern.p[w.p + 1] == '*')
				return true;
			if (walk_star(&w, pattern, path))
				continue;
		} else if (w.s < path.len && pattern.p[w.p] == path.p[w.s]) {
			w.p++;
			w.s++;
			continue;
		}
		if (!walk_back(&w, path))
			return false;
	}
}

bool policy_path_match(struct bytes pattern, struct bytes path)
{
	if (pattern.len == 0 || path.len == 0 || pattern.p[0] != '/' || path.p[0] != '/')
		return false;
	return policy_path_match_tail(bytes_skip(pattern, 1), bytes_skip(path, 1));
}

bool policy_value_match(struct bytes pattern, struct bytes value)
{
	size_t p = 0, s = 0, back_p = 0, back_s = 0;

	for (;;) {
		if (p < pattern.len && pattern.p[p] == '*') {
			back_p = ++p;
			back_s = s;
		} else if (p < pattern.len && s < value.len && pattern.p[p] == value.p[s]) {
			p++;
			s++;
		} else if (p == pattern.len && s == value.len) {
			return true;
		} else if (back_p && back_s < value.len) {
			p = back_p;
			s = ++back_s;
		} else {
			return false;
		}
	}
}

static void line_add(struct line *l, enum token_kind kind, uint8_t c)
{
	if (l->n < TOKENS_MAX)
		l->t[l->n++] = (struct token){ .kind = kind, .c = c };
}

static bool line_of_path(struct bytes pattern, struct line *ret)
{
	ret->n = 0;
	if (pattern.len > POLICY_PATH_MAX)
		return false;
	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.p[i] != '*') {
			line_add(ret, LITERAL, pattern.p[i]);
		} else if (at_start(pattern, i) && segment_is(pattern, i, "**")) {
			i++;
			if (i + 1 < pattern.len)
				line_add(ret, ONE, 0);
			line_add(ret, ANY, 0);
		} else {
			if (at_start(pattern, i) && segment_is(pattern, i, "*"))
				line_add(ret, ONE, 0);
			line_add(ret, RUN, 0);
		}
	}
	return true;
}

static bool line_of_value(struct bytes pattern, struct line *ret)
{
	ret->n = 0;
	if (pattern.len > POLICY_PATH_MAX)
		return false;
	for (size_t i = 0; i < pattern.len; i++)
		line_add(ret, pattern.p[i] == '*' ? ANY : LITERAL, pattern.p[i]);
	return true;
}

/* A loop may be left at once: marks what follows. */
static void leave_loops(const struct line *l, bool at[TOKENS_MAX + 1])
{
	for (size_t i = 0; i < l->n; i++)
		if (at[i] && (l->t[i].kind == RUN || l->t[i].kind == ANY))
			at[i + 1] = true;
}

/* One inner token through the outer line. */
static void step(const struct line *outer, struct token in, bool at[TOKENS_MAX + 1])
{
	bool next[TOKENS_MAX + 1] = { false };

	for (size_t i = 0; i < outer->n; i++) {
		enum token_kind k = outer->t[i].kind;

		if (!at[i])
			continue;
		if (in.kind == ANY)
			next[i] = k == ANY;
		else if (in.kind == RUN)
			next[i] = k == ANY || k == RUN;
		else if (k == ANY || (k == RUN && (in.kind == ONE || in.c != '/')))
			next[i] = true;
		else if ((k == ONE && (in.kind == ONE || in.c != '/')) ||
			 (k == LITERAL && in.kind == LITERAL && outer->t[i].c == in.c))
			next[i + 1] = true;
	}
	memcpy(at, next, sizeof(next));
	leave_loops(outer, at);
}

static bool line_contains(const struct line *outer, const struct line *inner)
{
	bool at[TOKENS_MAX + 1] = { true };

	leave_loops(outer, at);
	for (size_t i = 0; i < inner->n; i++)
		step(outer, inner->t[i], at);
	return at[outer->n];
}

static bool is_loop(struct token t)
{
	return t.kind == RUN || t.kind == ANY;
}

/* Some character that both tokens take. */
static bool share_character(struct token a, struct token b)
{
	if (a.kind == LITERAL && b.kind == LITERAL)
		return a.c == b.c;
	if (a.kind == LITERAL)
		return b.kind == ANY || a.c != '/';
	if (b.kind == LITERAL)
		return a.kind == ANY || b.c != '/';
	return true;
}

static bool line_overlaps(const struct line *a, const struct line *b)
{
	bool row[TOKENS_MAX + 1] = {
		true
	}; /* places in b that some text reaches together with place i of a */

	for (size_t i = 0;; i++) {
		bool next[TOKENS_MAX + 1] = { false };

		for (size_t j = 0; j <= b->n; j++) {
			if (!row[j])
				continue;
			if (j < b->n && is_loop(b->t[j]))
				row[j + 1] = true;
			if (i == a->n)
				continue;
			if (is_loop(a->t[i]))
				next[j] = true;
			if (j < b->n && share_character(a->t[i], b->t[j])) {
				bool stay_a = is_loop(a->t[i]), stay_b = is_loop(b->t[j]);

				row[j + 1] = row[j + 1] || (stay_a && !stay_b);
				next[j] = next[j] || stay_b;
				next[j + 1] = next[j + 1] || !stay_b;
			}
		}
		if (i == a->n)
			return row[b->n];
		memcpy(row, next, sizeof(row));
	}
}

/* Both start with characters of their own that differ: the common case, without lines. */
static bool differ_early(struct bytes a, struct bytes b)
{
	for (size_t i = 0; i < a.len && i < b.len && a.p[i] != '*' && b.p[i] != '*'; i++)
		if (a.p[i] != b.p[i])
			return true;
	return false;
}

bool policy_path_contains(struct bytes outer, struct bytes inner)
{
	struct line o, i;

	return !differ_early(outer, inner) && line_of_path(outer, &o) && line_of_path(inner, &i) &&
	       line_contains(&o, &i);
}

bool policy_path_overlaps(struct bytes a, struct bytes b)
{
	struct line l, m;

	return !differ_early(a, b) && line_of_path(a, &l) && line_of_path(b, &m) &&
	       line_overlaps(&l, &m);
}

bool policy_value_contains(struct bytes outer, struct bytes inner)
{
	struct line o, i;

	return !differ_early(outer, inner) && line_of_value(outer, &o) && line_of_value(inner, &i) && line_contains(&o, &i);
}

bool policy_value_overlaps(struct bytes a, struct bytes b)
{
	struct line l, m;

	return !differ_early(a, b) && line_of_value(a, &l) && line_of_value(b, &m) && line_overlaps(&l, &m);
}
