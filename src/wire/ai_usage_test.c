#include "wire/ai_usage.h"

#include "base/buf.h"
#include "base/tap.h"

static void feed(struct ai_usage *u, enum ai_usage_kind kind, const char *text, size_t step)
{
	struct bytes s = bytes_str(text);

	ai_usage_init(u, kind);
	for (size_t off = 0; off < s.len; off += step)
		ai_usage_feed(u, bytes_of(s.p + off, s.len - off > step ? step : s.len - off));
}

static const char openai_chat[] =
	"{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
	"\"assistant\",\"content\":\"say \\\"usage\\\": {\\\"prompt_tokens\\\": 666}\",\"model\":\"no\",\"usage\":{\"prompt_tokens\":666}}}],"
	"\"usage\" : { \"prompt_tokens\": 19, \"completion_tokens\":10 ,\"total_tokens\":29,"
	"\"prompt_tokens_details\":{\"cached_tokens\":7,\"audio_tokens\":0},\"completion_tokens_details\":{\"cached_tokens\":99}}}";

static const char openai_stream[] =
	"data: {\"model\":\"gpt-4o\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\n\n"
	"data: {\"model\":\"gpt-4o\",\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,"
	"\"prompt_tokens_details\":{\"cached_tokens\":7}}}\n\n"
	"data: [DONE]\n\n";

static const char openai_responses[] =
	"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"model\":\"gpt-4o\",\"usage\":null}}\n\n"
	"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"model\":\"no\"}],\"model\":\"gpt-4o\","
	"\"usage\":{\"input_tokens\":19,\"input_tokens_details\":{\"cached_tokens\":7},\"output_tokens\":10,"
	"\"output_tokens_details\":{\"reasoning_tokens\":3},\"total_tokens\":29}}}\n\n";

static const char anthropic[] =
	"{\"type\":\"message\",\"model\":\"claude-x\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}],\"usage\":{\"input_tokens\":19,"
	"\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":7,\"output_tokens\":10}}";

static const char anthropic_stream[] =
	"event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude-x\",\"usage\":{"
	"\"input_tokens\":19,\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":7,\"output_tokens\":1}}}\r\n\r\n"
	"event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n"
	"event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hi\",\"usage\":{\"output_tokens\":5}}}\r\n\r\n"
	"event: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":10}}\r\n\r\n";

TEST(counts_and_model_are_read_from_every_known_shape_however_it_is_cut)
{
	static const struct {
		const char *text;
		enum ai_usage_kind kind;
		const char *model;
		bool total, written;
	} vectors[] = {
		{ openai_chat, AI_USAGE_JSON, "gpt-4o-2024-08-06", true, false }, { openai_stream, AI_USAGE_SSE, "gpt-4o", true, false },
		{ openai_responses, AI_USAGE_SSE, "gpt-4o", true, false },	  { anthropic, AI_USAGE_JSON, "claude-x", false, true },
		{ anthropic_stream, AI_USAGE_SSE, "claude-x", false, true },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 2000; step = step * 2 + 1) {
			struct ai_usage u;
			const struct ai_counts *c = &u.counts;

			feed(&u, vectors[i].kind, vectors[i].text, step);
			if (!CHECK_STR(c->model, vectors[i].model))
				printf("# vector %zu, step %zu\n", i, step);
			CHECK(c->has[AI_INPUT] && c->n[AI_INPUT] == 19);
			CHECK(c->has[AI_OUTPUT] && c->n[AI_OUTPUT] == 10);
			CHECK(c->has[AI_CACHE_READ] && c->n[AI_CACHE_READ] == 7);
			CHECK_INT(c->has[AI_TOTAL], vectors[i].total);
			CHECK_INT(c->n[AI_TOTAL], vectors[i].total ? 29 : 0);
			CHECK_INT(c->has[AI_CACHE_WRITTEN], vectors[i].written);
			CHECK_INT(c->n[AI_CACHE_WRITTEN], vectors[i].written ? 5 : 0);
		}
}

TEST(what_is_no_count_is_not_reported)
{
	static const char *const texts[] = {
		"", "[]", "[{\"usage\":{\"input_tokens\":1}}]", "{\"usage\":{\"input_tokens\":\"1\"}}", "{\"usage\":{\"input_tokens\":-1}}",
		"{\"usage\":{\"input_tokens\":1.5}}", "{\"usage\":{\"input_tokens\":1e9}}", "{\"usage\":{\"input_tokens\":null}}",
		"{\"usage\":{\"input_tokens\":[1]}}", "{\"usage\":{\"input_tokens\":99999999999999999999}}", "{\"usage\":[{\"input_tokens\":1}]}",
		"{\"x\":{\"usage\":{\"input_tokens\":1}}}", "{\"input_tokens\":1}", "{\"usage\":{\"x\":{\"input_tokens\":1}}}", "}}}]]]:,\"\"",
		"{\"a\":\"\\\",\\\"usage\\\":{\\\"input_tokens\\\":1}\"}", "{\"usage\":{\"inp\\u0075t_tokens\":1}}",
		"{\"model\":[\"x\"],\"usage\":{\"model\":\"x\"}}", "{\"model\":null}", "{\"model\":5}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ai_usage u;

		feed(&u, AI_USAGE_JSON, texts[i], 5);
		if (!CHECK(!u.counts.has[AI_INPUT]) || !CHECK_STR(u.counts.model, ""))
			printf("# %s\n", texts[i]);
	}
}

TEST(long_words_deep_nesting_and_other_types_do_no_harm)
{
	struct buf text BUF_AUTO;
	struct ai_usage u;

	buf_init(&text, 1000000);
	(void)buf_str(&text, "{\"model\":\"");
	for (size_t i = 0; i <= AI_MODEL_MAX; i++)
		(void)buf_byte(&text, 'm');
	(void)buf_str(&text, "\",\"x\":");
	for (size_t i = 0; i < 100000; i++)
		(void)buf_byte(&text, '[');
	for (size_t i = 0; i < 100000; i++)
		(void)buf_byte(&text, ']');
	(void)buf_str(&text, ",\"usage\":{\"input_tokens\":3}}");
	feed(&u, AI_USAGE_JSON, buf_cstr(&text), 1000);
	CHECK_STR(u.counts.model, "");
	CHECK(u.counts.has[AI_INPUT] && u.counts.n[AI_INPUT] == 3);
	feed(&u, AI_USAGE_NONE, anthropic, 1000);
	CHECK(!u.counts.has[AI_INPUT]);
}

TEST(the_kind_is_that_of_the_media_type)
{
	CHECK_INT(ai_usage_kind_of(bytes_str("application/json")), AI_USAGE_JSON);
	CHECK_INT(ai_usage_kind_of(bytes_str("Application/JSON; charset=utf-8")), AI_USAGE_JSON);
	CHECK_INT(ai_usage_kind_of(bytes_str("text/event-stream;charset=utf-8")), AI_USAGE_SSE);
	CHECK_INT(ai_usage_kind_of(bytes_str("application/jsonl")), AI_USAGE_NONE);
	CHECK_INT(ai_usage_kind_of(bytes_str("")), AI_USAGE_NONE);
}
