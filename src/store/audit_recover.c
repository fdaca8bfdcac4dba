#include "store/audit_recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"

/* Appends to FILE.torn, on disk. */
static int keep(struct audit_file *f, struct bytes torn, struct err *e)
{
	char name[NAME_MAX + 8];
	char shown[PATH_MAX + 8];
	int fd FD_AUTO = -1;
	struct stat st;
	int r;

	(void)snprintf(name, sizeof(name), "%s.torn", f->name);
	(void)snprintf(shown, sizeof(shown), "%s.torn", f->path);
	/* also for reading and without waiting: a FIFO is opened at once, and refused by what it is */
	fd = openat(f->dir_fd, name, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "%s", shown);
	r = fd_own_file(fd, shown, &st, e);
	if (r)
		return r;
	r = fd_write_all(fd, torn);
	r = r ? r : fd_write_all(fd, bytes_str("\n"));
	if (r == 0 && (fsync(fd) || fsync(f->dir_fd)))
		r = -errno;
	if (r)
		return err_sys(e, -r, "%s", shown);
	f->torn += torn.len;
	return 0;
}

/* Moves what stands behind `size` bytes to FILE.torn. It is put there first and cut off then: a crash between the two leaves it twice. */
static int put_aside(struct audit_file *f, uint64_t size, struct err *e)
{
	uint64_t len = f->size - size;
	uint8_t *torn;
	int r;

	if (!len)
		return 0;
	torn = malloc(len);
	r = torn ? fd_pread_all(f->fd, torn, len, size) : -ENOMEM;
	r = r ? err_sys(e, -r, "%s", f->path) : keep(f, bytes_of(torn, len), e);
	free(torn);
	if (r)
		return r;
	f->size = size;
	if (ftruncate(f->fd, (off_t)size) || fdatasync(f->fd))
		return err_sys(e, errno, "%s: cut off a torn line", f->path);
	return 0;
}

static int not_ours(struct audit_file *f, const char *fault, struct err *e)
{
	return err_set(e, EBADMSG, "%s: %s: run `saw audit verify`, then move it away", f->path, fault);
}

/* A line of ours has no zero byte: a page that did not reach the disk does. False: lines behind it that count. */
static bool without_hole(struct audit_file *f, struct bytes *tail)
{
	const uint8_t *hole = tail->len ? memchr(tail->p, 0, tail->len) : NULL;
	struct bytes behind;

	if (!hole)
		return true;
	behind = bytes_skip(*tail, (size_t)(hole - tail->p));
	tail->len -= behind.len;
	return f->journal.found || bytes_find(behind, '\n') == behind.len;
}

/* The last line of `tail`, which ends with its line's end. */
static bool place_of_last(struct bytes tail, struct audit_log_head *ret)
{
	struct bytes line = bytes_of(tail.p, tail.len - 1);
	const uint8_t *before = line.len ? memrchr(line.p, '\n', line.len) : NULL;
	struct ocsf_place at;

	if (before)
		line = bytes_skip(line, (size_t)(before - line.p) + 1);
	if (!ocsf_place_read(line, &at) || at.sequence == INT64_MAX)
		return false;
	ret->sequence = at.sequence;
	audit_chain_hash(line, ret->sha256);
	return true;
}

/* The last line that ends within the first `size` bytes and before any zeros there; at most `max` bytes stand behind its end. */
static int last_line(struct audit_file *f, uint64_t size, uint64_t max, struct audit_log_head *ret, uint64_t *ret_end, struct err *e)
{
	size_t len = (size_t)(size < max + 3 * OCSF_LINE_MAX ? size : max + 3 * OCSF_LINE_MAX);
	uint8_t *bytes = malloc(len + 1);
	struct bytes tail;
	const uint8_t *end;
	int r = bytes ? fd_pread_all(f->fd, bytes, len, size - len) : -ENOMEM;

	audit_chain_none(ret);
	*ret_end = 0;
	tail = bytes_of(bytes, r ? 0 : len);
	if (r)
		r = err_sys(e, -r, "%s", f->path);
	else if (!without_hole(f, &tail))
		r = not_ours(f, "zeros stand between its last lines, which no crash left", e);
	end = r == 0 && tail.len ? memrchr(tail.p, '\n', tail.len) : NULL;
	if (r == 0 && !end && len < size)
		r = not_ours(f, "no line ends where its last one should", e);
	if (end) {
		tail.len = (size_t)(end - tail.p) + 1;
		*ret_end = size - len + tail.len;
		if (!place_of_last(tail, ret))
			r = not_ours(f, "its last line is not an audit event", e);
	}
	free(bytes);
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

int audit_recover_write(struct audit_file *f, struct bytes lines, uint64_t at, struct err *e)
{
	int r = fd_pwrite_all(f->fd, lines, at);

	return r ? err_sys(e, -r, "%s: write again what its journal has", f->path) : 0;
}

/* Writes into the log what its journal has; what the log has there instead is put aside. */
static int replay(struct audit_file *f, const struct audit_journal_held *h, struct err *e)
{
	struct bytes lines = buf_view(&h->lines);
	struct audit_log_head head;
	uint64_t end;
	size_t same;
	int r;

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
		r = audit_recover_write(f, lines, h->base, e);
	if (r == 0 && f->size < h->base + lines.len)
		f->size = h->base + lines.len;
	return r;
}

/* What stands behind the lines of the journal is a group that the log's own sync took, and what waits. */
static int follow(struct audit_file *f, const struct audit_journal_held *h, uint64_t max, struct audit_log_head *ret_head, uint64_t *ret_end,
		  struct err *e)
{
	int r;

	*ret_head = h->last;
	*ret_end = h->base + h->lines.len;
	r = audit_chain_follow(f->fd, ret_end, ret_head, e);
	if (r)
		return err_in(e, r, "%s", f->path);
	return f->size - *ret_end > max + OCSF_LINE_MAX ? not_ours(f, "more of its end does not chain than a crash leaves", e) : 0;
}

/* A log that was moved away leaves a journal that is nobody's; one that would begin a log is none of ours (audit_file_sync). Whatever it has
 * may be the only copy. */
static int disown(struct audit_file *f, const struct audit_journal_held *h, struct err *e)
{
	int r = keep(f, buf_view(&h->lines), e);

	if (r)
		return r;
	r = audit_journal_forget(&f->journal);
	return r ? err_sys(e, -r, "%s.journal", f->path) : 0;
}

static int recover(struct audit_file *f, const struct audit_journal_held *h, uint64_t max, struct audit_log_head *ret_head, struct err *e)
{
	uint64_t end;
	int r = 0;

	if (h->lines.len && f->size && h->base) {
		r = replay(f, h, e);
		r = r ? r : follow(f, h, max, ret_head, &end, e);
	} else {
		r = h->lines.len ? disown(f, h, e) : 0;
		r = r ? r : last_line(f, f->size, max, ret_head, &end, e);
	}
	return r ? r : put_aside(f, end, e);
}

int audit_recover(struct audit_file *f, uint64_t max, struct audit_log_head *ret_head, struct err *e)
{
	struct audit_journal_held held;
	int r = audit_journal_load(&f->journal, &held);

	r = r ? err_sys(e, -r, "%s.journal", f->path) : recover(f, &held, max, ret_head, e);
	audit_journal_held_deinit(&held);
	return r;
}
