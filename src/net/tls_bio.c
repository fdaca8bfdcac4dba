#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/tls_stream.h"

static int give_prefix(struct tls *t, char *p, size_t len)
{
	size_t n = t->prefix_len - t->prefix_at;

	n = n < len ? n : len;
	memcpy(p, t->prefix + t->prefix_at, n);
	t->prefix_at += n;
	if (t->prefix_at == t->prefix_len) {
		free(t->prefix);
		t->prefix = NULL;
	}
	t->more = true;
	return (int)n;
}

static int bio_read(BIO *b, char *p, int len)
{
	struct tls *t = BIO_get_data(b);
	ssize_t n;

	BIO_clear_retry_flags(b);
	t->dry = false;
	if (len <= 0)
		return 0;
	if (t->prefix)
		return give_prefix(t, p, (size_t)len);
	if (!t->budget) {
		BIO_set_retry_read(b);
		return -1;
	}
	do {
		n = recv(t->fd, p, (size_t)len, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	t->more = n == len;
	if (n > 0)
		t->budget -= (size_t)n < t->budget ? (size_t)n : t->budget;
	t->dry = n < 0 && errno == EAGAIN;
	if (t->dry)
		BIO_set_retry_read(b);
	else if (n < 0)
		t->socket_errno = errno;
	if (n == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	return (int)n;
}

static int bio_write(BIO *b, const char *p, int len)
{
	struct tls *t = BIO_get_data(b);
	ssize_t n;

	BIO_clear_retry_flags(b);
	if (len <= 0)
		return 0;
	do {
		n = send(t->fd, p, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		BIO_set_retry_write(b);
	else if (n < 0)
		t->socket_errno = errno;
	return (int)n;
}

static long bio_ctrl(BIO *b, int what, long num, void *p)
{
	(void)num;
	(void)p;
	if (what == BIO_CTRL_EOF)
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	return what == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

BIO_METHOD *tls_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "saw socket");

	if (m && BIO_meth_set_read(m, bio_read) == 1 && BIO_meth_set_write(m, bio_write) == 1 &&
	    BIO_meth_set_ctrl(m, bio_ctrl) == 1 && BIO_meth_set_create(m, bio_create) == 1)
		return m;
	BIO_meth_free(m);
	return NULL;
}

bool tls_bio_attach(struct tls *t)
{
	BIO *b = BIO_new(t->ctx->bio);

	if (!b)
		return false;
	BIO_set_data(b, t);
	SSL_set_bio(t->ssl, b, b);
	return true;
}
