#include "store/workspaces.h"

#include <errno.h>
#include <stddef.h>

#include "base/must.h"

/* One table of columns drives reading, inserting and updating: a column added to the record is added here and in a migration. */
struct column {
	size_t at;
	size_t size; /* of a text with its NUL; 0: a number */
	uint64_t max; /* of a number; who reads records further on takes no higher one */
};

#define TEXT(field) { offsetof(struct workspace, field), sizeof(((struct workspace *)0)->field), 0 }
#define NUMBER(field, max) { offsetof(struct workspace, field), 0, max }
#define ANY ((uint64_t)INT64_MAX)
#define TIME ((uint64_t)253402300799999) /* in the year 9999 */

static const struct column columns[] = {
	TEXT(id), TEXT(name), NUMBER(created_ms, TIME), TEXT(owner), NUMBER(driver, 2), TEXT(image), TEXT(image_digest), NUMBER(cpus, 1024),
	NUMBER(memory_bytes, ANY), NUMBER(disk_bytes, ANY), NUMBER(accel, 2), TEXT(upstream_proxy), TEXT(kernel_args),
	NUMBER(uid_base, UINT32_MAX), TEXT(state), TEXT(desired), TEXT(detail), NUMBER(since_ms, TIME), NUMBER(accel_in_use, 2),
	TEXT(policy_file), TEXT(policy_name), TEXT(policy_sha256), NUMBER(policy_lab, 1), NUMBER(generation, ANY / 2),
	NUMBER(pending, WORKSPACE_RESTART | WORKSPACE_REBUILD | WORKSPACE_PROVISION), TEXT(channel), TEXT(release), NUMBER(serial, ANY),
	NUMBER(rollback, ANY), TEXT(policy_observes), NUMBER(loaded_serial, ANY),
};
enum { N_COLUMNS = sizeof(columns) / sizeof(columns[0]), FIRST_MUTABLE = 14 };

#define COLUMNS                                                                                                         \
	"id, name, created_ms, owner, driver, image, image_digest, cpus, memory_bytes, disk_bytes, accel, upstream_proxy, " \
	"kernel_args, uid_base, state, desired, detail, since_ms, accel_in_use, policy_file, policy_name, policy_sha256, "   \
	"policy_lab, generation, pending, channel, release, serial, rollback, policy_observes, loaded_serial"

static const char insert_sql[] = "INSERT INTO workspaces (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
				 "?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)";
static const char update_sql[] = "UPDATE workspaces SET state = ?15, desired = ?16, detail = ?17, since_ms = ?18, "
				 "accel_in_use = ?19, policy_file = ?20, policy_name = ?21, policy_sha256 = ?22, "
				 "policy_lab = ?23, generation = ?24, pending = ?25, channel = ?26, release = ?27, serial = ?28, "
				 "rollback = ?29, policy_observes = ?30, loaded_serial = ?31 WHERE id = ?1";
static const char delete_sql[] = "DELETE FROM workspaces WHERE id = ?1";
static const char by_id_sql[] = "SELECT " COLUMNS " FROM workspaces WHERE id = ?1";
static const char by_name_sql[] = "SELECT " COLUMNS " FROM workspaces WHERE owner = ?1 AND name = ?2";
static const char page_sql[] = "SELECT " COLUMNS " FROM workspaces WHERE owner = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
static const char page_state_sql[] =
	"SELECT " COLUMNS " FROM workspaces WHERE owner = ?1 AND name > ?2 AND state = ?4 ORDER BY name LIMIT ?3";
static const char unsettled_sql[] =
	"SELECT " COLUMNS " FROM workspaces WHERE desired <> 'stopped' OR state <> 'stopped' OR pending <> 0";
static const char uids_sql[] = "SELECT uid_base FROM workspaces WHERE uid_base <> 0 ORDER BY uid_base";
static const char policy_sql[] = "SELECT 1 FROM workspaces WHERE policy_sha256 = ?1 LIMIT 1";
static const char release_sql[] = "SELECT 1 FROM workspaces WHERE release = ?1 LIMIT 1";
static const char count_sql[] = "SELECT count(*) FROM workspaces WHERE channel = ?1 AND channel <> ''";
static const char move_sql[] = "UPDATE workspaces SET release = ?2, serial = ?3, policy_name = ?4, policy_sha256 = ?5, policy_lab = ?6, "
			       "rollback = CASE WHEN loaded_serial > ?3 THEN ?3 ELSE ?7 END, policy_observes = ?8, "
			       "generation = generation + 1 WHERE channel = ?1 AND channel <> ''";
static const char renew_sql[] = "UPDATE workspaces SET policy_sha256 = ?2, policy_observes = ?3 WHERE release = ?1";

static void bind_column(struct db_stmt *s, size_t i, const struct workspace *w)
{
	const char *at = (const char *)w + columns[i].at;
	uint64_t v;

	if (columns[i].size) {
		db_bind_text(s, (int)i + 1, bytes_str(at));
		return;
	}
	memcpy(&v, at, sizeof(v));
	db_bind_u64(s, (int)i + 1, v);
}

/* What does not fit its field cannot come from us: the database was changed by hand, or is damaged. */
static bool read_column(struct db_stmt *s, size_t i, struct workspace *w)
{
	char *at = (char *)w + columns[i].at;
	struct bytes text;
	uint64_t v;

	if (columns[i].size == 0) {
		v = db_u64(s, (int)i);
		memcpy(at, &v, sizeof(v));
		return v <= columns[i].max;
	}
	text = db_text(s, (int)i);
	if (text.len >= columns[i].size)
		return false;
	if (text.len)
		memcpy(at, text.p, text.len);
	at[text.len] = '\0';
	return true;
}

/* It names folders and sockets: "ws-" and 12 hex digits. */
static bool id_ok(const char *id)
{
	return strlen(id) == 15 && strncmp(id, "ws-", 3) == 0 && strspn(id + 3, "0123456789abcdef") == 12;
}

static bool name_ok(const char *name)
{
	return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static int read_row(struct db_stmt *s, struct workspace *ret, struct err *e)
{
	bool ok = true;

	for (size_t i = 0; i < N_COLUMNS; i++)
		ok = read_column(s, i, ret) && ok;
	if (ok && id_ok(ret->id) && name_ok(ret->name) && ret->driver)
		return 1;
	return err_set(e, EBADMSG, "store: a workspace's record has a value that it cannot have: restore sawd.db from a backup");
}

int workspaces_insert(struct db *d, const struct workspace *w, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, insert_sql, &s, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < N_COLUMNS; i++)
		bind_column(s, i, w);
	return db_run(s, e);
}

int workspaces_update(struct db *d, const struct workspace *w, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, update_sql, &s, e);

	if (r < 0)
		return r;
	bind_column(s, 0, w);
	for (size_t i = FIRST_MUTABLE; i < N_COLUMNS; i++)
		bind_column(s, i, w);
	return db_run(s, e);
}

int workspaces_delete(struct db *d, const char *id, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, delete_sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(id));
	return db_run(s, e);
}

static int one(struct db_stmt *s, struct workspace *ret, struct err *e)
{
	int r = db_step(s, e);

	return db_done(s, r == 1 ? read_row(s, ret, e) : r);
}

int workspaces_by_id(struct db *d, struct bytes id, struct workspace *ret, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, by_id_sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, id);
	return one(s, ret, e);
}

int workspaces_by_name(struct db *d, const char *owner, struct bytes name, struct workspace *ret, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, by_name_sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(owner));
	db_bind_text(s, 2, name);
	return one(s, ret, e);
}

static int walk(struct db_stmt *s, workspaces_fn fn, void *ctx, struct err *e)
{
	struct workspace w;
	int r;

	for (;;) {
		r = db_step(s, e);
		r = r == 1 ? read_row(s, &w, e) : r;
		if (r != 1)
			break;
		if (!fn(ctx, &w)) {
			r = 0;
			break;
		}
	}
	return db_done(s, r);
}

int workspaces_page(struct db *d, const char *owner, struct bytes after, const char *state, uint64_t limit, workspaces_fn fn,
		    void *ctx, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, *state ? page_state_sql : page_sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(owner));
	db_bind_text(s, 2, after);
	db_bind_u64(s, 3, limit);
	if (*state)
		db_bind_text(s, 4, bytes_str(state));
	return walk(s, fn, ctx, e);
}

int workspaces_unsettled(struct db *d, workspaces_fn fn, void *ctx, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, unsettled_sql, &s, e);

	return r < 0 ? r : walk(s, fn, ctx, e);
}

int workspaces_free_uid(struct db *d, uint64_t base, uint64_t step, uint64_t *ret, struct err *e)
{
	struct db_stmt *s;
	uint64_t free_uid = base;
	int r = db_prepare(d, uids_sql, &s, e);

	if (r < 0)
		return r;
	while ((r = db_step(s, e)) == 1 && db_u64(s, 0) == free_uid)
		free_uid += step;
	if (r < 0)
		return db_done(s, r);
	*ret = free_uid;
	return db_done(s, 0);
}

static int used(struct db *d, const char *sql, const char *hash, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(hash));
	return db_done(s, db_step(s, e));
}

int workspaces_policy_used(struct db *d, const char *sha256, struct err *e)
{
	return used(d, policy_sql, sha256, e);
}

int workspaces_release_used(struct db *d, const char *release, struct err *e)
{
	return used(d, release_sql, release, e);
}

int workspaces_move(struct db *d, const char *channel, const struct release *r, uint64_t rollback, struct err *e)
{
	struct db_stmt *s;
	int res = db_prepare(d, move_sql, &s, e);

	if (res < 0)
		return res;
	db_bind_text(s, 1, bytes_str(channel));
	db_bind_text(s, 2, bytes_str(r->id));
	db_bind_u64(s, 3, r->serial);
	db_bind_text(s, 4, bytes_str(r->policy_name));
	db_bind_text(s, 5, bytes_str(r->policy_sha256));
	db_bind_u64(s, 6, r->policy_lab);
	db_bind_u64(s, 7, rollback);
	db_bind_text(s, 8, bytes_str(r->policy_observes));
	return db_run(s, e);
}

int workspaces_renew(struct db *d, const struct release *r, struct err *e)
{
	return releases_run_renewal(d, renew_sql, r, e);
}

int workspaces_on_channel(struct db *d, const char *channel, struct err *e)
{
	struct db_stmt *s;
	int r = db_prepare(d, count_sql, &s, e);

	if (r < 0)
		return r;
	db_bind_text(s, 1, bytes_str(channel));
	r = db_step(s, e);
	return db_done(s, r == 1 ? (int)db_u64(s, 0) : r);
}
