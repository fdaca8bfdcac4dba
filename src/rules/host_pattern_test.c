#include "rules/host_pattern.h"

#include "base/tap.h"

static const char *fault(const char *text)
{
	static char why[HOST_PATTERN_FAULT_MAX];

	return host_pattern_ok(bytes_str(text), why) ? "" : why;
}

static void refused(const char *text, const char *word)
{
	if (!CHECK(strstr(fault(text), word) != NULL))
		printf("#   %s: %s\n", text, fault(text));
}

TEST(names_and_wildcards_below_one_owner_are_listed)
{
	static const char *const good[] = {
		"good.example",          "a_b.good.example",   "xn--bcher-kva.example",
		"xn--strae-oqa.example", "localhost",          "*.wild.example",
		"**.deep.example",       "*.corp.example.com", "1.example"
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!CHECK(fault(good[i])[0] == '\0'))
			printf("#   %s: %s\n", good[i], fault(good[i]));
}

TEST(a_wildcard_is_the_whole_first_label)
{
	refused("api.example.*", "first label");
	refused("a.*.example.com", "first label");
	refused("api.**.com", "first label");
	refused("*.*.com", "first label");
	refused("*", "over everything");
	refused("**", "over everything");
	refused("*.com", "top level");
	refused("**.com", "top level");
	refused("*.example", "top level");
	refused("*example.com", "whole label");
	refused("api-*.example.com", "whole label");
	refused("***.example.com", "whole label");
	refused("a?i.example.com", "whole label");
	refused("[ab].example.com", "whole label");
	refused("{a,b}.example.com", "character");
	refused("{a}.example.com", "whole label");
}

TEST(a_public_suffix_has_no_one_owner)
{
	refused("*.co.uk", "public suffix");
	refused("**.co.uk", "public suffix");
	refused("*.github.io", "public suffix");
	refused("**.s3.amazonaws.com", "public suffix");
	refused("*.pages.dev", "public suffix");
	refused("*.compute.amazonaws.com", "public suffix");
}

TEST(another_spelling_is_refused_with_the_right_one)
{
	refused("GOOD.Example", "write `good.example`");
	refused("good.example.", "write `good.example`");
	refused("b\xc3\xbc"
		"cher.example",
		"write `xn--bcher-kva.example`");
	refused("good\xe3\x80\x82"
		"example",
		"write `good.example`");
	refused("good.example:443", "write `good.example`");
	refused("https://good.example/x", "write `good.example`");
	refused("good.example/x", "write `good.example`");
	refused(" good.example", "without them");
	refused("good.example ", "without them");
	refused("", "empty");
	refused("   ", "empty");
	refused("user@good.example", "character");
	refused("good..example", "no host name");
	refused("-good.example", "no host name");
}

TEST(addresses_in_every_spelling_are_refused)
{
	refused("127.0.0.1", "address");
	refused("2130706433", "address");
	refused("0177.0.0.1", "address");
	refused("0x7f.1", "address");
	refused("127.1", "address");
	refused("::1", "address");
	refused("[::1]", "address");
}

TEST(only_canonical_a_labels_are_listed)
{
	refused("xn--99999999.example", "xn--");
	refused("xn--ls8h.example", "IDNA"); /* an emoji */
	refused("xn--ab-s13a.example", "xn--");
}

TEST(the_gateway_itself_is_no_host_of_a_policy)
{
	refused("saw.internal", "gateway");
	refused("x.saw.internal", "gateway");
	refused("**.saw.internal", "gateway");
}

TEST(hosts_of_many_owners_are_known)
{
	CHECK(host_pattern_shared(bytes_str("gist.github.com")) &&
	      host_pattern_shared(bytes_str("b.s3.eu-west-1.amazonaws.com")));
	CHECK(host_pattern_shared(bytes_str("*.dropboxusercontent.com")) &&
	      !host_pattern_shared(bytes_str("good.example")));
	CHECK(!host_pattern_shared(bytes_str("evilgithub.com")));
}
