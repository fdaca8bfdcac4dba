#include "workspace/inlet/self_reach.h"

#include "base/json_out.h"
#include "rules/policy_ask.h"
#include "rules/policy_query.h"

/* The entry lets pass what its rules refuse; said only where it is so. */
static void say_observe(struct json_out *j, bool observe)
{
	if (observe)
		json_out_key_bool(j, "observe", true);
}

static void say_rules(const struct policy *p, struct json_out *j)
{
	struct policy_reach_rule rule;

	json_out_array(j);
	for (uint32_t i = 0; policy_reach_rule_at(p, i, &rule); i++) {
		json_out_object(j);
		json_out_key_bytes(j, "rule", rule.rule);
		json_out_key_bytes_opt(j, "class", rule.class_name);
		json_out_key_str(j, "decision", rule.decision);
		json_out_object_end(j);
	}
	json_out_array_end(j);
}

static void say_all(const struct policy *p, struct buf *out)
{
	struct policy_reach reach;
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key(&j, "reach");
	json_out_array(&j);
	for (uint32_t i = 0; policy_reach_at(p, i, &reach); i++) {
		json_out_object(&j);
		json_out_key_bytes(&j, "host", reach.host);
		json_out_key_str(&j, "mode", policy_mode_text(reach.mode));
		json_out_key(&j, "ports");
		json_out_array(&j);
		for (size_t k = 0; k < reach.n_ports; k++)
			json_out_u64(&j, reach.ports[k]);
		json_out_array_end(&j);
		json_out_key_bytes(&j, "rule", reach.rule);
		say_observe(&j, reach.observe);
		json_out_object_end(&j);
	}
	json_out_array_end(&j);
	json_out_key(&j, "rules");
	say_rules(p, &j);
	json_out_object_end(&j);
}

static void say_one(const struct policy_told *t, struct buf *out)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key_str(&j, "decision", t->reason == REASON_BODY_NEEDED ? "depends on the body" : policy_told_decision(t));
	json_out_key_str(&j, "reason", reason_code(t->reason));
	json_out_key_str(&j, "detail", reason_sentence(t->reason));
	json_out_key_bytes_opt(&j, "host", name_bytes(&t->authority.name));
	if (t->authority.port)
		json_out_key_u64(&j, "port", t->authority.port);
	if (t->has_entry) {
		json_out_key_str(&j, "mode", policy_mode_text(t->entry.mode));
		json_out_key_bytes(&j, "rule", t->verdict.rule);
		json_out_key_bytes_opt(&j, "class", t->verdict.class_name);
		say_observe(&j, t->entry.observe);
	}
	json_out_key_bytes_opt(&j, "remedy", bytes_str(reason_remedy(t->reason)));
	json_out_key_bytes_opt(&j, "policy_change", buf_view(&t->change));
	json_out_object_end(&j);
}

bool self_reach(const struct policy *p, struct bytes query, struct buf *out)
{
	struct policy_query_value url, method = { .len = 0 };
	struct policy_ask q = { .body = NULL };
	POLICY_TOLD_AUTO struct policy_told told = { .reason = REASON_OK };

	if (query.len == 0) {
		say_all(p, out);
		return true;
	}
	if (policy_query_find(query, bytes_str("url"), &url) != POLICY_QUERY_ONCE ||
	    policy_query_find(query, bytes_str("method"), &method) == POLICY_QUERY_UNCLEAR ||
	    !policy_ask_parse(bytes_of(method.p, method.len), bytes_of(url.p, url.len), &q))
		return false;
	policy_ask(p, &q, &told);
	say_one(&told, out);
	return true;
}
