#include "proxy/dress.h"
#include "proxy/http_flow.h"

#include <stdio.h>

/* Only the process that talks to the host itself dresses a request: towards outlet it goes as it was judged. */

static uint16_t default_port(const struct http_flow *f)
{
	return f->flow.entry.mode == POLICY_INTERCEPT ? 443 : 80;
}

enum reason http_dress(struct http_flow *f)
{
	const struct policy_entry *entry = &f->flow.entry;
	struct policy_credential credential;
	struct dress d = { .upstream = entry->upstream, .upstream_port = entry->upstream_port, .default_port = default_port(f) };
	struct buf stripped BUF_AUTO = { 0 };

	buf_reset(&f->wire);
	f->secret_version = 0;
	if (gate_way(f->flow.gate, name_bytes(&f->flow.name)) == GATE_OUTLET)
		return REASON_OK;
	if (policy_credential_at(gate_policy(f->flow.gate), entry->credential, &credential)) {
		if (!gate_secret(f->flow.gate, credential.id, &d.secret, &f->secret_version))
			return REASON_CREDENTIAL_MISSING;
		d.credential = &credential;
		(void)snprintf(f->secret_id, sizeof(f->secret_id), "%.*s", (int)credential.id.len, (const char *)credential.id.p);
	}
	d.uncoded = f->reflective || entry->ai != POLICY_AI_NONE; /* what is coded cannot be read along */
	if (!d.credential && !d.upstream.len && !d.uncoded)
		return REASON_OK;
	buf_init(&stripped, HTTP1_STRIPPED_MAX);
	if (!dress(&d, buf_view(&f->canon), &f->wire, &stripped))
		return REASON_HTTP_TOO_LARGE;
	http_note_stripped(f, buf_view(&stripped));
	return REASON_OK;
}

bool http_dress_stale(const struct http_flow *f)
{
	struct policy_credential credential;
	struct bytes value;
	uint64_t version = 0;

	if (!f->secret_version || !policy_credential_at(gate_policy(f->flow.gate), f->flow.entry.credential, &credential) ||
	    !bytes_is(credential.id, f->secret_id))
		return f->secret_version != 0;
	return !gate_secret(f->flow.gate, credential.id, &value, &version) || version != f->secret_version;
}
