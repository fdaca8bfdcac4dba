/* A push is judged change by change, and so is what must be added for it. While it is only announced nobody knows its refs: what is then
 * proposed are branches below a name of their own, for Security to choose. */
#include "rules/policy_change_edit.h"
#include "rules/policy_git.h"
#include "rules/policy_judge.h"

#define ANNOUNCED_REFS "refs/heads/agent/**"

static const char *const kinds[] = { [GIT_CREATE] = "create", [GIT_UPDATE] = "update, force", [GIT_DELETE] = "delete" };

enum { COMMANDS_SHOWN = 4 };

/* NULL: announced. */
static void put_git_rule(struct change *c, const char *class, struct bytes repository, bool fetch, const struct git_command *command)
{
	buf_fmt(&c->text, "{class: %s, git: %s, paths: [", class, fetch ? "fetch" : "push");
	change_pattern(c, repository);
	buf_str(&c->text, "]");
	if (!fetch) {
		buf_str(&c->text, ", refs: [");
		change_quoted(c, command ? command->ref : bytes_str(ANNOUNCED_REFS));
		buf_fmt(&c->text, "], change: [%s]", command ? kinds[command->kind] : "create, update, force");
	}
	buf_str(&c->text, "}");
}

static void add_git_rule(struct change *c, struct bytes repository, bool fetch, const struct git_command *command)
{
	char class[CHANGE_CLASS_MAX], fault[160];

	if (command && !policy_ref_ok(command->ref, fault)) {
		c->never = "no rule can name this ref";
		return;
	}
	change_class(c, fetch, class);
	change_write_out(c);
	change_place(c, ".rules: add ");
	put_git_rule(c, class, repository, fetch, command);
	if (!fetch && !command)
		buf_str(&c->text, " with the refs that it needs");
}

/* The deciding rule says what the proposed one would, with another class. */
static bool is_exact(const struct change *c, const struct policy_verdict *v, struct bytes repository, uint32_t acts, const struct git_command *command)
{
	struct buf name BUF_AUTO = { .max = 2048 };
	struct bytes entry = blob_text(c->p, c->e->name);

	buf_fmt(&name, "%.*s: %.*s ", (int)entry.len, (const char *)entry.p, (int)v->class_name.len, (const char *)v->class_name.p);
	policy_acts_text(POLICY_GIT, acts, &name);
	buf_fmt(&name, " %.*s", (int)repository.len, (const char *)repository.p);
	if (command)
		buf_fmt(&name, " %.*s", (int)command->ref.len, (const char *)command->ref.p);
	return bytes_find(repository, '*') == repository.len && bytes_eq(buf_view(&name), v->rule);
}

static void refused(struct change *c, const struct policy_verdict *v, struct bytes repository, bool fetch, const struct git_command *command)
{
	static const uint32_t acts[] = { [GIT_CREATE] = POLICY_GIT_CREATE, [GIT_UPDATE] = POLICY_GIT_UPDATE | POLICY_GIT_FORCE, [GIT_DELETE] = POLICY_GIT_DELETE };

	switch ((int)v->reason) {
	case REASON_OK:
	case REASON_CREDENTIAL_UNBOUND: /* said for all of them at the end */
		break;
	case REASON_HTTP_DENIED:
		change_rule_place(c, v->rule, ": remove, or narrow it so that this repository and ref are left out");
		break;
	case REASON_GIT_PUSH_OPTIONS:
		change_rule_place(c, v->rule, ".push_options: set true");
		break;
	case REASON_VERDICT_DENY:
	case REASON_REVIEW_UNAVAILABLE:
		if ((fetch || command) && is_exact(c, v, repository, fetch ? (uint32_t)POLICY_GIT_FETCH : acts[command->kind], command)) {
			change_lift(c, v->rule, v->class_name, fetch);
			break;
		}
		add_git_rule(c, repository, fetch, command);
		break;
	case REASON_GIT_UNLISTED:
	case REASON_GIT_REF_UNLISTED:
		add_git_rule(c, repository, fetch, command);
		break;
	default:
		c->never = "a rule reads the push, and what it cannot read is never let through";
		break;
	}
}

static void refused_push(struct change *c, const struct policy_entry *entry, struct bytes repository)
{
	const struct policy_body *all = c->r->request->body;
	unsigned shown = 0;

	for (size_t i = 0; i < all->n_commands && shown < COMMANDS_SHOWN && !c->never; i++) {
		struct policy_body one = { .commands = &all->commands[i], .n_commands = 1, .is_push = true, .push_options = all->push_options };
		struct policy_request r = *c->r->request;
		struct policy_verdict v;

		r.body = &one;
		policy_judge(c->p, entry, &r, &v);
		shown += v.reason != REASON_OK;
		refused(c, &v, repository, false, &all->commands[i]);
	}
}

void change_git(struct change *c)
{
	const struct policy_request *r = c->r->request;
	enum policy_git_kind kind;
	struct policy_entry entry;
	struct bytes repository;
	struct policy_verdict v;

	kind = policy_git_kind_of(r, &repository);
	if (kind == POLICY_GIT_NONE) {
		c->never = "an entry of protocol git carries git's smart protocol alone; another service needs a name of its own";
		return;
	}
	if (policy_find(c->p, c->r->name, c->r->port, &entry) != REASON_OK)
		return;
	policy_judge(c->p, &entry, r, &v);
	if (kind == POLICY_GIT_PUSHED && r->body && r->body->state == POLICY_BODY_READ && r->body->is_push && r->body->n_commands)
		refused_push(c, &entry, repository);
	else
		refused(c, &v, repository, kind == POLICY_GIT_FETCH_ANNOUNCED || kind == POLICY_GIT_FETCHED, NULL);
	if (!c->never && entry.credential != POLICY_NONE && !blob_request_bound(c->p, entry.credential, POLICY_GIT, r))
		change_bind(c, repository);
}
