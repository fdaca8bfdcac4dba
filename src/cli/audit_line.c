/* Names and paths in an event are what the guest sent: every text goes through say_clean(). */
#include "cli/audit_line.h"

#include <inttypes.h>

#include "base/time_text.h"
#include "cli/say.h"
#include "rules/reason.h"
#include "wire/json_scan.h"

enum { NODES_MAX = 256, TEXT_MAX = 64 * 1024 };

enum { CLASS_ROLE = 1007, CLASS_FLOW = 4001, CLASS_HTTP = 4002, CLASS_DNS = 4003, CLASS_SESSION = 4007, CLASS_POLICY = 5019,
       CLASS_LIFECYCLE = 6002, CLASS_API = 6003 };
enum { ACTION_DENIED = 2, ACTION_OBSERVED = 3, ACTIVITY_CLOSE = 2, STATUS_FAILED = 2 };

struct event_view {
	const struct json_node *nodes;
	struct buf *out;
	uint64_t class_uid;
	uint64_t action;
	uint64_t activity;
	uint64_t status;
};

static const struct json_node *at(const struct event_view *v, const char *outer, const char *key)
{
	const struct json_node *n = json_get(v->nodes, v->nodes, outer);

	return key ? json_get(v->nodes, n, key) : n;
}

static uint64_t number(const struct event_view *v, const char *outer, const char *key)
{
	uint64_t n = 0;

	(void)json_u64(at(v, outer, key), UINT64_MAX, &n);
	return n;
}

/* Appends `before` and the text; nothing when there is none. */
static bool text(const struct event_view *v, const char *before, const struct json_node *n)
{
	struct buf raw BUF_AUTO = { 0 };

	buf_init(&raw, TEXT_MAX);
	if (!json_text(n, &raw) || raw.len == 0)
		return false;
	buf_str(v->out, before);
	say_clean(v->out, buf_view(&raw));
	return true;
}

static void endpoint(const struct event_view *v)
{
	uint64_t port = number(v, "dst_endpoint", "port");
	bool named = text(v, " ", at(v, "dst_endpoint", "hostname"));

	text(v, named ? " (" : " ", at(v, "dst_endpoint", "ip"));
	if (named && at(v, "dst_endpoint", "ip"))
		buf_byte(v->out, ')');
	if (port)
		buf_fmt(v->out, " port %" PRIu64, port);
}

static void what(const struct event_view *v)
{
	const struct json_node *url = json_get(v->nodes, at(v, "http_request", NULL), "url");
	const struct json_node *user = json_get(v->nodes, at(v, "actor", NULL), "user");
	uint64_t protocol = number(v, "connection_info", "protocol_num");

	switch (v->class_uid) {
	case CLASS_DNS:
		buf_str(v->out, "dns");
		text(v, " ", at(v, "query", "type"));
		text(v, " ", at(v, "query", "hostname"));
		break;
	case CLASS_FLOW:
		buf_str(v->out, protocol == 6 ? "tcp" : protocol == 17 ? "udp" : protocol == 1 ? "icmp" : "packet");
		endpoint(v);
		break;
	case CLASS_HTTP:
		buf_str(v->out, "http");
		text(v, " ", at(v, "activity_name", NULL));
		text(v, " ", json_get(v->nodes, url, "hostname"));
		text(v, "", json_get(v->nodes, url, "path"));
		text(v, "?", json_get(v->nodes, url, "query_string"));
		break;
	case CLASS_SESSION:
		buf_str(v->out, "session");
		text(v, " ", at(v, "activity_name", NULL));
		text(v, " by ", json_get(v->nodes, user, "name"));
		break;
	case CLASS_LIFECYCLE:
		buf_str(v->out, "workspace");
		text(v, " ", at(v, "activity_name", NULL));
		text(v, " ", at(v, "app", "name"));
		break;
	case CLASS_POLICY:
		buf_str(v->out, "policy");
		text(v, " ", at(v, "state", NULL));
		text(v, " ", at(v, "policy", "name"));
		text(v, " generation ", at(v, "policy", "version"));
		break;
	case CLASS_ROLE:
		buf_str(v->out, "process");
		text(v, " ", at(v, "activity_name", NULL));
		text(v, " ", at(v, "process", "name"));
		break;
	case CLASS_API:
		buf_str(v->out, "api");
		text(v, " ", at(v, "api", "operation"));
		text(v, " ", json_get(v->nodes, json_at(v->nodes, at(v, "resources", NULL), 0), "name"));
		text(v, " by ", json_get(v->nodes, user, "name"));
		break;
	default:
		text(v, "", at(v, "activity_name", NULL));
	}
}

/* Of a change that people made, what it was, and of a session, which: behind the reason's sentence, which says only that it was made. */
static void detail_of_change(const struct event_view *v)
{
	struct bytes sentence = bytes_str(reason_sentence(REASON_OK));
	struct buf raw BUF_AUTO = { 0 };

	buf_init(&raw, TEXT_MAX);
	if (!json_text(at(v, "status_detail", NULL), &raw) || !bytes_starts(buf_view(&raw), sentence) || raw.len <= sentence.len + strlen(": "))
		return;
	buf_str(v->out, ": ");
	say_clean(v->out, bytes_skip(buf_view(&raw), sentence.len + strlen(": ")));
}

static const char *action_word(const struct event_view *v)
{
	if (v->action == ACTION_DENIED)
		return "denied";
	if (v->action == ACTION_OBSERVED)
		return "observed";
	if (v->status == STATUS_FAILED)
		return "failed";
	if (v->action == 0)
		return "note";
	return (v->class_uid == CLASS_FLOW || v->class_uid == CLASS_SESSION) && v->activity == ACTIVITY_CLOSE ? "closed" : "allowed";
}

/* Shown also where the rules allowed it: there, nothing was enforced. */
static bool observing(const struct event_view *v)
{
	bool yes = false;

	return json_bool(at(v, "unmapped", "observing"), &yes) && yes;
}

static const char *remedy_of(const struct json_node *code)
{
	for (unsigned r = 0; r < REASON_COUNT; r++)
		if (json_is(code, reason_code((enum reason)r)))
			return reason_remedy((enum reason)r);
	return "";
}

/* Reason, rule, remedy, and the counts of something that ended. */
static void why(const struct event_view *v, const struct audit_line_style *s)
{
	bool allowed = json_is(at(v, "status_code", NULL), "ok");
	const char *remedy = allowed ? "" : remedy_of(at(v, "status_code", NULL));
	uint64_t count = number(v, "count", NULL);

	if (count > 1)
		buf_fmt(v->out, " x%" PRIu64, count);
	if (at(v, "traffic", NULL) && v->action != ACTION_DENIED)
		buf_fmt(v->out, ", %" PRIu64 " bytes in, %" PRIu64 " out, %" PRIu64 " ms", number(v, "traffic", "bytes_in"),
			number(v, "traffic", "bytes_out"), number(v, "duration", NULL));
	if (!allowed || v->action == 0)
		text(v, ": ", at(v, "status_detail", NULL));
	else if (v->class_uid == CLASS_API || v->class_uid == CLASS_POLICY || v->class_uid == CLASS_SESSION)
		detail_of_change(v);
	buf_str(v->out, s->dim);
	if (!allowed && text(v, " [", at(v, "status_code", NULL)))
		buf_byte(v->out, ']');
	text(v, " rule ", at(v, "firewall_rule", "name"));
	text(v, " credential ", at(v, "unmapped", "credential"));
	if (observing(v))
		buf_fmt(v->out, "%s%s [observing]%s%s", s->plain, s->failed, s->plain, s->dim);
	if (*remedy)
		buf_fmt(v->out, "; remedy: %s", remedy);
	buf_str(v->out, s->plain);
	if (s->changes)
		text(v, "\n         change: ", at(v, "unmapped", "policy_change"));
}

static bool view(struct bytes json, struct json_node nodes[NODES_MAX], struct event_view *ret)
{
	uint32_t n;
	size_t bad_at;

	if (json_scan(json, nodes, NODES_MAX, &n, &bad_at) != JSON_OK || nodes[0].kind != JSON_OBJECT)
		return false;
	*ret = (struct event_view){ .nodes = nodes };
	ret->class_uid = number(ret, "class_uid", NULL);
	ret->action = number(ret, "action_id", NULL);
	ret->activity = number(ret, "activity_id", NULL);
	ret->status = number(ret, "status_id", NULL);
	return ret->class_uid != 0;
}

bool audit_line_is(struct bytes json)
{
	struct json_node nodes[NODES_MAX];
	struct event_view v;

	return view(json, nodes, &v);
}

bool audit_line_denied(struct bytes json)
{
	struct json_node nodes[NODES_MAX];
	struct event_view v;

	return view(json, nodes, &v) && v.action == ACTION_DENIED;
}

bool audit_line_put(struct bytes json, const struct audit_line_style *style, struct buf *out)
{
	struct json_node nodes[NODES_MAX];
	struct event_view v;
	char time[TIME_TEXT_MAX];
	bool denied;

	if (!view(json, nodes, &v)) {
		say_clean(out, json);
		return buf_byte(out, '\n');
	}
	v.out = out;
	denied = v.action == ACTION_DENIED;
	time_text(number(&v, "time", NULL), time);
	buf_fmt(out, "%s%s%s %s%-8s%s ", style->dim, time, style->plain,
		denied ? style->denied : v.status == STATUS_FAILED || v.action == ACTION_OBSERVED ? style->failed : "", action_word(&v),
		style->plain);
	what(&v);
	why(&v, style);
	return buf_byte(out, '\n');
}
