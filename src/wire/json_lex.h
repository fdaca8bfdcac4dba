/* The words of JSON (RFC 8259, 6 and 7), for units that read texts: characters, strings, numbers. */
#ifndef SAW_WIRE_JSON_LEX_H
#define SAW_WIRE_JSON_LEX_H

#include "base/bytes.h"

enum { JSON_NUMBER_MAX = 64 }; /* bytes of one number */

enum json_answer {
	JSON_OK,
	JSON_SHORT, /* the text ends inside the value: with more bytes it may become one */
	JSON_MALFORMED,
	JSON_DUPLICATE, /* a member name twice in one object */
	JSON_NOT_TEXT, /* bad UTF-8, a lone surrogate; for json_scan() also U+0000 */
	JSON_TRAILING, /* something behind the value */
	JSON_TOO_LARGE, /* one of the limits, or more nodes than the table holds */
};
/* A word or two for a sentence: "duplicate member". */
const char *json_answer_text(enum json_answer a);

static inline bool json_lex_is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One character of a string (`s` is not empty): plain UTF-8 or an escape, surrogate pairs joined. Outputs untouched on failure. */
enum json_answer json_lex_char(struct bytes s, uint32_t *ret_c, size_t *ret_len);
/* `s` begins at an opening quote. OK: what stands between the quotes, still escaped, whether it holds U+0000, and the length with
 * both quotes. Otherwise only *ret_len: where it went wrong. */
enum json_answer json_lex_string(struct bytes s, struct bytes *ret_raw, bool *ret_nul, size_t *ret_len);
/* The longest number at the start of `s` (not empty). *ret untouched on failure. */
enum json_answer json_lex_number(struct bytes s, struct bytes *ret);
/* `a` and `b`, well-formed insides of strings, in the order of their decoded characters: <0, 0, >0; a prefix sorts first. */
int json_lex_cmp(struct bytes a, struct bytes b);

#endif
