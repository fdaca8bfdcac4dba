#include "os/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "os/child.h"
#include "os/fd.h"

/* mke2fs formats a fresh sparse file that nobody else has seen. After its first start a disk's contents are the guest's: no
 * program of the host parses them again, the kernel least of all. assume_storage_prezeroed keeps the inode tables unwritten
 * on both sides, so that an empty disk of 10 GiB holds 5 MiB and no thread in the guest wipes them later. */

enum { MKE2FS_MS_MAX = 60 * 1000 };

static const char *mke2fs_path(void)
{
	static const char *const places[] = { "/usr/sbin/mke2fs", "/sbin/mke2fs" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static int wait_for(struct child *c, struct err *e)
{
	struct pollfd p = { .fd = c->pid_fd, .events = POLLIN };
	char text[CHILD_END_TEXT_MAX];
	struct child_end end;
	int r;

	do
		r = poll(&p, 1, MKE2FS_MS_MAX);
	while (r < 0 && errno == EINTR);
	if (r <= 0) {
		child_kill(c);
		return err_set(e, ETIMEDOUT, "mke2fs did not end within a minute: is the disk overloaded?");
	}
	r = child_reap(c, &end);
	if (r < 0)
		return err_sys(e, -r, "wait for mke2fs");
	if (end.signalled || end.code) {
		child_end_text(&end, text);
		return err_set(e, EIO, "mke2fs failed with %s: is the file system full?", text);
	}
	return 0;
}

static int format(const char *path, const char *label, struct err *e)
{
	const char *program = mke2fs_path();
	struct child c;
	int r;

	if (!program)
		return err_set(e, ENOENT, "mke2fs is missing: install e2fsprogs");
	r = child_start(&c,
			&(struct child_spec){
				.path = program,
				.title = "mke2fs",
				.args = (const char *const[]){
					"-q", "-F", "-t", "ext4", "-m", "0", "-L", label, "-E",
					"lazy_itable_init=1,lazy_journal_init=1,assume_storage_prezeroed=1,root_owner=0:0",
					path, NULL },
			},
			e);
	return r < 0 ? r : wait_for(&c, e);
}

static int make(const char *fresh, uint64_t bytes, const char *label, struct err *e)
{
	FD_AUTO int fd = -1;
	int r;

	/* A file of its own: who made the one before may be ending just now. */
	(void)unlink(fresh);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s", fresh);
	if (ftruncate(fd, (off_t)bytes) < 0)
		return err_sys(e, errno, "set the size of %s", fresh);
	r = format(fresh, label, e);
	if (r < 0)
		return r;
	return fdatasync(fd) < 0 ? err_sys(e, errno, "write %s", fresh) : 0;
}

int disk_create(const char *path, uint64_t bytes, const char *label, struct err *e)
{
	char fresh[4096];
	int len, r;

	if (bytes < DISK_BYTES_MIN || bytes > DISK_BYTES_MAX)
		return err_set(e, EINVAL, "a disk of %llu bytes: sizes go from 64MiB to 16TiB", (unsigned long long)bytes);
	if (access(path, F_OK) == 0)
		return 0;
	len = snprintf(fresh, sizeof(fresh), "%s.new", path);
	if (len < 0 || (size_t)len >= sizeof(fresh))
		return err_set(e, ENAMETOOLONG, "path of the disk: too long");
	r = make(fresh, bytes, label, e);
	if (r == 0 && rename(fresh, path) < 0)
		r = err_sys(e, errno, "rename %s", fresh);
	if (r < 0)
		(void)unlink(fresh);
	return r;
}
