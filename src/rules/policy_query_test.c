#include "rules/policy_query.h"

#include "base/buf.h"
#include "base/tap.h"

static enum policy_query_answer find(const char *query, const char *key)
{
	struct policy_query_value got;
	enum policy_query_answer answer = policy_query_find(bytes_str(query), bytes_str(key), &got);

	if (answer == POLICY_QUERY_ONCE && !CHECK(bytes_eq(bytes_of(got.p, got.len), bytes_str("safe"))))
		printf("# %s\n", query);
	return answer;
}

struct vector {
	const char *key, *query;
};

static void check_all(const struct vector *v, size_t n, enum policy_query_answer want)
{
	for (size_t i = 0; i < n; i++)
		if (!CHECK_INT(find(v[i].query, v[i].key), want))
			printf("# %s in %s\n", v[i].key, v[i].query);
}

TEST(a_key_that_is_there_once_beside_other_names_has_its_value)
{
	static const struct vector once[] = {
		{ "mode", "mode=safe" },
		{ "mode", "a=1&mode=%73afe&b" },
		{ "mode", "mode=safe&modes=x&mod=x&amode=x&a[mode]=x&filter[mode]=x&ids[]=1&page[size]=2&&=x&[]=1" },
		{ "a_b", "a_b=safe&a=1&b=2&a[b]=x&a[b][c]=y&a[bc=1" },
		{ "filter[status]", "filter[status]=safe&filter[type]=x&ids[]=1&status=x&filter_status=x" },
		{ "filter[status]", "filter%5Bstatus%5D=safe&filters=x" },
		{ "ids[]", "ids[]=safe&id=x" },
		{ "dry_run", "dry_run=safe&dry-run=x&_dry_run=x&dry_runs=x&run_dry=x" },
		{ "_id", "_id=safe&id=x" },
	};

	check_all(once, sizeof(once) / sizeof(once[0]), POLICY_QUERY_ONCE);
	CHECK_INT(find("ids[]=1&page[size]=2", "mode"), POLICY_QUERY_ABSENT);
	CHECK_INT(find("", "mode"), POLICY_QUERY_ABSENT);
}

TEST(a_name_whose_brackets_some_server_does_not_count_makes_its_key_unclear)
{
	static const struct vector unclear[] = {
		/* Rack, which takes the last; qs, which makes a list */
		{ "mode", "mode=safe&mode%5D=evil" },
		{ "mode", "mode=safe&mode]=evil" },
		{ "mode", "mode=safe&%5Bmode%5D=evil" },
		{ "mode", "mode=safe&[mode]=evil" },
		{ "mode", "[mode=evil&mode=safe" },
		{ "mode", "]MODE=evil&mode=safe" },
		{ "mode", "mode=safe&[][mode][]=evil" },
		{ "mode", "[mode]=safe" },
		{ "mode", "mode=safe&mode[x]=evil" },
		{ "filter[status]", "filter[status]=safe&filter][status=evil" },
		{ "filter[status]", "filter[status]=safe&[filter][status]=evil" },
		{ "filter[status]", "filter[status]=safe&filter[status=evil" },
		{ "filter[status]", "filter[status]=safe&filter=evil" },
		{ "filter[status]", "filter[status]=safe&filter[status][]=evil" },
		/* PHP */
		{ "a_b", "a_b=safe&a%5Bb=evil" },
		{ "a_b", "a_b=safe&a[b=evil" },
		{ "a_b_c", "a_b_c=safe&a[b[c=evil" },
		{ "a_b_c", "a_b_c=safe&%20A.b[c=evil" },
		{ "a[b", "a[b=safe&a_b=evil" },
		/* Protocol Buffers */
		{ "dry_run", "dry_run=safe&dryRun=evil" },
		{ "dryRun", "dryRun=safe&dry_run=evil" },
		{ "filter[is_open]", "filter[is_open]=safe&filter[isOpen]=evil" },
	};

	check_all(unclear, sizeof(unclear) / sizeof(unclear[0]), POLICY_QUERY_UNCLEAR);
}

/* `n` pairs, the key in front or at the end. */
static enum policy_query_answer among(size_t n, bool first)
{
	struct buf query BUF_AUTO = { 0 };

	buf_init(&query, 4096);
	if (first)
		(void)buf_str(&query, "mode=safe&");
	for (size_t i = 1; i < n; i++)
		(void)buf_str(&query, i + 1 < n || !first ? "a=1&" : "a=1");
	if (!first)
		(void)buf_str(&query, "mode=safe");
	return find(buf_cstr(&query), "mode");
}

TEST(a_key_among_more_pairs_than_every_server_reads_is_unclear)
{
	CHECK_INT(among(POLICY_QUERY_PAIRS_MAX, false), POLICY_QUERY_ONCE);
	CHECK_INT(among(POLICY_QUERY_PAIRS_MAX, true), POLICY_QUERY_ONCE);
	CHECK_INT(among(POLICY_QUERY_PAIRS_MAX + 1, false), POLICY_QUERY_UNCLEAR);
	CHECK_INT(among(POLICY_QUERY_PAIRS_MAX + 1, true), POLICY_QUERY_UNCLEAR);
	CHECK_INT(among(1001, false), POLICY_QUERY_UNCLEAR);
}
