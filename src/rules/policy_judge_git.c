/* Which rule of a git entry decides. The acts of the protocol stand in the place of methods and the repository in that of the path.
 *
 * A push is announced before its commands are known. It may be announced when some change of some ref would pass, which for each kind of change is so
 * when a rule that allows it stands before the first rule that decides for all refs. The push itself is judged command by command, and the
 * strictest answer is the answer to all: git carries out the rest when one ref is refused. */
#include "base/must.h"
#include "rules/policy_body.h"
#include "rules/policy_git.h"
#include "rules/policy_judge.h"
#include "rules/policy_path.h"
#include "rules/policy_walk.h"

struct git_judge {
	const struct policy *p;
	const struct blob_entry *e;
	const struct blob_rule *rules;
	uint32_t act;
	struct bytes ref; /* empty while announced */
	bool options; /* Gerrit finds some in it that need a grant */
	bool announced;
	bool listed; /* some allow rule has the repository and the act */
	uint32_t best; /* the first rule that decides, so far */
	uint32_t firm[5]; /* announced, by act: the first rule about all refs, the first that allows, and the first that does not deny */
	uint32_t allow[5];
	uint32_t open[5];
};

static bool ref_met(const struct git_judge *j, const struct blob_rule *r)
{
	const struct blob_condition *c = (const struct blob_condition *)blob_at(j->p, BLOB_CONDITIONS) + r->conditions.first;

	for (uint32_t i = 0; i < r->conditions.n; i++) {
		const struct blob_str *values = (const struct blob_str *)blob_at(j->p, BLOB_VALUES) + c[i].values.first;
		bool met = false;

		for (uint32_t k = 0; k < c[i].values.n && c[i].kind == POLICY_CONDITION_REF && !met; k++)
			met = policy_path_match_tail(bytes_skip(blob_text(j->p, values[k]), 1), j->ref);
		if (!met)
			return false;
	}
	return true;
}

static void consider_act(void *owner, uint32_t index)
{
	struct git_judge *j = owner;
	const struct blob_rule *r = &j->rules[index];

	if (!(r->methods & j->act) || index >= j->best)
		return;
	j->listed = j->listed || r->effect != POLICY_EFFECT_DENY_RULE;
	if (ref_met(j, r))
		j->best = index;
}

static void consider_announced(void *owner, uint32_t index)
{
	struct git_judge *j = owner;
	const struct blob_rule *r = &j->rules[index];

	for (unsigned i = 0; i < 5; i++) {
		if (!(r->methods & j->act & 1U << i))
			continue;
		if (r->conditions.n == 0 && index < j->firm[i])
			j->firm[i] = index;
		if (r->effect == POLICY_EFFECT_ALLOW && index < j->allow[i])
			j->allow[i] = index;
		if (r->effect != POLICY_EFFECT_DENY_RULE && index < j->open[i])
			j->open[i] = index;
		if (index < j->best && !(r->effect == POLICY_EFFECT_DENY_RULE && r->conditions.n))
			j->best = index;
	}
}

static enum reason reason_of(const struct git_judge *j)
{
	if (j->best == BLOB_NONE)
		return j->listed && j->ref.len ? REASON_GIT_REF_UNLISTED : REASON_GIT_UNLISTED;
	return policy_effect_reason((enum policy_effect)j->rules[j->best].effect);
}

/* The first rule, of one of the lists by act, that no rule about all refs stands before. */
static uint32_t first_of(const struct git_judge *j, const uint32_t by_act[5])
{
	uint32_t best = BLOB_NONE;

	for (unsigned i = 0; i < 5; i++)
		if (by_act[i] != BLOB_NONE && by_act[i] <= j->firm[i] && by_act[i] < best)
			best = by_act[i];
	return best;
}

/* Where none could pass, a rule whose class is held back is nearer to it than one that denies. */
static enum reason judge_announced(struct git_judge *j, struct bytes repository)
{
	uint32_t none = BLOB_NONE, best, nearest;

	j->best = BLOB_NONE;
	memset(j->firm, 0xff, sizeof(j->firm));
	memset(j->allow, 0xff, sizeof(j->allow));
	memset(j->open, 0xff, sizeof(j->open));
	policy_walk(j->p, j->e, repository, &none, consider_announced, j);
	best = first_of(j, j->allow);
	nearest = best != BLOB_NONE ? best : first_of(j, j->open);
	if (nearest != BLOB_NONE)
		j->best = nearest;
	return best != BLOB_NONE ? REASON_OK : reason_of(j);
}

static enum reason judge_act(struct git_judge *j, struct bytes repository)
{
	j->best = BLOB_NONE;
	j->listed = false;
	policy_walk(j->p, j->e, repository, &j->best, consider_act, j);
	return reason_of(j);
}

/* Denied is stricter than reviewed, which is stricter than allowed. */
static unsigned rank(enum reason r)
{
	return r == REASON_OK ? 0 : r == REASON_REVIEW_UNAVAILABLE ? 1 : 2;
}

static uint32_t act_of(enum git_command_kind kind)
{
	switch (kind) {
	case GIT_CREATE:
		return POLICY_GIT_CREATE;
	case GIT_UPDATE:
		return POLICY_GIT_UPDATE;
	case GIT_DELETE:
		return POLICY_GIT_DELETE;
	}
	return 0;
}

/* What a change is called, who is told of it, and who sees it: `git review` says a topic by itself. No value begins as an option of Gerrit's own command line,
 * into which it is put. */
static bool is_harmless(struct bytes option)
{
	static const char *const with_value[] = { "topic", "hashtag", "t", "r", "reviewer", "cc", "m", "message", "notify" };
	static const char *const alone[] = { "wip", "work-in-progress", "ready", "private", "remove-private" };
	size_t mark = bytes_find(option, '=');
	struct bytes name = bytes_of(option.p, mark), value = bytes_skip(option, mark < option.len ? mark + 1 : mark);

	for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
		if (bytes_is(option, alone[i]))
			return true;
	for (size_t i = 0; i < sizeof(with_value) / sizeof(with_value[0]); i++)
		if (bytes_is(name, with_value[i]))
			return value.len && value.p[0] != '-';
	return false;
}

/* Gerrit takes what stands behind a `%` for options, with commas between: refs/for/main%submit goes into main at once. */
static bool has_options(struct bytes ref)
{
	static const char *const magic[] = { "refs/for/", "refs/drafts/", "refs/publish/" };

	for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++)
		if (bytes_starts(ref, bytes_str(magic[i])))
			return bytes_find(ref, '%') < ref.len;
	return false;
}

static bool all_harmless(struct bytes options)
{
	while (options.len) { /* at the mark before one */
		struct bytes one = bytes_skip(options, 1);

		one.len = bytes_find(one, ',');
		if (!is_harmless(one))
			return false;
		options = bytes_skip(options, 1 + one.len);
	}
	return true;
}

/* The rule's own patterns speak of options. */
static bool names_options(const struct git_judge *j, uint32_t rule)
{
	const struct blob_rule *r = &j->rules[rule];
	const struct blob_condition *c = (const struct blob_condition *)blob_at(j->p, BLOB_CONDITIONS) + r->conditions.first;

	for (uint32_t i = 0; i < r->conditions.n; i++) {
		const struct blob_str *values = (const struct blob_str *)blob_at(j->p, BLOB_VALUES) + c[i].values.first;

		for (uint32_t k = 0; k < c[i].values.n; k++) {
			struct bytes pattern = bytes_skip(blob_text(j->p, values[k]), 1);

			if (has_options(pattern) && policy_path_match_tail(pattern, j->ref))
				return true;
		}
	}
	return false;
}

/* A ref is met as it is sent. What is forbidden of the branch is forbidden with options, too; and so is what is held back, unless the rule that allows it names
 * options itself. */
static enum reason judge_ref(struct git_judge *j, struct bytes ref, struct bytes repository)
{
	size_t mark = bytes_find(ref, '%');
	enum reason r, branch;
	uint32_t best;
	bool named;

	j->ref = ref;
	j->options = has_options(ref) && !all_harmless(bytes_skip(ref, mark));
	r = judge_act(j, repository);
	best = j->best;
	if (best == BLOB_NONE || !has_options(ref))
		return r;
	named = names_options(j, best);
	j->ref = bytes_of(ref.p, mark);
	branch = judge_act(j, repository);
	if (j->best != BLOB_NONE && rank(branch) > rank(r) && (!named || j->rules[j->best].effect == POLICY_EFFECT_DENY_RULE))
		return branch;
	j->best = best;
	return r;
}

static enum reason judge_pushes(struct git_judge *j, const struct policy_body *b, struct bytes repository)
{
	enum reason all = REASON_OK;
	uint32_t best = BLOB_NONE;

	for (size_t i = 0; i < b->n_commands; i++) {
		enum reason r;

		j->act = act_of(b->commands[i].kind);
		r = judge_ref(j, b->commands[i].ref, repository);
		if (r == REASON_OK && (b->push_options || j->options) && !(j->rules[j->best].flags & BLOB_PUSH_OPTIONS))
			r = REASON_GIT_PUSH_OPTIONS;
		if (i == 0 || rank(r) > rank(all)) {
			all = r;
			best = j->best;
		}
	}
	j->best = best;
	return all;
}

/* Where no push could pass, what was asked for is no more than another reason, and that of the rule that decides it. */
static enum reason judge_pushed(struct git_judge *j, const struct policy_body *b, struct bytes repository, enum policy_needs *ret_needs)
{
	enum reason any = judge_announced(j, repository), asked;
	bool is_read = b && b->state == POLICY_BODY_READ && b->is_push;
	uint32_t best = j->best;

	if (is_read && b->n_commands) {
		asked = judge_pushes(j, b, repository);
		if (any == REASON_OK || asked != REASON_OK)
			return asked;
		j->best = best;
	}
	if (any != REASON_OK || is_read)
		return any;
	if (!b) {
		*ret_needs = POLICY_NEEDS_GIT;
		return REASON_BODY_NEEDED;
	}
	return policy_body_reason(b->state);
}

enum reason policy_judge_git(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, uint32_t *ret_best,
			     enum policy_needs *ret_needs)
{
	struct git_judge j = { .p = p, .e = e, .best = BLOB_NONE, .act = POLICY_GIT_PUSH };
	struct bytes repository = { 0 };
	enum reason reason = REASON_GIT_NOT;

	j.rules = (const struct blob_rule *)blob_at(p, BLOB_RULES) + e->rules.first;
	switch (policy_git_kind_of(r, &repository)) {
	case POLICY_GIT_NONE:
		break;
	case POLICY_GIT_FETCH_ANNOUNCED:
	case POLICY_GIT_FETCHED:
		j.act = POLICY_GIT_FETCH;
		reason = judge_act(&j, repository);
		break;
	case POLICY_GIT_PUSH_ANNOUNCED:
		reason = judge_announced(&j, repository);
		break;
	case POLICY_GIT_PUSHED:
		reason = judge_pushed(&j, r->body, repository, ret_needs);
		break;
	}
	*ret_best = j.best;
	return reason;
}
