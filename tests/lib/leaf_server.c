/* For tests: a TLS server with minted leaves, in the jail of inlet; every key but the root's is made, and every leaf minted, in there.
 *
 *	test-leaf-server FOLDER good|stolen NAME LISTED...
 *
 * Serves as NAME below an intermediate for the patterns LISTED, and answers each request with "ok". `stolen`: NAME's leaf is signed
 * with the intermediate's key past the minter, as somebody would who took it. Writes root.pem, intermediate.pem, leaf.pem; says its
 * port, then how each connection opened. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/der_out.h"
#include "base/must.h"
#include "crypt/ca.h"
#include "crypt/leaf.h"
#include "net/tls.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/loop.h"

enum { WAIT_MS = 20000 };

static bool everything(void *ctx, struct bytes name)
{
	(void)ctx;
	(void)name;
	return true;
}

static void write_pem(int fd, struct bytes der)
{
	struct buf pem;

	buf_init(&pem, 65536);
	must(cert_put_pem(&pem, der) && write(fd, pem.p, pem.len) == (ssize_t)pem.len);
	buf_deinit(&pem);
	(void)fd_close(fd);
}

/* Opened before the jail, written in it. */
static int file_of(const char *folder, const char *name)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0);
	return fd;
}

static int listener(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 16) == 0);
	must(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	printf("%u\n", ntohs(at.sin_port));
	(void)fflush(stdout);
	return fd;
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

static bool await(int fd, enum tls_answer a)
{
	struct pollfd p = { .fd = fd, .events = a == TLS_WANT_READ ? POLLIN : POLLOUT };

	return (a == TLS_WANT_READ || a == TLS_WANT_WRITE) && poll(&p, 1, WAIT_MS) == 1;
}

static void answer(struct tls *t, int fd)
{
	struct bytes text = bytes_str("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
	char b[4096];
	size_t n = 0;
	enum tls_answer a;

	while ((a = tls_read(t, b, sizeof(b), &n)) != TLS_DONE)
		if (!await(fd, a))
			return;
	while (text.len) {
		a = tls_write(t, text, &n);
		if (a == TLS_DONE)
			text = bytes_skip(text, n);
		else if (!await(fd, a))
			return;
	}
	(void)tls_shutdown(t);
}

static void serve(struct tls_ctx *ctx, int fd, const struct tls_server_side *s)
{
	struct tls *t = NULL;
	enum tls_answer a;

	must(tls_server_new(ctx, fd, s, &t, NULL) == 0);
	while ((a = tls_handshake(t)) != TLS_DONE && await(fd, a))
		;
	printf("%s\n", a == TLS_DONE ? "open" : tls_fault_text(tls_fault(t)));
	(void)fflush(stdout);
	if (a == TLS_DONE)
		answer(t, fd);
	tls_free(t);
	(void)shutdown(fd, SHUT_WR);
}

/* The minter's shape of certificate, for a name that the minter's issuer may not sign. */
static void steal(const struct key *key, const struct cert *issuer, const struct key *leaf_key, struct bytes name, struct buf *out)
{
	uint8_t public_key[KEY_PUBLIC];
	struct cert_body body = { .issuer = issuer->subject, .public_key = public_key, .not_before_ms = clock_real_ms() - CERT_DAY_MS,
				  .not_after_ms = clock_real_ms() + CERT_DAY_MS };
	struct buf san, extensions;
	size_t mark;

	key_public(leaf_key, public_key);
	buf_init(&san, 1000);
	buf_init(&extensions, 2000);
	mark = der_out_open(&san, DER_SEQUENCE);
	must(der_out_put(&san, DER_CONTEXT | 2, name) && der_out_close(&san, mark));
	must(cert_put_key_ids(&extensions, issuer->key_id, public_key) &&
	     cert_put_extension(&extensions, bytes_str("\x55\x1d\x11"), true, buf_view(&san)));
	body.extensions = buf_view(&extensions);
	must(cert_put(out, key, &body));
	buf_deinit(&san);
	buf_deinit(&extensions);
}

int main(int argc, char **argv)
{
	struct tls_server_side s = { .alpn = TLS_ALPN_HTTP1 };
	struct tls_cert *leaf_cert = NULL, *issuer_cert = NULL;
	struct bytes names[CA_NAMES_MAX];
	uint8_t public_key[KEY_PUBLIC];
	struct ca_intermediate ask = { .id = "ws-0123456789ab", .public_key = public_key, .names = names, .days = CA_INTERMEDIATE_DAYS };
	struct key *root_key, *key, *copy;
	struct key_der der;
	struct leaf_minter *m;
	const struct leaf *leaf = NULL;
	struct cert *root = NULL, *issuer = NULL;
	struct tls_ctx *ctx = NULL;
	struct err e = { "" };
	struct buf b;
	bool stolen;
	int fds[3], fd;

	if (argc < 5 || argc - 4 > CA_NAMES_MAX)
		return 2;
	stolen = strcmp(argv[2], "stolen") == 0;
	s.name = argv[3];
	for (int i = 4; i < argc; i++)
		names[ask.n_names++] = bytes_str(argv[i]);
	fds[0] = file_of(argv[1], "root.pem");
	fds[1] = file_of(argv[1], "intermediate.pem");
	fds[2] = file_of(argv[1], "leaf.pem");
	must(leaf_warm() && tls_ctx_new((struct bytes){ 0 }, &ctx, NULL) == 0);
	root_key = key_generate();
	fd = listener();
	jail();
	key = key_generate();
	must(root_key && key && key_to_der(key, &der));
	copy = key_from_der(bytes_of(der.p, KEY_DER)); /* as it comes from keeper */
	must(copy);
	key_public(key, public_key);
	buf_init(&b, CA_INTERMEDIATE_MAX);
	ask.now_ms = clock_real_ms();
	must(ca_root(root_key, "dev", "ws-0123456789ab", ask.now_ms, CA_ROOT_DAYS, &b, &e) == 0 && cert_open(&root, buf_view(&b), &e) == 0);
	buf_reset(&b);
	must(ca_intermediate(root_key, root, &ask, &b, &e) == 0 && cert_open(&issuer, buf_view(&b), &e) == 0);
	m = leaf_minter_new(copy, everything, NULL);
	must(m && leaf_minter_add(m, buf_view(&b), &e) == 0);
	buf_reset(&b);
	if (stolen) {
		steal(key, issuer, leaf_minter_key(m), bytes_str(s.name), &b);
		must(tls_cert_new(buf_view(&b), &leaf_cert, &e) == 0);
	} else {
		must(leaf_get(m, bytes_str(s.name), ask.now_ms, &leaf, &e) == 0);
		must(buf_bytes(&b, leaf->der) && tls_cert_of(leaf->handle, &leaf_cert, &e) == 0);
	}
	must(tls_cert_of(issuer->handle, &issuer_cert, &e) == 0);
	write_pem(fds[0], root->der);
	write_pem(fds[1], issuer->der);
	write_pem(fds[2], buf_view(&b));
	printf("ready\n");
	(void)fflush(stdout);
	s.leaf = leaf_cert;
	s.intermediate = issuer_cert;
	s.key = key_handle(leaf_minter_key(m));
	for (;;) {
		int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		must(one >= 0);
		serve(ctx, one, &s);
		(void)fd_close(one);
	}
}
