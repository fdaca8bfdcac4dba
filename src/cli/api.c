/* One connection a call: the socket is local and calls are few, so nothing is kept that could go stale. */
#include "cli/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/say.h"
#include "os/fd.h"
#include "os/paths.h"

enum { BODY_MAX = JSON_TEXT_MAX };

void api_doc_deinit(struct api_doc *d)
{
	buf_deinit(&d->text);
	free(d->nodes);
	*d = (struct api_doc){ .status = 0 };
}

const char *api_member(const struct api_doc *d, const struct json_node *of, const char *key, struct buf *out)
{
	buf_deinit(out);
	buf_init(out, BODY_MAX);
	if (!d->nodes || !json_text(json_get(d->nodes, of, key), out))
		return "";
	return buf_cstr(out);
}

const char *api_text(const struct api_doc *d, const char *key, struct buf *out)
{
	return api_member(d, d->nodes, key, out);
}

uint64_t api_number(const struct api_doc *d, const struct json_node *of, const char *key)
{
	uint64_t v = 0;

	if (d->nodes)
		(void)json_u64(json_get(d->nodes, of, key), UINT64_MAX, &v);
	return v;
}

bool api_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= API_NAME_MAX && name[n] == '\0' && name[0] != '-' && name[n - 1] != '-';
}

int api_connect(int *ret_fd, struct err *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = API_WAIT_S };
	char run[PATHS_MAX];
	FD_AUTO int fd = -1;
	int n;

	if (paths_run(run, e) < 0)
		return CLI_UNREACHABLE;
	n = snprintf(to.sun_path, sizeof(to.sun_path), "%s/api.sock", run);
	if (n < 0 || (size_t)n >= sizeof(to.sun_path)) {
		err_set(e, ENAMETOOLONG, "%.200s/api.sock is too long for a socket's name: set SAW_RUN to a shorter folder", run);
		return CLI_UNREACHABLE;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			err_set(e, errno, "the control plane is not running: run `saw up`");
		else
			err_sys(e, errno, "reach the control plane at %s", to.sun_path);
		return CLI_UNREACHABLE;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	*ret_fd = fd_take(&fd);
	return CLI_DONE;
}

static int scan(struct api_doc *d, struct err *e)
{
	enum json_answer a;
	size_t at = 0;

	if (d->text.len == 0)
		return 0;
	d->nodes = calloc(API_NODES_MAX, sizeof(*d->nodes));
	if (!d->nodes)
		return err_set(e, ENOMEM, "out of memory for the control plane's answer");
	a = json_scan(buf_view(&d->text), d->nodes, API_NODES_MAX, &d->n_nodes, &at);
	if (a == JSON_OK)
		return 0;
	free(d->nodes);
	d->nodes = NULL;
	return err_set(e, EPROTO, "the control plane's answer is not the JSON it promised (%s at byte %zu)", json_answer_text(a), at);
}

/* A line of its own for each problem of a refused policy: "line 3, column 5: sentence". The first 20 of them. */
static void add_problems(const struct api_doc *d, struct buf *out)
{
	const struct json_node *list = json_get(d->nodes, d->nodes, "problems");
	const struct json_node *one;
	struct buf text BUF_AUTO = { 0 };

	for (uint32_t i = 0; (one = json_at(d->nodes, list, i)) != NULL && i < 20; i++) {
		buf_fmt(out, "\n  line %llu, column %llu: ", (unsigned long long)api_number(d, one, "line"),
			(unsigned long long)api_number(d, one, "column"));
		say_clean(out, bytes_str(api_member(d, one, "message", &text)));
	}
}

/* The sentence and the exit code of a problem document; a generic pair when there is none. */
static int problem(const struct api_doc *d, struct err *e)
{
	struct buf all BUF_AUTO = { 0 };
	struct buf text BUF_AUTO = { 0 };
	uint64_t code = d->nodes ? api_number(d, d->nodes, "exit") : 0;

	buf_init(&all, ERR_MAX - 1);
	say_clean(&all, bytes_str(api_text(d, "detail", &text)));
	if (all.len == 0)
		buf_fmt(&all, "the control plane answered %u", d->status);
	if (*api_text(d, "remedy", &text)) {
		buf_str(&all, ": ");
		say_clean(&all, buf_view(&text));
	}
	add_problems(d, &all);
	all.failed = false; /* cut short at the ceiling is better than nothing */
	err_set(e, EPROTO, "%s", buf_cstr(&all));
	return code >= CLI_FAILED && code <= CLI_UNREACHABLE ? (int)code : CLI_FAILED;
}

static int start(const char *method, const char *target, const char *type, const struct buf *body, const char *upgrade,
		 struct http_client *http, struct http_client_answer *answer, struct err *e)
{
	struct http_client_request request = { .method = method, .target = target, .upgrade = upgrade };
	int fd = -1;
	int r = api_connect(&fd, e);

	if (r != CLI_DONE)
		return r;
	http_client_init(http, fd, "saw.local");
	if (body) {
		if (body->failed) {
			err_set(e, EFBIG, "the request is too large");
			return CLI_FAILED;
		}
		request.content_type = type;
		request.body = buf_view(body);
	}
	if (http_client_call(http, &request, answer, e) < 0) {
		err_in(e, 0, "control plane");
		return CLI_UNREACHABLE;
	}
	return CLI_DONE;
}

static int finish(struct http_client *http, const struct http_client_answer *answer, struct api_doc *ret, struct err *e)
{
	ret->status = answer->status;
	buf_init(&ret->text, BODY_MAX);
	if (http_client_read_all(http, &ret->text, e) < 0) {
		err_in(e, 0, "control plane");
		return CLI_UNREACHABLE;
	}
	if (scan(ret, e) < 0)
		return CLI_FAILED;
	return answer->status >= 200 && answer->status < 300 ? CLI_DONE : problem(ret, e);
}

int api_send(const char *method, const char *target, const char *type, const struct buf *body, struct api_doc *ret, struct err *e)
{
	struct http_client http HTTP_CLIENT_AUTO = { .fd = -1 };
	struct http_client_answer answer;
	int r = start(method, target, type, body, NULL, &http, &answer, e);

	api_doc_deinit(ret);
	return r != CLI_DONE ? r : finish(&http, &answer, ret, e);
}

int api_try(const char *method, const char *target, const struct buf *body, struct api_doc *ret, struct err *e)
{
	return api_send(method, target, "application/json", body, ret, e);
}

int api_call(const char *method, const char *target, const struct buf *body, struct api_doc *ret)
{
	struct err e = { "" };
	int r = api_try(method, target, body, ret, &e);

	return r == CLI_DONE ? r : say_fail((enum cli_exit)r, "%s", e.text);
}

int api_stream(const char *target, unsigned wait_s, struct http_client *ret)
{
	struct timeval wait = { .tv_sec = (time_t)wait_s };
	struct http_client_answer answer;
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct err e = { "" };
	int r = start("GET", target, NULL, NULL, NULL, ret, &answer, &e);

	if (r == CLI_DONE && answer.status != 200)
		r = finish(ret, &answer, &doc, &e);
	if (r != CLI_DONE)
		return say_fail((enum cli_exit)r, "%s", e.text);
	setsockopt(ret->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return CLI_DONE;
}

int api_upgrade(const char *target, const char *protocol, int *ret_fd, struct buf *early, unsigned *ret_status, struct err *e)
{
	struct http_client http HTTP_CLIENT_AUTO = { .fd = -1 };
	struct http_client_answer answer = { 0 };
	struct timeval never = { 0 };
	struct api_doc doc API_DOC_AUTO = { 0 };
	int r = start("GET", target, NULL, NULL, protocol, &http, &answer, e);

	*ret_status = answer.status;
	if (r != CLI_DONE)
		return r;
	if (answer.status != 101) {
		r = finish(&http, &answer, &doc, e);
		return r != CLI_DONE ? r : CLI_UNREACHABLE;
	}
	r = http_client_upgraded(&http, early, e);
	if (r < 0)
		return CLI_UNREACHABLE;
	setsockopt(r, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof(never));
	setsockopt(r, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof(never));
	*ret_fd = r;
	return CLI_DONE;
}

int api_next_line(struct api_lines *l, struct bytes *ret, struct err *e)
{
	struct bytes piece;
	size_t at;
	int r;

	if (l->part.max == 0)
		buf_init(&l->part, 2 * JSON_TEXT_MAX);
	/* the line given last time ends at the first line feed, which is still there */
	if (l->given)
		buf_consume(&l->part, l->given);
	l->given = 0;
	while ((at = bytes_find(buf_view(&l->part), '\n')) == l->part.len) {
		r = l->ended ? 0 : http_client_read(l->http, &piece, e);
		if (r < 0)
			return r;
		if (r == 0) {
			l->ended = true;
			if (l->part.len == 0)
				return 0;
			l->given = l->part.len;
			*ret = buf_view(&l->part);
			return 1;
		}
		if (!buf_bytes(&l->part, piece))
			return err_set(e, EFBIG, "a line of the control plane's answer is too long");
	}
	*ret = bytes_of(l->part.p, at);
	l->given = at + 1;
	return 1;
}

void api_lines_deinit(struct api_lines *l)
{
	buf_deinit(&l->part);
}
