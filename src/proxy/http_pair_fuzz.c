#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "os/fd.h"
#include "proxy/flows.h"
#include "proxy/gate_main.h"
#include "proxy/h2_flow.h"
#include "proxy/http_flow.h"
#include "proxy/idle.h"
#include "wire/credential_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Two flows in a row, as inlet and outlet have them, between a guest that sends anything at all, over HTTP/1.1 or HTTP/2, and an origin
 * that answers what is whole. Inlet's reading is outlet's: whatever the one prints the other takes as canonical and judges with the same
 * words, and what the origin gets is what inlet printed, but for credentials. Only gate, policy and the making of connections are stood in for. */

enum { PIPES_MAX = 128, JUDGED_MAX = 1024, WAITS_TURNS = 4, ROOM = 4 * 1024 * 1024, ROUNDS_MAX = 20000 };
#define SECRET "s3cr3t"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

struct gate {
	struct loop *loop;
	struct flows *flows;
	bool outlet;
	uint64_t next;
	struct gate_wait *first; /* what the flows wait for, in their order */
	struct gate_wait **tail;
};

/* From inlet to outlet, read along; and from outlet to the origin. */
struct pipe {
	int ends[2];
	int origin_fd;
	struct buf printed;
	struct buf received;
	struct http1_scan scan; /* the origin's reading of `received` */
	struct http1_body body;
	struct buf trailers;
	size_t read;
	bool in_body;
};

static struct gate inlet;
static struct gate outlet;
static struct pipe pipes[PIPES_MAX];
static size_t n_pipes;
static struct buf judged[JUDGED_MAX]; /* by inlet, and not yet by outlet */
static size_t n_judged;
static uint32_t credential;

/* --- gate --- */

struct loop *gate_loop(const struct gate *g)
{
	return g->loop;
}

const struct policy *gate_policy(const struct gate *g)
{
	return (const struct policy *)(const void *)g; /* only handed on to the policy below */
}

uint64_t gate_generation(const struct gate *g)
{
	(void)g;
	return 1;
}

struct tls_ctx *gate_tls(const struct gate *g)
{
	(void)g;
	return NULL;
}

bool gate_is_outlet(const struct gate *g)
{
	return g->outlet;
}

bool gate_secret(const struct gate *g, struct bytes id, struct bytes *ret_value, uint64_t *ret_version)
{
	(void)id;
	*ret_value = bytes_str(SECRET);
	*ret_version = 1;
	return g->outlet;
}

enum gate_way gate_way(const struct gate *g, struct bytes name)
{
	(void)name;
	return g->outlet ? GATE_DIALER : GATE_OUTLET;
}

uint64_t gate_next_flow(struct gate *g)
{
	return ++g->next;
}

struct flows *gate_flows(struct gate *g)
{
	return g->flows;
}

bool gate_busy(const struct gate *g)
{
	(void)g;
	return false;
}

bool gate_noisy(const struct gate *g, enum gate_noise kind)
{
	(void)g;
	(void)kind;
	return false;
}

static void wait_add(struct gate *g, struct gate_wait *w)
{
	w->gate = g;
	w->next = NULL;
	w->prev = g->tail;
	*g->tail = w;
	g->tail = &w->next;
}

void gate_wait_cancel(struct gate_wait *w)
{
	if (!w->gate)
		return;
	*w->prev = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		w->gate->tail = w->prev;
	w->gate = NULL;
}

/* A guest that breaks off is told of by both; nothing else that inlet lets by is refused behind it. */
static void check_event(struct gate *g, const struct event *ev)
{
	if (!g->outlet)
		return;
	must(ev->action != EVENT_DENIED || ev->reason == REASON_GUEST_CLOSED);
	must(ev->action != EVENT_FAILED || ev->reason == REASON_GUEST_CLOSED || ev->reason == REASON_UPSTREAM_CLOSED ||
	     ev->reason == REASON_ROLE_DOWN); /* finish() */
}

void gate_note(struct gate *g, const struct event *ev)
{
	check_event(g, ev);
}

void gate_event(struct gate *g, struct gate_wait *w, const struct event *ev, void (*done)(void *owner, bool written), void *owner)
{
	check_event(g, ev);
	*w = (struct gate_wait){ .owner = owner, .on_event = done };
	wait_add(g, w);
}

/* --- policy: everything but /admin, whatever the method --- */

enum reason policy_find(const struct policy *p, struct bytes name, uint16_t port, struct policy_entry *ret)
{
	(void)p;
	must(bytes_is(name, "good.example") && port == 443);
	*ret = (struct policy_entry){ .mode = POLICY_INTERCEPT, .rule = bytes_str("good"), .credential = credential, .encoded_slash = true };
	return REASON_OK;
}

bool policy_guarded(const struct policy *p, struct bytes name)
{
	(void)p;
	(void)name;
	return credential != POLICY_NONE;
}

bool policy_credential_at(const struct policy *p, uint32_t i, struct policy_credential *ret)
{
	(void)p;
	*ret = (struct policy_credential){ .id = bytes_str("token"), .inject = POLICY_INJECT_HEADER, .header = bytes_str("Authorization"),
					   .prefix = bytes_str("Bearer ") };
	return i == 0;
}

bool policy_credential_bound(const struct policy *p, uint32_t i, struct bytes name, uint16_t port, enum policy_protocol protocol,
			     const struct policy_request *r)
{
	(void)p;
	(void)i;
	(void)port;
	(void)protocol;
	(void)r;
	return bytes_is(name, "good.example");
}

bool policy_address_ok(const struct policy *p, const struct policy_entry *e, struct ip ip)
{
	(void)p;
	(void)e;
	return ip.family != 0;
}

enum policy_change_answer policy_change(const struct policy *p, const struct policy_refused *r, struct buf *out)
{
	(void)p;
	(void)r;
	(void)out;
	return POLICY_CHANGE_NONE;
}

/* All that a policy can see of a request. */
static void describe(const struct policy_request *r, struct buf *out)
{
	const struct http1_head *h = r->headers;
	struct bytes parts[] = { r->method, r->path, r->query, bytes_str(r->has_query ? "?" : ""), bytes_str(r->websocket ? "websocket" : "") };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		(void)buf_bytes(out, parts[i]);
		(void)buf_byte(out, '\n');
	}
	for (size_t i = 0; i < h->n_fields; i++) {
		(void)buf_bytes(out, h->fields[i].name);
		(void)buf_byte(out, ':');
		(void)buf_bytes(out, h->fields[i].value);
		(void)buf_byte(out, '\n');
	}
}

/* In other words than inlet's: the oracle of this target. */
static void outlet_judged(struct buf *text)
{
	size_t i = 0;

	while (i < n_judged && !bytes_eq(buf_view(&judged[i]), buf_view(text)))
		i++;
	must(i < n_judged);
	buf_deinit(&judged[i]);
	judged[i] = judged[--n_judged];
	buf_deinit(text);
}

void policy_judge(const struct policy *p, const struct policy_entry *e, const struct policy_request *r, struct policy_verdict *ret)
{
	const struct gate *g = (const struct gate *)(const void *)p;
	struct buf text;

	buf_init(&text, ROOM);
	describe(r, &text);
	*ret = (struct policy_verdict){ .reason = REASON_OK, .rule = e->rule, .websocket = r->websocket };
	if (bytes_starts(r->path, bytes_str("/admin")))
		ret->reason = REASON_HTTP_PATH_UNLISTED;
	must(n_judged < JUDGED_MAX);
	if (g->outlet)
		outlet_judged(&text);
	else
		judged[n_judged++] = text;
}

/* --- connections --- */

void host_start(struct host *h, const struct flow *f, const struct host_use *use, host_done_fn done, void *owner)
{
	(void)use;
	*h = (struct host){ .flow = f, .fd = -1, .done = done, .owner = owner };
	h->wait.owner = h;
	wait_add(f->gate, &h->wait);
}

void host_cancel(struct host *h)
{
	gate_wait_cancel(&h->wait);
	h->flow = NULL;
}

static void pair(int fds[2])
{
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
}

static struct flow facts_of(struct gate *g, int fd)
{
	struct flow f = { .gate = g, .id = gate_next_flow(g), .fd = fd, .dst_port = 443 };

	must(name_parse(bytes_str("good.example"), &f.name) == NAME_OK);
	must(policy_find(gate_policy(g), name_bytes(&f.name), 443, &f.entry) == REASON_OK);
	return f;
}

/* Outlet's flow behind it gets the other end. */
static int open_pipe(void)
{
	struct pipe *p = &pipes[n_pipes++];
	struct flow f;
	int near[2];
	int far[2];

	pair(near);
	pair(far);
	*p = (struct pipe){ .ends = { near[1], far[0] }, .origin_fd = -1 };
	buf_init(&p->printed, ROOM);
	buf_init(&p->received, ROOM);
	buf_init(&p->trailers, HTTP1_TRAILERS_LEN_MAX);
	f = facts_of(&outlet, far[1]);
	f.id = n_pipes; /* so that its connection to the origin is found */
	http_flow_start(&f);
	return near[0];
}

static int open_origin(uint64_t flow)
{
	struct pipe *p = &pipes[flow - 1];
	int fds[2];

	must(p->origin_fd < 0); /* the origin keeps its connections: a second one was not needed */
	pair(fds);
	p->origin_fd = fds[0];
	return fds[1];
}

static void connected(struct gate *g, struct host *h)
{
	struct host_conn c = { .fd = -1, .ip = { .family = 4 }, .clear_to_outlet = !g->outlet, .reason = REASON_ROLE_DOWN, .detail = "" };

	if (g->outlet || n_pipes < PIPES_MAX) {
		c.reason = REASON_OK;
		c.fd = g->outlet ? open_origin(h->flow->id) : open_pipe();
	}
	h->flow = NULL;
	h->done(h->owner, &c);
}

static bool answer_waits(struct gate *g)
{
	struct gate_wait *w = g->first;

	if (!w)
		return false;
	gate_wait_cancel(w);
	if (w->on_event)
		w->on_event(w->owner, true);
	else
		connected(g, w->owner);
	return true;
}

/* --- the wires between --- */

static bool take(int fd, struct buf *into)
{
	uint8_t *room = fd < 0 ? NULL : buf_room(into, 65536);
	ssize_t n = room ? recv(fd, room, 65536, 0) : -1;

	if (n > 0)
		buf_grew(into, (size_t)n);
	return n > 0;
}

static bool at_end(int fd)
{
	char c;

	return fd >= 0 && recv(fd, &c, 1, MSG_PEEK) == 0;
}

static void push(int fd, struct bytes what)
{
	while (what.len) {
		ssize_t n = send(fd, what.p, what.len, MSG_NOSIGNAL);

		if (n <= 0) /* its reader is full or gone: what is lost is lost for the origin, too */
			return;
		what = bytes_skip(what, (size_t)n);
	}
}

/* True: a whole request was read. Everything that arrives can be read. */
static bool origin_reads(struct pipe *p)
{
	struct bytes rest = bytes_skip(buf_view(&p->received), p->read);
	struct http1_head h;
	struct http1_length l;
	enum http1_fault fault;
	enum http1_answer a;
	struct bytes data;
	size_t used;

	if (!p->in_body) {
		a = http1_request_head(&p->scan, rest, &h, &used, &fault);
		must(a != HTTP1_BAD);
		if (a != HTTP1_DONE)
			return false;
		must(http1_request_length(&h, &l, &fault));
		must(http1_find(&h, "host", &data) == 1 && bytes_is(data, "good.example"));
		must(credential != 0 || (http1_find(&h, "authorization", &data) == 1 && bytes_is(data, "Bearer " SECRET)));
		p->scan = (struct http1_scan){ 0 };
		p->read += used;
		http1_body_init(&p->body, l.framing, l.len);
		buf_reset(&p->trailers);
		http1_body_keep_trailers(&p->body, &p->trailers);
		p->in_body = l.framing == HTTP1_CHUNKED || (l.framing == HTTP1_LENGTH && l.len);
		return !p->in_body;
	}
	while (rest.len) {
		a = http1_body_next(&p->body, rest, &used, &data, &fault);
		must(a != HTTP1_BAD);
		p->read += used;
		rest = bytes_skip(rest, used);
		if (a == HTTP1_DONE) {
			p->in_body = false;
			return true;
		}
	}
	return false;
}

static bool carry(struct pipe *p)
{
	size_t before = p->printed.len;
	struct buf back BUF_AUTO = { 0 };
	bool moved = take(p->ends[0], &p->printed);

	buf_init(&back, ROOM);
	if (moved)
		push(p->ends[1], bytes_skip(buf_view(&p->printed), before));
	if (take(p->ends[1], &back)) {
		push(p->ends[0], buf_view(&back));
		moved = true;
	}
	moved = take(p->origin_fd, &p->received) || moved;
	while (origin_reads(p)) {
		push(p->origin_fd, bytes_str(ANSWER));
		moved = true;
	}
	if (at_end(p->ends[0])) {
		p->ends[0] = fd_close(p->ends[0]);
		p->ends[1] = fd_close(p->ends[1]);
		moved = true;
	} else if (at_end(p->ends[1])) {
		(void)shutdown(p->ends[0], SHUT_WR);
	}
	return moved;
}

static void settle(int guest_fd)
{
	unsigned rounds = 0;

	for (unsigned quiet = 0; quiet < WAITS_TURNS; quiet++) {
		struct buf drop BUF_AUTO = { 0 };

		must(rounds++ < ROUNDS_MAX);
		buf_init(&drop, ROOM);
		must(loop_turn(inlet.loop, 0, NULL) == 0);
		if (take(guest_fd, &drop) || answer_waits(&inlet) || answer_waits(&outlet))
			quiet = 0;
		for (size_t i = 0; i < n_pipes; i++)
			if (carry(&pipes[i]))
				quiet = 0;
	}
}

/* --- what must hold at the end --- */

/* The line and fields of a head, but for those of credentials and what inlet says about itself. */
static void put_head(const struct http1_head *h, struct buf *out)
{
	(void)buf_fmt(out, "%.*s %.*s\n", (int)h->method.len, (const char *)h->method.p, (int)h->target.len, (const char *)h->target.p);
	for (size_t i = 0; i < h->n_fields; i++) {
		const struct http1_field *field = &h->fields[i];

		if (credential_field(field->name) || bytes_is(field->name, "Saw-Stripped"))
			continue;
		(void)buf_bytes(out, field->name);
		(void)buf_byte(out, ':');
		(void)buf_bytes(out, field->value);
		(void)buf_byte(out, '\n');
	}
}

/* What the bytes of requests say, however they are cut into chunks; a head that is not whole says nothing. */
static void say(struct bytes in, struct buf *out)
{
	struct buf trailers BUF_AUTO = { 0 };
	struct http1_body body;
	struct http1_length l;
	struct http1_head h;
	enum http1_fault fault;
	enum http1_answer a = HTTP1_DONE;
	struct bytes data;
	size_t used;

	buf_init(&trailers, HTTP1_TRAILERS_LEN_MAX);
	while (in.len && a == HTTP1_DONE) {
		struct http1_scan scan = { 0 };

		if (http1_request_head(&scan, in, &h, &used, &fault) != HTTP1_DONE)
			return;
		must(http1_request_length(&h, &l, &fault));
		put_head(&h, out);
		in = bytes_skip(in, used);
		http1_body_init(&body, l.framing, l.len);
		buf_reset(&trailers);
		http1_body_keep_trailers(&body, &trailers);
		a = l.framing == HTTP1_NO_BODY || (l.framing == HTTP1_LENGTH && !l.len) ? HTTP1_DONE : HTTP1_MORE;
		while (a == HTTP1_MORE && in.len) {
			a = http1_body_next(&body, in, &used, &data, &fault);
			(void)buf_bytes(out, data);
			in = bytes_skip(in, used);
		}
		must(a != HTTP1_BAD);
		if (a == HTTP1_DONE)
			(void)buf_bytes(out, buf_view(&trailers));
	}
}

/* What the origin got is the beginning of what inlet printed, or all of it. */
static void check_pipe(const struct pipe *p)
{
	struct buf got BUF_AUTO = { 0 };
	struct buf want BUF_AUTO = { 0 };

	buf_init(&got, ROOM);
	buf_init(&want, ROOM);
	say(buf_view(&p->received), &got);
	say(buf_view(&p->printed), &want);
	must(!got.failed && !want.failed && bytes_starts(buf_view(&want), buf_view(&got)));
}

static void begin(void)
{
	inlet = (struct gate){ 0 };
	must(loop_new(&inlet.loop, NULL) == 0);
	outlet = (struct gate){ .loop = inlet.loop, .outlet = true };
	for (struct gate *g = &inlet; g; g = g == &inlet ? &outlet : NULL) {
		g->flows = flows_new();
		must(g->flows != NULL);
		g->tail = &g->first;
	}
	n_pipes = 0;
	n_judged = 0;
}

static void finish(void)
{
	flows_stop(inlet.flows);
	flows_stop(outlet.flows);
	idle_clear();
	(void)loop_turn(inlet.loop, 0, NULL);
	must(flows_count(inlet.flows) == 0 && flows_count(outlet.flows) == 0 && !inlet.first && !outlet.first);
	for (size_t i = 0; i < n_pipes; i++) {
		check_pipe(&pipes[i]);
		(void)fd_close(pipes[i].ends[0]);
		(void)fd_close(pipes[i].ends[1]);
		(void)fd_close(pipes[i].origin_fd);
		buf_deinit(&pipes[i].printed);
		buf_deinit(&pipes[i].received);
		buf_deinit(&pipes[i].trailers);
	}
	for (size_t i = 0; i < n_judged; i++)
		buf_deinit(&judged[i]);
	flows_free(inlet.flows);
	flows_free(outlet.flows);
	inlet.loop = loop_free(inlet.loop);
}

/* The first byte: which protocol, whether a credential is put on, how much comes at once. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_skip(bytes_of(data, size), size > 0);
	uint8_t how = size ? data[0] : 0;
	size_t step = how >> 4 ? (size_t)(how >> 4) * 16 : 65536;
	int guest[2];
	struct flow f;

	credential = how & 2 ? 0 : POLICY_NONE;
	begin();
	pair(guest);
	f = facts_of(&inlet, guest[1]);
	if (how & 1) {
		h2_flow_start(&f, NULL);
		push(guest[0], bytes_of(PREFACE, sizeof(PREFACE) - 1));
	} else {
		http_flow_start(&f);
	}
	while (rest.len) {
		size_t n = rest.len < step ? rest.len : step;

		push(guest[0], bytes_of(rest.p, n));
		rest = bytes_skip(rest, n);
		settle(guest[0]);
	}
	(void)shutdown(guest[0], SHUT_WR);
	settle(guest[0]);
	finish();
	(void)fd_close(guest[0]);
	return 0;
}
