#include "cli/table.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/time_text.h"
#include "cli/say.h"
#include "os/loop.h"

const char *table_cell(const struct api_doc *d, const struct json_node *of, const char *key, char ret[CELL_MAX])
{
	struct buf text BUF_AUTO = { 0 };
	struct buf clean BUF_AUTO = { 0 };

	buf_init(&clean, CELL_MAX - 1);
	say_clean(&clean, bytes_str(api_member(d, of, key, &text)));
	clean.failed = false;
	snprintf(ret, CELL_MAX, "%s", buf_cstr(&clean));
	return ret;
}

const char *table_age(const char *since, char ret[AGE_MAX])
{
	static const struct {
		uint64_t s;
		const char *unit;
	} steps[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	uint64_t now = clock_real_ms();
	uint64_t at;

	snprintf(ret, AGE_MAX, "-");
	if (!time_text_parse(bytes_str(since), &at))
		return ret;
	at = now > at ? (now - at) / 1000 : 0;
	for (size_t i = 0; i < 4; i++)
		if (at >= steps[i].s || i == 3) {
			snprintf(ret, AGE_MAX, "%" PRIu64 " %s", at / steps[i].s, steps[i].unit);
			break;
		}
	return ret;
}
