#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/sawd_row.h"
#include "os/fd.h"
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
