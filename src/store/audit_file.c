#include "store/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"

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
	r = fd_own_file(f->fd, f->path, &st, e);
	if (r)
		return r;
	if (flock(f->fd, LOCK_EX | LOCK_NB))
		return err_sys(e, errno, "%s: lock (does another process write this log?)", f->path);
	r = audit_journal_open(&f->journal, f->dir_fd, f->name, e);
	if (r == 0 && fsync(f->dir_fd))
		r = err_sys(e, errno, "folder of %s", f->path);
	f->size = (uint64_t)st.st_size;
	return r;
}

/* Moves what stands behind `size` bytes to FILE.torn. It is put there first and cut off then: a crash between the two leaves it twice. */
static int put_aside(struct audit_file *f, uint64_t size, struct err *e)
{
	uint64_t len = f->size - size;
	char name[NAME_MAX + 8];
	int fd FD_AUTO = -1;
	uint8_t *torn;
	int r;

	if (!len)
		return 0;
	(void)snprintf(name, sizeof(name), "%s.torn", f->name);
	fd = openat(f->dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	torn = fd < 0 ? NULL : malloc(len);
	r = torn ? fd_pread_all(f->fd, torn, len, size) : -errno;
	if (r == 0)
		r = fd_write_all(fd, bytes_of(torn, len));
	free(torn);
	if (r == 0 && (fd_write_all(fd, bytes_str("\n")) || fsync(fd) || fsync(f->dir_fd)))
		r = -errno;
	if (r)
		return err_sys(e, -r, "%s.torn", f->path);
	f->torn += len;
	f->size = size;
	if (ftruncate(f->fd, (off_t)size) || fdatasync(f->fd))
		return err_sys(e, errno, "%s: cut off a torn line", f->path);
	return 0;
}

/* The last line that ends within the first `size` bytes, of which at most `max` stand behind its end. */
static int last_line(struct audit_file *f, uint64_t size, uint64_t max, struct audit_log_head *ret, uint64_t *ret_end, struct err *e)
{
	size_t len = (size_t)(size < max + 2 * OCSF_LINE_MAX ? size : max + 2 * OCSF_LINE_MAX);
	uint8_t *tail = malloc(len + 1);
	const uint8_t *end;
	struct bytes line;
	struct ocsf_place at;
	int r = tail ? fd_pread_all(f->fd, tail, len, size - len) : -ENOMEM;

	audit_chain_none(ret);
	*ret_end = 0;
	end = r == 0 && len ? memrchr(tail, '\n', len) : NULL;
	if (r)
		r = err_sys(e, -r, "%s", f->path);
	else if (!end && len < size)
		r = err_set(e, EBADMSG, "%s: no line end in its last %zu bytes: run `saw audit verify`, then move it away", f->path, len);
	else if (end) {
		const uint8_t *before = memrchr(tail, '\n', (size_t)(end - tail));

		line = before ? bytes_of(before + 1, (size_t)(end - before) - 1) : bytes_of(tail, (size_t)(end - tail));
		*ret_end = size - len + (uint64_t)(end - tail) + 1;
		if (!ocsf_place_read(line, &at) || at.sequence == INT64_MAX)
			r = err_set(e, EBADMSG, "%s: its last line is not an audit event: run `saw audit verify`, then move it away", f->path);
		else {
			ret->sequence = at.sequence;
			audit_chain_hash(line, ret->sha256);
		}
	}
	free(tail);
	return r;
}

/* How many bytes of `lines` stand in the file from `at` on. */
static int common(struct audit_file *f, uint64_t at, struct bytes lines, size_t *ret)
{
	uint64_t there = f->size - at;
	size_t len = there < lines.len ? (size_t)there : lines.len;
	uint8_t *have = malloc(len + 1);
	int r = have ? fd_pread_all(f->fd, have, len, at) : -ENOMEM;

	*ret = 0;
	while (r == 0 && *ret < len && have[*ret] == lines.p[*ret])
		++*ret;
	free(have);
	return r;
}

static int foreign_journal(struct audit_file *f, struct err *e)
{
	return err_set(e, EBADMSG, "%s.journal does not continue %s: put back both of one moment, or move the journal away", f->path, f->name);
}

/* Also what stands there: the kernel may show what it failed to write, and would not try again. */
static int write_again(struct audit_file *f, struct bytes lines, uint64_t at, struct err *e)
{
	int r = fd_pwrite_all(f->fd, lines, at);

	return r ? err_sys(e, -r, "%s: write again what its journal has", f->path) : 0;
}

/* Writes into the log what its journal has. What the log has there instead is put aside; what it has behind it, stays. */
static int replay(struct audit_file *f, const struct audit_journal_held *h, struct err *e)
{
	struct bytes lines = buf_view(&h->lines);
	struct audit_log_head head;
	uint64_t end;
	size_t same;
	int r;

	if (!lines.len)
		return 0;
	/* A log that was moved away leaves a journal that is nobody's; one that would begin a log is none of ours (audit_file_sync). */
	if (f->size == 0 || h->base == 0) {
		r = audit_journal_forget(&f->journal);
		return r ? err_sys(e, -r, "%s.journal", f->path) : 0;
	}
	if (f->size < h->base)
		return foreign_journal(f, e);
	r = last_line(f, h->base, 0, &head, &end, e);
	if (r)
		return r;
	if (end != h->base || head.sequence != h->before.sequence || strcmp(head.sha256, h->before.sha256) != 0)
		return foreign_journal(f, e);
	r = common(f, h->base, lines, &same);
	if (r)
		return err_sys(e, -r, "%s", f->path);
	if (same < lines.len)
		r = put_aside(f, h->base + same, e);
	if (r == 0)
		r = write_again(f, lines, h->base, e);
	if (r == 0 && f->size < h->base + lines.len)
		f->size = h->base + lines.len;
	return r;
}

static int replay_journal(struct audit_file *f, struct err *e)
{
	struct audit_journal_held held;
	int r = audit_journal_load(&f->journal, &held);

	r = r ? err_sys(e, -r, "%s.journal", f->path) : replay(f, &held, e);
	audit_journal_held_deinit(&held);
	return r;
}

int audit_file_open(struct audit_file *ret, const char *path, uint64_t max, struct audit_log_head *ret_head, struct err *e)
{
	uint64_t end;
	int r;

	*ret = (struct audit_file){ .fd = -1, .dir_fd = -1, .path = strdup(path), .journal = { .fd = -1 } };
	r = ret->path ? open_files(ret, e) : err_sys(e, ENOMEM, "%s", path);
	if (r == 0)
		r = replay_journal(ret, e);
	if (r == 0)
		r = last_line(ret, ret->size, max, ret_head, &end, e);
	if (r == 0)
		r = put_aside(ret, end, e);
	if (r == 0 && fdatasync(ret->fd))
		r = err_sys(e, errno, "%s", path);
	if (r == 0)
		audit_journal_start(&ret->journal, ret->size);
	ret->open = r == 0;
	return r;
}

void audit_file_close(struct audit_file *f)
{
	if (f->open && !f->lost && fdatasync(f->fd) == 0)
		audit_journal_remove(&f->journal, f->dir_fd, f->name);
	audit_journal_close(&f->journal);
	f->fd = fd_close(f->fd);
	f->dir_fd = fd_close(f->dir_fd);
	free(f->path);
	f->path = NULL;
}

/* Without the times: a file whose times were asked for gets a new one with its next write (multigrain timestamps, Linux 6.13), and its
 * inode then goes to disk with each sync, and with it that of the journal beside it. */
static bool look(int fd, const char *name, int flags, struct statx *ret)
{
	return statx(fd, name, flags, STATX_INO | STATX_SIZE, ret) == 0;
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
		r = write_again(f, bytes_of(held.lines.p, (size_t)(f->size - held.base)), held.base, e);
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

/* The first line of a log never goes by the journal: one that was moved away is told by its size from one that was lost. */
int audit_file_sync(struct audit_file *f, struct bytes lines, const struct audit_log_head *last, struct err *e)
{
	int r = f->size ? audit_journal_put(&f->journal, lines, last) : -ENOSPC;

	if (r) {
		r = sync_log(f, e);
		if (r == 0 && f->syncs < WARM && ++f->syncs == WARM)
			(void)audit_journal_fill(&f->journal);
		if (r == 0)
			audit_journal_start(&f->journal, f->size + f->put);
	}
	if (r)
		f->dirty = true;
	else
		f->size += f->put;
	f->put = 0;
	return r;
}
