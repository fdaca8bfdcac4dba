/* From the YAML tree to the model: one table of keys for each kind of mapping, one function for each value that has a meaning of its own. */
#include <stdlib.h>

#include "rules/policy_field.h"
#include "rules/word_near.h"

#define LATER "not available in this version, so nothing would enforce it; remove it"
#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))

enum {
	KEY_VERSION,
	KEY_LABEL,
	KEY_LAB,
	KEY_VERDICTS,
	KEY_NETWORK,
	KEY_CREDENTIALS,
	KEY_FILESYSTEM,
	KEY_PROCESS,
	TOP_KEYS
};
static const struct field_key top_keys[TOP_KEYS] = {
	{ "version", NULL },     { "name", NULL },     { "lab", NULL },
	{ "verdicts", NULL },    { "network", NULL },  { "credentials", NULL },
	{ "filesystem", LATER }, { "process", LATER },
};

static const struct field_word verdict_words[] = {
	{ "allow", POLICY_EFFECT_ALLOW, NULL },
	{ "review", POLICY_EFFECT_REVIEW, NULL },
	{ "deny", POLICY_EFFECT_DENY, NULL },
};

static bool read_version(struct model *m, const struct yaml_tree_node *root)
{
	const struct yaml_tree_node *v = root ? yaml_tree_get(root, "version") : NULL;
	const struct place start = { 1, 1 };
	char shown[FIELD_SHOW_MAX];

	if (root && root->kind != YAML_TREE_MAP) {
		model_error(m, place_of(root),
			    "the file is not a mapping; start it with `version: 1`");
		return false;
	}
	if (!v) {
		model_error(m, start, "`version` is missing; write `version: 1` on the first line");
		return false;
	}
	if (v->kind == YAML_TREE_SCALAR && v->plain && bytes_is(v->text, "1"))
		return true;
	model_error(
		m, place_of(v),
		"version `%s` is not one that this program reads; write `version: 1`, without quotes",
		v->kind == YAML_TREE_SCALAR ? field_show(v->text, shown) : "?");
	return false;
}

static const char *const class_words[POLICY_CLASS_OWN] = { "", "read", "draft", "write" };

/* What would read as something else in a rule's name or beside a verdict. */
static bool is_reserved(struct bytes name)
{
	static const char *const words[] = { "deny", "allow", "review", "any", "none", "observe" };

	for (size_t i = 0; i < ITEMS(words); i++)
		if (bytes_is(name, words[i]))
			return true;
	return false;
}

/* The class of this name, made when it is none of the three: a name of the policy's own exists by having a verdict. NULL: refused. */
static struct model_class *class_of(struct model *m, const struct yaml_tree_node *key)
{
	struct model_text name;
	struct model_class *c;
	char *word;

	for (uint32_t i = POLICY_CLASS_READ; i < m->n_classes; i++)
		if (bytes_is(key->text, m->classes[i].name))
			return &m->classes[i];
	if (bytes_is(key->text, "unclassified") || is_reserved(key->text)) {
		model_error(m, place_of(key), "%s",
			    bytes_is(key->text, "unclassified") ? "what no rule classifies is always denied; remove it"
								: "a class cannot have this name; choose another");
		return NULL;
	}
	if (!field_name(m, key, "verdicts", &name))
		return NULL;
	if (m->n_classes == POLICY_CLASSES_MAX) {
		model_error(m, name.at, "more than %d classes of the policy's own; use fewer", POLICY_OWN_CLASSES_MAX);
		return NULL;
	}
	word = arena_alloc(m->arena, name.text.len + 1, 1);
	if (!word)
		return NULL;
	memcpy(word, name.text.p, name.text.len);
	c = &m->classes[m->n_classes++];
	*c = (struct model_class){ .name = word };
	return c;
}

static void read_verdicts(struct model *m, const struct yaml_tree_node *node)
{
	for (m->n_classes = 0; m->n_classes < POLICY_CLASS_OWN; m->n_classes++)
		m->classes[m->n_classes].name = class_words[m->n_classes];
	if (!node)
		return;
	if (node->kind != YAML_TREE_MAP) {
		model_error(m, place_of(node), "`verdicts` is not a mapping; write `verdicts: {read: allow}`");
		return;
	}
	for (const struct yaml_tree_node *v = node->first; v; v = v->next) {
		struct model_class *c = class_of(m, v->key);
		int effect;

		if (!c)
			continue;
		c->said = true;
		c->at = place_of(v->key);
		if (!field_word(m, v, c->name, verdict_words, ITEMS(verdict_words), &effect))
			continue;
		c->effect = (enum policy_effect)effect;
		if (effect == POLICY_EFFECT_REVIEW)
			model_warning(
				m, place_of(v),
				"reviews are not available in this version; requests of class `%s` are denied",
				c->name);
	}
}

static int entry_cmp(const void *a, const void *b)
{
	const struct model_entry *const *x = a, *const *y = b;
	int c = bytes_cmp((*x)->name.text, (*y)->name.text);

	if (c)
		return c;
	if ((*x)->at.line != (*y)->at.line)
		return (*x)->at.line < (*y)->at.line ? -1 : 1;
	return (*x)->at.column < (*y)->at.column ? -1 : 1;
}

static void read_network(struct model *m, const struct yaml_tree_node *node)
{
	const struct place start = { 1, 1 };

	if (!node || (node->kind == YAML_TREE_SCALAR && node->plain && node->text.len == 0) ||
	    (node->kind == YAML_TREE_LIST && node->n == 0)) {
		model_warning(
			m, node ? place_of(node) : start,
			"no entry under `network`, so this policy lets nothing out; list hosts if that is not meant");
		return;
	}
	if (!field_is_list(m, node, "network"))
		return;
	m->entries = arena_alloc(m->arena, node->n, sizeof(struct model_entry *));
	if (!m->entries)
		return;
	for (const struct yaml_tree_node *v = node->first; v; v = v->next) {
		struct model_entry *e = arena_alloc(m->arena, 1, sizeof(*e));

		if (!e)
			return;
		policy_read_entry(m, e, v);
		m->entries[m->n_entries++] = e;
	}
	if (m->n_entries > 1)
		qsort(m->entries, m->n_entries, sizeof(struct model_entry *), entry_cmp);
	for (uint32_t i = 0; i < m->n_entries; i++) {
		m->entries[i]->index = i;
		if (i > 0 && m->entries[i]->name.text.len &&
		    bytes_eq(m->entries[i]->name.text, m->entries[i - 1]->name.text))
			model_error(
				m, m->entries[i]->name.at,
				"two entries have the name `%.*s` (the other on line %u); rename one",
				(int)m->entries[i]->name.text.len,
				(const char *)m->entries[i]->name.text.p,
				m->entries[i - 1]->name.at.line);
	}
}

static void check_verdicts_used(struct model *m)
{
	for (uint32_t i = POLICY_CLASS_READ; i < m->n_classes; i++) {
		const struct model_class *c = &m->classes[i];
		const char *near = i < POLICY_CLASS_OWN ? NULL
							: word_near(bytes_str(c->name), class_words + 1, POLICY_CLASS_OWN - 1);

		if (c->said && !c->used)
			model_error(m, c->at, "no rule has class `%s`; %s%s%sremove its verdict", c->name,
				    near ? "did you mean `" : "", near ? near : "", near ? "`? if not, " : "");
	}
}

bool policy_read(struct model *m, const struct yaml_tree_node *root)
{
	const struct yaml_tree_node *v[TOP_KEYS];
	struct model_text label = { .text = bytes_str("unnamed") };

	if (!read_version(m, root) || !field_map(m, root, "the policy", top_keys, TOP_KEYS, v))
		return false;
	if (v[KEY_LABEL])
		(void)field_name(m, v[KEY_LABEL], "name", &label);
	m->label = label.text;
	if (v[KEY_LAB])
		(void)field_bool(m, v[KEY_LAB], "lab", &m->lab);
	if (m->lab && m->options->production)
		model_error(m, place_of(v[KEY_LAB]),
			    "`lab: true` in a production channel; remove it");
	read_verdicts(m, v[KEY_VERDICTS]);
	if (v[KEY_CREDENTIALS])
		policy_read_credentials(m, v[KEY_CREDENTIALS]);
	read_network(m, v[KEY_NETWORK]);
	if (m->problems->n_errors == 0)
		check_verdicts_used(m);
	return true;
}
