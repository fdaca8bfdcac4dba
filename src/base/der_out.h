/* A DER writer (X.690) into a buf: every length definite and of the shortest form. */
#ifndef SAW_BASE_DER_OUT_H
#define SAW_BASE_DER_OUT_H

#include "base/buf.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_UTF8_STRING = 0x0c,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT = 0x80, /* | number; | DER_CONSTRUCTED */
	DER_CONSTRUCTED = 0x20,
};

/* What is appended until the matching der_out_close() is the content of one element. The mark is for that call only; elements
 * close in the reverse order of opening. Errors are out->failed, as everywhere with a buf. */
size_t der_out_open(struct buf *out, unsigned tag);
bool der_out_close(struct buf *out, size_t mark);

/* A whole element. */
bool der_out_put(struct buf *out, unsigned tag, struct bytes content);
/* UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5); whole seconds, cut; ends at 9999. */
bool der_out_time(struct buf *out, uint64_t unix_ms);

#endif
