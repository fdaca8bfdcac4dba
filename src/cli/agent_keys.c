/* Everything the control plane sends is checked before it is used: the certificate must be for our key, the host key must be one Ed25519
 * line, names must be safe as arguments and in a file. */
#include "cli/agent_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/time_text.h"
#include "crypt/secure_heap.h"
#include "os/fd.h"
#include "os/loop.h"
#include "wire/ssh_cert.h"

enum { LEAST_LIFE_MS = 60 * 1000, BODY_MAX = 4096 };

int agent_keys_init(struct agent_keys *k, const struct agent_place *place, struct err *e)
{
	*k = (struct agent_keys){ .place = place };
	buf_init(&k->certificate, SSH_CERT_MAX);
	if (!secure_heap_init())
		return err_set(e, ENOMEM, "memory for the key cannot be locked: raise `ulimit -l` to 64 KiB or more");
	k->key = ed25519_generate();
	if (!k->key)
		return err_set(e, ENOMEM, "out of memory for the key");
	ed25519_public(k->key, k->public_key);
	return 0;
}

void agent_keys_deinit(struct agent_keys *k)
{
	k->key = ed25519_free(k->key);
	buf_deinit(&k->certificate);
}

/* "TYPE BASE64 [comment]" -> the blob. */
static bool take_certificate(struct agent_keys *k, const char *line)
{
	size_t type = strlen(SSH_CERT_TYPE);
	uint8_t signature[SSH_CERT_SIGNATURE];
	struct ssh_cert cert;
	struct bytes body;
	struct bytes text;

	buf_reset(&k->certificate);
	if (strncmp(line, SSH_CERT_TYPE " ", type + 1) != 0)
		return false;
	text = bytes_str(line + type + 1);
	text.len = bytes_find(text, ' ');
	return base64_get(text, &k->certificate) && ssh_cert_get(buf_view(&k->certificate), &cert, &body, signature) &&
	       memcmp(cert.key, k->public_key, sizeof(cert.key)) == 0;
}

/* The new file replaces the old one whole: an ssh that reads it meanwhile sees one or the other. */
static int replace_file(const char *path, const struct buf *text, struct err *e)
{
	char next[PATHS_MAX + 8];
	FD_AUTO int fd = -1;
	int r;

	snprintf(next, sizeof(next), "%s.new", path);
	fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, buf_view(text));
	if (r == 0 && rename(next, path) < 0)
		r = -errno;
	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

/* `line`: "ALIAS ssh-ed25519 AAAA...". Written under every name by which a client may call the workspace. */
static int pin_host_key(const struct agent_keys *k, const char *line, struct err *e)
{
	const char *key = strchr(line, ' ');
	uint8_t raw[SSH_KEY_PUBLIC];
	struct buf text BUF_AUTO = { 0 };

	if (!key || !ssh_key_get_line(bytes_str(key + 1), raw))
		return err_set(e, EPROTO, "the control plane sent no Ed25519 host key");
	buf_init(&text, 4096);
	buf_fmt(&text, "%s.saw,%s,%s ", k->place->name, k->place->name, k->session.workspace_id);
	ssh_key_put_line(&text, raw, NULL);
	buf_byte(&text, '\n');
	return text.failed ? err_set(e, ENOMEM, "out of memory") : replace_file(k->place->known_hosts, &text, e);
}

static bool take_name(const struct api_doc *d, const char *key, char *ret, size_t size, bool (*ok)(const char *))
{
	struct buf text BUF_AUTO = { 0 };
	const char *value = api_text(d, key, &text);

	if (strlen(value) >= size || !ok(value))
		return false;
	snprintf(ret, size, "%s", value);
	return true;
}

static int take(struct agent_keys *k, const struct api_doc *d, struct err *e)
{
	struct buf text BUF_AUTO = { 0 };

	if (!take_name(d, "session_id", k->session.session_id, sizeof(k->session.session_id), api_name_ok) ||
	    !take_name(d, "workspace_id", k->session.workspace_id, sizeof(k->session.workspace_id), api_name_ok) ||
	    !take_name(d, "user", k->session.user, sizeof(k->session.user), agent_user_ok))
		return err_set(e, EPROTO, "the control plane's session lacks a name");
	if (!time_text_parse(bytes_str(api_text(d, "expires_at", &text)), &k->expires_ms))
		return err_set(e, EPROTO, "the control plane's session has no legal expires_at");
	if (!take_certificate(k, api_text(d, "certificate", &text)))
		return err_set(e, EPROTO, "the control plane's certificate is not one for our key");
	return pin_host_key(k, api_text(d, "host_key", &text), e);
}

static int put_request(const struct agent_keys *k, struct buf *body)
{
	struct buf line BUF_AUTO = { 0 };
	struct json_out j;

	buf_init(&line, SSH_KEY_LINE_MAX);
	ssh_key_put_line(&line, k->public_key, NULL);
	json_out_init(&j, body);
	json_out_object(&j);
	json_out_key_bytes(&j, "public_key", buf_view(&line));
	json_out_key_bool(&j, "pty", true);
	json_out_key_bool(&j, "port_forwarding", k->place->forward);
	json_out_object_end(&j);
	return body->failed ? -ENOMEM : 0;
}

int agent_keys_refresh(struct agent_keys *k, bool fresh, struct err *e)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf body BUF_AUTO = { 0 };
	uint64_t now = clock_real_ms();
	char target[160];
	int r;

	if (!fresh && k->certificate.len > 0 && k->expires_ms > now && k->expires_ms - now >= LEAST_LIFE_MS)
		return CLI_DONE;
	buf_reset(&k->certificate);
	buf_init(&body, BODY_MAX);
	if (put_request(k, &body) < 0) {
		err_set(e, ENOMEM, "out of memory");
		return CLI_FAILED;
	}
	snprintf(target, sizeof(target), "/v1/workspaces/%s/sessions", k->place->name);
	r = api_try("POST", target, &body, &doc, e);
	if (r == CLI_DONE && take(k, &doc, e) < 0)
		r = CLI_FAILED;
	if (r != CLI_DONE)
		buf_reset(&k->certificate);
	return r;
}
