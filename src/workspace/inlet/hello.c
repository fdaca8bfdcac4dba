#include "workspace/inlet/hello.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "net/held.h"
#include "wire/tls_hello.h"

void hello_cancel(struct hello *h)
{
	loop_timer_disarm(&h->deadline);
	loop_io_remove(&h->io);
}

void hello_deinit(struct hello *h)
{
	hello_cancel(h);
	buf_deinit(&h->head);
}

static void finish(struct hello *h, enum hello_result result, enum reason reason, enum tls_alert alert, struct bytes said)
{
	const struct hello_end end = { .result = result, .reason = reason, .alert = alert, .said = said };

	hello_cancel(h);
	h->done(h->owner, &end);
}

static struct bytes nothing(void)
{
	return bytes_of(NULL, 0);
}

/* The name in the hello against the name of the flow. */
static enum reason judge_name(const struct flow *f, const struct tls_hello *h)
{
	struct name n;
	enum name_answer a;

	if (!h->has_sni)
		return REASON_SNI_MISSING;
	a = name_parse_strict(bytes_of(h->sni, h->sni_len), &n);
	if (a != NAME_OK)
		return a == NAME_ADDRESS ? REASON_NAME_IS_ADDRESS : REASON_SNI_MALFORMED;
	if (h->ech == TLS_ECH_REAL)
		return REASON_ECH_REAL;
	if (bytes_eq(name_bytes(&n), name_bytes(&f->name)))
		return REASON_OK;
	return h->ech == TLS_ECH_NONE ? REASON_SNI_MISMATCH : REASON_ECH_REAL;
}

static enum reason reason_of(enum tls_hello_answer a)
{
	return a == TLS_HELLO_NOT_TLS    ? REASON_TLS_NOT
	       : a == TLS_HELLO_TOO_LONG ? REASON_TLS_TOO_LONG
	       : a == TLS_HELLO_BAD_SNI  ? REASON_SNI_MALFORMED
					 : REASON_TLS_MALFORMED;
}

static void judge(struct hello *h)
{
	struct tls_hello t;
	enum tls_hello_answer a = tls_hello_read(buf_view(&h->head), &t);
	enum reason reason;
	char said[TLS_SNI_MAX];
	size_t len;

	if (a == TLS_HELLO_MORE && h->head.len < TLS_HELLO_BYTES_MAX)
		return;
	if (a != TLS_HELLO_DONE) {
		reason = a == TLS_HELLO_MORE ? REASON_TLS_TOO_LONG : reason_of(a);
		finish(h, HELLO_REFUSED, reason, reason == REASON_TLS_NOT ? TLS_ALERT_NONE : TLS_ALERT_DECODE_ERROR, nothing());
		return;
	}
	reason = judge_name(h->flow, &t);
	if (reason == REASON_OK) {
		finish(h, HELLO_OK, REASON_OK, TLS_ALERT_NONE, nothing());
		return;
	}
	len = t.has_sni ? t.sni_len : 0;
	memcpy(said, t.sni, len);
	finish(h, HELLO_REFUSED, reason, TLS_ALERT_UNRECOGNIZED_NAME, bytes_of(said, len));
}

static void on_io(struct loop_io *io, uint32_t events)
{
	enum { STEP = 4096 };
	struct hello *h = io->owner;
	size_t room = TLS_HELLO_BYTES_MAX - h->head.len;
	uint8_t *p = buf_room(&h->head, room < STEP ? room : STEP);
	ssize_t n = p ? recv(h->flow->fd, p, room < STEP ? room : STEP, MSG_DONTWAIT) : 0;

	(void)events;
	if (!p) {
		finish(h, HELLO_REFUSED, REASON_TOO_MANY_FLOWS, TLS_ALERT_INTERNAL_ERROR, nothing());
	} else if (n > 0) {
		buf_grew(&h->head, (size_t)n);
		judge(h);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		finish(h, HELLO_CLOSED, REASON_GUEST_CLOSED, TLS_ALERT_NONE, nothing());
	}
}

static void on_deadline(struct loop_timer *timer)
{
	finish(timer->owner, HELLO_REFUSED, REASON_FIRST_BYTES_LATE, TLS_ALERT_DECODE_ERROR, nothing());
}

bool hello_start(struct hello *h, const struct flow *f, hello_done_fn done, void *owner)
{
	struct loop *l = gate_loop(f->gate);

	*h = (struct hello){ .flow = f, .done = done, .owner = owner };
	buf_init(&h->head, TLS_HELLO_BYTES_MAX);
	held_buf(&h->head);
	if (loop_io_add(l, &h->io, f->fd, EPOLLIN, on_io, h, NULL) == 0 && loop_timer_arm(l, &h->deadline, FLOW_FIRST_BYTES_MS, on_deadline, h))
		return true;
	hello_cancel(h);
	return false;
}
