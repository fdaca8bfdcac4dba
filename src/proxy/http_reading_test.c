#include "proxy/http_reading.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/tap.h"
#include "proxy/gzip_kit.h"
#include "rules/policy_test_kit.h"
#include "wire/gzip.h"

#define ZERO "0000000000000000000000000000000000000000"
#define ONE "1111111111111111111111111111111111111111"
#define REF "refs/heads/agent/one"
#define PUSH "006a" ZERO " " ONE " " REF "0000"

enum { PACK = 600 * 1024 };

static struct http_reading *fresh(const char *coding)
{
	static struct http1_field field;
	static struct http1_head h;

	field = (struct http1_field){ bytes_str("content-encoding"), bytes_str(coding) };
	h = (struct http1_head){ .n_fields = 1 };
	h.fields[0] = field;
	return http_reading_new(POLICY_NEEDS_GIT, &h);
}

static const struct policy_body *facts(struct http_reading *r)
{
	return http_reading_facts(r, NULL, NULL, POLICY_NEEDS_GIT);
}

/* *ret_cut: behind the commands. */
static void coded_push(struct buf *out, size_t *ret_cut)
{
	static uint8_t pack[PACK];
	struct gzip_kit k;

	gzip_kit_begin(&k, out);
	gzip_kit_add(&k, bytes_str(PUSH));
	*ret_cut = out->len;
	gzip_kit_add(&k, bytes_of(pack, sizeof(pack)));
	gzip_kit_end(&k);
}

/* What was freed is somebody else's now. */
static void spoil(void)
{
	void *p[64];

	for (size_t i = 0; i < 64; i++) {
		p[i] = malloc(16 * (i + 1));
		must(p[i]);
		memset(p[i], '!', 16 * (i + 1));
	}
	for (size_t i = 0; i < 64; i++)
		free(p[i]);
}

TEST(the_commands_of_a_coded_push_stay_what_they_are_while_its_pack_goes_by)
{
	struct http_reading *r = fresh("gzip");
	struct buf body BUF_AUTO = { 0 };
	const struct policy_body *b;
	size_t cut;

	buf_init(&body, 2 * 1024 * 1024);
	coded_push(&body, &cut);
	http_reading_feed(r, bytes_of(body.p, cut));
	CHECK(!http_reading_ready(r));
	for (size_t at = cut; at < body.len; at += 60000) {
		http_reading_feed(r, bytes_of(body.p + at, body.len - at < 60000 ? body.len - at : 60000));
		spoil();
	}
	http_reading_end(r);
	b = facts(r);
	CHECK(http_reading_ready(r) && b->state == POLICY_BODY_READ && b->n_commands == 1);
	CHECK(bytes_is(b->commands[0].ref, REF));
	http_reading_free(r);
}

TEST(a_coded_push_that_is_cut_short_behind_its_commands_is_no_push)
{
	struct http_reading *r = fresh("gzip");
	struct buf body BUF_AUTO = { 0 };
	size_t cut;

	buf_init(&body, 2 * 1024 * 1024);
	coded_push(&body, &cut);
	http_reading_feed(r, bytes_of(body.p, body.len - 1));
	http_reading_end(r);
	CHECK_INT(facts(r)->state, POLICY_BODY_UNPARSABLE);
	http_reading_free(r);
}

TEST(nothing_stands_behind_commands_that_no_pack_follows)
{
	static const char *const whole[] = { "0000", "006a" ONE " " ZERO " " REF "0000" };

	for (size_t i = 0; i < 2; i++)
		for (int how = 0; how < 6; how++) {
			struct http_reading *r = fresh(how % 2 ? "gzip" : "identity");
			struct buf all BUF_AUTO = { .max = 4096 }, coded BUF_AUTO = { .max = 4096 };
			bool more = how >= 2, later = how >= 4;
			struct gzip_kit k;

			buf_str(&all, whole[i]);
			if (more)
				buf_str(&all, PUSH);
			gzip_kit_begin(&k, &coded);
			gzip_kit_add(&k, buf_view(&all));
			gzip_kit_end(&k);
			for (struct bytes left = buf_view(how % 2 ? &coded : &all); left.len; left = bytes_skip(left, later ? 1 : left.len))
				http_reading_feed(r, bytes_of(left.p, later ? 1 : left.len));
			CHECK(more || !http_reading_ready(r));
			http_reading_end(r);
			CHECK_INT(facts(r)->state, more ? POLICY_BODY_UNPARSABLE : POLICY_BODY_READ);
			CHECK(more || facts(r)->n_commands == i);
			http_reading_free(r);
		}
}

/* As its caller judges when no more of it can be held. */
TEST(a_push_whose_commands_are_not_all_here_is_no_push_without_commands)
{
	for (int coded = 0; coded < 2; coded++) {
		struct http_reading *r = fresh(coded ? "gzip" : "identity");

		http_reading_feed(r, coded ? bytes_of((const uint8_t *)"\x1f\x8b\x08", 3) : bytes_of((const uint8_t *)PUSH, sizeof(PUSH) - 5));
		CHECK(!http_reading_ready(r));
		CHECK_INT(facts(r)->state, POLICY_BODY_TOO_LARGE);
		http_reading_feed(r, bytes_str("0000"));
		http_reading_end(r);
		CHECK_INT(facts(r)->state, POLICY_BODY_TOO_LARGE);
		http_reading_free(r);
	}
}

/* Empty stored blocks: five bytes each, and nothing comes out. */
TEST(what_is_held_of_bodies_that_decode_to_nothing_is_bounded_for_all_of_a_workspace)
{
	struct http_reading *all[512];
	size_t n = 0;

	while (n < 512 && (all[n] = fresh("gzip"))) {
		http_reading_held(all[n], HTTP_READING_HELD_MAX);
		if (http_reading_ready(all[n++]))
			break;
	}
	CHECK(n <= HTTP_READING_ALL_MAX / HTTP_READING_HELD_MAX + 1);
	CHECK(facts(all[n - 1])->state == POLICY_BODY_TOO_LARGE && http_reading_ready(all[n - 1]));
	while (n)
		http_reading_free(all[--n]);
	all[0] = fresh("gzip");
	CHECK(all[0] && !http_reading_ready(all[0]));
	http_reading_free(all[0]);
}

TEST(what_a_push_costs_before_its_first_byte_is_bounded_for_all_of_a_workspace)
{
	static struct http_reading *all[4096];
	size_t n = 0;

	while (n < 4096 && (all[n] = fresh("gzip")))
		n++;
	CHECK(n * (GIT_PUSH_COMMANDS_MAX * sizeof(struct git_command) + GZIP_MEMORY) <= HTTP_READING_ALL_MAX + 512 * 1024);
	while (n)
		http_reading_free(all[--n]);
}

static enum policy_body_state labelled(const struct kit *k, const struct policy_entry *e, const char *type)
{
	static struct http1_head h;
	struct http_reading *r;
	enum policy_body_state state;

	h.n_fields = 1;
	h.fields[0] = (struct http1_field){ bytes_str("content-type"), bytes_str(type) };
	h.method = bytes_str("POST");
	r = http_reading_new(POLICY_NEEDS_JSON, &h);
	if (!CHECK(r))
		return POLICY_BODY_UNPARSABLE;
	http_reading_feed(r, bytes_str("{\"<<\": {\"d\": \"x\"}}"));
	http_reading_end(r);
	state = http_reading_facts(r, &k->policy, e, POLICY_NEEDS_JSON)->state;
	http_reading_free(r);
	return state;
}

/* I3: the label does not choose the grammar, but a host that goes by it must not read something else. Ruby's YAML reads {"d": "x"}. */
TEST(a_body_that_is_labelled_as_yaml_is_read_in_two_ways)
{
	struct kit k = kit_compile("version: 1\nname: t\nverdicts: {draft: allow}\nnetwork:\n  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
				   "      {class: draft, methods: [POST], paths: [/p], json: {/d: [x]}}]}\n");
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 80, &e), REASON_OK);
	CHECK_INT(labelled(&k, &e, "application/json"), POLICY_BODY_READ);
	CHECK_INT(labelled(&k, &e, "text/plain"), POLICY_BODY_READ);
	CHECK_INT(labelled(&k, &e, "application/yaml"), POLICY_BODY_UNCLEAR);
	CHECK_INT(labelled(&k, &e, "application/apply-patch+YAML; charset=utf-8"), POLICY_BODY_UNCLEAR);
	CHECK_INT(labelled(&k, &e, "text/x-yaml"), POLICY_BODY_UNCLEAR);
	kit_free(&k);
}

/* A string of escapes alone: the reader's copy is half as long as the body. */
TEST(what_the_json_reader_takes_counts_like_the_body)
{
	static const char *const text = "version: 1\nname: t\nverdicts: {draft: allow}\nnetwork:\n  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
					"      {class: draft, methods: [POST], paths: [/p], json: {/d: [x]}}]}\n";
	static struct http_reading *all[512];
	static const struct http1_head h;
	struct kit k = kit_compile(text);
	struct buf body BUF_AUTO = { .max = HTTP_READING_MAX };
	struct policy_entry e;
	size_t n = 0;
	size_t copy = HTTP_READING_MAX / 2 - 16;

	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 80, &e), REASON_OK);
	buf_str(&body, "{\"d\":\"");
	for (size_t i = 0; i < copy; i++)
		buf_str(&body, "\\n");
	CHECK(buf_str(&body, "\"}"));
	while (n < 512 && (all[n] = http_reading_new(POLICY_NEEDS_JSON, &h))) {
		struct http_reading *r = all[n++];
		const struct policy_body *b;

		http_reading_feed(r, buf_view(&body));
		http_reading_end(r);
		b = http_reading_facts(r, &k.policy, &e, POLICY_NEEDS_JSON);
		if (b->state != POLICY_BODY_READ)
			break;
		CHECK(b->n_values == 1 && b->values[0].text.len == copy);
	}
	CHECK(n > 1 && (n - 2) * (body.len + copy) <= HTTP_READING_ALL_MAX);
	while (n)
		http_reading_free(all[--n]);
	kit_free(&k);
}
