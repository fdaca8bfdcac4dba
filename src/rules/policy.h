/* A compiled policy: a flat, position-independent blob that every gateway role maps read-only, and pure questions to it.
 *
 * policy_open() checks every offset once; afterwards no question can fail or allocate. Names are canonical (wire/name.h),
 * paths are canonical (wire/http1.h). The compiler is rules/policy_compile.h; only it and its callers link YAML. */
#ifndef SAW_RULES_POLICY_H
#define SAW_RULES_POLICY_H

#include "base/err.h"
#include "rules/reason.h"
#include "wire/ip.h"
#include "wire/name.h"

enum {
	POLICY_BLOB_VERSION = 1,
	POLICY_BLOB_MAX = 64 * 1024 * 1024,
	POLICY_PORTS_MAX = 64, /* distinct ports of one policy: one listener each */
	POLICY_WILDCARD_BUDGET =
		256, /* distinct names below one wildcard, unless the entry says otherwise */
};

enum policy_mode { POLICY_PASSTHROUGH = 1, POLICY_HTTP = 2, POLICY_TCP = 3 };

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
	struct bytes rule; /* the entry's `name` */
	bool observe;
	bool encoded_slash; /* the documented %2F exception of http entries */
};
/* REASON_OK with *ret, or REASON_NAME_UNLISTED, or REASON_PORT_UNLISTED. */
enum reason policy_find(const struct policy *p, struct bytes name, uint16_t port,
			struct policy_entry *ret);

/* What a rule of http mode judges. All borrowed, all canonical. */
struct policy_request {
	struct bytes method;
	struct bytes path; /* starts with '/', no query */
	struct bytes query; /* without '?'; empty when there is none */
	bool has_query;
	/* header presence, asked by lower-case name */
	bool (*has_header)(const void *headers, struct bytes name);
	const void *headers;
};
struct policy_verdict {
	enum reason reason; /* REASON_OK: allowed */
	/* The deciding rule, named by what it says so that the order of the file does not matter:
	 * "wiki: read GET,HEAD /pages", "wiki: deny any /admin (+2)"; the entry's name when none matched. */
	struct bytes rule;
	struct bytes class_name; /* empty when unclassified */
	bool observed; /* reason is not OK, but the entry only observes: let it through and record it */
};
void policy_judge(const struct policy *p, const struct policy_entry *e,
		  const struct policy_request *r, struct policy_verdict *ret);

/* May this entry dial this literal? Public, or inside its `addresses` (never IP_SCOPE_NEVER; loopback only under lab). */
bool policy_address_ok(const struct policy *p, const struct policy_entry *e, struct ip ip);

/* Walks what a guest may reach, for saw.internal and diff. Returns false past the end. */
struct policy_reach {
	struct bytes rule;
	struct bytes host;
	enum policy_mode mode;
	const uint16_t *ports; /* host byte order */
	size_t n_ports;
};
bool policy_reach_at(const struct policy *p, uint32_t i, struct policy_reach *ret);

const char *policy_mode_text(enum policy_mode m);

#endif
