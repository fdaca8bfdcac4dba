/* A compiled policy: a flat, position-independent blob that every gateway role maps read-only, and pure questions to it.
 *
 * policy_open() checks every offset once; afterwards no question can fail or allocate. Names are canonical (wire/name.h),
 * paths are canonical (wire/http1.h). The compiler is rules/policy_compile.h; only it and its callers link YAML. */
#ifndef SAW_RULES_POLICY_H
#define SAW_RULES_POLICY_H

#include "base/buf.h"
#include "base/err.h"
#include "rules/reason.h"
#include "wire/ip.h"
#include "wire/name.h"

enum {
	POLICY_BLOB_VERSION = 2,
	POLICY_BLOB_MAX = 64 * 1024 * 1024,
	POLICY_PORTS_MAX = 64, /* distinct ports of one policy: one listener each */
	POLICY_WILDCARD_BUDGET =
		256, /* distinct names below one wildcard, unless the entry says otherwise */
	POLICY_OBSERVES_MAX = 512, /* bytes of what policy_observes() says */
	POLICY_CREDENTIALS_MAX = 256,
	POLICY_POINTERS_MAX = 16, /* distinct JSON pointers of one entry */
	POLICY_CA_MAX = 64 * 1024, /* bytes of an entry's `ca` */
};
#define POLICY_NONE UINT32_MAX

/* HTTP is plain, INTERCEPT is https that the gateway opens: both are judged request by request. */
enum policy_mode { POLICY_PASSTHROUGH = 1, POLICY_HTTP, POLICY_TCP, POLICY_INTERCEPT };
/* What the requests of an HTTP or INTERCEPT entry are; gRPC is REST whose paths name methods. */
enum policy_protocol { POLICY_PROTOCOL_NONE, POLICY_REST, POLICY_GIT, POLICY_GRPC };
/* Whose shape the answers of a model endpoint have, for counting its tokens. */
enum policy_ai { POLICY_AI_NONE, POLICY_AI_OPENAI, POLICY_AI_ANTHROPIC };

/* Opened view; the blob is borrowed, must stay mapped, and starts at an address divisible by 8. Zero-initialise. Fields are private to policy.c. */
struct policy {
	struct bytes blob;
};

/* False with a sentence in `e` for anything malformed, of a newer version, or inconsistent. */
bool policy_open(struct policy *ret, struct bytes blob, struct err *e);

struct bytes policy_label(const struct policy *p); /* the file's `name` */
struct bytes
policy_sha256(const struct policy
		      *p); /* 32 bytes over the rest of the blob: names the compiled content */
bool policy_lab(const struct policy *p);
/* Appends the names of the entries that only observe, as many as fit: "a, b, and 3 more"; nothing when none does. `out` has room for
 * POLICY_OBSERVES_MAX bytes. */
void policy_observes(const struct policy *p, struct buf *out);

/* Ports that need a listener, ascending, distinct. Gives how many (<= POLICY_PORTS_MAX). */
size_t policy_ports(const struct policy *p, uint16_t ret[POLICY_PORTS_MAX]);

/* The host pattern that lists a name: exact wins, then the longest wildcard. */
struct policy_host {
	uint32_t pattern; /* index; stable within one blob */
	struct bytes text; /* "*.wild.example" as in the file, canonical */
	bool wildcard;
	uint32_t budget; /* distinct names allowed below it; 0 for an exact name */
};
bool policy_find_host(const struct policy *p, struct bytes name, struct policy_host *ret);

/* The entry that owns name and port. */
struct policy_entry {
	uint32_t index;
	enum policy_mode mode;
	enum policy_protocol protocol;
	struct bytes rule; /* the entry's `name` */
	bool observe;
	bool encoded_slash; /* the documented %2F exception */
	bool websocket; /* some rule opens WebSockets; which requests may is the verdict's to say */
	bool reflective; /* every answer is scanned for the live secret */
	bool strip_set_cookie; /* Set-Cookie of answers does not reach the guest */
	enum policy_ai ai;
	uint32_t credential; /* for policy_credential_at(); POLICY_NONE: nothing is added */
	struct bytes ca; /* PEM certificates that alone verify the host; empty: the system's roots */
	/* The host that stands behind the guest's name: dialled, verified, sent as SNI and Host. Empty: the guest's name and port. */
	struct bytes upstream;
	uint16_t upstream_port;
};
/* REASON_OK with *ret, or REASON_NAME_UNLISTED, or REASON_PORT_UNLISTED. */
enum reason policy_find(const struct policy *p, struct bytes name, uint16_t port,
			struct policy_entry *ret);

/* Some rule of some entry that lists the name, on whatever port, adds a credential or asks for a review: its connections are
 * outlet's alone. False for a name that is not listed. */
bool policy_guarded(const struct policy *p, struct bytes name);

struct policy_body; /* rules/policy_body.h */

/* What a rule judges. All borrowed, all canonical. */
struct policy_request {
	struct bytes method;
	struct bytes path; /* starts with '/', no query */
	struct bytes query; /* without '?'; empty when there is none */
	bool has_query;
	/* header presence, asked by lower-case name */
	bool (*has_header)(const void *headers, struct bytes name);
	bool (*has_like)(const void *headers, struct bytes name); /* the same of fields that some server takes for it; NULL: there are none */
	const void *headers;
	bool bare; /* the client's credentials are taken out before it goes: it will not have a field of theirs (wire/credential_fields.h) */
	bool websocket; /* GET with `Upgrade: websocket` that would be passed on */
	bool form; /* it has a body that is labelled as a form, whose fields some hosts take before those of the query */
	const struct policy_body *body; /* NULL: not read yet */
};

enum policy_needs { POLICY_NEEDS_NOTHING, POLICY_NEEDS_JSON, POLICY_NEEDS_GIT };

struct policy_verdict {
	enum reason reason; /* REASON_OK: allowed */
	/* Not NOTHING: the deciding rule reads the body, and there is no verdict yet (reason is REASON_BODY_NEEDED). Buffer the body, as far
	 * as the limit goes, turn it into a struct policy_body and ask again. Never set when the question had a body. */
	enum policy_needs needs;
	/* The deciding rule, named by what it says so that the order of the file does not matter:
	 * "wiki: read GET,HEAD /pages", "wiki: deny any /admin (+2)", with its " (line 14)" where two of an entry say the same so shortly; the
	 * entry's name when none matched. */
	struct bytes rule;
	uint32_t rule_number; /* among all of the blob, from 1; 0 when none matched */
	struct bytes class_name; /* empty when unclassified */
	bool observed; /* reason is not OK, but the entry only observes: let it through and record it */
	bool reflective; /* allowed: scan the answer for the live secret, and ask for it uncoded */
	bool websocket; /* allowed: after 101 the connection is opaque */
};
void policy_judge(const struct policy *p, const struct policy_entry *e,
		  const struct policy_request *r, struct policy_verdict *ret);

/* May this entry dial this literal? Public, or inside its `addresses` (never IP_SCOPE_NEVER; loopback only under lab). */
bool policy_address_ok(const struct policy *p, const struct policy_entry *e, struct ip ip);
/* The same for an address of the gateway's own host: whatever its scope, what is connected to there is a service of this host, behind its
 * firewall, as on loopback. Never better than policy_address_ok(). */
bool policy_own_address_ok(const struct policy *p, const struct policy_entry *e, struct ip ip);

/* Walks what a guest may reach, for saw.internal and diff. Returns false past the end. */
struct policy_reach {
	struct bytes rule;
	struct bytes host;
	enum policy_mode mode;
	bool observe;
	const uint16_t *ports; /* host byte order */
	size_t n_ports;
};
bool policy_reach_at(const struct policy *p, uint32_t i, struct policy_reach *ret);

/* Walks what the rules of all entries say of requests, entry by entry in the order in which they decide. Returns false past the end. */
struct policy_reach_rule {
	struct bytes rule; /* as policy_verdict has it */
	struct bytes class_name; /* empty for a deny */
	const char *decision; /* "allow", "review" or "deny" */
};
bool policy_reach_rule_at(const struct policy *p, uint32_t i, struct policy_reach_rule *ret);

/* Walks the distinct host patterns that some INTERCEPT entry lists, sorted: start with *at = 0. False past the end. */
bool policy_intercepted_next(const struct policy *p, uint32_t *at, struct bytes *ret_host);

enum policy_inject { POLICY_INJECT_HEADER = 1, POLICY_INJECT_BASIC, POLICY_INJECT_QUERY };

/* A binding: how a secret that stands in no policy is added to a request. */
struct policy_credential {
	struct bytes id;
	enum policy_inject inject;
	struct bytes header; /* HEADER, BASIC: the field's name as sent. QUERY: the key */
	struct bytes prefix, suffix; /* HEADER: around the value, "Bearer " and "" */
	struct bytes user; /* BASIC: before the colon */
};
/* By index, sorted by id. False past the end. */
bool policy_credential_at(const struct policy *p, uint32_t i, struct policy_credential *ret);
/* Credential `i` may be sent to this name (the upstream's, where there is one) and port with this request: one of its paths is the request's, or
 * with protocol git its repository, as the rules name it. */
bool policy_credential_bound(const struct policy *p, uint32_t i, struct bytes name, uint16_t port, enum policy_protocol protocol,
			     const struct policy_request *r);

const char *policy_mode_text(enum policy_mode m);
const char *policy_protocol_text(enum policy_protocol protocol); /* "" for NONE */

#endif
