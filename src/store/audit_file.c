#include "store/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "store/audit_recover.h"

enum { WARM = 64 /* syncs before a journal is worth its space: a log that has few events stays one file */ };

/* Opens folder, file and journal, and makes a new file's name durable. */
static int open_files(struct audit_file *f, struct err *e)
{
	const char *slash = strrchr(f->path, '/');
	const char *name = slash ? slash + 1 : f->path;
	char dir[PATH_MAX] = ".";
	struct stat st;
	int len = slash ? snprintf(dir, sizeof(dir), "%.*s", (int)(slash - f->path + 1), f->path) : 1;
	int r;

	if (len >= (int)sizeof(dir) || snprintf(f->name, sizeof(f->name), "%s", name) >= (int)sizeof(f->name))
		return err_set(e, ENAMETOOLONG, "%s: the path is too long", f->path);
	f->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return err_sys(e, errno, "folder of %s", f->path);
	f->fd = openat(f->dir_fd, f->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return err_sys(e, errno, "%s", f->path);
	if (flock(f->fd, LOCK_EX | LOCK_NB))
		return err_sys(e, errno, "%s: lock (does another process write this log?)", f->path);
	/* Behind the lock: its size is final then. */
	r = fd_own_file(f->fd, f->path, &st, e);
	if (r)
		return r;
	r = audit_journal_open(&f->journal, f->dir_fd, f->name, e);
	if (r == 0 && fsync(f->dir_fd))
		r = err_sys(e, errno, "folder of %s", f->path);
	f->size = (uint64_t)st.st_size;
	return r;
}

int audit_file_open(struct audit_file *ret, const char *path, uint64_t max, struct audit_log_head *ret_head, struct err *e)
{
	int r;

	*ret = (struct audit_file){ .fd = -1, .dir_fd = -1, .path = strdup(path), .journal = { .fd = -1 } };
	r = ret->path ? open_files(ret, e) : err_sys(e, ENOMEM, "%s", path);
	if (r == 0)
		r = audit_recover(ret, max, ret_head, e);
	if (r == 0 && fdatasync(ret->fd))
		r = err_sys(e, errno, "%s", path);
	if (r == 0)
		audit_journal_start(&ret->journal, ret->size);
	ret->suspect = ret->journal.found; /* what its writer before us refused is nowhere on record */
	ret->open = r == 0;
	return r;
}

/* Without the times: a file whose times were asked for gets a new one with its next write (multigrain timestamps, Linux 6.13), and its
 * inode then goes to disk with each sync, and with it that of the journal beside it. */
static bool look(int fd, const char *name, int flags, struct statx *ret)
{
	return statx(fd, name, flags, STATX_INO | STATX_SIZE, ret) == 0;
}

/* On disk, and nobody cut from it what its journal has. */
static bool at_rest(struct audit_file *f)
{
	struct statx st;

	return !f->lost && fdatasync(f->fd) == 0 && look(f->fd, "", AT_EMPTY_PATH, &st) && st.stx_size >= f->size;
}

void audit_file_close(struct audit_file *f)
{
	/* One that was not there before is no sign of a crash (store/audit_recover.h), also where open refused the log. */
	if (f->open ? at_rest(f) : !f->journal.found)
		audit_journal_remove(&f->journal);
	audit_journal_close(&f->journal);
	f->fd = fd_close(f->fd);
	f->dir_fd = fd_close(f->dir_fd);
	free(f->path);
	f->path = NULL;
}

/* The name still leads to our file, and nobody else wrote to it or cut it. */
static int check_file(struct audit_file *f, struct err *e)
{
	uint64_t size = f->size + f->put;
	struct statx ours;
	struct statx there;

	if (!look(f->fd, "", AT_EMPTY_PATH, &ours))
		return err_sys(e, errno, "%s", f->path);
	if (!look(f->dir_fd, f->name, AT_SYMLINK_NOFOLLOW, &there) || there.stx_dev_major != ours.stx_dev_major ||
	    there.stx_dev_minor != ours.stx_dev_minor || there.stx_ino != ours.stx_ino)
		return err_set(e, ESTALE, "%s was moved or removed: put it back", f->path);
	if (f->dirty && ours.stx_size >= size) {
		if (ftruncate(f->fd, (off_t)size))
			return err_sys(e, errno, "%s: cut back after a failed write", f->path);
		f->dirty = false;
		return 0;
	}
	if (ours.stx_size != size)
		return err_set(e, ESTALE, "%s was changed by another process: run `saw audit verify`", f->path);
	return 0;
}

void audit_file_cut(struct audit_file *f)
{
	if (f->dirty && ftruncate(f->fd, (off_t)(f->size + f->put)) == 0)
		f->dirty = false;
}

int audit_file_put(struct audit_file *f, struct bytes lines, struct err *e)
{
	int r = check_file(f, e);

	if (r)
		return r;
	r = fd_pwrite_all(f->fd, lines, f->size + f->put);
	f->dirty = r != 0;
	if (r)
		return err_sys(e, -r, "%s", f->path);
	f->put += lines.len;
	return 0;
}

/* What counts of the log and only its journal may have. */
static int write_lost(struct audit_file *f, struct err *e)
{
	struct audit_journal_held held;
	int r = audit_journal_load(&f->journal, &held);

	if (r)
		r = err_sys(e, -r, "%s.journal", f->path);
	else if (held.lines.len && held.base < f->size && f->size - held.base <= held.lines.len)
		r = audit_recover_write(f, bytes_of(held.lines.p, (size_t)(f->size - held.base)), held.base, e);
	audit_journal_held_deinit(&held);
	return r;
}

/* The log's own sync. */
static int sync_log(struct audit_file *f, struct err *e)
{
	int r = f->lost ? write_lost(f, e) : 0;

	if (r)
		return r;
	f->lost = fdatasync(f->fd) != 0;
	return f->lost ? err_sys(e, errno, "%s", f->path) : 0;
}

/* The log's own sync took a group: the journal starts over. A record that was refused would bring its lines back in place of these: it goes
 * first, and where it cannot this group is refused too. */
static int start_over(struct audit_file *f, struct err *e)
{
	int r = f->suspect ? audit_journal_forget(&f->journal) : 0;

	if (r)
		r = err_sys(e, -r, "%s.journal", f->path);
	else
		f->suspect = false;
	audit_journal_start(&f->journal, r ? f->size : f->size + f->put);
	return r;
}

/* The first line of a log never goes by the journal: one that was moved away is told by its size from one that was lost. */
int audit_file_sync(struct audit_file *f, struct bytes lines, const struct audit_log_head *last, struct err *e)
{
	int r = f->size ? audit_journal_put(&f->journal, lines, last) : -ENOSPC;

	if (r == 0) {
		f->suspect = false;
	} else {
		bool tried = r != -ENOSPC && r != -ESTALE;

		r = sync_log(f, e);
		f->suspect |= tried && r != 0;
		if (r == 0 && f->syncs < WARM && ++f->syncs == WARM)
			(void)audit_journal_fill(&f->journal);
		if (r == 0)
			r = start_over(f, e);
	}
	if (r)
		f->dirty = true;
	else
		f->size += f->put;
	f->put = 0;
	return r;
}
