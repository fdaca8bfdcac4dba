#include <stdlib.h>

#include "base/must.h"
#include "wire/http1_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool found(enum http1_form_kind kind, struct bytes in, size_t step)
{
	struct http1_form f;

	http1_form_init(&f, kind);
	for (size_t off = 0; off < in.len; off += step)
		(void)http1_form_feed(&f, bytes_of(in.p + off, in.len - off < step ? in.len - off : step));
	return http1_form_end(&f);
}

/* Cut or whole the same; and the field is found behind anything that ends in a separator, or of JSON before anything. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t text[4096 + 16];

	must(!found(HTTP1_FORM_NONE, bytes_of(data, size), 1));
	must(found(HTTP1_FORM_URLENCODED, bytes_of(data, size), 1) == found(HTTP1_FORM_URLENCODED, bytes_of(data, size), size + 1));
	must(found(HTTP1_FORM_MULTIPART, bytes_of(data, size), 1) == found(HTTP1_FORM_MULTIPART, bytes_of(data, size), size + 1));
	must(found(HTTP1_FORM_JSON, bytes_of(data, size), 1) == found(HTTP1_FORM_JSON, bytes_of(data, size), size + 1));
	if (size > 4096)
		return 0;
	memcpy(text, data, size);
	memcpy(text + size, "&_method=x", 10);
	must(found(HTTP1_FORM_URLENCODED, bytes_of(text, size + 10), 3));
	memcpy(text + size, "&[_method]=", 11);
	must(found(HTTP1_FORM_URLENCODED, bytes_of(text, size + 11), 3));
	memcpy(text + size, " name=\"_method\"", 15);
	must(found(HTTP1_FORM_MULTIPART, bytes_of(text, size + 15), 3));
	memcpy(text, "{\"_method\":", 11);
	memcpy(text + 11, data, size);
	must(found(HTTP1_FORM_JSON, bytes_of(text, size + 11), 3));
	return 0;
}
