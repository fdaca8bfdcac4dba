/* An answer is walked once from end to end, so that a message cut short or with bytes behind its end is refused whole, and the
 * aliases and addresses are noted on the way. Then the hops are followed from the asked name: an address counts only when the name at
 * the end of the hops owns it. Whatever else a resolver slips in is not looked at. */
#include "wire/dns_answer.h"

#include "base/must.h"

enum {
	FLAG_QR = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_TC = 0x0200,
	FLAG_RD = 0x0100,
	RECORD_FIXED = 10,
	/* More aliases than a legal chain has are noted, so that a longer chain is seen to be one. */
	ALIASES_MAX = DNS_CNAMES_MAX + 1,
};

struct alias {
	struct dns_name owner;
	struct dns_name target;
	uint32_t ttl;
};

struct owned_ip {
	struct dns_name owner;
	struct ip ip;
	uint32_t ttl;
};

struct walk {
	struct bytes msg;
	const struct dns_query *q;
	size_t off;
	bool soa; /* in the authority section: this server says that there is no more */
	uint8_t rcode_high; /* of an OPT record */
	unsigned n_aliases;
	unsigned n_ips;
	struct alias aliases[ALIASES_MAX];
	struct owned_ip ips[DNS_ADDRESSES_MAX];
};

static uint16_t u16_at(struct bytes msg, size_t off)
{
	return (uint16_t)(msg.p[off] << 8 | msg.p[off + 1]);
}

static uint32_t u32_at(struct bytes msg, size_t off)
{
	return (uint32_t)u16_at(msg, off) << 16 | u16_at(msg, off + 2);
}

static void put_u16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t put_question(const struct dns_query *q, uint8_t *p)
{
	memcpy(p, q->name.wire, q->name.len);
	put_u16(p + q->name.len, q->type);
	put_u16(p + q->name.len + 2, DNS_CLASS_IN);
	return q->name.len + (size_t)4;
}

size_t dns_query_build(const struct dns_query *q, uint8_t ret[DNS_QUERY_MAX])
{
	size_t len = DNS_HEADER_LEN;

	memset(ret, 0, DNS_QUERY_MAX);
	put_u16(ret, q->id);
	put_u16(ret + 2, FLAG_RD);
	put_u16(ret + 4, 1);
	put_u16(ret + 10, q->edns);
	len += put_question(q, ret + len);
	if (q->edns) {
		put_u16(ret + len + 1, DNS_OPT);
		put_u16(ret + len + 3, DNS_UDP_SIZE);
		len += 1 + RECORD_FIXED;
	}
	return len;
}

/* Header and question repeat ours. */
static bool ours(struct bytes msg, const struct dns_query *q)
{
	uint8_t want[DNS_NAME_WIRE_MAX + 4];
	size_t len = put_question(q, want);

	return msg.len >= DNS_HEADER_LEN + len && u16_at(msg, 0) == q->id &&
	       (u16_at(msg, 2) & (FLAG_QR | FLAG_OPCODE)) == FLAG_QR && u16_at(msg, 4) == 1 &&
	       memcmp(msg.p + DNS_HEADER_LEN, want, len) == 0;
}

/* Servers that do not know EDNS answer a bare header, without the question (RFC 6891 7). It can only say "failed". */
static bool bare_failure(struct bytes msg, const struct dns_query *q)
{
	return msg.len == DNS_HEADER_LEN && u16_at(msg, 0) == q->id &&
	       (u16_at(msg, 2) & (FLAG_QR | FLAG_OPCODE | FLAG_TC)) == FLAG_QR && u16_at(msg, 4) == 0 &&
	       (u16_at(msg, 2) & 15) != DNS_NOERROR && (u16_at(msg, 2) & 15) != DNS_NXDOMAIN;
}

static bool note_alias(struct walk *w, const struct dns_name *owner, size_t data, size_t len, uint32_t ttl)
{
	struct alias *a;
	struct dns_name target;
	size_t at = data;

	if (dns_name_read(bytes_of(w->msg.p, data + len), &at, true, &target) != DNS_NAME_OK || at != data + len)
		return false;
	if (w->n_aliases == ALIASES_MAX)
		return true;
	a = &w->aliases[w->n_aliases++];
	a->owner = *owner;
	a->target = target;
	a->ttl = ttl;
	return true;
}

static bool note_ip(struct walk *w, const struct dns_name *owner, size_t data, size_t len, uint32_t ttl)
{
	struct ip ip = { .family = w->q->type == DNS_A ? 4 : 6 };
	struct owned_ip *o;

	if (len != (ip.family == 4 ? 4 : 16))
		return false;
	memcpy(ip.b, w->msg.p + data, len);
	for (unsigned i = 0; i < w->n_ips; i++)
		if (w->ips[i].ip.family == ip.family && !memcmp(w->ips[i].ip.b, ip.b, sizeof(ip.b)) &&
		    dns_name_ieq(&w->ips[i].owner, owner))
			return true;
	if (w->n_ips == DNS_ADDRESSES_MAX)
		return true;
	o = &w->ips[w->n_ips++];
	o->owner = *owner;
	o->ip = ip;
	o->ttl = ttl;
	return true;
}

/* The record at w->off, of the answer section or of a later one. */
static bool take_record(struct walk *w, bool answer)
{
	struct dns_name owner;
	uint16_t type;
	uint32_t ttl;
	size_t len;
	size_t data;

	if (dns_name_read(w->msg, &w->off, true, &owner) != DNS_NAME_OK)
		return false;
	if (w->msg.len - w->off < RECORD_FIXED)
		return false;
	type = u16_at(w->msg, w->off);
	ttl = u32_at(w->msg, w->off + 4);
	len = u16_at(w->msg, w->off + 8);
	data = w->off + RECORD_FIXED;
	if (len > w->msg.len - data)
		return false;
	if (type != DNS_OPT && u16_at(w->msg, w->off + 2) != DNS_CLASS_IN)
		type = 0;
	w->off = data + len;
	if (!answer) {
		w->soa |= type == DNS_SOA;
		if (type == DNS_OPT)
			w->rcode_high = (uint8_t)(ttl >> 24);
		return true;
	}
	if (ttl >> 31) /* RFC 2181 8 */
		ttl = 0;
	if (type == DNS_CNAME)
		return note_alias(w, &owner, data, len, ttl);
	return type != w->q->type || note_ip(w, &owner, data, len, ttl);
}

static bool walk_sections(struct walk *w)
{
	unsigned n_answer = u16_at(w->msg, 6);
	unsigned n_more = u16_at(w->msg, 8) + (unsigned)u16_at(w->msg, 10);

	if (n_answer + n_more > DNS_RECORDS_MAX)
		return false;
	for (unsigned i = 0; i < n_answer + n_more; i++)
		if (!take_record(w, i < n_answer))
			return false;
	return w->off == w->msg.len;
}

static const struct alias *alias_of(const struct walk *w, const struct dns_name *name)
{
	for (unsigned i = 0; i < w->n_aliases; i++)
		if (dns_name_ieq(&w->aliases[i].owner, name))
			return &w->aliases[i];
	return NULL;
}

static void least(uint32_t *ttl, uint32_t other)
{
	if (other < *ttl)
		*ttl = other;
}

/* Follows the hops; false when there are too many. */
static bool follow(const struct walk *w, unsigned n_before, struct dns_answer *ret)
{
	const struct alias *a;

	ret->final = w->q->name;
	while ((a = alias_of(w, &ret->final)) != NULL) {
		if (++ret->n_cnames + n_before > DNS_CNAMES_MAX)
			return false;
		ret->final = a->target;
		least(&ret->ttl, a->ttl);
	}
	for (unsigned i = 0; i < w->n_ips; i++)
		if (dns_name_ieq(&w->ips[i].owner, &ret->final)) {
			ret->addresses[ret->n_addresses++] = w->ips[i].ip;
			least(&ret->ttl, w->ips[i].ttl);
		}
	return true;
}

enum dns_answer_result dns_answer_parse(struct bytes msg, const struct dns_query *q, unsigned n_before, struct dns_answer *ret)
{
	struct walk w = { .msg = msg, .q = q };
	struct dns_answer a = { .ttl = UINT32_MAX };

	if (bare_failure(msg, q)) {
		a.rcode = (enum dns_rcode)(u16_at(msg, 2) & 15);
		*ret = a;
		return DNS_ANSWER_FAILED;
	}
	if (!ours(msg, q))
		return DNS_ANSWER_STRANGER;
	if (u16_at(msg, 2) & FLAG_TC)
		return DNS_ANSWER_TRUNCATED;
	w.off = DNS_HEADER_LEN + q->name.len + (size_t)4;
	if (!walk_sections(&w))
		return DNS_ANSWER_MALFORMED;
	if (!follow(&w, n_before, &a))
		return DNS_ANSWER_CHAIN;
	a.rcode = (enum dns_rcode)(w.rcode_high << 4 | (u16_at(msg, 2) & 15));
	*ret = a;
	if (a.rcode == DNS_NXDOMAIN)
		return DNS_ANSWER_NXDOMAIN;
	if (a.rcode != DNS_NOERROR)
		return DNS_ANSWER_FAILED;
	if (a.n_addresses)
		return DNS_ANSWER_OK;
	return a.n_cnames && !w.soa ? DNS_ANSWER_CONTINUE : DNS_ANSWER_NONE;
}
