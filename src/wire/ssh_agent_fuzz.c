/* Oracle: what was read, printed again, is byte for byte what stood there (for kinds whose contents we keep). */
#include "base/must.h"
#include "wire/ssh_agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void request(struct bytes in, struct buf *out)
{
	struct ssh_agent_request r;
	const char *why = NULL;
	size_t used;

	switch (ssh_agent_read_request(in, &r, &used, &why)) {
	case SSH_AGENT_DONE:
		must(used >= 5 && used <= in.len);
		if (r.ask == SSH_AGENT_OTHER)
			return;
		must(ssh_agent_put_request(out, &r));
		must(bytes_eq(buf_view(out), bytes_of(in.p, used)));
		return;
	case SSH_AGENT_BAD:
		must(why);
		return;
	case SSH_AGENT_MORE:
		must(in.len < 4 + SSH_AGENT_MESSAGE_MAX);
	}
}

static void reply(struct bytes in, struct buf *out)
{
	struct ssh_agent_reply r;
	const char *why = NULL;
	size_t used;

	if (ssh_agent_read_reply(in, &r, &used, &why) != SSH_AGENT_DONE)
		return;
	switch (r.kind) {
	case SSH_AGENT_REPLY_FAILURE:
		must(ssh_agent_put_failure(out));
		break;
	case SSH_AGENT_REPLY_KEYS:
		must(ssh_agent_put_keys(out, r.key, r.n_keys));
		break;
	case SSH_AGENT_REPLY_SIGNATURE:
		must(ssh_agent_put_signature(out, r.signature));
		break;
	case SSH_AGENT_REPLY_SESSION:
		must(ssh_agent_put_session(out, &r.session));
		break;
	}
	must(bytes_eq(buf_view(out), bytes_of(in.p, used)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf out BUF_AUTO;

	buf_init(&out, SSH_AGENT_MESSAGE_MAX + 4);
	request(bytes_of(data, len), &out);
	buf_reset(&out);
	reply(bytes_of(data, len), &out);
	return 0;
}
