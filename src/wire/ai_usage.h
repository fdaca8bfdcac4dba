/* What an answer of a model says about itself, for audit: the model's name and its token counts, read along while the answer passes. An
 * observer: it keeps no content, holds nothing back, and what it cannot read it does not report. Its numbers are the host's word.
 *
 * Known shapes: OpenAI's chat completions (`usage`: prompt_tokens, completion_tokens, total_tokens) and responses (input_tokens,
 * output_tokens; in a stream within `response`), Anthropic's messages (`usage`: input_tokens, output_tokens, cache_read_input_tokens,
 * cache_creation_input_tokens; at a stream's start within `message`); whole as JSON or as server-sent events. Counts of a stream are
 * cumulative in all of them: the last ones count. */
#ifndef SAW_WIRE_AI_USAGE_H
#define SAW_WIRE_AI_USAGE_H

#include "wire/sse.h"

enum { AI_MODEL_MAX = 128 };

enum ai_usage_kind { AI_USAGE_NONE, AI_USAGE_JSON, AI_USAGE_SSE };

enum ai_count {
	AI_INPUT,
	AI_OUTPUT,
	AI_TOTAL, /* as said, not computed */
	AI_CACHE_READ, /* of the input (Anthropic: beside it) */
	AI_CACHE_WRITTEN,
	AI_COUNTS
};

/* What was read so far; `model` has a NUL and is empty when none was said or it is longer than AI_MODEL_MAX. */
struct ai_counts {
	uint64_t n[AI_COUNTS];
	bool has[AI_COUNTS];
	char model[AI_MODEL_MAX + 1];
};

enum { AI_LEVELS = 4 }; /* response, usage, details, count */

/* Read `counts`; the rest is private. */
struct ai_usage {
	struct ai_counts counts;
	enum ai_usage_kind kind;
	struct sse sse;
	uint32_t depth; /* of open containers */
	uint8_t keys[AI_LEVELS + 1]; /* what the present member of each level is */
	uint8_t state;
	bool escape;
	bool is_string; /* `token` is */
	bool cut; /* it was longer than there is room for, or had an escape */
	uint8_t len;
	char token[AI_MODEL_MAX];
};

/* By the media type, parameters ignored. */
enum ai_usage_kind ai_usage_kind_of(struct bytes content_type);
void ai_usage_init(struct ai_usage *u, enum ai_usage_kind kind);
/* The next bytes of the content, without transfer or content coding. */
void ai_usage_feed(struct ai_usage *u, struct bytes in);

#endif
