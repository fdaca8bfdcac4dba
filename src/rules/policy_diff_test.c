#include "rules/policy_diff.h"

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
	      "requests GET,HEAD /h ?x (entry a)\n");
	check(TOP HTTP(
		      "a.example",
		      "{class: read, methods: [GET], paths: [/h], query: {x: ['1']}}, {class: write, methods: [POST], paths: [/h]}"),
	      TOP HTTP(
		      "a.example",
		      "{class: read, methods: [GET], paths: [/h], query: {x: ['1']}}, {class: write, methods: [POST], paths: [/h]}"),
	      "");
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
