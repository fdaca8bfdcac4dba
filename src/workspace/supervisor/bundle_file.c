#include "workspace/supervisor/bundle_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/fd.h"
#include "wire/bundle.h"
#include "workspace/supervisor/ws.h"

/* A record of version 1 had its bundle beside it, in a file that was renamed before it: dead in between, the number of one stood with the
 * contents of the other, and after a rollback neither could be loaded. It is read where it still is, and never written. */
enum { VERSION = 2, VERSION_BESIDE = 1, RECORD_MAX = 4096 };
static const char beside[] = "loaded.bundle";

static int open_dir(const struct ws *w, struct err *e)
{
	int fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? err_sys(e, errno, "open %s", w->dir) : fd;
}

/* Whole or not at all: written beside, synced, renamed, folder synced. */
static int put(int dir_fd, const char *name, struct bytes head, struct bytes rest, struct err *e)
{
	FD_AUTO int fd = -1;
	char fresh[64];
	int r;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", name);
	fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, head);
	r = r < 0 ? r : fd_write_all(fd, rest);
	if (r == 0 && (fsync(fd) < 0 || renameat(dir_fd, fresh, dir_fd, name) < 0 || fsync(dir_fd) < 0))
		r = -errno;
	return r < 0 ? err_sys(e, -r, "write %s", name) : 0;
}

/* All of a file of the workspace's folder. */
static int read_file(const struct ws *w, const char *name, struct buf *ret, struct err *e)
{
	FD_AUTO int dir_fd = open_dir(w, e);
	FD_AUTO int fd = dir_fd < 0 ? -1 : openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "open %s", name);
	if (st.st_size <= 0 || (uint64_t)st.st_size > ret->max)
		return err_set(e, EBADMSG, "%s has %lld bytes, allowed are 1 to %zu", name, (long long)st.st_size, ret->max);
	r = fd_read_all(fd, ret);
	return r < 0 ? err_sys(e, -r, "read %s", name) : 0;
}

/* What stands behind the record is its bundle; empty: it lies beside. */
static int read_loaded(const struct ws *w, struct bundle_loaded *ret, struct buf *raw, struct bytes *ret_bundle, struct err *e)
{
	struct bundle_loaded l = { 0 };
	int r = read_file(w, "loaded", raw, e);
	uint64_t version, len = 0;
	struct bytes channel;
	struct msg_in in;

	if (r < 0)
		return r;
	if (!msg_open(&in, buf_view(raw)) || in.type != MSG_LOADED)
		return err_set(e, EBADMSG, "%s/loaded is malformed: which policy was loaded last is not known; move it away if an older one may follow", w->dir);
	version = msg_get_u64(&in);
	l.serial = msg_get_max(&in, MANIFEST_SERIAL_MAX);
	l.generation = msg_get_u64(&in);
	channel = msg_get_bytes(&in, MANIFEST_CHANNEL_MAX);
	if (version == VERSION)
		len = msg_get_max(&in, BUNDLE_MAX);
	if (in.bad || (version != VERSION && version != VERSION_BESIDE) || in.left.len != len || (version == VERSION && !len))
		return err_set(e, EBADMSG, "%s/loaded is malformed or of a newer version: which policy was loaded last is not known", w->dir);
	(void)snprintf(l.channel, sizeof(l.channel), "%.*s", (int)channel.len, (const char *)channel.p);
	*ret = l;
	*ret_bundle = in.left;
	return 0;
}

int bundle_loaded_read(const struct ws *w, struct bundle_loaded *ret, struct err *e)
{
	struct buf raw BUF_AUTO = { 0 };
	struct bytes bundle;
	int r;

	buf_init(&raw, RECORD_MAX + BUNDLE_MAX);
	r = read_loaded(w, ret, &raw, &bundle, e);
	if (r == -ENOENT) {
		*ret = (struct bundle_loaded){ 0 };
		return 0;
	}
	return r;
}

int bundle_loaded_open(const struct ws *w, struct bundle_loaded *ret, struct err *e)
{
	struct buf raw BUF_AUTO = { 0 };
	struct bytes bundle = { 0 };
	int r;

	buf_init(&raw, RECORD_MAX + BUNDLE_MAX);
	r = read_loaded(w, ret, &raw, &bundle, e);
	if (r < 0)
		return r;
	return bundle.len ? fd_sealed("bundle", bundle.p, bundle.len, e) : bundle_file_open(w, beside, e);
}

int bundle_loaded_write(const struct ws *w, const struct bundle_loaded *l, int fd, struct err *e)
{
	static struct msg m;
	FD_AUTO int dir_fd = open_dir(w, e);
	const void *raw = NULL;
	size_t len = 0;
	int r = dir_fd < 0 ? dir_fd : fd_map_sealed(fd, BUNDLE_MAX, &raw, &len, e);

	if (r < 0)
		return r;
	msg_start(&m, MSG_LOADED);
	msg_u64(&m, VERSION);
	msg_u64(&m, l->serial);
	msg_u64(&m, l->generation);
	msg_str(&m, l->channel);
	msg_u64(&m, len);
	r = put(dir_fd, "loaded", bytes_of(m.p, m.len), bytes_of(raw, len), e);
	(void)munmap((void *)(uintptr_t)raw, len);
	if (r == 0)
		(void)unlinkat(dir_fd, beside, 0); /* nobody reads it any more */
	return r;
}

int bundle_file_open(const struct ws *w, const char *name, struct err *e)
{
	struct buf raw BUF_AUTO = { 0 };
	int r;

	buf_init(&raw, BUNDLE_MAX);
	r = read_file(w, name, &raw, e);
	return r < 0 ? r : fd_sealed("bundle", raw.p, raw.len, e);
}
