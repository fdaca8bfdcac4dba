#include "workspace/dialer/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "os/fd.h"

enum { IDLE_S = 60, INTERVAL_S = 30, PROBES = 4, ANY_PORT = 9 };

int sock_connect(int type, struct ip ip, uint16_t port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to = { .any = { 0 } };
	socklen_t len;
	int fd;

	if (ip.family == 4) {
		to.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&to.v4.sin_addr, ip.b, 4);
		len = sizeof(to.v4);
	} else {
		to.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		memcpy(&to.v6.sin6_addr, ip.b, 16);
		len = sizeof(to.v6);
	}
	fd = socket(to.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, &to.any, len) < 0 && errno != EINPROGRESS) {
		int code = errno;

		(void)fd_close(fd);
		return -code;
	}
	return fd;
}

int sock_error(int fd)
{
	socklen_t len = sizeof(int);
	int code = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		return errno;
	return code;
}

bool sock_routable(struct ip ip)
{
	int fd = sock_connect(SOCK_DGRAM, ip, ANY_PORT);

	if (fd < 0)
		return false;
	(void)fd_close(fd);
	return true;
}

void sock_tune(int fd)
{
	static const struct {
		int level;
		int name;
		int value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, PROBES },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
}
