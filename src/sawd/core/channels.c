#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/sha256.h"
#include "ipc/trust.h"
#include "os/fd.h"
#include "os/log.h"
#include "rules/bundle_check.h"
#include "sawd/core/api.h"
#include "sawd/core/bindings.h"
#include "sawd/core/ws.h"

/* A channel points at a release; releases never change. Whatever moves one: the compiler checks the bundle for that channel, then the event
 * is on disk, then the bundle is, then one transaction moves the pointer and every record that follows it. Supervisors are told after that,
 * by the reconciler: one that is not reached in time, because it or we died, begins with what stands in its record. */

enum kind { PUSH, SET, ROLLBACK };
enum { DETAIL_MAX = 600 };

struct move {
	struct core *core;
	uint64_t req;
	enum kind kind;
	bool force; /* of PUSH */
	char channel[SAWD_CHANNEL_MAX + 1];
	char wanted[SAWD_RELEASE_LEN + 1]; /* of SET and ROLLBACK */
	int fd; /* the bundle */
};

static const char *const operations[] = { "channels.push", "channels.set", "channels.rollback" };

static void move_free(struct move *m)
{
	(void)fd_close(m->fd);
	free(m);
}

static int answer(struct core *c, uint64_t req, const struct channel *ch, struct err *e)
{
	static struct bindings bound;
	struct err unread = { "" };
	struct release r;
	int n = releases_find(c->db, bytes_str(ch->release), &r, e);

	if (n == 0)
		return err_set(e, ENOENT, "channel %s: its release is gone: restore sawd.db from a backup", ch->name);
	n = n < 0 ? n : workspaces_on_channel(c->db, ch->name, e);
	if (n < 0)
		return n;
	bound.n = 0;
	(void)bindings_add(c, r.policy_sha256, &bound, &unread); /* what cannot be read binds nothing, nor is it ever loaded */
	msg_start(&core_out, MSG_API_CHANNEL);
	msg_u64(&core_out, req);
	msg_str(&core_out, ch->name);
	msg_str(&core_out, ch->release);
	msg_u64(&core_out, ch->serial);
	msg_u64(&core_out, ch->top_serial);
	msg_u64(&core_out, ch->rollback);
	msg_str(&core_out, r.policy_name);
	msg_str(&core_out, r.policy_sha256);
	msg_u64(&core_out, r.policy_lab);
	msg_str(&core_out, r.policy_observes);
	msg_str(&core_out, r.key);
	msg_u64(&core_out, r.expires_ms);
	msg_u64(&core_out, ch->moved_ms);
	msg_u64(&core_out, (uint64_t)n);
	bindings_put(&bound, &core_out);
	core_send(c, SAWD_FRONT);
	return 0;
}

/* One event and one answer. */
static void refuse(struct move *m, unsigned status, enum reason why, const char *detail)
{
	char text[DETAIL_MAX];

	(void)snprintf(text, sizeof(text), "%s%s%s", reason_sentence(why), *detail ? ": " : "", detail);
	journal_refused(m->core, why, m->channel, detail);
	api_problem(m->core, m->req, &(struct sawd_problem){ .status = status, .exit_code = 1, .code = reason_code(why), .detail = text,
							     .field = "bundle", .remedy = reason_remedy(why) });
}

/* Forward only, but for an explicit rollback. Back to where it was rolled back from counts as forward. */
static bool serial_ok(struct move *m, const struct channel *ch, const struct release *r, struct err *e)
{
	char text[DETAIL_MAX];
	struct release top;

	if (m->kind == ROLLBACK || r->serial > ch->top_serial)
		return true;
	if (r->serial == ch->top_serial && ch->serial < ch->top_serial &&
	    channels_earlier(m->core->db, ch, ch->top_serial, &top, e) == 1 && strcmp(top.id, r->id) == 0)
		return true;
	(void)snprintf(text, sizeof(text), "serial %llu is not above %llu, the highest that stood on %s", (unsigned long long)r->serial,
		       (unsigned long long)ch->top_serial, ch->name);
	refuse(m, 409, REASON_BUNDLE_OLDER, text);
	return false;
}

/* Said to people in `saw policy push`, too; but not only they call. A channel that is ahead already has nothing to lose. */
static bool is_near(struct move *m, const struct channel *before, const struct release *r)
{
	uint64_t now = clock_real_ms();
	char text[DETAIL_MAX];

	if (m->kind != PUSH || m->force || !manifest_serial_is_ahead(r->serial, now) || manifest_serial_is_ahead(before->top_serial, now))
		return true;
	(void)snprintf(text, sizeof(text), "serial %llu, and it is %llu seconds since 1970", (unsigned long long)r->serial,
		       (unsigned long long)now / 1000);
	refuse(m, 422, REASON_BUNDLE_AHEAD, text);
	return false;
}

static int note(struct move *m, const struct channel *before, const struct release *r, struct err *e)
{
	char text[DETAIL_MAX];

	(void)snprintf(text, sizeof(text), "serial %llu after %llu, policy %.100s, sha256 %s, signed by %s", (unsigned long long)r->serial,
		       (unsigned long long)before->serial, r->policy_name, r->policy_sha256, r->key);
	return journal_call(m->core, operations[m->kind], r->id, m->channel, text, e);
}

static int store(struct move *m, const struct channel *ch, const struct release *r, struct err *e)
{
	struct db *d = m->core->db;
	int res = m->kind == PUSH ? bundles_store(m->core, r->id, m->fd, e) : 0;

	res = res < 0 ? res : db_begin(d, e);
	if (res < 0)
		return res;
	res = releases_insert(d, r, e);
	res = res < 0 ? res : releases_renew(d, r, e); /* it may have been compiled by an earlier version */
	res = res < 0 ? res : channels_put(d, ch, e);
	res = res < 0 ? res : workspaces_move(d, ch->name, r, ch->rollback, e);
	if (res < 0)
		db_rollback(d);
	else
		res = db_commit(d, e);
	return res;
}

/* Those that are awake have a copy of their record. */
static void refresh(struct core *c, const char *channel)
{
	struct workspace row;
	struct err e = { 0 };

	for (size_t i = 0; i < CORE_BUCKETS; i++)
		for (struct ws *w = c->buckets[i]; w; w = w->next) {
			if (strcmp(w->row.channel, channel) != 0)
				continue;
			if (workspaces_by_id(c->db, bytes_str(w->row.id), &row, &e) != 1) {
				log_line("%s: %s", w->row.name, e.text);
				continue;
			}
			w->row = row;
			api_row(c, 0, &w->row);
			ws_kick(w);
		}
}

static void apply(struct move *m, const struct release *r)
{
	struct core *c = m->core;
	struct channel before = { .name = "" };
	struct channel ch;
	struct err e = { 0 };
	int res = channels_get(c->db, bytes_str(m->channel), &before, &e);

	if (res >= 0 && strcmp(before.release, r->id) == 0) {
		res = answer(c, m->req, &before, &e);
		renew_retry(c);
	} else if (res >= 0) {
		if ((res == 1 && !serial_ok(m, &before, r, &e)) || !is_near(m, &before, r))
			return;
		ch = (struct channel){ .serial = r->serial, .top_serial = r->serial > before.top_serial ? r->serial : before.top_serial,
				       .rollback = m->kind == ROLLBACK ? r->serial : 0, .moved_ms = clock_real_ms() };
		memcpy(ch.name, m->channel, sizeof(m->channel));
		memcpy(ch.release, r->id, sizeof(ch.release));
		res = note(m, &before, r, &e);
		if (res == 0) {
			res = store(m, &ch, r, &e);
			if (res < 0)
				journal_failed(c, REASON_CHANGE_FAILED, operations[m->kind], m->channel, e.text);
		}
		res = res < 0 ? res : answer(c, m->req, &ch, &e);
		if (res == 0)
			refresh(c, ch.name);
	}
	if (res < 0)
		api_error(c, m->req, res, &e);
}

static bool on_sound(struct move *m, struct msg_in *in)
{
	struct bytes id = msg_get_bytes(in, SHA256_LEN);
	struct release r = { .serial = msg_get_u64(in) };
	struct bytes name = msg_get_bytes(in, SAWD_POLICY_NAME_MAX);
	FD_AUTO int blob_fd = -1;
	struct err e = { 0 };
	struct bytes observes;
	struct bytes key;
	int res;

	r.policy_lab = msg_get_max(in, 1);
	observes = msg_get_bytes(in, SAWD_OBSERVES_MAX);
	key = msg_get_bytes(in, sizeof(r.key) - 1);
	r.created_ms = msg_get_u64(in);
	r.expires_ms = msg_get_u64(in);
	r.pushed_ms = clock_real_ms();
	blob_fd = msg_take_fd(in);
	if (!msg_end(in) || id.len != SHA256_LEN || r.serial > MANIFEST_SERIAL_MAX)
		return false;
	sha256_hex(id.p, r.id);
	(void)snprintf(r.policy_name, sizeof(r.policy_name), "%.*s", (int)name.len, (const char *)name.p);
	(void)snprintf(r.policy_observes, sizeof(r.policy_observes), "%.*s", (int)observes.len, (const char *)observes.p);
	(void)snprintf(r.key, sizeof(r.key), "%.*s", (int)key.len, (const char *)key.p);
	res = policies_store(m->core, blob_fd, r.policy_sha256, &e);
	if (res == 0 && *m->wanted && strcmp(m->wanted, r.id) != 0)
		res = err_set(&e, EBADMSG, "the release is damaged: push its bundle again");
	if (res < 0)
		api_error(m->core, m->req, res, &e);
	else
		apply(m, &r);
	return true;
}

static bool on_unsound(struct move *m, struct msg_in *in)
{
	enum reason why = (enum reason)msg_get_max(in, REASON_COUNT - 1);
	struct bytes more = msg_get_bytes(in, ERR_MAX);
	char text[DETAIL_MAX];

	if (!msg_end(in))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)more.len, (const char *)more.p);
	refuse(m, 422, why, text);
	return true;
}

static bool on_checked(void *owner, struct msg_in *in)
{
	struct move *m = owner;
	bool ok = true;

	if (!in) {
		api_problem(m->core, m->req, &(struct sawd_problem){ .status = 503, .exit_code = 1, .code = "unavailable",
								     .detail = "the policy compiler is restarting",
								     .remedy = "try again in a moment" });
	} else if (in->type == MSG_SAWD_CHECKED) {
		ok = on_sound(m, in);
	} else if (in->type == MSG_SAWD_UNSOUND) {
		ok = on_unsound(m, in);
	} else if (in->type == MSG_SAWD_NOT_NOW) {
		ok = api_not_now(m->core, m->req, in);
	} else {
		/* on record before anybody hears of it */
		journal_refused(m->core, REASON_POLICY_INVALID, m->channel, "");
		ok = api_refused(m->core, m->req, "the bundle's policy was refused", "correct it and sign it again; the channel stays where it is",
				 in);
	}
	if (ok)
		move_free(m);
	return ok;
}

static const struct ask_kind verdict = { SAWD_COMPILER, { MSG_SAWD_CHECKED, MSG_SAWD_UNSOUND, MSG_SAWD_REFUSED, MSG_SAWD_NOT_NOW }, on_checked };

static int ask_compiler(struct move *m, struct err *e)
{
	struct core *c = m->core;
	struct bundle_keys trusted;
	char folder[PATHS_MAX];
	uint64_t req;
	int r = paths_join(folder, c->state, TRUST_FOLDER, e);

	r = r < 0 ? r : trust_read(folder, &trusted, e);
	if (r < 0)
		return r;
	if (r > 0)
		log_line("%s", e->text);
	req = ask_new(c, &verdict, m);
	msg_start(&core_out, MSG_SAWD_CHECK);
	msg_u64(&core_out, req);
	msg_str(&core_out, m->channel);
	msg_u64(&core_out, trusted.n);
	for (size_t i = 0; i < trusted.n; i++)
		msg_bytes(&core_out, bytes_of(trusted.key[i], BUNDLE_KEY));
	msg_fd(&core_out, m->fd);
	core_send(c, SAWD_COMPILER);
	return 0;
}

/* Takes `fd`. */
static void begin(struct core *c, uint64_t req, enum kind kind, bool force, struct bytes channel, const char *wanted, int fd)
{
	struct move *m = calloc(1, sizeof(*m));
	struct err e = { 0 };
	int r;

	if (!m) {
		(void)fd_close(fd);
		api_error(c, req, -ENOMEM, &(struct err){ "out of memory for a call" });
		return;
	}
	*m = (struct move){ .core = c, .req = req, .kind = kind, .force = force, .fd = fd };
	memcpy(m->channel, channel.p, channel.len);
	(void)snprintf(m->wanted, sizeof(m->wanted), "%s", wanted);
	if (!c->peers[SAWD_COMPILER]) {
		(void)on_checked(m, NULL);
		return;
	}
	r = ask_compiler(m, &e);
	if (r < 0) {
		api_error(c, req, r, &e);
		move_free(m);
	}
}

static bool may_move(struct core *c, uint64_t req, struct bytes channel)
{
	if (!api_may_change(c, req))
		return false;
	if (manifest_channel_ok(channel))
		return true;
	api_problem(c, req, &(struct sawd_problem){ .status = 422, .exit_code = 2, .code = "invalid", .field = "channel",
						    .detail = "this is no name of a channel",
						    .remedy = "use two to four words of a-z, 0-9 and hyphens, as in corporate/stable" });
	return false;
}

static void not_found(struct core *c, uint64_t req, const char *code, const char *detail, const char *field, const char *remedy)
{
	api_problem(c, req,
		    &(struct sawd_problem){ .status = 404, .exit_code = 4, .code = code, .detail = detail, .field = field, .remedy = remedy });
}

bool channels_on_push(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes channel = msg_get_bytes(in, SAWD_CHANNEL_MAX);
	bool force = msg_get_max(in, 1) == 1;
	FD_AUTO int fd = msg_take_fd(in);

	if (!msg_end(in))
		return false;
	if (may_move(c, req, channel))
		begin(c, req, PUSH, force, channel, "", fd_take(&fd));
	return true;
}

static void move_to(struct core *c, uint64_t req, enum kind kind, struct bytes channel, const char *release)
{
	struct err e = { 0 };
	int fd = bundles_open(c, release, &e);

	if (fd < 0)
		api_error(c, req, fd, &e);
	else
		begin(c, req, kind, false, channel, release, fd);
}

bool channels_on_set(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes channel = msg_get_bytes(in, SAWD_CHANNEL_MAX);
	struct bytes digits = msg_get_bytes(in, SAWD_RELEASE_LEN);
	struct release release;
	struct err e = { 0 };
	int r;

	if (!msg_end(in))
		return false;
	if (!may_move(c, req, channel))
		return true;
	r = releases_find(c->db, digits, &release, &e);
	if (r == 1)
		move_to(c, req, SET, channel, release.id);
	else if (r == 0)
		not_found(c, req, "release_not_found", "no release that was pushed begins with these digits (8 of them at least)", "release",
			  "`saw audit` has each push with its release");
	else
		api_error(c, req, r, &e);
	return true;
}

bool channels_on_rollback(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes channel = msg_get_bytes(in, SAWD_CHANNEL_MAX);
	uint64_t serial = msg_get_max(in, MANIFEST_SERIAL_MAX);
	struct channel ch = { .name = "" };
	struct release release;
	struct err e = { 0 };
	int r;

	if (!msg_end(in))
		return false;
	if (!may_move(c, req, channel))
		return true;
	r = channels_get(c->db, channel, &ch, &e);
	if (r == 0) {
		not_found(c, req, "channel_not_found", "there is no channel of this name", "channel", "`saw policy channel ls` lists what there is");
		return true;
	}
	if (r == 1 && serial && serial >= ch.serial) {
		api_problem(c, req, &(struct sawd_problem){ .status = 409, .exit_code = 1, .code = "conflict", .field = "serial",
							    .detail = "that is not back from where the channel stands",
							    .remedy = "give a serial below the one that `saw policy channel ls` shows" });
		return true;
	}
	r = r < 0 ? r : channels_earlier(c->db, &ch, serial, &release, &e);
	if (r == 1)
		move_to(c, req, ROLLBACK, channel, release.id);
	else if (r == 0)
		not_found(c, req, "release_not_found",
			  serial ? "no release with this serial stood on this channel" : "no earlier release stood on this channel that was not rolled back from",
			  "serial", "`saw audit` has each push with its serial, and `--to SERIAL` goes back to that one whatever it is");
	else
		api_error(c, req, r, &e);
	return true;
}

struct listing {
	struct core *core;
	uint64_t req;
};

static bool on_channel(void *ctx, const struct channel *ch)
{
	const struct listing *l = ctx;
	struct err e = { 0 };

	if (answer(l->core, l->req, ch, &e) < 0)
		log_line("%s", e.text);
	return true;
}

bool channels_on_list(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	struct listing l = { .core = c, .req = msg_get_u64(in) };
	struct err e = { 0 };
	int r;

	if (!msg_end(in))
		return false;
	r = channels_each(c->db, on_channel, &l, &e);
	if (r < 0) {
		api_error(c, l.req, r, &e);
		return true;
	}
	msg_start(&core_out, MSG_API_END);
	msg_u64(&core_out, l.req);
	msg_str(&core_out, "");
	core_send(c, SAWD_FRONT);
	return true;
}

/* Only its event is ours: this process cannot write the folder of trusted keys. */
bool channels_on_key(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	bool add = msg_get_max(in, 1) == 1;
	struct bytes name = msg_get_bytes(in, TRUST_NAME_MAX);
	struct bytes key = msg_get_bytes(in, BUNDLE_FINGERPRINT_MAX);
	char name_text[TRUST_NAME_MAX + 1];
	char key_text[BUNDLE_FINGERPRINT_MAX + 1];
	struct err e = { 0 };
	int r;

	if (!msg_end(in))
		return false;
	if (!api_may_change(c, req))
		return true;
	(void)snprintf(name_text, sizeof(name_text), "%.*s", (int)name.len, (const char *)name.p);
	(void)snprintf(key_text, sizeof(key_text), "%.*s", (int)key.len, (const char *)key.p);
	r = journal_call(c, add ? "policy.key.add" : "policy.key.remove", key_text, name_text, "", &e);
	if (r < 0) {
		api_error(c, req, r, &e);
		return true;
	}
	msg_start(&core_out, MSG_API_END);
	msg_u64(&core_out, req);
	msg_str(&core_out, "");
	core_send(c, SAWD_FRONT);
	return true;
}
