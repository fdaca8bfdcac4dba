#include "wire/recipe.h"

/* A table says for each directive how many words it takes and what shape each has; the last shape repeats. */

enum shape { NAME, ARCH, PACKAGE, MODULE, USER, VERSION, SHA256, PATH, MODE, FROM, TARGET, UNIT, SUITE };

static const struct directive {
	const char *name;
	unsigned min, max;
	enum shape shape[3];
} directives[RECIPE_KINDS] = {
	[RECIPE_INCLUDE] = { "include", 1, 1, { NAME } },
	[RECIPE_SUITE] = { "suite", 1, 1, { SUITE } },
	[RECIPE_KERNEL] = { "kernel", 2, 2, { ARCH, PACKAGE } },
	[RECIPE_PACKAGE] = { "package", 1, RECIPE_WORDS_MAX, { PACKAGE, PACKAGE, PACKAGE } },
	[RECIPE_MODULE] = { "module", 1, RECIPE_WORDS_MAX, { MODULE, MODULE, MODULE } },
	[RECIPE_USER] = { "user", 1, 1, { USER } },
	[RECIPE_NPM] = { "npm", 2, 2, { VERSION, SHA256 } },
	[RECIPE_FILE] = { "file", 3, 3, { PATH, MODE, FROM } },
	[RECIPE_LINK] = { "link", 2, 2, { PATH, TARGET } },
	[RECIPE_MASK] = { "mask", 1, RECIPE_WORDS_MAX, { UNIT, UNIT, UNIT } },
};

static const struct {
	const char *also; /* besides lower-case letters and digits */
	bool upper;
	const char *why;
} shapes[] = {
	[NAME] = { "-_.", false, "an image's name has lower-case letters, digits, '-', '_' and '.'" },
	[ARCH] = { "", false, "an architecture is a word such as amd64" },
	[PACKAGE] = { "-+.", false, "a package's name has lower-case letters, digits, '-', '+' and '.'" },
	[MODULE] = { "-_", true, "a module's name has letters, digits, '-' and '_'" },
	[USER] = { "-_", false, "a user's name has lower-case letters, digits, '-' and '_'" },
	[VERSION] = { ".-", false, "a version is written as 1.2.3" },
	[SHA256] = { "", false, "a SHA-256 has 64 lower-case hex digits" },
	[PATH] = { "/-_.@:", true, "a path is absolute, without \"..\", and has letters, digits and /-_.@:" },
	[MODE] = { "", false, "a mode is four octal digits such as 0644" },
	[FROM] = { "/-_.@", true, "a file beside the recipe is named without \"..\" and without a leading '/'" },
	[TARGET] = { "/-_.@:", true, "a link's target has letters, digits and /-_.@:" },
	[UNIT] = { "-_.@:", true, "a unit's name has letters, digits and -_.@:" },
	[SUITE] = { "-", false, "a suite's name has lower-case letters, digits and '-'" },
};

static bool letters(struct bytes w, const char *also, bool upper)
{
	for (size_t i = 0; i < w.len; i++) {
		uint8_t c = w.p[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z');

		if (!ok && (c == 0 || !strchr(also, c)))
			return false;
	}
	return w.len > 0 && w.len <= RECIPE_WORD_MAX && w.p[0] != '-';
}

/* No part of it is "", "." or "..". */
static bool parts_ok(struct bytes path)
{
	for (;;) {
		size_t end = bytes_find(path, '/');
		struct bytes part = bytes_of(path.p, end);

		if (part.len == 0 || bytes_is(part, ".") || bytes_is(part, ".."))
			return false;
		if (end == path.len)
			return true;
		path = bytes_skip(path, end + 1);
	}
}

static bool shape_ok(struct bytes w, enum shape s)
{
	if (!letters(w, shapes[s].also, shapes[s].upper))
		return false;
	if (s == NAME || s == UNIT)
		return w.p[0] != '.';
	if (s == USER)
		return w.len <= 32 && w.p[0] >= 'a';
	if (s == PATH)
		return w.p[0] == '/' && w.len > 1 && parts_ok(bytes_skip(w, 1));
	if (s == FROM)
		return parts_ok(w);
	if (s == SHA256 || s == MODE) {
		uint8_t top = s == MODE ? '7' : 'f';

		for (size_t i = 0; i < w.len; i++)
			if (w.p[i] > top)
				return false;
		return w.len == (s == MODE ? 4 : 64) && (s == SHA256 || w.p[0] == '0');
	}
	return true;
}

/* The next word of *line, which moves behind it; empty at the end or at a comment. */
static struct bytes next_word(struct bytes *line)
{
	size_t n = 0;
	struct bytes w;

	while (line->len && (line->p[0] == ' ' || line->p[0] == '\t'))
		*line = bytes_skip(*line, 1);
	if (line->len && line->p[0] == '#')
		*line = bytes_of(NULL, 0);
	while (n < line->len && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	w = bytes_of(line->p, n);
	*line = bytes_skip(*line, n);
	return w;
}

static enum recipe_answer bad(struct recipe_reader *r, const char *why)
{
	r->why = why;
	return RECIPE_BAD;
}

void recipe_open(struct recipe_reader *r, struct bytes text)
{
	*r = (struct recipe_reader){ .left = text };
}

static enum recipe_answer read_words(struct recipe_reader *r, struct bytes line, const struct directive *d,
				     struct recipe_line *ret)
{
	struct bytes w;

	for (w = next_word(&line); w.len; w = next_word(&line)) {
		enum shape s = d->shape[ret->n_words < 2 ? ret->n_words : 2];

		if (ret->n_words == d->max)
			return bad(r, "too many words");
		if (!shape_ok(w, s))
			return bad(r, shapes[s].why);
		ret->word[ret->n_words++] = w;
	}
	return ret->n_words < d->min ? bad(r, "too few words") : RECIPE_LINE;
}

static enum recipe_answer read_line(struct recipe_reader *r, struct bytes line, struct recipe_line *ret)
{
	struct bytes first = next_word(&line);

	if (!r->begun) {
		if (!bytes_is(first, "saw-recipe"))
			return bad(r, "a recipe begins with the line \"saw-recipe 1\"");
		if (!bytes_is(next_word(&line), "1") || next_word(&line).len)
			return bad(r, "this saw reads recipes of version 1 only");
		r->begun = true;
		return RECIPE_END;
	}
	for (unsigned k = 0; k < RECIPE_KINDS; k++) {
		if (!bytes_is(first, directives[k].name))
			continue;
		ret->kind = (enum recipe_kind)k;
		ret->at = r->at;
		ret->n_words = 0;
		return read_words(r, line, &directives[k], ret);
	}
	return bad(r, "unknown directive: it is one of include, suite, kernel, package, module, user, npm, file, link, mask");
}

enum recipe_answer recipe_next(struct recipe_reader *r, struct recipe_line *ret)
{
	if (r->left.len > RECIPE_TEXT_MAX)
		return bad(r, "over 256 KiB");
	while (r->left.len) {
		size_t end = bytes_find(r->left, '\n');
		struct bytes line = bytes_of(r->left.p, end), look = line;
		enum recipe_answer a;

		r->at++;
		r->left = bytes_skip(r->left, end < r->left.len ? end + 1 : end);
		if (!next_word(&look).len)
			continue;
		a = read_line(r, line, ret);
		if (a != RECIPE_END)
			return a;
	}
	return r->begun ? RECIPE_END : bad(r, "empty: a recipe begins with the line \"saw-recipe 1\"");
}

bool recipe_put(struct buf *out, const struct recipe_line *l)
{
	(void)buf_str(out, directives[l->kind].name);
	for (unsigned i = 0; i < l->n_words; i++) {
		(void)buf_byte(out, ' ');
		(void)buf_bytes(out, l->word[i]);
	}
	return buf_byte(out, '\n');
}
