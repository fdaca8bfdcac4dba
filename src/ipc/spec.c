#include "ipc/spec.h"

void spec_put(struct msg *m, const struct spec *s)
{
	msg_start(m, MSG_SPEC);
	msg_u64(m, SPEC_VERSION);
	msg_u64(m, s->driver);
	msg_bytes(m, s->id);
	msg_bytes(m, s->name);
	msg_bytes(m, s->owner);
	msg_u64(m, s->cpus);
	msg_u64(m, s->memory_bytes);
	msg_u64(m, s->accel);
	msg_u64(m, s->uid_base);
	msg_bytes(m, s->image_dir);
	msg_bytes(m, s->kernel_args);
	msg_bytes(m, s->upstream_proxy);
	msg_bytes(m, s->resolv_conf);
	msg_u64(m, s->generation);
	msg_bytes(m, s->policy_channel);
	msg_u64(m, s->policy_rollback);
}

bool spec_get(struct msg_in *in, struct spec *ret)
{
	struct spec s = { 0 };
	uint64_t version;

	if (in->type != MSG_SPEC || (version = msg_get_max(in, SPEC_VERSION)) == 0)
		return false;
	s.driver = (enum spec_driver)msg_get_max(in, SPEC_DRIVER_TRY);
	s.id = msg_get_bytes(in, SPEC_ID_MAX);
	s.name = msg_get_bytes(in, SPEC_NAME_MAX);
	s.owner = msg_get_bytes(in, SPEC_NAME_MAX);
	s.cpus = msg_get_max(in, 1024);
	s.memory_bytes = msg_get_u64(in);
	s.accel = msg_get_max(in, 2);
	s.uid_base = msg_get_max(in, UINT32_MAX - 8);
	s.image_dir = msg_get_bytes(in, SPEC_PATH_MAX);
	s.kernel_args = msg_get_bytes(in, SPEC_ARG_MAX);
	s.upstream_proxy = msg_get_bytes(in, SPEC_ARG_MAX);
	s.resolv_conf = msg_get_bytes(in, SPEC_PATH_MAX);
	s.generation = msg_get_u64(in);
	if (version > 1) {
		s.policy_channel = msg_get_bytes(in, SPEC_CHANNEL_MAX);
		s.policy_rollback = msg_get_u64(in);
	}
	if (!msg_end(in) || !s.driver || !s.id.len || !s.name.len)
		return false;
	*ret = s;
	return true;
}
