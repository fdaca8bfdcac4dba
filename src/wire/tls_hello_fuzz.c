#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "wire/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct tls_hello *a, const struct tls_hello *b)
{
	return a->has_sni == b->has_sni && a->sni_len == b->sni_len && a->ech == b->ech &&
	       memcmp(a->sni, b->sni, a->sni_len) == 0;
}

/* The hello at `b`, its handshake bytes cut into records of `step`. */
static size_t cut_again(struct bytes b, size_t used, size_t step, uint8_t *out)
{
	uint8_t joined[TLS_HELLO_MAX];
	size_t have = 0;
	size_t n = 0;

	for (size_t off = 0; off < used;) {
		size_t len = (size_t)b.p[off + 3] << 8 | b.p[off + 4];

		memcpy(joined + have, b.p + off + TLS_RECORD_HEAD, len);
		have += len;
		off += TLS_RECORD_HEAD + len;
	}
	for (size_t off = 0; off < have; off += step) {
		size_t len = have - off < step ? have - off : step;
		const uint8_t head[TLS_RECORD_HEAD] = { 22, 3, 1, (uint8_t)(len >> 8),
							(uint8_t)len };

		memcpy(out + n, head, sizeof(head));
		memcpy(out + n + sizeof(head), joined + off, len);
		n += sizeof(head) + len;
	}
	return n;
}

/* A prefix is never judged otherwise than the whole; cutting into records changes nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_hello whole;
	struct tls_hello other;
	enum tls_hello_answer a;
	size_t step;
	uint8_t *out;

	if (size < 2 || size > TLS_HELLO_BYTES_MAX)
		return 0;
	step = 40 + (size_t)data[0] * 8;
	data++;
	size--;
	a = tls_hello_read(bytes_of(data, size), &whole);
	for (size_t i = 0; i < size; i += 1 + size / 64) {
		enum tls_hello_answer b = tls_hello_read(bytes_of(data, i), &other);

		must(b == TLS_HELLO_MORE || b == a);
		must(b != TLS_HELLO_DONE || same(&whole, &other));
	}
	if (a != TLS_HELLO_DONE)
		return 0;
	must(whole.used <= size && whole.sni_len <= TLS_SNI_MAX &&
	     whole.has_sni == (whole.sni_len > 0));
	out = malloc(TLS_HELLO_BYTES_MAX);
	must(out);
	size = cut_again(bytes_of(data, size), whole.used, step, out);
	must(tls_hello_read(bytes_of(out, size), &other) == TLS_HELLO_DONE && same(&whole, &other));
	free(out);
	return 0;
}
