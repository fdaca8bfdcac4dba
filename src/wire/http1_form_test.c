#include "wire/http1_form.h"

#include "base/tap.h"

static bool found(enum http1_form_kind kind, const char *text, size_t step)
{
	struct http1_form f;
	size_t len = strlen(text);

	http1_form_init(&f, kind);
	for (size_t off = 0; off < len; off += step)
		(void)http1_form_feed(&f, bytes_of(text + off, len - off < step ? len - off : step));
	return http1_form_end(&f);
}

/* G11 */
TEST(a_method_field_is_found_in_every_spelling_however_the_text_is_cut)
{
	static const struct {
		const char *text;
		bool want;
	} vectors[] = {
		{ "_method=DELETE", true },   { "a=1&_method=PUT", true },     { "a=1;_method=PUT", true },
		{ "_method", true },	      { "a&_method", true },	       { "%5Fmethod=x", true },
		{ "_%6d%65thod=x", true },    { ".method=x", true },	       { "+_method=x", true },
		{ "%20_method=x", true },     { "_method[]=x", true },	       { "_method%5b%5d=x", true },
		{ "_method%00z=x", true },    { "a=_method", false },	       { "a=1&method=x", false },
		{ "x_method=1", false },      { "_methods=1", false },	       { "a=%26_method%3dx", false },
		{ "", false },		      { "_metho", false },	       { "a=b=_method=c", false },
		{ "__method=1", false },      { "%255Fmethod=x", false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 20; step += 3)
			if (!CHECK_INT(found(HTTP1_FORM_URLENCODED, vectors[i].text, step), vectors[i].want))
				printf("# %s in steps of %zu\n", vectors[i].text, step);
}

TEST(a_method_field_is_found_in_multipart_forms)
{
	static const struct {
		const char *text;
		bool want;
	} vectors[] = {
		{ "--b\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--b--", true },
		{ "--b\r\nContent-Disposition: form-data; NAME=_method\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name = \"_method\"\r\n", true },
		{ "--b\r\nContent-Disposition: form-data;\r\n name='_method'\r\n", true },
		{ "nname=\"_method\"", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"method\"\r\n\r\n_method\r\n--b--", false },
		{ "--b\r\nContent-Disposition: form-data; filename=\"x\"; name=\"a\"\r\n\r\n_method", false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 40; step += 7)
			if (!CHECK_INT(found(HTTP1_FORM_MULTIPART, vectors[i].text, step), vectors[i].want))
				printf("# %s in steps of %zu\n", vectors[i].text, step);
}

static enum http1_form_kind kind_of(const char *fields)
{
	char text[512];
	struct http1_scan s = { 0 };
	struct http1_head h;
	enum http1_fault f;
	size_t len;

	(void)snprintf(text, sizeof(text), "POST / HTTP/1.1\r\n%s\r\n", fields);
	CHECK_INT(http1_request_head(&s, bytes_str(text), &h, &len, &f), HTTP1_DONE);
	return http1_form_kind_of(&h);
}

TEST(a_form_is_known_by_its_media_type_also_behind_another_one)
{
	CHECK_INT(kind_of("Content-Type: application/x-www-form-urlencoded\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("content-type: Application/X-WWW-Form-Urlencoded; charset=utf-8\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("Content-Type: text/plain\r\nContent-Type: multipart/form-data; boundary=b\r\n"),
		  HTTP1_FORM_MULTIPART);
	CHECK_INT(kind_of("Content-Type: application/json\r\n"), HTTP1_FORM_NONE);
	CHECK_INT(kind_of("Content-Type: application/x-www-form-urlencodedx\r\n"), HTTP1_FORM_NONE);
	CHECK_INT(kind_of(""), HTTP1_FORM_NONE);
}
