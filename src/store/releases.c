#include "store/releases.h"

#include <errno.h>
#include <stdio.h>

enum { DIGITS_MIN = 8, DIGITS_MAX = 64 };

#define RELEASE "id, serial, policy_name, policy_sha256, policy_lab, signer, created_ms, expires_ms, pushed_ms, policy_observes"
#define CHANNEL "name, release, serial, top_serial, rollback, moved_ms"

static const char insert_sql[] = "INSERT INTO releases (" RELEASE ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) "
				 "ON CONFLICT (id) DO NOTHING";
static const char renew_sql[] = "UPDATE releases SET policy_sha256 = ?2, policy_observes = ?3 WHERE id = ?1";
static const char find_sql[] = "SELECT " RELEASE " FROM releases WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 2";
static const char policy_sql[] = "SELECT 1 FROM releases WHERE policy_sha256 = ?1 LIMIT 1";
static const char get_sql[] = "SELECT " CHANNEL " FROM channels WHERE name = ?1";
static const char each_sql[] = "SELECT " CHANNEL " FROM channels ORDER BY name";
static const char put_sql[] = "INSERT INTO channels (" CHANNEL ") VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO UPDATE SET "
			      "release = ?2, serial = ?3, top_serial = ?4, rollback = ?5, moved_ms = ?6";
static const char stood_sql[] = "INSERT INTO channel_releases (channel, release, serial) VALUES (?1, ?2, ?3) "
				"ON CONFLICT (channel, serial) DO UPDATE SET withdrawn = 0";
static const char withdraw_sql[] = "UPDATE channel_releases SET withdrawn = 1 WHERE channel = ?1 AND serial > ?2";
static const char earlier_sql[] = "SELECT " RELEASE " FROM releases WHERE id = (SELECT release FROM channel_releases WHERE channel = ?1 "
				  "AND serial < ?2 AND withdrawn = 0 ORDER BY serial DESC LIMIT 1)";
static const char with_serial_sql[] = "SELECT " RELEASE " FROM releases WHERE id = (SELECT release FROM channel_releases WHERE channel = ?1 "
				      "AND serial = ?2)";

/* Too long for its field: not written by us, and cut. */
static void text(struct db_stmt *s, int column, char *ret, size_t size)
{
	struct bytes t = db_text(s, column);

	(void)snprintf(ret, size, "%.*s", (int)t.len, (const char *)t.p);
}

static void read_release(struct db_stmt *s, struct release *r)
{
	text(s, 0, r->id, sizeof(r->id));
	r->serial = db_u64(s, 1);
	text(s, 2, r->policy_name, sizeof(r->policy_name));
	text(s, 3, r->policy_sha256, sizeof(r->policy_sha256));
	r->policy_lab = db_u64(s, 4);
	text(s, 5, r->key, sizeof(r->key));
	r->created_ms = db_u64(s, 6);
	r->expires_ms = db_u64(s, 7);
	r->pushed_ms = db_u64(s, 8);
	text(s, 9, r->policy_observes, sizeof(r->policy_observes));
}

static void read_channel(struct db_stmt *s, struct channel *c)
{
	text(s, 0, c->name, sizeof(c->name));
	text(s, 1, c->release, sizeof(c->release));
	c->serial = db_u64(s, 2);
	c->top_serial = db_u64(s, 3);
	c->rollback = db_u64(s, 4);
	c->moved_ms = db_u64(s, 5);
}

int releases_insert(struct db *d, const struct release *r, struct err *e)
{
	struct db_stmt *s;
	int res = db_prepare(d, insert_sql, &s, e);

	if (res < 0)
		return res;
	db_bind_text(s, 1, bytes_str(r->id));
	db_bind_u64(s, 2, r->serial);
	db_bind_text(s, 3, bytes_str(r->policy_name));
	db_bind_text(s, 4, bytes_str(r->policy_sha256));
	db_bind_u64(s, 5, r->policy_lab);
	db_bind_text(s, 6, bytes_str(r->key));
	db_bind_u64(s, 7, r->created_ms);
	db_bind_u64(s, 8, r->expires_ms);
	db_bind_u64(s, 9, r->pushed_ms);
	db_bind_text(s, 10, bytes_str(r->policy_observes));
	return db_run(s, e);
}

int releases_run_renewal(struct db *d, const char *sql, const struct release *r, struct err *e)
{
	struct db_stmt *s;
	int res = db_prepare(d, sql, &s, e);

	if (res < 0)
		return res;
	db_bind_text(s, 1, bytes_str(r->id));
	db_bind_text(s, 2, bytes_str(r->policy_sha256));
	db_bind_text(s, 3, bytes_str(r->policy_observes));
	return db_run(s, e);
}

int releases_renew(struct db *d, const struct release *r, struct err *e)
{
	return releases_run_renewal(d, renew_sql, r, e);
}

static bool digits_ok(struct bytes d)
{
	for (size_t i = 0; i < d.len; i++)
		if (!memchr("0123456789abcdef", d.p[i], 16))
			return false;
	return d.len >= DIGITS_MIN && d.len <= DIGITS_MAX;
}

int releases_find(struct db *d, struct bytes digits, struct release *ret, struct err *e)
{
	char end[DIGITS_MAX + 2];
	struct release found;
	struct db_stmt *s;
	int r;

	if (!digits_ok(digits))
		return 0;
	r = db_prepare(d, find_sql, &s, e);
	if (r < 0)
		return r;
	/* 'g' is the first behind every continuation in hex */
	(void)snprintf(end, sizeof(end), "%.*sg", (int)digits.len, (const char *)digits.p);
	db_bind_text(s, 1, digits);
	db_bind_text(s, 2, bytes_str(end));
	r = db_step(s, e);
	if (r == 1) {
		read_release(s, &found);
		r = db_step(s, e);
		if (r == 1)
			r = err_set(e, EEXIST, "several releases begin with %.*s", (int)digits.len, (const char *)digits.p);
		else if (r == 0)
			r = 1;
	}
	if (r == 1)
		*ret = found;
	return db_done(s, r);
}

int releases_policy_used(struct db *d, const char *sha256, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, policy_sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(sha256));
	return db_done(s, db_step(s, e));
}

int channels_get(struct db *d, struct bytes name, struct channel *ret, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, get_sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, name);
	r = db_step(s, e);
	if (r == 1)
		read_channel(s, ret);
	return db_done(s, r);
}

int channels_put(struct db *d, const struct channel *c, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, put_sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(c->name));
	db_bind_text(s, 2, bytes_str(c->release));
	db_bind_u64(s, 3, c->serial);
	db_bind_u64(s, 4, c->top_serial);
	db_bind_u64(s, 5, c->rollback);
	db_bind_u64(s, 6, c->moved_ms);
	r = db_run(s, e);
	r = r < 0 ? r : db_prepare(d, stood_sql, &s, e);
	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(c->name));
	db_bind_text(s, 2, bytes_str(c->release));
	db_bind_u64(s, 3, c->serial);
	r = db_run(s, e);
	if (r < 0 || !c->rollback)
		return r;
	r = db_prepare(d, withdraw_sql, &s, e);
	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(c->name));
	db_bind_u64(s, 2, c->serial);
	return db_run(s, e);
}

int channels_earlier(struct db *d, const struct channel *c, uint64_t serial, struct release *ret, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, serial ? with_serial_sql : earlier_sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(c->name));
	db_bind_u64(s, 2, serial ? serial : c->serial);
	r = db_step(s, e);
	if (r == 1)
		read_release(s, ret);
	return db_done(s, r);
}

int channels_each(struct db *d, channels_fn fn, void *ctx, struct err *e)
{
	struct channel c;
	struct db_stmt *s;
	int r = db_prepare(d, each_sql, &s, e);

	if (r < 0)
		return r;
	while ((r = db_step(s, e)) == 1) {
		read_channel(s, &c);
		if (!fn(ctx, &c)) {
			r = 0;
			break;
		}
	}
	return db_done(s, r);
}
