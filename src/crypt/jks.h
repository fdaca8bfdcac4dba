/* A Java keystore of trusted certificates, format JKS version 2: what a JVM reads as its cacerts, under the usual password "changeit". */
#ifndef SAW_CRYPT_JKS_H
#define SAW_CRYPT_JKS_H

#include "base/buf.h"

enum {
	JKS_CERTS_MAX = 4096,
	JKS_CERT_MAX = 16 * 1024, /* bytes of one certificate's DER */
	JKS_HEAD = 12,
	JKS_ENTRY_MAX = 64 + JKS_CERT_MAX, /* one certificate with what stands around it */
	JKS_DIGEST = 20,
};

/* Appends a store of these certificates (DER, not looked into), named saw-0, saw-1 and so on in their order. False, with nothing certain
 * about *out: more or longer ones than the limits, or !out->failed does not hold. */
bool jks_put(struct buf *out, const struct bytes *certs, size_t n);

#endif
