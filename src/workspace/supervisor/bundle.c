#include "workspace/supervisor/bundle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/must.h"
#include "crypt/sha256.h"
#include "crypt/sshsig.h"
#include "ipc/sawd_types.h"
#include "ipc/trust.h"
#include "os/fd.h"
#include "os/log.h"
#include "workspace/supervisor/bundle_file.h"
#include "workspace/supervisor/hold.h"
#include "workspace/supervisor/trail.h"
#include "workspace/supervisor/ws.h"

/* check -> compiler starts, gets its configuration and the text -> its blob, or its first complaint -> compiler ends -> answer.
 *
 * The compiler is a child of this process, lives for one policy, and is ended with it: nothing of one policy is left for the next. */

/* Offset into spec.uid_base: the last of the block (gateway.c has the others). */
enum { UID_COMPILER = 7, REQ = 1 };

static const struct bundle_crypto crypto = { sha256, ed25519_verify, sshsig_verify };
static struct msg out;

static struct {
	struct ws *ws; /* NULL: nothing is under way */
	struct loop *loop;
	struct child child;
	struct chan *chan;
	struct loop_timer timer;
	struct loop_later later;
	int fd;
	uint64_t generation;
	uint64_t last_serial;
	char channel[MANIFEST_CHANNEL_MAX + 1];
	struct manifest manifest;
	uint8_t id[BUNDLE_ID];
	uint8_t key[BUNDLE_KEY];
	struct hold *hold;
	enum reason why;
	char detail[BUNDLE_WHY_MAX];
	bundle_done_fn done;
	void *owner;
} now = { .fd = -1 };

static void clean_up(void)
{
	loop_timer_disarm(&now.timer);
	loop_later_cancel(&now.later);
	now.chan = chan_free(now.chan);
	child_kill(&now.child);
	now.fd = fd_close(now.fd);
	now.ws = NULL;
}

static void finish(void)
{
	struct hold *h = now.hold;

	clean_up();
	now.hold = NULL;
	now.done(now.owner, h, now.why, now.detail);
}

static void on_later(struct loop_later *l)
{
	(void)l;
	finish();
}

/* From a callback of the channel, which must outlive it. */
static void finish_later(enum reason why, const char *detail)
{
	now.why = why;
	(void)snprintf(now.detail, sizeof(now.detail), "%.390s", detail);
	loop_later(now.loop, &now.later, on_later, NULL);
}

static void refuse(enum reason why, const char *detail)
{
	now.why = why;
	(void)snprintf(now.detail, sizeof(now.detail), "%.390s", detail);
	finish();
}

/* ---- the compiler ---- */

static bool on_ready(void *owner, struct msg_in *in)
{
	(void)owner;
	return msg_end(in);
}

static bool on_failed(void *owner, struct msg_in *in)
{
	static struct log_meter meter;
	struct bytes why = msg_get_bytes(in, ERR_MAX);

	(void)owner;
	if (msg_end(in) && log_room(&meter, clock_mono_ms()))
		log_line("compiler: %.*s", (int)why.len, (const char *)why.p);
	return msg_end(in);
}

static void describe(struct hold *h)
{
	char fingerprint[BUNDLE_FINGERPRINT_MAX];
	char release[SHA256_HEX_MAX];
	char compiled[SHA256_HEX_MAX];
	char text[HOLD_ORIGIN_MAX];
	uint8_t digest[SHA256_LEN];
	int n;

	memcpy(digest, policy_sha256(hold_policy(h)).p, sizeof(digest));
	sha256_hex(digest, compiled);
	sha256_hex(now.id, release);
	bundle_fingerprint(now.key, &crypto, fingerprint);
	n = snprintf(text, sizeof(text), "serial %llu, release %s, sha256 %s, signed by %s%s%s", (unsigned long long)now.manifest.serial, release,
		     compiled, fingerprint, *now.channel ? ", channel " : "", now.channel);
	if (now.manifest.serial < now.last_serial && n > 0 && (size_t)n < sizeof(text))
		(void)snprintf(text + n, sizeof(text) - (size_t)n, ", rolled back from serial %llu", (unsigned long long)now.last_serial);
	hold_came_from(h, fd_take(&now.fd), now.manifest.serial, now.channel, text);
}

/* What can be wrong with a policy, and what with this machine. */
static enum reason fault_of(int r, enum reason of_policy)
{
	return r == -EBADMSG || r == -EFBIG || r == -EPERM || r == -EADDRINUSE ? of_policy : REASON_BUNDLE_NOT_TAKEN;
}

static bool on_compiled(void *owner, struct msg_in *in)
{
	uint64_t req = msg_get_u64(in);
	struct bytes name = msg_get_bytes(in, MANIFEST_POLICY_MAX);
	struct bytes hash = msg_get_bytes(in, SHA256_LEN);
	FD_AUTO int fd = -1;
	struct err e = { 0 };
	int r;

	(void)owner;
	(void)hash; /* hold computes it */
	(void)msg_get_max(in, 1);
	(void)msg_get_bytes(in, POLICY_OBSERVES_MAX);
	fd = msg_try_fd(in);
	if (!msg_end(in) || req != REQ || now.later.loop)
		return false;
	if (!bytes_is(name, now.manifest.policy)) {
		finish_later(REASON_BUNDLE_MANIFEST, "it calls the policy by another name than the policy itself");
	} else if (fd < 0) {
		finish_later(REASON_BUNDLE_NOT_TAKEN, "no descriptor is free for the policy");
	} else if ((r = hold_take(&now.hold, fd_take(&fd), now.generation, &e)) < 0) {
		finish_later(fault_of(r, REASON_POLICY_INVALID), e.text);
	} else {
		describe(now.hold);
		finish_later(REASON_OK, "");
	}
	return true;
}

/* The first problem stands for all: core has shown the list when the bundle was pushed. */
static bool on_refused(void *owner, struct msg_in *in)
{
	uint64_t req = msg_get_u64(in);
	uint64_t n = msg_get_max(in, SAWD_PROBLEMS_MAX);
	char text[BUNDLE_WHY_MAX] = "";

	(void)owner;
	for (uint64_t i = 0; i < n && !in->bad; i++) {
		uint64_t line = msg_get_max(in, UINT32_MAX);
		uint64_t column = msg_get_max(in, UINT32_MAX);
		struct bytes what = msg_get_bytes(in, ERR_MAX);

		if (i == 0)
			(void)snprintf(text, sizeof(text), "policy.yaml:%llu:%llu: %.*s", (unsigned long long)line,
				       (unsigned long long)column, (int)(what.len > 300 ? 300 : what.len), (const char *)what.p);
	}
	if (!msg_end(in) || req != REQ || now.later.loop)
		return false;
	finish_later(REASON_POLICY_INVALID, text);
	return true;
}

/* It could not look at it. */
static bool on_not_now(void *owner, struct msg_in *in)
{
	uint64_t req = msg_get_u64(in);
	struct bytes why = msg_get_bytes(in, ERR_MAX);
	char text[BUNDLE_WHY_MAX];

	(void)owner;
	if (!msg_end(in) || req != REQ || now.later.loop)
		return false;
	(void)snprintf(text, sizeof(text), "the policy compiler: %.*s", (int)(why.len > 300 ? 300 : why.len), (const char *)why.p);
	finish_later(REASON_BUNDLE_NOT_TAKEN, text);
	return true;
}

static const struct chan_permit permits[] = {
	{ MSG_READY, on_ready },
	{ MSG_FAILED, on_failed },
	{ MSG_SAWD_COMPILED, on_compiled },
	{ MSG_SAWD_REFUSED, on_refused },
	{ MSG_SAWD_NOT_NOW, on_not_now },
};

static void on_chan_end(void *owner, const char *why)
{
	(void)owner;
	if (now.later.loop)
		return;
	log_line("compiler: channel: %s", why);
	finish_later(REASON_ROLE_DOWN, "the policy compiler ended before it was done");
}

static void on_late(struct loop_timer *t)
{
	(void)t;
	refuse(REASON_ROLE_DOWN, "the policy compiler took too long");
}

static int start_compiler(struct err *e)
{
	const struct spec *s = &now.ws->spec;
	char path[PATHS_MAX];
	char title[80];
	int pair[2];
	int r = paths_helper("sawd-compiler", path, e);

	if (r < 0 || (r = chan_pair(pair, e)) < 0)
		return r;
	(void)snprintf(title, sizeof(title), "saw-compiler: %.*s", (int)s->name.len, (const char *)s->name.p);
	r = child_start(&now.child,
			&(struct child_spec){ .path = path, .title = title,
					      .fds = (struct child_fd[]){ { pair[1], IPC_PARENT_FD }, { 2, 2 } }, .n_fds = 2 },
			e);
	(void)fd_close(pair[1]);
	if (r < 0) {
		(void)fd_close(pair[0]);
		return r;
	}
	return chan_new(&now.chan, now.loop, pair[0], permits, sizeof(permits) / sizeof(permits[0]), on_chan_end, NULL, e);
}

static int compile(struct bytes text, struct err *e)
{
	const struct spec *s = &now.ws->spec;
	FD_AUTO int fd = fd_sealed("policy-text", text.p, text.len, e);
	int r = fd < 0 ? fd : start_compiler(e);

	if (r < 0)
		return r;
	msg_start(&out, MSG_SAWD_COMPILER_CONFIG);
	msg_u64(&out, s->uid_base ? s->uid_base + UID_COMPILER : 0);
	chan_send(now.chan, &out);
	msg_start(&out, MSG_SAWD_COMPILE);
	msg_u64(&out, REQ);
	msg_u64(&out, manifest_channel_is_production(bytes_str(now.channel)));
	msg_fd(&out, fd);
	chan_send(now.chan, &out);
	return loop_timer_arm(now.loop, &now.timer, BUNDLE_COMPILE_MS, on_late, NULL) ? 0 : err_set(e, ENOMEM, "out of memory");
}

/* ---- the bundle ---- */

static enum reason check(struct bytes raw, uint64_t rollback, struct bundle_checked *ret, char detail[BUNDLE_WHY_MAX])
{
	struct bundle_keys trusted;
	struct bundle_loaded last;
	struct err e = { 0 };
	const char *more;
	enum reason why;
	int r = trust_read(now.ws->keys, &trusted, &e);

	if (r > 0)
		log_line("%s", e.text);
	r = r < 0 ? r : bundle_loaded_read(now.ws, &last, &e);
	if (r < 0) {
		(void)snprintf(detail, BUNDLE_WHY_MAX, "%.390s", e.text);
		return REASON_BUNDLE_NOT_TAKEN;
	}
	why = bundle_check(raw, bytes_str(now.channel), &trusted, clock_real_ms(), &crypto, ret, &more);
	(void)snprintf(detail, BUNDLE_WHY_MAX, "%s", more);
	if (why != REASON_OK)
		return why;
	now.last_serial = last.serial;
	if (bundle_serial_ok(ret->manifest.serial, last.serial, rollback))
		return REASON_OK;
	(void)snprintf(detail, BUNDLE_WHY_MAX, "serial %llu, and %llu was loaded last", (unsigned long long)ret->manifest.serial,
		       (unsigned long long)last.serial);
	return REASON_BUNDLE_OLDER;
}

void bundle_load(struct ws *w, struct loop *l, int fd, const struct bundle_order *o, bundle_done_fn done, void *owner)
{
	char detail[BUNDLE_WHY_MAX] = "";
	struct bundle_checked c;
	const void *raw = NULL;
	struct err e = { 0 };
	enum reason why;
	size_t len = 0;
	int r;

	must(!now.ws);
	now.ws = w;
	now.loop = l;
	now.child = CHILD_NONE;
	now.fd = fd;
	now.generation = o->generation;
	now.done = done;
	now.owner = owner;
	(void)snprintf(now.channel, sizeof(now.channel), "%.*s", (int)o->channel.len, (const char *)o->channel.p);
	r = fd_map_sealed(fd, BUNDLE_MAX, &raw, &len, &e);
	if (r < 0) {
		refuse(fault_of(r, REASON_BUNDLE_MALFORMED), e.text);
		return;
	}
	why = check(bytes_of(raw, len), o->rollback, &c, detail);
	if (why == REASON_OK) {
		now.manifest = c.manifest;
		memcpy(now.id, c.id, sizeof(now.id));
		memcpy(now.key, c.key, sizeof(now.key));
		if (compile(c.parts.policy, &e) < 0) {
			why = REASON_ROLE_DOWN;
			(void)snprintf(detail, sizeof(detail), "%.390s", e.text);
		}
	}
	(void)munmap((void *)(uintptr_t)raw, len);
	if (why != REASON_OK)
		refuse(why, detail);
}

void bundle_cancel(void)
{
	if (now.ws)
		clean_up();
	now.hold = hold_free(now.hold);
}

/* ---- at start ---- */

struct result {
	bool done;
	struct hold *hold;
	enum reason why;
	char detail[BUNDLE_WHY_MAX];
};

static void on_result(void *owner, struct hold *h, enum reason why, const char *detail)
{
	struct result *r = owner;

	r->done = true;
	r->hold = h;
	r->why = why;
	(void)snprintf(r->detail, sizeof(r->detail), "%s", detail);
}

/* Nothing else runs yet: a loop of its own is turned until the answer is there. Takes `fd`. */
static void load_now(struct ws *w, int fd, const struct bundle_order *o, struct result *ret)
{
	struct loop *l = NULL;
	struct err e = { 0 };
	int r;

	*ret = (struct result){ .why = REASON_ROLE_DOWN };
	r = loop_new(&l, &e);
	if (r < 0)
		(void)fd_close(fd);
	else
		bundle_load(w, l, fd, o, on_result, ret);
	while (r == 0 && !ret->done)
		r = loop_turn(l, -1, &e);
	if (r < 0) {
		bundle_cancel();
		(void)snprintf(ret->detail, sizeof(ret->detail), "%.390s", e.text);
	}
	loop_free(l);
}

static void note_refusal(struct ws *w, const char *name, uint64_t generation, const struct result *r)
{
	char text[BUNDLE_WHY_MAX + 64];
	struct event ev = { .kind = EVENT_POLICY, .action = EVENT_DENIED, .reason = (uint16_t)r->why, .generation = generation };

	(void)snprintf(text, sizeof(text), "%s%s%s", name, *r->detail ? ": " : "", r->detail);
	ev.verb = bytes_str("refused");
	ev.actor = bytes_str("supervisor");
	ev.detail = bytes_str(text);
	trail_note(w->trail, &ev);
	trail_flush(w->trail);
	log_line("%s: %s%s%s", name, reason_sentence(r->why), *r->detail ? ": " : "", r->detail);
}

static void try_file(struct ws *w, const char *name, int fd, const struct bundle_order *o, struct result *ret)
{
	struct err e = { 0 };

	if (fd < 0)
		fd = bundle_file_open(w, name, &e);
	if (fd < 0) {
		*ret = (struct result){ .why = fd == -ENOENT ? REASON_BUNDLE_MISSING : fault_of(fd, REASON_BUNDLE_MALFORMED) };
		if (fd != -ENOENT)
			(void)snprintf(ret->detail, sizeof(ret->detail), "%.390s", e.text);
	} else {
		load_now(w, fd, o, ret);
	}
	if (!ret->hold)
		note_refusal(w, name, o->generation, ret);
}

static bool same(int a_fd, int b_fd)
{
	const void *a = NULL;
	const void *b = NULL;
	size_t a_len = 0;
	size_t b_len = 0;
	bool eq = fd_map_sealed(a_fd, BUNDLE_MAX, &a, &a_len, NULL) == 0 && fd_map_sealed(b_fd, BUNDLE_MAX, &b, &b_len, NULL) == 0 &&
		  bytes_eq(bytes_of(a, a_len), bytes_of(b, b_len));

	if (a)
		(void)munmap((void *)(uintptr_t)a, a_len);
	if (b)
		(void)munmap((void *)(uintptr_t)b, b_len);
	return eq;
}

/* The one that was good the last time, unless it is the one that was just refused. */
static void fall_back(struct ws *w, struct result *ret)
{
	struct bundle_loaded last = { 0 };
	struct err e = { 0 };
	FD_AUTO int wanted_fd = bundle_file_open(w, "bundle", &e);
	FD_AUTO int fd = bundle_loaded_open(w, &last, &e);

	if (fd < 0 || (wanted_fd >= 0 && same(fd, wanted_fd) && bytes_eq(w->spec.policy_channel, bytes_str(last.channel))))
		return;
	try_file(w, "loaded", fd_take(&fd),
		 &(struct bundle_order){ .generation = last.generation, .rollback = last.serial, .channel = bytes_str(last.channel) }, ret);
	if (ret->hold)
		w->policy_note = "runs by the last good policy: the present one was refused, see the audit log";
}

static void on_loaded_written(void *owner, uint64_t id, bool ok)
{
	(void)id;
	*(bool *)owner = ok;
}

static int note_loaded(struct ws *w, const struct hold *h, struct err *e)
{
	struct event ev = { .kind = EVENT_POLICY, .action = EVENT_NOTE, .generation = hold_generation(h) };
	bool ok = false;

	ev.verb = bytes_str("loaded");
	ev.actor = bytes_str("supervisor");
	ev.name = policy_label(hold_policy(h));
	ev.detail = bytes_str(hold_origin(h));
	trail_write(w->trail, &ev, 1, on_loaded_written, &ok);
	trail_flush(w->trail);
	return ok ? 0 : err_set(e, EIO, "%s", reason_sentence(REASON_AUDIT_UNWRITABLE));
}

int bundle_start(struct ws *w, struct hold **ret, struct err *e)
{
	const struct bundle_order o = { .generation = w->spec.generation, .rollback = w->spec.policy_rollback,
					.channel = w->spec.policy_channel };
	struct result first;
	struct result last;
	int r;

	try_file(w, "bundle", -1, &o, &first);
	last = first;
	if (!first.hold)
		fall_back(w, &last);
	if (!last.hold)
		return err_set(e, EBADMSG, "policy: %s%s%s; %s", reason_sentence(first.why), *first.detail ? ": " : "", first.detail,
			       reason_remedy(first.why));
	trail_policy(w->trail, hold_generation(last.hold), policy_label(hold_policy(last.hold)), policy_lab(hold_policy(last.hold)));
	r = note_loaded(w, last.hold, e);
	r = r < 0 ? r : bundle_keep(w, last.hold, e);
	if (r < 0)
		hold_free(last.hold);
	else
		*ret = last.hold;
	return r;
}

int bundle_keep(struct ws *w, struct hold *h, struct err *e)
{
	struct bundle_loaded l = { .serial = hold_serial(h), .generation = hold_generation(h) };
	FD_AUTO int fd = hold_take_bundle(h);

	(void)snprintf(l.channel, sizeof(l.channel), "%s", hold_channel(h));
	return bundle_loaded_write(w, &l, fd, e);
}
