/* Core's questions about workspaces' certificate authorities. */
#include <errno.h>
#include <string.h>

#include "os/fd.h"
#include "os/log.h"
#include "sawd/keeper/keeper.h"

bool authority_on_root(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes ws = msg_get_bytes(in, SAWD_ID_LEN);
	struct bytes name = msg_get_bytes(in, SAWD_NAME_MAX);
	struct buf pem BUF_AUTO = { 0 };
	struct err e = { 0 };

	if (!msg_end(in) || !k->issuer || !sawd_id_ok(ws, "ws-") || !sawd_name_ok(name))
		return false;
	buf_init(&pem, SAWD_CA_PEM_MAX);
	if (issuer_root(k->issuer, ws, name, &pem, &e) < 0) {
		log_line("%s", e.text);
		buf_reset(&pem);
	}
	msg_start(&keeper_out, MSG_SAWD_CA_ROOT_DONE);
	msg_u64(&keeper_out, req);
	msg_bytes(&keeper_out, buf_view(&pem));
	msg_bytes(&keeper_out, bytes_of(e.text, strnlen(e.text, SAWD_SECRET_WHY_MAX)));
	chan_send(k->core, &keeper_out);
	return true;
}

static bool take_names(struct msg_in *in, struct bytes *ret_ws, uint64_t *ret_n, int *ret_fd)
{
	*ret_ws = msg_get_bytes(in, SAWD_ID_LEN);
	*ret_n = msg_get_max(in, SAWD_CA_NAMES_MAX);
	if (!in->bad && *ret_n)
		*ret_fd = msg_take_fd(in);
	return msg_end(in) && sawd_id_ok(*ret_ws, "ws-");
}

bool authority_on_open(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	FD_AUTO int names_fd = -1;
	FD_AUTO int fd = -1;
	struct bytes ws;
	struct err e = { 0 };
	uint64_t n;

	if (!take_names(in, &ws, &n, &names_fd) || !k->issuer)
		return false;
	if (issuer_open(k->issuer, ws, n, fd_take(&names_fd), &fd, &e) < 0)
		log_line("%s", e.text);
	msg_start(&keeper_out, MSG_SAWD_CHANNEL);
	msg_u64(&keeper_out, req);
	msg_u64(&keeper_out, fd >= 0);
	msg_bytes(&keeper_out, bytes_of(e.text, strnlen(e.text, SAWD_SECRET_WHY_MAX)));
	if (fd >= 0)
		msg_fd(&keeper_out, fd);
	chan_send(k->core, &keeper_out);
	return true;
}

bool authority_on_bind(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	FD_AUTO int names_fd = -1;
	struct bytes ws;
	uint64_t n;

	if (!take_names(in, &ws, &n, &names_fd) || !k->issuer)
		return false;
	issuer_bind(k->issuer, ws, n, fd_take(&names_fd));
	return true;
}

void authority_inlet_ended(void *owner, struct bytes workspace)
{
	struct keeper *k = owner;

	if (!k->core)
		return;
	msg_start(&keeper_out, MSG_SAWD_CHANNEL_ENDED);
	msg_bytes(&keeper_out, workspace);
	msg_u64(&keeper_out, 1);
	chan_send(k->core, &keeper_out);
}
