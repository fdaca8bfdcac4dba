#include "ipc/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "wire/key_file.h"

static const char end[] = ".pub";

bool trust_name_ok(struct bytes name)
{
	if (name.len == 0 || name.len > TRUST_NAME_MAX || name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

/* Of this process or machine, and not of the file. */
static bool passes(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* NULL, or what is wrong with it; *ret_error: why it could not be opened. */
static const char *read_one(int dir_fd, const char *file, uint8_t ret[BUNDLE_KEY], int *ret_error)
{
	FD_AUTO int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t text[KEY_FILE_MAX];
	struct stat st;
	ssize_t n;

	*ret_error = fd < 0 ? errno : 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ELOOP ? "is a symbolic link" : "cannot be read";
	if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 022))
		return "must be a file of yours that nobody else can write: chmod 0600 it";
	n = read(fd, text, sizeof(text));
	if (n < 0 || (size_t)n == sizeof(text))
		return "cannot be read, or is too long";
	switch (key_file_public(bytes_of(text, (size_t)n), ret)) {
	case KEY_FILE_DONE:
		return NULL;
	case KEY_FILE_OTHER:
		return "is a key of another type than Ed25519";
	case KEY_FILE_WRONG_HALF:
		return "is a private key: take it away from here";
	case KEY_FILE_ENCRYPTED:
	case KEY_FILE_BAD:
	default:
		return "is no public key";
	}
}

/* `file` without its end, into ret; false when it is none of ours. */
static bool name_of(const char *file, char ret[TRUST_NAME_MAX + 1])
{
	struct bytes name = bytes_str(file);

	if (!bytes_ends(name, bytes_str(end)))
		return false;
	name.len -= sizeof(end) - 1;
	if (!trust_name_ok(name))
		return false;
	memcpy(ret, name.p, name.len);
	ret[name.len] = '\0';
	return true;
}

int trust_each(const char *folder, trust_fn fn, void *ctx, struct err *e)
{
	char name[TRUST_NAME_MAX + 1];
	uint8_t key[BUNDLE_KEY];
	struct dirent *entry;
	DIR *d = opendir(folder);

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "read the trusted keys in %s", folder);
	while ((entry = readdir(d)) != NULL) {
		const char *why;
		int error;

		if (!name_of(entry->d_name, name))
			continue;
		why = read_one(dirfd(d), entry->d_name, key, &error);
		if (passes(error)) {
			(void)closedir(d);
			return err_sys(e, error, "read the trusted key %s", name);
		}
		if (!fn(ctx, name, why ? NULL : key, why))
			break;
	}
	(void)closedir(d);
	return 0;
}

struct reading {
	struct bundle_keys *keys;
	struct err *e;
	int n_bad;
};

static bool take(void *ctx, const char *name, const uint8_t *key, const char *why)
{
	struct reading *r = ctx;

	if (key && r->keys->n < BUNDLE_KEYS_MAX) {
		memcpy(r->keys->key[r->keys->n++], key, BUNDLE_KEY);
		return true;
	}
	r->n_bad++;
	(void)err_set(r->e, EINVAL, "trusted key %s %s", name, why ? why : "is one too many");
	return true;
}

int trust_read(const char *folder, struct bundle_keys *ret, struct err *e)
{
	struct reading r = { .keys = ret, .e = e };
	int res;

	ret->n = 0;
	res = trust_each(folder, take, &r, e);
	return res < 0 ? res : r.n_bad;
}
