/* Each kind of event has one OCSF class; what they share (time, reason, verdict, place in the log) is written once, around what the
 * class adds. Ids come with their captions only where a person reads them. Numbers are cut to what OCSF's signed 64 bits hold. */
#include "wire/ocsf.h"

#include "base/json_out.h"
#include "base/must.h"
#include "base/num.h"

/* What is being written: passed on instead of five arguments. */
struct line {
	struct json_out j;
	const struct event *ev;
	const char *code;
	const char *sentence;
	const struct ocsf_source *src;
	const struct ocsf_place *at;
};

struct activity {
	char word[12];
	unsigned id;
	char caption[12];
};

static const struct activity lifecycle[] = {
	{ "created", 1, "Install" },   { "deleted", 2, "Remove" },    { "started", 3, "Start" },
	{ "running", 3, "Start" },     { "ready", 3, "Start" },	      { "stopped", 4, "Stop" },
	{ "stopping", 4, "Stop" },     { "restarted", 5, "Restart" }, { "rebuilt", 8, "Update" },
	{ "updated", 8, "Update" },
};
static const struct activity session[] = {
	{ "opened", 1, "Open" }, { "closed", 2, "Close" }, { "cut", 3, "Reset" }, { "failed", 4, "Fail" }, { "refused", 5, "Refuse" },
};
static const struct activity method[] = {
	{ "CONNECT", 1, "Connect" }, { "DELETE", 2, "Delete" }, { "GET", 3, "Get" },	 { "HEAD", 4, "Head" }, { "OPTIONS", 5, "Options" },
	{ "POST", 6, "Post" },	     { "PUT", 7, "Put" },	{ "TRACE", 8, "Trace" }, { "PATCH", 9, "Patch" },
};
static const struct activity role[] = {
	{ "started", 1, "Launch" },	{ "restarted", 1, "Launch" },	 { "died", 2, "Terminate" },
	{ "stopped", 2, "Terminate" },	{ "exited", 2, "Terminate" },
};
/* Matched against the last word of an operation: "workspaces.create". */
static const struct activity api[] = {
	{ "create", 1, "Create" }, { "build", 1, "Create" },  { "issue", 1, "Create" },	 { "get", 2, "Read" },
	{ "list", 2, "Read" },	   { "show", 2, "Read" },     { "start", 3, "Update" },	 { "stop", 3, "Update" },
	{ "restart", 3, "Update" }, { "rebuild", 3, "Update" }, { "update", 3, "Update" }, { "policy", 3, "Update" },
	{ "delete", 4, "Delete" }, { "remove", 4, "Delete" },
};

#define FIND(table, word) find(table, sizeof(table) / sizeof((table)[0]), word)

static const struct activity *find(const struct activity *table, size_t n, struct bytes word)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_is(word, table[i].word))
			return &table[i];
	return NULL;
}

static void put_num(struct json_out *j, const char *key, uint64_t v)
{
	json_out_key_u64(j, key, v > INT64_MAX ? INT64_MAX : v);
}

static void put_id_text(struct json_out *j, const char *key, uint64_t id)
{
	char text[NUM_TEXT_MAX + 1];
	size_t n = num_text(id, text);

	json_out_key_bytes(j, key, bytes_of(text, n));
}

static void open_key(struct json_out *j, const char *key)
{
	json_out_key(j, key);
	json_out_object(j);
}

static struct bytes cut(struct bytes text)
{
	return bytes_of(text.p, text.len > EVENT_TEXT_MAX ? EVENT_TEXT_MAX : text.len);
}

static struct bytes or_else(struct bytes text, const char *other)
{
	return text.len ? cut(text) : bytes_str(other);
}

static void put_class(struct line *l, unsigned category, unsigned class, unsigned activity, struct bytes caption)
{
	json_out_key_u64(&l->j, "category_uid", category);
	json_out_key_u64(&l->j, "class_uid", class);
	json_out_key_u64(&l->j, "activity_id", activity);
	json_out_key_bytes(&l->j, "activity_name", caption);
	json_out_key_u64(&l->j, "type_uid", (uint64_t)class * 100 + activity);
}

/* An activity by its word, or 99 with the word itself. */
static void put_class_word(struct line *l, unsigned category, unsigned class, const struct activity *a)
{
	if (a)
		put_class(l, category, class, a->id, bytes_str(a->caption));
	else
		put_class(l, category, class, 99, or_else(l->ev->verb, "unnamed"));
}

static void put_endpoint_ip(struct line *l, struct ip ip, uint16_t port)
{
	char text[IP_TEXT_MAX];

	if (ip.family) {
		ip_text(ip, text);
		json_out_key_str(&l->j, "ip", text);
	}
	if (port)
		json_out_key_u64(&l->j, "port", port);
}

static void put_src(struct line *l, const char *unknown)
{
	open_key(&l->j, "src_endpoint");
	if (!l->ev->src.family)
		json_out_key_str(&l->j, "name", unknown);
	put_endpoint_ip(l, l->ev->src, l->ev->src_port);
	json_out_object_end(&l->j);
}

static void put_dst(struct line *l)
{
	const struct event *ev = l->ev;

	if (!ev->dst.family && !ev->name.len)
		return;
	open_key(&l->j, "dst_endpoint");
	json_out_key_bytes_opt(&l->j, "hostname", cut(ev->name));
	put_endpoint_ip(l, ev->dst, ev->dst_port);
	json_out_object_end(&l->j);
}

static void put_connection(struct line *l)
{
	const struct event *ev = l->ev;

	if (!ev->flow && !ev->ip_proto)
		return;
	open_key(&l->j, "connection_info");
	json_out_key_u64(&l->j, "direction_id", 2);
	if (ev->ip_proto)
		json_out_key_u64(&l->j, "protocol_num", ev->ip_proto);
	if (ev->flow)
		put_id_text(&l->j, "uid", ev->flow);
	json_out_object_end(&l->j);
}

static void put_traffic(struct line *l)
{
	const struct event *ev = l->ev;
	uint64_t in = ev->bytes_in > INT64_MAX / 2 ? INT64_MAX / 2 : ev->bytes_in;
	uint64_t out = ev->bytes_out > INT64_MAX / 2 ? INT64_MAX / 2 : ev->bytes_out;

	if (ev->action != EVENT_CLOSED && !in && !out)
		return;
	open_key(&l->j, "traffic");
	put_num(&l->j, "bytes_in", in);
	put_num(&l->j, "bytes_out", out);
	put_num(&l->j, "bytes", in + out);
	json_out_object_end(&l->j);
}

static void put_device(struct json_out *j, const struct ocsf_source *src)
{
	open_key(j, "device");
	json_out_key_u64(j, "type_id", src->workspace_id.len ? 6 : 1);
	if (src->workspace_id.len)
		json_out_key_bytes(j, "uid", cut(src->workspace_id));
	json_out_key_bytes(j, "name", or_else(src->workspace_name, "control plane"));
	if (src->owner.len) {
		open_key(j, "owner");
		json_out_key_bytes(j, "name", cut(src->owner));
		json_out_object_end(j);
	}
	json_out_object_end(j);
}

/* Members of metadata. */
static void put_writer(struct json_out *j, const struct ocsf_source *src)
{
	json_out_key_str(j, "version", "1.8.0");
	json_out_key_bytes_opt(j, "log_name", cut(src->writer));
	open_key(j, "product");
	json_out_key_str(j, "name", "saw");
	json_out_key_bytes_opt(j, "version", cut(src->version));
	json_out_object_end(j);
}

/* The members that `put` writes, alone. */
static bool render_members(struct buf *out, const struct ocsf_source *src, void (*put)(struct json_out *j, const struct ocsf_source *src))
{
	struct json_out j;

	json_out_init(&j, out);
	put(&j, src);
	return !out->failed;
}

bool ocsf_source_fix(struct ocsf_source *src, struct buf *writer, struct buf *device)
{
	if (!render_members(writer, src, put_writer) || !render_members(device, src, put_device))
		return false;
	src->fixed_writer = buf_view(writer);
	src->fixed_device = buf_view(device);
	return true;
}

/* What ocsf_source_fix() rendered, or the same now. */
static void put_fixed(struct line *l, struct bytes fixed, void (*put)(struct json_out *j, const struct ocsf_source *src))
{
	if (fixed.len)
		json_out_members(&l->j, fixed);
	else
		put(&l->j, l->src);
}

static void put_actor_user(struct line *l, const char *unknown)
{
	if (!l->ev->actor.len && !unknown)
		return;
	open_key(&l->j, "actor");
	open_key(&l->j, "user");
	json_out_key_bytes(&l->j, "name", or_else(l->ev->actor, unknown ? unknown : ""));
	json_out_object_end(&l->j);
	json_out_object_end(&l->j);
}

static void put_lifecycle(struct line *l)
{
	put_class_word(l, 6, 6002, FIND(lifecycle, l->ev->verb));
	put_actor_user(l, NULL);
	open_key(&l->j, "app");
	json_out_key_bytes(&l->j, "name", or_else(l->src->workspace_name, "saw"));
	json_out_key_bytes_opt(&l->j, "uid", cut(l->src->workspace_id));
	json_out_object_end(&l->j);
}

static void put_session(struct line *l)
{
	bool denied = l->ev->action == EVENT_DENIED;

	put_class_word(l, 4, 4007, denied ? FIND(session, bytes_str("refused")) : FIND(session, l->ev->verb));
	put_actor_user(l, NULL);
	put_src(l, "broker");
	put_dst(l);
	put_connection(l);
	put_traffic(l);
}

static void put_dns(struct line *l)
{
	const struct event *ev = l->ev;
	bool known = ev->status <= 11 || ev->status == 16;
	char address[IP_TEXT_MAX];

	put_class(l, 4, 4003, 1, bytes_str("Query"));
	put_src(l, "guest");
	open_key(&l->j, "query");
	json_out_key_bytes(&l->j, "hostname", or_else(ev->name, "."));
	json_out_key_str(&l->j, "class", "IN");
	json_out_key_bytes_opt(&l->j, "type", cut(ev->verb));
	json_out_object_end(&l->j);
	json_out_key_u64(&l->j, "rcode_id", known ? ev->status : 99);
	if (!known)
		json_out_key_str(&l->j, "rcode", "unassigned");
	if (!ev->dst.family || ev->dst_port)
		return;
	ip_text(ev->dst, address);
	json_out_key(&l->j, "answers");
	json_out_array(&l->j);
	json_out_object(&l->j);
	json_out_key_str(&l->j, "rdata", address);
	json_out_key_str(&l->j, "type", ev->dst.family == 4 ? "A" : "AAAA");
	json_out_object_end(&l->j);
	json_out_array_end(&l->j);
}

static void put_flow(struct line *l)
{
	switch (l->ev->action) {
	case EVENT_ALLOWED:
	case EVENT_OBSERVED:
		put_class(l, 4, 4001, 1, bytes_str("Open"));
		break;
	case EVENT_CLOSED:
		put_class(l, 4, 4001, 2, bytes_str("Close"));
		break;
	case EVENT_FAILED:
		put_class(l, 4, 4001, 4, bytes_str("Fail"));
		break;
	case EVENT_DENIED:
		put_class(l, 4, 4001, 5, bytes_str("Refuse"));
		break;
	case EVENT_NOTE:
	case EVENT_ACTION_END:
		put_class(l, 4, 4001, 6, bytes_str("Traffic"));
		break;
	}
	put_src(l, "guest");
	put_dst(l);
	put_connection(l);
	put_traffic(l);
}

static void put_url(struct line *l)
{
	const struct event *ev = l->ev;
	size_t path_len = bytes_find(ev->path, '?');

	open_key(&l->j, "url");
	json_out_key_bytes_opt(&l->j, "hostname", cut(ev->name));
	if (ev->dst_port)
		json_out_key_u64(&l->j, "port", ev->dst_port);
	json_out_key_bytes(&l->j, "path", cut(bytes_of(ev->path.p, path_len)));
	if (path_len < ev->path.len)
		json_out_key_bytes(&l->j, "query_string", cut(bytes_skip(ev->path, path_len + 1)));
	json_out_object_end(&l->j);
}

static void put_http(struct line *l)
{
	const struct activity *a = FIND(method, l->ev->verb);

	put_class_word(l, 4, 4002, a);
	put_src(l, "guest");
	put_dst(l);
	put_connection(l);
	put_traffic(l);
	open_key(&l->j, "http_request");
	if (a) /* the schema lists no other methods; activity_name has them */
		json_out_key_str(&l->j, "http_method", a->word);
	put_url(l);
	json_out_object_end(&l->j);
	if (!l->ev->status)
		return;
	open_key(&l->j, "http_response");
	json_out_key_u64(&l->j, "code", l->ev->status);
	json_out_object_end(&l->j);
}

static void put_policy_change(struct line *l)
{
	put_class(l, 5, 5019, 1, bytes_str("Log"));
	put_actor_user(l, NULL);
	if (l->ev->action == EVENT_DENIED || l->ev->action == EVENT_FAILED) {
		json_out_key_u64(&l->j, "state_id", 99);
		json_out_key_str(&l->j, "state", "refused");
	} else {
		json_out_key_u64(&l->j, "state_id", 2);
		json_out_key_str(&l->j, "state", "Enabled");
	}
}

static void put_role(struct line *l)
{
	const struct activity *a = FIND(role, l->ev->verb);
	struct bytes name = or_else(l->ev->actor, "role");

	put_class_word(l, 1, 1007, a);
	open_key(&l->j, "actor");
	json_out_key_str(&l->j, "app_name", "saw");
	json_out_object_end(&l->j);
	open_key(&l->j, "process");
	json_out_key_bytes(&l->j, "name", name);
	if (l->ev->pid)
		json_out_key_u64(&l->j, "pid", l->ev->pid);
	else
		json_out_key_bytes(&l->j, "uid", name);
	json_out_object_end(&l->j);
	if (a && a->id == 2)
		json_out_key_u64(&l->j, "exit_code", l->ev->status);
}

static struct bytes last_word(struct bytes operation)
{
	for (size_t i = operation.len; i > 0; i--)
		if (operation.p[i - 1] == '.')
			return bytes_skip(operation, i);
	return operation;
}

static void put_api(struct line *l)
{
	put_class_word(l, 6, 6003, FIND(api, last_word(l->ev->verb)));
	put_actor_user(l, "unknown");
	put_src(l, "control socket");
	open_key(&l->j, "api");
	json_out_key_bytes(&l->j, "operation", or_else(l->ev->verb, "unnamed"));
	json_out_object_end(&l->j);
	if (l->ev->name.len) {
		json_out_key(&l->j, "resources");
		json_out_array(&l->j);
		json_out_object(&l->j);
		json_out_key_bytes(&l->j, "name", cut(l->ev->name));
		json_out_object_end(&l->j);
		json_out_array_end(&l->j);
	}
	if (l->ev->status) {
		open_key(&l->j, "http_response");
		json_out_key_u64(&l->j, "code", l->ev->status);
		json_out_object_end(&l->j);
	}
}

/* Tokens as message_context counts them; who stands behind a name is the provider, whatever it relays. */
static void put_model(struct line *l)
{
	const struct event *ev = l->ev;
	struct bytes host = or_else(ev->name, "unknown");
	struct json_out *j = &l->j;

	put_class(l, 6, 6003, 1, bytes_str("Create"));
	open_key(j, "actor");
	json_out_key_str(j, "app_name", "guest");
	json_out_object_end(j);
	put_src(l, "guest");
	put_dst(l);
	open_key(j, "api");
	json_out_key_bytes(j, "operation", or_else(ev->verb, "unnamed"));
	json_out_object_end(j);
	open_key(j, "http_request");
	put_url(l);
	json_out_object_end(j);
	if (ev->status) {
		open_key(j, "http_response");
		json_out_key_u64(j, "code", ev->status);
		json_out_object_end(j);
	}
	open_key(j, "ai_model");
	json_out_key_bytes(j, "ai_provider", host);
	json_out_key_bytes(j, "name", or_else(ev->model, "unknown"));
	json_out_object_end(j);
	open_key(j, "message_context");
	open_key(j, "service");
	json_out_key_bytes(j, "name", host);
	json_out_object_end(j);
	put_num(j, "prompt_tokens", ev->tokens_in);
	put_num(j, "completion_tokens", ev->tokens_out);
	json_out_object_end(j);
}

static void put_head(struct line *l)
{
	struct json_out *j = &l->j;

	open_key(j, "unmapped");
	json_out_key_str(j, "prev_sha256", l->at->prev);
	if (l->src->lab)
		json_out_key_bool(j, "lab", true);
	if (l->ev->observing)
		json_out_key_bool(j, "observing", true);
	if (l->ev->action == EVENT_OBSERVED)
		json_out_key_bool(j, "observed", true);
	json_out_key_bytes_opt(j, "credential", cut(l->ev->credential));
	json_out_key_bytes_opt(j, "policy_change", cut(l->ev->change));
	json_out_object_end(j);
	open_key(j, "metadata");
	put_num(j, "sequence", l->at->sequence);
	put_fixed(l, l->src->fixed_writer, put_writer);
	if (l->ev->kind == EVENT_DNS || l->ev->kind == EVENT_FLOW || l->ev->kind == EVENT_HTTP || l->ev->kind == EVENT_MODEL)
		json_out_key_bytes_opt(j, "log_provider", cut(l->ev->actor)); /* inlet's word and dialer's are told apart */
	json_out_key(j, "profiles");
	json_out_array(j);
	json_out_str(j, "host");
	json_out_str(j, "security_control");
	if (l->ev->kind == EVENT_MODEL)
		json_out_str(j, "ai_operation");
	json_out_array_end(j);
	json_out_object_end(j);
}

/* Severity and status; action and disposition with their captions. */
#define VERDICT(severity, status) "\"severity_id\":" #severity ",\"status_id\":" #status
#define ACTED(id, caption, disposition_id, disposition)                                                                         \
	",\"action_id\":" #id ",\"action\":\"" caption "\",\"disposition_id\":" #disposition_id ",\"disposition\":\"" disposition "\""

static const char *const verdicts[EVENT_ACTION_END] = {
	[EVENT_ALLOWED] = VERDICT(1, 1) ACTED(1, "Allowed", 1, "Allowed"),
	[EVENT_DENIED] = VERDICT(3, 2) ACTED(2, "Denied", 2, "Blocked"),
	[EVENT_OBSERVED] = VERDICT(3, 1) ACTED(3, "Observed", 17, "Logged"),
	[EVENT_CLOSED] = VERDICT(1, 1) ACTED(1, "Allowed", 1, "Allowed"),
	[EVENT_FAILED] = VERDICT(2, 2) ACTED(1, "Allowed", 27, "Error"),
	[EVENT_NOTE] = VERDICT(1, 1),
};

/* The reason's sentence and the event's own; a note that has no reason speaks for itself. */
static void put_reason(struct line *l)
{
	const struct event *ev = l->ev;
	bool has_reason = ev->reason || ev->action != EVENT_NOTE;
	uint8_t text[EVENT_TEXT_MAX + 256];
	size_t len = 0;

	if (has_reason) {
		json_out_key_str(&l->j, "status_code", l->code);
		len = strnlen(l->sentence, 200);
		memcpy(text, l->sentence, len);
	}
	if (ev->detail.len) {
		struct bytes detail = cut(ev->detail);

		if (len) {
			memcpy(text + len, ": ", 2);
			len += 2;
		}
		memcpy(text + len, detail.p, detail.len);
		len += detail.len;
	}
	json_out_key_bytes_opt(&l->j, "status_detail", bytes_of(text, len));
}

static void put_policy(struct line *l)
{
	struct json_out *j = &l->j;

	if (l->ev->rule.len) {
		open_key(j, "firewall_rule");
		json_out_key_bytes(j, "name", cut(l->ev->rule));
		json_out_object_end(j);
	}
	if (!l->ev->generation && !l->src->policy.len)
		return;
	open_key(j, "policy");
	json_out_key_bytes(j, "name", or_else(l->src->policy, "policy"));
	if (l->ev->generation)
		put_id_text(j, "version", l->ev->generation);
	json_out_object_end(j);
}

static void put_time(struct line *l)
{
	const struct event *ev = l->ev;

	put_num(&l->j, "time", ev->at_ms);
	if (ev->duration_ms) {
		uint64_t began = ev->duration_ms < ev->at_ms ? ev->at_ms - ev->duration_ms : 0;

		put_num(&l->j, "duration", ev->duration_ms);
		put_num(&l->j, "start_time", began);
		put_num(&l->j, "end_time", ev->at_ms);
	}
	if (ev->count > 1)
		put_num(&l->j, "count", ev->count);
}

void ocsf_render(struct buf *out, const struct event *ev, const char *code, const char *sentence, const struct ocsf_source *src,
		 const struct ocsf_place *at)
{
	static void (*const by_kind[EVENT_KIND_END])(struct line *l) = {
		[EVENT_LIFECYCLE] = put_lifecycle, [EVENT_SESSION] = put_session, [EVENT_DNS] = put_dns,
		[EVENT_FLOW] = put_flow,	   [EVENT_HTTP] = put_http,	  [EVENT_POLICY] = put_policy_change,
		[EVENT_ROLE] = put_role,	   [EVENT_API] = put_api,
		[EVENT_MODEL] = put_model,
	};
	struct line l = { .ev = ev, .code = code, .sentence = sentence, .src = src, .at = at };

	must(ev->kind > 0 && ev->kind < EVENT_KIND_END && ev->action > 0 && ev->action < EVENT_ACTION_END);
	json_out_init(&l.j, out);
	json_out_object(&l.j);
	put_head(&l);
	put_time(&l);
	by_kind[ev->kind](&l);
	json_out_members(&l.j, bytes_str(verdicts[ev->action]));
	put_reason(&l);
	put_policy(&l);
	put_fixed(&l, src->fixed_device, put_device);
	json_out_object_end(&l.j);
}
