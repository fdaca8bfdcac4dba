/* Private to net/tls*: trusted certificates, parsed once for each bundle. */
#ifndef SAW_NET_TLS_ROOTS_H
#define SAW_NET_TLS_ROOTS_H

#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypt/sha256.h"

struct tls_roots;

/* `system` is borrowed. NULL when out of memory. */
struct tls_roots *tls_roots_new(struct bytes system);
struct tls_roots *tls_roots_free(struct tls_roots *r);

/* The store of `ca`, or of the system when `ca` is empty, and what tells it from others. *ret is borrowed until the next call. A
 * certificate that does not parse is passed over in the system's bundle, and an error in `ca`. -EINVAL, -ENOMEM. */
int tls_roots_get(struct tls_roots *r, struct bytes ca, X509_STORE **ret, uint8_t ret_id[SHA256_LEN], struct err *e);

#endif
