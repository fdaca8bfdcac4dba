/* One seed for the CA, another from which host keys are derived (HMAC-SHA-256 over a label and the workspace's id): nothing is
 * stored per workspace, re-running a provisioning step gives the same key, and a rebuilt machine is still recognised. */
#include "sawd/keeper/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/random.h"
#include "crypt/sha256.h"
#include "ipc/sawd_types.h"
#include "ipc/trust.h"
#include "os/fd.h"
#include "sawd/keeper/seal_file.h"

enum { VALID_MAX_S = SAWD_CERT_MS / 1000 + 120, LABEL_MAX = 128, LINE_MAX_LEN = 256 };

struct keys {
	struct ed25519 *ca;
	struct ed25519 *security;
	uint8_t host_seed[ED25519_SEED];
};

static int read_seed(int fd, const char *path, uint8_t seed[ED25519_SEED], struct err *e)
{
	uint8_t more[ED25519_SEED + 1];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return err_set(e, EPERM, "%s: must be a file of ours with mode 0600: chmod and chown it", path);
	n = pread(fd, more, sizeof(more), 0);
	if (n < 0)
		return err_sys(e, errno, "read %s", path);
	if (n != ED25519_SEED)
		return err_set(e, EBADMSG, "%s: not a key: restore it from a backup, or remove it and rebuild all workspaces", path);
	memcpy(seed, more, ED25519_SEED);
	explicit_bzero(more, sizeof(more));
	return 0;
}

static int make_seed(int dir_fd, const char *name, uint8_t seed[ED25519_SEED], struct err *e)
{
	random_bytes(seed, ED25519_SEED);
	return seal_file_put_plain(dir_fd, name, bytes_of(seed, ED25519_SEED), e);
}

static int take_seed(int dir_fd, const char *name, uint8_t seed[ED25519_SEED], struct err *e)
{
	FD_AUTO int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		return read_seed(fd, name, seed, e);
	return errno == ENOENT ? make_seed(dir_fd, name, seed, e) : err_sys(e, errno, "open %s", name);
}

/* Trusted before it is kept: one that is kept is never made again, and would then be trusted by nobody. */
static int make_security(int dir_fd, struct keys *k, struct err *e)
{
	FD_AUTO int trusted_fd = openat(dir_fd, "security", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t seed[ED25519_SEED];
	uint8_t key[ED25519_PUBLIC];
	struct buf line;
	int r;

	if (trusted_fd < 0)
		return err_sys(e, errno, "open security");
	buf_init(&line, LINE_MAX_LEN);
	random_bytes(seed, sizeof(seed));
	k->security = ed25519_new(seed);
	if (k->security)
		ed25519_public(k->security, key);
	if (k->security && ssh_key_put_line(&line, key, "the local Security key of this machine") && buf_byte(&line, '\n'))
		r = seal_file_put_plain(trusted_fd, TRUST_LOCAL ".pub", buf_view(&line), e);
	else
		r = err_set(e, ENOMEM, "out of memory");
	r = r < 0 ? r : seal_file_put_plain(dir_fd, "security.seed", bytes_of(seed, sizeof(seed)), e);
	explicit_bzero(seed, sizeof(seed));
	buf_deinit(&line);
	return r;
}

static int open_security(int dir_fd, struct keys *k, struct err *e)
{
	FD_AUTO int fd = openat(dir_fd, "security.seed", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t seed[ED25519_SEED];
	int r;

	if (fd < 0)
		return errno == ENOENT ? make_security(dir_fd, k, e) : err_sys(e, errno, "open security.seed");
	r = read_seed(fd, "security.seed", seed, e);
	if (r == 0)
		k->security = ed25519_new(seed);
	explicit_bzero(seed, sizeof(seed));
	return r < 0 || k->security ? r : err_set(e, ENOMEM, "out of memory");
}

/* A signature that verifies, before anything is promised. It also makes libcrypto load now what it could not load in the jail. */
static bool self_test(const struct keys *k)
{
	uint8_t public_key[ED25519_PUBLIC];
	uint8_t signature[ED25519_SIGNATURE];

	if (!keys_host_public(k, bytes_str("ws-000000000000"), public_key) || !ed25519_sign(k->ca, bytes_str("saw"), signature))
		return false;
	keys_ca(k, public_key);
	return ed25519_verify(public_key, bytes_str("saw"), signature);
}

int keys_open(struct keys **ret, const char *folder, struct err *e)
{
	FD_AUTO int dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct keys *k = calloc(1, sizeof(*k));
	uint8_t seed[ED25519_SEED];
	int r;

	if (!k)
		return err_set(e, ENOMEM, "out of memory");
	r = dir_fd < 0 ? err_sys(e, errno, "open") : take_seed(dir_fd, "user_ca.seed", seed, e);
	if (r == 0) {
		k->ca = ed25519_new(seed);
		explicit_bzero(seed, sizeof(seed));
		r = k->ca ? take_seed(dir_fd, "host_keys.seed", k->host_seed, e) : err_set(e, ENOMEM, "out of memory");
	}
	r = r < 0 ? r : open_security(dir_fd, k, e);
	if (r == 0 && !self_test(k))
		r = err_set(e, EIO, "the user CA's key signs nothing that verifies: is libcrypto whole?");
	if (r < 0) {
		keys_free(k);
		return err_in(e, r, "key folder %s", folder);
	}
	*ret = k;
	return 0;
}

struct keys *keys_free(struct keys *k)
{
	if (!k)
		return NULL;
	ed25519_free(k->ca);
	ed25519_free(k->security);
	explicit_bzero(k, sizeof(*k));
	free(k);
	return NULL;
}

void keys_ca(const struct keys *k, uint8_t ret[SSH_KEY_PUBLIC])
{
	ed25519_public(k->ca, ret);
}

static bool host_seed(const struct keys *k, struct bytes id, uint8_t ret[ED25519_SEED])
{
	struct buf label;
	bool ok;

	buf_init(&label, LABEL_MAX);
	ok = buf_str(&label, "saw ssh host key 1\n") && buf_bytes(&label, id);
	if (ok)
		sha256_hmac(bytes_of(k->host_seed, sizeof(k->host_seed)), buf_view(&label), ret);
	buf_deinit(&label);
	return ok;
}

bool keys_host_public(const struct keys *k, struct bytes id, uint8_t ret[SSH_KEY_PUBLIC])
{
	uint8_t seed[ED25519_SEED];
	struct ed25519 *key = host_seed(k, id, seed) ? ed25519_new(seed) : NULL;

	explicit_bzero(seed, sizeof(seed));
	if (!key)
		return false;
	ed25519_public(key, ret);
	ed25519_free(key);
	return true;
}

bool keys_host_private(const struct keys *k, struct bytes id, struct buf *out)
{
	uint8_t key[SSH_KEY_PUBLIC];
	uint8_t seed[ED25519_SEED];
	bool ok = keys_host_public(k, id, key) && host_seed(k, id, seed);

	ok = ok && ssh_key_put_private(out, seed, key, "saw");
	explicit_bzero(seed, sizeof(seed));
	return ok;
}

bool keys_certify(const struct keys *k, struct ssh_cert *c, struct buf *out)
{
	uint8_t signature[SSH_CERT_SIGNATURE];
	size_t start = out->len;

	if (c->valid_before <= c->valid_after || c->valid_before - c->valid_after > VALID_MAX_S)
		return false;
	random_bytes(c->nonce, sizeof(c->nonce));
	random_bytes(&c->serial, sizeof(c->serial));
	ed25519_public(k->ca, c->ca);
	return ssh_cert_put_body(out, c) &&
	       ed25519_sign(k->ca, bytes_of(out->p + start, out->len - start), signature) &&
	       ssh_cert_put_signature(out, signature);
}

bool keys_sign_policy(const struct keys *k, struct bytes manifest, uint8_t ret_key[ED25519_PUBLIC],
		      uint8_t ret_signature[ED25519_SIGNATURE])
{
	ed25519_public(k->security, ret_key);
	return ed25519_sign(k->security, manifest, ret_signature);
}
