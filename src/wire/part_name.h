/* The name of a part of a multipart body, byte by byte, as those servers read it that decode it. */
#ifndef SAW_WIRE_PART_NAME_H
#define SAW_WIRE_PART_NAME_H

#include "base/bytes.h"

enum { PART_NAME_SET_MAX = 24 };

enum part_name_item {
	PART_NAME_NOTHING,
	PART_NAME_BYTE, /* the name's next one */
	PART_NAME_AGAIN, /* what there was is not of the name: it begins here */
	PART_NAME_HIDDEN, /* it is in a character set in which nobody can look here */
};

/* Private to part_name.c. */
struct part_name {
	bool extended;
	uint8_t state;
	uint8_t escape; /* digits of an escape still to come */
	uint8_t code; /* ... so far */
	uint8_t n_set;
	uint8_t n_bits; /* of base64 */
	bool switches; /* by escapes within the text: ISO 2022 */
	uint16_t bits;
	char set[PART_NAME_SET_MAX];
};

/* `extended`: it stands behind `name*=` (RFC 2231, 4; RFC 8187), else behind `name=`, where it may be encoded words (RFC 2047), which Tomcat's and
 * Commons' readers of forms take off. */
void part_name_init(struct part_name *p, bool extended);
/* `c`: what comes, without the quotation marks around it. */
enum part_name_item part_name_next(struct part_name *p, uint8_t c, uint8_t *ret);
/* What comes may be the name whatever came: its beginning only said how it is written. */
bool part_name_begins(const struct part_name *p);
/* A line end may stand here, and the name may go on behind it. */
bool part_name_folds(const struct part_name *p);

#endif
