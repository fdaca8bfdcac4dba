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
		{ "a=1&_HttpMethod=PATCH", true }, { "_httpmethod", true },    { "_httpmethods=1", false },
		{ "x-tunneled-method=DELETE", true }, { "_http=1", false },
		{ "x_method=1", false },      { "_methods=1", false },	       { "a=%26_method%3dx", false },
		{ "", false },		      { "_metho", false },	       { "a=b=_method=c", false },
		{ "__method=1", false },      { "%255Fmethod=x", false },
		{ "_METHOD=x", true },	      { "xmethod=x", false },
		{ "X-HTTP-Method-Override=DELETE", true },
		{ "a&x-http-method", true },
		{ "a&x_method_override=", false },
		{ "x%2dmethod=x", true },
		{ "x-method%00=x", true },
		{ "x-method[]=x", true },
		{ "x-http-method-overrides=x", false },
		{ "x-methods=x", false },
		{ "x=x-method", false },
		/* Rack and Rails; qs */
		{ "_method]=DELETE", true },
		{ "[_method]=DELETE", true },
		{ "a&[_method=DELETE", true },
		{ "]_method=DELETE", true },
		{ "_method%5D=DELETE", true },
		{ "%5b%5B_method%5d=x", true },
		{ "+[+]_method", true },
		{ "][.method][]=x", true },
		{ "[x-http-method]=x", true },
		{ "x-method]=x", true },
		{ "filter[_method]=x", false },
		{ "[a]_method=x", false },
		{ "[][a]&_metho]d", false },
		{ "ids[]=1&page[size]=_method", false },
		{ "[_methods]=x", false },
		{ "[]=_method", false },
		{ "[method=x", false },
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
		{ "name=name=\"_method\"", true },
		{ "name=\"_meth\\od\"", true },
		{ "--b\r\nContent-ID: <_method>\r\n\r\nDELETE", true },
		{ "--b\r\ncontent-id:_method\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"X-HTTP-Method-Override\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=x-method\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"_HttpMethod\"\r\n\r\nPATCH", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"x-method[a]\"\r\n\r\nDELETE", true },
		{ "name=x-method", true },
		{ "--b\r\nContent-Disposition: form-data; name=x-method; filename=a\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name='x-method' ; filename=a\r\n\r\nDELETE", true },
		{ "--b\nContent-Disposition: form-data; name=x-method\n\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name\t=\t\"_method\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-ID: <x-method>\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"[_method]\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"]_method\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=[_method\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"_method]\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"[x-method]\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-ID: <[_method]>\r\n\r\nDELETE", true },
		/* Tomcat, and what else reads forms by Commons FileUpload */
		{ "--b\r\nContent-Disposition: form-data; name=\"=?UTF-8?Q?=5Fmethod?=\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name==?us-ascii?q?=5Fme=74hod?=\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"=?utf-8?B?X21ldGhvZA==?=\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"=?utf-8?b?WC1NZXRob2Q=?=\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"=?utf-8?Q?=5Fmet?= =?utf-8?B?aG9k?=\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"=?utf-8?Q?x-?=\r\n =?utf-8?Q?method?=\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"=?utf-16be?B?AF8AbQBlAHQAaABvAGQ=?=\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"=?iso-2022-jp?Q?=5Fme=1B(Bthod?=\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name*=UTF-8''_method\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; NAME* = \"utf-8'en'%5Fm%65thod\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name*=_method\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name*=IBM037''%6D%94%85%A3%88%96%84\r\n\r\nDELETE", true },
		/* Go, Python: in pieces (RFC 2231, 3) */
		{ "--b\r\nContent-Disposition: form-data; name*0=_met; name*1=hod\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; NAME*1*=hod; name*0*=UTF-8''%5Fmet\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data;\r\n\tname*0=\"_met\";\r\n\tname*1=\"hod\"\r\n\r\nDELETE", true },
		{ "--b\nContent-disposition : form-data;\n name*0=_;name*3=od;\n name*1*=%6Det\n ;name*2=\"h\"\n\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data;\rname*0=_method\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Type: a/b\r\nCONTENT-DISPOSITION: form-data; filename=x; name*0 = \"_method\"\r\n\r\nDELETE", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"a\"; filename*0=_method\r\n\r\n", false },
		/* a mail as a file, and code */
		{ "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"m.eml\"\r\nContent-Type: message/rfc822\r\n\r\n--c\r\nContent-Type: application/pdf;\r\n"
		  " name*0=\"report\";\r\n name*1=\".pdf\"\r\nContent-Disposition: attachment;\r\n filename*0=\"report\";\r\n filename*1=\".pdf\"\r\n"
		  "Content-Type: application/pdf;\r\n name*0*=utf-8''%C3%A9\r\n\r\n", false },
		{ "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nreturn name*2 == x; return name*2=x", false },
		{ "x = rename*2; username*0=1; y = name*2; z = name*2+1", false },
		{ "--b\r\nContent-Disposition: form-data; name*=UTF-8''%C3%A9\r\n\r\n_method", false },
		{ "--b\r\nContent-Disposition: form-data; name=\"a\"; filename*=UTF-8''na%C3%AFve.txt\r\n\r\n_method", false },
		{ "Content-Type: image/png; name=\"=?iso-2022-jp?B?GyRCRnxLXBsoQi5wbmc=?=\"\r\n\r\n_method", false },
		{ "filename=\"=?windows-1252?Q?m=E9thod?=\"\r\n\r\n_method=\"=?\"", false },
		{ "x.name*=2;\n_method", false },
		/* what looks like it in the content of files */
		{ "--b\r\nContent-Type: text/javascript\r\n\r\n$(\"input[name*='user']\")", false },
		{ "--b\r\nContent-Type: text/css\r\n\r\n[data-name*=\"it's\"]{} x.name\n=\"it's\"", false },
		{ "--b\r\nContent-Disposition: form-data; name=\"a\"; filename*=''a.txt\r\n\r\n", false },
		{ "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"=?hp-roman8?Q?a?=\"\r\n\r\n", false },
		{ "--b\r\nContent-Disposition: form-data; name=\"=?hp-roman8?Q?a?=\"\r\n\r\n", true },
		{ "--b\r\nContent-Disposition: form-data;name=\"=?hp-roman8?Q?a?=\"\r\n\r\n", true },
		{ "--b\r\nContent-Disposition: form-data,name=\"=?hp-roman8?Q?a?=\"\r\n\r\n", true },
		{ "--b\r\nContent-Disposition: form-data;\tname=\"=?hp-roman8?Q?a?=\"\r\n\r\n", true },
		{ "--b\nContent-Disposition: form-data;\nname=\"=?hp-roman8?Q?a?=\"\n\n", true },
		{ "--b\rContent-Disposition: form-data;\rname=\"=?hp-roman8?Q?a?=\"\r\r", true },
		{ "--b\r\nContent-Disposition: form-data; name=\"=?utf-8?Q?X-HTTP-Method-Override?=zz\"\r\n\r\n", true },
		{ "name==_method", false },
		{ "--b\r\nContent-Disposition: form-data; name=\"files[]\"\r\n\r\n_method", false },
		{ "--b\r\nContent-Disposition: form-data; name=\"filter[_method]\"\r\n\r\nx", false },
		{ "--b\r\nContent-Disposition: form-data; name=\"x-methods\"\r\n\r\n", false },
		{ "--b\r\nContent-ID: <method>\r\n\r\n_method", false },
		{ "--b\r\nContent-Disposition: form-data; name=\"method\"\r\n\r\n_method\r\n--b--", false },
		{ "--b\r\nContent-Disposition: form-data; filename=\"x\"; name=\"a\"\r\n\r\n_method", false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 40; step += 7)
			if (!CHECK_INT(found(HTTP1_FORM_MULTIPART, vectors[i].text, step), vectors[i].want))
				printf("# %s in steps of %zu\n", vectors[i].text, step);
}

TEST(a_method_member_is_found_in_json_where_its_outermost_object_has_it)
{
	static const struct {
		const char *text;
		bool want;
	} vectors[] = {
		{ "{\"_method\":\"DELETE\"}", true },
		{ " { \"a\" : [1,{\"b\":2}] ,\n\"_METHOD\":\"x\"}", true },
		{ "{\"\\u005Fmeth\\u006fd\":1}", true },
		{ "{\"a\":\"}\",\"x-http-method-override\":1}", true },
		{ "{\"a\\\"\":\"\\\\\",\"X-HTTP-Method\":1}", true },
		{ "{\"a\":{\"_method\":1}}", false },
		{ "{\"a\":\"_method\"}", false },
		{ "{\"a\":[\"b\",\"_method\"]}", false },
		{ "[\"_method\",\"_method\"]", false },
		{ "[{\"_method\":1}]", false },
		{ "\"_method\"", false },
		{ "{\"a\":\"\\\",\\\"_method\"}", false },
		{ "{\"\\u015fmethod\":1}", false },
		{ "{\"method\":\"DELETE\",\"_methods\":1}", false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 20; step += 3)
			if (!CHECK_INT(found(HTTP1_FORM_JSON, vectors[i].text, step), vectors[i].want))
				printf("# %s in steps of %zu\n", vectors[i].text, step);
}

static enum http1_form_kind kind_of(const char *method, const char *fields)
{
	char text[512];
	struct http1_scan s = { 0 };
	struct http1_head h;
	enum http1_fault f;
	size_t len;

	(void)snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n%s\r\n", method, fields);
	CHECK_INT(http1_request_head(&s, bytes_str(text), &h, &len, &f), HTTP1_DONE);
	return http1_form_kind_of(&h);
}

TEST(a_form_is_known_by_its_media_type)
{
	CHECK_INT(kind_of("PUT", "Content-Type: application/x-www-form-urlencoded\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("POST", "content-type: Application/X-WWW-Form-Urlencoded; charset=utf-8\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("PUT", "Content-Type: application/x-www-form-urlencoded;charset=utf-8\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("PUT", "Content-Type: application/x-www-form-urlencoded charset=utf-8\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("PUT", "Content-Type: application/x-www-form-urlencoded\t;a\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("PUT", "Content-Type: application/x-www-form-urlencoded, text/plain\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("POST", "Content-Type: multipart/form-data; boundary=b\r\n"), HTTP1_FORM_MULTIPART);
	CHECK_INT(kind_of("POST", "Content-Type: Multipart/Mixed; boundary=b\r\n"), HTTP1_FORM_PARTS);
	CHECK_INT(kind_of("POST", "Content-Type: multipart/related; boundary=b\r\n"), HTTP1_FORM_PARTS);
	CHECK_INT(kind_of("POST", "Content-Type: application/x-www-form-urlencodedx\r\n"), HTTP1_FORM_NONE);
	CHECK_INT(kind_of("POST", "Content-Type: application/octet-stream\r\n"), HTTP1_FORM_NONE);
	CHECK_INT(kind_of("POST", "Content-Type: application/x-git-receive-pack-request\r\n"), HTTP1_FORM_NONE);
}

TEST(a_post_without_a_media_type_is_a_form_and_nothing_else_without_one_is)
{
	CHECK_INT(kind_of("POST", ""), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("POST", "Content-Type:\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("POST", "Content-Type: ;charset=utf-8\r\n"), HTTP1_FORM_URLENCODED);
	CHECK_INT(kind_of("PUT", ""), HTTP1_FORM_NONE);
	CHECK_INT(kind_of("PATCH", "Content-Type:\r\n"), HTTP1_FORM_NONE);
}

TEST(json_is_read_for_a_method_where_a_post_says_so)
{
	CHECK_INT(kind_of("POST", "Content-Type: application/json\r\n"), HTTP1_FORM_JSON);
	CHECK_INT(kind_of("POST", "Content-Type: application/vnd.api+JSON; charset=utf-8\r\n"), HTTP1_FORM_JSON);
	CHECK_INT(kind_of("PUT", "Content-Type: application/json\r\n"), HTTP1_FORM_NONE);
	CHECK_INT(kind_of("POST", "Content-Type: text/plain; json\r\n"), HTTP1_FORM_NONE);
}
