/* The memory that libcrypto and libssl take: counted in the sum of all that peers make this process hold (net/held.h). Of a TLS stream
 * nearly all is theirs: some 16 KiB at rest (tls_heap_test.c), a record's buffer of 17 KiB while one is incomplete each way, and what a handshake says. */
#ifndef SAW_NET_TLS_HEAP_H
#define SAW_NET_TLS_HEAP_H

#include "base/err.h"

/* First of all that a program does with libcrypto: once that has taken memory it is too late (-EBUSY). What certificates and settings of our own take is
 * counted too. Nothing is refused here, for libcrypto does not always survive it: whoever makes a stream, or reads on one, asks before. */
int tls_heap_count(struct err *e);

#endif
