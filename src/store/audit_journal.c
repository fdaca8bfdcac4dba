#include "store/audit_journal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "crypt/sha256.h"
#include "os/fd.h"

/* As it stands in the file. */
struct record {
	char magic[8];
	uint64_t index;
	uint64_t base;
	uint64_t len; /* of the lines behind it */
	char last[OCSF_HEX_MAX - 1]; /* hash of the last of them */
	uint8_t check[SHA256_LEN]; /* of all of this before it */
};

enum { TRIES_MAX = 10, KEEP_MAX = 256 * 1024 /* memory kept between records */ };

static const char magic[8] = "sawjrnl1";

static void check_of(const struct record *r, uint8_t ret[SHA256_LEN])
{
	sha256(bytes_of(r, offsetof(struct record, check)), ret);
}

static size_t blocks(size_t lines)
{
	return (sizeof(struct record) + lines + AUDIT_JOURNAL_BLOCK - 1) & ~(size_t)(AUDIT_JOURNAL_BLOCK - 1);
}

/* The name still leads to our file. Does not ask for times (look() of store/audit_file.c says why). */
static bool in_place(const struct audit_journal *j)
{
	struct statx st;

	return statx(j->dir_fd, j->name, AT_SYMLINK_NOFOLLOW, STATX_INO, &st) == 0 && st.stx_ino == j->ino &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == j->dev;
}

/* False where the file system has no such thing. */
static bool use_direct(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0 && on;
}

static int open_locked(struct audit_journal *j, struct err *e)
{
	struct stat st;
	int r;

	j->fd = openat(j->dir_fd, j->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	j->found = j->fd >= 0 || errno != ENOENT;
	if (!j->found)
		j->fd = openat(j->dir_fd, j->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return err_sys(e, errno, "%s", j->name);
	if (flock(j->fd, LOCK_EX | LOCK_NB))
		return err_sys(e, errno, "%s: lock (does a process still write the log that had this name before? end it first)", j->name);
	r = fd_own_file(j->fd, j->name, &st, e);
	if (r)
		return r;
	j->filled = st.st_size == AUDIT_JOURNAL_SIZE;
	j->dev = st.st_dev;
	j->ino = st.st_ino;
	j->direct = use_direct(j->fd, true);
	return 0;
}

int audit_journal_open(struct audit_journal *ret, int dir_fd, const char *name, struct err *e)
{
	int r;

	*ret = (struct audit_journal){ .fd = -1, .dir_fd = dir_fd };
	if (snprintf(ret->name, sizeof(ret->name), "%s.journal", name) >= (int)sizeof(ret->name))
		return err_set(e, ENAMETOOLONG, "%s: the name is too long", name);
	r = open_locked(ret, e);
	/* Whoever had it before may have removed it between our open and our lock. */
	for (unsigned tries = 0; r == 0 && !in_place(ret); tries++) {
		ret->fd = fd_close(ret->fd);
		r = tries < TRIES_MAX ? open_locked(ret, e) : err_set(e, ESTALE, "%s is removed again and again", ret->name);
	}
	return r;
}

void audit_journal_remove(struct audit_journal *j)
{
	if (j->fd >= 0 && in_place(j))
		(void)unlinkat(j->dir_fd, j->name, 0);
}

void audit_journal_close(struct audit_journal *j)
{
	j->fd = fd_close(j->fd);
	free(j->blocks);
	j->blocks = NULL;
	j->cap = 0;
}

int audit_journal_fill(struct audit_journal *j)
{
	static const uint8_t zeros[64 * 1024];
	int r = 0;

	if (j->filled)
		return 0;
	(void)use_direct(j->fd, false);
	for (size_t at = 0; r == 0 && at < AUDIT_JOURNAL_SIZE; at += sizeof(zeros))
		r = fd_pwrite_all(j->fd, bytes_of(zeros, sizeof(zeros)), at);
	if (r == 0 && fsync(j->fd))
		r = -errno;
	j->direct = use_direct(j->fd, j->direct);
	if (r && ftruncate(j->fd, 0))
		return r;
	j->filled = r == 0;
	return r;
}

void audit_journal_start(struct audit_journal *j, uint64_t base)
{
	j->base = base;
	j->index = 0;
	j->at = 0;
}

/* Room for `len` bytes, whole blocks. False: no memory. */
static bool have_blocks(struct audit_journal *j, size_t len)
{
	if (len > j->cap || (j->cap > KEEP_MAX && len <= KEEP_MAX)) {
		free(j->blocks);
		j->cap = len > KEEP_MAX ? len : KEEP_MAX;
		j->blocks = aligned_alloc(AUDIT_JOURNAL_BLOCK, j->cap);
		if (!j->blocks)
			j->cap = 0;
	}
	return j->cap > 0;
}

static int write_blocks(struct audit_journal *j, size_t len, size_t at)
{
	ssize_t n;

	for (;;) {
		n = pwrite(j->fd, j->blocks, len, (off_t)at);
		if (n < 0 && errno == EINVAL && j->direct)
			j->direct = use_direct(j->fd, false); /* a disk of larger blocks */
		else if (n >= 0 || errno != EINTR)
			break;
	}
	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EIO;
}

/* Ends the row here. */
static int no_record(struct audit_journal *j, size_t at)
{
	if (!have_blocks(j, AUDIT_JOURNAL_BLOCK))
		return -ENOMEM;
	memset(j->blocks, 0, AUDIT_JOURNAL_BLOCK);
	return write_blocks(j, AUDIT_JOURNAL_BLOCK, at);
}

int audit_journal_forget(struct audit_journal *j)
{
	int r = j->filled ? no_record(j, 0) : 0;

	return r == 0 && fdatasync(j->fd) ? -errno : r;
}

int audit_journal_put(struct audit_journal *j, struct bytes lines, const struct audit_log_head *last)
{
	struct record head = { .index = htobe64(j->index), .base = htobe64(j->base), .len = htobe64(lines.len) };
	size_t len = blocks(lines.len);
	int r;

	if (!j->filled || lines.len > AUDIT_JOURNAL_SIZE || len > AUDIT_JOURNAL_SIZE - j->at || !have_blocks(j, len))
		return -ENOSPC;
	if (!in_place(j))
		return -ESTALE;
	memcpy(head.magic, magic, sizeof(head.magic));
	memcpy(head.last, last->sha256, sizeof(head.last));
	check_of(&head, head.check);
	memcpy(j->blocks, &head, sizeof(head));
	memcpy(j->blocks + sizeof(head), lines.p, lines.len);
	memset(j->blocks + sizeof(head) + lines.len, 0, len - sizeof(head) - lines.len);
	r = write_blocks(j, len, j->at);
	if (r == 0 && fdatasync(j->fd))
		r = -errno;
	if (r) {
		/* Its sender is told that it was not written. */
		(void)no_record(j, j->at);
		return r;
	}
	j->at += len;
	j->index++;
	return 0;
}

/* The next record of the row: none, or one whose lines lie within the file. */
static bool next_record(struct bytes left, const struct audit_journal_held *h, uint64_t index, struct record *ret)
{
	uint8_t check[SHA256_LEN];

	if (left.len < sizeof(*ret))
		return false;
	memcpy(ret, left.p, sizeof(*ret));
	check_of(ret, check);
	ret->base = be64toh(ret->base);
	ret->len = be64toh(ret->len);
	return memcmp(ret->magic, magic, sizeof(magic)) == 0 && memcmp(ret->check, check, sizeof(check)) == 0 &&
	       be64toh(ret->index) == index && (index == 0 || ret->base == h->base) && ret->len > 0 &&
	       ret->len <= left.len - sizeof(*ret);
}

/* Follows the lines from `head` on, or from the first one where that is none. False: they do not chain, or do not end with a line's end. */
static bool follow(struct bytes lines, struct audit_log_head *before, struct audit_log_head *head)
{
	while (lines.len) {
		size_t end = bytes_find(lines, '\n');
		struct bytes line = bytes_of(lines.p, end);
		struct ocsf_place at;

		if (end == lines.len || !ocsf_place_read(line, &at) || at.sequence == 0 || at.sequence == INT64_MAX)
			return false;
		if (head->sequence == 0 && before) {
			before->sequence = at.sequence - 1;
			memcpy(before->sha256, at.prev, sizeof(at.prev));
		} else if (at.sequence != head->sequence + 1 || strcmp(at.prev, head->sha256) != 0)
			return false;
		before = NULL;
		head->sequence = at.sequence;
		audit_chain_hash(line, head->sha256);
		lines = bytes_skip(lines, end + 1);
	}
	return true;
}

int audit_journal_read(struct bytes file, struct audit_journal_held *ret)
{
	struct record r;

	*ret = (struct audit_journal_held){ .base = 0 };
	buf_init(&ret->lines, AUDIT_JOURNAL_SIZE);
	audit_chain_none(&ret->before);
	audit_chain_none(&ret->last);
	for (uint64_t index = 0; next_record(file, ret, index, &r); index++) {
		struct bytes lines = bytes_of(file.p + sizeof(r), (size_t)r.len);
		struct audit_log_head last = ret->last;

		if (!follow(lines, index ? NULL : &ret->before, &last) || memcmp(last.sha256, r.last, sizeof(r.last)) != 0)
			break;
		if (!buf_bytes(&ret->lines, lines))
			return -ENOMEM;
		ret->base = r.base;
		ret->last = last;
		if (blocks(lines.len) > file.len)
			break;
		file = bytes_skip(file, blocks(lines.len));
	}
	return 0;
}

int audit_journal_load(const struct audit_journal *j, struct audit_journal_held *ret)
{
	size_t len = j->filled ? AUDIT_JOURNAL_SIZE : 0;
	uint8_t *file = malloc(len + 1);
	int r;

	(void)use_direct(j->fd, false);
	r = file ? fd_pread_all(j->fd, file, len, 0) : -ENOMEM;
	(void)use_direct(j->fd, j->direct);
	if (r == 0)
		r = audit_journal_read(bytes_of(file, len), ret);
	else
		(void)audit_journal_read(bytes_of(NULL, 0), ret);
	free(file);
	return r;
}

void audit_journal_held_deinit(struct audit_journal_held *h)
{
	buf_deinit(&h->lines);
}
