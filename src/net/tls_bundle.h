/* Private to net/tls*: a PEM bundle as a store whose certificates are parsed only when a chain asks for their subject. */
#ifndef SAW_NET_TLS_BUNDLE_H
#define SAW_NET_TLS_BUNDLE_H

#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/err.h"

enum { TLS_BUNDLE_CERTS_MAX = 4096 };

/* NULL when out of memory. */
X509_LOOKUP_METHOD *tls_bundle_method(void);

/* Gives a store over `pem`, which it borrows (`copy` false) or copies. Blocks that are no certificate are passed over; with `strict` they
 * are errors. -EINVAL: such an error, no certificate at all, or too many. -ENOMEM. */
int tls_bundle_store(X509_STORE **ret, X509_LOOKUP_METHOD *method, struct bytes pem, bool copy, bool strict, struct err *e);

#endif
