/* A call into libssl is bounded in what it takes from the socket (tls->budget), so that a peer that sends nothing but records without data
 * keeps no other flow waiting. When the budget is used up the socket looks empty, the caller waits for it, and a level-triggered loop
 * comes back at once.
 *
 * Reading ahead gets several records for one system call. What libssl holds then is invisible to epoll; tls_read() therefore goes on
 * while libssl holds bytes or the last read from the socket came back full. */
#include "net/tls_stream.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "base/must.h"
#include "os/loop.h"

int64_t tls_now_s(void)
{
	return (int64_t)(clock_real_ms() / 1000);
}

struct tls *tls_stream_new(struct tls_ctx *c, SSL_CTX *ssl_ctx, int fd, const char *name, struct bytes prefix)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct tls){ .ctx = c, .ssl = SSL_new(ssl_ctx), .fd = fd, .name = bytes_dup(bytes_str(name)), .detail = "" };
	if (prefix.len) {
		t->prefix = malloc(prefix.len);
		t->prefix_len = prefix.len;
	}
	if (!t->ssl || !t->name || (prefix.len && !t->prefix) || SSL_set_app_data(t->ssl, t) != 1 || !tls_bio_attach(t))
		return tls_free(t);
	if (prefix.len)
		memcpy(t->prefix, prefix.p, prefix.len);
	return t;
}

struct tls *tls_free(struct tls *t)
{
	if (!t)
		return NULL;
	/* A session is good although its connection was not closed by the book; libssl would spoil it. */
	if (t->ssl && t->fault == TLS_FAULT_NONE)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	free(t->prefix);
	free(t->name);
	free(t);
	return NULL;
}

/* SSL_get_error() reads the thread's queue. Emptying an empty one costs 32 calls of free(). */
static void begin(struct tls *t)
{
	if (ERR_peek_error())
		ERR_clear_error();
	t->socket_errno = 0;
	t->budget = TLS_READ_BURST;
}

static enum tls_answer fail(struct tls *t, enum tls_fault f, const char *detail)
{
	if (t->fault == TLS_FAULT_NONE) {
		t->fault = f;
		t->detail = detail;
	}
	ERR_clear_error();
	return TLS_FAILED;
}

/* What a call that gave `r` means; TLS_DONE never. */
static enum tls_answer outcome(struct tls *t, int r)
{
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return t->open ? TLS_EOF : fail(t, TLS_FAULT_CLOSED, "close notify in the handshake");
	default:
		tls_fault_find(t);
		ERR_clear_error();
		return TLS_FAILED;
	}
}

static bool abuses(const struct tls *t)
{
	return t->renegotiates || t->n_quiet > TLS_QUIET_RECORDS_MAX;
}

static enum tls_answer refuse_abuse(struct tls *t)
{
	return fail(t, TLS_FAULT_PROTOCOL, t->renegotiates ? "renegotiation" : "too many handshake records without data");
}

static enum tls_alpn chosen(const struct tls *t)
{
	const unsigned char *p = NULL;
	unsigned len = 0;

	SSL_get0_alpn_selected(t->ssl, &p, &len);
	return len ? tls_alpn_of(bytes_of(p, len)) : TLS_ALPN_NONE;
}

enum tls_answer tls_handshake(struct tls *t)
{
	int r;

	if (t->open)
		return TLS_DONE;
	if (t->fault != TLS_FAULT_NONE)
		return TLS_FAILED;
	begin(t);
	r = SSL_do_handshake(t->ssl);
	if (r != 1)
		return outcome(t, r);
	t->open = true;
	if (!SSL_session_reused(t->ssl))
		t->verified_at = tls_now_s();
	return TLS_DONE;
}

enum tls_alpn tls_alpn(const struct tls *t)
{
	return t->open ? chosen(t) : TLS_ALPN_NONE;
}

bool tls_resumed(const struct tls *t)
{
	return t->open && SSL_session_reused(t->ssl);
}

/* The answer of a failed read. Anybody on the way can end a connection: then the data before it is all there is. */
static enum tls_answer read_ended(struct tls *t, int r)
{
	enum tls_fault before = t->fault; /* of a write: what had come until then can still be read */
	const char *detail = t->detail;
	enum tls_answer a;

	t->fault = TLS_FAULT_NONE;
	a = outcome(t, r);
	if (t->fault == TLS_FAULT_CLOSED)
		a = TLS_TRUNCATED;
	if (a != TLS_FAILED) {
		t->fault = before;
		t->detail = detail;
	}
	return a;
}

enum tls_answer tls_read(struct tls *t, void *p, size_t max, size_t *ret_n)
{
	enum tls_answer a = TLS_DONE;
	size_t n = 0;

	must(t->open && max);
	*ret_n = 0;
	if (t->ended)
		return t->end;
	begin(t);
	do {
		size_t got = 0;
		int r = SSL_read_ex(t->ssl, (uint8_t *)p + n, max - n, &got);

		n += got;
		if (r == 1)
			t->n_quiet = 0;
		if (abuses(t)) /* first: the peer may have answered our refusal with an alert of its own already */
			a = refuse_abuse(t);
		else if (r != 1)
			a = read_ended(t, r);
	} while (a == TLS_DONE && n < max && (t->more || SSL_has_pending(t->ssl)));
	if (a == TLS_EOF || a == TLS_TRUNCATED || a == TLS_FAILED) {
		t->ended = true;
		t->end = a;
	}
	/* A ticket leaves an empty write buffer behind, which would stay until the next write. Does nothing where bytes wait. */
	if (t->was_quiet)
		(void)SSL_free_buffers(t->ssl);
	t->was_quiet = false;
	*ret_n = n;
	return n ? TLS_DONE : a;
}

bool tls_pending(const struct tls *t)
{
	return t->open && (t->ended || t->prefix || (!t->dry && SSL_has_pending(t->ssl)));
}

enum tls_answer tls_write(struct tls *t, struct bytes data, size_t *ret_n)
{
	enum tls_answer a = TLS_DONE;
	size_t n = 0;

	must(t->open && data.len && data.len >= t->owed && !t->said_close);
	*ret_n = 0;
	begin(t);
	t->owed = 0;
	while (a == TLS_DONE && n < data.len && n < TLS_READ_BURST) {
		size_t put = 0;
		int r = SSL_write_ex(t->ssl, data.p + n, data.len - n, &put);

		n += put;
		if (r != 1)
			a = outcome(t, r);
	}
	if (a == TLS_WANT_WRITE || a == TLS_WANT_READ)
		t->owed = data.len - n < SSL3_RT_MAX_PLAIN_LENGTH ? data.len - n : SSL3_RT_MAX_PLAIN_LENGTH;
	*ret_n = n;
	return n ? TLS_DONE : a;
}

enum tls_answer tls_shutdown(struct tls *t)
{
	int r;

	if (!t->open || t->said_close || t->fault != TLS_FAULT_NONE)
		return TLS_DONE;
	begin(t);
	r = SSL_shutdown(t->ssl);
	if (r < 0 && SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_WRITE)
		return TLS_WANT_WRITE;
	ERR_clear_error();
	t->said_close = true;
	return TLS_DONE;
}

enum tls_fault tls_fault(const struct tls *t)
{
	return t->fault;
}

const char *tls_detail(const struct tls *t)
{
	return t->detail;
}
