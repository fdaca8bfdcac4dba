/* Both ends of a benchmark: an origin that streams or echoes behind a first flight, and a client that measures.
 *
 *   peer origin ADDRESS PORT                    serves for ever, one thread: first flight, then by its byte 11: 'B' streams, 'E' echoes
 *   peer bulk ADDRESS PORT HELLO BYTES N        N connections at once, each reads BYTES; prints bytes and seconds
 *   peer echo ADDRESS PORT HELLO ROUNDS         one connection, 1 KiB there and back; prints p50 and p99 in microseconds
 *   peer open ADDRESS PORT HELLO N              N connections one after the other, first byte back; prints p50 and rate
 *
 * HELLO is a file with a ClientHello; its random bytes carry the mode, so that a proxy sees a real, whole hello. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MODE_AT = 11, COUNT_AT = 12, BLOCK = 256 * 1024, HELLO_MAX = 4096, CONNS_MAX = 4096, PING = 1024 };

static uint8_t block[BLOCK];
static uint8_t hello[HELLO_MAX];
static size_t hello_len;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct sockaddr_in address(const char *ip, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, ip, &sa.sin_addr) != 1)
		die("address");
	return sa;
}

struct conn {
	int fd;
	size_t got; /* of the first flight */
	char mode;
	uint64_t left;
	uint8_t first[HELLO_MAX];
};

/* False when the connection is done with. */
static int first_flight(struct conn *c, int ep)
{
	ssize_t n = read(c->fd, c->first + c->got, sizeof(c->first) - c->got);

	if (n <= 0)
		return 0;
	c->got += (size_t)n;
	if (c->got < 5 || c->got < 5 + ((size_t)c->first[3] << 8 | c->first[4]))
		return 1;
	c->mode = (char)c->first[MODE_AT];
	memcpy(&c->left, c->first + COUNT_AT, 8);
	if (c->mode == 'B') {
		struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };

		return epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev) == 0;
	}
	return send(c->fd, "!", 1, MSG_NOSIGNAL) == 1;
}

static int stream(struct conn *c)
{
	size_t part = c->left < BLOCK ? (size_t)c->left : BLOCK;
	ssize_t n;

	if (!c->left)
		return 0;
	n = send(c->fd, block, part, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		c->left -= (uint64_t)n;
	return n > 0 || errno == EAGAIN;
}

static int echo(const struct conn *c)
{
	ssize_t n = read(c->fd, block, PING);

	return n > 0 && send(c->fd, block, (size_t)n, MSG_NOSIGNAL) == n;
}

static __attribute__((noreturn)) void origin(const char *ip, const char *port)
{
	struct sockaddr_in sa = address(ip, port);
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1024))
		die("listen");
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	printf("ready\n");
	(void)fflush(stdout);
	for (;;) {
		struct epoll_event got[64];
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = got[i].data.ptr;

			if (c) {
				if (!(!c->mode ? first_flight(c, ep) : c->mode == 'B' ? stream(c) : echo(c))) {
					(void)close(c->fd);
					free(c);
				}
				continue;
			}
			c = calloc(1, sizeof(*c));
			if (!c)
				die("memory");
			c->fd = accept(fd, NULL, NULL);
			(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			ev = (struct epoll_event){ .events = EPOLLIN, .data.ptr = c };
			(void)epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
		}
	}
}

static int dial(const struct sockaddr_in *sa, char mode, uint64_t count)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;

	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		die("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	hello[MODE_AT] = (uint8_t)mode;
	memcpy(hello + COUNT_AT, &count, 8);
	if (send(fd, hello, hello_len, MSG_NOSIGNAL) != (ssize_t)hello_len)
		die("send");
	return fd;
}

static int bulk(const struct sockaddr_in *sa, uint64_t bytes, int n)
{
	int ep = epoll_create1(0);
	int open = n;
	uint64_t total = 0;
	double began = now();

	for (int i = 0; i < n; i++) {
		int fd = dial(sa, 'B', bytes);
		struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

		(void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
	while (open) {
		struct epoll_event got[64];
		int k = epoll_wait(ep, got, 64, 20000);

		if (k <= 0)
			die("stalled");
		for (int i = 0; i < k; i++) {
			/* MSG_TRUNC: counted and dropped in the kernel, so that the client is never the bottleneck */
			ssize_t m = recv(got[i].data.fd, NULL, 4 << 20, MSG_TRUNC | MSG_DONTWAIT);

			if (m > 0) {
				total += (uint64_t)m;
			} else if (m == 0 || errno != EAGAIN) {
				(void)close(got[i].data.fd);
				open--;
			}
		}
	}
	if (total != bytes * (uint64_t)n) {
		fprintf(stderr, "lost bytes: %llu of %llu\n", (unsigned long long)total,
			(unsigned long long)bytes * (unsigned)n);
		return 1;
	}
	printf("{\"bytes\": %llu, \"seconds\": %.6f}\n", (unsigned long long)total, now() - began);
	return 0;
}

static int by_size(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static int report(double *t, int n, double took)
{
	qsort(t, (size_t)n, sizeof(*t), by_size);
	printf("{\"p50_us\": %.1f, \"p99_us\": %.1f, \"per_second\": %.0f}\n", t[n / 2] * 1e6,
	       t[n * 99 / 100] * 1e6, n / took);
	return 0;
}

static void read_all(int fd, size_t want)
{
	static uint8_t got[PING];

	while (want) {
		ssize_t n = read(fd, got, want);

		if (n <= 0)
			die("read");
		want -= (size_t)n;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa;
	FILE *f;
	int n;
	int fd;
	double *t;
	double began;

	if (argc >= 4 && !strcmp(argv[1], "origin"))
		origin(argv[2], argv[3]);
	if (argc < 6 || !(f = fopen(argv[4], "rb"))) {
		fprintf(stderr, "usage: peer origin|bulk|echo|open ADDRESS PORT [HELLO N [CONNECTIONS]]\n");
		return 2;
	}
	hello_len = fread(hello, 1, sizeof(hello), f);
	sa = address(argv[2], argv[3]);
	if (!strcmp(argv[1], "bulk"))
		return bulk(&sa, strtoull(argv[5], NULL, 10), argc > 6 ? atoi(argv[6]) : 1);
	n = atoi(argv[5]);
	t = calloc((size_t)n, sizeof(*t));
	if (!t)
		die("memory");
	fd = !strcmp(argv[1], "echo") ? dial(&sa, 'E', 0) : -1;
	if (fd >= 0)
		read_all(fd, 1);
	began = now();
	for (int i = 0; i < n; i++) {
		double at = now();

		if (fd >= 0) {
			if (send(fd, block, PING, MSG_NOSIGNAL) != PING)
				die("send");
			read_all(fd, PING);
		} else {
			int one = dial(&sa, 'E', 0);

			read_all(one, 1);
			(void)close(one);
		}
		t[i] = now() - at;
	}
	return report(t, n, now() - began);
}
