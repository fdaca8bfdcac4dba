#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "ipc/spec.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "sawd/front/body.h"
#include "wire/manifest.h"
#include "wire/ssh_cert.h"
#include "wire/ssh_key.h"

static struct body body; /* one request at a time is read */

static void invalid(struct conn *c, const char *field, const char *detail, const char *remedy)
{
	conn_problem(c, &(struct sawd_problem){ .status = 422, .exit_code = 2, .code = "invalid", .field = field, .detail = detail,
						.remedy = remedy });
}

static void not_found(struct conn *c)
{
	conn_problem(c, &(struct sawd_problem){ .status = 404, .exit_code = 4, .code = "not_found",
						.detail = "there is no workspace of this name", .field = "name",
						.remedy = "`saw ls` lists them" });
}

/* Nothing that could be a name or an id is longer or has other bytes: the answer is the same as for one that does not exist. */
static bool name_ok(struct conn *c, struct bytes name)
{
	if (sawd_name_ok(name) || sawd_id_ok(name, "ws-"))
		return true;
	not_found(c);
	return false;
}

static bool follow(struct conn *c, const struct http_server_request *r)
{
	struct bytes v = bytes_str("0");

	(void)route_query(r, "follow", &v);
	if (!bytes_is(v, "0") && !bytes_is(v, "1")) {
		invalid(c, "follow", "follow is neither 0 nor 1", "send follow=1");
		return false;
	}
	c->follow = bytes_is(v, "1");
	return true;
}

/* No body, or an empty object. */
static bool empty_body(struct conn *c, const struct http_server_request *r)
{
	static const char *const none[] = { NULL };

	body_open(&body, c, r, none, true);
	return !body.failed;
}

void call_version(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	(void)r;
	(void)arg;
	conn_ask(c, MSG_API_STATUS, AWAIT_STATUS, 200);
	conn_send(c);
}

void call_list_page(struct conn *c, struct bytes after)
{
	enum await await = c->await;

	conn_ask(c, MSG_API_LIST, await, 200);
	msg_u64(&front_out, c->left < FRONT_PAGE ? c->left : FRONT_PAGE);
	msg_bytes(&front_out, after);
	msg_u64(&front_out, c->state_filter);
	conn_send(c);
}

void call_list(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	struct bytes v = { 0 };
	struct bytes after = { 0 };

	(void)arg;
	c->left = FRONT_PAGE;
	c->state_filter = 0;
	if (route_query(r, "limit", &v) && (!num_u64(v, 1000, &c->left) || c->left == 0)) {
		invalid(c, "limit", "limit is no number from 1 to 1000", "send limit=100");
		return;
	}
	if (route_query(r, "page_token", &after) && !sawd_name_ok(after)) {
		invalid(c, "page_token", "this is no token of a page", "send next_page_token of the page before, or leave it out");
		return;
	}
	if (route_query(r, "state", &v)) {
		c->state_filter = sawd_state_of(v);
		if (!c->state_filter) {
			invalid(c, "state", "there is no such state", "see docs/openapi.yaml for the states");
			return;
		}
	}
	buf_reset(&c->body);
	json_out_init(&c->json, &c->body);
	json_out_object(&c->json);
	json_out_key(&c->json, "workspaces");
	json_out_array(&c->json);
	c->await = AWAIT_LIST;
	call_list_page(c, after);
}

/* Either a channel, into `channel`, or the text of a policy as sealed memory. -1 and no channel: the call is answered. */
static int policy_fd(const struct json_node *policy, struct buf *file, struct buf *channel)
{
	struct err e = { 0 };
	struct buf text;
	int fd = -1;

	body_text(&body, policy, "channel", "", channel);
	if (!body.failed && channel->len && (json_get(body.nodes, policy, "text") || json_get(body.nodes, policy, "file")))
		body_bad(&body, "policy", "a policy is given by its channel and by its text", "send one of the two");
	if (!body.failed && channel->len && !manifest_channel_ok(buf_view(channel)))
		body_bad(&body, "policy.channel", "this is no name of a channel",
			 "use two to four words of a-z, 0-9 and hyphens, as in corporate/stable");
	if (channel->len)
		return -1;
	buf_init(&text, SAWD_POLICY_TEXT_MAX);
	body_text(&body, policy, "file", "policy.yaml", file);
	body_text(&body, policy, "text", NULL, &text);
	if (!body.failed && text.len == 0)
		body_bad(&body, "policy.text", "the policy is empty", "write at least `version: 1` and a name");
	if (!body.failed) {
		fd = fd_sealed("policy-text", text.p, text.len, &e);
		if (fd < 0)
			body_bad(&body, "policy.text", e.text, "try again");
	}
	buf_deinit(&text);
	return fd;
}

static const char *const policy_keys[] = { "file", "text", "channel", NULL };

struct create {
	struct buf name;
	struct buf image;
	struct buf proxy;
	struct buf args;
	struct buf file;
	struct buf channel;
};

static void create_read(struct create *k, struct sawd_new *n)
{
	static const char *const accels[] = { "auto", "kvm", "tcg", NULL };
	static const char *const drivers[] = { "machine", "try", NULL };

	body_text(&body, NULL, "name", NULL, &k->name);
	if (!body.failed && !sawd_name_ok(buf_view(&k->name)))
		body_bad(&body, "name", "the name is not a DNS label", "use 1 to 40 of a-z, 0-9 and inner hyphens");
	body_text(&body, NULL, "image", "debian", &k->image);
	n->cpus = body_u64(&body, "cpus", 1, 256, 2);
	n->memory_bytes = body_size(&body, "memory", "2GiB");
	n->disk_bytes = body_size(&body, "disk", "10GiB");
	n->accel = body_word(&body, "accel", accels);
	n->driver = body_word(&body, "driver", drivers) ? SPEC_DRIVER_TRY : SPEC_DRIVER_MACHINE;
	body_text(&body, NULL, "upstream_proxy", "", &k->proxy);
	body_text(&body, NULL, "kernel_args", "", &k->args);
	n->start = body_bool(&body, "start", true);
	n->name = buf_view(&k->name);
	n->image = buf_view(&k->image);
	n->upstream_proxy = buf_view(&k->proxy);
	n->kernel_args = buf_view(&k->args);
}

void call_create(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	static const char *const keys[] = { "name",	      "image",	     "cpus",  "memory", "disk", "policy", "accel",
					    "upstream_proxy", "kernel_args", "start", "driver", NULL };
	struct sawd_new n = { 0 };
	struct create k;
	const struct json_node *policy;
	FD_AUTO int fd = -1;

	(void)arg;
	buf_init(&k.name, SAWD_NAME_MAX);
	buf_init(&k.image, SAWD_IMAGE_MAX);
	buf_init(&k.proxy, SAWD_PROXY_MAX);
	buf_init(&k.args, SAWD_ARGS_MAX);
	buf_init(&k.file, SAWD_FILE_NAME_MAX);
	buf_init(&k.channel, SAWD_CHANNEL_MAX);
	body_open(&body, c, r, keys, false);
	create_read(&k, &n);
	policy = body_object(&body, "policy", policy_keys);
	if (policy)
		fd = policy_fd(policy, &k.file, &k.channel);
	n.policy_file = buf_view(&k.file);
	n.policy_channel = buf_view(&k.channel);
	if (!body.failed && (fd >= 0 || k.channel.len)) {
		conn_ask(c, MSG_API_CREATE, AWAIT_WORKSPACE, 201);
		sawd_new_put(&front_out, &n);
		if (fd >= 0)
			msg_fd(&front_out, fd);
		conn_send(c);
	}
	buf_deinit(&k.name);
	buf_deinit(&k.image);
	buf_deinit(&k.proxy);
	buf_deinit(&k.args);
	buf_deinit(&k.file);
	buf_deinit(&k.channel);
}

void call_get(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	(void)r;
	if (!name_ok(c, arg))
		return;
	conn_ask(c, MSG_API_GET, AWAIT_WORKSPACE, 200);
	msg_bytes(&front_out, arg);
	conn_send(c);
}

static void want(struct conn *c, struct bytes name, enum sawd_verb verb, uint64_t grace_ms)
{
	if (!name_ok(c, name))
		return;
	conn_ask(c, MSG_API_WANT, AWAIT_WORKSPACE, 202);
	msg_bytes(&front_out, name);
	msg_u64(&front_out, verb);
	msg_u64(&front_out, grace_ms);
	conn_send(c);
}

enum { GRACE_S = 60, GRACE_MAX_S = 600, GRACE_DELETE_S = 5 };

void call_delete(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	(void)r;
	want(c, arg, SAWD_DELETE, GRACE_DELETE_S * 1000);
}

void call_start(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	if (empty_body(c, r))
		want(c, arg, SAWD_START, GRACE_S * 1000);
}

void call_stop(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	static const char *const keys[] = { "grace_seconds", NULL };
	uint64_t grace;

	body_open(&body, c, r, keys, true);
	grace = body_u64(&body, "grace_seconds", 0, GRACE_MAX_S, GRACE_S);
	if (!body.failed)
		want(c, arg, SAWD_STOP, grace * 1000);
}

void call_restart(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	if (empty_body(c, r))
		want(c, arg, SAWD_RESTART, GRACE_S * 1000);
}

void call_rebuild(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	if (empty_body(c, r))
		want(c, arg, SAWD_REBUILD, GRACE_S * 1000);
}

void call_policy(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	FD_AUTO int fd = -1;
	struct buf channel;
	struct buf file;

	if (!name_ok(c, arg))
		return;
	buf_init(&file, SAWD_FILE_NAME_MAX);
	buf_init(&channel, SAWD_CHANNEL_MAX);
	body_open(&body, c, r, policy_keys, false);
	if (!body.failed)
		fd = policy_fd(body.nodes, &file, &channel);
	if (!body.failed && (fd >= 0 || channel.len)) {
		conn_ask(c, MSG_API_POLICY, AWAIT_WORKSPACE, 200);
		msg_bytes(&front_out, arg);
		msg_bytes(&front_out, buf_view(&file));
		msg_bytes(&front_out, buf_view(&channel));
		if (fd >= 0)
			msg_fd(&front_out, fd);
		conn_send(c);
	}
	buf_deinit(&file);
	buf_deinit(&channel);
}

static void ask_file(struct conn *c, struct bytes name, enum sawd_file kind)
{
	c->json_lines = kind == SAWD_FILE_AUDIT;
	conn_ask(c, MSG_API_FILE, AWAIT_FILE, 200);
	msg_bytes(&front_out, name);
	msg_u64(&front_out, kind);
	conn_send(c);
}

void call_log(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	struct bytes v = bytes_str("supervisor");

	(void)route_query(r, "stream", &v);
	if (!bytes_is(v, "console") && !bytes_is(v, "supervisor")) {
		invalid(c, "stream", "there is no such log", "send stream=console or stream=supervisor");
		return;
	}
	if (name_ok(c, arg) && follow(c, r))
		ask_file(c, arg, bytes_is(v, "console") ? SAWD_FILE_CONSOLE : SAWD_FILE_SUPERVISOR);
}

void call_audit(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	struct bytes name = { 0 };

	(void)arg;
	if (route_query(r, "workspace", &name) && !name_ok(c, name))
		return;
	if (follow(c, r))
		ask_file(c, name, SAWD_FILE_AUDIT);
}

void call_session(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	static const char *const keys[] = { "public_key", "pty", "port_forwarding", "agent_forwarding", NULL };
	uint8_t key[SSH_KEY_PUBLIC];
	uint64_t permits;
	struct buf line;

	if (!name_ok(c, arg))
		return;
	buf_init(&line, SSH_KEY_LINE_MAX);
	body_open(&body, c, r, keys, false);
	body_text(&body, NULL, "public_key", NULL, &line);
	if (!body.failed && !ssh_key_get_line(buf_view(&line), key))
		body_bad(&body, "public_key", "this is no public key line of type ssh-ed25519",
			 "make one with `ssh-keygen -t ed25519` and send the line of its .pub file");
	permits = body_bool(&body, "pty", true) ? SSH_CERT_PTY : 0;
	permits |= body_bool(&body, "port_forwarding", false) ? SSH_CERT_PORT_FORWARDING : 0;
	permits |= body_bool(&body, "agent_forwarding", false) ? SSH_CERT_AGENT_FORWARDING : 0;
	if (!body.failed) {
		conn_ask(c, MSG_API_SESSION, AWAIT_SESSION, 201);
		msg_bytes(&front_out, arg);
		msg_bytes(&front_out, bytes_of(key, sizeof(key)));
		msg_u64(&front_out, permits);
		conn_send(c);
	}
	buf_deinit(&line);
}

void call_sessions(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	(void)r;
	(void)arg;
	buf_reset(&c->body);
	json_out_init(&c->json, &c->body);
	json_out_object(&c->json);
	json_out_key(&c->json, "sessions");
	json_out_array(&c->json);
	conn_ask(c, MSG_API_SESSIONS, AWAIT_SESSIONS, 200);
	conn_send(c);
}

static void no_session(struct conn *c)
{
	conn_problem(c, &(struct sawd_problem){ .status = 404, .exit_code = 4, .code = "no_such_session",
						.detail = "there is no such session, or it has ended", .field = "session",
						.remedy = "`saw sessions` lists the open ones, `saw ssh` begins a new one" });
}

void call_session_end(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	(void)r;
	if (!sawd_id_ok(arg, "se-")) {
		no_session(c);
		return;
	}
	conn_ask(c, MSG_API_SESSION_END, AWAIT_END, 204);
	msg_bytes(&front_out, arg);
	conn_send(c);
}

void call_tunnel(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	struct bytes session = { 0 };

	if (!name_ok(c, arg))
		return;
	if (!route_query(r, "session", &session)) {
		invalid(c, "session", "a tunnel belongs to a session", "send session=ID of an issued session");
		return;
	}
	if (!bytes_ieq(r->upgrade, bytes_str("saw-tunnel"))) {
		conn_problem(c, &(struct sawd_problem){ .status = 426, .exit_code = 2, .code = "upgrade_required", .field = "Upgrade",
							.detail = "a tunnel needs Upgrade: saw-tunnel",
							.remedy = "send Connection: Upgrade and Upgrade: saw-tunnel" });
		return;
	}
	if (!sawd_id_ok(session, "se-")) {
		no_session(c);
		return;
	}
	if (c->front->n_tunnels >= FRONT_TUNNELS_MAX) {
		conn_problem(c, &(struct sawd_problem){ .status = 502, .exit_code = 5, .code = "busy", .detail = "too many tunnels are open",
							.remedy = "close some" });
		return;
	}
	conn_ask(c, MSG_API_TUNNEL, AWAIT_TUNNEL, 101);
	msg_bytes(&front_out, arg);
	msg_bytes(&front_out, session);
	conn_send(c);
}

void call_images(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	(void)r;
	(void)arg;
	buf_reset(&c->body);
	json_out_init(&c->json, &c->body);
	json_out_object(&c->json);
	json_out_key(&c->json, "images");
	json_out_array(&c->json);
	conn_ask(c, MSG_API_IMAGES, AWAIT_IMAGES, 200);
	conn_send(c);
}

void call_events(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	struct bytes name = { 0 };

	(void)arg;
	if ((route_query(r, "workspace", &name) && !name_ok(c, name)) || !follow(c, r))
		return;
	(void)snprintf(c->only, sizeof(c->only), "%.*s", (int)name.len, (const char *)name.p);
	/* From here on every change comes: none is lost between the snapshot and the stream. */
	c->events = c->follow;
	if (name.len) {
		conn_ask(c, MSG_API_GET, AWAIT_EVENTS_ONE, 200);
		msg_bytes(&front_out, name);
		conn_send(c);
		return;
	}
	c->left = UINT64_MAX;
	c->state_filter = 0;
	c->await = AWAIT_EVENTS;
	call_list_page(c, bytes_of(NULL, 0));
}

void call_shutdown(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	static const char *const keys[] = { "workspaces", NULL };
	bool all;

	(void)arg;
	body_open(&body, c, r, keys, true);
	all = body_bool(&body, "workspaces", false);
	if (body.failed)
		return;
	conn_ask(c, MSG_API_SHUTDOWN, AWAIT_SHUTDOWN, 202);
	msg_u64(&front_out, all);
	conn_send(c);
}
