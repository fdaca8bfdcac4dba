/* For tests: a gzip member of stored blocks, so that what stands where is known. */
#ifndef SAW_PROXY_GZIP_KIT_H
#define SAW_PROXY_GZIP_KIT_H

#include "base/buf.h"

struct gzip_kit {
	struct buf *out;
	uint32_t crc;
	uint32_t len;
};

void gzip_kit_begin(struct gzip_kit *k, struct buf *out);
/* As many blocks as it takes; one for nothing. */
void gzip_kit_add(struct gzip_kit *k, struct bytes data);
void gzip_kit_end(struct gzip_kit *k);

#endif
