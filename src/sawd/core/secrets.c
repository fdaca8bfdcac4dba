/* Calls that concern secrets. Values pass by as sealed memory that this process never maps: keeper checks them, says what would become
 * of the change, the event is written, and only then is it made. */
#include "sawd/core/secrets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/fd.h"
#include "os/log.h"
#include "sawd/core/api.h"
#include "sawd/core/bindings.h"

/* One such call on its way. */
struct call {
	struct core *core;
	uint64_t req; /* front's */
	uint64_t change; /* our number for keeper's change */
	uint64_t version; /* that it will have */
	enum sawd_secret_op op;
	char id[CREDENTIAL_ID_MAX + 1];
};

static void keeper_away(struct core *c, uint64_t req)
{
	api_problem(c, req, &(struct sawd_problem){ .status = 503, .exit_code = 1, .code = "unavailable",
						    .detail = "the keeper of secrets is restarting", .remedy = "try again in a moment" });
}

static void refuse(const struct call *k, enum sawd_secret_answer a, const char *why)
{
	struct sawd_problem p = { .status = 409, .exit_code = 1, .detail = why, .field = "id" };
	char text[CREDENTIAL_ID_MAX + 64];

	switch (a) {
	case SAWD_SECRET_EXISTS:
		(void)snprintf(text, sizeof(text), "there is a secret %s already", k->id);
		p.detail = text;
		p.code = "exists";
		p.remedy = "`saw secret rotate` gives it a new value";
		break;
	case SAWD_SECRET_MISSING:
		(void)snprintf(text, sizeof(text), "there is no secret %s", k->id);
		p = (struct sawd_problem){ .status = 404, .exit_code = 4, .detail = text, .field = "id", .code = "not_found",
					   .remedy = "`saw secret ls` lists them" };
		break;
	case SAWD_SECRET_BAD:
		p = (struct sawd_problem){ .status = 422, .exit_code = 2, .detail = why, .field = "value", .code = "invalid",
					   .remedy = "store exactly what shall stand in the header field; nothing was changed" };
		break;
	case SAWD_SECRET_FULL:
		p.code = "busy";
		p.remedy = "remove some, or try again in a moment";
		break;
	case SAWD_SECRET_RACED:
		(void)snprintf(text, sizeof(text), "secret %s was changed by somebody else in the same moment", k->id);
		p.detail = text;
		p.code = "conflict";
		p.remedy = "`saw secret ls` shows what there is now; try again";
		break;
	case SAWD_SECRET_FAILED:
	case SAWD_SECRET_OK:
	case SAWD_SECRET_ANSWER_END:
	default:
		p.status = 500;
		p.code = "failed";
		p.remedy = "see sawd.log in the state folder";
		break;
	}
	api_problem(k->core, k->req, &p);
}

static void end(struct core *c, uint64_t req)
{
	msg_start(&core_out, MSG_API_END);
	msg_u64(&core_out, req);
	msg_str(&core_out, "");
	core_send(c, SAWD_FRONT);
}

struct row {
	struct bytes id;
	uint64_t version;
	uint64_t created_ms;
	uint64_t rotated_ms;
	struct bytes fault;
};

static void send_row(struct core *c, uint64_t req, const struct row *r, const struct bound *bound)
{
	msg_start(&core_out, MSG_API_SECRET_ROW);
	msg_u64(&core_out, req);
	msg_bytes(&core_out, r->id);
	msg_u64(&core_out, r->version);
	msg_u64(&core_out, r->created_ms);
	msg_u64(&core_out, r->rotated_ms);
	msg_bytes(&core_out, r->fault);
	bound_put(bound, r->id, &core_out);
	core_send(c, SAWD_FRONT);
}

static void answer_done(struct call *k, const struct row *r)
{
	struct bound *bound = k->op == SAWD_SECRET_REMOVE ? NULL : bound_new(k->core);

	if (k->op != SAWD_SECRET_REMOVE)
		send_row(k->core, k->req, r, bound);
	bound_free(bound);
	end(k->core, k->req);
}

static void call_free(struct call *k)
{
	ask_forget(k->core, k);
	free(k);
}

static const char *operation(const struct call *k)
{
	if (k->op == SAWD_SECRET_REMOVE)
		return "secrets.delete";
	return k->version > 1 ? "secrets.rotate" : "secrets.set";
}

static bool on_done(void *owner, struct msg_in *in)
{
	struct call *k = owner;
	enum sawd_secret_answer a = in ? (enum sawd_secret_answer)msg_get_max(in, SAWD_SECRET_ANSWER_END - 1) : SAWD_SECRET_FAILED;
	struct row r = { .id = bytes_str(k->id) };
	struct bytes why;
	char text[SAWD_SECRET_WHY_MAX + 1] = "the keeper of secrets went away in the middle of the change";

	if (in) {
		r.version = msg_get_u64(in);
		r.created_ms = msg_get_u64(in);
		r.rotated_ms = msg_get_u64(in);
		why = msg_get_bytes(in, SAWD_SECRET_WHY_MAX);
		if (!msg_end(in) || !a)
			return false;
		(void)snprintf(text, sizeof(text), "%.*s", (int)why.len, (const char *)why.p);
	}
	if (a != SAWD_SECRET_OK)
		journal_failed(k->core, a == SAWD_SECRET_RACED ? REASON_CHANGE_RACED : REASON_CHANGE_FAILED, operation(k), k->id, text);
	if (!in)
		api_problem(k->core, k->req,
			    &(struct sawd_problem){ .status = 503, .exit_code = 1, .code = "unavailable",
						    .detail = text, .remedy = "`saw secret ls` shows whether it was made" });
	else if (a == SAWD_SECRET_OK)
		answer_done(k, &r);
	else
		refuse(k, a, text);
	call_free(k);
	return true;
}

static const struct ask_kind made = { SAWD_KEEPER, { MSG_SAWD_SECRET_DONE }, on_done };

static void commit(struct call *k, bool go)
{
	struct core *c = k->core;
	uint64_t req = go ? ask_new(c, &made, k) : 0;

	msg_start(&core_out, MSG_SAWD_SECRET_COMMIT);
	msg_u64(&core_out, req);
	msg_u64(&core_out, k->change);
	msg_u64(&core_out, go);
	core_send(c, SAWD_KEEPER);
}

static bool on_ready(void *owner, struct msg_in *in)
{
	struct call *k = owner;
	struct core *c = k->core;
	enum sawd_secret_answer a = in ? (enum sawd_secret_answer)msg_get_max(in, SAWD_SECRET_ANSWER_END - 1) : SAWD_SECRET_FAILED;
	uint64_t version = in ? msg_get_u64(in) : 0;
	struct bytes why = in ? msg_get_bytes(in, SAWD_SECRET_WHY_MAX) : bytes_of(NULL, 0);
	char text[SAWD_SECRET_WHY_MAX + 1];
	struct err e = { 0 };
	int r = 0;

	if (in && (!msg_end(in) || !a))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)why.len, why.len ? (const char *)why.p : "");
	if (!in) {
		keeper_away(c, k->req);
	} else if (a != SAWD_SECRET_OK) {
		refuse(k, a, text);
	} else {
		(void)snprintf(text, sizeof(text), "version %llu", (unsigned long long)version);
		k->version = version;
		r = journal_call(c, operation(k), k->id, "", text, &e);
		if (r < 0)
			api_error(c, k->req, r, &e);
		commit(k, r == 0);
		if (r == 0)
			return true;
	}
	call_free(k);
	return true;
}

static const struct ask_kind ready = { SAWD_KEEPER, { MSG_SAWD_SECRET_READY }, on_ready };

static void change(struct core *c, uint64_t req, struct bytes id, enum sawd_secret_op op, int fd)
{
	struct call *k;

	if (!api_may_change(c, req))
		return;
	if (!c->peers[SAWD_KEEPER]) {
		keeper_away(c, req);
		return;
	}
	k = calloc(1, sizeof(*k));
	if (!k) {
		api_error(c, req, -ENOMEM, &(struct err){ "out of memory for a call" });
		return;
	}
	*k = (struct call){ .core = c, .req = req, .op = op };
	memcpy(k->id, id.p, id.len);
	k->change = ask_new(c, &ready, k);
	msg_start(&core_out, MSG_SAWD_SECRET_CHANGE);
	msg_u64(&core_out, k->change);
	msg_str(&core_out, c->owner);
	msg_bytes(&core_out, id);
	msg_u64(&core_out, op);
	if (fd >= 0)
		msg_fd(&core_out, fd);
	core_send(c, SAWD_KEEPER);
}

bool secrets_on_set(void *owner, struct msg_in *in)
{
	uint64_t req = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, CREDENTIAL_ID_MAX);
	enum sawd_secret_op op = (enum sawd_secret_op)msg_get_max(in, SAWD_SECRET_PUT);
	FD_AUTO int fd = msg_take_fd(in);

	if (!msg_end(in) || !op || !credential_id_ok(id))
		return false;
	change(owner, req, id, op, fd);
	return true;
}

bool secrets_on_rm(void *owner, struct msg_in *in)
{
	uint64_t req = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, CREDENTIAL_ID_MAX);

	if (!msg_end(in) || !credential_id_ok(id))
		return false;
	change(owner, req, id, SAWD_SECRET_REMOVE, -1);
	return true;
}

/* Who asked for the list: all that is needed until it comes. */
struct listing {
	struct core *core;
	uint64_t req;
};

static bool get_row(struct msg_in *in, struct row *ret)
{
	ret->id = msg_get_bytes(in, CREDENTIAL_ID_MAX);
	ret->version = msg_get_u64(in);
	ret->created_ms = msg_get_u64(in);
	ret->rotated_ms = msg_get_u64(in);
	ret->fault = msg_get_bytes(in, SAWD_SECRET_FAULT_MAX);
	return !in->bad;
}

static bool on_rows(void *owner, struct msg_in *in)
{
	struct listing *l = owner;
	struct bound *bound = in ? bound_new(l->core) : NULL;
	uint64_t n = in ? msg_get_max(in, SAWD_SECRETS_MAX) : 0;
	struct row r;

	for (uint64_t i = 0; i < n && get_row(in, &r); i++)
		if (bound)
			send_row(l->core, l->req, &r, bound);
	if (in && !msg_end(in)) {
		bound_free(bound);
		return false;
	}
	if (!in)
		keeper_away(l->core, l->req);
	else if (!bound)
		api_error(l->core, l->req, -ENOMEM, &(struct err){ "the workspaces could not be read" });
	else
		end(l->core, l->req);
	bound_free(bound);
	free(l);
	return true;
}

static const struct ask_kind rows = { SAWD_KEEPER, { MSG_SAWD_SECRET_ROWS }, on_rows };

bool secrets_on_list(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct listing *l;
	uint64_t ask;

	if (!msg_end(in))
		return false;
	l = c->peers[SAWD_KEEPER] ? malloc(sizeof(*l)) : NULL;
	if (!l) {
		keeper_away(c, req);
		return true;
	}
	*l = (struct listing){ .core = c, .req = req };
	ask = ask_new(c, &rows, l);
	msg_start(&core_out, MSG_SAWD_SECRET_LIST);
	msg_u64(&core_out, ask);
	msg_str(&core_out, c->owner);
	core_send(c, SAWD_KEEPER);
	return true;
}
