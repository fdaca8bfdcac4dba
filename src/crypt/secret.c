#include "crypt/secret.h"

#include <openssl/crypto.h>

#include "base/must.h"
#include "crypt/random.h"

struct secret {
	size_t len;
	size_t cap; /* as it was made */
	uint8_t p[];
};

struct secret *secret_new_empty(size_t len)
{
	struct secret *s;

	/* libcrypto would fall back to ordinary memory. */
	if (len > SECRET_MAX || !CRYPTO_secure_malloc_initialized())
		return NULL;
	s = OPENSSL_secure_zalloc(sizeof(*s) + len);
	if (s)
		s->len = s->cap = len;
	return s;
}

struct secret *secret_new(struct bytes value)
{
	struct secret *s = secret_new_empty(value.len);

	if (s && value.len)
		memcpy(s->p, value.p, value.len);
	return s;
}

struct secret *secret_new_random(size_t len)
{
	struct secret *s = secret_new_empty(len);

	if (s)
		random_bytes(s->p, len);
	return s;
}

struct secret *secret_free(struct secret *s)
{
	if (s)
		OPENSSL_secure_clear_free(s, sizeof(*s) + s->cap);
	return NULL;
}

void secret_freep(struct secret **s)
{
	*s = secret_free(*s);
}

struct bytes secret_view(const struct secret *s)
{
	return bytes_of(s->p, s->len);
}

uint8_t *secret_room(struct secret *s)
{
	return s->p;
}

void secret_cut(struct secret *s, size_t front, size_t back)
{
	size_t left;

	must(front <= s->len && back <= s->len - front);
	left = s->len - front - back;
	if (front && left)
		memmove(s->p, s->p + front, left);
	OPENSSL_cleanse(s->p + left, s->len - left);
	s->len = left;
}

bool secret_eq(const struct secret *s, struct bytes value)
{
	return s->len == value.len && CRYPTO_memcmp(s->p, value.p ? value.p : s->p, value.len) == 0;
}
