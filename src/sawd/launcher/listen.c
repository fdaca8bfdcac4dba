#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/trust.h"
#include "os/fd.h"
#include "os/lock.h"
#include "sawd/launcher/launcher.h"

/* The locks are taken before anything is touched: whoever holds them is the one sawd of these folders, so that a socket that lies
 * about then is a dead one's, and nobody else makes keys, or takes away what looks like the rest of a write. */

enum { LOG_MAX = 16 * 1024 * 1024 };

static const char *const state_folders[] = { "keys", TRUST_FOLDER, "images", "policies", "audit", "audit/workspaces", "workspaces" };

static int make_folders(struct launcher *l, struct err *e)
{
	char path[PATHS_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(state_folders) / sizeof(state_folders[0]); i++) {
		r = paths_join(path, l->state, state_folders[i], e);
		r = r < 0 ? r : paths_make_dir(path, e);
	}
	r = r < 0 ? r : paths_join(path, l->run, "ws", e);
	return r < 0 ? r : paths_make_dir(path, e);
}

static int open_socket(struct launcher *l, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	FD_AUTO int fd = -1;
	mode_t was;
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/api.sock", l->run);

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return err_set(e, ENAMETOOLONG, "%s/api.sock is too long for a socket: set SAW_RUN to a shorter folder", l->run);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "make a socket");
	if (unlink(a.sun_path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove %s", a.sun_path);
	was = umask(077);
	n = bind(fd, (struct sockaddr *)&a, sizeof(a));
	(void)umask(was);
	if (n < 0 || listen(fd, SOMAXCONN) < 0)
		return err_sys(e, errno, "listen on %s", a.sun_path);
	l->listen_fd = fd_take(&fd);
	return 0;
}

static int lock_state(struct launcher *l, struct err *e)
{
	char path[PATHS_MAX];
	int r = paths_join(path, l->state, "state.lock", e);

	if (r < 0)
		return r;
	l->state_lock_fd = lock_take(path, e);
	if (l->state_lock_fd == -EBUSY)
		return err_in(e, -EBUSY, "sawd runs already on this state folder, started with another SAW_RUN or XDG_RUNTIME_DIR: `saw down` there ends it");
	return l->state_lock_fd < 0 ? l->state_lock_fd : 0;
}

int listen_open(struct launcher *l, struct err *e)
{
	char path[PATHS_MAX];
	char old[PATHS_MAX];
	struct stat st;
	int r = paths_state(l->state, e);

	r = r < 0 ? r : paths_run(l->run, e);
	r = r < 0 ? r : paths_make_dir(l->state, e);
	r = r < 0 ? r : paths_make_dir(l->run, e);
	r = r < 0 ? r : paths_join(path, l->run, "sawd.lock", e);
	if (r < 0)
		return r;
	l->lock_fd = lock_take(path, e);
	if (l->lock_fd < 0)
		return l->lock_fd == -EBUSY ? err_in(e, -EBUSY, "sawd runs already") : l->lock_fd;
	r = lock_state(l, e);
	/* At once: who finds the lock taken looks for the socket. */
	r = r < 0 ? r : open_socket(l, e);
	r = r < 0 ? r : make_folders(l, e);
	r = r < 0 ? r : paths_join(path, l->state, "sawd.log", e);
	r = r < 0 ? r : paths_join(old, l->state, "sawd.log.1", e);
	if (r < 0)
		return r;
	if (stat(path, &st) == 0 && st.st_size > LOG_MAX)
		(void)rename(path, old);
	l->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	return l->log_fd < 0 ? err_sys(e, errno, "open %s", path) : 0;
}
