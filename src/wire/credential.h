/* What a stored credential may be: its id, and the bytes of its value. Asked when it is stored, when it is loaded, and when it is spent. */
#ifndef SAW_WIRE_CREDENTIAL_H
#define SAW_WIRE_CREDENTIAL_H

#include "base/bytes.h"

enum {
	CREDENTIAL_ID_MAX = 64,
	CREDENTIAL_MAX = 16 * 1024, /* bytes of a value: half of a header section (wire/http1.h) */
};

/* 1 to CREDENTIAL_ID_MAX of a-z, 0-9, '-', '_' and '.', the first a letter or a digit: also a file name. */
bool credential_id_ok(struct bytes id);

enum credential_fault {
	CREDENTIAL_OK,
	CREDENTIAL_EMPTY,
	CREDENTIAL_TOO_LONG,
	CREDENTIAL_LINE_END, /* CR or LF inside: it would end the field and begin another */
	CREDENTIAL_BYTE, /* NUL, another control byte, a byte over 0x7e: nothing that a field carries unchanged everywhere */
	CREDENTIAL_BLANK, /* a blank at an end: fields lose it on the way */
};
/* Visible ASCII with blanks inside (a subset of RFC 9110, 5.5 that every hop leaves alone). */
enum credential_fault credential_check(struct bytes value);
/* A clause for a sentence that begins with "the value ", without the value: "is empty". "" for CREDENTIAL_OK. */
const char *credential_fault_text(enum credential_fault f);

/* The value without the one LF or CR LF that editors and `echo` leave at the end of a file. */
struct bytes credential_trim(struct bytes text);

#endif
