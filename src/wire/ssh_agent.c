/* Every message is u32 length, u8 type, contents; a string is u32 length and bytes. A message is read to its very end: what
 * stands behind the last field is an error, and so is a field that reaches beyond its message. */
#include "wire/ssh_agent.h"

#include "wire/ssh_key.h"

enum {
	FAILURE = 5,
	REQUEST_IDENTITIES = 11,
	IDENTITIES_ANSWER = 12,
	SIGN_REQUEST = 13,
	SIGN_RESPONSE = 14,
	EXTENSION = 27,
	EXTENSION_RESPONSE = 29,
};

/* Moves only on success; `bad` is sticky. */
struct cursor {
	struct bytes rest;
	bool bad;
};

static uint32_t take_u32(struct cursor *c)
{
	uint32_t v = 0;

	c->bad |= !ssh_get_u32(&c->rest, &v);
	return v;
}

static struct bytes take_string(struct cursor *c)
{
	struct bytes s = { NULL, 0 };

	c->bad |= !ssh_get_string(&c->rest, &s);
	return s;
}

/* The frame: the message's type and its contents. */
static enum ssh_agent_answer take_message(struct bytes in, uint8_t *ret_type, struct cursor *ret, size_t *ret_used,
					  const char **ret_why)
{
	struct bytes rest = in;
	uint32_t len;

	if (!ssh_get_u32(&rest, &len))
		return SSH_AGENT_MORE;
	if (len == 0 || len > SSH_AGENT_MESSAGE_MAX) {
		*ret_why = len == 0 ? "empty message" : "message too long";
		return SSH_AGENT_BAD;
	}
	if (len > rest.len)
		return SSH_AGENT_MORE;
	*ret_type = rest.p[0];
	*ret = (struct cursor){ .rest = bytes_of(rest.p + 1, len - 1) };
	*ret_used = 4 + (size_t)len;
	return SSH_AGENT_DONE;
}

static enum ssh_agent_answer ended(const struct cursor *c, const char *what, const char **ret_why)
{
	if (!c->bad && c->rest.len == 0)
		return SSH_AGENT_DONE;
	*ret_why = what;
	return SSH_AGENT_BAD;
}

static enum ssh_agent_answer read_extension(struct cursor *c, struct ssh_agent_request *r, const char **ret_why)
{
	struct bytes name = take_string(c);
	uint32_t fresh;

	if (c->bad) {
		*ret_why = "malformed extension request";
		return SSH_AGENT_BAD;
	}
	if (!bytes_is(name, SSH_AGENT_SESSION))
		return SSH_AGENT_DONE;
	fresh = take_u32(c);
	c->bad |= fresh > 1;
	r->ask = SSH_AGENT_ASK_SESSION;
	r->fresh = fresh == 1;
	return ended(c, "malformed session request", ret_why);
}

enum ssh_agent_answer ssh_agent_read_request(struct bytes in, struct ssh_agent_request *ret, size_t *ret_used,
					     const char **ret_why)
{
	struct ssh_agent_request r = { .ask = SSH_AGENT_OTHER };
	struct cursor c;
	size_t used;
	enum ssh_agent_answer a = take_message(in, &r.type, &c, &used, ret_why);

	if (a != SSH_AGENT_DONE)
		return a;
	if (r.type == REQUEST_IDENTITIES) {
		r.ask = SSH_AGENT_LIST;
		a = ended(&c, "malformed list request", ret_why);
	} else if (r.type == SIGN_REQUEST) {
		r.ask = SSH_AGENT_SIGN;
		r.key = take_string(&c);
		r.data = take_string(&c);
		r.flags = take_u32(&c);
		a = ended(&c, "malformed sign request", ret_why);
	} else if (r.type == EXTENSION) {
		a = read_extension(&c, &r, ret_why);
	}
	if (a != SSH_AGENT_DONE)
		return a;
	*ret = r;
	*ret_used = used;
	return SSH_AGENT_DONE;
}

static enum ssh_agent_answer read_keys(struct cursor *c, struct ssh_agent_reply *r, const char **ret_why)
{
	r->kind = SSH_AGENT_REPLY_KEYS;
	r->n_keys = take_u32(c);
	if (r->n_keys > SSH_AGENT_KEYS_MAX) {
		*ret_why = "too many keys";
		return SSH_AGENT_BAD;
	}
	for (uint32_t i = 0; i < r->n_keys; i++) {
		r->key[i].blob = take_string(c);
		r->key[i].comment = take_string(c);
	}
	return ended(c, "malformed list of keys", ret_why);
}

static enum ssh_agent_answer read_signature(struct cursor *c, struct ssh_agent_reply *r, const char **ret_why)
{
	struct cursor inner = { .rest = take_string(c) };

	r->kind = SSH_AGENT_REPLY_SIGNATURE;
	c->bad |= !bytes_is(take_string(&inner), SSH_KEY_TYPE);
	r->signature = take_string(&inner);
	c->bad |= inner.bad || inner.rest.len > 0 || r->signature.len != 64;
	return ended(c, "malformed signature", ret_why);
}

static enum ssh_agent_answer read_session(struct cursor *c, struct ssh_agent_reply *r, const char **ret_why)
{
	r->kind = SSH_AGENT_REPLY_SESSION;
	c->bad |= !bytes_is(take_string(c), SSH_AGENT_SESSION);
	r->session.exit = take_u32(c);
	r->session.why = take_string(c);
	r->session.session_id = take_string(c);
	r->session.workspace_id = take_string(c);
	r->session.user = take_string(c);
	return ended(c, "malformed session", ret_why);
}

enum ssh_agent_answer ssh_agent_read_reply(struct bytes in, struct ssh_agent_reply *ret, size_t *ret_used,
					   const char **ret_why)
{
	struct ssh_agent_reply r = { .kind = SSH_AGENT_REPLY_FAILURE };
	struct cursor c;
	uint8_t type;
	size_t used;
	enum ssh_agent_answer a = take_message(in, &type, &c, &used, ret_why);

	if (a != SSH_AGENT_DONE)
		return a;
	if (type == FAILURE) {
		a = ended(&c, "malformed failure", ret_why);
	} else if (type == IDENTITIES_ANSWER) {
		a = read_keys(&c, &r, ret_why);
	} else if (type == SIGN_RESPONSE) {
		a = read_signature(&c, &r, ret_why);
	} else if (type == EXTENSION_RESPONSE) {
		a = read_session(&c, &r, ret_why);
	} else {
		*ret_why = "unexpected kind of answer";
		a = SSH_AGENT_BAD;
	}
	if (a != SSH_AGENT_DONE)
		return a;
	*ret = r;
	*ret_used = used;
	return SSH_AGENT_DONE;
}

/* Writes the frame with an empty length; end() fills it in. */
static size_t begin(struct buf *out, uint8_t type)
{
	size_t at = out->len;

	buf_u32be(out, 0);
	buf_byte(out, type);
	return at;
}

static bool end(struct buf *out, size_t at)
{
	size_t len;

	if (out->failed)
		return false;
	len = out->len - at - 4;
	if (len > SSH_AGENT_MESSAGE_MAX) {
		out->len = at;
		out->failed = true;
		return false;
	}
	for (int i = 0; i < 4; i++)
		out->p[at + (size_t)i] = (uint8_t)(len >> (24 - 8 * i));
	return true;
}

bool ssh_agent_put_request(struct buf *out, const struct ssh_agent_request *r)
{
	size_t at;

	switch (r->ask) {
	case SSH_AGENT_LIST:
		at = begin(out, REQUEST_IDENTITIES);
		break;
	case SSH_AGENT_SIGN:
		at = begin(out, SIGN_REQUEST);
		ssh_put_string(out, r->key);
		ssh_put_string(out, r->data);
		buf_u32be(out, r->flags);
		break;
	case SSH_AGENT_ASK_SESSION:
		at = begin(out, EXTENSION);
		ssh_put_string(out, bytes_str(SSH_AGENT_SESSION));
		buf_u32be(out, r->fresh ? 1 : 0);
		break;
	case SSH_AGENT_OTHER:
	default:
		at = begin(out, r->type);
		break;
	}
	return end(out, at);
}

bool ssh_agent_put_failure(struct buf *out)
{
	return end(out, begin(out, FAILURE));
}

bool ssh_agent_put_keys(struct buf *out, const struct ssh_agent_key *keys, size_t n)
{
	size_t at = begin(out, IDENTITIES_ANSWER);

	buf_u32be(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		ssh_put_string(out, keys[i].blob);
		ssh_put_string(out, keys[i].comment);
	}
	return end(out, at);
}

bool ssh_agent_put_signature(struct buf *out, struct bytes signature)
{
	struct bytes name = bytes_str(SSH_KEY_TYPE);
	size_t at = begin(out, SIGN_RESPONSE);

	buf_u32be(out, (uint32_t)(4 + name.len + 4 + signature.len));
	ssh_put_string(out, name);
	ssh_put_string(out, signature);
	return end(out, at);
}

bool ssh_agent_put_session(struct buf *out, const struct ssh_agent_session *s)
{
	size_t at = begin(out, EXTENSION_RESPONSE);

	ssh_put_string(out, bytes_str(SSH_AGENT_SESSION));
	buf_u32be(out, s->exit);
	ssh_put_string(out, s->why);
	ssh_put_string(out, s->session_id);
	ssh_put_string(out, s->workspace_id);
	ssh_put_string(out, s->user);
	return end(out, at);
}
