#include "wire/dns_answer.h"

#include "base/buf.h"
#include "base/tap.h"

static struct dns_query q;
static struct dns_answer a;
static struct buf m;

static void name(const char *text)
{
	struct dns_name n;

	CHECK(dns_name_from(bytes_str(text), &n));
	(void)buf_add(&m, n.wire, n.len);
}

static void start(uint16_t flags, uint16_t type, uint16_t n_answers, uint16_t n_authority)
{
	q = (struct dns_query){ .id = 0x4242, .type = type, .edns = true };
	CHECK(dns_name_from(bytes_str("good.example"), &q.name));
	buf_deinit(&m);
	buf_init(&m, 65536);
	(void)buf_u16be(&m, q.id);
	(void)buf_u16be(&m, flags);
	(void)buf_u16be(&m, 1);
	(void)buf_u16be(&m, n_answers);
	(void)buf_u16be(&m, n_authority);
	(void)buf_u16be(&m, 0);
	name("good.example");
	(void)buf_u16be(&m, type);
	(void)buf_u16be(&m, DNS_CLASS_IN);
}

static void record(const char *owner, uint16_t type, uint32_t ttl, struct bytes data)
{
	name(owner);
	(void)buf_u16be(&m, type);
	(void)buf_u16be(&m, DNS_CLASS_IN);
	(void)buf_u32be(&m, ttl);
	(void)buf_u16be(&m, (uint16_t)data.len);
	(void)buf_bytes(&m, data);
}

static void record_a(const char *owner, uint32_t ttl, const char *four)
{
	record(owner, DNS_A, ttl, bytes_of(four, 4));
}

static void record_cname(const char *owner, const char *target)
{
	struct dns_name n;

	CHECK(dns_name_from(bytes_str(target), &n));
	record(owner, DNS_CNAME, 60, bytes_of(n.wire, n.len));
}

static enum dns_answer_result parse(unsigned n_before)
{
	return dns_answer_parse(buf_view(&m), &q, n_before, &a);
}

TEST(a_query_is_one_question_with_edns)
{
	static const char want[] = "\x42\x42\1\0\0\1\0\0\0\0\0\1\4good\7example\0\0\34\0\1\0\0\51\4\320\0\0\0\0\0\0";
	uint8_t out[DNS_QUERY_MAX];
	size_t len;

	start(0, DNS_AAAA, 0, 0);
	len = dns_query_build(&q, out);
	CHECK(bytes_eq(bytes_of(out, len), bytes_of(want, sizeof(want) - 1)));
	q.edns = false;
	CHECK_INT(dns_query_build(&q, out), sizeof(want) - 1 - 11);
}

TEST(addresses_of_the_asked_name_are_taken_once_each)
{
	start(0x8180, DNS_A, 4, 0);
	record_a("GOOD.example", 60, "\1\2\3\4");
	record_a("good.example", 30, "\1\2\3\5");
	record_a("good.example", 90, "\1\2\3\4");
	record_a("evil.example", 1, "\6\6\6\6");
	CHECK_INT(parse(0), DNS_ANSWER_OK);
	CHECK_INT(a.n_addresses, 2);
	CHECK_INT(a.addresses[0].family, 4);
	CHECK(!memcmp(a.addresses[1].b, "\1\2\3\5", 4));
	CHECK_INT(a.ttl, 30);
	CHECK_INT(a.n_cnames, 0);
}

TEST(only_addresses_of_the_asked_family_count)
{
	start(0x8180, DNS_AAAA, 2, 0);
	record_a("good.example", 60, "\1\2\3\4");
	record("good.example", DNS_AAAA, 0x80000001, bytes_of("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1", 16));
	CHECK_INT(parse(0), DNS_ANSWER_OK);
	CHECK_INT(a.n_addresses, 1);
	CHECK_INT(a.addresses[0].family, 6);
	CHECK_INT(a.ttl, 0);
}

TEST(aliases_are_followed_in_any_order)
{
	start(0x8180, DNS_A, 3, 0);
	record_a("c.example", 60, "\1\2\3\4");
	record_cname("b.example", "C.example");
	record_cname("good.example", "b.example");
	CHECK_INT(parse(0), DNS_ANSWER_OK);
	CHECK_INT(a.n_cnames, 2);
	CHECK_INT(a.n_addresses, 1);
}

TEST(a_chain_over_the_cap_or_without_end_is_refused)
{
	static const char *const names[] = { "good.example", "b.example", "c.example", "d.example", "e.example",
					     "f.example",    "g.example", "h.example", "i.example", "j.example" };

	start(0x8180, DNS_A, 9, 0);
	for (unsigned i = 0; i < 8; i++)
		record_cname(names[i], names[i + 1]);
	record_a("i.example", 60, "\1\2\3\4");
	CHECK_INT(parse(0), DNS_ANSWER_OK);
	CHECK_INT(parse(1), DNS_ANSWER_CHAIN);
	start(0x8180, DNS_A, 10, 0);
	for (unsigned i = 0; i < 9; i++)
		record_cname(names[i], names[i + 1]);
	record_a("j.example", 60, "\1\2\3\4");
	CHECK_INT(parse(0), DNS_ANSWER_CHAIN);
	start(0x8180, DNS_A, 2, 0);
	record_cname("good.example", "b.example");
	record_cname("b.example", "good.example");
	CHECK_INT(parse(0), DNS_ANSWER_CHAIN);
	start(0x8180, DNS_A, 1, 0);
	record_cname("good.example", "good.example");
	CHECK_INT(parse(0), DNS_ANSWER_CHAIN);
}

TEST(hops_that_leave_the_answer_are_asked_for_unless_the_server_says_there_is_no_more)
{
	char text[DNS_NAME_TEXT_MAX];

	start(0x8180, DNS_A, 1, 0);
	record_cname("good.example", "b.example");
	CHECK_INT(parse(7), DNS_ANSWER_CONTINUE);
	CHECK_INT(a.n_cnames, 1);
	(void)dns_name_text(&a.final, text);
	CHECK_STR(text, "b.example");
	CHECK_INT(parse(8), DNS_ANSWER_CHAIN);
	start(0x8180, DNS_A, 1, 1);
	record_cname("good.example", "b.example");
	record("example", DNS_SOA, 60, bytes_str("0123456789"));
	CHECK_INT(parse(0), DNS_ANSWER_NONE);
}

TEST(codes_are_told_apart)
{
	start(0x8180, DNS_A, 0, 0);
	CHECK_INT(parse(0), DNS_ANSWER_NONE);
	start(0x8183, DNS_A, 0, 0);
	CHECK_INT(parse(0), DNS_ANSWER_NXDOMAIN);
	start(0x8182, DNS_A, 0, 0);
	CHECK_INT(parse(0), DNS_ANSWER_FAILED);
	CHECK_INT(a.rcode, DNS_SERVFAIL);
	start(0x8185, DNS_A, 1, 0);
	record_a("good.example", 60, "\1\2\3\4");
	CHECK_INT(parse(0), DNS_ANSWER_FAILED);
	start(0x8180, DNS_A, 0, 0);
	m.p[11] = 1;
	(void)buf_add(&m, "\0\0\51\4\320\1\0\0\0\0\0", 11);
	CHECK_INT(parse(0), DNS_ANSWER_FAILED);
	CHECK_INT(a.rcode, DNS_BADVERS);
	start(0x8181, DNS_A, 0, 0);
	m.p[5] = 0;
	m.len = DNS_HEADER_LEN;
	CHECK_INT(parse(0), DNS_ANSWER_FAILED);
	m.p[3] = 0x80;
	CHECK_INT(parse(0), DNS_ANSWER_STRANGER);
}

TEST(a_dishonest_answer_is_a_stranger_s)
{
	start(0x8180, DNS_A, 1, 0);
	record_a("good.example", 60, "\1\2\3\4");
	CHECK_INT(parse(0), DNS_ANSWER_OK);
	m.p[1] ^= 1;
	CHECK_INT(parse(0), DNS_ANSWER_STRANGER);
	m.p[1] ^= 1;
	m.p[2] = 0x01;
	CHECK_INT(parse(0), DNS_ANSWER_STRANGER);
	m.p[2] = 0x89;
	CHECK_INT(parse(0), DNS_ANSWER_STRANGER);
	m.p[2] = 0x81;
	m.p[13] = 'G';
	CHECK_INT(parse(0), DNS_ANSWER_STRANGER);
	m.p[13] = 'g';
	m.p[5] = 2;
	CHECK_INT(parse(0), DNS_ANSWER_STRANGER);
	m.p[5] = 1;
	m.p[27] = DNS_AAAA;
	CHECK_INT(parse(0), DNS_ANSWER_STRANGER);
	m.p[27] = DNS_A;
	CHECK_INT(parse(0), DNS_ANSWER_OK);
	m.p[2] = 0x83;
	CHECK_INT(parse(0), DNS_ANSWER_TRUNCATED);
}

TEST(an_answer_cut_anywhere_is_never_used)
{
	struct bytes whole;

	start(0x8180, DNS_A, 3, 0);
	record_cname("good.example", "b.example");
	record_a("b.example", 60, "\1\2\3\4");
	record_a("b.example", 60, "\1\2\3\5");
	whole = buf_view(&m);
	CHECK_INT(parse(0), DNS_ANSWER_OK);
	for (size_t len = 0; len < whole.len; len++) {
		enum dns_answer_result r = dns_answer_parse(bytes_of(whole.p, len), &q, 0, &a);

		CHECK(r == DNS_ANSWER_STRANGER || r == DNS_ANSWER_MALFORMED);
	}
	(void)buf_byte(&m, 0);
	CHECK_INT(parse(0), DNS_ANSWER_MALFORMED);
}

TEST(wrong_lengths_and_names_are_malformed)
{
	start(0x8180, DNS_A, 1, 0);
	record("good.example", DNS_A, 60, bytes_of("\1\2\3\4\5", 5));
	CHECK_INT(parse(0), DNS_ANSWER_MALFORMED);
	start(0x8180, DNS_A, 1, 0);
	record("good.example", DNS_CNAME, 60, bytes_of("\1b\0x", 4));
	CHECK_INT(parse(0), DNS_ANSWER_MALFORMED);
	start(0x8180, DNS_A, 1, 0);
	record("good.example", DNS_CNAME, 60, bytes_of("\300\377", 2));
	CHECK_INT(parse(0), DNS_ANSWER_MALFORMED);
	start(0x8180, DNS_A, DNS_RECORDS_MAX + 1, 0);
	for (unsigned i = 0; i <= DNS_RECORDS_MAX; i++)
		record_a("good.example", 60, "\1\2\3\4");
	CHECK_INT(parse(0), DNS_ANSWER_MALFORMED);
}

TEST(more_addresses_than_are_kept_do_no_harm)
{
	start(0x8180, DNS_A, 100, 0);
	for (unsigned i = 0; i < 100; i++) {
		const uint8_t ip[4] = { 1, 2, 3, (uint8_t)i };

		record("good.example", DNS_A, 60, bytes_of(ip, 4));
	}
	CHECK_INT(parse(0), DNS_ANSWER_OK);
	CHECK_INT(a.n_addresses, DNS_ADDRESSES_MAX);
	buf_deinit(&m);
}
