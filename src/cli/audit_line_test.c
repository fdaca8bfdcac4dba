#include "base/tap.h"
#include "cli/audit_line.h"
#include "rules/reason.h"
#include "wire/ocsf.h"

static const struct audit_line_style plain = { "", "", "", "", false };
static const struct audit_line_style with_changes = { "", "", "", "", true };

/* Through the gateway's own writer, so that the two cannot drift apart. */
static const char *shown_in(const struct audit_line_style *style, const struct event *ev, bool *ret_denied)
{
	static char text[4096];
	const struct ocsf_source src = { .version = bytes_str("1"), .writer = bytes_str("gateway"), .workspace_id = bytes_str("ws-1"),
					 .workspace_name = bytes_str("dev"), .owner = bytes_str("ann"), .policy = bytes_str("p") };
	const struct ocsf_place at = { .sequence = 1 };
	struct buf json BUF_AUTO = { 0 };
	struct buf out BUF_AUTO = { 0 };

	buf_init(&json, OCSF_LINE_MAX);
	buf_init(&out, sizeof(text) - 1);
	ocsf_render(&json, ev, reason_code(ev->reason), reason_sentence(ev->reason), &src, &at);
	audit_line_put(buf_view(&json), style, &out);
	*ret_denied = audit_line_denied(buf_view(&json));
	snprintf(text, sizeof(text), "%s", buf_cstr(&out));
	return text;
}

static const char *shown(const struct event *ev, bool *ret_denied)
{
	return shown_in(&plain, ev, ret_denied);
}

TEST(the_change_of_policy_stands_on_a_line_of_its_own_where_it_is_asked_for)
{
	struct event ev = { .kind = EVENT_DNS, .action = EVENT_DENIED, .at_ms = 1000, .reason = REASON_NAME_UNLISTED,
			    .name = bytes_str("exfil.example"), .verb = bytes_str("A"), .status = 3, .change = bytes_str("network: add {name: \"x\"}\x1b") };
	bool denied;

	CHECK_STR(shown_in(&with_changes, &ev, &denied), "1970-01-01T00:00:01.000Z denied   dns A exfil.example: policy does not list this name "
							 "[name_not_listed]; remedy: ask Security to list the host\n"
							 "         change: network: add {name: \"x\"}\xef\xbf\xbd\n");
	CHECK(!strstr(shown(&ev, &denied), "change"));
}

TEST(a_refused_name_is_shown_with_reason_and_remedy)
{
	struct event ev = { .kind = EVENT_DNS, .action = EVENT_DENIED, .at_ms = 1000, .reason = REASON_NAME_UNLISTED,
			    .name = bytes_str("exfil.example"), .verb = bytes_str("A"), .status = 3 };
	bool denied;

	CHECK_STR(shown(&ev, &denied), "1970-01-01T00:00:01.000Z denied   dns A exfil.example: policy does not list this name "
				       "[name_not_listed]; remedy: ask Security to list the host\n");
	CHECK(denied);
}

TEST(what_an_observing_entry_let_through_is_shown_so)
{
	struct event ev = { .kind = EVENT_HTTP, .action = EVENT_ALLOWED, .at_ms = 1000, .name = bytes_str("m.example"), .observing = true,
			    .verb = bytes_str("GET"), .path = bytes_str("/a"), .rule = bytes_str("mirror") };
	bool denied;

	CHECK_STR(shown(&ev, &denied), "1970-01-01T00:00:01.000Z allowed  http Get m.example/a rule mirror [observing]\n");
	ev.action = EVENT_OBSERVED;
	ev.reason = REASON_HTTP_PATH_UNLISTED;
	CHECK(strstr(shown(&ev, &denied), " observed ") && strstr(shown(&ev, &denied), " rule mirror [observing]"));
}

TEST(a_session_is_shown_with_its_workspace)
{
	struct event ev = { .kind = EVENT_SESSION, .action = EVENT_ALLOWED, .at_ms = 1000, .verb = bytes_str("opened"), .actor = bytes_str("ann"),
			    .detail = bytes_str("session se-1 of dev (ws-1)") };
	bool denied;

	CHECK_STR(shown(&ev, &denied), "1970-01-01T00:00:01.000Z allowed  session Open by ann: session se-1 of dev (ws-1)\n");
}

TEST(an_allowed_request_is_shown_with_its_rule_and_no_remedy)
{
	struct event ev = { .kind = EVENT_HTTP, .action = EVENT_ALLOWED, .at_ms = 1000, .name = bytes_str("m.example"),
			    .verb = bytes_str("GET"), .path = bytes_str("/a?b=c"), .rule = bytes_str("mirror") };
	bool denied;

	CHECK_STR(shown(&ev, &denied), "1970-01-01T00:00:01.000Z allowed  http Get m.example/a?b=c rule mirror\n");
	CHECK(!denied);
}

TEST(the_credential_that_was_spent_is_shown_by_its_id)
{
	struct event ev = { .kind = EVENT_HTTP, .action = EVENT_ALLOWED, .at_ms = 1000, .name = bytes_str("m.example"), .credential = bytes_str("forge"),
			    .verb = bytes_str("GET"), .path = bytes_str("/a"), .rule = bytes_str("mirror") };
	bool denied;

	CHECK_STR(shown(&ev, &denied), "1970-01-01T00:00:01.000Z allowed  http Get m.example/a rule mirror credential forge\n");
}

TEST(a_change_by_a_person_is_shown_with_what_was_changed)
{
	struct event ev = { .kind = EVENT_API, .action = EVENT_ALLOWED, .at_ms = 1000, .verb = bytes_str("policy.key.add"), .actor = bytes_str("ann"),
			    .detail = bytes_str("mallory SHA256:abc\x1b") };
	bool denied;

	CHECK(strstr(shown(&ev, &denied), " allowed  api policy.key.add by ann: mallory SHA256:abc\xef\xbf\xbd\n"));
	ev.detail = bytes_of(NULL, 0);
	CHECK(strstr(shown(&ev, &denied), " allowed  api policy.key.add by ann\n"));
}

TEST(packets_to_an_address_are_shown_with_protocol_port_and_count)
{
	struct event ev = { .kind = EVENT_FLOW, .action = EVENT_DENIED, .at_ms = 1000, .reason = REASON_NO_ROUTE, .count = 3,
			    .dst = { .family = 4, .b = { 198, 51, 100, 7 } }, .dst_port = 443, .ip_proto = 17 };
	bool denied;

	CHECK_STR(shown(&ev, &denied), "1970-01-01T00:00:01.000Z denied   udp 198.51.100.7 port 443 x3: no route leads to this address "
				       "[no_route]; remedy: reach hosts by a listed name\n");
	CHECK(denied);
}

TEST(a_name_that_would_move_the_cursor_is_shown_without_its_controls)
{
	struct event ev = { .kind = EVENT_DNS, .action = EVENT_DENIED, .at_ms = 1000, .reason = REASON_NAME_MALFORMED,
			    .name = bytes_str("a\033[2Jb\r\n") };
	bool denied;
	const char *text = shown(&ev, &denied);

	CHECK(!strchr(text, '\033') && !strchr(text, '\r') && strchr(text, '\n') == text + strlen(text) - 1);
}

TEST(a_line_that_is_no_event_is_shown_as_it_is)
{
	struct buf out BUF_AUTO = { 0 };

	buf_init(&out, 100);
	CHECK(audit_line_put(bytes_str("{\"half"), &plain, &out));
	CHECK(bytes_is(buf_view(&out), "{\"half\n"));
	CHECK(!audit_line_denied(bytes_str("{\"half")));
}
