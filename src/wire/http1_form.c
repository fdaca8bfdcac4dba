#include "wire/http1_form.h"

#include "wire/http1_fields.h"
#include "wire/param_name.h"
#include "wire/part_name.h"

/* The names are `_method`, `_HttpMethod` and the fields that override a method, which frameworks read as parameters too.
 *
 * URL-encoded: names start at the beginning and after & or ; and end at = & or ; or as wire/param_name.h says, which also drops
 * what does not count in front. PHP turns a dot into an underscore; Symfony and Rails read plain `_method`. An opening bracket,
 * which PHP turns into one too, could only stand for the first letter, where PHP drops it with its name. Multipart: `name=` and then, quoted
 * or not, the same name, wherever it stands (Rack takes a Content-ID for a name, too), and however it is encoded (wire/part_name.h); a part's
 * header may be folded, so lines are no help, and a false find only costs an upload that holds such a line. JSON: names of the outermost object,
 * which Laravel takes for parameters; text that no JSON reader takes need not be understood. */

enum { PIECE_NUMBER = 1, PIECE_EXTENDED };
enum { WORD = sizeof("_method") - 1, ESCAPED = 5 /* behind a backslash; 4..1: digits still to come */ };

_Static_assert(sizeof(((struct http1_form *)NULL)->name) == sizeof("x-http-method-override") - 1, "the longest name has room");

void http1_form_init(struct http1_form *f, enum http1_form_kind kind)
{
	*f = (struct http1_form){ .kind = kind };
}

static bool has_prefix(struct bytes s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && bytes_ieq(bytes_of(s.p, n), bytes_str(prefix));
}

static bool media_is(struct bytes value, const char *type)
{
	size_t n = strlen(type);

	if (!has_prefix(value, type))
		return false;
	return value.len == n || value.p[n] == ';' || value.p[n] == ' ' || value.p[n] == '\t' || value.p[n] == ',';
}

/* As Laravel and Symfony look for it: anywhere. The last is one of Rails' names for it. */
static bool says_json(struct bytes value)
{
	for (; value.len; value = bytes_skip(value, 1))
		if (has_prefix(value, "/json") || has_prefix(value, "+json") || has_prefix(value, "/x-json"))
			return true;
	return false;
}

enum http1_form_kind http1_form_kind_said(struct bytes method, struct bytes value)
{
	if (media_is(value, "application/x-www-form-urlencoded"))
		return HTTP1_FORM_URLENCODED;
	if (media_is(value, "multipart/form-data"))
		return HTTP1_FORM_MULTIPART;
	if (has_prefix(value, "multipart/")) /* Rack reads mixed and related ones too */
		return HTTP1_FORM_PARTS;
	if (!bytes_is(method, "POST"))
		return HTTP1_FORM_NONE;
	if (media_is(value, ""))
		return HTTP1_FORM_URLENCODED;
	return says_json(value) ? HTTP1_FORM_JSON : HTTP1_FORM_NONE;
}

enum http1_form_kind http1_form_kind_of(const struct http1_head *h)
{
	struct bytes value = bytes_of(NULL, 0);

	(void)http1_find(h, "content-type", &value);
	return http1_form_kind_said(h->method, value);
}

bool http1_form_is_form(enum http1_form_kind kind)
{
	return kind == HTTP1_FORM_URLENCODED || kind == HTTP1_FORM_MULTIPART || kind == HTTP1_FORM_PARTS;
}

/* To PHP, at the beginning of a name. */
static bool is_underscore(uint8_t c)
{
	return c == '_' || c == '.';
}

/* `_method`, and `_HttpMethod` (Salesforce). */
static bool is_word(struct bytes s)
{
	return bytes_ieq(s, bytes_str("method")) || bytes_ieq(s, bytes_str("httpmethod"));
}

/* The name so far, if nothing more comes. */
static void look(struct http1_form *f)
{
	struct bytes name = bytes_of(f->name, f->n);

	if (f->skip || !name.len)
		return;
	f->found = f->found || http1_request_field(name) == HTTP1_OVERRIDE || (is_underscore(name.p[0]) && is_word(bytes_skip(name, 1)));
}

static void begin(struct http1_form *f, bool skip)
{
	f->n = 0;
	f->escape = 0;
	f->skip = skip;
}

static bool begins_name(uint8_t c)
{
	return is_underscore(c) || c == 'x' || c == 'X';
}

/* As a parameter a field's name is no other with _ for -: shops know an `x_method`. */
static bool in_field(uint8_t c)
{
	return c == '-' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static void add(struct http1_form *f, uint8_t c)
{
	if (f->n == sizeof(f->name) || (f->n ? !is_underscore(f->name[0]) && !in_field(c) : !begins_name(c)))
		f->skip = true;
	else
		f->name[f->n++] = c;
}

static uint8_t digit(uint8_t c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) & 15;
}

/* One decoded byte of a name. */
static void name_byte(struct http1_form *f, uint8_t c)
{
	switch (param_name_byte(f->n, c == '+' ? ' ' : c)) {
	case PARAM_NAME_HAS:
		add(f, c);
		return;
	case PARAM_NAME_SKIPS:
		return;
	case PARAM_NAME_ENDS:
		look(f);
		f->skip = true;
	}
}

static void urlencoded(struct http1_form *f, uint8_t c)
{
	if (c == '&' || c == ';' || (c == '=' && !f->skip)) {
		look(f);
		begin(f, c == '=');
	} else if (f->skip) {
		return;
	} else if (f->escape) {
		if (--f->escape)
			f->code = digit(c);
		else
			name_byte(f, (uint8_t)(f->code << 4 | digit(c)));
	} else if (c == '%') {
		f->escape = 2;
	} else {
		name_byte(f, c);
	}
}

/* True with the last byte of `word`, whose first letter stands in it once. Blanks may stand before that byte. */
static bool completes(uint8_t *at, const char *word, uint8_t last, uint8_t c)
{
	bool letter = word[*at] >= 'a' && word[*at] <= 'z';

	if ((letter ? c | 0x20 : c) == word[*at])
		++*at;
	else if (*at != last || (c != ' ' && c != '\t'))
		*at = (c | 0x20) == word[0];
	if (*at <= last)
		return false;
	*at = 0;
	return true;
}

/* One byte of a part's name, decoded. */
static void part_byte(struct http1_form *f, uint8_t c)
{
	switch (param_name_byte(f->n, c)) {
	case PARAM_NAME_SKIPS:
		return;
	case PARAM_NAME_HAS:
		add(f, c);
		if (f->n == WORD)
			look(f);
		return;
	case PARAM_NAME_ENDS:
		look(f);
		f->skip = true;
	}
}

/* What ends a name. The mark of RFC 2231 is one of its text. */
static bool ends_name(const struct http1_form *f, uint8_t c)
{
	return c == '"' || c == '>' || c == ';' || c == '\r' || c == '\n' || (c == '\'' && !f->part.extended);
}

static void name_in_part(struct http1_form *f, uint8_t c)
{
	bool folded = part_name_folds(&f->part), folds = (c == '\r' || c == '\n') && folded;
	uint8_t decoded;

	if (c == '\\' || (f->n == 0 && (c == '"' || c == '<' || c == '\t' || (c == '\'' && !f->part.extended))))
		return;
	if (folds || ends_name(f, c))
		look(f);
	if (!folds && ends_name(f, c)) {
		f->skip = true;
		f->in_name = false;
		return;
	}
	switch (part_name_next(&f->part, c, &decoded)) {
	case PART_NAME_NOTHING:
		break;
	case PART_NAME_BYTE:
		part_byte(f, decoded);
		break;
	case PART_NAME_AGAIN:
		begin(f, false);
		break;
	case PART_NAME_HIDDEN:
		f->found = f->found || f->apart;
		break;
	}
	if (!folded && part_name_folds(&f->part)) /* a word has ended: to some, what follows it does not count */
		look(f);
	f->in_name = !f->skip || part_name_begins(&f->part);
}

static bool separates(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' || c == ',';
}

/* Of the field by which a part is named: up to a line that does not go on from it. What stands in the text of a part may begin one too. */
static void disposition(struct http1_form *f, uint8_t c)
{
	static const char field[] = "content-disposition";

	if (f->last == '\n' && c != ' ' && c != '\t' && c != '\r' && c != '\n')
		f->in_disposition = false;
	f->in_disposition = completes(&f->at_disposition, field, sizeof(field) - 2, c) || f->in_disposition;
}

/* "name*0=_met; name*1*=hod", which Go and Python put together (RFC 2231, 3), and which no client sends: as the name of a part. Mail programs write the
 * like behind a Content-Type, and a mail may be what is sent. `ext`: "name*" stands in front. */
static void piece(struct http1_form *f, bool ext, uint8_t c)
{
	bool digit = c >= '0' && c <= '9';

	f->found = f->found || (f->at_piece && f->in_disposition && c == '=');
	if (ext && digit)
		f->at_piece = PIECE_NUMBER;
	else if (f->at_piece == PIECE_NUMBER && c == '*')
		f->at_piece = PIECE_EXTENDED;
	else if (!(f->at_piece == PIECE_NUMBER && digit) && c != ' ' && c != '\t')
		f->at_piece = 0;
}

static void multipart(struct http1_form *f, uint8_t c)
{
	static const char name[] = "name=", ext[] = "name*=", id[] = "content-id:";
	bool begins, extended;

	if (f->in_name)
		name_in_part(f, c);
	disposition(f, c);
	piece(f, f->at_ext == sizeof(ext) - 2 && f->at_apart, c);
	begins = completes(&f->at_name, name, sizeof(name) - 2, c);
	if (f->at_name == 1)
		f->at_apart = separates(f->last);
	f->last = c;
	begins = completes(&f->at_id, id, sizeof(id) - 2, c) || begins;
	extended = completes(&f->at_ext, ext, sizeof(ext) - 2, c);
	if (begins || extended) {
		begin(f, false);
		f->in_name = true;
		f->apart = f->at_apart;
		part_name_init(&f->part, extended);
	}
}

static void in_string(struct http1_form *f, uint8_t c)
{
	if (f->escape == ESCAPED) {
		f->code = 0;
		f->escape = c == 'u' ? ESCAPED - 1 : 0;
		if (c != 'u')
			add(f, c);
	} else if (f->escape) {
		f->code = (uint16_t)(f->code << 4 | digit(c));
		if (--f->escape == 0)
			add(f, f->code < 0x80 ? (uint8_t)f->code : 0x80);
	} else if (c == '\\') {
		f->escape = ESCAPED;
	} else if (c == '"') {
		look(f);
		f->in_name = false;
	} else {
		add(f, c);
	}
}

static void json(struct http1_form *f, uint8_t c)
{
	if (f->in_name) {
		in_string(f, c);
	} else if (c == '"') {
		f->in_name = true;
		begin(f, !f->name_next);
		f->name_next = false;
	} else if (c == '{' || c == '[') {
		f->depth++;
		if (f->depth == 1)
			f->object = c == '{';
		f->name_next = f->depth == 1 && f->object;
	} else if (c == '}' || c == ']') {
		f->depth -= f->depth > 0;
	} else if (c == ',') {
		f->name_next = f->depth == 1 && f->object;
	}
}

bool http1_form_feed(struct http1_form *f, struct bytes piece)
{
	for (size_t i = 0; i < piece.len && !f->found && f->kind != HTTP1_FORM_NONE; i++)
		if (f->kind == HTTP1_FORM_URLENCODED)
			urlencoded(f, piece.p[i]);
		else if (f->kind == HTTP1_FORM_MULTIPART || f->kind == HTTP1_FORM_PARTS)
			multipart(f, piece.p[i]);
		else
			json(f, piece.p[i]);
	return f->found;
}

bool http1_form_end(struct http1_form *f)
{
	if (f->kind == HTTP1_FORM_URLENCODED || f->in_name)
		look(f);
	return f->found;
}
