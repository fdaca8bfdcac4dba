#include "wire/qmp.h"

#include "base/tap.h"

static struct qmp q;

static enum qmp_kind read_text(const char *line)
{
	qmp_read(bytes_str(line), &q);
	return q.kind;
}

TEST(the_four_forms_are_told_apart)
{
	CHECK(read_text("{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}, \"capabilities\": [\"oob\"]}}") == QMP_GREETING);
	CHECK(read_text("{\"return\": {}, \"id\": 7}") == QMP_RETURN && q.id == 7);
	CHECK(read_text("{\"return\": {\"running\": true, \"status\": \"running\"}, \"id\": 2}") == QMP_RETURN);
	CHECK_STR(q.name, "running");
	CHECK(read_text("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\\nway\"}}") == QMP_ERROR);
	CHECK_STR(q.name, "GenericError");
	CHECK_STR(q.text, "no?way");
	CHECK(read_text("{\"timestamp\": {\"seconds\": 1}, \"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": "
			"\"guest-shutdown\"}}") == QMP_EVENT);
	CHECK_STR(q.name, "SHUTDOWN");
	CHECK_STR(q.text, "guest-shutdown");
}

TEST(everything_else_is_bad)
{
	static const char *const bad[] = { "", "{}", "[]", "null", "{\"event\": 7}", "{\"event\": \"\"}", "{\"return\": 1, \"event\": \"X\"}",
					   "{\"return\": {}} x", "{\"return\": {}, \"return\": {}}", "{\"QMP\": {}", "\xff" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK(read_text(bad[i]) == QMP_BAD))
			printf("# %s\n", bad[i]);
}

TEST(long_texts_are_cut_and_ended)
{
	static char line[600];
	size_t n = (size_t)snprintf(line, sizeof(line), "{\"event\": \"");

	memset(line + n, 'A', 500);
	(void)snprintf(line + n + 500, sizeof(line) - n - 500, "\"}");
	CHECK(read_text(line) == QMP_EVENT);
	CHECK_INT(strlen(q.name), QMP_NAME_MAX - 1);
}
