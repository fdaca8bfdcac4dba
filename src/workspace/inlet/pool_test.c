#include "workspace/inlet/pool.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"

static const struct policy_host exact = { .pattern = 1 };
static const struct policy_host wild = { .pattern = 2, .wildcard = true, .budget = 3 };
static const struct policy_host wide = { .pattern = 3, .wildcard = true, .budget = 1000000 };

/* An empty journal with room for `n` records. */
static int journal(size_t n)
{
	int fd = memfd_create("journal", MFD_CLOEXEC);

	CHECK(fd >= 0 && ftruncate(fd, (off_t)(n * POOL_RECORD)) == 0);
	return fd;
}

static struct pool *open_pool(int fd)
{
	struct pool *p = NULL;
	struct err e = { 0 };

	CHECK(pool_open(&p, fd, &e) == 0);
	return p;
}

static struct name name_of(const char *text)
{
	struct name n = { 0 };

	CHECK(name_parse_strict(bytes_str(text), &n) == NAME_OK);
	return n;
}

static struct ip give(struct pool *p, const char *text, const struct policy_host *h,
		      enum reason want)
{
	struct name n = name_of(text);
	struct ip ip = { 0 };

	CHECK_INT(pool_address(p, &n, h, &ip), want);
	return ip;
}

static bool stands_for(const struct pool *p, struct ip ip, const char *text)
{
	struct name n;

	return pool_name(p, ip, &n) && bytes_is(name_bytes(&n), text);
}

TEST(a_name_has_one_address_and_an_address_one_name)
{
	FD_AUTO int fd = journal(4096);
	struct pool *p = open_pool(fd);
	struct ip a = give(p, "a.example", &exact, REASON_OK);
	struct ip b = give(p, "b.example", &exact, REASON_OK);

	CHECK(!ip_eq(a, b) && pool_has(a) && pool_has(b));
	CHECK(ip_eq(a, give(p, "a.example", &exact, REASON_OK)));
	CHECK(stands_for(p, a, "a.example") && stands_for(p, b, "b.example"));
	pool_free(p);
}

TEST(the_network_address_and_addresses_never_given_stand_for_nothing)
{
	FD_AUTO int fd = journal(4096);
	struct pool *p = open_pool(fd);
	struct ip a = give(p, "a.example", &exact, REASON_OK);
	struct name n;

	CHECK(ip_eq(a, ip_v4(NET_POOL + 1)));
	CHECK(!pool_name(p, ip_v4(NET_POOL), &n));
	CHECK(!pool_name(p, ip_v4(NET_POOL + 2), &n));
	CHECK(!pool_name(p, ip_v4(NET_POOL + 0x1ffff), &n));
	CHECK(!pool_name(p, ip_v4(NET_POOL + 0x20001), &n));
	CHECK(!pool_name(p, ip_v4(NET_POOL - 1), &n));
	CHECK(!pool_name(p, (struct ip){ .family = 6, .b = { 198, 18, 0, 1 } }, &n));
	pool_free(p);
}

TEST(addresses_outlive_a_crash_and_never_change_their_name)
{
	FD_AUTO int fd = journal(4096);
	struct pool *p = open_pool(fd);
	struct ip first[300];
	char text[32];

	for (int i = 0; i < 300; i++) {
		(void)snprintf(text, sizeof(text), "n%d.example", i);
		first[i] = give(p, text, &exact, REASON_OK);
	}
	pool_free(p);
	p = open_pool(fd);
	CHECK_INT(pool_count(p), 300);
	for (int i = 299; i >= 0; i--) {
		(void)snprintf(text, sizeof(text), "n%d.example", i);
		CHECK(ip_eq(first[i], give(p, text, &exact, REASON_OK)) &&
		      stands_for(p, first[i], text));
	}
	CHECK(ip_eq(give(p, "new.example", &exact, REASON_OK), ip_v4(NET_POOL + 301)));
	pool_free(p);
}

TEST(a_record_that_does_not_hold_burns_its_address)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} harm[] = {
		{ "sum", 0, 0x55 }, { "length", 2, 255 },     { "no length", 2, 0 },
		{ "text", 3, 'B' }, { "other text", 4, '/' },
	};

	for (size_t i = 0; i < sizeof(harm) / sizeof(harm[0]); i++) {
		FD_AUTO int fd = journal(64);
		struct pool *p = open_pool(fd);
		struct ip b = give(p, "b.example", &exact, REASON_OK);
		struct ip c = give(p, "c.example", &exact, REASON_OK);
		struct name n;

		pool_free(p);
		CHECK(pwrite(fd, &harm[i].value, 1, (off_t)(POOL_RECORD + harm[i].at)) == 1);
		p = open_pool(fd);
		tap_check(!pool_name(p, b, &n), harm[i].what, __FILE__, __LINE__);
		CHECK(stands_for(p, c, "c.example"));
		CHECK(ip_eq(give(p, "b.example", &exact, REASON_OK), ip_v4(NET_POOL + 3)));
		CHECK(!pool_name(p, b, &n));
		pool_free(p);
	}
}

TEST(a_second_record_of_one_name_is_burnt)
{
	FD_AUTO int fd = journal(64);
	struct pool *p = open_pool(fd);
	struct ip a = give(p, "a.example", &exact, REASON_OK);
	struct ip b = give(p, "b.example", &exact, REASON_OK);
	uint8_t record[POOL_RECORD];
	struct name n;

	pool_free(p);
	CHECK(pread(fd, record, sizeof(record), POOL_RECORD) == POOL_RECORD);
	CHECK(pwrite(fd, record, sizeof(record), 2 * POOL_RECORD) == POOL_RECORD);
	p = open_pool(fd);
	CHECK(stands_for(p, a, "a.example") && !pool_name(p, b, &n));
	pool_free(p);
}

TEST(a_record_cut_by_a_kill_is_given_to_the_next_name)
{
	FD_AUTO int fd = journal(64);
	struct pool *p = open_pool(fd);

	(void)give(p, "a.example", &exact, REASON_OK);
	pool_free(p);
	CHECK(pwrite(fd, "\0\0\x09half.exam", 12, 2 * POOL_RECORD) == 12);
	p = open_pool(fd);
	CHECK_INT(pool_count(p), 1);
	CHECK(stands_for(p, give(p, "c.example", &exact, REASON_OK), "c.example"));
	pool_free(p);
	p = open_pool(fd);
	CHECK_INT(pool_count(p), 2);
	pool_free(p);
}

TEST(a_wildcard_has_a_budget_of_distinct_names)
{
	FD_AUTO int fd = journal(4096);
	struct pool *p = open_pool(fd);
	struct ip a = give(p, "a.wild.example", &wild, REASON_OK);

	(void)give(p, "b.wild.example", &wild, REASON_OK);
	(void)give(p, "c.wild.example", &wild, REASON_OK);
	(void)give(p, "d.wild.example", &wild, REASON_NAME_BUDGET);
	CHECK(ip_eq(a, give(p, "a.wild.example", &wild, REASON_OK)));
	(void)give(p, "x.wide.example", &wide, REASON_OK);
	(void)give(p, "exact.example", &exact, REASON_OK);
	pool_free(p);
}

static bool under_wild(const void *lists, struct bytes name, struct policy_host *ret)
{
	*ret = wild;
	ret->pattern = *(const uint32_t *)lists;
	return name_under(name, bytes_str("wild.example"), false);
}

TEST(a_new_policy_and_a_restart_count_the_names_anew)
{
	FD_AUTO int fd = journal(4096);
	struct pool *p = open_pool(fd);
	struct policy_host moved = wild;
	uint32_t pattern = 77;

	moved.pattern = pattern;
	(void)give(p, "a.wild.example", &wild, REASON_OK);
	(void)give(p, "b.wild.example", &wild, REASON_OK);
	(void)give(p, "other.example", &exact, REASON_OK);
	pool_free(p);
	p = open_pool(fd);
	CHECK(pool_recount(p, under_wild, &pattern));
	(void)give(p, "c.wild.example", &moved, REASON_OK);
	(void)give(p, "d.wild.example", &moved, REASON_NAME_BUDGET);
	CHECK(pool_recount(p, under_wild, &pattern));
	(void)give(p, "d.wild.example", &moved, REASON_NAME_BUDGET);
	pool_free(p);
}

TEST(wildcards_cannot_take_the_room_of_exact_names)
{
	FD_AUTO int fd = journal(64);
	struct pool *p = open_pool(fd);
	struct ip early = give(p, "early.example", &exact, REASON_OK);
	char text[32];

	for (int i = 0; i < 30; i++) {
		(void)snprintf(text, sizeof(text), "w%d.wide.example", i);
		(void)give(p, text, &wide, REASON_OK);
	}
	(void)give(p, "one-more.wide.example", &wide, REASON_NAME_POOL_FULL);
	for (int i = 0; i < 32; i++) {
		(void)snprintf(text, sizeof(text), "e%d.example", i);
		(void)give(p, text, &exact, REASON_OK);
	}
	(void)give(p, "last.example", &exact, REASON_NAME_POOL_FULL);
	CHECK(stands_for(p, early, "early.example"));
	CHECK(ip_eq(early, give(p, "early.example", &exact, REASON_OK)));
	pool_free(p);
}

TEST(a_foreign_journal_is_refused)
{
	FD_AUTO int fd = journal(64);
	FD_AUTO int small = journal(1);
	struct pool *p = NULL;
	struct err e = { 0 };

	CHECK(pwrite(fd, "\1", 1, 0) == 1);
	CHECK(pool_open(&p, fd, &e) < 0 && p == NULL);
	CHECK(pool_open(&p, small, &e) < 0 && p == NULL);
	CHECK(ftruncate(small, (off_t)POOL_RECORD << 18) == 0);
	CHECK(pool_open(&p, small, &e) < 0 && p == NULL);
}
