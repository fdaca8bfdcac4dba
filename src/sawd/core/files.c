#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "sawd/core/core.h"

enum { TREE_DEPTH_MAX = 4, TAIL_MAX = 1000 };

int files_path(const struct core *c, char ret[PATHS_MAX], const char *id, const char *name, struct err *e)
{
	int n = snprintf(ret, PATHS_MAX, "%s/workspaces/%s%s%s", c->state, id, *name ? "/" : "", name);

	return n < 0 || n >= PATHS_MAX ? err_set(e, ENAMETOOLONG, "the state folder's path is too long") : 0;
}

int files_images(const struct core *c, char ret[PATHS_MAX], struct err *e)
{
	return paths_join(ret, c->state, "images", e);
}

int files_put(const char *folder, const char *name, struct bytes data, struct err *e)
{
	FD_AUTO int dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	FD_AUTO int fd = -1;
	char fresh[128];
	int r;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", name);
	if (dir_fd < 0)
		return err_sys(e, errno, "open %s", folder);
	fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "make %s/%s", folder, fresh);
	r = fd_write_all(fd, data);
	if (r == 0 && (fsync(fd) < 0 || renameat(dir_fd, fresh, dir_fd, name) < 0 || fsync(dir_fd) < 0))
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir_fd, fresh, 0);
		return err_sys(e, -r, "write %s/%s", folder, name);
	}
	return 0;
}

static int copy(int from_fd, int to_fd)
{
	uint8_t p[16384];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(from_fd, p, sizeof(p))) != 0)
		r = n > 0 ? fd_write_all(to_fd, bytes_of(p, (size_t)n)) : errno == EINTR ? 0 : -errno;
	return r == 0 && fsync(to_fd) < 0 ? -errno : r;
}

/* What was renamed into its folder is there after a power failure, too. */
static int sync_folder_of(const char *path)
{
	char folder[PATHS_MAX];
	FD_AUTO int fd = -1;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Between two file systems: the copy is whole before it has its name, and has its name on disk before the original goes. */
static int move_by_copy(const char *from, const char *to, struct err *e)
{
	FD_AUTO int from_fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FD_AUTO int to_fd = -1;
	char fresh[PATHS_MAX];
	int r;

	if (from_fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", from);
	r = snprintf(fresh, sizeof(fresh), "%s.new", to);
	if (r < 0 || r >= PATHS_MAX)
		return err_set(e, ENAMETOOLONG, "the state folder's path is too long");
	to_fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = to_fd < 0 ? -errno : copy(from_fd, to_fd);
	if (r == 0 && rename(fresh, to) < 0)
		r = -errno;
	r = r < 0 ? r : sync_folder_of(to);
	if (r == 0 && unlink(from) < 0)
		r = -errno;
	return r < 0 ? err_sys(e, -r, "move %s to %s", from, to) : 0;
}

int files_move(const char *from, const char *to, struct err *e)
{
	FD_AUTO int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, errno, "move %s", from);
	if (rename(from, to) == 0)
		return 0;
	return errno == EXDEV ? move_by_copy(from, to, e) : err_sys(e, errno, "move %s to %s", from, to);
}

static int remove_below(int dir_fd, unsigned depth, struct err *e)
{
	DIR *d = fdopendir(dir_fd);
	struct dirent *entry;
	int r = 0;

	if (!d) {
		r = err_sys(e, errno, "read a folder");
		(void)fd_close(dir_fd);
		return r;
	}
	while (r == 0 && (entry = readdir(d)) != NULL) {
		int below;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) == 0)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			r = err_sys(e, errno, "remove %s", entry->d_name);
			break;
		}
		if (depth == TREE_DEPTH_MAX) {
			r = err_set(e, ELOOP, "%s lies too deep: remove it by hand", entry->d_name);
			break;
		}
		below = openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		r = below < 0 ? err_sys(e, errno, "open %s", entry->d_name) : remove_below(below, depth + 1, e);
		if (r == 0 && unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR) < 0)
			r = err_sys(e, errno, "remove folder %s", entry->d_name);
	}
	(void)closedir(d);
	return r;
}

int files_remove_tree(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
	r = remove_below(fd, 0, e);
	if (r == 0 && rmdir(path) < 0)
		r = err_sys(e, errno, "remove %s", path);
	return r;
}

/* The log is shared with roles, whose own complaints may follow upon the reason. */
static char *reason_line(char *tail)
{
	static const char mark[] = " supervisor: failed: ";
	char *found = NULL;
	char *at = tail;

	while ((at = strstr(at, mark)) != NULL) {
		at += sizeof(mark) - 1;
		found = at;
	}
	return found;
}

void files_last_words(const char *path, char *ret, size_t size)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char tail[TAIL_MAX + 1];
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t at = end > TAIL_MAX ? end - TAIL_MAX : 0;
	ssize_t n = fd < 0 ? 0 : pread(fd, tail, TAIL_MAX, at);
	char *line;

	ret[0] = '\0';
	while (n > 0 && tail[n - 1] == '\n')
		n--;
	if (n <= 0)
		return;
	tail[n] = '\0';
	line = reason_line(tail);
	if (!line) {
		line = strrchr(tail, '\n');
		line = line ? line + 1 : tail;
		/* "2026-11-24T17:00:00.000Z supervisor: sentence" */
		for (unsigned i = 0; i < 2 && strchr(line, ' '); i++)
			line = strchr(line, ' ') + 1;
	}
	(void)snprintf(ret, size, "%.*s", (int)strcspn(line, "\n"), line);
}

bool files_locked(const char *path)
{
	FD_AUTO int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
	return flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}
