#include "wire/http1_form.h"

/* URL-encoded: names start at the beginning and after & or ; and end at = & ; [ or NUL. PHP drops blanks in front and turns a
 * dot, blank or opening bracket into an underscore; Symfony and Rails read plain `_method`. Multipart: `name=` and then, quoted
 * or not, the same name, wherever it stands; a part's header may be folded, so lines are no help, and a false find only costs
 * an upload that holds such a line. */

static const char word[] = "_method";
enum { WORD = sizeof(word) - 1, NAME_IS = 5 };

void http1_form_init(struct http1_form *f, enum http1_form_kind kind)
{
	*f = (struct http1_form){ .kind = kind };
}

static bool media_is(struct bytes value, const char *type)
{
	size_t n = strlen(type);

	if (value.len < n || !bytes_ieq(bytes_of(value.p, n), bytes_str(type)))
		return false;
	return value.len == n || value.p[n] == ';' || value.p[n] == ' ' || value.p[n] == '\t' || value.p[n] == ',';
}

enum http1_form_kind http1_form_kind_of(const struct http1_head *h)
{
	for (size_t i = 0; i < h->n_fields; i++) {
		if (!bytes_ieq(h->fields[i].name, bytes_str("content-type")))
			continue;
		if (media_is(h->fields[i].value, "application/x-www-form-urlencoded"))
			return HTTP1_FORM_URLENCODED;
		if (media_is(h->fields[i].value, "multipart/form-data"))
			return HTTP1_FORM_MULTIPART;
	}
	return HTTP1_FORM_NONE;
}

static bool first_of_word(uint8_t c)
{
	return c == '_' || c == '.' || c == '[';
}

/* One decoded byte of a name. */
static void name_byte(struct http1_form *f, uint8_t c)
{
	if (f->at == WORD)
		f->found = f->found || c == '\0' || c == '[';
	if (f->at == 0 && (c == ' ' || c == '+'))
		return;
	if (f->at < WORD && (f->at == 0 ? first_of_word(c) : c == (uint8_t)word[f->at]))
		f->at++;
	else
		f->skip = true;
}

static void separator(struct http1_form *f)
{
	f->found = f->found || (f->at == WORD && !f->skip);
	f->at = 0;
	f->skip = false;
	f->escape = 0;
}

static uint8_t digit(uint8_t c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) & 15;
}

static void urlencoded(struct http1_form *f, uint8_t c)
{
	if (c == '&' || c == ';') {
		separator(f);
	} else if (c == '=' && !f->skip) {
		separator(f);
		f->skip = true;
	} else if (f->skip) {
		return;
	} else if (f->escape) {
		if (--f->escape)
			f->high = digit(c);
		else
			name_byte(f, (uint8_t)(f->high << 4 | digit(c)));
	} else if (c == '%') {
		f->escape = 2;
	} else {
		name_byte(f, c);
	}
}

/* f->at: 0..4 inside `name=`, then 5 + bytes of the word. */
static void multipart(struct http1_form *f, uint8_t c)
{
	static const char name_is[] = "name=";

	if (f->at < NAME_IS) {
		if ((c | 0x20) == name_is[f->at] || (f->at == NAME_IS - 1 && c == '='))
			f->at++;
		else if (!(f->at == NAME_IS - 1 && (c == ' ' || c == '\t')))
			f->at = (c | 0x20) == 'n';
		return;
	}
	if (f->at == NAME_IS && (c == '"' || c == '\'' || c == ' ' || c == '\t'))
		return;
	if (f->at == NAME_IS ? first_of_word(c) : c == (uint8_t)word[f->at - NAME_IS])
		f->at++;
	else
		f->at = (c | 0x20) == 'n';
	f->found = f->found || f->at == NAME_IS + WORD;
	if (f->at == NAME_IS + WORD)
		f->at = 0;
}

bool http1_form_feed(struct http1_form *f, struct bytes piece)
{
	for (size_t i = 0; i < piece.len && !f->found && f->kind != HTTP1_FORM_NONE; i++)
		if (f->kind == HTTP1_FORM_URLENCODED)
			urlencoded(f, piece.p[i]);
		else
			multipart(f, piece.p[i]);
	return f->found;
}

bool http1_form_end(struct http1_form *f)
{
	if (f->kind == HTTP1_FORM_URLENCODED)
		separator(f);
	return f->found;
}
