#include "workspace/inlet/question.h"

#include "wire/guest_net.h"

/* What the guest may learn here is only which names policy lists: no question leaves this host.
 * Malformed messages are FORMERR, unlisted names NXDOMAIN with Extended Error 15, other types of
 * listed names NODATA. NODATA is no refusal (every client asks for AAAA beside A), but still an
 * event with a reason of its own. */

enum { REPLY_FAILED_MIN = 12 };

static const char blocked[] = "not listed by policy";

struct verdict {
	enum reason reason;
	enum event_action action;
	struct dns_reply reply;
};

static struct verdict refuse(enum reason reason, enum dns_rcode rcode)
{
	return (struct verdict){ .reason = reason, .action = EVENT_DENIED, .reply.rcode = rcode };
}

static struct verdict no_name(enum reason reason)
{
	struct verdict v = refuse(reason, DNS_NXDOMAIN);

	v.reply.ede = DNS_EDE_BLOCKED;
	v.reply.ede_text = reason == REASON_NAME_UNLISTED ? blocked : reason_sentence(reason);
	return v;
}

static struct verdict answer(struct ip address)
{
	return (struct verdict){ .reason = REASON_OK,
				 .action = EVENT_ALLOWED,
				 .reply = { .address = address, .ttl = QUESTION_TTL } };
}

static struct verdict no_data(void)
{
	return (struct verdict){ .reason = REASON_DNS_TYPE, .action = EVENT_ALLOWED };
}

static struct verdict judge_name(const struct name *n, uint16_t type, const struct policy *p,
				 struct pool *pool)
{
	struct policy_host host;
	struct ip address;
	enum reason reason;

	if (bytes_is(name_bytes(n), NET_SELF_NAME))
		return type == DNS_A ? answer(ip_v4(NET_GATEWAY)) : no_data();
	if (!policy_find_host(p, name_bytes(n), &host))
		return no_name(REASON_NAME_UNLISTED);
	if (type != DNS_A)
		return no_data();
	reason = pool_address(pool, n, &host, &address);
	return reason == REASON_OK ? answer(address) : no_name(reason);
}

static struct verdict judge_ask(const struct dns_ask *ask, const struct policy *p,
				struct pool *pool, struct question *q)
{
	switch (name_parse(bytes_str(q->name), &q->canonical)) {
	case NAME_OK:
		q->ev.name = name_bytes(&q->canonical);
		return judge_name(&q->canonical, ask->type, p, pool);
	case NAME_ADDRESS:
		return no_name(REASON_NAME_IS_ADDRESS);
	case NAME_MALFORMED:
	case NAME_NOT_CANONICAL:
	default:
		return refuse(REASON_NAME_MALFORMED, DNS_FORMERR);
	}
}

static struct verdict judge_malformed(enum dns_ask_answer a)
{
	enum dns_rcode rcode = a == DNS_ASK_IGNORE ? DNS_FORMERR : dns_ask_rcode(a);

	if (a == DNS_ASK_OPCODE)
		return refuse(REASON_DNS_OPCODE, rcode);
	if (a == DNS_ASK_ROOT)
		return refuse(REASON_NAME_UNLISTED, rcode);
	if (a == DNS_ASK_CLASS)
		return refuse(REASON_DNS_TYPE, rcode);
	if (a == DNS_ASK_LABEL || a == DNS_ASK_NAME)
		return refuse(REASON_NAME_MALFORMED, rcode);
	return refuse(REASON_DNS_MALFORMED, rcode);
}

static void describe(struct question *q, const struct dns_ask *ask)
{
	if (!ask->name.len)
		return;
	(void)dns_name_text(&ask->name, q->name);
	dns_type_text(ask->type, q->type);
	q->ev.name = bytes_str(q->name);
	q->ev.verb = bytes_str(q->type);
}

void question_judge(struct bytes msg, const struct policy *p, struct pool *pool,
		    struct question *ret)
{
	struct dns_ask ask = { 0 };
	enum dns_ask_answer a = dns_ask_parse(msg, &ask);
	struct verdict v;

	*ret = (struct question){ .ev = { .kind = EVENT_DNS, .count = 1 } };
	describe(ret, &ask);
	v = a == DNS_ASK_OK ? judge_ask(&ask, p, pool, ret) : judge_malformed(a);
	ret->ev.action = v.action;
	ret->ev.reason = (uint16_t)v.reason;
	ret->ev.status = (uint16_t)v.reply.rcode;
	ret->ev.dst = v.reply.address;
	if (a != DNS_ASK_OK)
		ret->ev.detail =
			bytes_str(a == DNS_ASK_IGNORE ? "an answer, or shorter than a header"
						      : dns_ask_text(a));
	if (a == DNS_ASK_IGNORE)
		return;
	ret->reply_len = dns_reply_build(&ask, &v.reply, ret->reply);
	ret->failed_len = REPLY_FAILED_MIN + ask.question.len;
}

void question_failed(uint8_t *reply, size_t *reply_len, size_t failed_len)
{
	if (*reply_len < failed_len || failed_len < REPLY_FAILED_MIN)
		return;
	reply[3] = (uint8_t)((reply[3] & 0xf0) | DNS_SERVFAIL);
	memset(reply + 6, 0, 6);
	*reply_len = failed_len;
}
