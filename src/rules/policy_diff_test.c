#include "rules/policy_diff.h"

#include "rules/policy_body.h"
#include "rules/policy_path.h"
#include "rules/policy_test_kit.h"

#define TOP "version: 1\nverdicts: {read: allow, write: allow}\nnetwork:\n"
#define HTTP(host, rules)                                                                          \
	"  - {name: a, hosts: [" host "], ports: [80], mode: http, protocol: rest, rules: [" rules \
	"]}\n"
#define READ "{class: read, methods: [GET], paths: ['/**']}"
#define WRITE(path) ", {class: write, methods: [POST], paths: ['" path "']}"
#define DENY(path) ", {deny: true, methods: [POST], paths: ['" path "']}"

static void collect(void *owner, const char *text)
{
	buf_fmt(owner, "%s\n", text);
}

/* The lines about what `to` allows and `from` does not. */
static void check(const char *from, const char *to, const char *want)
{
	struct kit a = kit_compile(from), b = kit_compile(to);
	BUF_AUTO struct buf got = { .max = 1 << 20 };

	if (a.ok && b.ok)
		CHECK(policy_diff(&a.policy, &b.policy, collect, &got));
	CHECK_STR(buf_cstr(&got), want);
	kit_free(&a);
	kit_free(&b);
}

TEST(the_same_policy_has_no_difference)
{
	check(TOP HTTP("a.example", READ WRITE("/x/**") DENY("/x/y")),
	      TOP HTTP("a.example", READ WRITE("/x/**") DENY("/x/y")), "");
}

TEST(a_new_host_and_a_new_port_are_told)
{
	check(TOP HTTP("a.example", READ WRITE("/x")),
	      TOP HTTP("a.example, b.example", READ WRITE("/x")),
	      "http b.example:80 (entry a)\n"
	      "requests GET,HEAD /** (entry a)\nwrites POST /x (entry a)\n");
	check("version: 1\nnetwork:\n  - {name: t, hosts: [t.example], ports: [1], mode: tcp, reason: x}\n",
	      "version: 1\nnetwork:\n  - {name: t, hosts: [t.example], ports: [1, 2], mode: tcp, reason: x}\n",
	      "tcp t.example:2 (entry t)\n");
}

TEST(a_wildcard_over_a_listed_name_is_wider)
{
	check(TOP HTTP("x.a.example", READ WRITE("/x")),
	      TOP HTTP("'*.a.example'", READ WRITE("/x")),
	      "http *.a.example:80 (entry a)\nrequests GET,HEAD /** (entry a)\nwrites POST /x (entry a)\n");
	check(TOP HTTP("'*.a.example'", READ WRITE("/x")),
	      TOP HTTP("x.a.example", READ WRITE("/x")), "");
	check(TOP HTTP("'**.a.example'", READ WRITE("/x")),
	      TOP HTTP("'*.a.example'", READ WRITE("/x")), "");
	check(TOP HTTP("'*.a.example'", READ WRITE("/x")),
	      TOP HTTP("'**.a.example'", READ WRITE("/x")),
	      "http **.a.example:80 (entry a)\nrequests GET,HEAD /** (entry a)\nwrites POST /x (entry a)\n");
}

TEST(a_wider_path_and_a_lifted_deny_are_told)
{
	check(TOP HTTP("a.example", READ WRITE("/x/y")), TOP HTTP("a.example", READ WRITE("/x/**")),
	      "writes POST /x/** (entry a)\n");
	check(TOP HTTP("a.example", READ WRITE("/x/**")), TOP HTTP("a.example", READ WRITE("/x/y")),
	      "");
	check(TOP HTTP("a.example", READ WRITE("/x/**") DENY("/x/y")),
	      TOP HTTP("a.example", READ WRITE("/x/**")), "writes POST /x/** (entry a)\n");
	check(TOP HTTP("a.example", READ WRITE("/x/**")),
	      TOP HTTP("a.example", READ WRITE("/x/**") DENY("/x/y")), "");
	check(TOP HTTP("a.example", READ WRITE("/x/**") DENY("/x/y")),
	      TOP HTTP("a.example", READ WRITE("/x/**") DENY("/x/*")), "");
}

TEST(another_condition_is_another_grant)
{
	check(TOP HTTP(
		      "a.example",
		      "{class: read, methods: [GET], paths: [/h], query: {x: ['1']}}, {class: write, methods: [POST], paths: [/h]}"),
	      TOP HTTP(
		      "a.example",
		      "{class: read, methods: [GET], paths: [/h], query: {x: ['2']}}, {class: write, methods: [POST], paths: [/h]}"),
	      "requests GET,HEAD /h ?x=[\"2\"] (entry a)\n");
	check(TOP HTTP(
		      "a.example",
		      "{class: read, methods: [GET], paths: [/h], query: {x: ['1']}}, {class: write, methods: [POST], paths: [/h]}"),
	      TOP HTTP(
		      "a.example",
		      "{class: read, methods: [GET], paths: [/h], query: {x: ['1']}}, {class: write, methods: [POST], paths: [/h]}"),
	      "");
}

TEST(more_names_below_a_wildcard_are_told)
{
#define BELOW(more) TOP "  - {name: a, hosts: ['*.a.example'], ports: [80, 81], mode: http, protocol: rest, access: read-write" more "}\n"
	check(BELOW(", budget: 10"), BELOW(""), "256 names below *.a.example, not 10 (entry a)\n");
	check(BELOW(""), BELOW(", budget: 10"), "");
	check(BELOW(", budget: 10"), BELOW(", budget: 10"), "");
	/* without intercepting, too */
	check(BELOW(", set_cookie: strip"), BELOW(", budget: 257"),
	      "257 names below *.a.example, not 256 (entry a)\ncookies from *.a.example:80 (entry a)\ncookies from *.a.example:81 (entry a)\n");
}

TEST(modes_addresses_and_observing_are_told)
{
	check("version: 1\nnetwork:\n  - {name: t, hosts: [t.example], ports: [443], mode: passthrough, reason: x}\n",
	      "version: 1\nnetwork:\n  - {name: t, hosts: [t.example], ports: [443], mode: tcp, reason: x, addresses: [10.0.0.0/8]}\n",
	      "tcp t.example:443 (entry t; the other policy has mode passthrough)\naddresses 10.0.0.0/8 (entry t)\n");
	check(TOP HTTP("a.example", READ WRITE("/x")),
	      TOP
	      "  - {name: a, hosts: [a.example], ports: [80], observe: true, mode: http, protocol: rest, rules: [" READ
		      WRITE("/x") "]}\n",
	      "requests of every kind, it only observes (entry a)\n");
}

#define TLS(more) "  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, " more "}\n"
#define CREDS(paths) "version: 1\nverdicts: {read: allow, write: allow}\ncredentials:\n  key: {inject: {bearer: true}, hosts: [api.example], paths: [" paths "]}\nnetwork:\n"

TEST(what_becomes_spendable_is_told)
{
	check(TOP TLS("access: full"), CREDS("'/**'") TLS("access: full, credential: key"), "spends key on api.example:443 /** (entry api)\n");
	check(CREDS("/a, '/b/**'") TLS("credential: key, rules: [" READ WRITE("/b/**") "]"),
	      CREDS("/a, '/b/**', '/c*'") TLS("credential: key, rules: [" READ WRITE("/b/**") "]"), "spends key on api.example:443 /c* (entry api)\n");
	check(CREDS("'/**'") TLS("credential: key, access: full"), CREDS("'/x/**'") TLS("credential: key, rules: [" READ WRITE("/x/**") "]"), "");
	check(CREDS("'/**'") TLS("credential: key, rules: [" READ WRITE("/x") "]"),
	      CREDS("'/**'") TLS("credential: key, set_cookie: pass, rules: [" READ WRITE("/*") "]"),
	      "cookies from api.example:443 (entry api)\nwrites POST /* with key (entry api)\n");
	check(CREDS("'/**'") TLS("credential: key, reflective: true, access: full"), CREDS("'/**'") TLS("credential: key, access: full"),
	      "answers not scanned for the secret from api.example:443 (entry api)\n");
}

TEST(another_way_to_add_a_secret_is_told)
{
#define BY(how) "version: 1\nverdicts: {read: allow, write: allow}\ncredentials:\n  key: {inject: {" how "}, hosts: [api.example], paths: ['/**']}\nnetwork:\n" \
		TLS("credential: key, access: full")
	check(BY("bearer: true"), BY("header: Authorization, format: 'Bearer {}'"), "");
	check(BY("bearer: true"), BY("header: x-other, format: 'Bearer {}'"), "spends key on api.example:443 /** (entry api)\n");
	check(BY("basic: {user: a}"), BY("basic: {user: b}"), "spends key on api.example:443 /** (entry api)\n");
	check(BY("bearer: true"), BY("query: k, allow_query: true"), "spends key on api.example:443 /** (entry api)\n");
	check(BY("query: k, allow_query: true"), BY("bearer: true"),
	      "spends key on api.example:443 /** (entry api)\nanswers not scanned for the secret from api.example:443 (entry api)\n");
}

TEST(interception_is_no_more_than_what_passed_unread)
{
	check("version: 1\nnetwork:\n  - {name: api, hosts: [api.example], ports: [443], mode: passthrough, reason: x}\n", TOP TLS("access: full"),
	      "intercept api.example:443 (entry api; the other policy has mode passthrough)\n");
	check(TOP TLS("access: full"), "version: 1\nnetwork:\n  - {name: api, hosts: [api.example], ports: [443], mode: passthrough, reason: x}\n",
	      "passthrough api.example:443 (entry api; the other policy has mode intercept)\n");
}

TEST(pushes_websockets_and_hosts_behind_names_are_told)
{
#define GIT(refs) \
	"version: 1\nverdicts: {write: allow}\nnetwork:\n  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: [\n" \
	"      {class: write, git: push, paths: [/o/r], refs: [" refs "], change: [create]}]}\n"
#define UP(host) \
	"version: 1\nverdicts: {read: allow, write: allow}\nnetwork:\n  - {name: i, hosts: [i.internal], ports: [443], mode: intercept, protocol: rest, " \
	"access: full, upstream: {host: " host "}}\n"
	check(GIT("refs/heads/a"), GIT("refs/heads/a"), "");
	check(GIT("refs/heads/a"), GIT("'refs/heads/*'"), "writes push create /o/r refs/heads/* (entry src)\n");
	check(TOP TLS("rules: [" READ WRITE("/x") "]"),
	      TOP TLS("rules: [" READ ", {class: write, methods: [GET], paths: [/live], websocket: opaque}" WRITE("/x") "]"),
	      "writes websocket /live (entry api)\n");
	check(UP("a.example"), UP("b.example"), "leads i.internal:443 to b.example:443 (entry i)\n");
}

TEST(an_allow_before_a_deny_that_stays_is_told)
{
#define DENIED "version: 1\nverdicts: {read: allow, write: deny}\nnetwork:\n"
#define REVIEWED "version: 1\nverdicts: {read: allow, write: review}\nnetwork:\n"
#define ASIDE(path) ", {class: write, methods: [GET, HEAD], paths: ['" path "']}"
#define KEYS ", {class: read, methods: [GET, HEAD], paths: [/x/keys]}"
	check(DENIED HTTP("a.example", READ ASIDE("/x/**")), DENIED HTTP("a.example", READ ASIDE("/x/**") KEYS), "requests GET,HEAD /x/keys (entry a)\n");
	check(REVIEWED HTTP("a.example", READ ASIDE("/x/**")), REVIEWED HTTP("a.example", READ ASIDE("/x/**") KEYS), "requests GET,HEAD /x/keys (entry a)\n");
	check(DENIED HTTP("a.example", READ ASIDE("/x/**") KEYS), DENIED HTTP("a.example", READ ASIDE("/x/**")), "");
}

TEST(what_a_narrower_deny_inside_an_allow_held_back_is_told)
{
	check(DENIED HTTP("a.example", READ ASIDE("/x/**") ", {class: read, methods: [GET, HEAD], paths: ['/x/y/**']}, {deny: true, methods: [GET], paths: [/x/y/z]}"),
	      DENIED HTTP("a.example", READ ASIDE("/x/**") ", {class: read, methods: [GET, HEAD], paths: ['/x/y/**']}"), "requests GET,HEAD /x/y/** (entry a)\n");
}

#define PUSH(more) \
	"  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: [{class: read, git: push, paths: ['/**'], refs: ['refs/**'], " \
	"change: [create]}" more "]}\n"

TEST(a_push_before_a_review_that_stays_is_told)
{
#define HOLD ", {class: write, git: push, paths: ['/o/**'], refs: ['refs/**'], change: [create]}"
	check(REVIEWED PUSH(HOLD), REVIEWED PUSH(HOLD ", {class: read, git: push, paths: [/o/r], refs: ['refs/heads/x'], change: [create]}"),
	      "requests push create /o/r refs/heads/x (entry src)\n");
}

TEST(an_allow_whose_condition_cannot_be_told_held_back_the_one_behind_it)
{
#define TWICE(more) "version: 1\nverdicts: {read: allow, draft: allow}\nnetwork:\n" HTTP("a.example", READ ", {class: draft, methods: [GET], paths: [/x], query: {q: [z]}}" more)
	check(TWICE(""), "version: 1\nverdicts: {read: allow}\nnetwork:\n" HTTP("a.example", READ), "requests GET,HEAD /** (entry a)\n");
	check(TWICE(""), TWICE(""), "");
}

TEST(each_flag_that_lets_more_pass_is_told)
{
#define FLAG(flag) "  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, " flag "rules: [" READ WRITE("/x") "]}\n"
#define OPTIONS(more) "version: 1\nverdicts: {read: allow}\nnetwork:\n  - {name: src, hosts: [git.example], ports: [443], mode: intercept, protocol: git, rules: [" \
		"{class: read, git: push, paths: ['/**'], refs: ['refs/**'], change: [create]" more "}]}\n"
#define SCAN(how) TLS("credential: key, rules: [{class: read, methods: [GET], paths: ['/**']" how "}" WRITE("/w") "]")
	check(TOP FLAG(""), TOP FLAG("encoded_slash: true, "), "requests with %2F in their paths (entry a)\n");
	check(TOP FLAG("encoded_slash: true, "), TOP FLAG(""), "");
	check(OPTIONS(""), OPTIONS(", push_options: true"), "requests push create /** with push options (entry src)\n");
	check(OPTIONS(", push_options: true"), OPTIONS(""), "");
	check(CREDS("'/**'") SCAN(", reflective: true"), CREDS("'/**'") SCAN(""), "answers not scanned for the secret of GET,HEAD /** (entry api)\n");
	check(CREDS("'/**'") SCAN(""), CREDS("'/**'") SCAN(", reflective: true"), "");
}

TEST(what_a_binding_or_a_host_behind_a_name_held_back_is_told)
{
#define ITSELF "version: 1\nverdicts: {read: allow, write: allow}\nnetwork:\n  - {name: i, hosts: [i.internal], ports: [443], mode: intercept, protocol: rest, access: full}\n"
	check(CREDS("/w") TLS("credential: key, rules: [" READ WRITE("/w") "]"), TOP TLS("rules: [" READ WRITE("/w") "]"),
	      "cookies from api.example:443 (entry api)\nrequests GET,HEAD /** (entry api)\ncredentials of the workspace's own to api.example\n");
#define SLASHED(bound) \
	"version: 1\nverdicts: {read: allow, write: allow}\ncredentials:\n  key: {inject: {bearer: true}, hosts: [api.example], paths: [" bound "]}\nnetwork:\n"
#define TAKES(more) TLS("encoded_slash: true" more)
	check(SLASHED("'/p/*/read'") TAKES(", credential: key, access: full"), SLASHED("'/p/*/read', '/p/a%2F*/read'") TAKES(", credential: key, access: full"),
	      "spends key on api.example:443 /p/a%2F*/read (entry api)\n");
	check(SLASHED("'/p/*/read', '/p/*/*/read'") TAKES(", credential: key, access: full"),
	      SLASHED("'/p/*/read', '/p/*/*/read', '/p/a%2F*/read'") TAKES(", credential: key, access: full"), "");
	check(SLASHED("'/p/*/read', '/p/a%2F*/read'") TAKES(", credential: key, access: full"), SLASHED("'/p/a%2F*/read', '/p/*/read'") TAKES(", credential: key, access: full"), "");
	check(SLASHED("'/p/*'") TAKES(", credential: key, rules: [{class: read, methods: [GET], paths: ['/p/*']}" WRITE("/p/w") "]"),
	      TOP TAKES(", rules: [{class: read, methods: [GET], paths: ['/p/*']}" WRITE("/p/w") "]"),
	      "cookies from api.example:443 (entry api)\nrequests GET,HEAD /p/* (entry api)\ncredentials of the workspace's own to api.example\n");
	check(SLASHED("'/p/**'") TAKES(", credential: key, rules: [{class: read, methods: [GET], paths: ['/p/*', '/p/**']}" WRITE("/p/w") "]"),
	      TOP TAKES(", rules: [{class: read, methods: [GET], paths: ['/p/*', '/p/**']}" WRITE("/p/w") "]"),
	      "cookies from api.example:443 (entry api)\ncredentials of the workspace's own to api.example\n");
	check(UP("a.example"), ITSELF, "leads i.internal:443 to i.internal:443 (entry i)\n");
	check(ITSELF, UP("a.example"), "leads i.internal:443 to a.example:443 (entry i)\n");
}

TEST(what_a_deny_held_back_in_another_spelling_is_told)
{
#define SPELT(rules) \
	"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, encoded_slash: true, rules: [{class: write, methods: [POST], paths: [/p]}" rules "]}\n"
#define GET(path) ", {class: read, methods: [GET], paths: ['" path "']}"
#define NOT(path) ", {deny: true, methods: [GET], paths: ['" path "']}"
	check(TOP SPELT(GET("/a%2Fb") GET("/a/**") NOT("/a/b") NOT("/a/n")), TOP SPELT(GET("/a%2Fb") GET("/a/**") NOT("/a/n")),
	      "requests GET,HEAD /a/** (entry a)\nrequests GET,HEAD /a%2Fb (entry a)\n");
	check(TOP SPELT(GET("/a/**") GET("/b/**") NOT("/a/b") NOT("/a/n")), TOP SPELT(GET("/a/**") GET("/b/**") NOT("/a/n")), "requests GET,HEAD /a/** (entry a)\n");
	/* as /x/n/ is */
	check(TOP SPELT(GET("/x/*") GET("/x/*/") NOT("/x/n") NOT("/x/m")), TOP SPELT(GET("/x/*") GET("/x/*/") NOT("/x/m")),
	      "requests GET,HEAD /x/* (entry a)\nrequests GET,HEAD /x/*/ (entry a)\n");
	check(TOP SPELT(GET("/x/*") GET("/x/*/") NOT("/x/n")), TOP SPELT(GET("/x/*") GET("/x/*/") NOT("/x/n")), "");
	check(TOP HTTP("a.example", "{class: read, methods: [GET], paths: ['/x%2B/', '/x+', /m]}" WRITE("/p") NOT("/x+") NOT("/m")),
	      TOP HTTP("a.example", "{class: read, methods: [GET], paths: ['/x%2B/', '/x+', /m]}" WRITE("/p") NOT("/m")), "requests GET,HEAD /x%2B/ (entry a)\nrequests GET,HEAD /x+ (entry a)\n");
	/* more slashes than a path may have where a rule holds back */
	check(TOP SPELT(GET("/a/**") GET("/b/**") NOT("/a/b")), TOP SPELT(GET("/a/**") GET("/b/**")),
	      "requests GET,HEAD /a/** (entry a)\nrequests GET,HEAD /b/** (entry a)\n");
	check(TOP HTTP("a.example", "{class: read, methods: [GET], paths: ['/c%2B', '/c+']}" WRITE("/p") NOT("/c+")),
	      TOP HTTP("a.example", "{class: read, methods: [GET], paths: ['/c%2B', '/c+']}" WRITE("/p")),
	      "requests GET,HEAD /c%2B (entry a)\nrequests GET,HEAD /c+ (entry a)\n");
}

TEST(what_a_deny_after_it_held_back_in_another_spelling_is_told)
{
	check(DENIED HTTP("a.example", "{class: read, methods: [GET], paths: ['/c%2Bd']}, {class: write, methods: [GET], paths: [/c+d]}"),
	      "version: 1\nverdicts: {read: allow}\nnetwork:\n" HTTP("a.example", "{class: read, methods: [GET], paths: ['/c%2Bd']}"),
	      "requests GET,HEAD /c%2Bd (entry a)\n");
	check(DENIED HTTP("a.example", "{class: read, methods: [GET], paths: ['/c%2Bd']}, {class: write, methods: [GET], paths: [/c+d]}"),
	      DENIED HTTP("a.example", "{class: read, methods: [GET], paths: ['/c%2Bd']}, {class: write, methods: [GET], paths: [/c+d]}"), "");
}

TEST(nothing_that_is_newly_allowed_stands_behind_a_count)
{
#define FIVE "/a, /b, /c, /d, '/zz/**'"
	check(CREDS("/k") TLS("credential: key, rules: [" READ WRITE("/k") "]"), CREDS("/k, " FIVE) TLS("credential: key, rules: [" READ WRITE("/k") "]"),
	      "spends key on api.example:443 /a /b /c /d /zz/** (entry api)\n");
	check(GIT("refs/heads/a, refs/heads/b, refs/heads/c"), GIT("refs/heads/a, refs/heads/b, refs/heads/c, refs/heads/main"),
	      "writes push create /o/r refs/heads/a, refs/heads/b, refs/heads/c, refs/heads/main (entry src)\n");
}

TEST(values_of_conditions_are_told_as_a_policy_writes_them)
{
#define POST(more) "{class: write, methods: [POST], paths: [/x], " more "}"
	check(TOP HTTP("a.example", READ "," POST("json: {/draft: [true]}")), TOP HTTP("a.example", READ "," POST("json: {/draft: [true, false, null, '1', 1.5]}")),
	      "writes POST /x json /draft=[false, 1.5, \"1\", true, null] (entry a)\n");
	check(TOP HTTP("a.example", READ "," POST("query: {kind: [a]}, headers: [x-h]")), TOP HTTP("a.example", READ "," POST("query: {kind: ['a*']}, headers: [x-h]")),
	      "writes POST /x ?kind=[\"a*\"] header x-h (entry a)\n");
}

TEST(the_longest_paths_have_room_in_a_line)
{
	BUF_AUTO struct buf paths = { .max = 1 << 16 };
	BUF_AUTO struct buf text = { .max = 1 << 16 };
	BUF_AUTO struct buf want = { .max = 1 << 16 };

	for (char c = 'a'; c < 'f'; c++)
		buf_fmt(&paths, "/%c%0500d%s", c, 0, c < 'e' ? ", " : "");
	buf_fmt(&text, CREDS("/k, %s") TLS("credential: key, rules: [" READ WRITE("/k") "]"), buf_cstr(&paths));
	buf_str(&want, "spends key on api.example:443");
	for (char c = 'a'; c < 'f'; c++)
		buf_fmt(&want, " /%c%0500d", c, 0);
	buf_str(&want, " (entry api)\n");
	check(CREDS("/k") TLS("credential: key, rules: [" READ WRITE("/k") "]"), buf_cstr(&text), buf_cstr(&want));
}

TEST(a_workspaces_own_credentials_that_pass_again_are_told)
{
#define MODE(verdict) "version: 1\nverdicts: {read: allow, write: " verdict "}\nnetwork:\n"
#define WILD(more) "  - {name: w, hosts: ['**.b.example'], ports: [443], mode: intercept, protocol: rest, rules: [" READ more "]}\n"
	/* a name that spends or reviews goes through outlet, on all its ports, and outlet takes out what the workspace sends itself */
	check(MODE("review") TLS("rules: [" READ WRITE("/x") "]"), MODE("deny") TLS("rules: [" READ WRITE("/x") "]"), "credentials of the workspace's own to api.example\n");
	check(MODE("review") WILD(WRITE("/x")), "version: 1\nverdicts: {read: allow}\nnetwork:\n" WILD(""), "credentials of the workspace's own to **.b.example\n");
	check(MODE("review") TLS("rules: [" READ "]") "  - {name: p, hosts: [api.example], ports: [80], mode: http, protocol: rest, rules: [" READ WRITE("/x") "]}\n",
	      "version: 1\nverdicts: {read: allow}\nnetwork:\n" TLS("rules: [" READ "]"), "credentials of the workspace's own to api.example\n");
	check(MODE("review") WILD("") "  - {name: p, hosts: [x.b.example], ports: [80], mode: http, protocol: rest, rules: [" READ WRITE("/x") "]}\n",
	      "version: 1\nverdicts: {read: allow}\nnetwork:\n" WILD(""), "credentials of the workspace's own to x.b.example\n");
	check(MODE("deny") TLS("rules: [" READ WRITE("/x") "]"), MODE("review") TLS("rules: [" READ WRITE("/x") "]"), "");
}

/* Random pairs of policies: what the judge newly allows has a line with its method and a pattern that has its path. */
enum { RULES_MAX = 6, ROUNDS = 2500 };

struct dice {
	uint64_t seed;
	bool git;
};

static unsigned throw(struct dice *d, unsigned n)
{
	d->seed ^= d->seed << 13;
	d->seed ^= d->seed >> 7;
	d->seed ^= d->seed << 17;
	return (unsigned)(d->seed >> 33) % n;
}

struct draft {
	unsigned n;
	unsigned verdicts[3];
	char rules[RULES_MAX + 1][224];
};

static const char *const classes[] = { "read", "draft", "write" };

static void draw_rule(struct dice *d, char ret[224])
{
	static const char *const patterns[] = { "/**", "/a/**", "/a/b", "/a/*", "/a/b/**", "/*", "/a/b/c", "/*/b", "/a/b*" };
	static const char *const methods[] = { "methods: [GET]", "methods: [POST]", "methods: [GET, POST]", "methods: [PUT]", "methods: [POST, PUT]" };
	static const char *const changes[] = { "create", "delete", "create, delete", "create, update, force", "create, update, force, delete" };
	static const char *const conditions[] = { "", "", "", "", ", query: {q: [x]}", ", query: {q: ['*']}", ", headers: [x-h]", ", query: {q: [x]}, headers: [x-h]" };
	static const char *const refs[] = { "refs/**", "refs/heads/x", "refs/heads/*", "refs/tags/**" };
	unsigned a = throw(d, 9), b = throw(d, 9), kind = throw(d, 4);
	char paths[64], kind_text[32], what[100];

	(void)snprintf(paths, sizeof(paths), a == b || throw(d, 3) ? "'%s'" : "'%s', '%s'", patterns[a], patterns[b]);
	(void)snprintf(kind_text, sizeof(kind_text), kind == 3 ? "deny: true" : "class: %s", classes[kind % 3]);
	if (d->git)
		(void)snprintf(what, sizeof(what), "git: push, change: [%s], refs: ['%s']%s", changes[throw(d, 5)], refs[throw(d, 4)],
			       kind != 3 && throw(d, 3) == 0 ? ", push_options: true" : "");
	else
		(void)snprintf(what, sizeof(what), "%s%s", methods[throw(d, 5)], conditions[throw(d, 8)]);
	(void)snprintf(ret, 224, "{%s, paths: [%s], %s}", kind_text, paths, what);
}

/* One rule more, one less, another one, or another verdict. */
static void change_draft(struct dice *d, struct draft *p)
{
	unsigned how = throw(d, 10);

	if (how < 4) {
		draw_rule(d, p->rules[p->n++]);
	} else if (how < 6 && p->n > 1) {
		unsigned i = throw(d, p->n--);

		memmove(p->rules[i], p->rules[i + 1], (p->n - i) * sizeof(p->rules[0]));
	} else if (how < 9) {
		draw_rule(d, p->rules[throw(d, p->n)]);
	} else {
		p->verdicts[throw(d, 3)] = throw(d, 3);
	}
}

static struct kit compile_draft(const struct dice *d, const struct draft *p)
{
	static const char *const words[] = { "allow", "deny", "review" };
	BUF_AUTO struct buf text = { .max = 1 << 16 };
	struct kit k;

	buf_str(&text, "version: 1\nverdicts: {");
	for (unsigned c = 0, said = 0; c < 3; c++)
		for (unsigned i = 0; i < p->n; i++)
			if (strstr(p->rules[i], classes[c])) {
				buf_fmt(&text, "%s%s: %s", said++ ? ", " : "", classes[c], words[p->verdicts[c]]);
				break;
			}
	buf_fmt(&text, "}\nnetwork:\n  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: %s, rules: [\n", d->git ? "git" : "rest");
	for (unsigned i = 0; i < p->n; i++)
		buf_fmt(&text, "      %s%s\n", p->rules[i], i + 1 < p->n ? "," : "]}");
	kit_compile_bytes(&k, buf_view(&text), false);
	return k;
}

static bool allows(const struct kit *k, const struct policy_request *r)
{
	struct policy_verdict v = { .reason = REASON_COUNT };
	struct policy_entry e;

	if (CHECK_INT(policy_find(&k->policy, bytes_str("a.example"), 443, &e), REASON_OK))
		policy_judge(&k->policy, &e, r, &v);
	return v.reason == REASON_OK;
}

static bool is_told(const char *lines, const char *act, const char *path)
{
	char words[64], pattern[64];

	for (const char *line = lines; *line; line = strchr(line, '\n') + 1)
		if ((sscanf(line, "%*s push %63s %63s", words, pattern) == 2 || sscanf(line, "%*s %63s %63s", words, pattern) == 2) &&
		    (strstr(words, act) || strcmp(words, "any") == 0) && policy_path_match(bytes_str(pattern), bytes_str(path)))
			return true;
	return false;
}

struct compared {
	const struct kit *from, *to;
	const char *lines;
	unsigned wider; /* requests that are newly allowed */
	unsigned silent; /* and not told */
};

static void compare_one(struct compared *c, const struct policy_request *r, const char *act, const char *path)
{
	if (allows(c->from, r) || !allows(c->to, r))
		return;
	c->wider++;
	if (is_told(c->lines, act, path))
		return;
	c->silent++;
	printf("# silent about %s %s?%.*s\n", act, path, (int)r->query.len, (const char *)r->query.p);
}

static const char *const asked_paths[] = { "/a", "/a/b", "/a/b/c", "/c", "/a/c", "/c/b", "/a/b/c/d", "/a/bx" };

static void compare_rest(struct compared *c, const char *path)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT" }, *const queries[] = { "", "q=x", "q=y", "q=x&q=x" };
	struct policy_request r = { .path = bytes_str(path), .has_header = kit_no_header };

	for (unsigned i = 0; i < 4 * 4 * 2; i++) {
		r.method = bytes_str(methods[i % 4]);
		r.query = bytes_str(queries[i / 4 % 4]);
		r.has_query = r.query.len;
		r.headers = i / 16 ? "x-h" : NULL;
		compare_one(c, &r, methods[i % 4], path);
	}
}

static void compare_pushes(struct compared *c, const char *path)
{
	static const char *const acts[] = { "create", "update", "delete" }, *const refs[] = { "refs/heads/x", "refs/heads/y", "refs/tags/v1", "refs/notes/n" };
	static const enum git_command_kind kinds[] = { GIT_CREATE, GIT_UPDATE, GIT_DELETE };
	char target[64];

	(void)snprintf(target, sizeof(target), "%s/git-receive-pack", path);
	for (unsigned i = 0; i < 3 * 4 * 2; i++) {
		struct git_command one = { .kind = kinds[i % 3], .ref = bytes_str(refs[i / 3 % 4]) };
		struct policy_body body = { .commands = &one, .n_commands = 1, .is_push = true, .push_options = i / 12 };
		struct policy_request r = { .method = bytes_str("POST"), .path = bytes_str(target), .body = &body };

		compare_one(c, &r, acts[i % 3], path);
	}
}

/* Counts pairs that compiled in *ret_pairs. */
static void compare_round(struct dice *d, unsigned *ret_pairs, unsigned *ret_wider)
{
	struct draft p = { .n = 1 + throw(d, RULES_MAX - 1) };
	BUF_AUTO struct buf lines = { .max = 1 << 20 };
	struct compared c = { 0 };
	struct kit a, b;

	for (unsigned i = 0; i < 3; i++)
		p.verdicts[i] = throw(d, 3);
	for (unsigned i = 0; i < p.n; i++)
		draw_rule(d, p.rules[i]);
	a = compile_draft(d, &p);
	change_draft(d, &p);
	b = compile_draft(d, &p);
	if (a.ok)
		CHECK(policy_diff(&a.policy, &a.policy, collect, &lines) && lines.len == 0);
	if (a.ok && b.ok) {
		CHECK(policy_diff(&a.policy, &b.policy, collect, &lines));
		c = (struct compared){ .from = &a, .to = &b, .lines = buf_cstr(&lines) };
		for (size_t i = 0; i < sizeof(asked_paths) / sizeof(asked_paths[0]); i++)
			(d->git ? compare_pushes : compare_rest)(&c, asked_paths[i]);
		CHECK_INT(c.silent, 0);
		(*ret_pairs)++;
		*ret_wider += c.wider > 0;
	}
	kit_free(&a);
	kit_free(&b);
}

static void compare_rounds(bool git)
{
	struct dice d = { .seed = 88172645463325252ULL, .git = git };
	unsigned pairs = 0, wider = 0;

	for (unsigned i = 0; i < ROUNDS; i++)
		compare_round(&d, &pairs, &wider);
	printf("# %u pairs, %u of them with something newly allowed\n", pairs, wider);
	CHECK(wider > 100);
}

TEST(no_random_request_becomes_allowed_in_silence)
{
	compare_rounds(false);
}

TEST(no_random_push_becomes_allowed_in_silence)
{
	compare_rounds(true);
}
