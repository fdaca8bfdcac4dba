/* From the model to the blob: one growing buffer for each section, joined at the end. Everything is written in the order of its content, so
 * that equal content gives equal bytes. */
#include <stdlib.h>

#include "rules/policy_hash.h"
#include "rules/policy_method.h"
#include "rules/policy_model.h"
#include "rules/policy_path.h"
#include "rules/policy_spelling.h"

struct pattern {
	struct bytes text;
	uint32_t rule;
};

struct trie_end {
	uint32_t rule;
	struct trie_end *next;
};

struct trie_tail {
	struct bytes pattern;
	uint32_t rule;
	struct trie_tail *next;
};

struct trie {
	struct bytes segment; /* the literal edge that leads here */
	uint32_t depth;
	uint32_t n_rules;
	struct trie *children, **children_tail, *last_child; /* literal ones, sorted */
	uint32_t n_children;
	struct trie *any;
	struct trie_end *ends, **ends_tail;
	struct trie_tail *tails, **tails_tail;
	struct trie *next; /* among its siblings */
	struct trie *queue; /* breadth-first */
};

struct writer {
	struct model *m;
	struct buf s[BLOB_SECTIONS];
	struct trie *roots, **queue_tail;
	uint32_t n_roots;
	bool failed;
};

static uint32_t count(const struct writer *w, enum policy_section s, size_t len)
{
	return (uint32_t)(w->s[s].len / len);
}

static struct blob_str add_str(struct writer *w, struct bytes text)
{
	struct blob_str s = { .off = (uint32_t)w->s[BLOB_STRINGS].len, .len = (uint32_t)text.len };

	buf_bytes(&w->s[BLOB_STRINGS], text);
	return s;
}

/* Slashes sort before every other byte, so that patterns come in the order of their segments. */
static int pattern_cmp(const void *a, const void *b)
{
	const struct pattern *x = a, *y = b;
	size_t n = x->text.len < y->text.len ? x->text.len : y->text.len;

	for (size_t i = 0; i < n; i++) {
		int c = x->text.p[i] == '/' ? 0 : x->text.p[i],
		    d = y->text.p[i] == '/' ? 0 : y->text.p[i];

		if (c != d)
			return c - d;
	}
	if (x->text.len != y->text.len)
		return x->text.len < y->text.len ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static struct trie *trie_new(struct writer *w, const struct trie *parent, uint32_t n_rules)
{
	struct trie *t = arena_alloc(w->m->arena, 1, sizeof(*t));

	if (!t) {
		w->failed = true;
		return NULL;
	}
	t->depth = parent ? parent->depth + 1 : 0;
	t->n_rules = n_rules;
	t->children_tail = &t->children;
	t->ends_tail = &t->ends;
	t->tails_tail = &t->tails;
	return t;
}

static struct trie *trie_child(struct writer *w, struct trie *t, struct bytes segment)
{
	struct trie *c = t->last_child;

	if (bytes_is(segment, "*")) {
		if (!t->any)
			t->any = trie_new(w, t, t->n_rules);
		return t->any;
	}
	if (c && bytes_eq(c->segment, segment))
		return c;
	c = trie_new(w, t, t->n_rules);
	if (!c)
		return NULL;
	c->segment = segment;
	*t->children_tail = c;
	t->children_tail = &c->next;
	t->last_child = c;
	t->n_children++;
	return c;
}

static void trie_add_tail(struct writer *w, struct trie *t, struct bytes rest, uint32_t rule)
{
	struct trie_tail *tail = arena_alloc(w->m->arena, 1, sizeof(*tail));

	if (!tail) {
		w->failed = true;
		return;
	}
	tail->pattern = rest;
	tail->rule = rule;
	*t->tails_tail = tail;
	t->tails_tail = &tail->next;
}

/* Down the whole segments; what goes on with a glob or `**` becomes a tail. */
static void trie_add(struct writer *w, struct trie *t, const struct pattern *p)
{
	struct bytes rest = bytes_skip(p->text, 1);
	struct trie_end *end;

	for (bool more = true; more;) {
		struct bytes segment = bytes_of(rest.p, bytes_find(rest, '/'));

		if (!bytes_is(segment, "*") && bytes_find(segment, '*') < segment.len) {
			trie_add_tail(w, t, rest, p->rule);
			return;
		}
		t = trie_child(w, t, segment);
		if (!t)
			return;
		more = segment.len < rest.len;
		rest = bytes_skip(rest, more ? segment.len + 1 : segment.len);
	}
	end = arena_alloc(w->m->arena, 1, sizeof(*end));
	if (!end) {
		w->failed = true;
		return;
	}
	end->rule = p->rule;
	*t->ends_tail = end;
	t->ends_tail = &end->next;
}

/* A rule that holds back has its paths also with "+" for "%2B", which is the spelling that the judge asks for beside the one that came. */
static size_t add_pattern(struct writer *w, struct pattern *patterns, size_t n, const struct model_rule *r, struct pattern one)
{
	uint8_t *room;

	patterns[n++] = one;
	if (r->effect == POLICY_EFFECT_ALLOW || !policy_spelling_any(one.text))
		return n;
	room = arena_alloc(w->m->arena, one.text.len, 1);
	if (!room) {
		w->failed = true;
		return n;
	}
	one.text = policy_spelling_plus(one.text, room);
	if (one.text.len < patterns[n - 1].text.len)
		patterns[n++] = one;
	return n;
}

/* The entry's patterns as a tree; gives its root's number. */
static uint32_t add_trie(struct writer *w, const struct model_entry *e)
{
	struct trie *root = trie_new(w, NULL, e->n_rules);
	struct pattern *patterns;
	size_t n = 0;

	for (uint32_t i = 0; i < e->n_rules; i++)
		n += 2 * (size_t)e->rules[i].n_paths;
	patterns = arena_alloc(w->m->arena, n, sizeof(*patterns));
	if (!root || !patterns) {
		w->failed = true;
		return BLOB_NONE;
	}
	n = 0;
	for (uint32_t i = 0; i < e->n_rules; i++)
		for (uint32_t k = 0; k < e->rules[i].n_paths; k++)
			n = add_pattern(w, patterns, n, &e->rules[i], (struct pattern){ .text = e->rules[i].paths[k].text, .rule = i });
	if (n > 1)
		qsort(patterns, n, sizeof(*patterns), pattern_cmp);
	for (size_t i = 0; i < n && !w->failed; i++)
		trie_add(w, root, &patterns[i]);
	*w->queue_tail = root;
	w->queue_tail = &root->queue;
	return w->n_roots++;
}

static void write_node(struct writer *w, struct trie *t, uint32_t *next)
{
	struct blob_node node = { .depth = t->depth,
				  .n_rules = t->n_rules,
				  .first_child = *next,
				  .any_child = BLOB_NONE };

	node.edges =
		(struct blob_run){ count(w, BLOB_EDGES, sizeof(struct blob_edge)), t->n_children };
	for (struct trie *c = t->children; c; c = c->next) {
		struct blob_edge edge = { .segment = add_str(w, c->segment) };

		buf_add(&w->s[BLOB_EDGES], &edge, sizeof(edge));
		*w->queue_tail = c;
		w->queue_tail = &c->queue;
	}
	*next += t->n_children;
	if (t->any) {
		node.any_child = (*next)++;
		*w->queue_tail = t->any;
		w->queue_tail = &t->any->queue;
	}
	node.ends.first = count(w, BLOB_ENDS, sizeof(uint32_t));
	for (const struct trie_end *e = t->ends; e; e = e->next, node.ends.n++)
		buf_add(&w->s[BLOB_ENDS], &e->rule, sizeof(e->rule));
	node.tails.first = count(w, BLOB_TAILS, sizeof(struct blob_tail));
	for (const struct trie_tail *e = t->tails; e; e = e->next, node.tails.n++) {
		struct blob_tail tail = { .pattern = add_str(w, e->pattern), .rule = e->rule };

		buf_add(&w->s[BLOB_TAILS], &tail, sizeof(tail));
	}
	buf_add(&w->s[BLOB_NODES], &node, sizeof(node));
}

static void write_nodes(struct writer *w)
{
	uint32_t next = w->n_roots;

	for (struct trie *t = w->roots; t; t = t->queue)
		write_node(w, t, &next);
}

static struct blob_run write_values(struct writer *w, const struct model_text *values, uint32_t n)
{
	struct blob_run run = { count(w, BLOB_VALUES, sizeof(struct blob_str)), n };

	for (uint32_t i = 0; i < n; i++) {
		struct blob_str value = add_str(w, values[i].text);

		buf_add(&w->s[BLOB_VALUES], &value, sizeof(value));
	}
	return run;
}

static struct blob_run write_ports(struct writer *w, const struct model_ports *ports)
{
	struct blob_run run = { count(w, BLOB_PORTS, sizeof(uint16_t)), ports->n };

	buf_add(&w->s[BLOB_PORTS], ports->v, ports->n * sizeof(ports->v[0]));
	return run;
}

static void write_rule(struct writer *w, const struct model_rule *r)
{
	struct blob_rule rule = { .name = add_str(w, r->name),
				  .class = add_str(w, bytes_str(w->m->classes[r->class].name)),
				  .effect = r->effect,
				  .flags = r->flags,
				  .methods = r->methods };

	rule.conditions =
		(struct blob_run){ count(w, BLOB_CONDITIONS, sizeof(struct blob_condition)),
				   r->n_conditions };
	for (uint32_t i = 0; i < r->n_conditions; i++) {
		const struct model_condition *c = &r->conditions[i];
		struct blob_condition condition = { .kind = c->kind, .slot = c->slot, .key = add_str(w, c->key.text) };

		condition.values = write_values(w, c->values, c->n_values);
		buf_add(&w->s[BLOB_CONDITIONS], &condition, sizeof(condition));
	}
	buf_add(&w->s[BLOB_RULES], &rule, sizeof(rule));
	if (w->m->options->rule_fn)
		w->m->options->rule_fn(w->m->options->owner, r->at.line);
}

static uint32_t flags_of(const struct model_entry *e)
{
	uint32_t flags = (e->observe ? BLOB_OBSERVE : 0U) | (e->encoded_slash ? BLOB_ENCODED_SLASH : 0U) |
			 (e->reflective ? BLOB_REFLECTIVE : 0U) | (e->strip_set_cookie ? BLOB_STRIP_COOKIE : 0U) |
			 (e->credential_index != BLOB_NONE ? BLOB_GUARDED : 0U);

	for (uint32_t i = 0; i < e->n_rules; i++) {
		const struct model_rule *r = &e->rules[i];

		if (r->effect == POLICY_EFFECT_REVIEW)
			flags |= BLOB_GUARDED;
		if (e->protocol == POLICY_REST && r->effect != POLICY_EFFECT_DENY_RULE && (r->methods & POLICY_METHOD_WEBSOCKET))
			flags |= BLOB_WEBSOCKET;
	}
	return flags;
}

static void write_entry(struct writer *w, const struct model_entry *e)
{
	struct blob_entry entry = { .name = add_str(w, e->name.text),
				    .mode = e->mode,
				    .protocol = e->protocol,
				    .flags = flags_of(e),
				    .credential = e->credential_index,
				    .ai = e->ai,
				    .upstream = add_str(w, e->upstream.text),
				    .upstream_port = e->upstream_port,
				    .ca = add_str(w, e->ca),
				    .root = BLOB_NONE };

	entry.ports = write_ports(w, &e->ports);
	entry.pointers = write_values(w, e->pointers, e->n_pointers);
	entry.prefixes = (struct blob_run){ count(w, BLOB_PREFIXES, sizeof(struct blob_prefix)),
					    e->n_prefixes };
	for (uint32_t i = 0; i < e->n_prefixes; i++) {
		struct blob_prefix prefix = { .family = e->prefixes[i].ip.family,
					      .bits = e->prefixes[i].bits };

		memcpy(prefix.b, e->prefixes[i].ip.b, sizeof(prefix.b));
		buf_add(&w->s[BLOB_PREFIXES], &prefix, sizeof(prefix));
	}
	entry.rules =
		(struct blob_run){ count(w, BLOB_RULES, sizeof(struct blob_rule)), e->n_rules };
	for (uint32_t i = 0; i < e->n_rules; i++)
		write_rule(w, &e->rules[i]);
	if (model_judged(e))
		entry.root = add_trie(w, e);
	buf_add(&w->s[BLOB_ENTRIES], &entry, sizeof(entry));
}

static void write_credential(struct writer *w, const struct model_credential *c)
{
	struct blob_credential credential = { .id = add_str(w, c->id.text),
					      .inject = c->inject,
					      .header = add_str(w, c->header),
					      .prefix = add_str(w, c->prefix),
					      .suffix = add_str(w, c->suffix),
					      .user = add_str(w, c->user),
					      .hosts = write_values(w, c->hosts, c->n_hosts),
					      .ports = write_ports(w, &c->ports),
					      .paths = write_values(w, c->paths, c->n_paths) };

	buf_add(&w->s[BLOB_CREDENTIALS], &credential, sizeof(credential));
}

struct owned {
	struct bytes text;
	const struct model_entry *entry;
};

static int owned_cmp(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;
	int c = bytes_cmp(x->text, y->text);

	return c ? c : (x->entry->index < y->entry->index ? -1 : x->entry->index > y->entry->index);
}

/* Ports of the entries that list one host; where two agree about a port, the first one by name stands for both. */
static uint32_t write_doors(struct writer *w, const struct owned *o, size_t n)
{
	uint32_t n_doors = 0, last = 0;

	for (;;) {
		struct blob_door door = { .port = UINT32_MAX };

		for (size_t i = 0; i < n; i++)
			for (uint32_t k = 0; k < o[i].entry->ports.n; k++)
				if (o[i].entry->ports.v[k] > last && o[i].entry->ports.v[k] < door.port)
					door = (struct blob_door){ o[i].entry->ports.v[k],
								   o[i].entry->index };
		if (door.port == UINT32_MAX)
			return n_doors;
		buf_add(&w->s[BLOB_DOORS], &door, sizeof(door));
		last = door.port;
		n_doors++;
	}
}

static void write_slots(struct writer *w, const struct owned *o, size_t n, uint32_t n_hosts)
{
	const struct place start = { 1, 1 };
	uint32_t n_slots = 8, host = 0;
	uint32_t *slots;

	while (n_slots / 2 < n_hosts)
		n_slots *= 2;
	slots = arena_alloc(w->m->arena, n_slots, sizeof(*slots));
	if (!slots) {
		w->failed = true;
		return;
	}
	memset(slots, 0xff, n_slots * sizeof(*slots));
	for (size_t i = 0; i < n; i++) {
		struct bytes suffix;
		enum blob_wild wild = blob_wild_of(o[i].text, &suffix);
		uint32_t at = blob_hash(suffix, wild) & (n_slots - 1);

		if (i > 0 && bytes_eq(o[i].text, o[i - 1].text))
			continue;
		for (int run = 0; run < BLOB_RUN_MAX && slots[at] != BLOB_NONE; run++)
			at = (at + 1) & (n_slots - 1);
		if (slots[at] == BLOB_NONE)
			slots[at] = host++;
	}
	if (blob_slots_filled(slots, n_slots) != n_hosts) {
		model_error(w->m, start, "too many of its hosts have the same hash, as only names chosen for that have; leave some out");
		w->failed = true;
	}
	buf_add(&w->s[BLOB_SLOTS], slots, n_slots * sizeof(*slots));
}

static void write_hosts(struct writer *w)
{
	struct owned *owned;
	uint32_t *reach_host;
	size_t n = 0;

	for (uint32_t i = 0; i < w->m->n_entries; i++)
		n += w->m->entries[i]->n_hosts;
	owned = arena_alloc(w->m->arena, n, sizeof(*owned));
	reach_host = arena_alloc(w->m->arena, n, sizeof(*reach_host));
	if (!owned || !reach_host) {
		w->failed = true;
		return;
	}
	n = 0;
	for (uint32_t i = 0; i < w->m->n_entries; i++)
		for (uint32_t k = 0; k < w->m->entries[i]->n_hosts; k++)
			owned[n++] =
				(struct owned){ w->m->entries[i]->hosts[k].text, w->m->entries[i] };
	if (n > 1)
		qsort(owned, n, sizeof(*owned), owned_cmp);
	for (size_t i = 0, next; i < n; i = next) {
		struct blob_host host = { .text = add_str(w, owned[i].text),
					  .doors.first =
						  count(w, BLOB_DOORS, sizeof(struct blob_door)) };
		uint32_t index = count(w, BLOB_HOSTS, sizeof(host));

		for (next = i; next < n && bytes_eq(owned[next].text, owned[i].text); next++) {
			struct blob_reach reach = { .entry = owned[next].entry->index,
						    .host = index };

			buf_add(&w->s[BLOB_REACH], &reach, sizeof(reach));
		}
		host.doors.n = write_doors(w, owned + i, next - i);
		host.budget = owned[i].text.p[0] == '*' ? owned[i].entry->budget : 0;
		buf_add(&w->s[BLOB_HOSTS], &host, sizeof(host));
	}
	write_slots(w, owned, n, count(w, BLOB_HOSTS, sizeof(struct blob_host)));
}

static void write_all_ports(struct writer *w)
{
	uint32_t last = 0;

	for (;;) {
		uint32_t next = UINT32_MAX;
		uint16_t port;

		for (uint32_t i = 0; i < w->m->n_entries; i++)
			for (uint32_t k = 0;
			     w->m->entries[i]->n_hosts && k < w->m->entries[i]->ports.n; k++)
				if (w->m->entries[i]->ports.v[k] > last &&
				    w->m->entries[i]->ports.v[k] < next)
					next = w->m->entries[i]->ports.v[k];
		if (next == UINT32_MAX)
			return;
		port = (uint16_t)next;
		buf_add(&w->s[BLOB_ALL_PORTS], &port, sizeof(port));
		last = next;
	}
}

static void pad(struct buf *b)
{
	while (b->len % 8 != 0 && buf_byte(b, 0))
		;
}

static bool join(struct writer *w, struct blob_header *h, struct buf *out)
{
	struct buf body;

	buf_init(&body, POLICY_BLOB_MAX);
	buf_add(&body, h, sizeof(*h));
	pad(&body);
	for (int s = 0; s < BLOB_SECTIONS; s++) {
		w->failed = w->failed || w->s[s].failed;
		h->section[s] =
			(struct blob_section){ (uint32_t)body.len,
					       count(w, (enum policy_section)s, policy_blob_element_len[s]) };
		buf_bytes(&body, buf_view(&w->s[s]));
		pad(&body);
	}
	h->size = (uint32_t)body.len;
	h->n_roots = w->n_roots;
	if (!body.failed && !w->failed) {
		memcpy(body.p, h, sizeof(*h));
		w->m->options->sha256(bytes_skip(buf_view(&body), BLOB_SEALED_AT), h->sha256);
		memcpy(body.p, h, sizeof(*h));
		buf_bytes(out, buf_view(&body));
	}
	w->failed = w->failed || body.failed || out->failed;
	buf_deinit(&body);
	return !w->failed;
}

bool policy_write(struct model *m, struct buf *out)
{
	struct blob_header h = { .version = POLICY_BLOB_VERSION, .flags = m->lab ? BLOB_LAB : 0 };
	struct writer w = { .m = m };
	bool ok;

	memcpy(h.magic, POLICY_BLOB_MAGIC, sizeof(h.magic));
	w.queue_tail = &w.roots;
	for (int s = 0; s < BLOB_SECTIONS; s++)
		buf_init(&w.s[s], POLICY_BLOB_MAX);
	h.label = add_str(&w, m->label);
	for (uint32_t i = 0; i < m->n_entries; i++)
		write_entry(&w, m->entries[i]);
	for (uint32_t i = 0; i < m->n_credentials; i++)
		write_credential(&w, &m->credentials[i]);
	write_nodes(&w);
	write_hosts(&w);
	write_all_ports(&w);
	ok = join(&w, &h, out);
	for (int s = 0; s < BLOB_SECTIONS; s++)
		buf_deinit(&w.s[s]);
	return ok;
}
