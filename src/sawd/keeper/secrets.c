#include <errno.h>
#include <string.h>

#include "os/fd.h"
#include "os/log.h"
#include "sawd/keeper/keeper.h"

static struct bytes sentence(const struct err *e)
{
	return bytes_of(e->text, strnlen(e->text, SAWD_SECRET_WHY_MAX));
}

bool secrets_on_change(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes who = msg_get_bytes(in, SAWD_OWNER_MAX);
	struct bytes id = msg_get_bytes(in, CREDENTIAL_ID_MAX);
	enum sawd_secret_op op = (enum sawd_secret_op)msg_get_max(in, SAWD_SECRET_OP_END - 1);
	FD_AUTO int fd = op == SAWD_SECRET_REMOVE ? -1 : msg_take_fd(in);
	struct change *change = NULL;
	struct err e = { 0 };
	enum sawd_secret_answer a;

	if (!msg_end(in) || !op || !k->safe)
		return false;
	a = change_prepare(&k->changes, req, op, who, id, fd, &change, &e);
	msg_start(&keeper_out, MSG_SAWD_SECRET_READY);
	msg_u64(&keeper_out, req);
	msg_u64(&keeper_out, a);
	msg_u64(&keeper_out, change ? change->info.version : 0);
	msg_bytes(&keeper_out, sentence(&e));
	chan_send(k->core, &keeper_out);
	return true;
}

bool secrets_on_commit(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	uint64_t which = msg_get_u64(in);
	bool go = msg_get_max(in, 1) == 1;
	struct change *change;
	struct safe_info info = { 0 };
	struct err e = { 0 };
	int r;

	if (!msg_end(in) || !k->safe)
		return false;
	change = change_find(&k->changes, which);
	r = change ? 0 : err_set(&e, ENOENT, "the change is not known any more: ask again");
	if (change && go)
		r = change_make(&k->changes, change, &e);
	if (change && go && r == 0) {
		info = change->info;
		supply_changed(k->supplies, bytes_str(change->owner), bytes_str(change->id));
	}
	if (change)
		change_drop(change);
	msg_start(&keeper_out, MSG_SAWD_SECRET_DONE);
	msg_u64(&keeper_out, req);
	msg_u64(&keeper_out, r == 0 ? SAWD_SECRET_OK : r == -EAGAIN ? SAWD_SECRET_RACED : SAWD_SECRET_FAILED);
	msg_u64(&keeper_out, info.version);
	msg_u64(&keeper_out, info.created_ms);
	msg_u64(&keeper_out, info.version > 1 ? info.set_ms : 0);
	msg_bytes(&keeper_out, sentence(&e));
	chan_send(k->core, &keeper_out);
	return true;
}

static struct msg rows; /* written while keeper_out may serve the log's sentence */

static void put_row(void *ctx, struct bytes id, const struct safe_info *info, const char *fault)
{
	(void)ctx;
	msg_bytes(&rows, id);
	msg_u64(&rows, info->version);
	msg_u64(&rows, info->created_ms);
	msg_u64(&rows, info->version > 1 ? info->set_ms : 0);
	msg_bytes(&rows, bytes_of(fault, strnlen(fault, SAWD_SECRET_FAULT_MAX)));
}

static void count_row(void *ctx, struct bytes id, const struct safe_info *info, const char *fault)
{
	(void)id;
	(void)info;
	(void)fault;
	++*(uint64_t *)ctx;
}

bool secrets_on_list(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes who = msg_get_bytes(in, SAWD_OWNER_MAX);
	struct err e = { 0 };
	uint64_t n = 0;

	if (!msg_end(in) || !k->safe)
		return false;
	if (safe_list(k->safe, who, count_row, &n, &e) < 0)
		log_line("%s", e.text);
	msg_start(&rows, MSG_SAWD_SECRET_ROWS);
	msg_u64(&rows, req);
	msg_u64(&rows, n);
	(void)safe_list(k->safe, who, put_row, NULL, &e);
	chan_send(k->core, &rows);
	return true;
}

static bool take_ids(struct msg_in *in, struct bytes *ret_ws, struct bytes *ret_owner, struct supply_ids *ret)
{
	*ret_ws = msg_get_bytes(in, SAWD_ID_LEN);
	*ret_owner = msg_get_bytes(in, SAWD_OWNER_MAX);
	return supply_ids_get(in, ret) && msg_end(in) && sawd_id_ok(*ret_ws, "ws-") && ret_owner->len;
}

bool secrets_on_open(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	struct supply_ids ids;
	struct bytes ws;
	struct bytes who;
	struct err e = { 0 };
	FD_AUTO int fd = -1;

	if (!take_ids(in, &ws, &who, &ids) || !k->safe)
		return false;
	if (supply_open(k->supplies, ws, who, &ids, &fd, &e) < 0)
		log_line("%s", e.text);
	msg_start(&keeper_out, MSG_SAWD_CHANNEL);
	msg_u64(&keeper_out, req);
	msg_u64(&keeper_out, fd >= 0);
	msg_bytes(&keeper_out, sentence(&e));
	if (fd >= 0)
		msg_fd(&keeper_out, fd);
	chan_send(k->core, &keeper_out);
	return true;
}

bool secrets_on_bind(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	struct supply_ids ids;
	struct bytes ws;
	struct bytes who;

	if (!take_ids(in, &ws, &who, &ids) || !k->safe)
		return false;
	supply_bind(k->supplies, ws, who, &ids);
	return true;
}

void secrets_outlet_ended(void *owner, struct bytes workspace)
{
	struct keeper *k = owner;

	if (!k->core)
		return;
	msg_start(&keeper_out, MSG_SAWD_CHANNEL_ENDED);
	msg_bytes(&keeper_out, workspace);
	msg_u64(&keeper_out, 0);
	chan_send(k->core, &keeper_out);
}
