#include <stdlib.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/must.h"
#include "wire/secret_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool stream(const struct secret_scan *s, struct bytes text, size_t step, struct buf *passed)
{
	struct buf held BUF_AUTO;
	size_t behind = 0;

	buf_init(&held, text.len);
	for (size_t off = 0; off < text.len; off += step) {
		size_t n = text.len - off > step ? step : text.len - off, safe = 0;

		must(buf_add(&held, text.p + off, n));
		if (secret_scan_find(s, buf_view(&held), behind, off + n == text.len, &safe))
			return true;
		must(safe >= behind && safe <= held.len && held.len - safe <= SECRET_SCAN_SPELLING * s->secrets[0].len);
		must(buf_add(passed, held.p + behind, safe - behind));
		behind = safe < SECRET_SCAN_BEHIND ? safe : SECRET_SCAN_BEHIND;
		buf_consume(&held, safe - behind);
	}
	must(held.len == behind);
	return false;
}

/* Each byte in a spelling that `how` chooses. */
static void put_html(struct buf *put, struct bytes secret, struct bytes how)
{
	for (size_t i = 0; i < secret.len; i++) {
		unsigned h = how.len ? how.p[i % how.len] : 0;

		if (h % 5 == 4 && secret.p[i] != '&')
			must(buf_byte(put, secret.p[i]));
		else
			must(buf_fmt(put, h & 1 ? "&#%05u;" : h & 2 ? "&#x%x;" : "&#X%08X;", (unsigned)secret.p[i]));
	}
}

static void put_escaped(struct buf *put, struct bytes text, unsigned how)
{
	for (size_t i = 0; i < text.len; i++)
		must(buf_fmt(put, how % 3 == 0 ? "%%%02x" : how % 3 == 1 ? "\\u%04X" : "&#%u;", (unsigned)text.p[i]));
}

/* The first line is the secret, the rest a stream: cut or whole the same; a stream that holds it plainly, in base64, as HTML writes it, or escaped and
 * then in base64 is never passed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), secret = bytes_of(data, bytes_find(in, '\n')), text;
	struct buf whole BUF_AUTO = { 0 };
	struct buf cut BUF_AUTO = { 0 };
	struct buf put BUF_AUTO = { 0 };
	struct buf once BUF_AUTO = { 0 };
	struct secret_scan s;
	bool found;

	if (secret.len == 0 || secret.len == size || secret.len > 64 || size > 2048)
		return 0;
	text = bytes_skip(in, secret.len + 1);
	for (size_t i = 0; i < secret.len; i++)
		if (secret.p[i] < ' ' || secret.p[i] > '~')
			return 0;
	secret_scan_init(&s, &secret, 1);
	buf_init(&whole, size);
	buf_init(&cut, size);
	found = stream(&s, text, size, &whole);
	must(stream(&s, text, 1, &cut) == found);
	if (found)
		must(!memmem(cut.p ? cut.p : (const uint8_t *)"", cut.len, secret.p, secret.len));
	else
		must(bytes_eq(buf_view(&whole), text) && bytes_eq(buf_view(&cut), text));
	if (text.len && memmem(text.p, text.len, secret.p, secret.len))
		must(found);
	buf_init(&put, 64 * size + 64);
	must(base64_put(&put, in)); /* the secret at the first alignment, in something longer */
	must(secret.len < SECRET_SCAN_BASE64_MIN || stream(&s, buf_view(&put), 5, &whole));
	buf_reset(&put);
	put_html(&put, secret, text);
	must(stream(&s, buf_view(&put), 1 + size % 7, &whole));
	buf_init(&once, 8 * size + 64);
	put_escaped(&once, secret, (unsigned)size);
	buf_reset(&put);
	must(base64_put(&put, buf_view(&once)));
	must(secret.len < SECRET_SCAN_BASE64_MIN || stream(&s, buf_view(&put), 1 + size % 5, &whole));
	buf_reset(&put);
	put_escaped(&put, buf_view(&once), (unsigned)size / 3);
	must(stream(&s, buf_view(&put), 1 + size % 11, &whole));
	return 0;
}
