/* The client of the intercept benchmark: HTTP/1.1 in TLS, once for all proxies. Certificates are not checked: that costs the client, not the proxy.
 *
 *   tls-client load ADDRESS PORT NAME PATH REQUESTS CONNECTIONS [connect]   kept connections, one request at a time on each; p50, p99, rate, bytes
 *   tls-client open ADDRESS PORT NAME PATH N 1 [connect]                    N connections one after the other, a request on each; p50
 *   tls-client idle ADDRESS PORT NAME PATH N 1 [connect]                    N connections with a request each, then says so and holds them until stdin ends
 *
 * `connect`: the address is an explicit proxy, asked for NAME:443. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, READ_MAX = 256 * 1024, CONNS_MAX = 4096 };

struct conn {
	SSL *ssl;
	int fd;
	double began;
	char head[HEAD_MAX + 1];
	size_t head_len;
	int in_body;
	uint64_t left; /* of the body */
};

struct place {
	const char *ip;
	int port;
	const char *name;
	int connect;
};

static char request[1024];
static uint64_t total; /* bytes of bodies */

static void die(const char *what)
{
	ERR_print_errors_fp(stderr);
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void ask_proxy(int fd, const char *name)
{
	char text[512];
	size_t len = 0;

	(void)snprintf(text, sizeof(text), "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", name, name);
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		die("CONNECT");
	memset(text, 0, sizeof(text));
	while (!strstr(text, "\r\n\r\n")) {
		ssize_t n = len < sizeof(text) - 1 ? read(fd, text + len, 1) : 0;

		if (n <= 0)
			die("the proxy's answer");
		len += (size_t)n;
	}
	if (!strstr(text, " 200 "))
		die(text);
}

static void conn_open(struct conn *c, SSL_CTX *ctx, const struct place *p)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)p->port) };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (inet_pton(AF_INET, p->ip, &sa.sin_addr) != 1 || connect(c->fd, (const struct sockaddr *)&sa, sizeof(sa)))
		die("connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (p->connect)
		ask_proxy(c->fd, p->name);
	c->ssl = SSL_new(ctx);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_set_tlsext_host_name(c->ssl, p->name) != 1 || SSL_connect(c->ssl) != 1)
		die("handshake");
}

static void conn_close(struct conn *c)
{
	(void)SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	(void)close(c->fd);
}

static void ask(struct conn *c)
{
	c->began = now();
	c->head_len = 0;
	c->in_body = 0;
	if (SSL_write(c->ssl, request, (int)strlen(request)) <= 0)
		die("request");
}

/* The head is whole in c->head; gives how much of what lies behind it belongs to the body. */
static void head_done(struct conn *c, const char *end)
{
	const char *length = strcasestr(c->head, "\r\ncontent-length:");
	size_t behind = c->head_len - (size_t)(end + 4 - c->head);

	if (strncmp(c->head, "HTTP/1.1 200", 12) != 0 || !length) {
		fprintf(stderr, "%s\n", c->head);
		exit(1);
	}
	c->in_body = 1;
	c->left = strtoull(length + 17, NULL, 10);
	total += behind;
	c->left -= behind;
}

/* 1: the answer is whole. 0: the socket is empty. */
static int receive(struct conn *c)
{
	static char sink[READ_MAX];

	for (;;) {
		char *to = c->in_body ? sink : c->head + c->head_len;
		size_t room = c->in_body ? sizeof(sink) : HEAD_MAX - c->head_len;
		int n = SSL_read(c->ssl, to, (int)room);
		const char *end;

		if (n <= 0) {
			if (SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ)
				return 0;
			die("answer");
		}
		if (c->in_body) {
			total += (uint64_t)n;
			c->left -= (uint64_t)n;
		} else {
			c->head_len += (size_t)n;
			c->head[c->head_len] = '\0';
			end = strstr(c->head, "\r\n\r\n");
			if (end)
				head_done(c, end);
		}
		if (c->in_body && c->left == 0)
			return 1;
	}
}

static int by_size(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static void report(double *t, size_t n, double took)
{
	qsort(t, n, sizeof(*t), by_size);
	printf("{\"p50_us\": %.1f, \"p99_us\": %.1f, \"per_second\": %.0f, \"bytes\": %llu, \"seconds\": %.4f}\n", t[n / 2] * 1e6, t[n * 99 / 100] * 1e6,
	       (double)n / took, (unsigned long long)total, took);
	(void)fflush(stdout);
}

static void load(struct conn *c, size_t n_conns, double *t, size_t n)
{
	int ep = epoll_create1(0);
	size_t asked = 0;
	size_t done = 0;

	for (size_t i = 0; i < n_conns; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &c[i] };

		(void)fcntl(c[i].fd, F_SETFL, O_NONBLOCK);
		(void)epoll_ctl(ep, EPOLL_CTL_ADD, c[i].fd, &ev);
	}
	for (size_t i = 0; i < n_conns && asked < n; i++, asked++)
		ask(&c[i]);
	while (done < n) {
		struct epoll_event got[64];
		int k = epoll_wait(ep, got, 64, 30000);

		if (k <= 0)
			die("stalled");
		for (int i = 0; i < k; i++) {
			struct conn *one = got[i].data.ptr;

			if (!receive(one))
				continue;
			t[done++] = now() - one->began;
			if (asked < n) {
				asked++;
				ask(one);
			}
		}
	}
	(void)close(ep);
}

int main(int argc, char **argv)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	size_t n = argc > 6 ? strtoul(argv[6], NULL, 10) : 0;
	size_t n_conns = argc > 7 ? strtoul(argv[7], NULL, 10) : 0;
	struct conn *c = calloc(CONNS_MAX, sizeof(*c));
	double *t = calloc(n + 1, sizeof(*t));
	int idle = argc > 1 && !strcmp(argv[1], "idle");
	struct place p;
	double began;

	if (!n || !n_conns || n_conns > CONNS_MAX || (idle && n > CONNS_MAX) || !ctx || !c || !t) {
		fprintf(stderr, "usage: tls-client load|open|idle ADDRESS PORT NAME PATH N CONNECTIONS [connect]\n");
		return 2;
	}
	p = (struct place){ .ip = argv[2], .port = atoi(argv[3]), .name = argv[4], .connect = argc > 8 };
	(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n", argv[5], p.name);
	if (!strcmp(argv[1], "load")) {
		for (size_t i = 0; i < n_conns; i++)
			conn_open(&c[i], ctx, &p);
		began = now();
		load(c, n_conns, t, n);
		report(t, n, now() - began);
		return 0;
	}
	began = now();
	for (size_t i = 0; i < n; i++) {
		struct conn *one = &c[idle ? i : 0];
		double at = now();

		conn_open(one, ctx, &p);
		ask(one);
		if (!receive(one))
			die("answer");
		t[i] = now() - at;
		if (!idle)
			conn_close(one);
	}
	report(t, n, now() - began);
	if (idle)
		while (getchar() != EOF)
			;
	return 0;
}
