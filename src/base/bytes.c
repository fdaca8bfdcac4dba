#include "base/bytes.h"

#include <stdlib.h>

static uint8_t fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool bytes_ieq_n(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && fold(a[i]) != fold(b[i]))
			return false;
	return true;
}

size_t bytes_find(struct bytes a, uint8_t c)
{
	const uint8_t *hit = a.len ? memchr(a.p, c, a.len) : NULL;

	return hit ? (size_t)(hit - a.p) : a.len;
}

char *bytes_dup(struct bytes a)
{
	char *s;

	if (bytes_find(a, 0) != a.len)
		return NULL;
	s = malloc(a.len + 1);
	if (!s)
		return NULL;
	if (a.len)
		memcpy(s, a.p, a.len);
	s[a.len] = '\0';
	return s;
}

int bytes_cmp(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}
