#include "proxy/dress.h"
#include "proxy/http_flow.h"

#include <stdio.h>

#include "net/held.h"
#include "wire/http1_trailer.h"

/* Only the process that talks to the host itself dresses a request: towards outlet it goes as it was judged. */

static uint16_t default_port(const struct http_flow *f)
{
	return f->flow.entry.mode == POLICY_INTERCEPT ? 443 : 80;
}

/* Between inlet and outlet: what inlet took out, which outlet does not see and writes down in its event. A claim of inlet's about itself;
 * it decides nothing. The field is the last of its head, where a canonical one has none of that name. */
static const char told[] = "Saw-Stripped: ";

static enum reason tell_stripped(struct http_flow *f)
{
	static const char mark[] = "stripped: ";
	struct bytes names = bytes_str(f->stripped);

	if (!bytes_starts(names, bytes_str(mark)))
		return REASON_OK;
	while (names.p[names.len - 1] == ' ') /* there was no room for the next */
		names.len--;
	(void)buf_bytes(&f->wire, bytes_of(f->canon.p, f->canon.len - strlen("\r\n")));
	(void)buf_str(&f->wire, told);
	(void)buf_bytes(&f->wire, bytes_skip(names, strlen(mark)));
	return buf_str(&f->wire, "\r\n\r\n") ? REASON_OK : REASON_HTTP_TOO_LARGE;
}

size_t http_dress_told(struct http_flow *f, struct http1_head *h, struct bytes head)
{
	const struct http1_field *last;
	struct bytes line;

	if (h->n_fields == 0)
		return 0;
	last = &h->fields[h->n_fields - 1];
	line = bytes_skip(head, (size_t)(last->name.p - head.p));
	if (!bytes_starts(line, bytes_str(told)) || line.len != strlen(told) + last->value.len + strlen("\r\n\r\n"))
		return 0;
	http_note_stripped(f, last->value);
	h->n_fields--;
	return line.len - strlen("\r\n");
}

enum reason http_dress(struct http_flow *f)
{
	const struct policy_entry *entry = &f->flow.entry;
	struct policy_credential credential;
	struct dress d = { .upstream = entry->upstream, .upstream_port = entry->upstream_port, .default_port = default_port(f) };
	struct buf stripped BUF_AUTO = { 0 };

	buf_reset(&f->wire);
	f->secret_version = 0;
	f->wears = false;
	if (gate_way(f->flow.gate, name_bytes(&f->flow.name)) == GATE_OUTLET)
		return tell_stripped(f);
	if (policy_credential_at(gate_policy(f->flow.gate), entry->credential, &credential)) {
		if (!gate_secret(f->flow.gate, credential.id, &d.secret, &f->secret_version))
			return REASON_CREDENTIAL_MISSING;
		d.credential = &credential;
		(void)snprintf(f->secret_id, sizeof(f->secret_id), "%.*s", (int)credential.id.len, (const char *)credential.id.p);
	}
	d.uncoded = f->reflective || entry->ai != POLICY_AI_NONE; /* what is coded cannot be read along */
	d.bare = gate_is_outlet(f->flow.gate) && policy_guarded(gate_policy(f->flow.gate), name_bytes(&f->flow.name));
	if (!d.credential && !d.upstream.len && !d.uncoded && !d.bare)
		return REASON_OK;
	buf_init(&stripped, HTTP1_STRIPPED_MAX);
	if (!dress(&d, buf_view(&f->canon), &f->wire, &stripped)) {
		buf_deinit(&f->wire); /* the value stands in it, and who is refused may linger */
		return REASON_HTTP_TOO_LARGE;
	}
	f->wears = d.credential != NULL;
	http_note_stripped(f, buf_view(&stripped));
	return REASON_OK;
}

/* Those of the usual names are known to wire/http1_trailer.h. */
void http_dress_trailers(struct http_flow *f)
{
	struct policy_credential credential;
	struct bytes lines = buf_view(&f->body_trailers);
	struct buf kept = { 0 };
	struct http1_field field;

	if (lines.len == 0 || !policy_credential_at(gate_policy(f->flow.gate), f->flow.entry.credential, &credential))
		return;
	buf_init(&kept, HTTP1_TRAILERS_LEN_MAX);
	held_buf(&kept);
	while (http1_trailer_next(&lines, &field))
		if (!dress_carries(&credential, field.name))
			(void)http1_trailer_put(&kept, field.name, field.value);
	buf_deinit(&f->body_trailers);
	f->body_trailers = kept;
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
