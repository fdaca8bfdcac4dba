#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "crypt/ed25519.h"
#include "crypt/sha256.h"
#include "ipc/trust.h"
#include "os/fd.h"
#include "os/paths.h"
#include "rules/bundle_check.h"
#include "rules/policy_compile.h"
#include "sawd/core/core.h"
#include "wire/bundle.h"

/* A policy that came as a plain file: the compiler says whether it is good, keeper signs its manifest with the local Security key, and from
 * then on it is a bundle like any other. */

struct signing {
	struct core *core;
	uint64_t req;
	uint64_t serial_above;
	const char *remedy; /* of a refusal */
	char file[SAWD_FILE_NAME_MAX + 1];
	int text_fd;
	struct buf manifest;
	struct release release;
	sign_fn done;
	void *owner;
};

static void end(struct signing *s, const struct release *r)
{
	sign_fn done = s->done;
	void *owner = s->owner;

	(void)fd_close(s->text_fd);
	buf_deinit(&s->manifest);
	done(owner, r);
	free(s);
}

static void fault(struct signing *s, int r, const struct err *e)
{
	api_error(s->core, s->req, r, e);
	end(s, NULL);
}

static void unavailable(struct signing *s, const char *detail)
{
	api_problem(s->core, s->req, &(struct sawd_problem){ .status = 503, .exit_code = 1, .code = "unavailable", .detail = detail,
							     .remedy = "try again in a moment" });
	end(s, NULL);
}

/* Each supervisor judges for itself. But a person hears here, and before anything is stored, that none would load it. */
static bool is_trusted(struct core *c, const uint8_t key[ED25519_PUBLIC])
{
	struct bundle_keys trusted;
	char folder[PATHS_MAX];
	struct err e = { 0 };

	if (paths_join(folder, c->state, TRUST_FOLDER, &e) < 0 || trust_read(folder, &trusted, &e) < 0)
		return true; /* nobody knows */
	for (size_t i = 0; i < trusted.n; i++)
		if (memcmp(trusted.key[i], key, ED25519_PUBLIC) == 0)
			return true;
	return false;
}

static void untrusted(struct signing *s)
{
	api_problem(s->core, s->req,
		    &(struct sawd_problem){ .status = 409, .exit_code = 1, .code = "conflict", .field = "text",
					    .detail = "policy files are signed by this machine's local key, which is not trusted here",
					    .remedy = "use a channel that Security pushes to (`saw policy channel ls`); nothing was changed" });
	end(s, NULL);
}

static int store(struct signing *s, struct bytes signature, struct err *e)
{
	const void *text = NULL;
	size_t len = 0;
	uint8_t id[SHA256_LEN];
	struct buf raw;
	int r = fd_map_sealed(s->text_fd, POLICY_TEXT_MAX, &text, &len, e);

	if (r < 0)
		return r;
	buf_init(&raw, BUNDLE_MAX);
	sha256(buf_view(&s->manifest), id);
	sha256_hex(id, s->release.id);
	if (bundle_put(&raw, &(struct bundle){ buf_view(&s->manifest), signature, bytes_of(text, len) }))
		r = bundles_put(s->core, s->release.id, buf_view(&raw), e);
	else
		r = err_set(e, ENOMEM, "out of memory for a policy");
	buf_deinit(&raw);
	(void)munmap((void *)(uintptr_t)text, len);
	return r;
}

static bool on_signed(void *owner, struct msg_in *in)
{
	struct signing *s = owner;
	struct bytes key = in ? msg_get_bytes(in, ED25519_PUBLIC) : bytes_of(NULL, 0);
	struct bytes signature = in ? msg_get_bytes(in, ED25519_SIGNATURE) : bytes_of(NULL, 0);
	struct err e = { 0 };
	int r;

	if (!in) {
		unavailable(s, "the keeper of keys is restarting");
		return true;
	}
	if (!msg_end(in))
		return false;
	if (key.len != ED25519_PUBLIC || signature.len != ED25519_SIGNATURE) {
		fault(s, -EIO, &(struct err){ "the keeper of keys could not sign the policy" });
		return true;
	}
	if (!is_trusted(s->core, key.p)) {
		untrusted(s);
		return true;
	}
	r = store(s, signature, &e);
	if (r < 0)
		fault(s, r, &e);
	else
		end(s, &s->release);
	return true;
}

static const struct ask_kind signature = { SAWD_KEEPER, { MSG_SAWD_SIGNED }, on_signed };

/* The serial grows by itself: with time, and always above the last one. Where that was the last of all (a channel was moved there by force, and left
 * for this file since), it begins again with time: the record says that it was meant. */
static int make_manifest(struct signing *s, struct err *e)
{
	uint64_t now = clock_real_ms();
	struct manifest m = { .serial = now / 1000, .created_ms = now, .compiler = SAW_VERSION };
	const void *text = NULL;
	size_t len = 0;
	int r = fd_map_sealed(s->text_fd, POLICY_TEXT_MAX, &text, &len, e);

	if (r < 0)
		return r;
	sha256(bytes_of(text, len), m.sha256);
	(void)munmap((void *)(uintptr_t)text, len);
	if (m.serial <= s->serial_above && s->serial_above < MANIFEST_SERIAL_MAX)
		m.serial = s->serial_above + 1;
	(void)snprintf(m.policy, sizeof(m.policy), "%s", s->release.policy_name);
	s->release.serial = m.serial;
	s->release.created_ms = now;
	return manifest_put(&s->manifest, &m) ? 0 : err_set(e, ENOMEM, "out of memory for a policy");
}

static void ask_keeper(struct signing *s)
{
	struct core *c = s->core;
	struct err e = { 0 };
	uint64_t req;
	int r;

	if (!c->peers[SAWD_KEEPER]) {
		(void)on_signed(s, NULL);
		return;
	}
	r = make_manifest(s, &e);
	if (r < 0) {
		fault(s, r, &e);
		return;
	}
	req = ask_new(c, &signature, s);
	msg_start(&core_out, MSG_SAWD_SIGN);
	msg_u64(&core_out, req);
	msg_bytes(&core_out, buf_view(&s->manifest));
	core_send(c, SAWD_KEEPER);
}

static bool on_compiled(struct signing *s, struct msg_in *in)
{
	struct bytes name = msg_get_bytes(in, SAWD_POLICY_NAME_MAX);
	struct bytes hash = msg_get_bytes(in, SHA256_LEN);
	uint64_t lab = msg_get_max(in, 1);
	struct bytes observes = msg_get_bytes(in, SAWD_OBSERVES_MAX);
	FD_AUTO int fd = msg_take_fd(in);
	struct err e = { 0 };
	int r;

	(void)hash; /* policies_store() computes it */
	if (!msg_end(in))
		return false;
	(void)snprintf(s->release.policy_name, sizeof(s->release.policy_name), "%.*s", (int)name.len, (const char *)name.p);
	s->release.policy_lab = lab;
	(void)snprintf(s->release.policy_observes, sizeof(s->release.policy_observes), "%.*s", (int)observes.len, (const char *)observes.p);
	r = policies_store(s->core, fd, s->release.policy_sha256, &e);
	if (r < 0)
		fault(s, r, &e);
	else
		ask_keeper(s);
	return true;
}

static bool on_compiler(void *owner, struct msg_in *in)
{
	struct signing *s = owner;
	char text[SAWD_FILE_NAME_MAX + 64];

	if (!in) {
		unavailable(s, "the policy compiler is restarting");
		return true;
	}
	if (in->type == MSG_SAWD_COMPILED)
		return on_compiled(s, in);
	if (in->type == MSG_SAWD_NOT_NOW) {
		if (!api_not_now(s->core, s->req, in))
			return false;
		end(s, NULL);
		return true;
	}
	(void)snprintf(text, sizeof(text), "policy %.900s was refused", s->file);
	if (!api_refused(s->core, s->req, text, s->remedy, in))
		return false;
	end(s, NULL);
	return true;
}

static const struct ask_kind compiled = { SAWD_COMPILER, { MSG_SAWD_COMPILED, MSG_SAWD_REFUSED, MSG_SAWD_NOT_NOW }, on_compiler };

void sign_policy(struct core *c, uint64_t req, const struct sign_order *o, sign_fn done, void *owner)
{
	struct signing *s = calloc(1, sizeof(*s));
	uint64_t ask;

	if (!s) {
		(void)fd_close(o->text_fd);
		api_error(c, req, -ENOMEM, &(struct err){ "out of memory for a call" });
		done(owner, NULL);
		return;
	}
	*s = (struct signing){ .core = c, .req = req, .serial_above = o->serial_above, .remedy = o->remedy, .text_fd = o->text_fd,
			       .done = done, .owner = owner };
	(void)snprintf(s->file, sizeof(s->file), "%s", o->file);
	buf_init(&s->manifest, BUNDLE_MANIFEST_MAX);
	if (!c->peers[SAWD_COMPILER]) {
		(void)on_compiler(s, NULL);
		return;
	}
	ask = ask_new(c, &compiled, s);
	msg_start(&core_out, MSG_SAWD_COMPILE);
	msg_u64(&core_out, ask);
	msg_u64(&core_out, 0);
	msg_fd(&core_out, s->text_fd);
	core_send(c, SAWD_COMPILER);
}
