#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/time_text.h"
#include "os/fd.h"
#include "sawd/front/front.h"
#include "wire/ssh_cert.h"
#include "wire/ssh_key.h"

/* Each answer finds its connection by number; one that is gone is skipped, with what came along closed. */

enum { LINE_MAX_LEN = 8192, PROBLEM_MAX = 256 * 1024 };

static bool on_problem(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	struct sawd_problem p = { .status = (unsigned)msg_get_max(in, 599), .exit_code = (unsigned)msg_get_max(in, 5) };
	struct bytes texts[4];
	char copies[4][SAWD_FILE_NAME_MAX + SAWD_DETAIL_MAX];
	struct json_out j;
	struct buf b;
	uint64_t n;

	for (size_t i = 0; i < 4; i++) {
		texts[i] = msg_get_bytes(in, sizeof(copies[i]) - 1);
		(void)snprintf(copies[i], sizeof(copies[i]), "%.*s", (int)texts[i].len, (const char *)texts[i].p);
	}
	p.code = copies[0];
	p.detail = copies[1];
	p.field = copies[2];
	p.remedy = copies[3];
	n = msg_get_max(in, SAWD_PROBLEMS_MAX);
	buf_init(&b, PROBLEM_MAX);
	json_out_init(&j, &b);
	render_problem(&j, &p);
	if (n) {
		json_out_key(&j, "problems");
		json_out_array(&j);
	}
	for (uint64_t i = 0; i < n && !in->bad; i++) {
		json_out_object(&j);
		json_out_key_u64(&j, "line", msg_get_max(in, UINT32_MAX));
		json_out_key_u64(&j, "column", msg_get_max(in, UINT32_MAX));
		json_out_key_bytes(&j, "message", msg_get_bytes(in, ERR_MAX));
		json_out_object_end(&j);
	}
	if (n)
		json_out_array_end(&j);
	json_out_object_end(&j);
	if (c && !in->bad && p.status >= 400) {
		c->events = false;
		conn_answer(c, p.status, &b);
	}
	buf_deinit(&b);
	return !in->bad && p.status >= 400;
}

static bool on_status(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	bool writable = msg_get_max(in, 1) == 1;
	struct json_out j;

	if (!c || in->bad)
		return !in->bad;
	buf_reset(&c->body);
	json_out_init(&j, &c->body);
	json_out_object(&j);
	json_out_key_str(&j, "version", SAW_VERSION);
	json_out_key_u64(&j, "api", 1);
	json_out_key_u64(&j, "pid", f->launcher_pid);
	json_out_key_u64(&j, "uid", f->uid);
	json_out_key_str(&j, "state_dir", f->state);
	json_out_key_str(&j, "run_dir", f->run);
	json_out_key_bool(&j, "audit_writable", writable);
	json_out_key_bool(&j, "lab", f->lab == 1);
	json_out_object_end(&j);
	conn_answer(c, 200, &c->body);
	return true;
}

static void one_workspace(struct conn *c, const struct sawd_row *r)
{
	struct json_out j;

	if (c->await == AWAIT_WORKSPACE) {
		buf_reset(&c->body);
		json_out_init(&j, &c->body);
		render_workspace(&j, r);
		conn_answer(c, c->ok_status, &c->body);
	} else if (c->await == AWAIT_LIST) {
		c->left -= c->left > 0;
		render_workspace(&c->json, r);
	} else if (c->await == AWAIT_EVENTS) {
		stream_event(c, r);
	} else if (c->await == AWAIT_EVENTS_ONE) {
		c->await = AWAIT_NOTHING;
		stream_event(c, r);
	}
}

static bool on_workspace(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	uint64_t req = msg_get_u64(in);
	struct sawd_row r;
	struct conn *c;

	if (!sawd_row_get(in, &r))
		return false;
	c = req ? conn_of(f, req) : NULL;
	if (!req)
		stream_change(f, &r);
	else if (c)
		one_workspace(c, &r);
	return true;
}

static void finish_list(struct conn *c, struct bytes token)
{
	json_out_array_end(&c->json);
	json_out_key(&c->json, "next_page_token");
	if (token.len)
		json_out_bytes(&c->json, token);
	else
		json_out_null(&c->json);
	json_out_object_end(&c->json);
	conn_answer(c, 200, &c->body);
}

static void finish_rows(struct conn *c)
{
	json_out_array_end(&c->json);
	json_out_object_end(&c->json);
	conn_answer(c, 200, &c->body);
}

static void finish_events(struct conn *c, struct bytes token)
{
	if (token.len) {
		call_list_page(c, token);
		return;
	}
	c->await = AWAIT_NOTHING;
	stream_begin(c, "application/jsonl");
	if (!c->follow)
		http_server_stream_end(c->http);
}

static bool on_end(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	struct bytes token = msg_get_bytes(in, SAWD_NAME_MAX);

	if (!c || in->bad)
		return !in->bad;
	if (c->await == AWAIT_LIST && token.len && c->left)
		call_list_page(c, token);
	else if (c->await == AWAIT_LIST)
		finish_list(c, token);
	else if (c->await == AWAIT_EVENTS)
		finish_events(c, token);
	else if (c->await == AWAIT_SESSIONS || c->await == AWAIT_IMAGES || c->await == AWAIT_SECRETS ||
		 c->await == AWAIT_CHANNELS)
		finish_rows(c);
	else if (c->await == AWAIT_SECRET)
		conn_answer(c, c->ok_status, &c->body);
	else if (c->await == AWAIT_END)
		conn_answer(c, 204, NULL);
	return true;
}

static bool on_file(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	FD_AUTO int fd = msg_take_fd(in);

	if (in->bad)
		return false;
	if (c && c->await == AWAIT_FILE)
		stream_file(c, fd_take(&fd), id);
	return true;
}

static void put_line(struct json_out *j, const char *key, const struct buf *line)
{
	json_out_key_bytes(j, key, buf_view(line));
}

static void session_answer(struct conn *c, const char *session, const char *workspace, struct bytes cert, struct bytes host,
			   uint64_t cert_end, uint64_t end)
{
	struct json_out j;
	struct buf line;

	buf_init(&line, LINE_MAX_LEN);
	buf_reset(&c->body);
	json_out_init(&j, &c->body);
	json_out_object(&j);
	json_out_key_str(&j, "session_id", session);
	json_out_key_str(&j, "workspace_id", workspace);
	json_out_key_str(&j, "user", "agent");
	json_out_key_str(&j, "principal", workspace);
	(void)ssh_cert_put_line(&line, cert, session);
	put_line(&j, "certificate", &line);
	buf_reset(&line);
	(void)(buf_fmt(&line, "%s ", workspace) && ssh_key_put_line(&line, host.p, ""));
	put_line(&j, "host_key", &line);
	render_time(&j, "expires_at", cert_end);
	render_time(&j, "session_expires_at", end);
	json_out_object_end(&j);
	conn_answer(c, 201, &c->body);
	buf_deinit(&line);
}

static bool take_id(struct msg_in *in, char ret[SAWD_ID_LEN + 1])
{
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);

	(void)snprintf(ret, SAWD_ID_LEN + 1, "%.*s", (int)id.len, (const char *)id.p);
	return !in->bad;
}

static bool on_session(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	char session[SAWD_ID_LEN + 1];
	char workspace[SAWD_ID_LEN + 1];
	bool ok = take_id(in, session) && take_id(in, workspace);
	struct bytes cert = msg_get_bytes(in, SSH_CERT_MAX);
	struct bytes host = msg_get_bytes(in, SAWD_KEY_LEN);
	uint64_t cert_end = msg_get_u64(in);
	uint64_t end = msg_get_u64(in);

	if (!ok || in->bad || host.len != SAWD_KEY_LEN)
		return false;
	if (c && c->await == AWAIT_SESSION)
		session_answer(c, session, workspace, cert, host, cert_end, end);
	return true;
}

static bool on_session_row(void *owner, struct msg_in *in)
{
	static const char *const texts[] = { "session_id", "workspace", "workspace_id", "user" };
	static const char *const times[] = { "created_at", "expires_at", "session_expires_at" };
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	struct json_out *j = c && c->await == AWAIT_SESSIONS ? &c->json : NULL;

	if (j)
		json_out_object(j);
	for (size_t i = 0; i < 4; i++) {
		struct bytes t = msg_get_bytes(in, SAWD_OWNER_MAX);

		if (j)
			json_out_key_bytes(j, texts[i], t);
	}
	for (size_t i = 0; i < 3; i++) {
		uint64_t ms = msg_get_u64(in);

		if (j)
			render_time(j, times[i], ms);
	}
	if (j)
		json_out_key_u64(j, "tunnels", msg_get_u64(in));
	else
		(void)msg_get_u64(in);
	if (j)
		json_out_object_end(j);
	return !in->bad;
}

static bool on_image_row(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	struct bytes digest = msg_get_bytes(in, SAWD_IMAGE_MAX);
	struct bytes name = msg_get_bytes(in, SAWD_IMAGE_MAX);
	uint64_t created = msg_get_u64(in);
	uint64_t bytes = msg_get_u64(in);

	if (!c || in->bad || c->await != AWAIT_IMAGES)
		return !in->bad;
	json_out_object(&c->json);
	json_out_key_bytes(&c->json, "digest", digest);
	json_out_key_bytes(&c->json, "name", name);
	render_time(&c->json, "created_at", created);
	json_out_key_u64(&c->json, "size_bytes", bytes);
	json_out_object_end(&c->json);
	return true;
}

static bool on_tunnel(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	uint64_t id = msg_get_u64(in);
	char session[SAWD_ID_LEN + 1];
	char workspace[SAWD_ID_LEN + 1];
	bool ok = take_id(in, session) && take_id(in, workspace);
	uint64_t ms = msg_get_u64(in);
	FD_AUTO int fd = msg_take_fd(in);

	if (!ok || in->bad)
		return false;
	if (!c || c->await != AWAIT_TUNNEL) {
		tunnel_closed(f, id, 0, 0, 0, "the client went away");
		return true;
	}
	c->await = AWAIT_NOTHING;
	c->guest_fd = fd_take(&fd);
	c->tunnel_id = id;
	c->tunnel_ms = ms;
	memcpy(c->session, session, sizeof(c->session));
	memcpy(c->workspace, workspace, sizeof(c->workspace));
	http_server_upgrade(c->http, "saw-tunnel");
	return true;
}

static bool on_shutdown(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	uint64_t n = msg_get_u64(in);
	struct json_out j;

	if (!c || in->bad)
		return !in->bad;
	buf_reset(&c->body);
	json_out_init(&j, &c->body);
	json_out_object(&j);
	json_out_key_u64(&j, "stopping", n);
	json_out_object_end(&j);
	conn_answer(c, 202, &c->body);
	return true;
}

static bool on_cut(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	char session[SAWD_ID_LEN + 1];
	char workspace[SAWD_ID_LEN + 1];
	bool ok = take_id(in, session) && take_id(in, workspace);
	struct bytes why = msg_get_bytes(in, ERR_MAX);
	char text[200];

	if (!ok || in->bad || (!*session && !*workspace))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)(why.len > 190 ? 190 : why.len), (const char *)why.p);
	tunnel_cut(f, *session ? session : NULL, *workspace ? workspace : NULL, text);
	return true;
}

const struct chan_permit answer_permits[] = {
	{ MSG_API_PROBLEM, on_problem },
	{ MSG_API_END, on_end },
	{ MSG_API_STATUS_DONE, on_status },
	{ MSG_API_WORKSPACE, on_workspace },
	{ MSG_API_FILE_DONE, on_file },
	{ MSG_API_SESSION_DONE, on_session },
	{ MSG_API_SESSION_ROW, on_session_row },
	{ MSG_API_TUNNEL_DONE, on_tunnel },
	{ MSG_API_IMAGE_ROW, on_image_row },
	{ MSG_API_SECRET_ROW, secret_on_row },
	{ MSG_API_CHANNEL, channel_on_row },
	{ MSG_API_SHUTDOWN_DONE, on_shutdown },
	{ MSG_API_CUT, on_cut },
};
const size_t n_answer_permits = sizeof(answer_permits) / sizeof(answer_permits[0]);
