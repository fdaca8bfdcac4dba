#include "wire/http1_charset.h"

#include "base/tap.h"

static void check_all(const char *const *values, size_t n, enum http1_charset want)
{
	for (size_t i = 0; i < n; i++)
		if (!CHECK_INT(http1_charset_of(bytes_str(values[i])), want))
			printf("# %s\n", values[i]);
}

TEST(none_said_and_those_that_are_ascii_and_utf8_are_plain)
{
	static const char *const values[] = {
		"", "text/plain", "application/json", "application/json; charset=utf-8", "Application/JSON;CharSet = \"UTF-8\" ; x=y",
		"text/plain;charset=utf8", "text/plain; charset=us-ascii", "text/plain; charset=ISO-8859-1", "a/b; charset=utf-8; charset=utf8",
		"a/b; charset", "a/b; charsets=utf-7", "a/b; chars=utf-7", "multipart/form-data; boundary=charset", "a/b, charset=utf-8",
		"multipart/related; type=\"application/xop+xml; charset=utf-8\"; boundary=b", "multipart/related; start-info=\"text/xml;charset=UTF-8\"",
	};

	check_all(values, sizeof(values) / sizeof(values[0]), HTTP1_CHARSET_PLAIN);
}

TEST(those_in_which_ascii_is_ascii_are_wider)
{
	static const char *const values[] = { "a/b; charset=windows-1252", "a/b; charset=\"ISO-8859-15\"", "a/b; charset=Shift_JIS",
					      "a/b; charset=utf-8; charset=gbk", "a/b;charset=KOI8-R", "a/b;charset=euc-jp", "a/b; charset=latin1" };

	check_all(values, sizeof(values) / sizeof(values[0]), HTTP1_CHARSET_WIDER);
}

/* I3, G11 */
TEST(those_in_which_a_server_may_find_other_ascii_are_found_wherever_one_looks_for_them)
{
	static const char *const values[] = {
		"a/b; charset=utf-7", "a/b; charset=UTF-16LE", "a/b; charset=ibm037", "a/b; charset=cp500", "a/b; charset=iso-2022-jp", "a/b; charset=hz-gb-2312",
		"a/b; charset=", "a/b; charset=\"\"", "a/b; charset=nobody-knows", "a/b; charset='utf-8'", "a/b; charset=\"utf-8", "a/b; charset=utf-8x", "a/b; x=\"y\"; charset=utf-8\"",
		/* the others do not excuse it */
		"a/b; charset=utf-8; charset=utf-7", "a/b; charset=utf-7; charset=utf-8", "a/b; charset=gbk;Charset=utf-16",
		"a/b; x=\";charset=y\"; charset=utf-8",
		/* Rack; Tomcat */
		"a/b, charset=utf-7", "a/b;charset=utf-8,charset=utf-7", "a/b; xcharset=utf-7", "a/b; x=charset=utf-7", "charset=utf-7",
		/* RFC 2231 */
		"a/b; charset*=utf-8''utf-7", "a/b; charset*0=utf-; charset*1=7", "a/b; charset *0*=utf-7", "a/b; charset*0=utf-8",
	};

	check_all(values, sizeof(values) / sizeof(values[0]), HTTP1_CHARSET_OTHER);
}
