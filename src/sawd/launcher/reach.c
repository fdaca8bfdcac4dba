#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/sawd_row.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/launcher/launcher.h"

/* Connections to supervisors. Core could make them itself, but then it could make others: no rule of Landlock's and no namespace guards the
 * path of a socket, and a service manager that listens on one starts for our user, or for root, whatever it is told to. */

static struct msg out;

/* A socket's path is short; a folder's may be long: then by a descriptor of the folder. */
static int address(const struct launcher *l, struct bytes id, int *ret_dir_fd, struct sockaddr_un *ret)
{
	char folder[PATHS_MAX];
	int n = snprintf(folder, sizeof(folder), "%s/ws/%.*s", l->run, (int)id.len, (const char *)id.p);

	if (n < 0 || n >= PATHS_MAX)
		return -ENAMETOOLONG;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/control.sock", folder);
	if (n > 0 && (size_t)n < sizeof(ret->sun_path))
		return 0;
	*ret_dir_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*ret_dir_fd < 0)
		return -errno;
	(void)snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/control.sock", *ret_dir_fd);
	return 0;
}

static int connected(const struct launcher *l, struct bytes id)
{
	struct sockaddr_un a;
	FD_AUTO int dir_fd = -1;
	FD_AUTO int fd = -1;

	if (address(l, id, &dir_fd, &a) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	return fd_take(&fd);
}

/* Who listens there, by the kernel's word; 0: nobody, or somebody else than a supervisor. */
static pid_t listener(const struct launcher *l, struct bytes id)
{
	static const char title[] = "saw-workspace: ";
	FD_AUTO int fd = connected(l, id);
	FD_AUTO int line_fd = -1;
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);
	char path[64];
	char line[sizeof(title)] = "";

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.uid != geteuid())
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", who.pid);
	line_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (line_fd < 0 || read(line_fd, line, sizeof(title) - 1) != sizeof(title) - 1 || memcmp(line, title, sizeof(title) - 1) != 0)
		return 0;
	return who.pid;
}

/* It listens before and after its descriptor was had: so that is its own, and not that of another process with its number. */
void reach_kill(const struct launcher *l, struct bytes id)
{
	pid_t pid = listener(l, id);
	FD_AUTO int pid_fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (pid_fd < 0 || listener(l, id) != pid)
		return;
	log_line("%.*s: its supervisor, process %d, does not end by itself: it is ended", (int)id.len, (const char *)id.p, (int)pid);
	(void)syscall(SYS_pidfd_send_signal, pid_fd, SIGKILL, NULL, 0);
}

bool reach_on_connect(void *owner, struct msg_in *in)
{
	struct role *core = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	FD_AUTO int fd = -1;

	if (!msg_end(in) || !sawd_id_ok(id, "ws-"))
		return false;
	fd = connected(core->launcher, id);
	msg_start(&out, MSG_SAWD_CONNECTED);
	msg_u64(&out, req);
	msg_u64(&out, fd >= 0);
	if (fd >= 0)
		msg_fd(&out, fd);
	chan_send(core->chan, &out);
	return true;
}
