/* libyaml's event parser (iterative, with its own stacks) feeds an arena. Everything that YAML can do beyond maps, lists and
 * scalars is refused at the event that shows it, so no later reader meets an alias that grows, a tag that changes a type, or a
 * second value for a key. */
#include "wire/yaml_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/must.h"

#include "base/arena.h"
#include "base/utf8.h"

enum { ARENA_MAX = 256 * 1024 * 1024 };

struct yaml_tree {
	struct arena arena;
	struct yaml_tree_node *root;
};

struct level {
	struct yaml_tree_node *node;
	struct yaml_tree_node **tail;
	struct yaml_tree_node *key; /* read, its value not yet */
};

struct build {
	struct yaml_tree *tree;
	struct yaml_tree_fault *fault;
	struct level stack[YAML_TREE_DEPTH_MAX];
	unsigned depth;
	unsigned n_nodes;
	unsigned n_documents;
};

static bool fault_at(struct yaml_tree_fault *f, size_t line, size_t column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static bool fault_at(struct yaml_tree_fault *f, size_t line, size_t column, const char *format, ...)
{
	va_list ap;

	f->line = (uint32_t)line + 1;
	f->column = (uint32_t)column + 1;
	va_start(ap, format);
	(void)vsnprintf(f->text, sizeof(f->text), format, ap);
	va_end(ap);
	return false;
}

static bool fault_mark(struct build *b, yaml_mark_t at, const char *text)
{
	return fault_at(b->fault, at.line, at.column, "%s", text);
}

static bool add_key(struct build *b, struct level *l, struct yaml_tree_node *key)
{
	yaml_mark_t at = { .line = key->line - 1, .column = key->column - 1 };

	if (key->kind != YAML_TREE_SCALAR)
		return fault_mark(b, at, "a key is a list or a mapping; write a plain word");
	if (key->plain && bytes_is(key->text, "<<"))
		return fault_mark(b, at, "merge keys are not allowed; write the keys out");
	if (key->text.len == 0)
		return fault_mark(b, at, "a key is empty; write a word before the colon");
	if (key->text.len > YAML_TREE_KEY_MAX)
		return fault_mark(b, at, "a key is too long; write a short word");
	if (l->node->n == YAML_TREE_KEYS_MAX)
		return fault_at(b->fault, at.line, at.column,
				"a mapping has more than %d keys; split it", YAML_TREE_KEYS_MAX);
	for (const struct yaml_tree_node *v = l->node->first; v; v = v->next)
		if (bytes_eq(v->key->text, key->text))
			return fault_at(
				b->fault, at.line, at.column,
				"the key `%.*s` stands here twice (first on line %u); keep one",
				(int)key->text.len, (const char *)key->text.p, v->key->line);
	l->key = key;
	return true;
}

/* Puts a complete or opened node where it belongs. */
static bool attach(struct build *b, struct yaml_tree_node *n)
{
	struct level *l;

	if (b->depth == 0) {
		b->tree->root = n;
		return true;
	}
	l = &b->stack[b->depth - 1];
	must(l->node); /* a level is entered with its node */
	if (l->node->kind == YAML_TREE_MAP && !l->key)
		return add_key(b, l, n);
	n->key = l->key;
	l->key = NULL;
	*l->tail = n;
	l->tail = &n->next;
	l->node->n++;
	return true;
}

static struct yaml_tree_node *node_new(struct build *b, enum yaml_tree_kind kind, yaml_mark_t at)
{
	struct yaml_tree_node *n = NULL;

	if (b->n_nodes < YAML_TREE_NODES_MAX)
		n = arena_alloc(&b->tree->arena, 1, sizeof(*n));
	if (!n) {
		(void)fault_mark(b, at, "the file is too large; split it");
		return NULL;
	}
	b->n_nodes++;
	n->kind = kind;
	n->line = (uint32_t)at.line + 1;
	n->column = (uint32_t)at.column + 1;
	return n;
}

static bool on_open(struct build *b, const yaml_event_t *e, enum yaml_tree_kind kind,
		    const void *anchor, const void *tag)
{
	struct yaml_tree_node *n;

	if (anchor)
		return fault_mark(b, e->start_mark,
				  "anchors are not allowed; write the value out where it is used");
	if (tag)
		return fault_mark(b, e->start_mark, "tags are not allowed; write the bare value");
	if (b->depth == YAML_TREE_DEPTH_MAX)
		return fault_mark(b, e->start_mark,
				  "nested too deep; nothing here needs so many levels");
	n = node_new(b, kind, e->start_mark);
	if (!n || !attach(b, n))
		return false;
	b->stack[b->depth++] = (struct level){ .node = n, .tail = &n->first };
	return true;
}

static bool on_scalar(struct build *b, const yaml_event_t *e)
{
	struct yaml_tree_node *n;

	if (e->data.scalar.anchor)
		return fault_mark(b, e->start_mark,
				  "anchors are not allowed; write the value out where it is used");
	if (e->data.scalar.tag)
		return fault_mark(
			b, e->start_mark,
			"tags are not allowed; write the bare value, in quotes when it is text");
	if (e->data.scalar.length > YAML_TREE_SCALAR_MAX)
		return fault_mark(b, e->start_mark, "a value is too long; shorten it");
	n = node_new(b, YAML_TREE_SCALAR, e->start_mark);
	if (!n)
		return false;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text =
		arena_copy(&b->tree->arena, bytes_of(e->data.scalar.value, e->data.scalar.length));
	if (b->tree->arena.failed)
		return fault_mark(b, e->start_mark, "the file is too large; split it");
	return attach(b, n);
}

static bool on_document(struct build *b, const yaml_event_t *e)
{
	if (e->data.document_start.version_directive ||
	    e->data.document_start.tag_directives.start !=
		    e->data.document_start.tag_directives.end)
		return fault_mark(b, e->start_mark,
				  "directives are not allowed; remove the line that starts with %");
	if (b->n_documents++)
		return fault_mark(b, e->start_mark,
				  "a second document starts here; a file holds one");
	return true;
}

static bool on_event(struct build *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return true;
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, e);
	case YAML_ALIAS_EVENT:
		return fault_mark(
			b, e->start_mark,
			"aliases are not allowed; write the value out, in quotes when it starts with *");
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, e, YAML_TREE_LIST, e->data.sequence_start.anchor,
			       e->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_open(b, e, YAML_TREE_MAP, e->data.mapping_start.anchor,
			       e->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return true;
	}
	return fault_mark(b, e->start_mark, "unknown YAML; write plain maps and lists");
}

static bool run(struct build *b, yaml_parser_t *parser)
{
	bool more = true;

	while (more) {
		yaml_event_t e;
		bool ok;

		if (!yaml_parser_parse(parser, &e))
			return fault_at(
				b->fault, parser->problem_mark.line, parser->problem_mark.column,
				"not YAML: %s%s%s; quote texts with special characters and check the indent",
				parser->context ? parser->context : "", parser->context ? ", " : "",
				parser->problem ? parser->problem : "unreadable");
		more = e.type != YAML_STREAM_END_EVENT;
		ok = on_event(b, &e);
		yaml_event_delete(&e);
		if (!ok)
			return false;
	}
	return true;
}

/* libyaml would take a byte order mark for an encoding, and names no place for a bad byte. */
static bool check_text(struct bytes text, struct yaml_tree_fault *f)
{
	size_t line = 0, line_at = 0;

	if (text.len > YAML_TREE_TEXT_MAX)
		return fault_at(f, 0, 0, "the file is larger than %d MiB; split it",
				YAML_TREE_TEXT_MAX >> 20);
	for (size_t i = 0; i < text.len;) {
		uint32_t c = 0;
		size_t n = utf8_next(bytes_skip(text, i), &c);

		if (n == 0)
			return fault_at(f, line, i - line_at, "not UTF-8; save the file as UTF-8");
		if (c == 0xfeff)
			return fault_at(f, line, i - line_at,
					"a byte order mark; save the file without it");
		if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || (c >= 0x7f && c < 0xa0))
			return fault_at(f, line, i - line_at, "a control character; remove it");
		/* to YAML 1.1, and to this parser, the end of a line, to YAML 1.2 and to most who look at the file none: a comment could hold an entry */
		if (c == 0x2028 || c == 0x2029)
			return fault_at(f, line, i - line_at, "a line or paragraph separator (U+2028, U+2029); remove it, or end the line");
		i += n;
		if (c == '\n') {
			line++;
			line_at = i;
		}
	}
	return true;
}

struct yaml_tree *yaml_tree_parse(struct bytes text, struct yaml_tree_fault *ret_fault)
{
	struct build b = { .fault = ret_fault };
	yaml_parser_t parser;
	bool ok;

	if (!check_text(text, ret_fault))
		return NULL;
	b.tree = calloc(1, sizeof(*b.tree));
	if (!b.tree || !yaml_parser_initialize(&parser)) {
		(void)fault_at(ret_fault, 0, 0, "out of memory; try again");
		free(b.tree);
		return NULL;
	}
	arena_init(&b.tree->arena, ARENA_MAX);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text.len ? text.p : (const uint8_t *)"", text.len);
	ok = run(&b, &parser);
	yaml_parser_delete(&parser);
	return ok ? b.tree : yaml_tree_free(b.tree);
}

const struct yaml_tree_node *yaml_tree_root(const struct yaml_tree *t)
{
	return t->root;
}

struct yaml_tree *yaml_tree_free(struct yaml_tree *t)
{
	if (t)
		arena_deinit(&t->arena);
	free(t);
	return NULL;
}

const struct yaml_tree_node *yaml_tree_get(const struct yaml_tree_node *map, const char *key)
{
	if (!map || map->kind != YAML_TREE_MAP)
		return NULL;
	for (const struct yaml_tree_node *v = map->first; v; v = v->next)
		if (bytes_is(v->key->text, key))
			return v;
	return NULL;
}

static bool any_of(struct bytes text, const char *const *words)
{
	for (; *words; words++)
		if (bytes_ieq(text, bytes_str(*words)))
			return true;
	return false;
}

static bool all_in(struct bytes text, const char *set)
{
	for (size_t i = 0; i < text.len; i++)
		if (!text.p[i] || !strchr(set, text.p[i]))
			return false;
	return text.len > 0;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Decimal, octal, hex, binary, sexagesimal, float, with sign and underscores: anything that some reader would take for one. */
static bool looks_like_number(struct bytes text)
{
	static const char *const words[] = { ".inf", "-.inf", "+.inf", ".nan", NULL };
	struct bytes t = text;

	if (any_of(text, words))
		return true;
	if (t.len && (t.p[0] == '-' || t.p[0] == '+'))
		t = bytes_skip(t, 1);
	if (t.len == 0)
		return false;
	if (t.len > 2 && t.p[0] == '0' && strchr("xXoObB", t.p[1]))
		return all_in(bytes_skip(t, 2), "0123456789abcdefABCDEF_");
	if (!is_digit(t.p[0]) && !(t.len > 1 && t.p[0] == '.' && is_digit(t.p[1])))
		return false;
	return all_in(t, "0123456789._:eE+-") &&
	       !(bytes_find(t, '-') < t.len && bytes_find(t, 'e') == t.len &&
		 bytes_find(t, 'E') == t.len);
}

/* 2026-01-01 and longer: four digits, a hyphen, digits, a hyphen, a digit. */
static bool looks_like_time(struct bytes t)
{
	size_t i = 0;

	if (!(t.len >= 8 && is_digit(t.p[0]) && is_digit(t.p[1]) && is_digit(t.p[2]) &&
	      is_digit(t.p[3]) && t.p[4] == '-'))
		return false;
	for (i = 5; i < t.len && is_digit(t.p[i]); i++)
		;
	return i > 5 && i <= 7 && i + 1 < t.len && t.p[i] == '-' && is_digit(t.p[i + 1]) &&
	       all_in(t, "0123456789-:.+ \tTtZz");
}

enum yaml_tree_guess yaml_tree_guess(const struct yaml_tree_node *scalar)
{
	static const char *const nulls[] = { "", "~", "null", NULL };
	static const char *const bools[] = { "true", "false", "yes", "no", "on",
					     "off",  "y",     "n",   NULL };

	if (scalar->kind != YAML_TREE_SCALAR || !scalar->plain)
		return YAML_GUESS_TEXT;
	if (any_of(scalar->text, nulls))
		return YAML_GUESS_NULL;
	if (any_of(scalar->text, bools))
		return YAML_GUESS_BOOL;
	if (looks_like_time(scalar->text))
		return YAML_GUESS_TIME;
	return looks_like_number(scalar->text) ? YAML_GUESS_NUMBER : YAML_GUESS_TEXT;
}
