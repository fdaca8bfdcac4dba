#include "wire/ssh_cert.h"

#include "base/base64.h"

enum { TYPE_USER = 1, EXTENSIONS_MAX = 256 };

/* In the order that the format demands: by name. */
static const struct {
	unsigned permit;
	const char *name;
} extensions[] = {
	{ SSH_CERT_AGENT_FORWARDING, "permit-agent-forwarding" },
	{ SSH_CERT_PORT_FORWARDING, "permit-port-forwarding" },
	{ SSH_CERT_PTY, "permit-pty" },
};
enum { N_EXTENSIONS = sizeof(extensions) / sizeof(extensions[0]) };

static bool put_extensions(struct buf *out, unsigned permits)
{
	struct buf list;
	bool ok = true;

	buf_init(&list, EXTENSIONS_MAX);
	for (size_t i = 0; ok && i < N_EXTENSIONS; i++)
		if (permits & extensions[i].permit)
			ok = ssh_put_string(&list, bytes_str(extensions[i].name)) && ssh_put_string(&list, bytes_str(""));
	ok = ok && ssh_put_string(out, buf_view(&list));
	buf_deinit(&list);
	return ok;
}

static bool text_ok(struct bytes t)
{
	return t.len > 0 && t.len <= SSH_CERT_TEXT_MAX;
}

bool ssh_cert_put_body(struct buf *out, const struct ssh_cert *c)
{
	bool ok = text_ok(c->key_id) && text_ok(c->principal);

	ok = ok && ssh_put_string(out, bytes_str(SSH_CERT_TYPE)) && ssh_put_string(out, bytes_of(c->nonce, SSH_CERT_NONCE)) &&
	     ssh_put_string(out, bytes_of(c->key, SSH_KEY_PUBLIC)) && buf_u64be(out, c->serial) &&
	     buf_u32be(out, TYPE_USER) && ssh_put_string(out, c->key_id);
	ok = ok && buf_u32be(out, (uint32_t)c->principal.len + 4) && ssh_put_string(out, c->principal) &&
	     buf_u64be(out, c->valid_after) && buf_u64be(out, c->valid_before) && ssh_put_string(out, bytes_str(""));
	return ok && put_extensions(out, c->permits) && ssh_put_string(out, bytes_str("")) &&
	       buf_u32be(out, 4 + sizeof(SSH_KEY_TYPE) - 1 + 4 + SSH_KEY_PUBLIC) && ssh_key_put_blob(out, c->ca);
}

bool ssh_cert_put_signature(struct buf *body, const uint8_t signature[SSH_CERT_SIGNATURE])
{
	return buf_u32be(body, 4 + sizeof(SSH_KEY_TYPE) - 1 + 4 + SSH_CERT_SIGNATURE) &&
	       ssh_put_string(body, bytes_str(SSH_KEY_TYPE)) &&
	       ssh_put_string(body, bytes_of(signature, SSH_CERT_SIGNATURE));
}

bool ssh_cert_put_line(struct buf *out, struct bytes blob, const char *comment)
{
	bool ok = buf_str(out, SSH_CERT_TYPE " ") && base64_put(out, blob);

	return comment[0] ? ok && buf_byte(out, ' ') && buf_str(out, comment) : ok;
}

static bool get_fixed(struct bytes *in, uint8_t *ret, size_t len)
{
	struct bytes s;

	if (!ssh_get_string(in, &s) || s.len != len)
		return false;
	memcpy(ret, s.p, len);
	return true;
}

static bool get_empty(struct bytes *in)
{
	struct bytes s;

	return ssh_get_string(in, &s) && s.len == 0;
}

static bool get_extensions(struct bytes list, unsigned *ret)
{
	size_t at = 0;

	*ret = 0;
	while (list.len) {
		struct bytes name;

		if (!ssh_get_string(&list, &name) || !get_empty(&list))
			return false;
		while (at < N_EXTENSIONS && !bytes_is(name, extensions[at].name))
			at++;
		if (at == N_EXTENSIONS)
			return false;
		*ret |= extensions[at++].permit;
	}
	return true;
}

static bool get_principal(struct bytes *in, struct bytes *ret)
{
	struct bytes list;

	return ssh_get_string(in, &list) && ssh_get_string(&list, ret) && list.len == 0 && text_ok(*ret);
}

static bool get_signature(struct bytes *in, uint8_t ret[SSH_CERT_SIGNATURE])
{
	struct bytes s;
	struct bytes type;

	return ssh_get_string(in, &s) && in->len == 0 && ssh_get_string(&s, &type) && bytes_is(type, SSH_KEY_TYPE) &&
	       get_fixed(&s, ret, SSH_CERT_SIGNATURE) && s.len == 0;
}

bool ssh_cert_get(struct bytes blob, struct ssh_cert *ret, struct bytes *ret_body,
		  uint8_t ret_signature[SSH_CERT_SIGNATURE])
{
	struct bytes in = blob;
	struct ssh_cert c = { 0 };
	uint8_t signature[SSH_CERT_SIGNATURE];
	struct bytes type;
	struct bytes list;
	struct bytes ca;
	struct bytes body;
	uint32_t kind;

	if (blob.len > SSH_CERT_MAX || !ssh_get_string(&in, &type) || !bytes_is(type, SSH_CERT_TYPE))
		return false;
	if (!get_fixed(&in, c.nonce, SSH_CERT_NONCE) || !get_fixed(&in, c.key, SSH_KEY_PUBLIC) ||
	    !ssh_get_u64(&in, &c.serial) || !ssh_get_u32(&in, &kind) || kind != TYPE_USER ||
	    !ssh_get_string(&in, &c.key_id) || !text_ok(c.key_id) || !get_principal(&in, &c.principal) ||
	    !ssh_get_u64(&in, &c.valid_after) || !ssh_get_u64(&in, &c.valid_before))
		return false;
	if (!get_empty(&in) || !ssh_get_string(&in, &list) || !get_extensions(list, &c.permits) || !get_empty(&in) ||
	    !ssh_get_string(&in, &ca) || !ssh_key_get_blob(ca, c.ca))
		return false;
	body = bytes_of(blob.p, blob.len - in.len);
	if (!get_signature(&in, signature))
		return false;
	*ret = c;
	*ret_body = body;
	memcpy(ret_signature, signature, sizeof(signature));
	return true;
}
