/* The ClientHello at the start of a TLS connection, read without answering it: RFC 8446 (4.1.2,
 * 4.2, 5.1), RFC 6066 (3), RFC 9849 (5). */
#ifndef SAW_WIRE_TLS_HELLO_H
#define SAW_WIRE_TLS_HELLO_H

#include "base/bytes.h"

enum {
	TLS_HELLO_MAX = 16 * 1024, /* bytes of the handshake message, its 4-byte header included */
	TLS_HELLO_RECORDS_MAX = 512, /* records that it may be split over */
	TLS_RECORD_HEAD = 5,
	/* No complete hello is longer: a buffer of this size that still wants more is
	 * TLS_HELLO_TOO_LONG. */
	TLS_HELLO_BYTES_MAX = TLS_HELLO_MAX + TLS_HELLO_RECORDS_MAX * TLS_RECORD_HEAD,
	TLS_SNI_MAX = 255,
};

enum tls_hello_answer {
	TLS_HELLO_DONE,
	TLS_HELLO_MORE,
	TLS_HELLO_NOT_TLS, /* no TLS record stands there */
	TLS_HELLO_MALFORMED, /* TLS records, but not one well-formed ClientHello in handshake records */
	TLS_HELLO_TOO_LONG,
	TLS_HELLO_BAD_SNI, /* empty, doubled, of another type than host_name, over TLS_SNI_MAX, or lying about its length */
};

enum tls_hello_ech {
	TLS_ECH_NONE,
	TLS_ECH_GREASE, /* shaped exactly as clients grease: see tls_hello.c. A real one may be shaped so too */
	TLS_ECH_REAL, /* any other: inner marker, older draft, encrypted SNI, unusual suite, key or padding */
};

struct tls_hello {
	bool has_sni;
	size_t sni_len;
	uint8_t sni[TLS_SNI_MAX]; /* as sent; not yet judged as a name */
	enum tls_hello_ech ech;
	size_t used; /* bytes of the records that held the hello; what follows (early data) belongs to the peer */
};

/* Reads from the first byte of the connection. *ret is written only with TLS_HELLO_DONE. The
 * answer for a prefix of `b` is the same or TLS_HELLO_MORE, and it does not depend on how the
 * hello is cut into records (up to TLS_HELLO_RECORDS_MAX). */
enum tls_hello_answer tls_hello_read(struct bytes b, struct tls_hello *ret);

#endif
