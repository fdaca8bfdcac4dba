#include "workspace/inlet/question.h"

#include <sys/mman.h>
#include <unistd.h>

#include "os/fd.h"
#include "rules/policy_test_kit.h"

static const char policy_text[] =
	"version: 1\n"
	"name: t\n"
	"lab: true\n"
	"verdicts: {read: allow}\n"
	"network:\n"
	"  - {name: pinned, hosts: [pass.example], ports: [443], mode: passthrough, reason: \"test\"}\n"
	"  - {name: wild, hosts: [\"*.wild.example\"], ports: [80], mode: http, protocol: rest, access: read-only, "
	"budget: 2}\n";

static struct kit kit;
static struct pool *pool;
static struct question q;

static void start(void)
{
	FD_AUTO int fd = memfd_create("journal", MFD_CLOEXEC);
	struct err e = { 0 };

	kit = kit_compile(policy_text);
	CHECK(ftruncate(fd, 64 * POOL_RECORD) == 0 && pool_open(&pool, fd, &e) == 0);
}

static void stop(void)
{
	pool = pool_free(pool);
	kit_free(&kit);
}

static void ask_raw(const void *p, size_t len)
{
	question_judge(bytes_of(p, len), &kit.policy, pool, &q);
}

/* A question in wire form; labels are separated by '.', nothing is escaped. */
static void ask(const char *name, uint16_t type, bool edns)
{
	struct buf b BUF_AUTO;

	buf_init(&b, 1024);
	(void)buf_add(&b, "\x12\x34\1\0\0\1\0\0\0\0\0\0", 12);
	if (edns)
		b.p[11] = 1;
	while (*name) {
		size_t len = strcspn(name, ".");

		(void)buf_byte(&b, (uint8_t)len);
		(void)buf_add(&b, name, len);
		name += len + (name[len] == '.');
	}
	(void)buf_byte(&b, 0);
	(void)buf_u16be(&b, type);
	(void)buf_u16be(&b, DNS_CLASS_IN);
	if (edns)
		(void)buf_add(&b, "\0\0\x29\4\xd0\0\0\0\0\0\0", 11);
	ask_raw(b.p, b.len);
}

static void check(enum event_action action, enum reason reason, enum dns_rcode rcode,
		  unsigned answers)
{
	CHECK_INT(q.ev.kind, EVENT_DNS);
	CHECK_INT(q.ev.action, action);
	CHECK_STR(reason_code((enum reason)q.ev.reason), reason_code(reason));
	CHECK_INT(q.ev.status, rcode);
	CHECK(q.reply_len >= 12 && q.reply[0] == 0x12 && q.reply[1] == 0x34 && q.reply[2] & 0x80);
	CHECK_INT(q.reply[3] & 15, rcode);
	CHECK_INT(q.reply[7], answers);
}

static bool ends_in_address(struct ip ip)
{
	return q.reply_len > 4 && memcmp(q.reply + q.reply_len - 4, ip.b, 4) == 0;
}

TEST(a_listed_name_gets_its_synthetic_address_in_any_case_and_with_a_trailing_dot)
{
	start();
	ask("PASS.Example", DNS_A, false);
	check(EVENT_ALLOWED, REASON_OK, DNS_NOERROR, 1);
	CHECK(ends_in_address(ip_v4(NET_POOL + 1)) && ip_eq(q.ev.dst, ip_v4(NET_POOL + 1)));
	CHECK(bytes_is(q.ev.name, "pass.example") && bytes_is(q.ev.verb, "A"));
	CHECK(memcmp(q.reply + 13, "PASS", 4) == 0);
	ask("pass.example", DNS_A, true);
	check(EVENT_ALLOWED, REASON_OK, DNS_NOERROR, 1);
	CHECK_INT(pool_count(pool), 1);
	stop();
}

TEST(the_gateway_itself_has_a_name)
{
	start();
	ask("saw.internal", DNS_A, false);
	check(EVENT_ALLOWED, REASON_OK, DNS_NOERROR, 1);
	CHECK(ends_in_address(ip_v4(0x64400001)));
	ask("saw.internal", DNS_AAAA, false);
	check(EVENT_ALLOWED, REASON_DNS_TYPE, DNS_NOERROR, 0);
	stop();
}

TEST(other_types_of_listed_names_have_no_data_and_spend_nothing)
{
	static const uint16_t types[] = { DNS_AAAA, DNS_HTTPS, DNS_SVCB, DNS_TXT, DNS_MX,
					  DNS_ANY,  DNS_CNAME, 10,       65535 };

	start();
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		ask("x.wild.example", types[i], true);
		check(EVENT_ALLOWED, REASON_DNS_TYPE, DNS_NOERROR, 0);
		CHECK(!q.ev.dst.family);
	}
	CHECK_INT(pool_count(pool), 0);
	stop();
}

TEST(unlisted_names_are_nxdomain_and_say_why_only_to_those_who_speak_edns)
{
	static const uint8_t ede[] = { 0, 15 };

	start();
	ask("secret-data.evil.example", DNS_A, true);
	check(EVENT_DENIED, REASON_NAME_UNLISTED, DNS_NXDOMAIN, 0);
	CHECK(memmem(q.reply, q.reply_len, ede, sizeof(ede)) && q.reply[11] == 1);
	ask("secret-data.evil.example", DNS_TXT, false);
	check(EVENT_DENIED, REASON_NAME_UNLISTED, DNS_NXDOMAIN, 0);
	CHECK_INT(q.reply[11], 0);
	ask("wild.example", DNS_A, false);
	check(EVENT_DENIED, REASON_NAME_UNLISTED, DNS_NXDOMAIN, 0);
	ask("a.b.wild.example", DNS_A, false);
	check(EVENT_DENIED, REASON_NAME_UNLISTED, DNS_NXDOMAIN, 0);
	stop();
}

TEST(a_spent_budget_has_a_reason_of_its_own)
{
	start();
	ask("a.wild.example", DNS_A, false);
	ask("b.wild.example", DNS_A, false);
	check(EVENT_ALLOWED, REASON_OK, DNS_NOERROR, 1);
	ask("c.wild.example", DNS_A, true);
	check(EVENT_DENIED, REASON_NAME_BUDGET, DNS_NXDOMAIN, 0);
	ask("a.wild.example", DNS_A, false);
	check(EVENT_ALLOWED, REASON_OK, DNS_NOERROR, 1);
	stop();
}

TEST(addresses_and_malformed_names_are_no_host_names)
{
	static const char *const addresses[] = { "2130706433", "0177.0.0.1", "0x7f.1", "127.1",
						 "10.0.0.1" };
	static const char *const bad[] = { "xn--a.example", "b\xc3\xbc.example", "a b.example",
					   "xn--.example", "a\\b.example" };

	start();
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		ask(addresses[i], DNS_A, false);
		check(EVENT_DENIED, REASON_NAME_IS_ADDRESS, DNS_NXDOMAIN, 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask(bad[i], DNS_A, false);
		check(EVENT_DENIED, REASON_NAME_MALFORMED, DNS_FORMERR, 0);
	}
	ask_raw("\x12\x34\1\0\0\1\0\0\0\0\0\0\xdpass\0.example\0\0\1\0\1", 31);
	check(EVENT_DENIED, REASON_NAME_MALFORMED, DNS_FORMERR, 0);
	stop();
}

TEST(malformed_messages_have_one_event_and_one_short_answer)
{
	start();
	ask_raw("\x12\x34\1\0\0\2\0\0\0\0\0\0\1a\0\0\1\0\1", 19);
	check(EVENT_DENIED, REASON_DNS_MALFORMED, DNS_FORMERR, 0);
	ask_raw("\x12\x34\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", 18);
	check(EVENT_DENIED, REASON_DNS_MALFORMED, DNS_FORMERR, 0);
	ask_raw("\x12\x34\x11\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 19);
	check(EVENT_DENIED, REASON_DNS_OPCODE, DNS_NOTIMP, 0);
	ask_raw("\x12\x34\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1", 17);
	check(EVENT_DENIED, REASON_NAME_UNLISTED, DNS_REFUSED, 0);
	stop();
}

TEST(answers_and_fragments_are_recorded_but_never_answered)
{
	start();
	ask_raw("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 19);
	CHECK(q.reply_len == 0 && q.ev.action == EVENT_DENIED &&
	      q.ev.reason == REASON_DNS_MALFORMED);
	ask_raw("\x12", 1);
	CHECK(q.reply_len == 0 && q.ev.reason == REASON_DNS_MALFORMED);
	stop();
}

TEST(without_a_written_event_the_answer_is_a_failure_without_an_address)
{
	start();
	ask("pass.example", DNS_A, true);
	question_failed(q.reply, &q.reply_len, q.failed_len);
	CHECK_INT(q.reply_len, 12 + 14 + 4);
	CHECK_INT(q.reply[3] & 15, DNS_SERVFAIL);
	CHECK(q.reply[5] == 1 && q.reply[7] == 0 && q.reply[9] == 0 && q.reply[11] == 0);
	CHECK(!memmem(q.reply, q.reply_len, "\xc6\x12\0\1", 4));
	stop();
}
