#include "cli/bundle_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/paths.h"

static const char manifest_name[] = "manifest.json";
static const char signature_name[] = "signature.sig";
static const char policy_name[] = "policy.yaml";

void bundle_dir_deinit(struct bundle_dir *d)
{
	buf_deinit(&d->manifest);
	buf_deinit(&d->signature);
	buf_deinit(&d->policy);
	buf_deinit(&d->container);
}

static int read_fd(int fd, const char *what, struct buf *ret, struct err *e)
{
	int r = fd_read_all(fd, ret);

	if (r == -EFBIG)
		return err_set(e, EFBIG, "%s is over %zu bytes: is it the right file?", what, ret->max);
	return r < 0 ? err_sys(e, -r, "read %s", what) : 0;
}

static int read_part(int dir_fd, const char *folder, const char *name, bool may_miss, struct buf *ret, struct err *e)
{
	FD_AUTO int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char path[PATHS_MAX];
	int r;

	if (fd < 0 && errno == ENOENT && may_miss)
		return 0;
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "%s is no bundle: it has no %s; `saw policy sign` makes one", folder, name);
	if (fd < 0)
		return err_sys(e, errno, "open %s/%s", folder, name);
	r = snprintf(path, sizeof(path), "%s/%s", folder, name);
	return read_fd(fd, r > 0 && r < PATHS_MAX ? path : name, ret, e);
}

static int read_folder(int fd, const char *path, struct bundle_dir *d, struct err *e)
{
	int r = read_part(fd, path, manifest_name, false, &d->manifest, e);

	r = r < 0 ? r : read_part(fd, path, signature_name, true, &d->signature, e);
	r = r < 0 ? r : read_part(fd, path, policy_name, false, &d->policy, e);
	if (r == 0 && !bundle_put(&d->container, &(struct bundle){ buf_view(&d->manifest), buf_view(&d->signature),
								     buf_view(&d->policy) }))
		r = err_set(e, EFBIG, "%s: one of its files is too long for a bundle", path);
	return r;
}

static int read_container(int fd, const char *path, struct bundle_dir *d, struct err *e)
{
	struct bundle b;
	int r = read_fd(fd, path, &d->container, e);

	if (r < 0)
		return r;
	if (bundle_get(buf_view(&d->container), &b) != BUNDLE_DONE)
		return err_set(e, EBADMSG, "%s is no bundle that this saw knows: give the folder that `saw policy sign` made", path);
	if (!buf_bytes(&d->manifest, b.manifest) || !buf_bytes(&d->signature, b.signature) || !buf_bytes(&d->policy, b.policy))
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

int bundle_dir_read(const char *path, struct bundle_dir *ret, struct err *e)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	buf_init(&ret->manifest, BUNDLE_MANIFEST_MAX);
	buf_init(&ret->signature, BUNDLE_SIGNATURE_MAX);
	buf_init(&ret->policy, BUNDLE_POLICY_MAX);
	buf_init(&ret->container, BUNDLE_MAX);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	return S_ISDIR(st.st_mode) ? read_folder(fd, path, ret, e) : read_container(fd, path, ret, e);
}

static int write_part(int dir_fd, const char *name, struct bytes data)
{
	FD_AUTO int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

static int write_parts(int dir_fd, const struct bundle *b)
{
	int r = write_part(dir_fd, policy_name, b->policy);

	r = r < 0 ? r : write_part(dir_fd, manifest_name, b->manifest);
	return r < 0 || !b->signature.len ? r : write_part(dir_fd, signature_name, b->signature);
}

int bundle_dir_write(const char *path, const struct bundle *b, struct err *e)
{
	char fresh[PATHS_MAX];
	FD_AUTO int fd = -1;
	struct stat st;
	size_t len = strlen(path);
	int r;

	while (len > 1 && path[len - 1] == '/')
		len--;
	r = snprintf(fresh, sizeof(fresh), "%.*s.XXXXXX", (int)len, path);
	if (r < 0 || r >= PATHS_MAX)
		return err_set(e, ENAMETOOLONG, "%s: the path is too long", path);
	if (lstat(path, &st) == 0)
		return err_set(e, EEXIST, "%s is there already: a bundle is not changed; remove it, or choose another --out", path);
	if (!mkdtemp(fresh))
		return err_sys(e, errno, "make a folder beside %s", path);
	fd = open(fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = fd < 0 ? -errno : write_parts(fd, b);
	if (r == 0 && (fchmod(fd, 0755) < 0 || rename(fresh, path) < 0))
		r = -errno;
	if (r < 0) {
		(void)unlinkat(fd, policy_name, 0);
		(void)unlinkat(fd, manifest_name, 0);
		(void)unlinkat(fd, signature_name, 0);
		(void)rmdir(fresh);
		if (r == -ENOTEMPTY || r == -EEXIST || r == -ENOTDIR) /* somebody made it meanwhile */
			return err_set(e, EEXIST, "%s is there already: a bundle is not changed; remove it, or choose another --out", path);
		return err_sys(e, -r, "write %s", path);
	}
	return 0;
}
