#include "wire/armor.h"

#include "base/base64.h"

static const char begin[] = "-----BEGIN ";
static const char end[] = "-----END ";
static const char dashes[] = "-----";

static bool take(struct bytes *text, struct bytes word)
{
	if (!bytes_starts(*text, word))
		return false;
	*text = bytes_skip(*text, word.len);
	return true;
}

static bool take_mark(struct bytes *text, const char *mark, const char *label)
{
	return take(text, bytes_str(mark)) && take(text, bytes_str(label)) && take(text, bytes_str(dashes));
}

bool armor_label(struct bytes text, struct bytes *ret)
{
	size_t len;

	if (!take(&text, bytes_str(begin)))
		return false;
	len = bytes_find(text, '-');
	if (len == 0 || len > ARMOR_LABEL_MAX || !bytes_starts(bytes_skip(text, len), bytes_str(dashes)))
		return false;
	*ret = bytes_of(text.p, len);
	return true;
}

/* The lines up to the END line, joined. */
static bool join(struct bytes *text, struct buf *out)
{
	while (!bytes_starts(*text, bytes_str(dashes))) {
		size_t len = bytes_find(*text, '\n');

		if (len == 0 || len > ARMOR_LINE_MAX || len == text->len || !buf_bytes(out, bytes_of(text->p, len)))
			return false;
		*text = bytes_skip(*text, len + 1);
	}
	return true;
}

bool armor_get(struct bytes text, const char *label, struct buf *out)
{
	BUF_AUTO struct buf digits;
	bool ok;

	buf_init_wiping(&digits, ARMOR_TEXT_MAX);
	if (text.len > ARMOR_TEXT_MAX || !take_mark(&text, begin, label) || !take(&text, bytes_str("\n")))
		return false;
	ok = join(&text, &digits) && take_mark(&text, end, label);
	return ok && (text.len == 0 || bytes_is(text, "\n")) && digits.len && base64_get(buf_view(&digits), out);
}

bool armor_put(struct buf *out, const char *label, struct bytes data, size_t line)
{
	BUF_AUTO struct buf digits;
	struct bytes left;
	bool ok;

	buf_init_wiping(&digits, ARMOR_TEXT_MAX);
	ok = base64_put(&digits, data) && buf_fmt(out, "%s%s%s\n", begin, label, dashes);
	for (left = buf_view(&digits); ok && left.len;) {
		size_t n = left.len < line ? left.len : line;

		ok = buf_bytes(out, bytes_of(left.p, n)) && buf_byte(out, '\n');
		left = bytes_skip(left, n);
	}
	return ok && buf_fmt(out, "%s%s%s\n", end, label, dashes);
}
