#include "rules/policy_change_edit.h"

#include <stdio.h>

#include "base/json_out.h"
#include "rules/policy_git.h"
#include "rules/policy_method.h"

#define OWN_CLASS "allowed"

void change_edit(struct change *c, const char *format, ...)
{
	va_list ap;

	if (c->text.len)
		buf_str(&c->text, "; ");
	va_start(ap, format);
	buf_vfmt(&c->text, format, ap);
	va_end(ap);
}

void change_never(struct change *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(c->why, sizeof(c->why), format, ap);
	va_end(ap);
	c->never = c->why;
}

void change_quoted(struct change *c, struct bytes text)
{
	struct json_out j;

	json_out_init(&j, &c->text);
	json_out_bytes(&j, text);
}

void change_pattern(struct change *c, struct bytes text)
{
	if (bytes_find(text, '*') < text.len)
		c->never = "it has an asterisk, which in a policy stands for anything: no rule is about it alone";
	else
		change_quoted(c, text);
}

void change_place(struct change *c, const char *inside)
{
	struct bytes name = blob_text(c->p, c->e->name);

	change_edit(c, "network[%.*s]%s", (int)name.len, (const char *)name.p, inside);
}

void change_rule_place(struct change *c, struct bytes rule, const char *inside)
{
	change_place(c, ".rules[");
	change_quoted(c, rule);
	buf_fmt(&c->text, "]%s", inside);
}

/* A class has the same verdict in all rules. False: no rule has it, and so it has no verdict. */
static bool class_effect(const struct policy *p, const char *class, uint32_t *ret)
{
	const struct blob_rule *rules = blob_at(p, BLOB_RULES);

	for (uint32_t i = 0; i < blob_n(p, BLOB_RULES); i++)
		if (bytes_is(blob_text(p, rules[i].class), class)) {
			*ret = rules[i].effect;
			return true;
		}
	return false;
}

/* An edit that stands there already is made once: the same policy is asked again about other spellings of a path. */
static bool edited(const struct change *c, const char *edit)
{
	return c->text.len && memmem(c->text.p, c->text.len, edit, strlen(edit));
}

void change_class(struct change *c, bool reads, char ret[CHANGE_CLASS_MAX])
{
	char edit[CHANGE_CLASS_MAX + 32];
	uint32_t effect = POLICY_EFFECT_ALLOW;
	bool known;

	(void)snprintf(ret, CHANGE_CLASS_MAX, "%s", reads ? "read" : "write");
	known = class_effect(c->p, ret, &effect);
	for (unsigned i = 1; known && effect != POLICY_EFFECT_ALLOW; i++) {
		(void)snprintf(ret, CHANGE_CLASS_MAX, i == 1 ? OWN_CLASS : OWN_CLASS "-%u", i);
		known = class_effect(c->p, ret, &effect);
	}
	(void)snprintf(edit, sizeof(edit), "verdicts: add %s: allow", ret);
	if (!known && !edited(c, edit))
		change_edit(c, "%s", edit);
}

static uint32_t count_class(const struct policy *p, struct bytes class)
{
	const struct blob_rule *rules = blob_at(p, BLOB_RULES);
	uint32_t n = 0;

	for (uint32_t i = 0; i < blob_n(p, BLOB_RULES); i++)
		n += bytes_eq(blob_text(p, rules[i].class), class);
	return n;
}

void change_lift(struct change *c, struct bytes rule, struct bytes class, bool reads)
{
	char other[CHANGE_CLASS_MAX];

	if (count_class(c->p, class) == 1) {
		change_edit(c, "verdicts: set %.*s: allow", (int)class.len, (const char *)class.p);
		return;
	}
	change_class(c, reads, other);
	change_rule_place(c, rule, ".class: set ");
	buf_str(&c->text, other);
}

/* The i-th rule is the one of the preset. */
static bool is_preset_rule(const struct change *c, uint32_t i, const char *class, uint32_t methods)
{
	const struct blob_rule *r = (const struct blob_rule *)blob_at(c->p, BLOB_RULES) + c->e->rules.first + i;
	struct bytes name = blob_text(c->p, r->name);

	return bytes_is(blob_text(c->p, r->class), class) && r->methods == methods && r->flags == 0 && r->conditions.n == 0 &&
	       bytes_ends(name, bytes_str(" /**"));
}

/* Which rule of the two comes first is a matter of their content. */
static bool has_preset_rule(const struct change *c, const char *class, uint32_t methods)
{
	return is_preset_rule(c, 0, class, methods) || is_preset_rule(c, c->e->rules.n - 1, class, methods);
}

/* `access: full` writes with every method that does not read. As rules: with any, beside which the rule that reads is the narrower one; but where
 * writing is held back no further than reading, the compiler takes that for a rule that means to hold back the others, too. */
static bool write_out_full(struct change *c)
{
	const uint32_t writes = POLICY_METHODS_ALL & ~(uint32_t)(POLICY_METHOD_GET | POLICY_METHOD_HEAD | POLICY_METHOD_WEBSOCKET);
	uint32_t reading = POLICY_EFFECT_ALLOW, writing = POLICY_EFFECT_ALLOW, bit;
	const char *word;
	bool any;

	if (c->e->protocol != POLICY_REST || c->e->rules.n != 2 || !has_preset_rule(c, "write", writes))
		return false;
	(void)class_effect(c->p, "read", &reading);
	(void)class_effect(c->p, "write", &writing);
	any = writing > reading;
	change_place(c, ".access: write out as rules [{class: read, methods: [GET, HEAD], paths: [\"/**\"]}, {class: write, methods: [");
	for (unsigned i = 0; !any && (word = policy_method_at(i, &bit)) != NULL; i++)
		if (bit & writes)
			buf_fmt(&c->text, "%s, ", word);
	c->text.len -= any ? 0 : strlen(", ");
	buf_fmt(&c->text, "%s], paths: [\"/**\"]}]%s", any ? "\"*\"" : "",
		!any ? " (beside rules, methods that have no name here are refused)" : "");
	return true;
}

/* Entries with `access` and those that write the same as rules are one in the compiled policy. */
void change_write_out(struct change *c)
{
	static const struct {
		enum policy_protocol protocol;
		uint32_t write;
		const char *text;
	} presets[] = {
		{ POLICY_REST, POLICY_METHOD_POST | POLICY_METHOD_PUT | POLICY_METHOD_PATCH, "methods: [POST, PUT, PATCH]" },
		{ POLICY_GIT, POLICY_GIT_CREATE | POLICY_GIT_UPDATE | POLICY_GIT_FORCE, "git: push, refs: [\"refs/**\"], change: [create, update, force]" },
		{ POLICY_GIT, POLICY_GIT_PUSH, "git: push, refs: [\"refs/**\"], change: [create, update, force, delete]" },
	};
	bool git = c->e->protocol == POLICY_GIT;
	uint32_t reads = git ? (uint32_t)POLICY_GIT_FETCH : (uint32_t)(POLICY_METHOD_GET | POLICY_METHOD_HEAD);
	const char *write = NULL;

	if (edited(c, ".access: write out as rules [") || c->e->rules.n == 0 || c->e->rules.n > 2 || !has_preset_rule(c, "read", reads) || write_out_full(c))
		return;
	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
		if (c->e->protocol == (uint32_t)presets[i].protocol && has_preset_rule(c, "write", presets[i].write))
			write = presets[i].text;
	if (c->e->rules.n == 2 && !write)
		return;
	change_place(c, ".access: write out as rules [");
	buf_fmt(&c->text, "{class: read, %s, paths: [\"/**\"]}", git ? "git: fetch" : "methods: [GET, HEAD]");
	if (write)
		buf_fmt(&c->text, ", {class: write, %s, paths: [\"/**\"]}", write);
	buf_str(&c->text, "]");
}
