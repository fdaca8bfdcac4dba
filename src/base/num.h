/* Strict numbers from text: no sign, no blanks, no leading zeros, no overflow; and back. */
#ifndef SAW_BASE_NUM_H
#define SAW_BASE_NUM_H

#include "base/bytes.h"

/* Decimal, 0..max. False (output untouched) for anything else, "00" and "+1" included. */
bool num_u64(struct bytes text, uint64_t max, uint64_t *ret);
/* "512MiB", "2GiB", "10TiB", "64KiB" or plain bytes: the sizes that users write. Exact, no fraction. */
bool num_size(struct bytes text, uint64_t max, uint64_t *ret);

/* A hexadecimal digit of either case; -1: it is none. */
static inline int num_hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum { NUM_TEXT_MAX = 20 /* decimal digits of a u64 */ };

/* Decimal, with a NUL. Returns how many digits. */
size_t num_text(uint64_t v, char ret[NUM_TEXT_MAX + 1]);

#endif
