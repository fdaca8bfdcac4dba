/* A secret value in memory that is fenced, left out of core dumps, locked where the host lets us, and wiped when it goes.
 *
 * There is no way to print one, and none to copy it but secret_view(): whoever writes that word answers for the copy. */
#ifndef SAW_CRYPT_SECRET_H
#define SAW_CRYPT_SECRET_H

#include "base/bytes.h"

enum { SECRET_MAX = 64 * 1024 };

struct secret;

/* Needs secure_heap_init() or secure_heap_init_sized() before. All give NULL when the heap is full or was never made, or for more
 * than SECRET_MAX bytes. An empty secret is one too. */
struct secret *secret_new(struct bytes value);
/* Room of `len` bytes, zeroed, to be filled through secret_room(). */
struct secret *secret_new_empty(size_t len);
struct secret *secret_new_random(size_t len);
/* Wipes. Takes NULL, returns NULL. */
struct secret *secret_free(struct secret *s);
void secret_freep(struct secret **s);
#define SECRET_AUTO __attribute__((cleanup(secret_freep)))

/* Borrowed: good until secret_free(). */
struct bytes secret_view(const struct secret *s);
uint8_t *secret_room(struct secret *s);
/* Drops bytes at the front and at the end, and wipes them. Both together at most its length. */
void secret_cut(struct secret *s, size_t front, size_t back);

/* In a time that depends on the lengths only. */
bool secret_eq(const struct secret *s, struct bytes value);

#endif
