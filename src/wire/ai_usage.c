#include "wire/ai_usage.h"

#include "base/num.h"

/* JSON is followed by depth alone: which member is open on each of the first levels, and the word or number that was read last. Deeper
 * down, and within long strings, bytes are only counted past. Malformed JSON gives wrong counts at worst, and those are the host's
 * word anyway. */

enum state { BETWEEN, STRING, BARE };

enum key { OTHER, WRAPPER, USAGE, DETAILS, MODEL, COUNT, CACHED = COUNT + AI_COUNTS };

static const struct {
	const char *name;
	uint8_t key;
} names[] = {
	{ "response", WRAPPER },
	{ "message", WRAPPER },
	{ "usage", USAGE },
	{ "model", MODEL },
	{ "input_tokens", COUNT + AI_INPUT },
	{ "prompt_tokens", COUNT + AI_INPUT },
	{ "output_tokens", COUNT + AI_OUTPUT },
	{ "completion_tokens", COUNT + AI_OUTPUT },
	{ "total_tokens", COUNT + AI_TOTAL },
	{ "cache_read_input_tokens", COUNT + AI_CACHE_READ },
	{ "cache_creation_input_tokens", COUNT + AI_CACHE_WRITTEN },
	{ "input_tokens_details", DETAILS },
	{ "prompt_tokens_details", DETAILS },
	{ "cached_tokens", CACHED },
};

enum ai_usage_kind ai_usage_kind_of(struct bytes type)
{
	size_t n = 0;

	while (n < type.len && type.p[n] != ';' && type.p[n] != ' ' && type.p[n] != '\t')
		n++;
	type.len = n;
	if (bytes_ieq(type, bytes_str("text/event-stream")))
		return AI_USAGE_SSE;
	return bytes_ieq(type, bytes_str("application/json")) ? AI_USAGE_JSON : AI_USAGE_NONE;
}

void ai_usage_init(struct ai_usage *u, enum ai_usage_kind kind)
{
	*u = (struct ai_usage){ .kind = kind };
}

static uint8_t key_of(struct bytes name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (bytes_is(name, names[i].name))
			return names[i].key;
	return OTHER;
}

static void drop_token(struct ai_usage *u)
{
	u->len = 0;
	u->cut = false;
	u->is_string = false;
}

static void keep_count(struct ai_usage *u, enum ai_count which)
{
	uint64_t n;

	if (u->is_string || u->cut || !num_u64(bytes_of(u->token, u->len), INT64_MAX, &n))
		return;
	u->counts.n[which] = n;
	u->counts.has[which] = true;
}

static void keep_model(struct ai_usage *u)
{
	if (!u->is_string || u->cut || u->len == 0)
		return;
	memcpy(u->counts.model, u->token, u->len);
	u->counts.model[u->len] = '\0';
}

/* A member's value is complete; its names, from the outermost, are keys[1] to keys[depth]. */
static void value_end(struct ai_usage *u)
{
	uint32_t first = u->keys[1] == WRAPPER ? 2 : 1;
	const uint8_t *k = &u->keys[first];
	uint32_t levels = u->depth + 1 - first;

	if (u->depth == 0 || u->depth > AI_LEVELS || (u->len == 0 && !u->is_string))
		return;
	if (levels == 1 && k[0] == MODEL)
		keep_model(u);
	if (levels == 2 && k[0] == USAGE && k[1] >= COUNT && k[1] < COUNT + AI_COUNTS)
		keep_count(u, (enum ai_count)(k[1] - COUNT));
	if (levels == 3 && k[0] == USAGE && k[1] == DETAILS && k[2] == CACHED)
		keep_count(u, AI_CACHE_READ);
}

static void set_key(struct ai_usage *u, uint8_t key)
{
	if (u->depth <= AI_LEVELS)
		u->keys[u->depth] = key;
}

static void mark(struct ai_usage *u, uint8_t c)
{
	switch (c) {
	case '{':
	case '[':
		u->depth += u->depth < UINT32_MAX;
		set_key(u, OTHER);
		break;
	case '}':
	case ']':
		value_end(u);
		u->depth -= u->depth > 0;
		break;
	case ':':
		set_key(u, u->is_string && !u->cut ? key_of(bytes_of(u->token, u->len)) : OTHER);
		break;
	case ',':
		value_end(u);
		set_key(u, OTHER);
		break;
	case '"':
		drop_token(u);
		u->is_string = true;
		u->state = STRING;
		return;
	default:
		return; /* a blank: what was read still counts */
	}
	drop_token(u);
}

static void keep(struct ai_usage *u, struct bytes s)
{
	if (s.len > sizeof(u->token) - u->len) {
		u->cut = true;
		return;
	}
	memcpy(u->token + u->len, s.p, s.len);
	u->len = (uint8_t)(u->len + s.len);
}

/* A run of a string's bytes; gives how many were taken. */
static size_t in_string(struct ai_usage *u, struct bytes s)
{
	size_t n;

	if (u->escape) {
		u->escape = false;
		return 1;
	}
	n = bytes_find(s, '"');
	n = bytes_find(bytes_of(s.p, n), '\\');
	if (u->depth <= AI_LEVELS)
		keep(u, bytes_of(s.p, n));
	if (n == s.len)
		return n;
	if (s.p[n] == '"')
		u->state = BETWEEN;
	else
		u->escape = u->cut = true;
	return n + 1;
}

static bool is_bare(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
}

static void json(struct ai_usage *u, struct bytes s)
{
	for (size_t i = 0; i < s.len;) {
		if (u->state == STRING) {
			i += in_string(u, bytes_skip(s, i));
			continue;
		}
		if (!is_bare(s.p[i])) {
			u->state = BETWEEN;
			mark(u, s.p[i]);
		} else {
			if (u->state != BARE)
				drop_token(u);
			u->state = BARE;
			keep(u, bytes_of(s.p + i, 1));
		}
		i++;
	}
}

/* The next event begins another text. */
static void json_reset(struct ai_usage *u)
{
	u->depth = 0;
	u->state = BETWEEN;
	u->escape = false;
	drop_token(u);
}

void ai_usage_feed(struct ai_usage *u, struct bytes in)
{
	if (u->kind == AI_USAGE_JSON)
		json(u, in);
	while (u->kind == AI_USAGE_SSE) {
		struct bytes piece = { 0 };
		size_t used = 0;
		enum sse_item item = sse_next(&u->sse, in, &used, &piece);

		in = bytes_skip(in, used);
		if (item == SSE_MORE)
			return;
		if (item == SSE_END)
			json_reset(u);
		else
			json(u, piece);
	}
}
