/* git: what a request is, and which rules decide fetches and pushes. */
#include "rules/policy_body.h"
#include "rules/policy_git.h"
#include "rules/policy_test_kit.h"

#define TOP "version: 1\nname: test\nverdicts: {read: allow, write: allow}\nnetwork:\n"
#define GIT(rules) TOP "  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: [\n" rules "]}\n"
#define FETCH "      {class: read, git: fetch, paths: [/o/r, '/pub/**']},\n"
#define PUSH "      {class: write, git: push, paths: [/o/r], refs: ['refs/heads/agent/**', 'refs/heads/x-*'], change: [create, update, force]}"

static struct policy_verdict ask(const struct kit *k, const char *method, const char *target, const struct policy_body *body)
{
	struct bytes t = bytes_str(target);
	size_t mark = bytes_find(t, '?');
	struct policy_request r = { .method = bytes_str(method), .path = bytes_of(t.p, mark), .has_query = mark < t.len, .body = body };
	struct policy_verdict v = { .reason = REASON_COUNT };
	struct policy_entry e;

	if (r.has_query)
		r.query = bytes_skip(t, mark + 1);
	if (CHECK(k->ok) && CHECK_INT(policy_find(&k->policy, bytes_str("git.example"), 443, &e), REASON_OK))
		policy_judge(&k->policy, &e, &r, &v);
	return v;
}

static struct policy_verdict push(const struct kit *k, const char *repository, enum git_command_kind kind, const char *ref)
{
	struct git_command one = { .kind = kind, .ref = bytes_str(ref) };
	struct policy_body body = { .commands = &one, .n_commands = 1, .is_push = true };
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/git-receive-pack", repository);
	return ask(k, "POST", path, &body);
}

TEST(the_four_requests_of_the_smart_protocol_are_told_from_all_others)
{
	static const struct {
		const char *method, *path, *query;
		enum policy_git_kind kind;
	} rows[] = {
		{ "GET", "/o/r.git/info/refs", "service=git-upload-pack", POLICY_GIT_FETCH_ANNOUNCED },
		{ "GET", "/o/r/info/refs", "service=git-receive-pack", POLICY_GIT_PUSH_ANNOUNCED },
		{ "POST", "/o/r.git/git-upload-pack", NULL, POLICY_GIT_FETCHED },
		{ "POST", "/o/r.git/git-receive-pack", NULL, POLICY_GIT_PUSHED },
		{ "GET", "/o/r/info/refs", NULL, POLICY_GIT_NONE },
		{ "GET", "/o/r/info/refs", "service=git-upload-archive", POLICY_GIT_NONE },
		{ "GET", "/o/r/info/refs", "service=git-upload-pack&service=git-receive-pack", POLICY_GIT_NONE },
		{ "GET", "/o/r/info/refs", "service=git%2dupload-pack", POLICY_GIT_NONE },
		{ "HEAD", "/o/r/info/refs", "service=git-upload-pack", POLICY_GIT_NONE },
		{ "POST", "/o/r/git-receive-pack", "x=1", POLICY_GIT_NONE },
		{ "GET", "/o/r/git-receive-pack", NULL, POLICY_GIT_NONE },
		{ "POST", "/o/r/git-upload-archive", NULL, POLICY_GIT_NONE },
		{ "POST", "/o/r.git/info/lfs/objects/batch", NULL, POLICY_GIT_NONE },
		{ "GET", "/o/r/HEAD", NULL, POLICY_GIT_NONE },
		{ "POST", "/git-receive-pack", NULL, POLICY_GIT_NONE },
	};
	struct bytes repository;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_request r = { .method = bytes_str(rows[i].method), .path = bytes_str(rows[i].path), .has_query = rows[i].query };

		if (rows[i].query)
			r.query = bytes_str(rows[i].query);
		CHECK_INT(policy_git_kind_of(&r, &repository), rows[i].kind);
		CHECK(rows[i].kind == POLICY_GIT_NONE || bytes_is(repository, "/o/r"));
	}
	CHECK(bytes_is(policy_git_repository(bytes_str("/o/r/.git")), "/o/r") && bytes_is(policy_git_repository(bytes_str("/o/r.git/.git/.git")), "/o/r"));
	CHECK(bytes_is(policy_git_repository(bytes_str("/.git/.git")), "/.git") && bytes_is(policy_git_repository(bytes_str("/x.git.git")), "/x.git"));
	CHECK(bytes_is(policy_git_repository(bytes_str("/.git")), "/.git") && bytes_is(policy_git_repository(bytes_str("/a.git")), "/a"));
}

TEST(a_denied_repository_is_denied_by_each_of_its_names)
{
	static const char *const names[] = { "/o/secret", "/o/secret.git", "/o/secret/.git", "/o/secret.git/.git", "/o%2Fsecret", "/o/secret%2F.git", "/o%2Fsecret.git" };
	struct kit k = kit_compile("version: 1\nverdicts: {read: allow, write: allow}\nnetwork:\n"
				   "  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, encoded_slash: true, rules: [\n"
				   "      {class: read, git: fetch, paths: ['/**']}, {class: write, git: push, paths: ['/**'], refs: ['refs/**'], change: [create]},\n"
				   "      {deny: true, git: fetch, paths: [/o/secret]}, {deny: true, git: push, paths: [/o/secret], refs: ['refs/**'], change: [create]}]}\n");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char target[128];

		(void)snprintf(target, sizeof(target), "%s/info/refs?service=git-upload-pack", names[i]);
		CHECK_INT(ask(&k, "GET", target, NULL).reason, REASON_HTTP_DENIED);
		(void)snprintf(target, sizeof(target), "%s/git-upload-pack", names[i]);
		CHECK_INT(ask(&k, "POST", target, NULL).reason, REASON_HTTP_DENIED);
		if (!CHECK_INT(push(&k, names[i], GIT_CREATE, "refs/heads/x").reason, REASON_HTTP_DENIED))
			printf("# %s\n", names[i]);
	}
	CHECK_INT(ask(&k, "POST", "/o/secrets/git-upload-pack", NULL).reason, REASON_OK);
	CHECK_INT(push(&k, "/o%2Fr", GIT_CREATE, "refs/heads/x").reason, REASON_OK);
	kit_free(&k);
}

/* Gerrit */
TEST(i18_options_in_the_name_of_a_ref_are_push_options)
{
	struct kit k = kit_compile(TOP "  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: [\n" FETCH
				       "      {class: write, git: push, paths: [/o/r], refs: ['refs/for/**', 'refs/heads/**'], change: [create]},\n"
				       "      {class: write, git: push, paths: [/o/w], refs: ['refs/for/**'], change: [create], push_options: true}]}\n");

	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/main").reason, REASON_OK);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/main%submit").reason, REASON_GIT_PUSH_OPTIONS);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/refs/heads/main%l=Code-Review+2").reason, REASON_GIT_PUSH_OPTIONS);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/heads/50%").reason, REASON_OK);
	CHECK_INT(push(&k, "/o/w", GIT_CREATE, "refs/for/main%submit").reason, REASON_OK);
	kit_free(&k);
}

TEST(options_in_the_name_of_a_ref_that_put_nothing_into_a_branch_pass)
{
	static const char *const good[] = { "topic=fix-1", "hashtag=a,t=b", "wip", "work-in-progress,topic=x", "ready", "private", "remove-private", "r=a@b.example,cc=c",
					    "reviewer=a,m=Done", "message=a%2Cb", "notify=NONE", "topic=a=b", "topic=a%submit" };
	static const char *const bad[] = { "", "submit", "l=Code-Review+2", "label=Verified+1", "merged", "edit", "unknown", "topic", "topic=", "topic=a,submit", "submit,topic=a",
					   "topic=a,", "topic=a,,wip", ",wip", "wip=true", "Topic=a", "wip%submit", "=a", "topic=--a=--submit", "top", "topics=a" };
	struct kit k = kit_compile(GIT(FETCH "      {class: write, git: push, paths: [/o/r], refs: ['refs/for/*', 'refs/drafts/x%*'], change: [create]}"));
	char ref[128];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(ref, sizeof(ref), "refs/for/main%%%s", good[i]);
		if (!CHECK_INT(push(&k, "/o/r", GIT_CREATE, ref).reason, REASON_OK))
			printf("# %s\n", ref);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(ref, sizeof(ref), "refs/for/main%%%s", bad[i]);
		if (!CHECK_INT(push(&k, "/o/r", GIT_CREATE, ref).reason, REASON_GIT_PUSH_OPTIONS))
			printf("# %s\n", ref);
	}
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/drafts/x%topic=a").reason, REASON_OK);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/drafts/x").reason, REASON_GIT_REF_UNLISTED);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/heads/x%topic=a").reason, REASON_GIT_REF_UNLISTED);
	kit_free(&k);
}

TEST(i18_a_branch_that_is_denied_is_denied_with_options_too)
{
	static const char *const refs[] = { "refs/for/main", "refs/for/main%topic=a", "refs/for/main%topic=a/b,wip", "refs/for/main%submit", "refs/for/main%" };
	struct kit k = kit_compile(GIT(FETCH "      {class: write, git: push, paths: [/o/r], refs: ['refs/for/**'], change: [create], push_options: true},\n"
					     "      {deny: true, git: push, paths: [/o/r], refs: ['refs/for/main'], change: [create]}"));

	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++)
		if (!CHECK_INT(push(&k, "/o/r", GIT_CREATE, refs[i]).reason, REASON_HTTP_DENIED))
			printf("# %s\n", refs[i]);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/stable%submit").reason, REASON_OK);
	kit_free(&k);
	k = kit_compile(GIT(FETCH "      {class: write, git: push, paths: [/o/r], refs: ['refs/for/main'], change: [create], push_options: true}"));
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/main").reason, REASON_OK);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/main%topic=a/b").reason, REASON_GIT_REF_UNLISTED);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/main%submit").reason, REASON_GIT_REF_UNLISTED);
	kit_free(&k);
}

/* Whichever of two rules the compiler puts first. */
TEST(i18_what_is_held_back_is_not_let_through_by_options_unless_a_rule_names_them)
{
	struct kit k = kit_compile("version: 1\nname: test\nverdicts: {read: allow, write: allow, held: deny}\nnetwork:\n"
				    "  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: [\n"
				    FETCH "      {class: write, git: push, paths: [/o/r], refs: [refs/for/main], change: [create]},\n"
				    "      {class: held, git: push, paths: [/o/r], refs: ['refs/for/main%*'], change: [create]},\n"
				    "      {class: held, git: push, paths: [/o/r], refs: [refs/for/stable], change: [create]},\n"
				    "      {class: write, git: push, paths: [/o/r], refs: ['refs/for/stable%topic=*'], change: [create]},\n"
				    "      {class: held, git: push, paths: [/o/r], refs: [refs/for/dev], change: [create]},\n"
				    "      {class: write, git: push, paths: [/o/r], refs: ['refs/for/d*'], change: [create]}]}\n");

	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/main").reason, REASON_OK);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/main%topic=x").reason, REASON_VERDICT_DENY);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/stable").reason, REASON_VERDICT_DENY);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/stable%topic=x").reason, REASON_OK);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/dev%topic=x").reason, REASON_VERDICT_DENY);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/done%topic=x").reason, REASON_OK);
	kit_free(&k);
}

TEST(i16_the_announcement_and_the_request_both_need_the_grant)
{
	struct kit k = kit_compile(GIT(FETCH PUSH));

	CHECK_INT(ask(&k, "GET", "/o/r.git/info/refs?service=git-upload-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "POST", "/o/r/git-upload-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "GET", "/o/r/info/refs?service=git-receive-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", NULL).reason, REASON_BODY_NEEDED);
	CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", NULL).needs, POLICY_NEEDS_GIT);
	CHECK_INT(ask(&k, "GET", "/pub/a/b/info/refs?service=git-upload-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "GET", "/pub/a/b/info/refs?service=git-receive-pack", NULL).reason, REASON_GIT_UNLISTED);
	CHECK_INT(ask(&k, "POST", "/pub/a/git-receive-pack", NULL).reason, REASON_GIT_UNLISTED);
	CHECK_INT(ask(&k, "POST", "/pub/a/git-receive-pack", NULL).needs, POLICY_NEEDS_NOTHING);
	CHECK_INT(ask(&k, "POST", "/o/other/git-upload-pack", NULL).reason, REASON_GIT_UNLISTED);
	CHECK(bytes_is(ask(&k, "POST", "/o/r/git-upload-pack", NULL).rule, "src: read fetch /o/r (+1)"));
	kit_free(&k);
}

TEST(i19_everything_else_on_a_git_host_is_refused)
{
	struct kit k = kit_compile(GIT(FETCH PUSH));

	CHECK_INT(ask(&k, "POST", "/o/r.git/info/lfs/objects/batch", NULL).reason, REASON_GIT_NOT);
	CHECK_INT(ask(&k, "POST", "/o/r/git-upload-archive", NULL).reason, REASON_GIT_NOT);
	CHECK_INT(ask(&k, "GET", "/o/r/info/refs", NULL).reason, REASON_GIT_NOT);
	CHECK_INT(ask(&k, "GET", "/o/r", NULL).reason, REASON_GIT_NOT);
	kit_free(&k);
}

TEST(i18_a_push_is_judged_ref_by_ref_and_the_strictest_answer_counts)
{
	struct kit k = kit_compile("version: 1\nverdicts: {draft: allow, write: review}\nnetwork:\n"
				   "  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: [\n"
				   "      {class: draft, git: push, paths: [/o/r], refs: ['refs/heads/agent/**'], change: [create, update, force, delete]},\n"
				   "      {class: write, git: push, paths: [/o/r], refs: ['refs/heads/**'], change: [create, update, force, delete]},\n"
				   "      {deny: true, git: push, paths: ['/**'], refs: ['refs/heads/main'], change: [create, update, force, delete]}]}\n");
	struct git_command many[] = { { .kind = GIT_UPDATE, .ref = bytes_str("refs/heads/agent/a") },
				      { .kind = GIT_CREATE, .ref = bytes_str("refs/heads/dev") },
				      { .kind = GIT_CREATE, .ref = bytes_str("refs/heads/agent/b") } };
	struct policy_body body = { .commands = many, .n_commands = 3, .is_push = true };
	struct policy_verdict v;

	CHECK_INT(push(&k, "/o/r.git", GIT_UPDATE, "refs/heads/agent/a/b").reason, REASON_OK);
	CHECK_INT(push(&k, "/o/r", GIT_UPDATE, "refs/heads/dev").reason, REASON_REVIEW_UNAVAILABLE);
	CHECK_INT(push(&k, "/o/r", GIT_UPDATE, "refs/heads/main").reason, REASON_HTTP_DENIED);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/tags/v1").reason, REASON_GIT_REF_UNLISTED);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/for/main").reason, REASON_GIT_REF_UNLISTED);
	v = ask(&k, "POST", "/o/r/git-receive-pack", &body);
	CHECK(v.reason == REASON_REVIEW_UNAVAILABLE && bytes_is(v.class_name, "write") && v.needs == POLICY_NEEDS_NOTHING);
	many[2].ref = bytes_str("refs/heads/main");
	CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", &body).reason, REASON_HTTP_DENIED);
	body.n_commands = 1;
	v = ask(&k, "POST", "/o/r/git-receive-pack", &body);
	CHECK(v.reason == REASON_OK && bytes_is(v.rule, "src: draft push create,update,force,delete /o/r refs/heads/agent/**"));
	body.n_commands = 0; /* what a client sends to see whether it may */
	CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", &body).reason, REASON_OK);
	CHECK_INT(ask(&k, "POST", "/o/x/git-receive-pack", &body).reason, REASON_GIT_UNLISTED);
	kit_free(&k);
}

TEST(changes_and_push_options_are_granted_by_name)
{
	struct kit k = kit_compile(GIT(FETCH PUSH));
	struct git_command one = { .kind = GIT_CREATE, .ref = bytes_str("refs/heads/x-1") };
	struct policy_body body = { .commands = &one, .n_commands = 1, .is_push = true, .push_options = true };

	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/heads/x-1").reason, REASON_OK);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/heads/x-1/y").reason, REASON_GIT_REF_UNLISTED);
	CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/heads/agent").reason, REASON_GIT_REF_UNLISTED);
	CHECK_INT(push(&k, "/o/r", GIT_DELETE, "refs/heads/x-1").reason, REASON_GIT_UNLISTED);
	CHECK_INT(push(&k, "/o/r", (enum git_command_kind)9, "refs/heads/x-1").reason, REASON_GIT_UNLISTED);
	CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", &body).reason, REASON_GIT_PUSH_OPTIONS);
	kit_free(&k);
	k = kit_compile(GIT("      {class: write, git: push, paths: [/o/r], refs: ['refs/**'], change: [create], push_options: true}")
			"  - {name: r, hosts: [r.example], ports: [443], mode: intercept, protocol: rest, access: read-only}\n");
	CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", &body).reason, REASON_OK);
	kit_free(&k);
}

TEST(a_push_that_cannot_be_read_is_refused)
{
	static const struct {
		enum policy_body_state state;
		enum reason reason;
	} rows[] = { { POLICY_BODY_READ, REASON_BODY_NOT_PARSABLE },	   { POLICY_BODY_TOO_LARGE, REASON_BODY_TOO_LARGE },
		     { POLICY_BODY_IS_CODED, REASON_BODY_CODED },	   { POLICY_BODY_UNPARSABLE, REASON_BODY_NOT_PARSABLE },
		     { POLICY_BODY_UNCLEAR, REASON_BODY_AMBIGUOUS } };
	struct kit k = kit_compile(GIT(FETCH PUSH));

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", &(struct policy_body){ .state = rows[i].state }).reason, rows[i].reason);
	kit_free(&k);
}

TEST(a_push_is_announced_only_where_some_change_would_pass)
{
	struct kit k = kit_compile("version: 1\nverdicts: {draft: allow, write: deny}\nnetwork:\n"
				   "  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: [\n"
				   "      {class: draft, git: push, paths: ['/**'], refs: ['refs/**'], change: [create, update, force]},\n"
				   "      {class: write, git: push, paths: ['/closed/**'], refs: ['refs/**'], change: [create, update, force]},\n"
				   "      {class: draft, git: push, paths: ['/closed/but'], refs: ['refs/heads/x'], change: [create]},\n"
				   "      {deny: true, git: push, paths: ['/half/**'], refs: ['refs/**'], change: [update, force]},\n"
				   "      {deny: true, git: push, paths: ['/no/**'], refs: ['refs/**'], change: [create, update, force]}]}\n");

	CHECK_INT(ask(&k, "GET", "/a/info/refs?service=git-receive-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "GET", "/closed/a/info/refs?service=git-receive-pack", NULL).reason, REASON_VERDICT_DENY);
	CHECK_INT(ask(&k, "POST", "/closed/a/git-receive-pack", NULL).reason, REASON_VERDICT_DENY);
	CHECK_INT(ask(&k, "GET", "/closed/but/info/refs?service=git-receive-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "GET", "/half/a/info/refs?service=git-receive-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "GET", "/no/a/info/refs?service=git-receive-pack", NULL).reason, REASON_HTTP_DENIED);
	CHECK_INT(push(&k, "/half/a", GIT_UPDATE, "refs/heads/x").reason, REASON_HTTP_DENIED);
	CHECK_INT(push(&k, "/half/a", GIT_CREATE, "refs/heads/x").reason, REASON_OK);
	kit_free(&k);
}

TEST(a_repository_has_one_name_with_and_without_its_ending)
{
	struct kit k = kit_compile(GIT("      {class: read, git: fetch, paths: ['/o/*', /o/r.git]}, {class: write, git: push, paths: [/o/r, /o/r.git], refs: ['refs/**'], change: [create]},\n"
				       "      {deny: true, git: fetch, paths: [/o/secret.git]}"));

	CHECK_INT(ask(&k, "POST", "/o/secret/git-upload-pack", NULL).reason, REASON_HTTP_DENIED);
	CHECK_INT(ask(&k, "POST", "/o/secret.git/git-upload-pack", NULL).reason, REASON_HTTP_DENIED);
	CHECK_INT(ask(&k, "POST", "/o/a.git/git-upload-pack", NULL).reason, REASON_OK);
	kit_free(&k);
}

TEST(a_credential_is_bound_to_repositories_as_the_rules_name_them)
{
	struct kit k = kit_compile("version: 1\nname: test\nverdicts: {read: allow}\n"
				   "credentials:\n  token: {inject: {bearer: true}, hosts: [git.example], paths: ['/o/*']}\nnetwork:\n"
				   "  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, credential: token, rules: [\n"
				   "      {class: read, git: fetch, paths: ['/**']}]}\n");

	CHECK_INT(ask(&k, "GET", "/o/r.git/info/refs?service=git-upload-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "POST", "/o/r/git-upload-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "GET", "/p/r/info/refs?service=git-upload-pack", NULL).reason, REASON_CREDENTIAL_UNBOUND);
	kit_free(&k);
	k = kit_compile("version: 1\nname: test\nverdicts: {read: allow}\n"
			"credentials:\n  token: {inject: {bearer: true}, hosts: [git.example], paths: [/o/r.git, '/o/below.git/**']}\nnetwork:\n"
			"  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, credential: token, rules: [\n"
			"      {class: read, git: fetch, paths: [/o/*]}]}\n");
	CHECK_INT(ask(&k, "GET", "/o/r.git/info/refs?service=git-upload-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "POST", "/o/r/git-upload-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "POST", "/o/below.git/git-upload-pack", NULL).reason, REASON_OK);
	CHECK_INT(ask(&k, "POST", "/o/other.git/git-upload-pack", NULL).reason, REASON_CREDENTIAL_UNBOUND);
	kit_free(&k);
}

TEST(presets_of_git_have_one_expansion)
{
	static const char *const presets[] = { "read-only", "read-write", "full" };

	for (int i = 0; i < 3; i++) {
		struct kit k;
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "version: 1\nverdicts: {read: allow%s}\nnetwork:\n"
			       "  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, access: %s}\n",
			       i ? ", write: allow" : "", presets[i]);
		k = kit_compile(text);
		CHECK_INT(ask(&k, "POST", "/o/r/git-upload-pack", NULL).reason, REASON_OK);
		CHECK_INT(push(&k, "/o/r", GIT_CREATE, "refs/heads/x").reason, i ? REASON_OK : REASON_GIT_UNLISTED);
		CHECK_INT(push(&k, "/o/r", GIT_UPDATE, "refs/heads/x").reason, i ? REASON_OK : REASON_GIT_UNLISTED);
		CHECK_INT(push(&k, "/o/r", GIT_DELETE, "refs/heads/x").reason, i == 2 ? REASON_OK : REASON_GIT_UNLISTED);
		kit_free(&k);
	}
}

TEST(rules_of_git_say_all_that_they_grant)
{
	kit_refused(GIT("      {class: read, paths: [/a]}"), 6, 7, "without `git`");
	kit_refused(GIT("      {class: read, git: fetch, methods: [GET], paths: [/a]}"), 6, 0, "`git: fetch` or `git: push` instead");
	kit_refused(GIT("      {class: read, git: fetch, paths: [/a], query: {x: [y]}}"), 6, 0, "read by protocol rest");
	kit_refused(GIT("      {class: read, git: fetch, paths: [/a], refs: ['refs/**']}"), 6, 0, "changes no ref");
	kit_refused(GIT("      {class: read, git: pull, paths: [/a]}"), 6, 26, "allowed: fetch, push");
	kit_refused(GIT("      {class: write, git: push, paths: [/a], refs: ['refs/**']}"), 6, 0, "without `change`");
	kit_refused(GIT("      {class: write, git: push, paths: [/a], change: [create]}"), 6, 0, "without `refs`");
	kit_refused(GIT("      {class: write, git: push, paths: [/a], refs: ['refs/**'], change: [update]}"), 6, 0, "write both, [update, force]");
	kit_refused(GIT("      {class: write, git: push, paths: [/a], refs: ['refs/**'], change: [force, create]}"), 6, 0, "write both");
	kit_refused(GIT("      {class: write, git: push, paths: [/a], refs: ['refs/**'], change: [create, create]}"), 6, 0, "twice");
	kit_refused(GIT("      {class: write, git: push, paths: [/a], refs: [main], change: [create]}"), 6, 0, "written whole");
	kit_refused(GIT("      {class: write, git: push, paths: [/a], refs: ['refs/heads/a**'], change: [create]}"), 6, 0, "whole segments");
	kit_refused(GIT("      {class: write, git: push, paths: [/a], refs: ['refs/heads/a b'], change: [create]}"), 6, 0, "no ref has");
	kit_refused(GIT("      {class: write, git: push, paths: [/a], refs: ['refs/heads//b'], change: [create]}"), 6, 0, "empty segment");
	kit_refused(TOP "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, rules: [\n"
			"      {class: read, methods: [GET], paths: [/a], git: fetch}]}\n",
		    6, 0, "read by protocol git");
	kit_warned("version: 1\nnetwork:\n  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: []}\n", 3, 0,
		   "every request is refused");
	kit_refused(GIT("      {class: read, git: fetch, paths: [/a]}, {class: write, git: push, paths: [/a], refs: [], change: [create]}, "
			"{deny: true, git: push, paths: [/a], refs: [], change: [create]}"),
		    6, 0, "never fire");
}

TEST(a_flag_is_a_part_of_what_a_rule_says)
{
	struct git_command one = { .kind = GIT_CREATE, .ref = bytes_str("refs/heads/agent/x") };
	struct policy_body body = { .commands = &one, .n_commands = 1, .is_push = true, .push_options = true };
	struct kit k = kit_compile(GIT("      {class: read, git: fetch, paths: [/o/r]},\n"
				       "      {class: write, git: push, paths: [/o/r], refs: ['refs/heads/**'], change: [create]},\n"
				       "      {class: write, git: push, paths: [/o/r], refs: ['refs/heads/agent/**'], change: [create], push_options: true}"));

	CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", &body).reason, REASON_OK);
	one.ref = bytes_str("refs/heads/x");
	CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", &body).reason, REASON_GIT_PUSH_OPTIONS);
	kit_free(&k);
	kit_refused(GIT("      {class: write, git: push, paths: [/o/r], refs: ['refs/heads/a*'], change: [create]},\n"
			"      {class: write, git: push, paths: [/o/r], refs: ['refs/heads/*b'], change: [create], push_options: true}"),
		    7, 0, "another class or flag");
}

TEST(p20_git_beside_a_wider_entry_is_a_disagreement)
{
	kit_refused(TOP "  - {name: a, hosts: [git.example], ports: [443], mode: intercept, protocol: rest, access: full}\n"
			"  - {name: b, hosts: [git.example], ports: [443], mode: intercept, protocol: git, access: full}\n",
		    6, 23, "differ in `protocol`");
}

TEST(f11_grpc_is_judged_by_its_paths)
{
	struct kit k = kit_compile(TOP "  - {name: g, hosts: [git.example], ports: [443], mode: intercept, protocol: grpc, rules: [\n"
				       "      {class: read, paths: ['/pkg.Service/Get*']}, {class: write, methods: [POST], paths: ['/pkg.Service/Put']}]}\n");

	CHECK_INT(ask(&k, "POST", "/pkg.Service/GetThing", NULL).reason, REASON_OK);
	CHECK(bytes_is(ask(&k, "POST", "/pkg.Service/Put", NULL).class_name, "write"));
	CHECK_INT(ask(&k, "GET", "/pkg.Service/GetThing", NULL).reason, REASON_HTTP_METHOD_UNLISTED);
	CHECK_INT(ask(&k, "POST", "/pkg.Service/Delete", NULL).reason, REASON_HTTP_PATH_UNLISTED);
	kit_free(&k);
	kit_refused(TOP "  - {name: g, hosts: [git.example], ports: [443], mode: intercept, protocol: grpc, access: full}\n", 5, 0, "no preset");
	kit_refused(TOP "  - {name: g, hosts: [git.example], ports: [443], mode: intercept, protocol: grpc, rules: [\n"
			"      {class: read, methods: [GET], paths: ['/**']}]}\n",
		    6, 0, "is a POST");
}

TEST(the_bytes_of_a_push_are_judged_as_git_reads_them)
{
#define ID(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
	static const char line[] = ID("0") " " ID("a") " refs/heads/x-1";
	struct kit k = kit_compile(GIT(FETCH PUSH));
	struct git_command commands[4];
	struct git_push_scan scan = { 0 };
	struct policy_body body;
	enum git_fault fault;
	struct git_push got;
	BUF_AUTO struct buf in = { .max = 1024 };

	buf_fmt(&in, "%04zx%s", 4 + strlen(line) + strlen("? report-status"), line);
	buf_byte(&in, 0);
	buf_str(&in, " report-status0000PACK");
	if (CHECK_INT(git_push_read(&scan, buf_view(&in), commands, 4, &got, &fault), GIT_DONE)) {
		policy_body_push(&got, commands, &body);
		CHECK_INT(ask(&k, "POST", "/o/r/git-receive-pack", &body).reason, REASON_OK);
	}
	CHECK_INT(policy_body_git_fault(GIT_FAULT_TOO_LARGE), POLICY_BODY_TOO_LARGE);
	CHECK_INT(policy_body_git_fault(GIT_FAULT_DUPLICATE), POLICY_BODY_UNCLEAR);
	CHECK_INT(policy_body_git_fault(GIT_FAULT_REF), POLICY_BODY_UNPARSABLE);
	kit_free(&k);
}

TEST(a_push_is_refused_by_the_rule_that_decides_its_change_where_none_could_pass)
{
	struct kit k = kit_compile("version: 1\nname: test\nverdicts: {read: allow, write: deny}\nnetwork:\n"
				   "  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: [\n"
				   "      {class: read, git: fetch, paths: ['/**']}, {class: write, git: push, paths: ['/o/*'], refs: ['refs/**'], change: [create, delete]},\n"
				   "      {deny: true, git: push, paths: [/o/x], refs: ['refs/**'], change: [create]}]}\n");

	CHECK_INT(push(&k, "/o/x", GIT_DELETE, "refs/heads/x").reason, REASON_VERDICT_DENY);
	CHECK(bytes_is(push(&k, "/o/x", GIT_DELETE, "refs/heads/x").class_name, "write"));
	CHECK_INT(push(&k, "/o/x", GIT_CREATE, "refs/heads/x").reason, REASON_HTTP_DENIED);
	CHECK_INT(push(&k, "/o/x", GIT_UPDATE, "refs/heads/x").reason, REASON_GIT_UNLISTED);
	CHECK_INT(ask(&k, "POST", "/o/x/git-receive-pack", NULL).reason, REASON_VERDICT_DENY);
	kit_free(&k);
}
