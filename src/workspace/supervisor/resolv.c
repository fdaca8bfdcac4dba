#include "workspace/supervisor/resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/paths.h"

/* The file is usually replaced, not written, and is often a link into another folder: both folders are watched, and every
 * few seconds it is read anyway, for what inotify does not see (another file system mounted there, a watch that was lost). */

struct resolv {
	struct loop *loop;
	char path[PATHS_MAX];
	void (*changed)(void *owner);
	void *owner;
	int watch_fd;
	struct loop_io io;
	struct loop_timer poll;
	size_t len;
	uint8_t text[RESOLV_MAX];
};

static size_t read_file(const char *path, uint8_t ret[RESOLV_MAX])
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && len < RESOLV_MAX && (n = read(fd, ret + len, RESOLV_MAX - len)) > 0)
		len += (size_t)n;
	return len;
}

static void look(struct resolv *r)
{
	uint8_t fresh[RESOLV_MAX];
	size_t len = read_file(r->path, fresh);

	if (bytes_eq(bytes_of(fresh, len), resolv_text(r)))
		return;
	memcpy(r->text, fresh, len);
	r->len = len;
	r->changed(r->owner);
}

static void watch_folder(int fd, char path[PATHS_MAX])
{
	char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return;
	*slash = '\0';
	(void)inotify_add_watch(fd, path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE);
}

static void watch(struct resolv *r)
{
	char link[PATHS_MAX];
	char real[PATH_MAX];

	memcpy(link, r->path, sizeof(link));
	watch_folder(r->watch_fd, link);
	if (realpath(r->path, real))
		watch_folder(r->watch_fd, real);
}

static void on_watch(struct loop_io *io, uint32_t events)
{
	struct resolv *r = io->owner;
	char drain[4096];

	(void)events;
	while (read(r->watch_fd, drain, sizeof(drain)) > 0)
		;
	watch(r);
	look(r);
}

static void on_poll(struct loop_timer *t)
{
	struct resolv *r = t->owner;

	look(r);
	(void)loop_timer_arm(r->loop, t, RESOLV_POLL_MS, on_poll, r);
}

int resolv_new(struct resolv **ret, struct loop *l, const char *path, void (*changed)(void *owner), void *owner, struct err *e)
{
	struct resolv *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(e, ENOMEM, "out of memory");
	*r = (struct resolv){ .loop = l, .changed = changed, .owner = owner };
	if (strlen(path) >= sizeof(r->path)) {
		free(r);
		return err_set(e, ENAMETOOLONG, "path of resolv.conf is too long");
	}
	memcpy(r->path, path, strlen(path) + 1);
	r->len = read_file(path, r->text);
	r->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (r->watch_fd >= 0 && loop_io_add(l, &r->io, r->watch_fd, EPOLLIN, on_watch, r, NULL) == 0)
		watch(r);
	if (!loop_timer_arm(l, &r->poll, RESOLV_POLL_MS, on_poll, r)) {
		resolv_free(r);
		return err_set(e, ENOMEM, "out of memory");
	}
	*ret = r;
	return 0;
}

struct resolv *resolv_free(struct resolv *r)
{
	if (!r)
		return NULL;
	loop_io_remove(&r->io);
	loop_timer_disarm(&r->poll);
	(void)fd_close(r->watch_fd);
	free(r);
	return NULL;
}

struct bytes resolv_text(const struct resolv *r)
{
	return bytes_of(r->text, r->len);
}
