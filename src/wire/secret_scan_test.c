#include "wire/secret_scan.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/tap.h"

static const char value[] = "ghp_16C7e42F292c6912E7+/710c838347Ae178B4a\"%\\ x";

/* Streams `text` in pieces, holding back what is not safe; what passed is in `passed`. */
static bool stream(const char *secret, struct bytes text, size_t step, struct buf *passed)
{
	const struct bytes secrets[2] = { bytes_str("another secret, not in any text"), bytes_str(secret) };
	struct secret_scan s;
	struct buf held BUF_AUTO;
	size_t behind = 0;
	bool found = false;

	secret_scan_init(&s, secrets, 2);
	buf_init(&held, 100000);
	buf_init(passed, 100000);
	for (size_t off = 0; off < text.len && !found; off += step) {
		size_t n = text.len - off > step ? step : text.len - off, safe = 0;

		(void)buf_add(&held, text.p + off, n);
		found = secret_scan_find(&s, buf_view(&held), behind, off + n == text.len, &safe);
		if (found)
			break;
		CHECK(safe >= behind);
		(void)buf_add(passed, held.p + behind, safe - behind);
		behind = safe < SECRET_SCAN_BEHIND ? safe : SECRET_SCAN_BEHIND;
		buf_consume(&held, safe - behind);
	}
	if (!found)
		CHECK_INT(held.len, behind);
	return found;
}

static void percent(struct buf *b, const char *s, bool all, bool lower)
{
	for (; *s; s++)
		if (all || !((*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z')))
			(void)buf_fmt(b, lower ? "%%%02x" : "%%%02X", (unsigned)(uint8_t)*s);
		else
			(void)buf_byte(b, (uint8_t)*s);
}

static void json(struct buf *b, const char *s, bool all)
{
	for (; *s; s++)
		if (all)
			(void)buf_fmt(b, "\\u%04X", (unsigned)(uint8_t)*s);
		else
			(void)buf_fmt(b, *s == '"' || *s == '\\' || *s == '/' ? "\\%c" : "%c", *s);
}

/* As templates do it, and as they could. */
static void entity(struct buf *b, uint8_t c, size_t how)
{
	static const char marks[] = "+/\"%\\_", *const names[] = { "plus", "sol", "quot", "percnt", "bsol", "lowbar" };
	const char *mark = strchr(marks, c);
	bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

	if (how < 2 && letter)
		(void)buf_byte(b, c);
	else if (how == 0 && mark)
		(void)buf_fmt(b, "&%s;", names[mark - marks]);
	else
		(void)buf_fmt(b, how == 1 ? "&#%u;" : how == 2 ? "&#%08u;" : how == 3 ? "&#x%x;" : "&#X%08X;", (unsigned)c);
}

enum { BASE64_ENTITY = 24, SPELLINGS = 29 };

/* The `i`th spelling of `value`, within other text. */
static void spell(struct buf *b, size_t i)
{
	struct buf plain BUF_AUTO;
	struct buf text BUF_AUTO;

	buf_init(b, 10000);
	buf_init(&plain, 10000);
	buf_init(&text, 10000);
	(void)buf_str(b, "{\"echo\": \"gh%\\ghp_");
	if (i == 0)
		(void)buf_str(b, value);
	else if (i <= 4)
		percent(b, value, i & 1, i > 2);
	else if (i <= 6)
		json(b, value, i & 1);
	else if (i >= 19 && i < BASE64_ENTITY)
		for (const char *c = value; *c; c++)
			entity(b, (uint8_t)*c, i - 19);
	else if (i >= BASE64_ENTITY) {
		(void)base64_put(&text, bytes_str(value));
		for (size_t k = 0; k < text.len; k++) {
			if (k && k % 20 == 0)
				(void)buf_str(b, i & 1 ? "&#13;&NewLine;" : "\r\n");
			entity(b, text.p[k], i - BASE64_ENTITY);
		}
	} else if (i <= 18) {
		size_t how = (i - 7) / 3;

		for (size_t k = 0; k < (i - 7) % 3; k++)
			(void)buf_byte(&plain, 'u');
		(void)buf_str(&plain, value);
		(void)base64_put(&text, buf_view(&plain));
		for (size_t k = 0; k < text.len; k++)
			if (how == 1 && (text.p[k] == '+' || text.p[k] == '/'))
				(void)buf_byte(b, text.p[k] == '+' ? '-' : '_');
			else if (how == 2 && k % 7 == 0)
				(void)buf_fmt(b, k % 2 ? "\r\n%c" : "\\n%%%02x", text.p[k]);
			else if (how == 3)
				(void)buf_fmt(b, text.p[k] == '/' ? "\\/" : "%c", text.p[k]);
			else
				(void)buf_byte(b, text.p[k]);
	}
	(void)buf_str(b, " and so on\"}");
}

/* H4, H5 */
TEST(a_secret_is_found_in_every_spelling_however_the_stream_is_cut_and_nothing_of_it_passes)
{
	for (size_t i = 0; i < SPELLINGS; i++)
		for (size_t step = 1; step < 200; step += i == 0 ? 1 : 13) {
			struct buf text BUF_AUTO;
			struct buf passed BUF_AUTO;

			spell(&text, i);
			if (!CHECK(stream(value, buf_view(&text), step, &passed)))
				printf("# spelling %zu, step %zu: %s\n", i, step, buf_cstr(&text));
			/* how much stands in front: in base64 up to four digits that the secret does not decide alone */
			CHECK(passed.len <= strlen("{\"echo\": \"gh%\\ghp_") + (i < 8 || i >= 19 ? 0 : i < 13 || i > 15 ? 4 : strlen("\\n%64XV1")));
		}
}

TEST(a_blank_is_found_as_a_plus)
{
	struct buf passed BUF_AUTO;

	CHECK(stream(" a secret word", bytes_str("q=+a+secret%20word"), 3, &passed));
}

TEST(the_same_text_without_the_secret_passes_unchanged)
{
	static const char *const texts[] = {
		"", "{\"a\": 1}", "ghp_16C7e42F292c6912E7+/710c838347Ae178B4a\"%\\ y", "ghp_ghp_ghp_16C7e42F", "%67%68%7", "\\u0067\\u006",
		"%%%%\\\\\\\\%6\\u00", "Z2hwXzE2QzdlNDJGMjkyYzY5MTJFNysvNzEwYzgzODM0N0FlMTc4QjRhIiVcI", "GHP_16C7E42F292C6912E7+/710C838347AE178B4A\"%\\ Y",
		"6768705f3136433765343246", "g\0h\0p\0_", "Z2hwXzE2QzdlNDJGMjkyYzY5MTJFNysvNzEwYzgzODM0N0FlMTc4QjRhJTIyJTI1JTVDJTIweQ", "%2567hp_16C7e42F%25",
		"WjJod1h6RTJRemRsTkRKR01qa3lZelk1TVRKRk55c3ZOekV3WXpnek9ETTBOMEZsTVRjNFFqUmhJaVZj",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t step = 1; step < 100; step++) {
			struct buf passed BUF_AUTO;

			CHECK(!stream(value, bytes_str(texts[i]), step, &passed));
			CHECK_STR(buf_cstr(&passed), texts[i]);
		}
}

/* F12 */
TEST(only_what_may_be_a_beginning_is_held_back)
{
	const struct bytes secret = bytes_str(value);
	struct secret_scan s;
	size_t safe;

	secret_scan_init(&s, &secret, 1);
	CHECK(!secret_scan_find(&s, bytes_str("data: {\"text\": \"hello\"}\n\n"), 0, false, &safe));
	CHECK_INT(safe, 25);
	CHECK(!secret_scan_find(&s, bytes_str("data: ghp_16C"), 0, false, &safe));
	CHECK_INT(safe, 6);
	CHECK(!secret_scan_find(&s, bytes_str("data: ghp_16C"), 0, true, &safe));
	CHECK_INT(safe, 13);
	CHECK(!secret_scan_find(&s, bytes_str("data: ghp_16D"), 0, false, &safe));
	CHECK_INT(safe, 13);
}

TEST(a_reference_of_html_that_is_none_or_another_hides_nothing_and_finds_nothing)
{
	static const struct {
		const char *secret, *text;
		bool found;
	} vectors[] = {
		{ "a-b", "a&#45;b", true },	    { "a-b", "a&#x2d;b", true },	 { "a-b", "a&#00000045;b", true },
		{ "a-b", "a&#000000045;b", false }, { "a-b", "a&#45b", true },		 { "a-b", "a&#;b", false },
		{ "a-b", "a&#x;b", false },	    { "a-b", "a&#4a5;b", false },	 { "a-b", "a&#301;b", false },
		{ "a-b", "a&hyphen;b", false },	    { "a-b", "&#97;-&#98;", true },	 { "&#45;", "&#45;", true },
		{ "&#45;", "&amp;#45&semi;", true }, { "&amp;", "&amp;amp;", true },	 { "&lt", "&lt", true },
		{ "a<b", "a&lt;b", true },	    { "a<b", "a&LT;b", true },		 { "a<b", "a&Lt;b", false },
		{ "&", "&amp;", true },		    { "'", "&#039;", true },		 { "'", "&apos;", true },
		/* without the semicolon */
		{ "a-b", "a&#x2Db", false },	    { "a-z", "a&#x2Dz", true },		 { "a-", "a&#45", true },
		{ "a-1", "a&#451", false },	    { "a&b", "a&ampb", true },		 { "a<", "a&LT", true },
		{ "a+b", "a&plusb", false },	    { "a&b", "a&amb", false },
		{ "=x", "&equals;x", true },	    { "`x", "&DiacriticalGrave;x", true }, { "%41", "%&#52;1", true },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 30; step++) {
			struct buf passed BUF_AUTO;

			if (!CHECK(stream(vectors[i].secret, bytes_str(vectors[i].text), step, &passed) == vectors[i].found))
				printf("# %s in %s, step %zu\n", vectors[i].secret, vectors[i].text, step);
			if (!vectors[i].found)
				CHECK_STR(buf_cstr(&passed), vectors[i].text);
		}
}

/* One layer of encoding, of each byte or only of what needs it. */
static void wrap(struct buf *b, struct bytes s, size_t layer, bool all)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];
		bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (layer < 3 && letter && !all)
			(void)buf_byte(b, c);
		else if (layer == 0)
			(void)buf_fmt(b, all ? "%%%02x" : "%%%02X", c);
		else if (layer == 1)
			(void)buf_fmt(b, all ? "\\u%04x" : c == ' ' ? "%c" : "\\%c", c);
		else if (layer == 2)
			(void)buf_fmt(b, all ? "&#x%x;" : "&#%u;", c);
		else if (layer == 3)
			(void)buf_fmt(b, "%c%c", all ? 0 : c, all ? c : 0);
		else if (layer == 5)
			(void)buf_fmt(b, all ? "%02x" : "%02X", c);
	}
	if (layer == 4)
		(void)base64_put(b, s);
}

enum { LAYERS = 5 };

/* H4: percent in percent as a redirect within a redirect, JSON in JSON and HTML in JSON as logs, base64 of base64 as a file that has a Basic header */
TEST(a_secret_is_found_in_any_layer_within_any_other)
{
	for (size_t i = 0; i < LAYERS * LAYERS * 4 * 3; i++)
		for (size_t step = 1; step < 50; step += 16) {
			size_t inner = i % LAYERS, outer = i / LAYERS % LAYERS, front = i / LAYERS / LAYERS / 4;
			struct buf plain BUF_AUTO, once BUF_AUTO, text BUF_AUTO, passed BUF_AUTO;

			if (inner == 3 && outer != 4)
				continue;
			buf_init(&plain, 10000);
			buf_init(&once, 10000);
			buf_init(&text, 100000);
			(void)buf_str(&plain, &"uu"[2 - front]);
			(void)buf_str(&plain, value);
			wrap(&once, buf_view(&plain), inner, i / LAYERS / LAYERS & 1);
			(void)buf_str(&text, ": ");
			wrap(&text, buf_view(&once), outer, i / LAYERS / LAYERS & 2);
			(void)buf_str(&text, " .");
			if (!CHECK(stream(value, buf_view(&text), step, &passed)))
				printf("# layer %zu in %zu, step %zu: %s\n", inner, outer, step, buf_cstr(&text));
			/* of digits the first ones that the secret decides with what stands in front of it, and those that go */
			if (!CHECK(passed.len <= text.len / 3))
				printf("# layer %zu in %zu, step %zu, %zu of %zu\n", inner, outer, step, passed.len, text.len);
		}
}

TEST(a_secret_is_found_in_hex_and_its_letters_in_another_case_unless_it_is_short)
{
	static const struct {
		const char *secret, *text;
		bool found;
	} vectors[] = {
		{ "f47ac10b-58cc", "\"F47AC10B-58CC\"", true }, { "f47ac10b-58cc", "F47AC10B%2d58CC", true }, { "F47AC10B-58", "f47ac10b-58", false },
		{ "F47AC10B-58", "F47AC10B-58", true },
		{ "s3cret", "733363726574", true }, { "s-k/et", " 732D6b2F6574 ", true }, { "s3cre", "7333637265", false }, { "s3cret", "73336372657", false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 30; step++) {
			struct buf passed BUF_AUTO;

			if (!CHECK(stream(vectors[i].secret, bytes_str(vectors[i].text), step, &passed) == vectors[i].found))
				printf("# %s in %s, step %zu\n", vectors[i].secret, vectors[i].text, step);
		}
}

/* F12: a peer that waits for the last byte of what was sent gets it, whatever it may be to base64 */
TEST(no_letter_at_the_end_is_held_back_for_what_base64_might_hold)
{
	const struct bytes secret = bytes_str(value);
	struct secret_scan s;
	size_t held = 0;

	secret_scan_init(&s, &secret, 1);
	for (unsigned c = 'A'; c <= 'z'; c++) {
		char text[] = "so it ends: ?";
		size_t safe = 0;

		text[sizeof(text) - 2] = (char)c;
		CHECK(!secret_scan_find(&s, bytes_str(text), 0, false, &safe));
		held += safe < strlen(text);
	}
	CHECK(held <= 8); /* its first letter in both cases, three digits, three marks */
}

TEST(every_digit_of_either_alphabet_counts)
{
	struct buf passed[4];

	CHECK(stream("?\?\?>>>?\?\?>>>", bytes_str("Pz8/Pj4+Pz8/Pj4+"), 3, &passed[0]));
	CHECK(stream("?\?\?>>>?\?\?>>>", bytes_str("Pz8_Pj4-Pz8_Pj4-"), 3, &passed[1]));
	CHECK(!stream("?\?\?>>>?\?\?>>>", bytes_str("Pz8_Pj4-Pz8_Pj4A"), 3, &passed[2]));
	CHECK(stream("secret", bytes_str("c2VjcmV0"), 3, &passed[3])); /* as short as may be */
	for (size_t i = 0; i < 4; i++)
		buf_deinit(&passed[i]);
}

TEST(a_short_secret_is_not_looked_for_in_base64)
{
	struct buf passed BUF_AUTO;

	CHECK(!stream("short", bytes_str("c2hvcnQ="), 100, &passed));
	buf_deinit(&passed);
	CHECK(stream("short", bytes_str("a sh%6frt one"), 100, &passed));
}

TEST(each_of_eight_secrets_is_found)
{
	struct bytes secrets[SECRET_SCAN_MAX];
	char text[SECRET_SCAN_MAX][20];
	struct secret_scan s;
	size_t safe;

	for (size_t i = 0; i < SECRET_SCAN_MAX; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%cecret number %zu", (char)('A' + i), i);
		secrets[i] = bytes_str(text[i]);
	}
	secret_scan_init(&s, secrets, SECRET_SCAN_MAX);
	for (size_t i = 0; i < SECRET_SCAN_MAX; i++)
		CHECK(secret_scan_find(&s, secrets[i], 0, false, &safe));
	CHECK(!secret_scan_find(&s, bytes_str("Zecret number 9"), 0, false, &safe));
}
