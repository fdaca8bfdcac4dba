#include "ipc/sawd_row.h"

#include "ipc/spec.h"
#include "ipc/types.h"

static const char *const states[SAWD_STATE_END] = { "",		"requested", "provisioning", "starting", "running", "stopping",
						    "stopped", "rebuilding", "failed",	     "deleting", "deleted" };
static const char *const desires[SAWD_DESIRED_END] = { "", "running", "stopped", "deleted" };

const char *sawd_state_text(enum sawd_state s)
{
	return s < SAWD_STATE_END ? states[s] : "";
}

const char *sawd_desired_text(enum sawd_desired d)
{
	return d < SAWD_DESIRED_END ? desires[d] : "";
}

enum sawd_state sawd_state_of(struct bytes text)
{
	for (unsigned s = 1; s < SAWD_STATE_END; s++)
		if (bytes_is(text, states[s]))
			return (enum sawd_state)s;
	return (enum sawd_state)0;
}

void sawd_new_put(struct msg *m, const struct sawd_new *n)
{
	msg_bytes(m, n->name);
	msg_bytes(m, n->image);
	msg_u64(m, n->driver);
	msg_u64(m, n->cpus);
	msg_u64(m, n->memory_bytes);
	msg_u64(m, n->disk_bytes);
	msg_u64(m, n->accel);
	msg_bytes(m, n->upstream_proxy);
	msg_bytes(m, n->kernel_args);
	msg_bytes(m, n->policy_file);
	msg_bytes(m, n->policy_channel);
	msg_u64(m, n->start);
}

bool sawd_new_get(struct msg_in *in, struct sawd_new *ret)
{
	struct sawd_new n = { 0 };

	n.name = msg_get_bytes(in, SAWD_NAME_MAX);
	n.image = msg_get_bytes(in, SAWD_IMAGE_MAX);
	n.driver = msg_get_max(in, SPEC_DRIVER_TRY);
	n.cpus = msg_get_max(in, 1024);
	n.memory_bytes = msg_get_u64(in);
	n.disk_bytes = msg_get_u64(in);
	n.accel = msg_get_max(in, IPC_ACCEL_TCG);
	n.upstream_proxy = msg_get_bytes(in, SAWD_PROXY_MAX);
	n.kernel_args = msg_get_bytes(in, SAWD_ARGS_MAX);
	n.policy_file = msg_get_bytes(in, SAWD_FILE_NAME_MAX);
	n.policy_channel = msg_get_bytes(in, SAWD_CHANNEL_MAX);
	n.start = msg_get_max(in, 1);
	if (in->bad)
		return false;
	*ret = n;
	return true;
}

void sawd_row_put(struct msg *m, const struct sawd_row *r)
{
	msg_bytes(m, r->id);
	msg_bytes(m, r->owner);
	sawd_new_put(m, &r->asked);
	msg_u64(m, r->state);
	msg_u64(m, r->desired);
	msg_bytes(m, r->detail.len > SAWD_DETAIL_MAX ? bytes_of(r->detail.p, SAWD_DETAIL_MAX) : r->detail);
	msg_u64(m, r->since_ms);
	msg_u64(m, r->created_ms);
	msg_bytes(m, r->image_digest);
	msg_u64(m, r->accel_in_use);
	msg_bytes(m, r->policy_name);
	msg_bytes(m, r->policy_sha256);
	msg_u64(m, r->policy_lab);
	msg_bytes(m, r->policy_observes);
	msg_bytes(m, r->policy_release);
	msg_u64(m, r->policy_serial);
	msg_u64(m, r->policy_rollback);
	msg_u64(m, r->generation);
	msg_u64(m, r->loaded_generation);
	msg_u64(m, r->restarts);
	msg_u64(m, r->tunnels);
	msg_u64(m, r->policy_unread);
}

bool sawd_row_get(struct msg_in *in, struct sawd_row *ret)
{
	struct sawd_row r = { 0 };

	r.id = msg_get_bytes(in, SAWD_ID_LEN);
	r.owner = msg_get_bytes(in, SAWD_OWNER_MAX);
	if (!sawd_new_get(in, &r.asked))
		return false;
	r.state = (enum sawd_state)msg_get_max(in, SAWD_STATE_END - 1);
	r.desired = (enum sawd_desired)msg_get_max(in, SAWD_DESIRED_END - 1);
	r.detail = msg_get_bytes(in, SAWD_DETAIL_MAX);
	r.since_ms = msg_get_u64(in);
	r.created_ms = msg_get_u64(in);
	r.image_digest = msg_get_bytes(in, SAWD_IMAGE_MAX);
	r.accel_in_use = msg_get_max(in, IPC_ACCEL_TCG);
	r.policy_name = msg_get_bytes(in, SAWD_POLICY_NAME_MAX);
	r.policy_sha256 = msg_get_bytes(in, SAWD_KEY_LEN);
	r.policy_lab = msg_get_max(in, 1);
	r.policy_observes = msg_get_bytes(in, SAWD_OBSERVES_MAX);
	r.policy_release = msg_get_bytes(in, SAWD_RELEASE_LEN);
	r.policy_serial = msg_get_u64(in);
	r.policy_rollback = msg_get_u64(in);
	r.generation = msg_get_u64(in);
	r.loaded_generation = msg_get_u64(in);
	r.restarts = msg_get_u64(in);
	r.tunnels = msg_get_u64(in);
	r.policy_unread = msg_get_max(in, 1) == 1;
	if (in->bad || !r.state || !r.desired)
		return false;
	*ret = r;
	return true;
}

bool sawd_id_ok(struct bytes id, const char *prefix)
{
	if (id.len != SAWD_ID_LEN || !bytes_starts(id, bytes_str(prefix)))
		return false;
	for (size_t i = 3; i < id.len; i++)
		if (!memchr("0123456789abcdef", id.p[i], 16))
			return false;
	return true;
}

bool sawd_name_ok(struct bytes name)
{
	if (name.len == 0 || name.len > SAWD_NAME_MAX || name.p[0] == '-' || name.p[name.len - 1] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return !sawd_id_ok(name, "ws-") && !sawd_id_ok(name, "se-");
}
