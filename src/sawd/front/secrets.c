/* Calls about secrets. A value is a body that is taken as it is, goes on in sealed memory, and is wiped here with the connection's buffers
 * (net/http_server.c). */
#include <stdio.h>
#include <string.h>

#include "os/fd.h"
#include "sawd/front/front.h"
#include "wire/credential.h"

static void invalid(struct conn *c, const char *field, const char *detail, const char *remedy)
{
	conn_problem(c, &(struct sawd_problem){ .status = 422, .exit_code = 2, .code = "invalid", .field = field, .detail = detail,
						.remedy = remedy });
}

static bool id_ok(struct conn *c, struct bytes id)
{
	if (credential_id_ok(id))
		return true;
	invalid(c, "id", "this can be no id of a secret", "use 1 to 64 of a-z, 0-9, '-', '_' and '.', the first a letter or digit");
	return false;
}

static bool take_op(struct conn *c, const struct http_server_request *r, enum sawd_secret_op *ret)
{
	struct bytes mode = bytes_str("new");

	(void)route_query(r, "mode", &mode);
	*ret = bytes_is(mode, "new")	? SAWD_SECRET_NEW :
	       bytes_is(mode, "rotate") ? SAWD_SECRET_ROTATE :
	       bytes_is(mode, "put")	? SAWD_SECRET_PUT :
					  SAWD_SECRET_OP_END;
	if (*ret != SAWD_SECRET_OP_END)
		return true;
	invalid(c, "mode", "there is no such mode", "send mode=new, mode=rotate or mode=put");
	return false;
}

void call_secret_set(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	enum credential_fault fault = credential_check(r->body);
	enum sawd_secret_op op;
	struct err e = { 0 };
	FD_AUTO int fd = -1;
	char text[120];

	if (!id_ok(c, arg) || !take_op(c, r, &op))
		return;
	if (!bytes_ieq(r->content_type, bytes_str("application/octet-stream"))) {
		invalid(c, "Content-Type", "a secret's value is no application/octet-stream", "send Content-Type: application/octet-stream");
		return;
	}
	if (fault != CREDENTIAL_OK) {
		(void)snprintf(text, sizeof(text), "the value %s", credential_fault_text(fault));
		invalid(c, "value", text, "store exactly what shall stand in the header field; nothing was changed");
		return;
	}
	fd = fd_sealed("secret", r->body.p, r->body.len, &e);
	if (fd < 0) {
		invalid(c, "value", e.text, "try again");
		return;
	}
	buf_reset(&c->body);
	conn_ask(c, MSG_API_SECRET_SET, AWAIT_SECRET, op == SAWD_SECRET_NEW ? 201 : 200);
	msg_bytes(&front_out, arg);
	msg_u64(&front_out, op);
	msg_fd(&front_out, fd);
	conn_send(c);
}

void call_secret_rm(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	(void)r;
	if (!id_ok(c, arg))
		return;
	conn_ask(c, MSG_API_SECRET_RM, AWAIT_END, 204);
	msg_bytes(&front_out, arg);
	conn_send(c);
}

void call_secrets(struct conn *c, const struct http_server_request *r, struct bytes arg)
{
	(void)r;
	(void)arg;
	buf_reset(&c->body);
	json_out_init(&c->json, &c->body);
	json_out_object(&c->json);
	json_out_key(&c->json, "secrets");
	json_out_array(&c->json);
	conn_ask(c, MSG_API_SECRETS, AWAIT_SECRETS, 200);
	conn_send(c);
}

bool secret_on_row(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	struct conn *c = conn_of(f, msg_get_u64(in));
	struct bytes id = msg_get_bytes(in, CREDENTIAL_ID_MAX);
	uint64_t version = msg_get_u64(in);
	uint64_t created = msg_get_u64(in);
	uint64_t rotated = msg_get_u64(in);
	struct bytes fault = msg_get_bytes(in, SAWD_SECRET_FAULT_MAX);
	uint64_t total = msg_get_u64(in);
	uint64_t n = msg_get_max(in, SAWD_SECRET_NAMES_MAX);
	bool wanted = c && (c->await == AWAIT_SECRET || c->await == AWAIT_SECRETS);
	struct json_out none = { 0 };
	struct buf dropped BUF_AUTO = { 0 };
	struct json_out *j = wanted ? &c->json : &none;

	buf_init(&dropped, 0);
	json_out_init(&none, &dropped);
	if (wanted && c->await == AWAIT_SECRET)
		json_out_init(j, &c->body);
	json_out_object(j);
	json_out_key_bytes(j, "id", id);
	json_out_key_u64(j, "version", version);
	render_time(j, "created_at", created);
	if (rotated) {
		render_time(j, "rotated_at", rotated);
	} else {
		json_out_key(j, "rotated_at");
		json_out_null(j);
	}
	json_out_key_bytes(j, "fault", fault);
	json_out_key_u64(j, "n_workspaces", total);
	json_out_key(j, "workspaces");
	json_out_array(j);
	for (uint64_t i = 0; i < n && !in->bad; i++)
		json_out_bytes(j, msg_get_bytes(in, SAWD_NAME_MAX));
	json_out_array_end(j);
	json_out_object_end(j);
	return !in->bad;
}
