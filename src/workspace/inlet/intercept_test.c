#include "workspace/inlet/intercept.h"

#include "base/tap.h"
#include "net/held.h"
#include "os/fd.h"
#include "proxy/h2_flow.h"
#include "proxy/http_rig.h"
#include "workspace/inlet/hello.h"

/* The hello is the test's, and so are the leaf and what is said of a refusal. */

static struct {
	hello_done_fn done;
	void *owner;
	unsigned n_leaves;
	unsigned n_refusals;
	enum reason refusal;
	enum tls_alert alert;
} seen;

bool hello_start(struct hello *h, const struct flow *f, hello_done_fn done, void *owner)
{
	(void)h;
	(void)f;
	seen.done = done;
	seen.owner = owner;
	return true;
}

void hello_cancel(struct hello *h)
{
	(void)h;
}

void hello_deinit(struct hello *h)
{
	(void)h;
}

enum reason authority_leaf(struct authority *a, struct bytes name, struct authority_leaf *ret)
{
	(void)a;
	(void)name;
	(void)ret;
	seen.n_leaves++;
	return REASON_CA_MISSING;
}

void refusal_start(const struct flow *facts, enum reason reason, enum tls_alert alert, struct bytes detail)
{
	(void)detail;
	seen.n_refusals++;
	seen.refusal = reason;
	seen.alert = alert;
	(void)fd_close(facts->fd);
}

void refusal_explain(const struct flow *facts, enum reason reason, struct bytes first)
{
	(void)first;
	refusal_start(facts, reason, TLS_ALERT_NONE, bytes_of(NULL, 0));
}

int refusal_reset(int fd)
{
	return fd_close(fd);
}

void h2_flow_start(const struct flow *facts, struct tls *tls)
{
	(void)tls;
	(void)fd_close(facts->fd);
}

static void start(const struct flow *facts)
{
	intercept_flow_start(facts, NULL);
}

static void greeted(size_t all)
{
	const struct hello_end good = { .result = HELLO_OK };
	size_t others = 0;

	memset(&seen, 0, sizeof(seen));
	http_rig_start(start);
	held_set(&others, all);
	seen.done(seen.owner, &good);
	held_set(&others, 0);
	http_rig_end();
	CHECK_INT(seen.n_refusals, 1);
	CHECK_INT(seen.alert, TLS_ALERT_INTERNAL_ERROR);
}

TEST(a_handshake_for_which_there_is_no_memory_does_not_begin)
{
	greeted(HELD_CONTENT);
	CHECK_INT(seen.refusal, REASON_TOO_MANY_FLOWS);
	CHECK_INT(seen.n_leaves, 0);
	greeted(HELD_CONTENT - 1);
	CHECK_INT(seen.refusal, REASON_CA_MISSING);
	CHECK_INT(seen.n_leaves, 1);
}
