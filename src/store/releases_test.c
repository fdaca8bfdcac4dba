#include "store/releases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/tap.h"
#include "store/workspaces.h"

static char folder[64];
static char path[96];
static struct err e;

static struct db *fresh(void)
{
	struct db *d = NULL;

	(void)snprintf(folder, sizeof(folder), "/tmp/saw-store-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/sawd.db", folder);
	CHECK(db_open(&d, path, &e) == 0);
	return d;
}

static void gone(struct db *d)
{
	char wal[128];

	db_close(d);
	(void)snprintf(wal, sizeof(wal), "%s-wal", path);
	(void)unlink(wal);
	(void)unlink(path);
	(void)rmdir(folder);
}

static struct release made(uint64_t serial)
{
	struct release r = { .serial = serial, .policy_name = "corporate", .policy_observes = "a", .key = "SHA256:x", .created_ms = 5, .pushed_ms = 6 };

	(void)snprintf(r.id, sizeof(r.id), "%064llx", (unsigned long long)serial);
	return r;
}

static void stand(struct db *d, const char *name, uint64_t serial, uint64_t top)
{
	struct release r = made(serial);
	struct channel c = { .serial = serial, .top_serial = top };

	(void)snprintf(c.name, sizeof(c.name), "%s", name);
	memcpy(c.release, r.id, sizeof(c.release));
	CHECK(releases_insert(d, &r, &e) == 0 && channels_put(d, &c, &e) == 0);
}

TEST(a_release_never_changes)
{
	struct db *d = fresh();
	struct release r = made(7);
	struct release back;

	CHECK(releases_insert(d, &r, &e) == 0);
	r.serial = 8;
	CHECK(releases_insert(d, &r, &e) == 0);
	CHECK_INT(releases_find(d, bytes_str(r.id), &back, &e), 1);
	CHECK(back.serial == 7 && back.pushed_ms == 6);
	CHECK_STR(back.key, "SHA256:x");
	gone(d);
}

TEST(a_release_is_found_by_enough_digits_of_its_id)
{
	struct db *d = fresh();
	struct release r = made(1);
	struct release back;

	CHECK(releases_insert(d, &r, &e) == 0);
	CHECK_INT(releases_find(d, bytes_str("00000000"), &back, &e), 1);
	CHECK_INT(releases_find(d, bytes_str("0000000"), &back, &e), 0);
	CHECK_INT(releases_find(d, bytes_str("00000001"), &back, &e), 0);
	CHECK_INT(releases_find(d, bytes_str("0000000%"), &back, &e), 0);
	CHECK_INT(releases_find(d, bytes_str("0000000A"), &back, &e), 0);
	r = made(2);
	CHECK(releases_insert(d, &r, &e) == 0);
	CHECK_INT(releases_find(d, bytes_str("00000000"), &back, &e), -EEXIST);
	CHECK_INT(releases_find(d, bytes_str(r.id), &back, &e), 1);
	CHECK_INT(back.serial, 2);
	gone(d);
}

TEST(a_channel_remembers_what_stood_on_it)
{
	struct db *d = fresh();
	struct channel c;
	struct release r;

	CHECK_INT(channels_get(d, bytes_str("corporate/stable"), &c, &e), 0);
	stand(d, "corporate/stable", 3, 3);
	CHECK_INT(channels_get(d, bytes_str("corporate/stable"), &c, &e), 1);
	CHECK_INT(channels_earlier(d, &c, 0, &r, &e), 0);
	stand(d, "corporate/canary", 4, 4);
	stand(d, "corporate/stable", 7, 7);
	stand(d, "corporate/stable", 9, 9);
	CHECK_INT(channels_get(d, bytes_str("corporate/stable"), &c, &e), 1);
	CHECK(c.serial == 9 && c.top_serial == 9);
	CHECK(channels_earlier(d, &c, 0, &r, &e) == 1 && r.serial == 7);
	CHECK(channels_earlier(d, &c, 3, &r, &e) == 1 && r.serial == 3);
	CHECK_INT(channels_earlier(d, &c, 4, &r, &e), 0);
	stand(d, "corporate/stable", 7, 9);
	CHECK(channels_get(d, bytes_str("corporate/stable"), &c, &e) == 1 && c.serial == 7 && c.top_serial == 9);
	CHECK(channels_earlier(d, &c, 0, &r, &e) == 1 && r.serial == 3);
	gone(d);
}

static void roll_back(struct db *d, const char *name, uint64_t serial, uint64_t top)
{
	struct release r = made(serial);
	struct channel c = { .serial = serial, .top_serial = top, .rollback = serial };

	(void)snprintf(c.name, sizeof(c.name), "%s", name);
	memcpy(c.release, r.id, sizeof(c.release));
	CHECK(channels_put(d, &c, &e) == 0);
}

/* 0: none */
static uint64_t before(struct db *d, const char *name)
{
	struct channel c;
	struct release r = { .serial = 0 };

	CHECK_INT(channels_get(d, bytes_str(name), &c, &e), 1);
	CHECK(channels_earlier(d, &c, 0, &r, &e) >= 0);
	return r.serial;
}

TEST(what_was_rolled_back_from_is_not_rolled_back_to)
{
	static const char name[] = "corporate/stable", other[] = "corporate/canary";
	struct db *d = fresh();
	struct release r;
	struct channel c;

	for (uint64_t serial = 1; serial <= 9; serial += 2)
		stand(d, name, serial, serial);
	stand(d, other, 7, 7);
	stand(d, other, 9, 9);
	roll_back(d, name, 7, 9);
	CHECK_INT(before(d, name), 5);
	stand(d, name, 10, 10);
	CHECK_INT(before(d, name), 7);
	roll_back(d, name, 3, 10); /* past what stood between, too */
	stand(d, name, 11, 11);
	CHECK_INT(before(d, name), 3);
	/* by its number, and then it stands there again */
	CHECK(channels_get(d, bytes_str(name), &c, &e) == 1 && channels_earlier(d, &c, 9, &r, &e) == 1 && r.serial == 9);
	roll_back(d, name, 9, 11);
	CHECK_INT(before(d, name), 3);
	stand(d, name, 12, 12);
	CHECK_INT(before(d, name), 9);
	roll_back(d, name, 1, 12);
	CHECK_INT(before(d, name), 0);
	CHECK_INT(before(d, other), 7);
	gone(d);
}

TEST(a_channel_of_a_schema_before_is_taken_over_with_what_it_was_rolled_back_from)
{
	static const char *const back_to_4[] = { "ALTER TABLE channel_releases DROP COLUMN withdrawn", "PRAGMA user_version = 4" };
	struct db *d = fresh();
	struct db_stmt *s;

	for (uint64_t serial = 1; serial <= 9; serial += 2)
		stand(d, "corporate/stable", serial, serial);
	roll_back(d, "corporate/stable", 5, 9);
	stand(d, "corporate/canary", 7, 7);
	for (size_t i = 0; i < sizeof(back_to_4) / sizeof(back_to_4[0]); i++)
		CHECK(db_prepare(d, back_to_4[i], &s, &e) == 0 && db_run(s, &e) == 0);
	db_close(d);
	CHECK(db_open(&d, path, &e) == 0);
	stand(d, "corporate/stable", 10, 10);
	CHECK_INT(before(d, "corporate/stable"), 5);
	stand(d, "corporate/canary", 8, 8);
	CHECK_INT(before(d, "corporate/canary"), 7);
	gone(d);
}

static bool count(void *ctx, const struct channel *c)
{
	char *names = ctx;

	(void)snprintf(names + strlen(names), 200 - strlen(names), "%s ", c->name);
	return true;
}

TEST(channels_are_listed_by_name)
{
	struct db *d = fresh();
	char names[200] = "";

	stand(d, "corporate/stable", 3, 3);
	stand(d, "corporate/canary", 4, 4);
	CHECK_INT(channels_each(d, count, names, &e), 0);
	CHECK_STR(names, "corporate/canary corporate/stable ");
	gone(d);
}

TEST(a_move_reaches_the_records_on_the_channel_and_no_other)
{
	struct db *d = fresh();
	struct workspace w = { .id = "ws-000000000001", .name = "a", .owner = "me", .state = "stopped", .desired = "stopped", .driver = 2,
			       .channel = "corporate/stable", .generation = 4, .rollback = 9 };
	struct workspace back;
	struct release r = made(8);

	CHECK(workspaces_insert(d, &w, &e) == 0);
	(void)snprintf(w.id, sizeof(w.id), "ws-000000000002");
	(void)snprintf(w.name, sizeof(w.name), "b");
	(void)snprintf(w.channel, sizeof(w.channel), "corporate/canary");
	CHECK(workspaces_insert(d, &w, &e) == 0);
	CHECK_INT(workspaces_move(d, "corporate/stable", &r, 0, &e), 0);
	CHECK_INT(workspaces_by_id(d, bytes_str("ws-000000000001"), &back, &e), 1);
	CHECK(back.serial == 8 && back.generation == 5 && back.rollback == 0);
	CHECK_STR(back.release, r.id);
	CHECK_STR(back.policy_name, "corporate");
	CHECK_STR(back.policy_observes, "a");
	CHECK_INT(workspaces_by_id(d, bytes_str("ws-000000000002"), &back, &e), 1);
	CHECK(back.serial == 0 && back.generation == 4);
	back.loaded_serial = 10;
	CHECK(workspaces_update(d, &back, &e) == 0);
	CHECK(workspaces_move(d, "corporate/canary", &r, 0, &e) == 0 && workspaces_by_id(d, bytes_str(back.id), &back, &e) == 1);
	CHECK(back.serial == 8 && back.rollback == 8 && back.loaded_serial == 10);
	r = made(11);
	CHECK(workspaces_move(d, "corporate/canary", &r, 0, &e) == 0 && workspaces_by_id(d, bytes_str(back.id), &back, &e) == 1);
	CHECK(back.serial == 11 && back.rollback == 0);
	r = made(8);
	CHECK(workspaces_on_channel(d, "corporate/stable", &e) == 1 && workspaces_on_channel(d, "x/y", &e) == 0);
	CHECK(workspaces_release_used(d, r.id, &e) == 1 && workspaces_release_used(d, made(9).id, &e) == 0);
	gone(d);
}

TEST(a_policy_that_was_compiled_anew_is_that_of_its_release_wherever_it_stands)
{
	struct db *d = fresh();
	struct workspace w = { .id = "ws-000000000001", .name = "a", .owner = "me", .state = "stopped", .desired = "stopped", .driver = 2,
			       .generation = 4, .policy_sha256 = "old" };
	struct release other = made(9);
	struct release r = made(8);

	(void)snprintf(w.release, sizeof(w.release), "%s", r.id);
	CHECK(workspaces_insert(d, &w, &e) == 0 && releases_insert(d, &r, &e) == 0 && releases_insert(d, &other, &e) == 0);
	(void)snprintf(r.policy_sha256, sizeof(r.policy_sha256), "new");
	(void)snprintf(r.policy_observes, sizeof(r.policy_observes), "b");
	CHECK(releases_renew(d, &r, &e) == 0 && workspaces_renew(d, &r, &e) == 0);
	CHECK(workspaces_by_id(d, bytes_str(w.id), &w, &e) == 1 && w.generation == 4);
	CHECK_STR(w.policy_sha256, "new");
	CHECK_STR(w.policy_observes, "b");
	CHECK(releases_find(d, bytes_str(r.id), &r, &e) == 1 && releases_find(d, bytes_str(other.id), &other, &e) == 1);
	CHECK_STR(r.policy_sha256, "new");
	CHECK_STR(other.policy_sha256, "");
	gone(d);
}
