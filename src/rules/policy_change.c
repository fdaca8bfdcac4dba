#include "rules/policy_change.h"

#include <stdio.h>

#include "rules/policy_change_edit.h"
#include "wire/guest_net.h"

enum { NAME_MAX_OF_ENTRY = 63, DNS_PORT = 53 };

/* Names under which clouds serve metadata and keys: whatever a policy says, their address is never dialled. */
static bool is_metadata(struct bytes name)
{
	static const char *const names[] = { "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (bytes_is(name, names[i]))
			return true;
	return false;
}

static bool is_gateway(struct bytes name)
{
	return bytes_is(name, NET_SELF_NAME) || bytes_ends(name, bytes_str("." NET_SELF_NAME));
}

/* Why a policy cannot allow it, where the reason's own sentence does not say it. NULL: the policy has no part in it. */
static const char *never(enum reason r)
{
	switch ((int)r) {
	case REASON_NO_ROUTE:
		return "hosts are reached by a listed name, never by an address alone";
	case REASON_NO_LISTENER:
		return "only TCP to listed names, and DNS, are carried";
	case REASON_FRAME_DROPPED:
	case REASON_NO_IPV6:
	case REASON_NAME_MALFORMED:
	case REASON_NAME_IS_ADDRESS:
	case REASON_DNS_MALFORMED:
	case REASON_DNS_OPCODE:
	case REASON_ADDRESS_STALE:
	case REASON_SOURCE_SPOOFED:
	case REASON_TLS_NOT:
	case REASON_TLS_MALFORMED:
	case REASON_TLS_TOO_LONG:
	case REASON_TLS_BROKEN:
	case REASON_SNI_MISSING:
	case REASON_SNI_MALFORMED:
	case REASON_SNI_MISMATCH:
	case REASON_ECH_REAL:
	case REASON_HTTP_OVERRIDE:
	case REASON_HTTP_FORM_CODED:
	case REASON_HTTP_FORM_CHARSET:
	case REASON_NOT_CANONICAL:
	case REASON_H2_MALFORMED:
	case REASON_H2_FLOOD:
	case REASON_WEBSOCKET_MALFORMED:
	case REASON_CREDENTIAL_REFLECTED:
	case REASON_ANSWER_CODED:
	case REASON_ANSWER_PARTIAL:
		return reason_sentence(r);
	case REASON_UPGRADE_REFUSED:
		return "of all upgrades only a WebSocket's, by a plain handshake of HTTP/1.1, is ever passed on";
	case REASON_HTTP_METHOD_UNLISTED:
		return "no rule grants CONNECT or TRACE";
	default:
		return r >= REASON_HTTP_NOT && r <= REASON_HTTP_EXPECT ? reason_sentence(r) : NULL;
	}
}

/* The entry that a host pattern belongs to on the lowest of its ports. */
static bool lists(struct change *c, struct bytes name)
{
	const struct blob_host *hosts = blob_at(c->p, BLOB_HOSTS);
	const struct blob_door *doors = blob_at(c->p, BLOB_DOORS);
	struct policy_host host;

	if (!policy_find_host(c->p, name, &host) || hosts[host.pattern].doors.n == 0)
		return false;
	c->e = (const struct blob_entry *)blob_at(c->p, BLOB_ENTRIES) + doors[hosts[host.pattern].doors.first].entry;
	return true;
}

static bool entry_exists(const struct policy *p, const char *name)
{
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);

	for (uint32_t i = 0; i < blob_n(p, BLOB_ENTRIES); i++)
		if (bytes_is(blob_text(p, entries[i].name), name))
			return true;
	return false;
}

/* "api.github.com" becomes api-github-com, or api-github-com-2 where that is taken. */
static void name_entry(const struct change *c, char ret[NAME_MAX_OF_ENTRY + 1])
{
	size_t len = c->r->name.len < NAME_MAX_OF_ENTRY - 8 ? c->r->name.len : NAME_MAX_OF_ENTRY - 8;

	for (size_t i = 0; i < len; i++)
		ret[i] = c->r->name.p[i] == '.' ? '-' : (char)c->r->name.p[i];
	ret[len] = '\0';
	for (unsigned i = 2; entry_exists(c->p, ret) && i < 10000; i++)
		(void)snprintf(ret + len, NAME_MAX_OF_ENTRY + 1 - len, "-%u", i);
}

static bool has_slash(const struct policy_refused *r)
{
	return r->request && memmem(r->request->path.p, r->request->path.len, "%2F", 3);
}

static void add_entry(struct change *c)
{
	enum policy_mode mode = c->r->mode ? c->r->mode : c->r->port == 80 ? POLICY_HTTP : POLICY_INTERCEPT;
	bool tcp = mode == POLICY_TCP;
	char class[CHANGE_CLASS_MAX], name[NAME_MAX_OF_ENTRY + 1];

	c->e = NULL;
	if (is_metadata(c->r->name))
		c->never = "metadata services have link-local addresses, which are never dialled";
	else if (is_gateway(c->r->name))
		c->never = NET_SELF_NAME " is the gateway itself, reached by http without a rule, and no policy lists names of its own";
	else if (tcp && policy_guarded(c->p, c->r->name))
		c->never = "a name where a credential is spent or a review asked for is reached by http and https only";
	if (c->never)
		return;
	if (!tcp)
		change_class(c, !c->r->request || change_reads(c->r->request), class);
	name_entry(c, name);
	change_edit(c, "network: add {name: %s, hosts: [%.*s], ports: [%u], mode: %s", name, (int)c->r->name.len, (const char *)c->r->name.p,
		    c->r->port ? c->r->port : 443U, policy_mode_text(mode));
	if (tcp) {
		buf_str(&c->text, ", reason: \"why it cannot be inspected\"}");
		return;
	}
	buf_str(&c->text, ", protocol: rest, ");
	buf_str(&c->text, has_slash(c->r) ? "encoded_slash: true, " : "");
	buf_str(&c->text, "rules: [");
	if (c->r->request)
		(void)change_put_rule(c, class);
	else
		buf_fmt(&c->text, "{class: %s, methods: [GET, HEAD], paths: [\"/**\"]}", class);
	buf_str(&c->text, "]}");
}

static bool judged(const struct blob_entry *e)
{
	return e->mode == POLICY_HTTP || e->mode == POLICY_INTERCEPT;
}

static void request(struct change *c)
{
	const struct blob_entry *as_it_is = c->e;
	struct blob_entry flagged = *c->e;

	if (has_slash(c->r) && !(c->e->flags & BLOB_ENCODED_SLASH)) {
		change_place(c, ".encoded_slash: set true");
		flagged.flags |= BLOB_ENCODED_SLASH;
		c->e = &flagged;
	}
	if (c->e->protocol == POLICY_GIT)
		change_git(c);
	else
		change_request(c);
	c->e = as_it_is;
}

/* Does an entry carry what was asked for? Where nobody knows what that was, its port tells. */
static bool carries(const struct policy_refused *r, uint32_t mode)
{
	enum policy_mode asked = r->mode ? r->mode : r->port == 443 ? POLICY_INTERCEPT : POLICY_HTTP;

	if (!r->mode && (mode == POLICY_TCP || (r->port != 80 && r->port != 443)))
		return true;
	return mode == (uint32_t)asked || (mode == POLICY_PASSTHROUGH && asked == POLICY_INTERCEPT);
}

/* Some port of the name is listed. An entry that carries what was asked for gets the port too; else the name gets a second entry. */
static void add_port(struct change *c)
{
	struct policy_credential credential;
	bool fits = lists(c, c->r->name) && carries(c->r, c->e->mode);

	if (!fits) {
		add_entry(c);
		return;
	}
	change_place(c, ".ports: add ");
	buf_fmt(&c->text, "%u", c->r->port);
	if (policy_credential_at(c->p, c->e->credential, &credential) && !c->e->upstream.len)
		change_edit(c, "credentials[%.*s].ports: where it has them, add %u", (int)credential.id.len, (const char *)credential.id.p, c->r->port);
	if (c->r->request && judged(c->e))
		request(c);
}

static void add_address(struct change *c)
{
	char text[IP_TEXT_MAX];

	if (!c->r->address.family) {
		change_place(c, ".addresses: add the address that ");
		buf_bytes(&c->text, c->r->name);
		buf_str(&c->text, " has, if it is a private one");
		return;
	}
	ip_text(c->r->address, text);
	switch (ip_scope_of(c->r->address)) {
	case IP_SCOPE_NEVER:
		c->never = "link-local, metadata, multicast and unspecified addresses are never dialled";
		return;
	case IP_SCOPE_LOOPBACK:
		if (!policy_lab(c->p)) {
			c->never = "loopback addresses are for policies marked `lab: true`, which no production channel takes";
			return;
		}
		break;
	case IP_SCOPE_PRIVATE:
	case IP_SCOPE_PUBLIC:
		if (c->r->own_address && !policy_lab(c->p)) {
			c->never = "the gateway host's own addresses are for policies marked `lab: true`, which no production channel takes";
			return;
		}
		break;
	}
	change_place(c, ".addresses: add ");
	buf_fmt(&c->text, "\"%s/%u\"", text, c->r->address.family == 4 ? 32U : 128U);
}

static void add_slash(struct change *c)
{
	if (c->r->request)
		request(c);
	else if (!(c->e->flags & BLOB_ENCODED_SLASH)) /* else it does by now */
		change_place(c, ".encoded_slash: set true (its rules must have the path, too)");
}

/* The entry owns name and port, and refuses what was asked for inside. */
static void inside(struct change *c)
{
	switch ((int)c->r->reason) {
	case REASON_ADDRESS_FORBIDDEN:
		add_address(c);
		return;
	case REASON_HTTP_ENCODED_SLASH:
		add_slash(c);
		return;
	case REASON_TLS_NOT:
	case REASON_HTTP_NOT:
		c->never = c->e->mode == POLICY_HTTP ? "a name and port have one mode, and this one's is plain http" :
						       "a name and port have one mode, and this one's is https";
		return;
	default:
		break;
	}
	c->never = c->r->request && judged(c->e) ? NULL : never(c->r->reason);
	if (c->r->request && judged(c->e))
		request(c);
}

static bool is_policys(enum reason r)
{
	switch ((int)r) {
	case REASON_NAME_UNLISTED:
	case REASON_PORT_UNLISTED:
	case REASON_POLICY_CHANGED:
	case REASON_NAME_BUDGET:
	case REASON_ADDRESS_FORBIDDEN:
	case REASON_HTTP_ENCODED_SLASH:
	case REASON_TLS_NOT:
	case REASON_HTTP_NOT:
	case REASON_HTTP_METHOD_UNLISTED:
	case REASON_HTTP_PATH_UNLISTED:
	case REASON_HTTP_CONDITION:
	case REASON_HTTP_DENIED:
	case REASON_VERDICT_DENY:
	case REASON_REVIEW_UNAVAILABLE:
	case REASON_BODY_TOO_LARGE:
	case REASON_BODY_CODED:
	case REASON_BODY_NOT_PARSABLE:
	case REASON_BODY_AMBIGUOUS:
	case REASON_CREDENTIAL_UNBOUND:
	case REASON_GIT_NOT:
	case REASON_GIT_UNLISTED:
	case REASON_GIT_REF_UNLISTED:
	case REASON_GIT_PUSH_OPTIONS:
	case REASON_UPGRADE_REFUSED:
		return true;
	default:
		return false;
	}
}

static void propose(struct change *c)
{
	const struct policy_refused *r = c->r;
	struct policy_entry entry;
	enum reason found = r->port ? policy_find(c->p, r->name, r->port, &entry) : REASON_PORT_UNLISTED;

	if (r->reason == REASON_NAME_BUDGET && lists(c, r->name)) {
		change_place(c, ".hosts: add ");
		buf_bytes(&c->text, r->name);
	} else if (r->port == DNS_PORT && found != REASON_OK) {
		c->never = "port 53 is the gateway's own DNS service";
	} else if (found == REASON_NAME_UNLISTED || (!r->port && !lists(c, r->name))) {
		add_entry(c);
	} else if (found != REASON_OK) {
		if (r->port)
			add_port(c);
	} else {
		c->e = (const struct blob_entry *)blob_at(c->p, BLOB_ENTRIES) + entry.index;
		inside(c);
	}
}

enum policy_change_answer policy_change(const struct policy *p, const struct policy_refused *r, struct buf *out)
{
	struct change c = { .p = p, .r = r };
	bool edits;

	buf_init(&c.text, POLICY_CHANGE_MAX - 64);
	if (r->name.len && is_policys(r->reason))
		propose(&c);
	else
		c.never = never(r->reason);
	if (c.text.failed)
		c.never = "the change would be too long to be told";
	edits = !c.never && c.text.len;
	if (edits)
		buf_bytes(out, buf_view(&c.text));
	else if (c.never)
		buf_fmt(out, "no policy allows this: %s", c.never);
	buf_deinit(&c.text);
	return edits ? POLICY_CHANGE_EDITS : c.never ? POLICY_CHANGE_NEVER : POLICY_CHANGE_NONE;
}
