#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "net/http_server.h"
#include "os/fd.h"
#include "wire/http1_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 300, INPUT_MAX = 64 * 1024, QUIET = 3, STATUS_OURS = 218 };

static struct {
	struct loop *loop;
	struct http_server *s; /* NULL: it is over */
	int peer;
	int upgraded;
	struct buf got;
	unsigned n_requests;
	unsigned n_ends;
} rig;

static void on_request(struct http_server *s, const struct http_server_request *r, void *owner)
{
	static char text[BODY_MAX];

	(void)owner;
	rig.n_requests++;
	must(r->method.len && r->path.len && r->path.p[0] == '/' && r->body.len <= BODY_MAX);
	must(bytes_find(r->path, '?') == r->path.len && (r->has_query || !r->query.len));
	if (bytes_is(r->upgrade, "saw-tunnel")) {
		http_server_upgrade(s, "saw-tunnel");
	} else if (r->body.len % 2) {
		http_server_stream(s, STATUS_OURS, "text/plain");
		must(http_server_write(s, bytes_of(text, r->body.len)));
		http_server_stream_end(s);
	} else {
		http_server_answer(s, STATUS_OURS, "text/plain", bytes_of(text, r->body.len));
	}
}

static void on_upgraded(int fd, struct bytes rest, void *owner)
{
	(void)rest;
	(void)owner;
	rig.upgraded = fd;
	rig.s = NULL;
}

static void on_end(void *owner)
{
	(void)owner;
	rig.n_ends++;
	rig.s = NULL;
}

static void settle(void)
{
	for (int quiet = 0; quiet < QUIET; quiet++) {
		uint8_t *room = buf_room(&rig.got, 65536);
		ssize_t n;

		must(room && loop_turn(rig.loop, 0, NULL) == 0);
		n = recv(rig.peer, room, 65536, MSG_DONTWAIT);
		if (n > 0) {
			buf_grew(&rig.got, (size_t)n);
			quiet = -1;
		}
	}
}

/* What the server said is a row of whole answers: ours to each request, and at most one refusal, the last. */
static void check_answers(void)
{
	struct bytes left = buf_view(&rig.got);
	unsigned ours = 0;
	bool refused = false;

	while (left.len) {
		struct http1_scan scan = { 0 };
		struct http1_head h;
		struct http1_length length;
		struct http1_body body;
		enum http1_fault fault;
		size_t len;

		must(!refused && http1_response_head(&scan, left, &h, &len, &fault) == HTTP1_DONE);
		left = bytes_skip(left, len);
		if (h.status == 100)
			continue;
		if (h.status == 101) {
			ours++;
			break;
		}
		ours += h.status == STATUS_OURS;
		refused = h.status != STATUS_OURS;
		must(http1_response_length(&h, false, &length, &fault));
		if (length.framing == HTTP1_NO_BODY)
			continue;
		must(length.framing == HTTP1_LENGTH || length.framing == HTTP1_CHUNKED);
		http1_body_init(&body, length.framing, length.len);
		for (enum http1_answer a = length.framing == HTTP1_LENGTH && !length.len ? HTTP1_DONE : HTTP1_MORE; a != HTTP1_DONE;) {
			struct bytes piece;
			size_t used;

			must(left.len);
			a = http1_body_next(&body, left, &used, &piece, &fault);
			must(a != HTTP1_BAD);
			left = bytes_skip(left, used);
		}
	}
	must(ours == rig.n_requests);
}

/* A client that says `data`, in two pieces when the first byte says where, and closes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_server_ops ops = { .on_request = on_request, .on_upgraded = on_upgraded, .on_end = on_end };
	size_t first;
	int pair[2];

	if (size < 2 || size > INPUT_MAX)
		return 0;
	memset(&rig, 0, sizeof(rig));
	rig.upgraded = -1;
	buf_init(&rig.got, (size_t)8 * 1024 * 1024);
	must(loop_new(&rig.loop, NULL) == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	rig.peer = pair[1];
	must(http_server_new(rig.loop, pair[0], BODY_MAX, &ops, NULL, &rig.s, NULL) == 0);
	first = data[0] < size - 1 ? data[0] : size - 1;
	data++;
	size--;
	(void)!send(rig.peer, data, first, MSG_NOSIGNAL);
	settle();
	(void)!send(rig.peer, data + first, size - first, MSG_NOSIGNAL); /* refused when it was over after the first piece */
	settle();
	(void)shutdown(rig.peer, SHUT_WR);
	settle();
	check_answers();
	must(!rig.s || rig.upgraded < 0);
	rig.peer = fd_close(rig.peer);
	if (rig.s)
		must(loop_turn(rig.loop, 0, NULL) == 0);
	must(rig.n_ends + (rig.upgraded >= 0) + (rig.s != NULL) == 1);
	http_server_free(rig.s);
	(void)fd_close(rig.upgraded);
	buf_deinit(&rig.got);
	loop_free(rig.loop);
	return 0;
}
