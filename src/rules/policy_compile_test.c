/* The rows of "policy files that must be refused, or must mean exactly one thing". */
#include "rules/policy_test_kit.h"

#define HEAD "version: 1\nname: test\n"
#define READ HEAD "verdicts: {read: allow}\nnetwork:\n"
#define RW HEAD "verdicts: {read: allow, write: allow}\nnetwork:\n"
/* An http entry whose remaining keys follow; the entry starts on line 5. */
#define HTTP "  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, "
#define PASS "  - {name: a, hosts: [a.example], ports: [443], mode: passthrough, reason: test"

TEST(p1_an_unknown_key_names_the_nearest_known_one)
{
	kit_refused(HEAD "netwrk: []\n", 3, 1, "did you mean `network`");
	kit_refused(
		READ
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocl: rest, access: read-only}\n",
		5, 60, "did you mean `protocol`");
	kit_refused(READ HTTP "rules: [{class: read, methods: [GET], pathes: [/a]}]}\n", 5, 114,
		    "did you mean `paths`");
	kit_refused(READ HTTP "rules: [{class: read, method: GET, paths: [/a]}]}\n", 5, 0,
		    "did you mean `methods`");
	kit_refused(READ HTTP "rules: [{class: read, methods: [GET], paths: [/a], tool: [x]}]}\n",
		    5, 0, "protocol mcp");
	kit_refused(HEAD "verdicts: {reed: allow}\n", 3, 12, "did you mean `read`");
	kit_refused(HEAD "zebra: 1\n", 3, 1, "it may have version, name, lab, verdicts, network");
}

TEST(p2_the_same_key_or_name_twice_is_a_duplicate)
{
	kit_refused("version: 1\nversion: 1\n", 2, 1, "twice");
	kit_refused(READ HTTP "access: read-only, access: read-only}\n", 5, 0, "twice");
	kit_refused(
		HEAD
		"network:\n" PASS
		"}\n  - {name: a, hosts: [b.example], ports: [443], mode: passthrough, reason: test}\n",
		5, 12, "two entries have the name `a`");
}

TEST(p3_a_misspelt_word_lists_the_allowed_ones)
{
	kit_refused(HEAD
		    "network:\n  - {name: a, hosts: [a.example], ports: [443], mode: intercpt}\n",
		    4, 55, "unknown value `intercpt`");
	kit_refused(
		READ
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rset, access: read-only}\n",
		5, 70, "did you mean `rest`");
	kit_refused(READ HTTP "rules: [{class: wirte, methods: [GET], paths: [/a]}]}\n", 5, 0,
		    "did you mean `write`");
	kit_refused(READ HTTP "access: readonly}\n", 5, 0, "did you mean `read-only`");
	kit_refused(HEAD "verdicts: {read: alow}\n", 3, 18, "allowed: allow, review, deny");
}

TEST(p4_case_and_blanks_make_another_word)
{
	kit_refused(
		HEAD
		"network:\n  - {name: a, hosts: [a.example], ports: [443], mode: Passthrough, reason: x}\n",
		4, 55, "unknown value");
	kit_refused(HEAD
		    "network:\n  - {name: a, hosts: [a.example], ports: [443], mode: Intercept}\n",
		    4, 55, "unknown value");
	kit_refused(
		READ
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: MCP, access: read-only}\n",
		5, 70, "unknown value");
	kit_refused(
		READ
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: \"rest \", access: read-only}\n",
		5, 70, "unknown value");
	kit_refused(READ HTTP "access: Full}\n", 5, 0, "unknown value");
	kit_refused(READ HTTP "rules: [{class: Read, methods: [GET], paths: [/a]}]}\n", 5, 0,
		    "unknown value");
}

TEST(p5_rules_need_protocol_and_mode)
{
	kit_refused(
		READ
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, access: read-only}\n",
		5, 5, "without `protocol`");
	kit_refused(
		READ
		"  - {name: a, hosts: [a.example], ports: [80], protocol: rest, access: read-only}\n",
		5, 5, "`mode` is missing");
	kit_refused(READ "  - {name: a, hosts: [a.example], ports: [80], access: read-only}\n", 5,
		    5, "`mode` is missing");
	kit_refused(READ
		    "  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest}\n",
		    5, 5, "grants nothing");
	kit_refused(READ PASS ", access: read-only}\n", 5, 0, "does not apply to mode passthrough");
}

TEST(p6_the_same_thing_said_twice_is_refused)
{
	kit_refused(READ HTTP
		    "access: read-only, rules: [{class: read, methods: [GET], paths: [/a]}]}\n",
		    5, 0, "two ways");
	kit_refused(
		READ
		"  - {name: a, hosts: [a.example], port: 80, ports: [80], mode: http, protocol: rest, access: read-only}\n",
		5, 0, "did you mean `ports`");
	kit_refused(READ HTTP "rules: [{class: read, deny: true, methods: [GET], paths: [/a]}]}\n",
		    5, 0, "`class` beside `deny`");
	kit_refused(READ HTTP "rules: [{deny: false, methods: [GET], paths: [/a]}]}\n", 5, 0,
		    "says nothing");
}

TEST(p23_a_condition_that_no_request_meets_is_noted)
{
	kit_warned(READ HTTP "rules: [{class: read, methods: [GET], paths: [/a], headers: [via]}]}\n", 5, 0, "`via` is taken out of every request");
	kit_warned(READ HTTP "rules: [{class: read, methods: [GET], paths: [/a], query: {'a%20b': [c]}}]}\n", 5, 0, "`a%20b` has an escape");
	kit_warned(READ HTTP "rules: [{class: read, methods: [GET], paths: [/a], query: {a: ['%41']}}]}\n", 5, 0, "`%41` has an escape");
}

TEST(p7_an_empty_list_matches_nothing_and_says_so)
{
	struct kit k;

	kit_warned(
		HEAD
		"network:\n  - {name: a, hosts: [], ports: [443], mode: passthrough, reason: x}\n",
		4, 22, "cannot match");
	kit_warned(
		HEAD
		"network:\n  - {name: a, hosts: [a.example], ports: [], mode: passthrough, reason: x}\n",
		4, 0, "cannot match");
	kit_warned(HEAD "network:\n" HTTP "rules: []}\n", 4, 0, "every request is refused");
	kit_warned(READ HTTP "rules: [{class: read, methods: [], paths: [/a]}]}\n", 5, 0,
		   "cannot match");
	kit_warned(READ HTTP "rules: [{class: read, methods: [GET], paths: []}]}\n", 5, 0,
		   "cannot match");
	kit_warned(READ HTTP
		   "rules: [{class: read, methods: [GET], paths: [/a], query: {x: []}}]}\n",
		   5, 0, "cannot match");
	kit_warned(READ HTTP "access: read-only, addresses: []}\n", 5, 0,
		   "permits no private address");
	k = kit_compile(
		READ HTTP
		"rules: [{class: read, methods: [], paths: [/a]}, {class: read, methods: [GET], paths: []}]}\n");
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/a"), REASON_HTTP_PATH_UNLISTED);
	kit_free(&k);
	k = kit_compile(
		HEAD
		"network:\n  - {name: a, hosts: [], ports: [443], mode: passthrough, reason: x}\n");
	CHECK_INT(kit_ask(&k, "GET", "a.example", 443, "/"), REASON_NAME_UNLISTED);
	kit_free(&k);
	k = kit_compile(
		HEAD
		"network:\n  - {name: a, hosts: [a.example], ports: [], mode: passthrough, reason: x}\n");
	CHECK_INT(kit_ask(&k, "GET", "a.example", 443, "/"), REASON_PORT_UNLISTED);
	kit_free(&k);
}

TEST(p8_no_network_means_no_egress)
{
	static const char *const texts[] = { HEAD, HEAD "network: []\n", HEAD "network:\n" };
	uint16_t ports[POLICY_PORTS_MAX];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct kit k = kit_compile(texts[i]);

		CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/"), REASON_NAME_UNLISTED);
		CHECK_INT(policy_ports(&k.policy, ports), 0);
		kit_free(&k);
	}
	kit_refused("", 1, 1, "`version` is missing");
	kit_refused("# nothing\n", 1, 1, "`version` is missing");
}

TEST(p9_version_is_the_plain_number_one)
{
	static const char *const bad[] = {
		"0", "2", "7", "\"1\"", "1.0", "true", "[1]", "01", "+1"
	};
	char text[64];

	kit_refused("name: a\n", 1, 1, "`version` is missing");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "version: %s\n", bad[i]);
		kit_refused(text, 1, 10, "version");
	}
}

TEST(p10_yaml_beyond_the_plain_is_refused)
{
	kit_refused(HEAD "network: &x []\n", 3, 10, "anchors");
	kit_refused(HEAD "network: *x\n", 3, 10, "aliases");
	kit_refused(HEAD "network: !!seq []\n", 3, 10, "tags");
	kit_refused(HEAD "<<: {lab: true}\n", 3, 1, "merge");
	kit_refused(HEAD "---\nversion: 1\n", 3, 1, "second document");
	kit_refused("%YAML 1.1\n---\nversion: 1\n", 1, 1, "directives");
}

TEST(p11_values_are_never_guessed)
{
	static const char *const hosts[] = { "no", "on", "null", "1.5", "2026-01-01", "~", "Yes" };
	char text[256];

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		(void)snprintf(
			text, sizeof(text),
			HEAD
			"network:\n  - {name: a, hosts: [%s], ports: [443], mode: passthrough, reason: x}\n",
			hosts[i]);
		kit_refused(text, 4, 23, "wrong type");
	}
	kit_refused(READ HTTP "rules: [{deny: yes, methods: [GET], paths: [/a]}]}\n", 5, 0,
		    "booleans");
	kit_refused(READ HTTP "rules: [{deny: \"true\", methods: [GET], paths: [/a]}]}\n", 5, 0,
		    "booleans");
	kit_refused(READ HTTP "access: read-only, observe: on}\n", 5, 0, "booleans");
	kit_refused(
		HEAD
		"network:\n  - {name: a, hosts: [a.example], ports: [\"443\"], mode: passthrough, reason: x}\n",
		4, 43, "without quotes");
	kit_refused(
		HEAD
		"network:\n  - {name: 1, hosts: [a.example], ports: [443], mode: passthrough, reason: x}\n",
		4, 12, "wrong type");
	kit_refused(
		HEAD
		"network:\n  - {name: a, hosts: a.example, ports: [443], mode: passthrough, reason: x}\n",
		4, 22, "not a list");
}

TEST(p12_a_port_is_one_decimal_number)
{
	static const char *const ports[] = { "0",   "65536",   "-1", "443.0", "0x1bb", "0443",
					     "1e3", "443-445", "53", "[443]", "" };
	char text[256];

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		(void)snprintf(
			text, sizeof(text),
			HEAD
			"network:\n  - {name: a, hosts: [a.example], ports: [80, %s], mode: passthrough, reason: x}\n",
			ports[i][0] ? ports[i] : "~");
		kit_refused(text, 4, 47, "port");
	}
	kit_refused(
		HEAD
		"network:\n  - {name: a, hosts: [a.example], ports: [80, 443, 80], mode: passthrough, reason: x}\n",
		4, 52, "twice");
}

TEST(p13_to_p15_and_p17_hosts_are_checked_where_they_stand)
{
	kit_refused(
		HEAD
		"network:\n  - {name: a, hosts: [b.example, '*.com'], ports: [80], mode: tcp}\n",
		4, 34, "not allowed here");
	kit_refused(HEAD
		    "network:\n  - {name: a, hosts: ['*.github.io'], ports: [80], mode: tcp}\n",
		    4, 23, "public suffix");
	kit_refused(HEAD
		    "network:\n  - {name: a, hosts: ['*x.example.com'], ports: [80], mode: tcp}\n",
		    4, 23, "whole label");
	kit_refused(HEAD "network:\n  - {name: a, hosts: [A.example], ports: [80], mode: tcp}\n", 4,
		    23, "write `a.example`");
	kit_refused(HEAD "network:\n  - {name: a, hosts: [''], ports: [80], mode: tcp}\n", 4, 23,
		    "empty");
	kit_refused(
		HEAD
		"network:\n  - {name: a, hosts: [a.example, a.example], ports: [80], mode: tcp}\n",
		4, 34, "twice");
}

TEST(p16_wildcards_count_labels)
{
	struct kit k = kit_compile(
		READ
		"  - {name: a, hosts: ['*.one.example.com'], ports: [80], mode: http, protocol: rest, access: read-only}\n"
		"  - {name: b, hosts: ['**.many.example.com'], ports: [80], mode: http, protocol: rest, access: read-only}\n");

	CHECK_INT(kit_ask(&k, "GET", "a.one.example.com", 80, "/"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "one.example.com", 80, "/"), REASON_NAME_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.b.one.example.com", 80, "/"), REASON_NAME_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", ".one.example.com", 80, "/"), REASON_NAME_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.many.example.com", 80, "/"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "many.example.com", 80, "/"), REASON_NAME_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.b.many.example.com", 80, "/"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", ".many.example.com", 80, "/"), REASON_NAME_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.one.example.com", 81, "/"), REASON_PORT_UNLISTED);
	kit_free(&k);
}

TEST(p27_classes_and_verdicts_belong_together)
{
	kit_refused(HEAD "verdicts: {read: allow}\nnetwork:\n" HTTP "access: read-write}\n", 5, 0,
		    "class `write` has no verdict");
	kit_refused(HEAD "network:\n" HTTP "access: read-only}\n", 4, 0,
		    "class `read` has no verdict");
	kit_refused(RW HTTP "access: read-only}\n", 3, 25, "no rule has class `write`");
	kit_refused(HEAD "verdicts: {unclassified: allow}\n", 3, 12, "always denied");
	kit_refused_in(READ HTTP "access: read-only, observe: true}\n", true, 5, 0, "production");
	kit_warned(READ HTTP "access: read-only, observe: true}\n", 5, 0, "only observes");
	kit_refused_in("version: 1\nlab: true\n", true, 2, 6, "production");
	kit_refused(READ PASS ", observe: true}\n", 5, 0, "does not apply");
}

TEST(p28_addresses_are_private_ranges_without_host_bits)
{
	static const char *const bad[][2] = {
		{ "169.254.0.0/16", "link-local" },
		{ "224.0.0.0/4", "multicast" },
		{ "0.0.0.0/0", "link-local" },
		{ "'::/0'", "link-local" },
		{ "10.20.0.1/16", "host bits" },
		{ "010.0.0.0/8", "leading zeros" },
		{ "10.0.0.0/33", "range" },
		{ "'fe80::/10'", "link-local" },
		{ "168.63.129.16", "metadata" },
		{ "'fd00:ec2::254'", "metadata" },
		{ "127.0.0.0/8", "lab" },
		{ "'::1'", "lab" },
		{ "'::ffff:10.0.0.0/104'", "IPv4 range" },
		{ "10.0.0.0/08", "leading zeros" },
		{ "wiki.example", "range" },
	};
	char text[256];
	struct kit k;
	struct policy_entry e;
	struct ip ip;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text),
			       READ HTTP "access: read-only, addresses: [%s]}\n", bad[i][0]);
		kit_refused(text, 5, 0, bad[i][1]);
	}
	kit_refused(READ HTTP "access: read-only, addresses: [10.0.0.0/8, 10.0.0.0/8]}\n", 5, 0,
		    "twice");
	kit_refused(READ HTTP "access: read-only, credential: x}\n", 5, 0, "only added to intercepted https");
	kit_refused(READ PASS ", credential: x}\n", 5, 0, "credential");
	kit_warned(READ HTTP "access: read-only, addresses: [8.0.0.0/16]}\n", 5, 0, "public");
	k = kit_compile(READ HTTP "access: read-only, addresses: [10.20.0.0/16, 'fd00:1::/32']}\n");
	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 80, &e), REASON_OK);
	CHECK(ip_parse(bytes_str("8.8.8.8"), &ip) && policy_address_ok(&k.policy, &e, ip));
	CHECK(ip_parse(bytes_str("10.20.3.4"), &ip) && policy_address_ok(&k.policy, &e, ip));
	CHECK(ip_parse(bytes_str("fd00:1::9"), &ip) && policy_address_ok(&k.policy, &e, ip));
	CHECK(ip_parse(bytes_str("10.21.3.4"), &ip) && !policy_address_ok(&k.policy, &e, ip));
	CHECK(ip_parse(bytes_str("::ffff:10.20.3.4"), &ip) &&
	      !policy_address_ok(&k.policy, &e, ip));
	CHECK(ip_parse(bytes_str("127.0.0.1"), &ip) && !policy_address_ok(&k.policy, &e, ip));
	CHECK(ip_parse(bytes_str("169.254.169.254"), &ip) && !policy_address_ok(&k.policy, &e, ip));
	kit_free(&k);
}

TEST(a_clouds_metadata_service_is_not_dialled_by_who_lists_the_range_around_it)
{
	static const char *const services[] = { "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254" };
	struct kit k = kit_compile("version: 1\nlab: true\nverdicts: {read: allow}\nnetwork:\n" HTTP
				   "access: read-only, addresses: [100.64.0.0/10, 168.63.0.0/16, 192.0.0.0/24, 'fd00::/8']}\n");
	struct policy_entry e;
	struct ip ip;

	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 80, &e), REASON_OK);
	CHECK(ip_parse(bytes_str("100.100.100.201"), &ip) && policy_address_ok(&k.policy, &e, ip));
	CHECK(ip_parse(bytes_str("192.0.0.193"), &ip) && policy_address_ok(&k.policy, &e, ip));
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		CHECK(ip_parse(bytes_str(services[i]), &ip) && !policy_address_ok(&k.policy, &e, ip));
	kit_free(&k);
}

TEST(the_hosts_own_addresses_are_as_loopback_whatever_their_scope)
{
	static const char *const network = "verdicts: {read: allow}\nnetwork:\n" HTTP
					   "access: read-only, addresses: [8.8.8.8, 10.0.0.0/8, 168.63.129.0/24]}\n";
	char text[256];
	struct policy_entry e;
	struct ip ip;

	for (int lab = 0; lab <= 1; lab++) {
		struct kit k;

		(void)snprintf(text, sizeof(text), "version: 1\nlab: %s\n%s", lab ? "true" : "false", network);
		k = kit_compile(text);
		CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 80, &e), REASON_OK);
		CHECK(ip_parse(bytes_str("8.8.8.8"), &ip) && policy_address_ok(&k.policy, &e, ip));
		CHECK_INT(policy_own_address_ok(&k.policy, &e, ip), lab);
		CHECK(ip_parse(bytes_str("10.0.0.1"), &ip) && policy_address_ok(&k.policy, &e, ip));
		CHECK_INT(policy_own_address_ok(&k.policy, &e, ip), lab);
		CHECK(ip_parse(bytes_str("9.9.9.9"), &ip) && policy_address_ok(&k.policy, &e, ip));
		CHECK(!policy_own_address_ok(&k.policy, &e, ip));
		CHECK(ip_parse(bytes_str("168.63.129.16"), &ip) && !policy_own_address_ok(&k.policy, &e, ip));
		kit_free(&k);
	}
}

TEST(only_a_lab_policy_dials_loopback)
{
	struct kit k = kit_compile("version: 1\nlab: true\nverdicts: {read: allow}\nnetwork:\n" HTTP
				   "access: read-only, addresses: [127.0.0.10]}\n");
	struct policy_entry e;
	struct ip ip;

	CHECK(policy_lab(&k.policy));
	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 80, &e), REASON_OK);
	CHECK(ip_parse(bytes_str("127.0.0.10"), &ip) && policy_address_ok(&k.policy, &e, ip));
	CHECK(ip_parse(bytes_str("127.0.0.11"), &ip) && !policy_address_ok(&k.policy, &e, ip));
	kit_free(&k);
}

TEST(later_parts_of_the_language_are_refused_and_not_ignored)
{
	kit_refused(HEAD "filesystem: {read_only: []}\n", 3, 1, "not available in this version");
	kit_refused(HEAD "process: {}\n", 3, 1, "not available in this version");
	kit_refused(
		READ
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: graphql, access: read-only}\n",
		5, 70, "not available in this version");
}

TEST(passthrough_and_tcp_need_exact_names_and_a_reason)
{
	kit_refused(
		HEAD
		"network:\n  - {name: a, hosts: [a.example], ports: [443], mode: passthrough}\n",
		4, 5, "without `reason`");
	kit_refused(
		HEAD
		"network:\n  - {name: a, hosts: ['*.a.example'], ports: [443], mode: passthrough, reason: x}\n",
		4, 23, "exact names");
	kit_refused(
		HEAD
		"network:\n  - {name: a, hosts: ['*.a.example'], ports: [5432], mode: tcp, reason: x}\n",
		4, 23, "exact names");
	kit_warned(HEAD "network:\n  - {name: a, hosts: [a.example], ports: [5432], mode: tcp}\n",
		   4, 5, "reason");
	kit_warned(
		HEAD
		"network:\n  - {name: a, hosts: [github.com], ports: [443], mode: passthrough, reason: x}\n",
		4, 23, "shared by many owners");
	kit_warned(
		READ
		"  - {name: a, hosts: [github.com], ports: [80], mode: http, protocol: rest, access: read-only}\n",
		5, 23, "shared by many");
	kit_refused(HEAD "network:\n" PASS ", rules: []}\n", 4, 0, "does not apply");
	kit_refused(HEAD "network:\n" PASS ", budget: 5}\n", 4, 0, "no host here is one");
}

TEST(every_problem_of_a_file_is_told_at_once)
{
	struct kit k;

	kit_compile_bytes(
		&k,
		bytes_str(HEAD
			  "network:\n  - {name: A, hosts: [A.example], ports: [0], mode: nope}\n"),
		false);
	CHECK(!k.ok && k.problems.n_errors == 4 && k.problems.n == 4);
	for (size_t i = 1; i < k.problems.n; i++)
		CHECK(k.problems.v[i - 1].column < k.problems.v[i].column);
	kit_free(&k);
}
