#include "rules/policy_field.h"

#include <stdlib.h>

#include "base/num.h"
#include "rules/word_near.h"

enum { WORDS_MAX = 64 };

const char *field_show(struct bytes text, char ret[FIELD_SHOW_MAX])
{
	size_t len = text.len;

	if (len <= FIELD_SHOW_MAX - 4) {
		memcpy(ret, text.p ? text.p : (const uint8_t *)"", len);
		ret[len] = '\0';
		return ret;
	}
	len = FIELD_SHOW_MAX - 4;
	while (len > 0 && (text.p[len] & 0xc0) == 0x80)
		len--;
	memcpy(ret, text.p, len);
	memcpy(ret + len, "...", 4);
	return ret;
}

static void unknown_key(struct model *m, const struct yaml_tree_node *key, const char *what,
			const struct field_key *keys, size_t n)
{
	const char *words[WORDS_MAX];
	char shown[FIELD_SHOW_MAX];
	BUF_AUTO struct buf all = { .max = 1024 };
	const char *near;
	size_t n_words = 0;

	for (size_t i = 0; i < n && n_words < WORDS_MAX; i++)
		if (!keys[i].refused) {
			buf_fmt(&all, "%s%s", n_words ? ", " : "", keys[i].key);
			words[n_words++] = keys[i].key;
		}
	near = word_near(key->text, words, n_words);
	if (near)
		model_error(m, place_of(key), "unknown key `%s` in %s; did you mean `%s`?",
			    field_show(key->text, shown), what, near);
	else
		model_error(m, place_of(key), "unknown key `%s` in %s; it may have %s",
			    field_show(key->text, shown), what, buf_cstr(&all));
}

bool field_map(struct model *m, const struct yaml_tree_node *node, const char *what,
	       const struct field_key *keys, size_t n, const struct yaml_tree_node **values)
{
	for (size_t i = 0; i < n; i++)
		values[i] = NULL;
	if (node->kind != YAML_TREE_MAP) {
		model_error(m, place_of(node), "%s is not a mapping; write `key: value` lines",
			    what);
		return false;
	}
	for (const struct yaml_tree_node *v = node->first; v; v = v->next) {
		size_t i = 0;

		while (i < n && !bytes_is(v->key->text, keys[i].key))
			i++;
		if (i == n)
			unknown_key(m, v->key, what, keys, n);
		else if (keys[i].refused)
			model_error(m, place_of(v->key), "`%s` in %s: %s", keys[i].key, what,
				    keys[i].refused);
		else
			values[i] = v;
	}
	return true;
}

bool field_is_list(struct model *m, const struct yaml_tree_node *node, const char *key)
{
	if (node->kind == YAML_TREE_LIST && node->n <= POLICY_LIST_MAX)
		return true;
	if (node->kind == YAML_TREE_LIST)
		model_error(m, place_of(node), "`%s` has more than %d elements; split the entry",
			    key, POLICY_LIST_MAX);
	else if (node->kind == YAML_TREE_SCALAR && yaml_tree_guess(node) == YAML_GUESS_NULL)
		model_error(m, place_of(node), "`%s` has no value; write a list, or [] for nothing",
			    key);
	else
		model_error(m, place_of(node), "`%s` is not a list; write [ ] around its value",
			    key);
	return false;
}

static bool is_scalar(struct model *m, const struct yaml_tree_node *node, const char *key,
		      const char *want)
{
	if (node->kind == YAML_TREE_SCALAR)
		return true;
	model_error(m, place_of(node), "`%s` is a %s; write %s", key,
		    node->kind == YAML_TREE_LIST ? "list" : "mapping", want);
	return false;
}

static bool is_text(struct model *m, const struct yaml_tree_node *node, const char *key)
{
	static const char *const kinds[] = { "", "nothing", "a boolean", "a number", "a date" };
	enum yaml_tree_guess guess = yaml_tree_guess(node);
	char shown[FIELD_SHOW_MAX];

	if (guess == YAML_GUESS_TEXT)
		return true;
	if (guess == YAML_GUESS_NULL && node->text.len == 0)
		model_error(m, place_of(node), "`%s` has no value; write one, or remove the key",
			    key);
	else
		model_error(
			m, place_of(node),
			"wrong type: `%s` in `%s` is %s to YAML, a text is wanted; write \"%s\" if you mean the text",
			field_show(node->text, shown), key, kinds[guess], shown);
	return false;
}

bool field_word(struct model *m, const struct yaml_tree_node *node, const char *key,
		const struct field_word *words, size_t n, int *ret)
{
	const char *list[WORDS_MAX];
	char shown[FIELD_SHOW_MAX];
	BUF_AUTO struct buf all = { .max = 1024 };
	const char *near;
	size_t n_list = 0;

	if (!is_scalar(m, node, key, "one word"))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (bytes_is(node->text, words[i].word)) {
			if (words[i].refused)
				model_error(m, place_of(node), "`%s: %s`: %s", key, words[i].word,
					    words[i].refused);
			else
				*ret = words[i].value;
			return !words[i].refused;
		}
		if (!words[i].refused && n_list < WORDS_MAX) {
			buf_fmt(&all, "%s%s", n_list ? ", " : "", words[i].word);
			list[n_list++] = words[i].word;
		}
	}
	near = word_near(node->text, list, n_list);
	model_error(m, place_of(node), "unknown value `%s` for `%s`; %s%s%sallowed: %s",
		    field_show(node->text, shown), key, near ? "did you mean `" : "",
		    near ? near : "", near ? "`? " : "", buf_cstr(&all));
	return false;
}

bool field_text(struct model *m, const struct yaml_tree_node *node, const char *key, size_t max,
		struct model_text *ret)
{
	if (!is_scalar(m, node, key, "a text") || !is_text(m, node, key))
		return false;
	if (node->text.len > max) {
		model_error(m, place_of(node), "`%s` is longer than %zu bytes; shorten it", key,
			    max);
		return false;
	}
	if (bytes_find(node->text, '\n') < node->text.len ||
	    bytes_find(node->text, '\r') < node->text.len) {
		model_error(m, place_of(node), "`%s` has a line break; write it on one line", key);
		return false;
	}
	*ret = (struct model_text){ .text = node->text, .at = place_of(node) };
	return true;
}

bool field_name(struct model *m, const struct yaml_tree_node *node, const char *key,
		struct model_text *ret)
{
	char shown[FIELD_SHOW_MAX];
	struct model_text t;
	bool ok;

	if (!field_text(m, node, key, 1024, &t))
		return false;
	ok = t.text.len > 0 && t.text.len <= 63;
	for (size_t i = 0; ok && i < t.text.len; i++) {
		uint8_t c = t.text.p[i];

		ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		     (i > 0 && (c == '-' || c == '_' || c == '.'));
	}
	if (!ok) {
		model_error(
			m, t.at,
			"`%s` in `%s` is no name; write 1 to 63 lower-case letters, digits, hyphens, dots, a letter or digit first",
			field_show(t.text, shown), key);
		return false;
	}
	*ret = t;
	return true;
}

bool field_bool(struct model *m, const struct yaml_tree_node *node, const char *key, bool *ret)
{
	char shown[FIELD_SHOW_MAX];

	if (!is_scalar(m, node, key, "true or false"))
		return false;
	if (node->plain && (bytes_is(node->text, "true") || bytes_is(node->text, "false"))) {
		*ret = node->text.p[0] == 't';
		return true;
	}
	model_error(m, place_of(node),
		    "wrong type: `%s` in `%s`; booleans are `true` and `false`, without quotes",
		    field_show(node->text, shown), key);
	return false;
}

bool field_number(struct model *m, const struct yaml_tree_node *node, const char *key, uint64_t min,
		  uint64_t max, uint64_t *ret)
{
	char shown[FIELD_SHOW_MAX];
	uint64_t v;

	if (!is_scalar(m, node, key, "a number"))
		return false;
	if (!node->plain) {
		model_error(m, place_of(node),
			    "wrong type: \"%s\" in `%s` is a text; write the number without quotes",
			    field_show(node->text, shown), key);
		return false;
	}
	if (!num_u64(node->text, max, &v) || v < min) {
		model_error(
			m, place_of(node),
			"`%s` in `%s` is not a whole number from %llu to %llu; write it in decimal digits",
			field_show(node->text, shown), key, (unsigned long long)min,
			(unsigned long long)max);
		return false;
	}
	*ret = v;
	return true;
}

int model_text_cmp(const void *a, const void *b)
{
	const struct model_text *x = a, *y = b;
	int c = bytes_cmp(x->text, y->text);

	if (c)
		return c;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	return x->at.column < y->at.column ? -1 : x->at.column > y->at.column;
}

void field_sort_distinct(struct model *m, struct model_text *list, uint32_t *n, const char *what)
{
	char shown[FIELD_SHOW_MAX];
	uint32_t kept = 0;

	if (*n > 1)
		qsort(list, *n, sizeof(*list), model_text_cmp);
	for (uint32_t i = 0; i < *n; i++) {
		if (kept > 0 && bytes_eq(list[kept - 1].text, list[i].text))
			model_error(m, list[i].at,
				    "the %s `%s` stands here twice (first on line %u); keep one",
				    what, field_show(list[i].text, shown), list[kept - 1].at.line);
		else
			list[kept++] = list[i];
	}
	*n = kept;
}
