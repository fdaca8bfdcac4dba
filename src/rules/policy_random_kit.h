/* For tests only: small random policies as values and as text. */
#ifndef SAW_RULES_POLICY_RANDOM_KIT_H
#define SAW_RULES_POLICY_RANDOM_KIT_H

#include "rules/policy_test_kit.h"

enum {
	RANDOM_ENTRIES = 3,
	RANDOM_RULES = 5,
	RANDOM_PATHS = 2,
	RANDOM_SEGMENTS = 3,
	RANDOM_UNIVERSE = 400,
	RANDOM_METHODS = 6, /* the last one opens a WebSocket */
	RANDOM_SOCKET = RANDOM_METHODS - 1,
	RANDOM_BODIES = 4,
};

struct random_rule {
	unsigned kind; /* 0 read, 1 draft, 2 write, 3 deny */
	unsigned methods; /* bits over random_methods */
	unsigned json; /* 0: none; else which of random_wants its body must meet */
	char paths[RANDOM_PATHS][40];
	unsigned n_paths;
};

struct random_entry {
	const char *host;
	unsigned port;
	bool blind;
	bool intercept;
	struct random_rule rules[RANDOM_RULES];
	unsigned n_rules;
	bool inside[RANDOM_RULES][RANDOM_RULES]; /* [i][k]: rule i is wholly inside rule k; filled by the oracle */
};

struct random_policy {
	const uint8_t *data;
	size_t size;
	unsigned verdicts[3]; /* 0 allow, 1 review, 2 deny */
	struct random_entry entries[RANDOM_ENTRIES];
	unsigned n_entries;
};

static const char *const random_methods[RANDOM_METHODS] = { "GET", "HEAD", "POST", "PUT", "FOO", "GET" };
static const char *const random_bodies[RANDOM_BODIES] = { "{\"a\": 1}", "{\"a\": 2.0}", "{\"a\": \"xy\"}", "{\"b\": 1}" };
static const struct {
	const char *text;
	unsigned bodies; /* bits over random_bodies that meet it */
} random_wants[] = { { "", 15 }, { "/a: [1]", 1 }, { "/a: [1, 2]", 3 }, { "/a: ['x*', 2]", 6 } };
static const char *const random_hosts[] = { "a.example",   "*.a.example",   "**.a.example",
					    "x.a.example", "*.x.a.example", "b.example" };
static const char *const random_names[] = { "a.example",     "x.a.example", "y.a.example",
					    "z.x.a.example", "b.example",   "ba.example",
					    "c.b.example" };
static const char *const random_segments[] = { "a", "b", "ab", "*", "a*", "*b", "**" };
static const char *const random_parts[] = { "a", "b", "ab", "c" };

static inline unsigned random_pick(struct random_policy *p, unsigned n)
{
	unsigned v;

	if (p->size == 0)
		return 0;
	v = p->data[0];
	p->data++;
	p->size--;
	return v % n;
}

static inline void random_fill(struct random_policy *p)
{
	for (int i = 0; i < 3; i++)
		p->verdicts[i] = random_pick(p, 3);
	p->n_entries = 1 + random_pick(p, RANDOM_ENTRIES);
	for (unsigned e = 0; e < p->n_entries; e++) {
		struct random_entry *entry = &p->entries[e];

		entry->host = random_hosts[random_pick(p, 6)];
		entry->port = 80 + random_pick(p, 2);
		entry->blind = random_pick(p, 8) == 7 && entry->host[0] != '*';
		entry->intercept = random_pick(p, 4) == 3;
		entry->n_rules = entry->blind ? 0 : random_pick(p, RANDOM_RULES + 1);
		for (unsigned r = 0; r < entry->n_rules; r++) {
			struct random_rule *rule = &entry->rules[r];

			rule->kind = random_pick(p, 4);
			rule->methods = 1 + random_pick(p, 31);
			if (rule->methods & 1)
				rule->methods |= 2; /* HEAD goes with GET */
			if (rule->methods & 16)
				rule->methods = rule->kind == 0 ? 3 : 31; /* FOO only by "*" */
			rule->json = random_pick(p, 8);
			if (rule->json > 3) {
				if (rule->json == 7 && rule->kind != 3)
					rule->methods = 1 << RANDOM_SOCKET;
				rule->json = 0;
			} else if (rule->json) {
				rule->methods = rule->methods & 12 ? rule->methods & 12 : 4; /* those that have a body */
			}
			rule->n_paths = 1 + random_pick(p, RANDOM_PATHS);
			for (unsigned k = 0; k < rule->n_paths; k++) {
				unsigned n = random_pick(p, RANDOM_SEGMENTS + 1);

				(void)snprintf(rule->paths[k], sizeof(rule->paths[k]),
					       n ? "" : "/");
				while (n--) {
					size_t len = strlen(rule->paths[k]);

					(void)snprintf(rule->paths[k] + len,
						       sizeof(rule->paths[k]) - len, "/%s",
						       random_segments[random_pick(p, 7)]);
				}
			}
		}
	}
}

static inline void random_print_rule(const struct random_rule *r, struct buf *out)
{
	static const char *const kinds[] = { "class: read", "class: draft", "class: write",
					     "deny: true" };
	bool first = true;

	if (r->methods >> RANDOM_SOCKET & 1) {
		buf_fmt(out, "      - {%s, websocket: opaque, methods: [GET", kinds[r->kind]);
		first = false;
	} else {
		buf_fmt(out, "      - {%s, methods: [", kinds[r->kind]);
	}
	for (unsigned i = 0; i < 4 && r->methods != 31; i++)
		if (r->methods >> i & 1) {
			buf_fmt(out, "%s%s", first ? "" : ", ", random_methods[i]);
			first = false;
		}
	buf_str(out, r->methods == 31 ? "'*'], paths: [" : "], paths: [");
	for (unsigned k = 0; k < r->n_paths; k++)
		if (k == 0 || strcmp(r->paths[0], r->paths[k]) != 0)
			buf_fmt(out, "%s'%s'", k ? ", " : "", r->paths[k]);
	buf_byte(out, ']');
	if (r->json)
		buf_fmt(out, ", json: {%s}", random_wants[r->json].text);
	buf_str(out, "}\n");
}

static inline void random_print(const struct random_policy *p, struct buf *out)
{
	static const char *const words[] = { "allow", "review", "deny" };
	static const char *const classes[] = { "read", "draft", "write" };
	unsigned used = 0, said = 0;

	for (unsigned e = 0; e < p->n_entries; e++)
		for (unsigned r = 0; r < p->entries[e].n_rules; r++)
			used |= 1U << p->entries[e].rules[r].kind;
	buf_str(out, "version: 1\nverdicts: {");
	for (unsigned c = 0; c < 3; c++)
		if (used >> c & 1)
			buf_fmt(out, "%s%s: %s", said++ ? ", " : "", classes[c],
				words[p->verdicts[c]]);
	buf_str(out, "}\nnetwork:\n");
	for (unsigned e = 0; e < p->n_entries; e++) {
		const struct random_entry *entry = &p->entries[e];

		buf_fmt(out, "  - name: e%u\n    hosts: ['%s']\n    ports: [%u]\n", e, entry->host,
			entry->port);
		if (entry->blind) {
			buf_str(out, "    mode: tcp\n    reason: test\n");
			continue;
		}
		buf_fmt(out, "    mode: %s\n    protocol: rest\n    rules:%s\n", entry->intercept ? "intercept" : "http",
			entry->n_rules ? "" : " []");
		for (unsigned r = 0; r < entry->n_rules; r++)
			random_print_rule(&entry->rules[r], out);
	}
}

#endif
