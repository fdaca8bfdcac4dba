#include "wire/ocsf.h"

#include <stdlib.h>

#include "base/tap.h"
#include "wire/json_scan.h"

static const struct ocsf_source source = {
	.version = { (const uint8_t *)"0.1.0", 5 },
	.writer = { (const uint8_t *)"gateway", 7 },
	.workspace_id = { (const uint8_t *)"ws-0123456789ab", 15 },
	.workspace_name = { (const uint8_t *)"dev", 3 },
	.owner = { (const uint8_t *)"alice", 5 },
	.policy = { (const uint8_t *)"corporate", 9 },
};
static struct buf out;
static struct json_node nodes[512];
static uint32_t n_nodes;

static const struct json_node *render(const struct event *ev, const struct ocsf_source *src)
{
	struct ocsf_place at = { .sequence = 7 };
	size_t where;

	memset(at.prev, 'a', OCSF_HEX_MAX - 1);
	if (!out.max)
		buf_init(&out, OCSF_LINE_MAX);
	buf_reset(&out);
	ocsf_render(&out, ev, "a_code", "a sentence", src, &at);
	CHECK(!out.failed);
	return json_scan(buf_view(&out), nodes, 512, &n_nodes, &where) == JSON_OK ? nodes : NULL;
}

static bool is(const struct json_node *of, const char *object, const char *key, const char *text)
{
	return json_is(json_get(nodes, object ? json_get(nodes, of, object) : of, key), text);
}

static uint64_t num(const struct json_node *of, const char *object, const char *key)
{
	uint64_t v = UINT64_MAX;

	(void)json_u64(json_get(nodes, object ? json_get(nodes, of, object) : of, key), INT64_MAX, &v);
	return v;
}

static struct event full(enum event_kind kind, enum event_action action)
{
	return (struct event){
		.kind = kind,
		.action = action,
		.at_ms = 1767600001517,
		.reason = 1,
		.flow = 42,
		.generation = 3,
		.count = 9,
		.bytes_in = 100,
		.bytes_out = 20,
		.duration_ms = 1500,
		.src = ip_v4(0x64400002),
		.dst = ip_v4(0xc6120001),
		.src_port = 40000,
		.dst_port = 443,
		.ip_proto = 6,
		.status = 5,
		.pid = 77,
		.name = bytes_str("good.example"),
		.rule = bytes_str("entry/2 (read)"),
		.verb = bytes_str("GET"),
		.path = bytes_str("/a?b=c"),
		.actor = bytes_str("alice"),
		.detail = bytes_str("said more"),
		.change = bytes_str("network[a].rules: add {paths: [\"/x\"]}"),
		.tokens_in = 12,
		.tokens_out = 345,
		.model = bytes_str("gpt-x"),
		.credential = bytes_str("forge-token"),
	};
}

TEST(a_refused_flow_says_who_where_why_and_by_which_rule)
{
	struct event ev = full(EVENT_FLOW, EVENT_DENIED);
	const struct json_node *o = render(&ev, &source);

	CHECK_INT(num(o, NULL, "class_uid"), 4001);
	CHECK_INT(num(o, NULL, "type_uid"), 400105);
	CHECK(is(o, NULL, "disposition", "Blocked"));
	CHECK(is(o, NULL, "action", "Denied"));
	CHECK(is(o, NULL, "status_code", "a_code"));
	CHECK(is(o, NULL, "status_detail", "a sentence: said more"));
	CHECK(is(o, "unmapped", "policy_change", "network[a].rules: add {paths: [\"/x\"]}"));
	CHECK(is(o, "firewall_rule", "name", "entry/2 (read)"));
	CHECK(is(o, "policy", "name", "corporate"));
	CHECK(is(o, "policy", "version", "3"));
	CHECK(is(o, "connection_info", "uid", "42"));
	CHECK(is(o, "src_endpoint", "ip", "100.64.0.2"));
	CHECK(is(o, "dst_endpoint", "ip", "198.18.0.1"));
	CHECK(is(o, "dst_endpoint", "hostname", "good.example"));
	CHECK(is(o, "device", "uid", "ws-0123456789ab"));
	CHECK_INT(num(o, NULL, "count"), 9);
	CHECK_INT(num(o, NULL, "start_time"), 1767600000017);
	CHECK_INT(num(o, "metadata", "sequence"), 7);
	CHECK(is(o, "metadata", "log_provider", "alice"));
	CHECK(out.len < 2048);
}

TEST(an_ended_flow_has_its_counts)
{
	struct event ev = full(EVENT_FLOW, EVENT_CLOSED);
	const struct json_node *o = render(&ev, &source);

	CHECK_INT(num(o, NULL, "activity_id"), 2);
	CHECK(is(o, NULL, "disposition", "Allowed"));
	CHECK_INT(num(o, "traffic", "bytes_in"), 100);
	CHECK_INT(num(o, "traffic", "bytes"), 120);
	ev.bytes_in = ev.bytes_out = UINT64_MAX;
	o = render(&ev, &source);
	CHECK_INT(num(o, "traffic", "bytes_in"), INT64_MAX / 2);
	CHECK_INT(num(o, "traffic", "bytes"), INT64_MAX - 1);
}

TEST(a_dns_answer_names_its_address)
{
	struct event ev = full(EVENT_DNS, EVENT_ALLOWED);
	const struct json_node *o;

	ev.dst_port = 0;
	ev.verb = bytes_str("A");
	o = render(&ev, &source);
	CHECK_INT(num(o, NULL, "class_uid"), 4003);
	CHECK(is(o, "query", "hostname", "good.example"));
	CHECK(is(o, "query", "type", "A"));
	CHECK(json_is(json_get(nodes, json_at(nodes, json_get(nodes, o, "answers"), 0), "rdata"), "198.18.0.1"));
	CHECK_INT(num(o, NULL, "rcode_id"), 5);
}

TEST(a_request_has_method_path_and_query)
{
	struct event ev = full(EVENT_HTTP, EVENT_ALLOWED);
	const struct json_node *o = render(&ev, &source);
	const struct json_node *q = json_get(nodes, o, "http_request");

	CHECK_INT(num(o, NULL, "type_uid"), 400203);
	CHECK(is(q, NULL, "http_method", "GET"));
	CHECK(is(q, "url", "path", "/a"));
	CHECK(is(q, "url", "query_string", "b=c"));
	ev.verb = bytes_str("PROPFIND");
	o = render(&ev, &source);
	CHECK_INT(num(o, NULL, "activity_id"), 99);
	CHECK(is(o, NULL, "activity_name", "PROPFIND"));
	CHECK(!json_get(nodes, json_get(nodes, o, "http_request"), "http_method"));
}

TEST(lab_and_observing_are_marked_in_the_record)
{
	struct ocsf_source lab = source;
	struct event ev = full(EVENT_FLOW, EVENT_OBSERVED);
	const struct json_node *o;
	struct ocsf_place at;
	bool yes = false;

	lab.lab = true;
	o = render(&ev, &lab);
	CHECK(json_bool(json_get(nodes, json_get(nodes, o, "unmapped"), "lab"), &yes) && yes);
	CHECK(json_bool(json_get(nodes, json_get(nodes, o, "unmapped"), "observed"), &yes) && yes);
	CHECK(is(o, NULL, "action", "Observed"));
	CHECK(ocsf_place_read(buf_view(&out), &at));
	CHECK_INT(at.sequence, 7);
	ev = full(EVENT_FLOW, EVENT_ALLOWED);
	o = render(&ev, &source);
	CHECK(!json_get(nodes, json_get(nodes, o, "unmapped"), "lab"));
}

/* What only observes says so of what it allows, too: nothing was enforced there. */
TEST(every_record_of_an_observing_entry_says_so)
{
	static const enum event_kind kinds[] = { EVENT_FLOW, EVENT_HTTP, EVENT_MODEL };
	bool yes;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (enum event_action a = EVENT_ALLOWED; a <= EVENT_FAILED; a++) {
			struct event ev = full(kinds[i], a);
			const struct json_node *o;
			struct ocsf_place at;

			ev.observing = true;
			o = render(&ev, &source);
			yes = false;
			CHECK(json_bool(json_get(nodes, json_get(nodes, o, "unmapped"), "observing"), &yes) && yes);
			CHECK(!!json_get(nodes, json_get(nodes, o, "unmapped"), "observed") == (a == EVENT_OBSERVED));
			CHECK(ocsf_place_read(buf_view(&out), &at));
			ev.observing = false;
			o = render(&ev, &source);
			CHECK(!json_get(nodes, json_get(nodes, o, "unmapped"), "observing"));
		}
}

TEST(a_note_without_reason_speaks_for_itself)
{
	struct event ev = full(EVENT_LIFECYCLE, EVENT_NOTE);
	const struct json_node *o;

	ev.reason = 0;
	ev.verb = bytes_str("started");
	o = render(&ev, &source);
	CHECK_INT(num(o, NULL, "type_uid"), 600203);
	CHECK(!json_get(nodes, o, "status_code"));
	CHECK(!json_get(nodes, o, "disposition"));
	CHECK(is(o, NULL, "status_detail", "said more"));
}

TEST(any_bytes_give_valid_json_of_bounded_length)
{
	static uint8_t junk[2 * EVENT_TEXT_MAX];
	struct event ev = full(EVENT_HTTP, EVENT_DENIED);
	struct ocsf_place at;

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)(i % 251 < 32 ? i % 251 + 1 : i % 251 + 4);
	ev.name = ev.rule = ev.verb = ev.path = ev.actor = ev.detail = ev.change = bytes_of(junk, sizeof(junk));
	CHECK(render(&ev, &source) != NULL);
	CHECK(ocsf_place_read(buf_view(&out), &at));
	memset(junk, 1, sizeof(junk));
	CHECK(render(&ev, &source) != NULL);
	memset(junk, 0xff, sizeof(junk));
	CHECK(render(&ev, &source) != NULL);
	ev.name = ev.path = ev.change = bytes_str("\"},\"metadata\":{\"sequence\":99,");
	CHECK(render(&ev, &source) != NULL);
	CHECK(ocsf_place_read(buf_view(&out), &at));
	CHECK_INT(at.sequence, 7);
}

TEST(the_credential_that_was_spent_is_named_and_none_where_none_was)
{
	struct event ev = full(EVENT_HTTP, EVENT_ALLOWED);

	CHECK(is(render(&ev, &source), "unmapped", "credential", "forge-token"));
	ev.credential = bytes_of(NULL, 0);
	CHECK(!json_get(nodes, json_get(nodes, render(&ev, &source), "unmapped"), "credential"));
}

TEST(what_a_model_said_of_itself_stands_where_the_schema_has_it)
{
	struct event ev = full(EVENT_MODEL, EVENT_CLOSED);
	const struct json_node *o = render(&ev, &source);

	CHECK_INT(num(o, NULL, "class_uid"), 6003);
	CHECK(is(o, "ai_model", "name", "gpt-x") && is(o, "ai_model", "ai_provider", "good.example"));
	CHECK_INT(num(o, "message_context", "prompt_tokens"), 12);
	CHECK_INT(num(o, "message_context", "completion_tokens"), 345);
	CHECK(is(o, "api", "operation", "GET"));
}

TEST(the_place_of_a_foreign_line_is_refused)
{
	struct ocsf_place at;
	struct event ev = full(EVENT_FLOW, EVENT_ALLOWED);

	(void)render(&ev, &source);
	CHECK(ocsf_place_read(buf_view(&out), &at));
	CHECK_STR(at.prev, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	CHECK(!ocsf_place_read(bytes_of(out.p, out.len - 5), &at));
	CHECK(!ocsf_place_read(bytes_of(out.p, 30), &at));
	CHECK(!ocsf_place_read(bytes_of(out.p, 0), &at));
	out.p[30] = 'G';
	CHECK(!ocsf_place_read(buf_view(&out), &at));
	CHECK(!ocsf_place_read(bytes_str("{}"), &at));
}

/* Words and texts that an event of this kind may have, and none of them. */
static void vary(struct event *ev, unsigned missing)
{
	static const char *const words[] = { "started", "opened", "A", "GET", "workspaces.create", "PROPFIND", "died" };

	ev->verb = bytes_str(words[missing % 7]);
	ev->flow = missing & 1 ? 0 : ev->flow;
	ev->src = missing & 2 ? (struct ip){ 0 } : ev->src;
	ev->dst = missing & 4 ? (struct ip){ 0 } : ev->dst;
	ev->name = missing & 8 ? bytes_of(NULL, 0) : ev->name;
	ev->rule = missing & 16 ? bytes_of(NULL, 0) : ev->rule;
	ev->verb = missing & 32 ? bytes_of(NULL, 0) : ev->verb;
	ev->path = missing & 64 ? bytes_of(NULL, 0) : ev->path;
	ev->actor = missing & 128 ? bytes_of(NULL, 0) : ev->actor;
	ev->detail = missing & 256 ? bytes_of(NULL, 0) : ev->detail;
	ev->model = missing & 16 ? bytes_of(NULL, 0) : ev->model;
	if (missing & 512) {
		ev->generation = ev->count = ev->bytes_in = ev->bytes_out = ev->duration_ms = 0;
		ev->src_port = ev->dst_port = ev->status = ev->reason = ev->ip_proto = 0;
		ev->pid = 0;
	}
	if (missing % 3 == 0)
		ev->status = (uint16_t)(missing % 20);
}

/* Every kind, action and combination of missing fields. With OCSF_TEST_OUT the lines go to that file, for the schema's own check. */
TEST(what_a_source_rendered_once_is_what_each_line_would_say)
{
	const struct event ev = full(EVENT_HTTP, EVENT_ALLOWED);
	const struct ocsf_source none = { 0 };
	const struct ocsf_source *const sources[] = { &source, &none };

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct ocsf_source fixed = *sources[i];
		struct buf writer BUF_AUTO;
		struct buf device BUF_AUTO;
		char *plain;

		buf_init(&writer, OCSF_LINE_MAX);
		buf_init(&device, OCSF_LINE_MAX);
		CHECK(ocsf_source_fix(&fixed, &writer, &device));
		CHECK(fixed.fixed_writer.len && fixed.fixed_device.len);
		CHECK(render(&ev, sources[i]));
		plain = bytes_dup(buf_view(&out));
		CHECK(render(&ev, &fixed));
		CHECK_STR(buf_cstr(&out), plain);
		free(plain);
		/* It is these that are written. */
		fixed.fixed_device = bytes_str("\"device\":{\"type_id\":7}");
		CHECK(num(render(&ev, &fixed), "device", "type_id") == 7);
	}
}

TEST(every_combination_of_kind_action_and_missing_fields_is_valid_json)
{
	const char *path = getenv("OCSF_TEST_OUT");
	FILE *f = path ? fopen(path, "w") : NULL;
	const struct ocsf_source none = { 0 };
	bool good = true;

	CHECK(!path || f);
	for (int kind = 1; kind < EVENT_KIND_END; kind++)
		for (int action = 1; action < EVENT_ACTION_END; action++)
			for (unsigned missing = 0; missing < 1024; missing++) {
				struct event ev = full((enum event_kind)kind, (enum event_action)action);

				vary(&ev, missing);
				good &= render(&ev, missing % 5 == 0 ? &none : &source) != NULL;
				good &= out.len < 2048;
				if (f)
					(void)fprintf(f, "%.*s\n", (int)out.len, (const char *)out.p);
			}
	CHECK(good);
	CHECK(!f || fclose(f) == 0);
	buf_deinit(&out);
}
