#include "workspace/supervisor/bundle_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "wire/bundle.h"
#include "workspace/supervisor/ws.h"

enum { VERSION = 1, RECORD_MAX = 4096 };

static int open_dir(const struct ws *w, struct err *e)
{
	int fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? err_sys(e, errno, "open %s", w->dir) : fd;
}

static int write_all(int fd, struct bytes data)
{
	while (data.len) {
		ssize_t n = write(fd, data.p, data.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data = bytes_skip(data, (size_t)n);
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Whole or not at all: written beside, synced, renamed, folder synced. */
static int put(int dir_fd, const char *name, struct bytes data, struct err *e)
{
	FD_AUTO int fd = -1;
	char fresh[64];
	int r;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", name);
	fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : write_all(fd, data);
	if (r == 0 && (renameat(dir_fd, fresh, dir_fd, name) < 0 || fsync(dir_fd) < 0))
		r = -errno;
	return r < 0 ? err_sys(e, -r, "write %s", name) : 0;
}

int bundle_loaded_read(const struct ws *w, struct bundle_loaded *ret, struct err *e)
{
	struct bundle_loaded l = { 0 };
	FD_AUTO int dir_fd = open_dir(w, e);
	FD_AUTO int fd = -1;
	uint8_t raw[RECORD_MAX];
	struct bytes channel;
	struct msg_in in;
	ssize_t n;

	if (dir_fd < 0)
		return dir_fd;
	fd = openat(dir_fd, "loaded", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		*ret = l;
		return 0;
	}
	n = fd < 0 ? -1 : read(fd, raw, sizeof(raw));
	if (n < 0)
		return err_sys(e, errno, "read loaded");
	if (!msg_open(&in, bytes_of(raw, (size_t)n)) || in.type != MSG_LOADED || msg_get_u64(&in) != VERSION)
		return err_set(e, EBADMSG, "%s/loaded is malformed or of a newer version: which policy was loaded last is not known", w->dir);
	l.serial = msg_get_max(&in, MANIFEST_SERIAL_MAX);
	l.generation = msg_get_u64(&in);
	channel = msg_get_bytes(&in, MANIFEST_CHANNEL_MAX);
	if (!msg_end(&in))
		return err_set(e, EBADMSG, "%s/loaded is malformed: which policy was loaded last is not known", w->dir);
	(void)snprintf(l.channel, sizeof(l.channel), "%.*s", (int)channel.len, (const char *)channel.p);
	*ret = l;
	return 0;
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
	r = put(dir_fd, "loaded.bundle", bytes_of(raw, len), e);
	(void)munmap((void *)(uintptr_t)raw, len);
	if (r < 0)
		return r;
	msg_start(&m, MSG_LOADED);
	msg_u64(&m, VERSION);
	msg_u64(&m, l->serial);
	msg_u64(&m, l->generation);
	msg_str(&m, l->channel);
	return put(dir_fd, "loaded", bytes_of(m.p, m.len), e);
}

static int read_whole(int fd, uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = read(fd, p + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

int bundle_file_open(const struct ws *w, const char *name, struct err *e)
{
	FD_AUTO int dir_fd = open_dir(w, e);
	FD_AUTO int fd = dir_fd < 0 ? -1 : openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	uint8_t *p;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "open %s", name);
	if (st.st_size <= 0 || st.st_size > BUNDLE_MAX)
		return err_set(e, EBADMSG, "%s has %lld bytes, allowed are 1 to %d", name, (long long)st.st_size, BUNDLE_MAX);
	p = malloc((size_t)st.st_size);
	if (!p)
		return err_set(e, ENOMEM, "out of memory");
	r = read_whole(fd, p, (size_t)st.st_size);
	r = r < 0 ? err_sys(e, -r, "read %s", name) : fd_sealed("bundle", p, (size_t)st.st_size, e);
	free(p);
	return r;
}
