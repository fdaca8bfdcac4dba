#include "wire/yaml_tree.h"

#include "base/buf.h"
#include "base/tap.h"

static struct yaml_tree_fault fault;

static struct yaml_tree *parse(const char *text)
{
	fault = (struct yaml_tree_fault){ 0 };
	return yaml_tree_parse(bytes_str(text), &fault);
}

/* Refused at this place, with this word in the sentence. */
static void refused(const char *text, unsigned line, unsigned column, const char *word)
{
	struct yaml_tree *t = parse(text);

	CHECK(!t);
	yaml_tree_free(t);
	CHECK_INT(fault.line, line);
	CHECK_INT(fault.column, column);
	if (!CHECK(strstr(fault.text, word) != NULL))
		printf("#   %s\n", fault.text);
}

static enum yaml_tree_guess guess(const char *text)
{
	struct yaml_tree *t = parse(text);
	enum yaml_tree_guess g =
		t && yaml_tree_root(t) ? yaml_tree_guess(yaml_tree_root(t)) : YAML_GUESS_NULL;

	CHECK(t != NULL);
	yaml_tree_free(t);
	return g;
}

TEST(a_tree_knows_every_place_and_style)
{
	struct yaml_tree *t =
		parse("version: 1\nhosts:\n  - a.example\n  - \"443\"\nflow: {k: [x, 'y']}\n");
	const struct yaml_tree_node *root, *n;

	CHECK(t != NULL);
	if (!t)
		return;
	root = yaml_tree_root(t);
	CHECK(root && root->kind == YAML_TREE_MAP && root->n == 3);
	n = yaml_tree_get(root, "version");
	CHECK(n && n->plain && bytes_is(n->text, "1") && n->line == 1 && n->column == 10 &&
	      n->key->column == 1);
	n = yaml_tree_get(root, "hosts");
	CHECK(n && n->kind == YAML_TREE_LIST && n->n == 2 && n->first->line == 3 &&
	      n->first->column == 5);
	CHECK(n && !n->first->next->plain && bytes_is(n->first->next->text, "443"));
	n = yaml_tree_get(yaml_tree_get(root, "flow"), "k");
	CHECK(n && n->n == 2 && n->line == 5 && n->column == 11 &&
	      bytes_is(n->first->next->text, "y"));
	CHECK(!yaml_tree_get(root, "no") && !yaml_tree_get(n, "k"));
	yaml_tree_free(t);
}

TEST(an_empty_file_has_no_root)
{
	struct yaml_tree *t = parse("# only a comment\n");

	CHECK(t && !yaml_tree_root(t));
	yaml_tree_free(t);
	t = parse("");
	CHECK(t && !yaml_tree_root(t));
	yaml_tree_free(t);
}

TEST(yaml_beyond_maps_lists_and_scalars_is_refused_where_it_stands)
{
	refused("a: &x 1\n", 1, 4, "anchors");
	refused("a: &x [1]\n", 1, 4, "anchors");
	refused("a: 1\nb: *x\n", 2, 4, "aliases");
	refused("a: !!str 1\n", 1, 4, "tags");
	refused("a: !x {b: 1}\n", 1, 4, "tags");
	refused("a:\n  <<: {b: 1}\n", 2, 3, "merge");
	refused("%YAML 1.1\n---\na: 1\n", 1, 1, "directives");
	refused("%TAG ! tag:x.example,2000:\n---\na: 1\n", 1, 1, "directives");
	refused("a: 1\n---\nb: 1\n", 2, 1, "second document");
	refused("? [a]\n: 1\n", 1, 3, "key");
	refused("\"\": 1\n", 1, 1, "empty");
}

TEST(a_key_stands_once_in_a_mapping_at_any_level)
{
	refused("a: 1\nb: 2\na: 3\n", 3, 1, "first on line 1");
	refused("x:\n  - {a: 1, a: 2}\n", 2, 12, "`a`");
	refused("a: 1\n\"a\": 3\n", 2, 1, "twice");
}

TEST(bad_text_is_refused_with_its_place)
{
	refused("a: 1\nb: \xff\n", 2, 4, "UTF-8");
	refused("\xef\xbb\xbf"
		"a: 1\n",
		1, 1, "byte order");
	refused("a: \x01\n", 1, 4, "control");
	/* in which a comment ends to some readers */
	refused("a: 1\n# b\xe2\x80\xa8" "c: 3\n", 2, 4, "line or paragraph separator");
	refused("a: \"\xe2\x80\xa9\"\n", 1, 5, "U+2029");
	refused("a: [1\n", 2, 1, "not YAML");
	refused("a: b: c\n", 1, 5, "not YAML");
	refused("a:\n\t- b\n", 2, 1, "not YAML");
}

TEST(depth_and_size_have_ceilings)
{
	BUF_AUTO struct buf b;
	struct yaml_tree *t;

	buf_init(&b, 1024 * 1024);
	for (int i = 0; i < 100000; i++)
		buf_byte(&b, '[');
	t = yaml_tree_parse(buf_view(&b), &fault);
	CHECK(!t && strstr(fault.text, "deep"));
	buf_reset(&b);
	for (int i = 0; i <= YAML_TREE_KEYS_MAX; i++)
		buf_fmt(&b, "k%d: 1\n", i);
	t = yaml_tree_parse(buf_view(&b), &fault);
	CHECK(!t && strstr(fault.text, "keys"));
	buf_reset(&b);
	buf_str(&b, "a: '");
	for (int i = 0; i <= YAML_TREE_SCALAR_MAX; i++)
		buf_byte(&b, 'x');
	buf_str(&b, "'\n");
	t = yaml_tree_parse(buf_view(&b), &fault);
	CHECK(!t && strstr(fault.text, "long"));
}

TEST(what_some_reader_would_guess_is_told_from_text)
{
	static const char *const numbers[] = { "1",    "443.0", "0x1bb", "0443", "1e3",  "-1",
					       "+1",   "1_000", "0b11",  "0o17", "1:30", ".5",
					       ".inf", "-.INF", ".NaN",  "1.5",  "0" };
	static const char *const texts[] = { "443-445", "example", "1.example", "a",  "\"1\"",
					     "'no'",    "nope",    "1a",        "v1", "2026-x",
					     "-",       "1-2",     "on.example" };
	static const char *const bools[] = { "yes", "No", "ON", "off", "true", "False", "y", "N" };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!CHECK_INT(guess(numbers[i]), YAML_GUESS_NUMBER))
			printf("#   %s\n", numbers[i]);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i], "-") && !CHECK_INT(guess(texts[i]), YAML_GUESS_TEXT))
			printf("#   %s\n", texts[i]);
	for (size_t i = 0; i < sizeof(bools) / sizeof(bools[0]); i++)
		CHECK_INT(guess(bools[i]), YAML_GUESS_BOOL);
	CHECK_INT(guess("2026-01-01"), YAML_GUESS_TIME);
	CHECK_INT(guess("2026-01-01T10:00:00Z"), YAML_GUESS_TIME);
	CHECK_INT(guess("~"), YAML_GUESS_NULL);
	CHECK_INT(guess("Null"), YAML_GUESS_NULL);
}
