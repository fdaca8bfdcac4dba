#include "wire/http1_authority.h"

#include "base/tap.h"

TEST(legal_authorities_are_folded_to_one_form)
{
	static const struct {
		const char *text;
		const char *name;
		unsigned port;
	} vectors[] = {
		{ "good.example", "good.example", 0 },	 { "GOOD.Example:80", "good.example", 80 },
		{ "good.example.", "good.example", 0 },	 { "a.b:65535", "a.b", 65535 },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example", 0 },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct http1_authority a = { 0 };

		CHECK_INT(http1_authority_parse(bytes_str(vectors[i].text), &a), HTTP1_FAULT_NONE);
		CHECK_STR(a.name.text, vectors[i].name);
		CHECK_INT(a.port, vectors[i].port);
	}
}

#define V(text, fault) { "" text, sizeof(text) - 1, HTTP1_FAULT_##fault }

TEST(illegal_authorities_have_their_own_faults)
{
	static const struct {
		const char *text;
		size_t len;
		enum http1_fault want;
	} vectors[] = {
		/* E19 */
		V("", HOST),
		V("good.example, evil.example", HOST),
		V("good.example/path", HOST),
		/* C3, C4, C11 */
		V("good.example..", NAME),
		V(".good.example", NAME),
		V("a..b", NAME),
		V("evil.example\0.good.example", NAME),
		V("g\xc3\xb6" "d.example", NAME),
		V("xn--a.example", NAME),
		V("good-.\xe3\x80\x82" "example", NAME),
		/* C5 */
		V("good .example", AUTHORITY),
		V("good\t.example", AUTHORITY),
		V("good\\.example", AUTHORITY),
		V("good@evil.example", AUTHORITY),
		V("good#.example", AUTHORITY),
		V("good?.example", AUTHORITY),
		V("good%2e.example", AUTHORITY),
		V("good\r.example", AUTHORITY),
		V("good.example:", HOST),
		V("good.example:0", HOST),
		V("good.example:080", HOST),
		V("good.example:65536", HOST),
		V("good.example:8x", HOST),
		V("good.example:+80", HOST),
		V("good.example:80:80", HOST),
		V("good[.example", AUTHORITY),
		/* C10 */
		V("[::1]", NAME_ADDRESS),
		V("127.0.0.1", NAME_ADDRESS),
		V("2130706433", NAME_ADDRESS),
		V("0177.0.0.1", NAME_ADDRESS),
		V("0x7f.1", NAME_ADDRESS),
		V("127.1:80", NAME_ADDRESS),
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct http1_authority a;

		if (!CHECK_INT(http1_authority_parse(bytes_of(vectors[i].text, vectors[i].len), &a), vectors[i].want))
			printf("# vector %zu: %s\n", i, vectors[i].text);
	}
}
