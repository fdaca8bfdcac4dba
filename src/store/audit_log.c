/* Lines gather in memory with their places and hashes already final; a commit writes them all with one write(2) and one fdatasync(2).
 * When that fails the file is cut back and places and hashes return to those of the last commit, so that the chain on disk never has
 * a gap or a line of which its sender was told that it was not written. `size` is what the log has promised, and behind it may lie what
 * was written and waits for its fdatasync, which keeps its text here; bytes behind both (`dirty`) are nobody's. */
#include "store/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/loop.h"

enum {
	KEEP_MAX = 256 * 1024, /* memory kept between commits */
	/* Where the end of the last whole line must lie: behind it is at most one torn group. */
	TAIL_MAX = AUDIT_LOG_PENDING_MAX + 2 * OCSF_LINE_MAX,
};

struct audit_log {
	int fd;
	int dir_fd;
	char name[NAME_MAX + 1];
	char *path;
	struct ocsf_source src;
	char *texts[6]; /* what src borrows */
	struct buf pending;
	size_t n_pending;
	size_t written; /* of pending: lies in the file */
	size_t n_written;
	uint64_t size;
	bool dirty;
	uint64_t torn;
	struct audit_log_head done; /* committed */
	struct audit_log_head put; /* with what is written */
	struct audit_log_head next; /* with what is pending */
};

struct audit_log *audit_log_free(struct audit_log *l)
{
	if (!l)
		return NULL;
	if (l->n_written)
		(void)fdatasync(l->fd);
	(void)fd_close(l->fd);
	(void)fd_close(l->dir_fd);
	for (size_t i = 0; i < sizeof(l->texts) / sizeof(l->texts[0]); i++)
		free(l->texts[i]);
	free(l->path);
	buf_deinit(&l->pending);
	free(l);
	return NULL;
}

static bool own_text(char **keep, struct bytes *text)
{
	char *copy = malloc(text->len + 1);

	if (!copy)
		return false;
	if (text->len)
		memcpy(copy, text->p, text->len);
	free(*keep);
	*keep = copy;
	text->p = (uint8_t *)copy;
	return true;
}

static int own_source(struct audit_log *l, const struct ocsf_source *src, struct err *e)
{
	struct bytes *const texts[] = { &l->src.version, &l->src.writer, &l->src.workspace_id, &l->src.workspace_name,
					&l->src.owner,	 &l->src.policy };

	l->src = *src;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!own_text(&l->texts[i], texts[i]))
			return err_sys(e, ENOMEM, "audit log");
	return 0;
}

int audit_log_policy(struct audit_log *l, struct bytes label, bool lab, struct err *e)
{
	if (!own_text(&l->texts[5], &label))
		return err_sys(e, ENOMEM, "audit log");
	l->src.policy = label;
	l->src.lab = lab;
	return 0;
}

/* Opens folder and file, and makes a new file's name durable. */
static int open_file(struct audit_log *l, struct err *e)
{
	const char *slash = strrchr(l->path, '/');
	const char *name = slash ? slash + 1 : l->path;
	char dir[PATH_MAX] = ".";
	struct stat st;
	int len = slash ? snprintf(dir, sizeof(dir), "%.*s", (int)(slash - l->path + 1), l->path) : 1;

	if (len >= (int)sizeof(dir) || snprintf(l->name, sizeof(l->name), "%s", name) >= (int)sizeof(l->name))
		return err_set(e, ENAMETOOLONG, "%s: the path is too long", l->path);
	l->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir_fd < 0)
		return err_sys(e, errno, "folder of %s", l->path);
	l->fd = openat(l->dir_fd, l->name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (l->fd < 0 || fstat(l->fd, &st))
		return err_sys(e, errno, "%s", l->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EBADMSG, "%s is not a regular file: move it away", l->path);
	if (flock(l->fd, LOCK_EX | LOCK_NB))
		return err_sys(e, errno, "%s: lock (does another process write this log?)", l->path);
	if (fsync(l->dir_fd))
		return err_sys(e, errno, "folder of %s", l->path);
	l->size = (uint64_t)st.st_size;
	return 0;
}

static int read_all(int fd, uint8_t *p, size_t len, uint64_t at)
{
	for (size_t n = 0; n < len;) {
		ssize_t got = pread(fd, p + n, len - n, (off_t)(at + n));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO;
		n += (size_t)got;
	}
	return 0;
}

/* Bytes behind the last line end are put aside first, then cut off: a crash between the two leaves them twice, never lost. */
static int cut_torn(struct audit_log *l, struct bytes torn, struct err *e)
{
	char name[NAME_MAX + 8];
	int fd FD_AUTO = -1;
	int r;

	if (!torn.len)
		return 0;
	(void)snprintf(name, sizeof(name), "%s.torn", l->name);
	fd = openat(l->dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "%s.torn", l->path);
	r = fd_write_all(fd, torn);
	if (r == 0 && (fd_write_all(fd, bytes_str("\n")) || fsync(fd) || fsync(l->dir_fd)))
		r = -errno;
	if (r)
		return err_sys(e, -r, "%s.torn", l->path);
	l->torn = torn.len;
	l->size -= torn.len;
	if (ftruncate(l->fd, (off_t)l->size) || fdatasync(l->fd))
		return err_sys(e, errno, "%s: cut off a torn line", l->path);
	return 0;
}

/* Continues behind the last whole line of `tail`, the file's last bytes. */
static int recover(struct audit_log *l, struct bytes tail, struct err *e)
{
	const uint8_t *end = tail.len ? memrchr(tail.p, '\n', tail.len) : NULL;
	size_t whole = end ? (size_t)(end - tail.p) + 1 : 0;
	struct ocsf_place at;
	struct bytes line;

	if (!end && tail.len < l->size)
		return err_set(e, EBADMSG, "%s: no line end in its last %zu bytes: run `saw audit verify`, then move it away",
			       l->path, tail.len);
	if (end) {
		const uint8_t *before = memrchr(tail.p, '\n', whole - 1);

		line = before ? bytes_of(before + 1, (size_t)(end - before) - 1) : bytes_of(tail.p, whole - 1);
		if (!ocsf_place_read(line, &at) || at.sequence == INT64_MAX)
			return err_set(e, EBADMSG, "%s: its last line is not an audit event: run `saw audit verify`, then move it away",
				       l->path);
		l->done.sequence = at.sequence;
		audit_chain_hash(line, l->done.sha256);
	}
	return cut_torn(l, bytes_skip(tail, whole), e);
}

static int open_log(struct audit_log *l, const struct ocsf_source *src, struct err *e)
{
	size_t len;
	uint8_t *tail;
	int r = own_source(l, src, e);

	if (r == 0)
		r = open_file(l, e);
	if (r)
		return r;
	len = l->size > TAIL_MAX ? TAIL_MAX : (size_t)l->size;
	tail = malloc(len + 1);
	if (!tail)
		return err_sys(e, ENOMEM, "%s", l->path);
	r = read_all(l->fd, tail, len, l->size - len);
	r = r ? err_sys(e, -r, "%s", l->path) : recover(l, bytes_of(tail, len), e);
	free(tail);
	l->put = l->done;
	l->next = l->done;
	return r;
}

int audit_log_open(struct audit_log **ret, const char *path, const struct ocsf_source *src, struct err *e)
{
	struct audit_log *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_sys(e, ENOMEM, "audit log");
	l->fd = l->dir_fd = -1;
	buf_init(&l->pending, AUDIT_LOG_PENDING_MAX + OCSF_LINE_MAX);
	audit_chain_none(&l->done);
	l->path = strdup(path);
	r = l->path ? open_log(l, src, e) : err_sys(e, ENOMEM, "audit log");
	if (r) {
		audit_log_free(l);
		return err_in(e, r, "audit log");
	}
	*ret = l;
	return 0;
}

uint64_t audit_log_torn(const struct audit_log *l)
{
	return l->torn;
}

size_t audit_log_pending(const struct audit_log *l)
{
	return l->n_pending;
}

void audit_log_last(const struct audit_log *l, struct audit_log_head *ret)
{
	*ret = l->done;
}

bool audit_log_add(struct audit_log *l, const struct event *ev, const char *code, const char *sentence)
{
	struct ocsf_place at = { .sequence = l->next.sequence + 1 };
	size_t was = l->pending.len;
	struct event stamped = *ev;

	if (was > AUDIT_LOG_PENDING_MAX)
		return false;
	if (!stamped.at_ms)
		stamped.at_ms = clock_real_ms();
	memcpy(at.prev, l->next.sha256, OCSF_HEX_MAX);
	ocsf_render(&l->pending, &stamped, code, sentence, &l->src, &at);
	if (!buf_byte(&l->pending, '\n')) {
		l->pending.failed = false;
		l->pending.len = was;
		return false;
	}
	audit_chain_hash(bytes_of(l->pending.p + was, l->pending.len - was - 1), l->next.sha256);
	l->next.sequence = at.sequence;
	l->n_pending++;
	return true;
}

/* The name still leads to our file, and nobody else wrote to it or cut it. */
static int check_file(struct audit_log *l, struct err *e)
{
	uint64_t size = l->size + l->written;
	struct stat ours;
	struct stat there;

	if (fstat(l->fd, &ours))
		return err_sys(e, errno, "%s", l->path);
	if (fstatat(l->dir_fd, l->name, &there, AT_SYMLINK_NOFOLLOW) || there.st_dev != ours.st_dev ||
	    there.st_ino != ours.st_ino)
		return err_set(e, ESTALE, "%s was moved or removed: put it back", l->path);
	if (l->dirty && (uint64_t)ours.st_size >= size) {
		if (ftruncate(l->fd, (off_t)size))
			return err_sys(e, errno, "%s: cut back after a failed write", l->path);
		l->dirty = false;
		return 0;
	}
	if ((uint64_t)ours.st_size != size)
		return err_set(e, ESTALE, "%s was changed by another process: run `saw audit verify`", l->path);
	return 0;
}

static void cut_back(struct audit_log *l)
{
	if (l->dirty && ftruncate(l->fd, (off_t)(l->size + l->written)) == 0)
		l->dirty = false;
}

static void forget_unwritten(struct audit_log *l)
{
	l->pending.len = l->written;
	l->n_pending = l->n_written;
	l->next = l->put;
	cut_back(l);
}

static void forget_pending(struct audit_log *l)
{
	l->n_pending = 0;
	l->n_written = 0;
	l->written = 0;
	l->put = l->done;
	l->next = l->done;
	if (l->pending.cap > KEEP_MAX)
		buf_deinit(&l->pending);
	else
		buf_reset(&l->pending);
	cut_back(l);
}

static int write_pending(struct audit_log *l, struct err *e)
{
	int r = check_file(l, e);

	if (r == 0) {
		r = fd_write_all(l->fd, bytes_skip(buf_view(&l->pending), l->written));
		l->dirty = r != 0;
		if (r)
			(void)err_sys(e, -r, "%s", l->path);
	}
	if (r) {
		forget_unwritten(l);
		return r;
	}
	l->written = l->pending.len;
	l->n_written = l->n_pending;
	l->put = l->next;
	return 0;
}

int audit_log_write(struct audit_log *l, struct err *e)
{
	int r = l->n_pending > l->n_written ? write_pending(l, e) : 0;

	return err_in(r ? e : NULL, r, "audit log");
}

int audit_log_commit(struct audit_log *l, struct err *e)
{
	int r;

	if (!l->n_pending)
		return 0;
	r = write_pending(l, e);
	if (r)
		return err_in(e, r, "audit log");
	if (fdatasync(l->fd)) {
		r = err_sys(e, errno, "%s", l->path);
		l->dirty = true;
	} else {
		l->size += l->pending.len;
		l->done = l->next;
	}
	forget_pending(l);
	return err_in(r ? e : NULL, r, "audit log");
}
