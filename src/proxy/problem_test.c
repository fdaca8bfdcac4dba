#include "proxy/problem.h"

#include "base/tap.h"

TEST(a_problem_names_reason_remedy_change_host_and_rule)
{
	const struct problem p = { .status = 403, .reason = REASON_HTTP_PATH_UNLISTED, .host = bytes_str("a.example"), .rule = bytes_str("a"),
				   .change = bytes_str("network[a].rules: add {\"x\"}") };
	struct buf out BUF_AUTO = { .max = PROBLEM_MAX };

	problem_answer(&p, true, false, &out);
	CHECK_STR(buf_cstr(&out), "HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nContent-Length: 242\r\nCache-Control: no-store\r\n"
				  "Connection: close\r\n\r\n"
				  "{\"type\":\"about:blank\",\"title\":\"Forbidden\",\"status\":403,\"detail\":\"policy lists no rule with this path\","
				  "\"reason\":\"path_not_listed\",\"remedy\":\"ask Security for a rule\",\"policy_change\":\"network[a].rules: add {\\\"x\\\"}\","
				  "\"host\":\"a.example\",\"rule\":\"a\"}");
}

TEST(a_missing_credential_is_named)
{
	const struct problem p = { .status = 502, .reason = REASON_CREDENTIAL_MISSING, .credential = bytes_str("github") };
	struct buf out BUF_AUTO = { .max = PROBLEM_MAX };

	problem_put(&p, &out);
	CHECK_STR(buf_cstr(&out), "{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,\"detail\":\"the credential of this rule is not available\","
				  "\"reason\":\"credential_not_available\",\"remedy\":\"store it with `saw secret set` under its id\",\"credential\":\"github\"}");
}

TEST(an_answer_to_head_has_the_length_and_no_content_and_one_in_a_stream_keeps_it)
{
	const struct problem p = { .status = 404 };
	struct buf out BUF_AUTO = { .max = PROBLEM_MAX };

	problem_answer(&p, false, true, &out);
	CHECK_STR(buf_cstr(&out), "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: 55\r\nCache-Control: no-store\r\n\r\n");
}

TEST(the_longest_texts_still_make_a_whole_document)
{
	uint8_t junk[2048];
	struct problem p = { .status = 403, .reason = REASON_HTTP_DENIED };
	struct buf out BUF_AUTO = { .max = PROBLEM_MAX };

	memset(junk, 1, sizeof(junk));
	p.change = bytes_of(junk, sizeof(junk));
	p.credential = p.host = bytes_of(junk, 255);
	p.rule = bytes_of(junk, 255);
	problem_put(&p, &out);
	CHECK(!out.failed && out.len && out.p[out.len - 1] == '}');
}
