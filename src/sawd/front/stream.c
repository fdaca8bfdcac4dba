#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/spec.h"
#include "os/fd.h"
#include "sawd/front/front.h"
#include "wire/ocsf.h"

/* Streams: logs that are read from descriptors of core's, and changes as they come. A reader that does not keep up with changes
 * is cut off, since nothing may be left out; a log simply waits for it. */

enum { CHUNK = 2 * OCSF_LINE_MAX, EVENT_MAX = 64 * 1024 };

void stream_begin(struct conn *c, const char *content_type)
{
	if (c->streaming)
		return;
	c->streaming = true;
	http_server_stream(c->http, 200, content_type);
}

void stream_event(struct conn *c, const struct sawd_row *r)
{
	struct buf line;
	bool last = !c->follow && c->await == AWAIT_NOTHING;

	buf_init(&line, EVENT_MAX);
	render_event(&line, r);
	stream_begin(c, "application/jsonl");
	if (!line.failed && http_server_write(c->http, buf_view(&line))) {
		if (last || (*c->only && r->state == SAWD_DELETED))
			http_server_stream_end(c->http);
		if (*c->only && r->state == SAWD_DELETED)
			c->events = false;
	} else {
		conn_free(c);
	}
	buf_deinit(&line);
}

static bool wants(const struct conn *c, const struct sawd_row *r)
{
	return c->events && (!*c->only || bytes_is(r->id, c->only) || bytes_is(r->asked.name, c->only));
}

void stream_change(struct front *f, const struct sawd_row *r)
{
	for (struct conn *c = f->conns, *next; c; c = next) {
		next = c->next;
		if (wants(c, r))
			stream_event(c, r);
		else if (c->follow && r->state == SAWD_DELETED && c->file_fd >= 0 && bytes_is(r->id, c->file_id)) {
			c->follow = false; /* what is left is sent, then it ends */
			stream_file_on(c);
		}
	}
}

/* A console's log that was full holds its newest part only: a reader at its end goes on where that text stands now. An audit log is cut
 * back when a group of lines could not be made durable: those that were read last may be gone, and others stand in their place. */
static bool was_shortened(struct conn *c)
{
	struct stat st;

	if (fstat(c->file_fd, &st) < 0 || (uint64_t)st.st_size >= c->file_at)
		return false;
	if (c->json_lines)
		c->file_at = c->file_before < (uint64_t)st.st_size ? c->file_before : (uint64_t)st.st_size;
	else
		c->file_at = c->file_at > SPEC_CONSOLE_MAX - SPEC_CONSOLE_KEPT ? c->file_at - (SPEC_CONSOLE_MAX - SPEC_CONSOLE_KEPT) : 0;
	return true;
}

static void on_poll(struct loop_timer *t)
{
	stream_file_on(t->owner);
}

/* The end of an audit log may be a line that is being written, or that could not be: it is not sent before its end is there. One that is
 * longer than any of ours is sent all the same. */
static ssize_t whole_lines(const uint8_t *p, ssize_t n)
{
	const uint8_t *end = n > 0 ? memrchr(p, '\n', (size_t)n) : NULL;

	return n < 0 || (!end && n == CHUNK) ? n : end ? end + 1 - p : 0;
}

void stream_file_on(struct conn *c)
{
	static uint8_t chunk[CHUNK];

	while (http_server_backlog(c->http) < FRONT_STREAM_HIGH) {
		ssize_t n = pread(c->file_fd, chunk, sizeof(chunk), (off_t)c->file_at);

		if (n < 0 && errno == EINTR)
			continue;
		if (c->json_lines)
			n = whole_lines(chunk, n);
		if (n <= 0) {
			if (c->follow && n == 0 && was_shortened(c))
				continue;
			if (c->follow && n == 0) {
				(void)loop_timer_arm(c->front->loop, &c->poll, FRONT_POLL_MS, on_poll, c);
				return;
			}
			c->file_fd = fd_close(c->file_fd);
			http_server_stream_end(c->http);
			return;
		}
		if (!http_server_write(c->http, bytes_of(chunk, (size_t)n)))
			return;
		c->file_before = c->file_at;
		c->file_at += (uint64_t)n;
	}
}

void stream_file(struct conn *c, int fd, struct bytes id)
{
	c->await = AWAIT_NOTHING;
	c->file_fd = fd;
	c->file_before = c->file_at = 0;
	memcpy(c->file_id, id.p, id.len);
	c->file_id[id.len] = '\0';
	stream_begin(c, c->json_lines ? "application/jsonl" : "text/plain");
	stream_file_on(c);
}
