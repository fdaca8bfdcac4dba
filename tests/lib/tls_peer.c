/* For tests: one end of net/tls on sockets that it is given, in the jail of inlet; and what such ends cost.
 *
 *	test-tls-peer client NAMES ALPN ROOTS CA FDS	the connections, one after the other
 *	test-tls-peer server NAMES ALPN LEAF CHAIN KEY FDS
 *	test-tls-peer memory ROOTS LEAF CHAIN KEY N	N idle flows, both sides of each: KiB a flow
 *	test-tls-peer roots FILE	KiB and milliseconds of the first use of these roots
 *
 * FDS and NAMES: with commas; the last name is also every further connection's. ALPN: h2, http/1.1, both, none. Files are PEM; "-" is
 * none. A client says hello and prints what comes back; a server sends back what
 * comes. One line says how each connection opened, one how it ended. */
#include <fcntl.h>
#include <malloc.h>
#include <openssl/pem.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/num.h"
#include "net/tls.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/loop.h"

enum { FILE_MAX = 4 * 1024 * 1024, WAIT_MS = 20000 };

static struct buf read_file(const char *path)
{
	struct buf b;
	int fd FD_AUTO = -1;
	ssize_t n = 1;

	buf_init(&b, FILE_MAX);
	if (strcmp(path, "-") == 0)
		return b;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	while (n > 0) {
		uint8_t *room = buf_room(&b, 65536);

		must(room);
		n = read(fd, room, 65536);
		must(n >= 0);
		buf_grew(&b, (size_t)n);
	}
	return b;
}

static struct tls_cert *cert_of(const struct buf *pem)
{
	BIO *b = pem->len ? BIO_new_mem_buf(pem->p, (int)pem->len) : NULL;
	X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
	struct tls_cert *c = NULL;
	uint8_t *der = NULL;
	int len = x ? i2d_X509(x, &der) : 0;

	must(!pem->len || tls_cert_new(bytes_of(der, (size_t)len), &c, NULL) == 0);
	OPENSSL_free(der);
	X509_free(x);
	BIO_free(b);
	return c;
}

static EVP_PKEY *key_of(const struct buf *pem)
{
	BIO *b = BIO_new_mem_buf(pem->p, (int)pem->len);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);

	must(k);
	BIO_free(b);
	return k;
}

static unsigned alpn_set(const char *s)
{
	return strcmp(s, "both") == 0 ? TLS_ALPN_H2 | TLS_ALPN_HTTP1 : strcmp(s, "h2") == 0 ? TLS_ALPN_H2 :
	       strcmp(s, "none") == 0 ? 0 : TLS_ALPN_HTTP1;
}

static bool await(int fd, enum tls_answer a)
{
	struct pollfd p = { .fd = fd, .events = a == TLS_WANT_READ ? POLLIN : POLLOUT };

	return (a == TLS_WANT_READ || a == TLS_WANT_WRITE) && poll(&p, 1, WAIT_MS) == 1;
}

static void say_end(const struct tls *t, enum tls_answer a)
{
	static const char *const text[] = { "done", "too late", "too late", "eof", "truncated" };

	if (a == TLS_FAILED)
		printf("failed: %s: %s\n", tls_fault_text(tls_fault(t)), tls_detail(t));
	else
		printf("%s\n", text[a]);
	(void)fflush(stdout);
}

static bool write_all(struct tls *t, int fd, struct bytes data)
{
	while (data.len) {
		size_t n = 0;
		enum tls_answer a = tls_write(t, data, &n);

		if (a != TLS_DONE && !await(fd, a))
			return false;
		data = bytes_skip(data, n);
	}
	return true;
}

static void talk(struct tls *t, int fd, bool is_client)
{
	static uint8_t b[65536];
	enum tls_answer a;
	size_t n = 0;

	do {
		a = tls_handshake(t);
	} while (a != TLS_DONE && await(fd, a));
	if (a != TLS_DONE) {
		say_end(t, a);
		return;
	}
	printf("open alpn=%s resumed=%d\n", tls_alpn(t) == TLS_ALPN_H2 ? "h2" : tls_alpn(t) == TLS_ALPN_HTTP1 ? "http/1.1" : "none",
	       tls_resumed(t));
	(void)fflush(stdout);
	if (is_client)
		(void)write_all(t, fd, bytes_str("hello\n"));
	while ((a = tls_read(t, b, sizeof(b), &n)) == TLS_DONE || await(fd, a))
		if (n && is_client)
			(void)(fwrite(b, 1, n, stdout) && fflush(stdout));
		else if (n && !write_all(t, fd, bytes_of(b, n)))
			break;
	(void)tls_shutdown(t);
	say_end(t, a);
}

static void jail(void)
{
	struct err e = { "" };

	if (jail_capabilities(0, 0, 0, &e) < 0 || jail_no_files(JAIL_NET_NONE, &e) < 0 ||
	    jail_syscalls(JAIL_SYS_ACCEPT | JAIL_SYS_SPLICE, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		exit(3);
	}
}

static unsigned count(const char *s)
{
	uint64_t n = 0;

	must(num_u64(bytes_str(s), 100000, &n));
	return (unsigned)n;
}

/* What stands before the next comma; the list moves behind it, but a last name stays. */
static const char *next(char **list, bool keep_last)
{
	char *item = *list;
	char *comma = strchr(item, ',');

	if (comma)
		*comma = '\0';
	if (comma || !keep_last)
		*list = comma ? comma + 1 : NULL;
	return item;
}

static int client(char **v)
{
	struct buf roots = read_file(v[2]);
	struct buf ca = read_file(v[3]);
	struct tls_client_side s = { .port = 443, .alpn = alpn_set(v[1]), .ca = buf_view(&ca) };
	struct tls_ctx *ctx = NULL;
	struct err e = { "" };

	must(tls_ctx_new(buf_view(&roots), &ctx, &e) == 0);
	jail();
	while (v[4]) {
		int fd = (int)count(next(&v[4], false));
		struct tls *t = NULL;

		s.name = next(&v[0], true);
		if (tls_client_new(ctx, fd, &s, &t, &e) < 0) {
			printf("%s\n", e.text);
			return 1;
		}
		talk(t, fd, true);
		tls_free(t);
		(void)shutdown(fd, SHUT_RDWR);
	}
	tls_ctx_free(ctx);
	buf_deinit(&roots);
	buf_deinit(&ca);
	return 0;
}

static int server(char **v)
{
	struct buf pem[3] = { read_file(v[2]), read_file(v[3]), read_file(v[4]) };
	struct tls_server_side s = { .alpn = alpn_set(v[1]) };
	struct tls_cert *leaf, *chain;
	struct tls_ctx *ctx = NULL;
	EVP_PKEY *key;

	must(tls_ctx_new((struct bytes){ 0 }, &ctx, NULL) == 0);
	jail();
	s.leaf = leaf = cert_of(&pem[0]);
	s.intermediate = chain = cert_of(&pem[1]);
	s.key = key = key_of(&pem[2]);
	while (v[5]) {
		int fd = (int)count(next(&v[5], false));
		struct tls *t = NULL;

		s.name = next(&v[0], true);
		must(tls_server_new(ctx, fd, &s, &t, NULL) == 0);
		talk(t, fd, false);
		tls_free(t);
		(void)shutdown(fd, SHUT_RDWR);
	}
	tls_ctx_free(ctx);
	tls_cert_free(leaf);
	tls_cert_free(chain);
	EVP_PKEY_free(key);
	for (int i = 0; i < 3; i++)
		buf_deinit(&pem[i]);
	return 0;
}

static size_t allocated(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* Of different ports, so that each handshake is a full one and its client holds the certificates. */
static void open_pair(struct tls_ctx *ctx, const struct tls_server_side *ss, unsigned port)
{
	struct tls_client_side cs = { .name = ss->name, .port = port, .alpn = ss->alpn };
	struct tls *c = NULL;
	struct tls *s = NULL;
	enum tls_answer a = TLS_WANT_READ;
	enum tls_answer b = TLS_WANT_READ;
	int pair[2];
	char text[2048];
	size_t n = 0;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	must(tls_client_new(ctx, pair[0], &cs, &c, NULL) == 0 && tls_server_new(ctx, pair[1], ss, &s, NULL) == 0);
	while (a != TLS_DONE || b != TLS_DONE) {
		a = tls_handshake(c);
		b = tls_handshake(s);
		must(a != TLS_FAILED && b != TLS_FAILED);
	}
	memset(text, 'x', sizeof(text));
	must(tls_write(c, bytes_of(text, 1024), &n) == TLS_DONE && tls_read(s, text, sizeof(text), &n) == TLS_DONE && n == 1024);
	must(tls_write(s, bytes_of(text, 1024), &n) == TLS_DONE && tls_read(c, text, sizeof(text), &n) == TLS_DONE && n == 1024);
}

static int memory(char **v)
{
	struct buf pem[4] = { read_file(v[1]), read_file(v[2]), read_file(v[3]), read_file(v[0]) };
	struct tls_server_side s = { .name = "a.example", .alpn = TLS_ALPN_HTTP1 };
	struct tls_ctx *ctx = NULL;
	unsigned n = count(v[4]);
	size_t before;

	must(tls_ctx_new(buf_view(&pem[3]), &ctx, NULL) == 0);
	s.leaf = cert_of(&pem[0]);
	s.intermediate = cert_of(&pem[1]);
	s.key = key_of(&pem[2]);
	for (unsigned i = 0; i < TLS_SESSIONS_MAX; i++)
		open_pair(ctx, &s, i);
	before = allocated();
	for (unsigned i = 0; i < n; i++)
		open_pair(ctx, &s, TLS_SESSIONS_MAX + i);
	printf("%.1f KiB a flow\n", (double)(allocated() - before) / 1024 / n);
	return 0;
}

static int roots(char **v)
{
	struct buf pem = read_file(v[0]);
	struct tls_client_side s = { .name = "a.example" };
	struct tls_ctx *ctx = NULL;
	struct tls *t = NULL;
	size_t before;
	uint64_t at = clock_mono_ms();

	must(tls_ctx_new(buf_view(&pem), &ctx, NULL) == 0);
	before = allocated();
	must(tls_client_new(ctx, -1, &s, &t, NULL) == 0);
	printf("%zu KiB, %llu ms\n", (allocated() - before) / 1024, (unsigned long long)(clock_mono_ms() - at));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *verb;
		int argc;
		int (*run)(char **);
	} verbs[] = { { "client", 7, client }, { "server", 8, server }, { "memory", 7, memory }, { "roots", 3, roots } };

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (argc == verbs[i].argc && strcmp(argv[1], verbs[i].verb) == 0)
			return verbs[i].run(argv + 2);
	return 2;
}
