/* Characters as one encoding or another writes them: taken off bytes one by one, through one layer of encoding or through one in another.
 *
 * Each layer takes what it does not know for itself, and none has a choice: what is there decides what is taken. So a reader never has to go back, and what
 * was taken of some bytes stays true whatever comes behind them. */
#ifndef SAW_WIRE_LAYER_H
#define SAW_WIRE_LAYER_H

#include "base/bytes.h"

enum layer {
	LAYER_NONE,
	LAYER_PERCENT, /* %2D */
	LAYER_SCRIPT, /* JSON and scripts: \u002D, \x2D, \n, and a backslash before any mark */
	LAYER_ENTITY, /* HTML and XML: &#45; &#x2D; with up to eight digits, and the names of HTML for marks; the semicolon may be missing where HTML lets it */
	LAYER_ANY, /* whichever of these three the byte begins */
	LAYER_WIDE, /* up to three NUL before each: UTF-16 and UTF-32, but for the first character's own */
	LAYER_HEX, /* two digits */
	LAYER_BASE64, /* of either alphabet, its digits in LAYER_ANY, with up to two line breaks before each but the first; only as the outer one */
};

enum layer_answer {
	LAYER_OVER, /* there is no next one */
	LAYER_DONE,
	LAYER_MORE, /* what is there does not tell yet */
};

/* Zero-initialise the rest. */
struct layer_source {
	struct bytes s;
	bool last; /* nothing comes behind `s` */
	enum layer layer;
	/* BASE64: */
	uint8_t skip; /* bits of the first digit that belong to what stands before: 0, 2 or 4 */
	bool begun;
	uint8_t n_bits;
	uint32_t bits;
};

/* The next character; over 0x7f: some other. *x is of no use unless DONE. */
enum layer_answer layer_next(struct layer_source *x, uint32_t *ret_c);
/* The same of what is in `within` (any but HEX and BASE64) inside the source's own layer. */
enum layer_answer layer_next_within(struct layer_source *x, enum layer within, uint32_t *ret_c);
/* The next one as a digit of base64, with line breaks in front of it where `inside` digits: *ret < 0 when it is none. */
enum layer_answer layer_next_digit(struct layer_source *x, bool inside, int *ret);

/* The one of the three layers of escapes that this byte begins an escape of; NONE: of none. */
static inline enum layer layer_of(uint8_t c)
{
	return c == '%' ? LAYER_PERCENT : c == '&' ? LAYER_ENTITY : c == '\\' ? LAYER_SCRIPT : LAYER_NONE;
}

extern const uint8_t layer_digits64[256]; /* one more than the value; 0: none */

/* 0..63, or less than 0. */
static inline int layer_value64(uint32_t c)
{
	return c < 256 ? layer_digits64[c] - 1 : -1;
}

/* The names of HTML that LAYER_ENTITY knows, without the ampersand, and what they stand for. NULL past the end. */
const char *layer_entity_at(size_t i, uint8_t *ret_c);

#endif
