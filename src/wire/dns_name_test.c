#include "wire/dns_name.h"

#include "base/tap.h"

static struct dns_name n;
static size_t off;

/* A message whose bytes before the name at 12 are a header of zeros. */
static enum dns_name_answer read_at(const char *tail, size_t len, size_t at, bool pointers)
{
	static uint8_t msg[2048];

	memset(msg, 0, sizeof(msg));
	memcpy(msg + DNS_HEADER_LEN, tail, len);
	off = at;
	return dns_name_read(bytes_of(msg, DNS_HEADER_LEN + len), &off, pointers, &n);
}

#define READ(literal, at, pointers) read_at(literal, sizeof(literal) - 1, at, pointers)

TEST(labels_are_read_in_the_case_they_came)
{
	char text[DNS_NAME_TEXT_MAX];

	CHECK_INT(READ("\4gOOd\7Example\0", 12, false), DNS_NAME_OK);
	CHECK_INT(off, 26);
	CHECK_INT(dns_name_text(&n, text), 12);
	CHECK_STR(text, "gOOd.Example");
	CHECK_INT(READ("\0", 12, false), DNS_NAME_OK);
	CHECK(dns_name_root(&n));
	(void)dns_name_text(&n, text);
	CHECK_STR(text, ".");
}

TEST(bytes_of_no_host_name_have_a_text_of_their_own)
{
	char text[DNS_NAME_TEXT_MAX];

	CHECK_INT(READ("\3a.b\5c\0d\\\377\0", 12, false), DNS_NAME_OK);
	(void)dns_name_text(&n, text);
	CHECK_STR(text, "a\\046b.c\\000d\\092\\255");
}

TEST(a_pointer_leads_to_an_earlier_name_only)
{
	struct dns_name want;

	CHECK(dns_name_from(bytes_str("www.good.example"), &want));
	CHECK_INT(READ("\4good\7example\0\3www\300\14", 26, true), DNS_NAME_OK);
	CHECK_INT(off, 32);
	CHECK(dns_name_ieq(&n, &want));
	CHECK_INT(READ("\4good\7example\0\3www\300\14", 26, false), DNS_NAME_POINTER);
	CHECK_INT(READ("\300\14", 12, true), DNS_NAME_POINTER);
	CHECK_INT(READ("\3www\300\14", 12, true), DNS_NAME_POINTER);
	CHECK_INT(READ("\300\16\300\14", 14, true), DNS_NAME_POINTER);
	CHECK_INT(READ("\300\16\4good\0", 12, true), DNS_NAME_POINTER);
	CHECK_INT(READ("\300\0", 12, true), DNS_NAME_POINTER);
	CHECK_INT(READ("\300", 12, true), DNS_NAME_SHORT);
}

TEST(a_stair_of_pointers_is_cut_off)
{
	char tail[2 + 2 * (DNS_NAME_JUMPS_MAX + 1)] = "\0";
	size_t at = 1;

	for (unsigned i = 0; i <= DNS_NAME_JUMPS_MAX; i++, at += 2) {
		tail[at] = (char)0xc0;
		tail[at + 1] = (char)(i ? DNS_HEADER_LEN + at - 2 : DNS_HEADER_LEN);
	}
	CHECK_INT(read_at(tail, at - 2, DNS_HEADER_LEN + at - 4, true), DNS_NAME_OK);
	CHECK_INT(read_at(tail, at, DNS_HEADER_LEN + at - 2, true), DNS_NAME_POINTER);
}

TEST(lengths_of_labels_and_names_are_limited)
{
	char tail[300];
	size_t at = 0;

	for (unsigned i = 0; i < 4; i++) {
		size_t len = i < 3 ? 63 : 61;

		tail[at] = (char)len;
		memset(tail + at + 1, 'a', len);
		at += len + 1;
	}
	tail[at] = '\0';
	CHECK_INT(at + 1, DNS_NAME_WIRE_MAX);
	CHECK_INT(read_at(tail, at + 1, 12, false), DNS_NAME_OK);
	CHECK_INT(n.len, DNS_NAME_WIRE_MAX);
	CHECK_INT(read_at(tail, at, 12, false), DNS_NAME_SHORT);
	tail[at] = 1;
	tail[at + 1] = 'b';
	tail[at + 2] = '\0';
	CHECK_INT(read_at(tail, at + 3, 12, false), DNS_NAME_LONG);
	CHECK_INT(READ("\100aaaa", 12, true), DNS_NAME_LABEL);
	CHECK_INT(READ("\200aaaa", 12, true), DNS_NAME_LABEL);
	CHECK_INT(READ("\5aaaa", 12, true), DNS_NAME_SHORT);
	CHECK_INT(off, 12);
}

TEST(a_canonical_name_goes_in_and_out)
{
	char text[DNS_NAME_TEXT_MAX];
	struct dns_name upper;

	CHECK(dns_name_from(bytes_str("a.b-c.d_e.example"), &n));
	(void)dns_name_text(&n, text);
	CHECK_STR(text, "a.b-c.d_e.example");
	CHECK(dns_name_from(bytes_str("A.B-C.D_E.EXAMPLE"), &upper));
	CHECK(dns_name_ieq(&n, &upper));
	CHECK(!dns_name_from(bytes_str(""), &n));
	CHECK(!dns_name_from(bytes_str("a..b"), &n));
	CHECK(!dns_name_from(bytes_str("a."), &n));
	CHECK(!dns_name_from(bytes_str(".a"), &n));
}
