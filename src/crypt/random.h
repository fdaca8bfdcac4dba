/* Random bytes from the kernel. */
#ifndef SAW_CRYPT_RANDOM_H
#define SAW_CRYPT_RANDOM_H

#include <stddef.h>

/* Fills `p`. Works in every jail (getrandom only); a kernel that cannot is must(): nothing safe could follow. */
void random_bytes(void *p, size_t len);

#endif
