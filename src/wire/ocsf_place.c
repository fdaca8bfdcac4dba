/* Where a line of ours stands in its log, read back without a JSON parser: every line begins with what ocsf.c wrote there. */
#include "wire/ocsf_place.h"

#include "base/num.h"

static bool skip_text(struct bytes *s, const char *text)
{
	if (!bytes_starts(*s, bytes_str(text)))
		return false;
	*s = bytes_skip(*s, strlen(text));
	return true;
}

/* Up to behind the closing quote of a string that we wrote. */
static bool skip_string(struct bytes *s)
{
	for (size_t i = 0; i < s->len; i++) {
		if (s->p[i] == '\\')
			i++;
		else if (s->p[i] == '"') {
			*s = bytes_skip(*s, i + 1);
			return true;
		}
	}
	return false;
}

bool ocsf_place_read(struct bytes line, struct ocsf_place *ret)
{
	struct ocsf_place at = { 0 };
	struct bytes left = line;

	if (!skip_text(&left, "{\"unmapped\":{\"prev_sha256\":\"") || left.len < OCSF_HEX_MAX - 1)
		return false;
	for (size_t i = 0; i < OCSF_HEX_MAX - 1; i++) {
		if (!(left.p[i] >= '0' && left.p[i] <= '9') && !(left.p[i] >= 'a' && left.p[i] <= 'f'))
			return false;
		at.prev[i] = (char)left.p[i];
	}
	left = bytes_skip(left, OCSF_HEX_MAX - 1);
	if (!skip_text(&left, "\""))
		return false;
	(void)skip_text(&left, ",\"lab\":true");
	(void)skip_text(&left, ",\"observing\":true");
	(void)skip_text(&left, ",\"observed\":true");
	if (skip_text(&left, ",\"credential\":\"") && !skip_string(&left))
		return false;
	if (skip_text(&left, ",\"policy_change\":\"") && !skip_string(&left))
		return false;
	if (!skip_text(&left, "},\"metadata\":{\"sequence\":"))
		return false;
	left.len = bytes_find(left, ',');
	if (!num_u64(left, INT64_MAX, &at.sequence) || line.p[line.len - 1] != '}')
		return false;
	*ret = at;
	return true;
}
