#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sawd/core/ws.h"

/* Answers to front that several kinds of calls share. */

void api_problem(struct core *c, uint64_t req, const struct sawd_problem *p)
{
	msg_start(&core_out, MSG_API_PROBLEM);
	msg_u64(&core_out, req);
	msg_u64(&core_out, p->status);
	msg_u64(&core_out, p->exit_code);
	msg_str(&core_out, p->code);
	msg_bytes(&core_out, bytes_of(p->detail, strnlen(p->detail, SAWD_DETAIL_MAX)));
	msg_str(&core_out, p->field ? p->field : "");
	msg_str(&core_out, p->remedy ? p->remedy : "");
	msg_u64(&core_out, 0);
	core_send(c, SAWD_FRONT);
}

void api_error(struct core *c, uint64_t req, int r, const struct err *e)
{
	if (r == JOURNAL_FAULT)
		api_problem(c, req, &(struct sawd_problem){ .status = 503, .exit_code = 1, .code = "audit_not_writable", .detail = e->text,
							    .remedy = "put that right (a full disk: free space on it); nothing was changed" });
	else
		api_problem(c, req, &(struct sawd_problem){ .status = 500, .exit_code = 1, .code = "failed", .detail = e->text,
							    .remedy = "see sawd.log in the state folder" });
}

bool api_refused(struct core *c, uint64_t req, const char *detail, const char *remedy, struct msg_in *in)
{
	uint64_t n = msg_get_max(in, SAWD_PROBLEMS_MAX);

	msg_start(&core_out, MSG_API_PROBLEM);
	msg_u64(&core_out, req);
	msg_u64(&core_out, 422);
	msg_u64(&core_out, 1);
	msg_str(&core_out, "policy_refused");
	msg_str(&core_out, detail);
	msg_str(&core_out, "policy");
	msg_str(&core_out, remedy);
	msg_u64(&core_out, n);
	for (uint64_t i = 0; i < n; i++) {
		msg_u64(&core_out, msg_get_max(in, UINT32_MAX));
		msg_u64(&core_out, msg_get_max(in, UINT32_MAX));
		msg_bytes(&core_out, msg_get_bytes(in, ERR_MAX));
	}
	if (!msg_end(in))
		return false;
	core_send(c, SAWD_FRONT);
	return true;
}

bool api_not_now(struct core *c, uint64_t req, struct msg_in *in)
{
	struct bytes why = msg_get_bytes(in, ERR_MAX);
	char text[SAWD_DETAIL_MAX];

	if (!msg_end(in))
		return false;
	(void)snprintf(text, sizeof(text), "the policy could not be looked at: %.*s", (int)(why.len < 900 ? why.len : 900), (const char *)why.p);
	api_problem(c, req, &(struct sawd_problem){ .status = 503, .exit_code = 1, .code = "unavailable", .detail = text,
						    .remedy = "that is this machine's fault and not the policy's: try again in a moment" });
	return true;
}

static uint8_t hex_value(char c)
{
	return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

void api_row(struct core *c, uint64_t req, const struct workspace *row)
{
	const struct ws *w = ws_find(c, bytes_str(row->id));
	uint8_t sha[SAWD_KEY_LEN] = { 0 };
	struct sawd_row r = {
		.id = bytes_str(row->id),
		.owner = bytes_str(row->owner),
		.asked = { .name = bytes_str(row->name), .image = bytes_str(row->image), .driver = row->driver, .cpus = row->cpus,
			   .memory_bytes = row->memory_bytes, .disk_bytes = row->disk_bytes, .accel = row->accel,
			   .upstream_proxy = bytes_str(row->upstream_proxy), .kernel_args = bytes_str(row->kernel_args),
			   .policy_file = bytes_str(row->policy_file), .policy_channel = bytes_str(row->channel) },
		.state = sawd_state_of(bytes_str(row->state)),
		.detail = bytes_str(row->detail),
		.since_ms = row->since_ms,
		.created_ms = row->created_ms,
		.image_digest = bytes_str(row->image_digest),
		.policy_name = bytes_str(row->policy_name),
		.policy_sha256 = bytes_of(sha, sizeof(sha)),
		.policy_lab = row->policy_lab != 0,
		.policy_observes = bytes_str(row->policy_observes),
		.policy_release = bytes_str(row->release),
		.policy_serial = row->serial,
		.policy_rollback = row->rollback,
		.generation = row->generation,
		.tunnels = sessions_tunnels(c, row->id),
	};

	r.policy_unread = renew_failed(c, row);
	if (!*row->detail && r.policy_unread)
		r.detail = bytes_str("no credential is bound: its compiled policy cannot be read, and could not be made anew (`saw audit` says why): give it "
				     "again by `saw policy push` or `saw set-policy`");
	r.desired = bytes_is(bytes_str(row->desired), "running") ? SAWD_WANT_RUNNING :
		    bytes_is(bytes_str(row->desired), "deleted") ? SAWD_WANT_DELETED :
								   SAWD_WANT_STOPPED;
	for (size_t i = 0; i < sizeof(sha) && row->policy_sha256[2 * i]; i++)
		sha[i] = (uint8_t)(hex_value(row->policy_sha256[2 * i]) << 4 | hex_value(row->policy_sha256[2 * i + 1]));
	if (w && w->control) {
		r.accel_in_use = row->accel_in_use;
		r.loaded_generation = w->loaded_generation;
		r.restarts = w->restarts;
	}
	msg_start(&core_out, MSG_API_WORKSPACE);
	msg_u64(&core_out, req);
	sawd_row_put(&core_out, &r);
	core_send(c, SAWD_FRONT);
}
