#include "net/tls_heap.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "net/held.h"

static size_t charged;

/* What malloc() gives, not what was asked for: so that the same comes off when it is freed. */
static void *heap_malloc(size_t size, const char *file, int line)
{
	void *p = malloc(size);

	(void)file;
	(void)line;
	held_set(&charged, charged + malloc_usable_size(p));
	return p;
}

static void heap_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	held_set(&charged, charged - malloc_usable_size(p));
	free(p);
}

static void *heap_realloc(void *p, size_t size, const char *file, int line)
{
	size_t before = malloc_usable_size(p);
	void *q;

	if (!size) {
		heap_free(p, file, line);
		return NULL;
	}
	q = realloc(p, size);
	if (q)
		held_set(&charged, charged - before + malloc_usable_size(q));
	return q;
}

int tls_heap_count(struct err *e)
{
	if (CRYPTO_set_mem_functions(heap_malloc, heap_realloc, heap_free) != 1)
		return err_set(e, EBUSY, "count libcrypto's memory: it has taken some already");
	return 0;
}
