/* Entries that share a name and a port must agree in everything, so that it does not matter which of them decides.
 *
 * All host patterns of all entries stand in one list, sorted by text. Two patterns have a name in common exactly when they are
 * equal, or when one is a wildcard over a suffix of the other; so for each pattern only the wildcards over its own suffixes are looked up. */
#include <stdlib.h>

#include "rules/policy_field.h"

struct owner {
	const struct model_entry *entry;
	const struct model_text *host;
};

struct overlap {
	struct model *m;
	struct owner *owners;
	size_t n;
};

static int owner_cmp(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;
	int c = bytes_cmp(x->host->text, y->host->text);

	return c ? c : (x->entry->index < y->entry->index ? -1 : x->entry->index > y->entry->index);
}

static bool prefixes_eq(const struct model_entry *a, const struct model_entry *b)
{
	if (a->n_prefixes != b->n_prefixes)
		return false;
	for (uint32_t i = 0; i < a->n_prefixes; i++)
		if (!ip_eq(a->prefixes[i].ip, b->prefixes[i].ip) ||
		    a->prefixes[i].bits != b->prefixes[i].bits)
			return false;
	return true;
}

static bool rules_eq(const struct model_entry *a, const struct model_entry *b)
{
	if (a->n_rules != b->n_rules)
		return false;
	for (uint32_t i = 0; i < a->n_rules; i++)
		if (model_rule_cmp(&a->rules[i], &b->rules[i]) != 0 ||
		    a->rules[i].effect != b->rules[i].effect ||
		    a->rules[i].flags != b->rules[i].flags)
			return false;
	return true;
}

static bool field_eq(enum model_field f, const struct model_entry *a, const struct model_entry *b)
{
	switch (f) {
	case FIELD_MODE:
		return a->mode == b->mode;
	case FIELD_RULES:
		return rules_eq(a, b);
	case FIELD_ADDRESSES:
		return prefixes_eq(a, b);
	case FIELD_OBSERVE:
		return a->observe == b->observe;
	case FIELD_ENCODED_SLASH:
		return a->encoded_slash == b->encoded_slash;
	case FIELD_PROTOCOL:
		return a->protocol == b->protocol;
	case FIELD_CREDENTIAL:
		return bytes_eq(a->credential.text, b->credential.text);
	case FIELD_REFLECTIVE:
		return a->reflective == b->reflective;
	case FIELD_SET_COOKIE:
		return a->strip_set_cookie == b->strip_set_cookie;
	case FIELD_CA:
		return bytes_eq(a->ca, b->ca);
	case FIELD_UPSTREAM:
		return bytes_eq(a->upstream.text, b->upstream.text) && a->upstream_port == b->upstream_port;
	case FIELD_AI:
		return a->ai == b->ai;
	case FIELD_BUDGET:
	case FIELD_END:
		break;
	}
	return true;
}

static bool shared_port(const struct model_entry *a, const struct model_entry *b, uint16_t *ret)
{
	for (uint32_t i = 0; i < a->ports.n; i++)
		for (uint32_t k = 0; k < b->ports.n; k++)
			if (a->ports.v[i] == b->ports.v[k]) {
				*ret = a->ports.v[i];
				return true;
			}
	return false;
}

static bool stands_later(const struct owner *a, const struct owner *b)
{
	struct place x = a->host->at, y = b->host->at;

	return x.line != y.line ? x.line > y.line : x.column > y.column;
}

static bool guarded(const struct model_entry *e)
{
	bool review = false;

	for (uint32_t i = 0; i < e->n_rules; i++)
		review = review || e->rules[i].effect == POLICY_EFFECT_REVIEW;
	return review || e->credential_index != BLOB_NONE;
}

/* All that goes to a guarded name goes through outlet, which reads http and nothing else. */
static void check_guard(struct model *m, const struct owner *late, const struct owner *early)
{
	const struct owner *guard = guarded(late->entry) ? late : early;
	const struct owner *blind = guard == late ? early : late;
	char shown[FIELD_SHOW_MAX];

	if (!guarded(guard->entry) || model_judged(blind->entry))
		return;
	model_error(m, late->host->at,
		    "`%s` is a name of `%.*s` too (entry `%.*s`, line %u): one of the two spends a credential or asks for a review, and a name that does is "
		    "reached by mode http and intercept only, on all its ports; take the name out of one",
		    field_show(late->host->text, shown), (int)early->host->text.len, (const char *)early->host->text.p,
		    (int)early->entry->name.text.len, (const char *)early->entry->name.text.p, early->host->at.line);
}

/* The one that stands later in the file is told what it disagrees with. */
static void check_pair(struct model *m, const struct owner *a, const struct owner *b)
{
	static const char *const words[FIELD_END] = { "mode",       "protocol",   "credential", "rules",    "addresses", "observe", "encoded_slash",
						      "reflective", "set_cookie", "ca",         "upstream", "ai",        "budget" };
	const struct owner *late = stands_later(a, b) ? a : b, *early = late == a ? b : a;
	char shown[FIELD_SHOW_MAX];
	uint16_t port;

	if (!shared_port(a->entry, b->entry, &port)) {
		check_guard(m, late, early);
		return;
	}
	for (int f = 0; f < FIELD_END; f++) {
		bool blind =
			late->entry->mode != early->entry->mode && (model_judged(late->entry) || model_judged(early->entry));

		if (field_eq((enum model_field)f, late->entry, early->entry))
			continue;
		model_error(
			m, late->host->at,
			"entries disagree: `%s` and `%.*s` (entry `%.*s`, line %u) share names on port %u, but differ in `%s` (lines %u and %u)%s; "
			"make them agree, or take the name out of one",
			field_show(late->host->text, shown), (int)early->host->text.len,
			(const char *)early->host->text.p, (int)early->entry->name.text.len,
			(const char *)early->entry->name.text.p, early->host->at.line, port,
			words[f], early->entry->field[f].line, late->entry->field[f].line,
			blind ? ", which would void the inspection" : "");
		return;
	}
}

static void check_budget(struct model *m, const struct owner *a, const struct owner *b)
{
	const struct owner *late = stands_later(a, b) ? a : b, *early = late == a ? b : a;
	char shown[FIELD_SHOW_MAX];

	if (late->host->text.p[0] == '*' && late->entry->budget != early->entry->budget)
		model_error(
			m, late->entry->field[FIELD_BUDGET],
			"`budget` of `%s` is %u here and %u on line %u; a wildcard has one budget",
			field_show(late->host->text, shown), late->entry->budget,
			early->entry->budget, early->entry->field[FIELD_BUDGET].line);
}

static size_t find(const struct overlap *o, struct bytes text)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (bytes_cmp(o->owners[mid].host->text, text) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* All owners of the wildcard over `suffix`. */
static void check_wildcard(const struct overlap *o, const struct owner *narrow, const char *stars,
			   struct bytes suffix)
{
	uint8_t text[NAME_MAX_LEN + 3];
	size_t len = strlen(stars);

	if (suffix.len > NAME_MAX_LEN)
		return;
	memcpy(text, stars, len);
	memcpy(text + len, suffix.p, suffix.len);
	for (size_t i = find(o, bytes_of(text, len + suffix.len));
	     i < o->n && bytes_eq(o->owners[i].host->text, bytes_of(text, len + suffix.len)); i++)
		if (o->owners[i].entry != narrow->entry)
			check_pair(o->m, narrow, &o->owners[i]);
}

static void check_owner(const struct overlap *o, size_t i)
{
	const struct owner *own = &o->owners[i];
	struct bytes rest;
	enum blob_wild w = blob_wild_of(own->host->text, &rest);

	/* a policy has no more ports than this, so more entries could only repeat each other */
	if (i + POLICY_PORTS_MAX < o->n &&
	    bytes_eq(o->owners[i + POLICY_PORTS_MAX].host->text, own->host->text)) {
		model_error(o->m, o->owners[i + POLICY_PORTS_MAX].host->at,
			    "the host stands in more than %d entries; join them", POLICY_PORTS_MAX);
		return;
	}
	for (size_t k = i + 1; k < o->n && bytes_eq(o->owners[k].host->text, own->host->text);
	     k++) {
		check_pair(o->m, own, &o->owners[k]);
		check_budget(o->m, own, &o->owners[k]);
	}
	if (w == BLOB_ONE_LABEL)
		check_wildcard(o, own, "**.", rest);
	for (bool first = w == BLOB_EXACT;; first = false) {
		size_t dot = bytes_find(rest, '.');

		if (dot == rest.len)
			return;
		rest = bytes_skip(rest, dot + 1);
		if (first)
			check_wildcard(o, own, "*.", rest);
		check_wildcard(o, own, "**.", rest);
	}
}

void policy_overlap(struct model *m)
{
	struct overlap o = { .m = m };
	size_t n = 0;

	for (uint32_t i = 0; i < m->n_entries; i++)
		n += m->entries[i]->n_hosts;
	o.owners = arena_alloc(m->arena, n, sizeof(*o.owners));
	if (!o.owners)
		return;
	for (uint32_t i = 0; i < m->n_entries; i++)
		for (uint32_t k = 0; k < m->entries[i]->n_hosts && !m->entries[i]->broken; k++)
			o.owners[o.n++] = (struct owner){ m->entries[i], &m->entries[i]->hosts[k] };
	if (o.n > 1)
		qsort(o.owners, o.n, sizeof(*o.owners), owner_cmp);
	for (size_t i = 0; i < o.n && !m->problems->full; i++)
		check_owner(&o, i);
}
