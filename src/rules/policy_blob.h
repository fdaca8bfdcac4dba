/* The compiled policy's bytes: private to policy*.c and the compiler. All integers are 32-bit of the machine's own order (a blob
 * never leaves it without being compiled anew); every table starts at an offset divisible by 8.
 *
 *   hosts     sorted by text; `slots` is an open-addressed hash table over them: each host once, at least half of it empty, and no run of
 *             filled slots longer than BLOB_RUN_MAX, so that no look-up takes long
 *   doors     for each host: port -> entry, sorted by port
 *   entries   sorted by name, with their ports, address prefixes, and for http mode their rules and the root of a path trie
 *   rules     of one entry, in the order in which they decide: denies, then narrower before broader
 *   nodes     a forest in breadth-first numbering: node i < n_roots is the root of the i-th http entry, and walking the nodes in
 *             order, their children are numbered without a gap. So no node has two parents and no walk can loop.
 *   credentials  sorted by id; their hosts and paths are runs of values, as are the JSON pointers of entries
 *   ends      rules that match when the path ends at a node; tails: the rest of patterns that go on with a glob or `**`
 */
#ifndef SAW_RULES_POLICY_BLOB_H
#define SAW_RULES_POLICY_BLOB_H

#include "rules/policy.h"

#define POLICY_BLOB_MAGIC "SAWPOLCY"

enum policy_section {
	BLOB_HOSTS,
	BLOB_SLOTS,
	BLOB_DOORS,
	BLOB_ENTRIES,
	BLOB_PORTS, /* of entries, one run each */
	BLOB_ALL_PORTS, /* distinct, of the whole policy */
	BLOB_PREFIXES,
	BLOB_RULES,
	BLOB_CONDITIONS,
	BLOB_VALUES,
	BLOB_NODES,
	BLOB_EDGES,
	BLOB_ENDS,
	BLOB_TAILS,
	BLOB_REACH,
	BLOB_CREDENTIALS,
	BLOB_STRINGS,
	BLOB_SECTIONS
};

struct blob_section {
	uint32_t off; /* from the blob's start */
	uint32_t n; /* elements */
};

struct blob_str {
	uint32_t off; /* from the start of BLOB_STRINGS */
	uint32_t len;
};

struct blob_run {
	uint32_t first;
	uint32_t n;
};

struct blob_header {
	char magic[8];
	uint32_t version;
	uint32_t size;
	uint8_t sha256[32];
	/* the seal covers what follows */
	uint32_t flags;
	uint32_t n_roots;
	struct blob_str label;
	struct blob_section section[BLOB_SECTIONS];
};

enum { BLOB_SEALED_AT = 48 };
enum { BLOB_RUN_MAX = 256 /* a million names that nobody chose for it make runs of 60 */ };
enum { BLOB_LAB = 1, BLOB_FLAGS_ALL = 1 };
enum {
	BLOB_OBSERVE = 1,
	BLOB_ENCODED_SLASH = 2,
	BLOB_REFLECTIVE = 4, /* of entries and of rules */
	BLOB_STRIP_COOKIE = 8,
	BLOB_WEBSOCKET = 16,
	BLOB_GUARDED = 32, /* a credential, or a rule that asks for a review */
	BLOB_ENTRY_FLAGS_ALL = 63,
};
enum { BLOB_PUSH_OPTIONS = 1, BLOB_RULE_FLAGS_ALL = BLOB_PUSH_OPTIONS | BLOB_REFLECTIVE };
#define BLOB_NONE UINT32_MAX

struct blob_host {
	struct blob_str text;
	uint32_t budget;
	struct blob_run doors;
};

struct blob_door {
	uint32_t port;
	uint32_t entry;
};

struct blob_entry {
	struct blob_str name;
	uint32_t mode;
	uint32_t flags;
	uint32_t root; /* node, or BLOB_NONE */
	struct blob_run ports;
	struct blob_run prefixes;
	struct blob_run rules;
	struct blob_run pointers; /* distinct JSON pointers of its conditions: values */
	uint32_t protocol;
	uint32_t credential; /* or BLOB_NONE */
	uint32_t ai;
	uint32_t upstream_port;
	struct blob_str upstream;
	struct blob_str ca;
};

struct blob_credential {
	struct blob_str id;
	uint32_t inject;
	struct blob_str header;
	struct blob_str prefix;
	struct blob_str suffix;
	struct blob_str user;
	struct blob_run hosts; /* patterns: values */
	struct blob_run ports;
	struct blob_run paths; /* patterns: values */
};

struct blob_prefix {
	uint32_t family;
	uint32_t bits;
	uint8_t b[16];
};

/* Ascending strictness: a narrower rule with a higher value tightens. DENY_RULE is `deny: true`. */
enum policy_effect {
	POLICY_EFFECT_ALLOW,
	POLICY_EFFECT_REVIEW,
	POLICY_EFFECT_DENY,
	POLICY_EFFECT_DENY_RULE,
	POLICY_EFFECT_END
};

struct blob_rule {
	struct blob_str name; /* "wiki: read GET,HEAD /pages" */
	struct blob_str class; /* empty for a deny */
	uint32_t effect;
	uint32_t flags;
	uint32_t methods; /* of protocol git: policy_git.h */
	struct blob_run conditions;
};

enum policy_condition_kind {
	POLICY_CONDITION_QUERY = 1,
	POLICY_CONDITION_HEADER,
	POLICY_CONDITION_JSON,
	POLICY_CONDITION_REF,
	POLICY_CONDITION_END
};

struct blob_condition {
	uint32_t kind;
	uint32_t slot; /* JSON: which pointer of the entry */
	struct blob_str key;
	struct blob_run values; /* patterns; none for a header. JSON: policy_json.h */
};

struct blob_node {
	uint32_t depth;
	uint32_t n_rules; /* of the entry that this tree belongs to: rules below are smaller */
	struct blob_run
		edges; /* literal segments, sorted; children are consecutive from first_child on */
	uint32_t first_child;
	uint32_t
		any_child; /* after a whole-segment `*`: follows the literal children; or BLOB_NONE */
	struct blob_run ends; /* rules, ascending */
	struct blob_run tails;
};

struct blob_edge {
	struct blob_str segment;
};

struct blob_tail {
	struct blob_str pattern; /* from the start of a segment on */
	uint32_t rule;
};

struct blob_reach {
	uint32_t entry;
	uint32_t host;
};

#endif
