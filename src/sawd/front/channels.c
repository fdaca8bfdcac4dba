/* Calls about signed policies: bundles, the channels that point at them, and the keys that are trusted. */
#include <stdio.h>
#include <string.h>

#include "ipc/trust.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "sawd/front/body.h"
#include "wire/bundle.h"
#include "wire/credential.h"

static struct body body; /* one request at a time is read */

static void invalid(struct conn *c, const char *field, const char *detail, const char *remedy)
{
	conn_problem(c, &(struct sawd_problem){ .status = 422, .exit_code = 2, .code = "invalid", .field = field, .detail = detail,
						.remedy = remedy });
}

static bool channel_ok(struct conn *c, struct bytes name)
{
	if (manifest_channel_ok(name))
		return true;
	invalid(c, "channel", "this is no name of a channel", "use two to four words of a-z, 0-9 and hyphens, as in corporate/stable");
	return false;
}

/* What it holds is not looked at here. */
void call_push(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	struct bytes channel = { 0 };
	struct bytes force = bytes_str("0");
	struct err e = { 0 };
	FD_AUTO int fd = -1;

	(void)arg;
	(void)route_query(r, "channel", &channel);
	(void)route_query(r, "force", &force);
	if (!channel_ok(c, channel))
		return;
	if (!bytes_is(force, "0") && !bytes_is(force, "1")) {
		invalid(c, "force", "it is neither 0 nor 1", "send force=1 for a serial that is more than a year ahead");
		return;
	}
	if (!bytes_ieq(r->content_type, bytes_str("application/octet-stream"))) {
		invalid(c, "Content-Type", "a bundle is no application/octet-stream", "send Content-Type: application/octet-stream");
		return;
	}
	if (r->body.len == 0 || r->body.len > BUNDLE_MAX) {
		invalid(c, "body", "a bundle is neither empty nor over 8 MiB", "send what `saw policy sign` made, as src/wire/bundle.h says");
		return;
	}
	fd = fd_sealed("bundle", r->body.p, r->body.len, &e);
	if (fd < 0) {
		invalid(c, "body", e.text, "try again");
		return;
	}
	buf_reset(&c->body);
	conn_ask(c, MSG_API_PUSH, AWAIT_CHANNEL, 200);
	msg_bytes(&front_out, channel);
	msg_u64(&front_out, bytes_is(force, "1"));
	msg_fd(&front_out, fd);
	conn_send(c);
}

void call_channels(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	(void)r;
	(void)arg;
	buf_reset(&c->body);
	json_out_init(&c->json, &c->body);
	json_out_object(&c->json);
	json_out_key(&c->json, "channels");
	json_out_array(&c->json);
	conn_ask(c, MSG_API_CHANNELS, AWAIT_CHANNELS, 200);
	conn_send(c);
}

void call_channel_set(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	static const char *const keys[] = { "channel", "release", NULL };
	struct buf channel;
	struct buf release;

	(void)arg;
	buf_init(&channel, SAWD_CHANNEL_MAX);
	buf_init(&release, SAWD_RELEASE_LEN);
	body_open(&body, c, r, keys, false);
	body_text(&body, NULL, "channel", NULL, &channel);
	body_text(&body, NULL, "release", NULL, &release);
	if (!body.failed && channel_ok(c, buf_view(&channel))) {
		buf_reset(&c->body);
		conn_ask(c, MSG_API_CHANNEL_SET, AWAIT_CHANNEL, 200);
		msg_bytes(&front_out, buf_view(&channel));
		msg_bytes(&front_out, buf_view(&release));
		conn_send(c);
	}
	buf_deinit(&channel);
	buf_deinit(&release);
}

void call_channel_rollback(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	static const char *const keys[] = { "channel", "serial", NULL };
	struct buf channel;
	uint64_t serial;

	(void)arg;
	buf_init(&channel, SAWD_CHANNEL_MAX);
	body_open(&body, c, r, keys, false);
	body_text(&body, NULL, "channel", NULL, &channel);
	serial = body_u64(&body, "serial", 1, MANIFEST_SERIAL_MAX, 0);
	if (!body.failed && channel_ok(c, buf_view(&channel))) {
		buf_reset(&c->body);
		conn_ask(c, MSG_API_CHANNEL_ROLLBACK, AWAIT_CHANNEL, 200);
		msg_bytes(&front_out, buf_view(&channel));
		msg_u64(&front_out, serial);
		conn_send(c);
	}
	buf_deinit(&channel);
}

void call_key(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	static const char *const keys[] = { "change", "name", "fingerprint", NULL };
	static const char *const changes[] = { "add", "remove", NULL };
	struct buf name;
	struct buf fingerprint;
	unsigned change;

	(void)arg;
	buf_init(&name, TRUST_NAME_MAX);
	buf_init(&fingerprint, BUNDLE_FINGERPRINT_MAX);
	body_open(&body, c, r, keys, false);
	change = body_word(&body, "change", changes);
	body_text(&body, NULL, "name", NULL, &name);
	body_text(&body, NULL, "fingerprint", "", &fingerprint);
	if (!body.failed && !trust_name_ok(buf_view(&name)))
		body_bad(&body, "name", "this is no name of a key", "use 1 to 64 of a-z, 0-9, '-', '_' and '.', no dot first");
	if (!body.failed) {
		conn_ask(c, MSG_API_KEY, AWAIT_END, 204);
		msg_u64(&front_out, change == 0);
		msg_bytes(&front_out, buf_view(&name));
		msg_bytes(&front_out, buf_view(&fingerprint));
		conn_send(c);
	}
	buf_deinit(&name);
	buf_deinit(&fingerprint);
}

static void text(struct json_out *j, const char *key, struct msg_in *in, size_t max)
{
	json_out_key_bytes(j, key, msg_get_bytes(in, max));
}

static void number(struct json_out *j, const char *key, struct msg_in *in)
{
	json_out_key_u64(j, key, msg_get_u64(in));
}

static void when(struct json_out *j, const char *key, struct msg_in *in)
{
	uint64_t ms = msg_get_u64(in);

	if (ms) {
		render_time(j, key, ms);
	} else {
		json_out_key(j, key);
		json_out_null(j);
	}
}

static void credentials(struct json_out *j, struct msg_in *in)
{
	uint64_t n = msg_get_max(in, IPC_SECRETS_MAX);

	json_out_key(j, "credentials");
	json_out_array(j);
	for (uint64_t i = 0; i < n && !in->bad; i++)
		json_out_bytes(j, msg_get_bytes(in, CREDENTIAL_ID_MAX));
	json_out_array_end(j);
}

static void put_channel(struct json_out *j, struct msg_in *in)
{
	json_out_object(j);
	text(j, "name", in, SAWD_CHANNEL_MAX);
	text(j, "release", in, SAWD_RELEASE_LEN);
	number(j, "serial", in);
	number(j, "top_serial", in);
	json_out_key_bool(j, "rolled_back", msg_get_u64(in) != 0);
	json_out_key(j, "policy");
	json_out_object(j);
	text(j, "name", in, SAWD_POLICY_NAME_MAX);
	text(j, "sha256", in, SAWD_RELEASE_LEN);
	json_out_key_bool(j, "lab", msg_get_max(in, 1) == 1);
	text(j, "observes", in, SAWD_OBSERVES_MAX);
	json_out_object_end(j);
	text(j, "key", in, BUNDLE_FINGERPRINT_MAX);
	when(j, "expires_at", in);
	when(j, "moved_at", in);
	number(j, "workspaces", in);
	credentials(j, in);
	json_out_object_end(j);
}

bool channel_on_row(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	struct json_out none;
	struct buf dropped;
	struct json_out j;

	if (c && c->await == AWAIT_CHANNELS) {
		put_channel(&c->json, in);
	} else if (c && c->await == AWAIT_CHANNEL) {
		buf_reset(&c->body);
		json_out_init(&j, &c->body);
		put_channel(&j, in);
		if (!in->bad)
			conn_answer(c, c->ok_status, &c->body);
	} else {
		buf_init(&dropped, 0);
		json_out_init(&none, &dropped);
		put_channel(&none, in);
	}
	return !in->bad;
}
