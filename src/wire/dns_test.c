#include "wire/dns.h"

#include "base/tap.h"

#define HEADER(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define QUESTION "\4gOOd\7eXample\0\0\1\0\1"
#define OPT "\0\0\51\4\320\0\0\0\0\0\0"
#define PARSE(literal) dns_ask_parse(bytes_of(literal, sizeof(literal) - 1), &ask)

static struct dns_ask ask;
static uint8_t out[DNS_REPLY_MAX];

TEST(one_question_is_understood_and_its_bytes_are_kept)
{
	char text[DNS_NAME_TEXT_MAX];

	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION), DNS_ASK_OK);
	CHECK_INT(ask.id, 0x1234);
	CHECK_INT(ask.type, DNS_A);
	CHECK(!ask.edns);
	CHECK(bytes_eq(ask.question, bytes_of(QUESTION, sizeof(QUESTION) - 1)));
	(void)dns_name_text(&ask.name, text);
	CHECK_STR(text, "gOOd.eXample");
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION OPT), DNS_ASK_OK);
	CHECK(ask.edns && !ask.dnssec_ok);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\0\0\51\4\320\0\0\x80\0\0\0"), DNS_ASK_OK);
	CHECK(ask.edns && ask.dnssec_ok);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\0\0\51\4\320\0\0\0\0\0\6\0\12\0\2ab"), DNS_ASK_OK);
}

TEST(each_malformed_question_has_its_own_answer)
{
	uint8_t big[600];
	size_t at;

	CHECK_INT(PARSE("\0\0\1"), DNS_ASK_IGNORE);
	CHECK_INT(PARSE(HEADER("\x81\0", "\1", "\0", "\0", "\0") QUESTION), DNS_ASK_IGNORE);
	CHECK_INT(PARSE(HEADER("\x21\0", "\1", "\0", "\0", "\0") QUESTION), DNS_ASK_OPCODE);
	CHECK_INT(PARSE(HEADER("\1\0", "\0", "\0", "\0", "\0")), DNS_ASK_COUNT);
	CHECK_INT(PARSE(HEADER("\1\0", "\2", "\0", "\0", "\0") QUESTION QUESTION), DNS_ASK_COUNT);
	CHECK_INT(ask.question.len, 0);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") "\300\14\0\1\0\1"), DNS_ASK_POINTER);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") "\300\40\0\1\0\1"), DNS_ASK_POINTER);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") "\300\0\0\1\0\1"), DNS_ASK_POINTER);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") "\100aaaaaaaa\0\0\1\0\1"), DNS_ASK_LABEL);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") "\4gOOd\7eX"), DNS_ASK_SHORT);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") "\4gOOd\0\0\1\0"), DNS_ASK_SHORT);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION), DNS_ASK_SHORT);
	CHECK_INT(PARSE(HEADER("\3\0", "\1", "\0", "\0", "\0") QUESTION), DNS_ASK_RECORDS);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\1", "\0", "\0") QUESTION), DNS_ASK_RECORDS);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\1", "\0") QUESTION), DNS_ASK_RECORDS);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\2") QUESTION OPT OPT), DNS_ASK_RECORDS);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\0\0\1\0\1\0\0\0\0\0\0"), DNS_ASK_RECORDS);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION "x"), DNS_ASK_TRAILING);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\0\0\51\4\320\0\0\0\0\0\3\0\12\0"), DNS_ASK_EDNS);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\0\0\51\4\320\0\0\0\0\0\4\0\12\0\2"), DNS_ASK_EDNS);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\0\0\51\4\320\0\1\0\0\0\0"), DNS_ASK_VERSION);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") "\4gOOd\0\0\1\0\3"), DNS_ASK_CLASS);
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") "\0\0\1\0\1"), DNS_ASK_ROOT);
	memset(big, 1, sizeof(big));
	memcpy(big, HEADER("\1\0", "\1", "\0", "\0", "\0"), DNS_HEADER_LEN);
	for (at = DNS_HEADER_LEN; at < 400; at += 2)
		big[at + 1] = 'a';
	CHECK_INT(dns_ask_parse(bytes_of(big, 400), &ask), DNS_ASK_NAME);
}

TEST(refused_questions_get_the_documented_code)
{
	CHECK_INT(dns_ask_rcode(DNS_ASK_OPCODE), DNS_NOTIMP);
	CHECK_INT(dns_ask_rcode(DNS_ASK_COUNT), DNS_FORMERR);
	CHECK_INT(dns_ask_rcode(DNS_ASK_POINTER), DNS_FORMERR);
	CHECK_INT(dns_ask_rcode(DNS_ASK_ROOT), DNS_REFUSED);
	CHECK_INT(dns_ask_rcode(DNS_ASK_VERSION), DNS_BADVERS);
	CHECK_STR(dns_ask_text(DNS_ASK_LABEL), "a label over 63 bytes");
}

TEST(an_address_is_answered_with_the_question_in_the_client_s_case)
{
	static const char want[] = "\x12\x34\x81\x80\0\1\0\1\0\0\0\0" QUESTION "\300\14\0\1\0\1\0\0\0\5\0\4\306\22\0\7";
	struct dns_reply r = { .address = ip_v4(0xc6120007), .ttl = 5 };
	size_t len;

	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION), DNS_ASK_OK);
	len = dns_reply_build(&ask, &r, out);
	CHECK(bytes_eq(bytes_of(out, len), bytes_of(want, sizeof(want) - 1)));
	r.truncated = true;
	len = dns_reply_build(&ask, &r, out);
	CHECK_INT(out[2], 0x83);
	CHECK_INT(out[7], 0);
	CHECK_INT(len, DNS_HEADER_LEN + sizeof(QUESTION) - 1);
}

TEST(a_refusal_says_blocked_to_a_client_with_edns_only)
{
	static const char want[] = "\x12\x34\x81\x83\0\1\0\0\0\0\0\1" QUESTION "\0\0\51\4\320\0\0\0\0\0\14\0\17\0\10\0\17policy";
	struct dns_reply r = { .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_BLOCKED, .ede_text = "policy" };
	size_t len;

	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION OPT), DNS_ASK_OK);
	len = dns_reply_build(&ask, &r, out);
	CHECK(bytes_eq(bytes_of(out, len), bytes_of(want, sizeof(want) - 1)));
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION), DNS_ASK_OK);
	CHECK_INT(dns_reply_build(&ask, &r, out), DNS_HEADER_LEN + sizeof(QUESTION) - 1);
	CHECK_INT(out[3], 0x83);
}

TEST(a_reply_to_an_unreadable_question_repeats_none_of_it)
{
	struct dns_reply r = { .rcode = DNS_FORMERR, .address = ip_v4(1) };

	CHECK_INT(PARSE(HEADER("\1\0", "\2", "\0", "\0", "\0") QUESTION QUESTION), DNS_ASK_COUNT);
	CHECK_INT(dns_reply_build(&ask, &r, out), DNS_HEADER_LEN);
	CHECK(!memcmp(out, "\x12\x34\x81\x81\0\0\0\0\0\0\0\0", DNS_HEADER_LEN));
	r.rcode = DNS_BADVERS;
	CHECK_INT(PARSE(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\0\0\51\4\320\0\1\0\0\0\0"), DNS_ASK_VERSION);
	r.address.family = 0;
	CHECK_INT(dns_reply_build(&ask, &r, out), DNS_HEADER_LEN + sizeof(QUESTION) - 1 + 11);
	CHECK_INT(out[3], 0x80);
	CHECK_INT(out[DNS_HEADER_LEN + sizeof(QUESTION) - 1 + 5], 1);
}

TEST(the_longest_reply_fits)
{
	static char text[400];
	uint8_t msg[DNS_HEADER_LEN + DNS_NAME_WIRE_MAX + 4 + 11] = HEADER("\1\0", "\1", "\0", "\0", "\1");
	struct dns_reply r = { .address = ip_v4(1), .ede_text = text };
	size_t at = DNS_HEADER_LEN;

	memset(text, 'x', sizeof(text) - 1);
	for (; at < DNS_HEADER_LEN + 254; at += 2)
		memcpy(msg + at, "\1a", 2);
	memcpy(msg + at, "\0\0\1\0\1" OPT, 5 + 11);
	CHECK_INT(dns_ask_parse(bytes_of(msg, sizeof(msg)), &ask), DNS_ASK_OK);
	CHECK(dns_reply_build(&ask, &r, out) <= DNS_REPLY_MAX);
}

TEST(types_have_names)
{
	char t[DNS_TYPE_TEXT_MAX];

	dns_type_text(DNS_HTTPS, t);
	CHECK_STR(t, "HTTPS");
	dns_type_text(65280, t);
	CHECK_STR(t, "TYPE65280");
}
