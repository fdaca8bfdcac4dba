#include "sawd/compiler/work.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "crypt/sha256.h"
#include "crypt/sshsig.h"
#include "ipc/sawd_types.h"
#include "os/fd.h"
#include "os/log.h"
#include "os/loop.h"
#include "rules/bundle_check.h"
#include "rules/policy_compile.h"

enum { ROOM_FOR_PROBLEMS = MSG_MAX - 4096 };

static const struct bundle_crypto crypto = { sha256, ed25519_verify, sshsig_verify };
static struct msg out;

static void refuse(struct chan *to, uint64_t req, const struct policy_problems *p)
{
	uint64_t n = 0;
	size_t room = ROOM_FOR_PROBLEMS;

	/* Only whole problems that fit: the message is never cut. */
	for (size_t i = 0; i < p->n && n < SAWD_PROBLEMS_MAX; i++) {
		size_t need = strlen(p->v[i].text) + 32;

		if (p->v[i].severity != POLICY_ERROR)
			continue;
		if (need > room)
			break;
		room -= need;
		n++;
	}
	msg_start(&out, MSG_SAWD_REFUSED);
	msg_u64(&out, req);
	msg_u64(&out, n);
	for (size_t i = 0; n; i++) {
		if (p->v[i].severity != POLICY_ERROR)
			continue;
		msg_u64(&out, p->v[i].line);
		msg_u64(&out, p->v[i].column);
		msg_str(&out, p->v[i].text);
		n--;
	}
	chan_send(to, &out);
}

static void refuse_one(struct chan *to, uint64_t req, const char *why)
{
	msg_start(&out, MSG_SAWD_REFUSED);
	msg_u64(&out, req);
	msg_u64(&out, 1);
	msg_u64(&out, 1);
	msg_u64(&out, 1);
	msg_str(&out, why);
	chan_send(to, &out);
}

/* This machine's failure, and no word about the policy. */
static void not_now(struct chan *to, uint64_t req, const char *why)
{
	log_line("%s", why);
	msg_start(&out, MSG_SAWD_NOT_NOW);
	msg_u64(&out, req);
	msg_str(&out, why);
	chan_send(to, &out);
}

static void unsound(struct chan *to, uint64_t req, enum reason why, const char *more)
{
	msg_start(&out, MSG_SAWD_UNSOUND);
	msg_u64(&out, req);
	msg_u64(&out, why);
	msg_str(&out, more);
	chan_send(to, &out);
}

/* False when the request is answered with its problems. *ret borrows from `blob`. */
static bool compile(struct chan *to, uint64_t req, struct bytes text, bool production, struct buf *blob, struct policy *ret)
{
	const struct policy_options options = { .sha256 = sha256, .production = production };
	POLICY_PROBLEMS_AUTO struct policy_problems problems = { 0 };
	struct err e = { 0 };

	if (!policy_compile(text, &options, blob, &problems)) {
		if (problems.n_errors)
			refuse(to, req, &problems);
		else
			not_now(to, req, "out of memory for a policy");
		return false;
	}
	if (!policy_open(ret, buf_view(blob), &e)) {
		log_line("%s", e.text);
		refuse_one(to, req, "the compiler failed by itself: see the log");
		return false;
	}
	return true;
}

static void put_observes(const struct policy *p)
{
	BUF_AUTO struct buf names = { .max = POLICY_OBSERVES_MAX + 1 };

	policy_observes(p, &names);
	msg_bytes(&out, buf_view(&names));
}

static void answer(struct chan *to, uint64_t req, const struct policy *p)
{
	struct err e = { 0 };
	FD_AUTO int fd = fd_sealed("policy", p->blob.p, p->blob.len, &e);

	if (fd < 0) {
		not_now(to, req, e.text);
		return;
	}
	msg_start(&out, MSG_SAWD_COMPILED);
	msg_u64(&out, req);
	msg_bytes(&out, policy_label(p));
	msg_bytes(&out, policy_sha256(p));
	msg_u64(&out, policy_lab(p));
	put_observes(p);
	msg_fd(&out, fd);
	chan_send(to, &out);
}

bool work_compile(struct chan *to, struct msg_in *in)
{
	uint64_t req = msg_get_u64(in);
	bool production = msg_get_max(in, 1) == 1;
	FD_AUTO int fd = msg_take_fd(in);
	struct policy p = { 0 };
	struct err e = { 0 };
	const void *text = NULL;
	size_t len = 0;
	struct buf blob;
	int r;

	if (!msg_end(in))
		return false;
	r = fd_map_sealed(fd, POLICY_TEXT_MAX, &text, &len, &e);
	if (r == -EFBIG)
		refuse_one(to, req, "the policy text is empty or over 8 MiB");
	else if (r < 0)
		not_now(to, req, e.text);
	if (r < 0)
		return true;
	buf_init(&blob, POLICY_BLOB_MAX);
	if (compile(to, req, bytes_of(text, len), production, &blob, &p))
		answer(to, req, &p);
	buf_deinit(&blob);
	(void)munmap((void *)(uintptr_t)text, len);
	return true;
}

static void tell_checked(struct chan *to, uint64_t req, const struct bundle_checked *c, const struct policy *p)
{
	char fingerprint[BUNDLE_FINGERPRINT_MAX];
	struct err e = { 0 };
	FD_AUTO int fd = fd_sealed("policy", p->blob.p, p->blob.len, &e);

	if (fd < 0) {
		not_now(to, req, e.text);
		return;
	}
	bundle_fingerprint(c->key, &crypto, fingerprint);
	msg_start(&out, MSG_SAWD_CHECKED);
	msg_u64(&out, req);
	msg_bytes(&out, bytes_of(c->id, sizeof(c->id)));
	msg_u64(&out, c->manifest.serial);
	msg_bytes(&out, policy_label(p));
	msg_u64(&out, policy_lab(p));
	put_observes(p);
	msg_str(&out, fingerprint);
	msg_u64(&out, c->manifest.created_ms);
	msg_u64(&out, c->manifest.expires_ms);
	msg_fd(&out, fd);
	chan_send(to, &out);
}

static void check(struct chan *to, uint64_t req, struct bytes raw, struct bytes channel, const struct bundle_keys *trusted)
{
	struct bundle_checked c;
	struct policy p = { 0 };
	struct buf blob;
	const char *more;
	enum reason why = bundle_check(raw, channel, trusted, clock_real_ms(), &crypto, &c, &more);

	if (why != REASON_OK) {
		unsound(to, req, why, more);
		return;
	}
	buf_init(&blob, POLICY_BLOB_MAX);
	if (compile(to, req, c.parts.policy, manifest_channel_is_production(channel), &blob, &p)) {
		if (bytes_is(policy_label(&p), c.manifest.policy))
			tell_checked(to, req, &c, &p);
		else
			unsound(to, req, REASON_BUNDLE_MANIFEST, "it calls the policy by another name than the policy itself");
	}
	buf_deinit(&blob);
}

bool work_check(struct chan *to, struct msg_in *in)
{
	uint64_t req = msg_get_u64(in);
	struct bytes channel = msg_get_bytes(in, MANIFEST_CHANNEL_MAX);
	struct bundle_keys trusted = { .n = msg_get_max(in, BUNDLE_KEYS_MAX) };
	FD_AUTO int fd = -1;
	struct err e = { 0 };
	const void *raw = NULL;
	size_t len = 0;
	int r;

	for (size_t i = 0; i < trusted.n; i++) {
		struct bytes key = msg_get_bytes(in, BUNDLE_KEY);

		if (key.len != BUNDLE_KEY)
			return false;
		memcpy(trusted.key[i], key.p, BUNDLE_KEY);
	}
	fd = msg_take_fd(in);
	if (!msg_end(in))
		return false;
	r = fd_map_sealed(fd, BUNDLE_MAX, &raw, &len, &e);
	if (r == -EFBIG)
		unsound(to, req, REASON_BUNDLE_MALFORMED, "");
	else if (r < 0)
		not_now(to, req, e.text);
	if (r < 0)
		return true;
	check(to, req, bytes_of(raw, len), channel, &trusted);
	(void)munmap((void *)(uintptr_t)raw, len);
	return true;
}
