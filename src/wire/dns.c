/* The question of a client is fully checked before any of it is used: header, one question, nothing else but one OPT record, and
 * no byte behind. The order of the checks decides which fault is named when there are several. */
#include "wire/dns.h"

#include <assert.h>
#include <stdio.h>

#include "base/must.h"

enum {
	FLAG_QR = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_TC = 0x0200,
	FLAG_RD = 0x0100,
	FLAG_RA = 0x0080,
	FLAG_CD = 0x0010,
	OPT_DO = 0x8000,
	RECORD_FIXED = 10, /* type, class, TTL, length */
	OPTION_FIXED = 4,
	OPTION_EDE = 15,
};

static uint16_t u16_at(struct bytes msg, size_t off)
{
	return (uint16_t)(msg.p[off] << 8 | msg.p[off + 1]);
}

void dns_type_text(uint16_t type, char ret[DNS_TYPE_TEXT_MAX])
{
	static const struct {
		uint16_t type;
		char text[8];
	} known[] = {
		{ DNS_A, "A" },	    { DNS_NS, "NS" },	{ DNS_CNAME, "CNAME" }, { DNS_SOA, "SOA" },
		{ 10, "NULL" },	    { DNS_PTR, "PTR" }, { DNS_MX, "MX" },	{ DNS_TXT, "TXT" },
		{ DNS_AAAA, "AAAA" }, { DNS_SRV, "SRV" }, { 35, "NAPTR" },	{ DNS_OPT, "OPT" },
		{ DNS_SVCB, "SVCB" }, { DNS_HTTPS, "HTTPS" }, { 252, "AXFR" },	{ DNS_ANY, "ANY" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].type == type) {
			memcpy(ret, known[i].text, sizeof(known[i].text));
			return;
		}
	(void)snprintf(ret, DNS_TYPE_TEXT_MAX, "TYPE%u", type);
}

static enum dns_ask_answer of_name(enum dns_name_answer a)
{
	switch (a) {
	case DNS_NAME_OK:
		return DNS_ASK_OK;
	case DNS_NAME_SHORT:
		return DNS_ASK_SHORT;
	case DNS_NAME_POINTER:
		return DNS_ASK_POINTER;
	case DNS_NAME_LABEL:
		return DNS_ASK_LABEL;
	case DNS_NAME_LONG:
		return DNS_ASK_NAME;
	}
	must(false);
}

/* The options inside an OPT record must fill it exactly. */
static bool options_whole(struct bytes data)
{
	while (data.len) {
		if (data.len < OPTION_FIXED || u16_at(data, 2) > data.len - OPTION_FIXED)
			return false;
		data = bytes_skip(data, OPTION_FIXED + (size_t)u16_at(data, 2));
	}
	return true;
}

/* The one record that a question may carry: OPT (RFC 6891 6.1.2), owned by the root. */
static enum dns_ask_answer take_opt(struct bytes msg, size_t *off, struct dns_ask *ret)
{
	size_t at = *off;
	size_t len;

	if (at >= msg.len || msg.len - at < 1 + RECORD_FIXED)
		return DNS_ASK_SHORT;
	if (msg.p[at] != 0 || u16_at(msg, at + 1) != DNS_OPT)
		return DNS_ASK_RECORDS;
	len = u16_at(msg, at + 9);
	if (len > msg.len - at - 1 - RECORD_FIXED)
		return DNS_ASK_SHORT;
	if (!options_whole(bytes_of(msg.p + at + 1 + RECORD_FIXED, len)))
		return DNS_ASK_EDNS;
	ret->edns = true;
	ret->dnssec_ok = u16_at(msg, at + 7) & OPT_DO;
	*off = at + 1 + RECORD_FIXED + len;
	return msg.p[at + 6] == 0 ? DNS_ASK_OK : DNS_ASK_VERSION;
}

static enum dns_ask_answer take_question(struct bytes msg, size_t *off, struct dns_ask *ret)
{
	size_t at = *off;
	enum dns_ask_answer a = of_name(dns_name_read(msg, &at, false, &ret->name));

	if (a != DNS_ASK_OK)
		return a;
	if (msg.len - at < 4)
		return DNS_ASK_SHORT;
	ret->type = u16_at(msg, at);
	ret->question = bytes_of(msg.p + *off, at + 4 - *off);
	*off = at + 4;
	return DNS_ASK_OK;
}

enum dns_ask_answer dns_ask_parse(struct bytes msg, struct dns_ask *ret)
{
	size_t off = DNS_HEADER_LEN;
	enum dns_ask_answer a;
	uint16_t n_more;

	if (msg.len < DNS_HEADER_LEN || u16_at(msg, 2) & FLAG_QR)
		return DNS_ASK_IGNORE;
	*ret = (struct dns_ask){ .id = u16_at(msg, 0), .flags = u16_at(msg, 2) };
	n_more = u16_at(msg, 10);
	if (ret->flags & FLAG_OPCODE)
		return DNS_ASK_OPCODE;
	if (u16_at(msg, 4) != 1)
		return DNS_ASK_COUNT;
	a = take_question(msg, &off, ret);
	if (a != DNS_ASK_OK)
		return a;
	if (ret->flags & FLAG_TC || u16_at(msg, 6) || u16_at(msg, 8) || n_more > 1)
		return DNS_ASK_RECORDS;
	if (n_more)
		a = take_opt(msg, &off, ret);
	if (a != DNS_ASK_OK)
		return a;
	if (off != msg.len || msg.len > DNS_ASK_MAX)
		return DNS_ASK_TRAILING;
	if (u16_at(ret->question, ret->question.len - 2) != DNS_CLASS_IN)
		return DNS_ASK_CLASS;
	return dns_name_root(&ret->name) ? DNS_ASK_ROOT : DNS_ASK_OK;
}

enum dns_rcode dns_ask_rcode(enum dns_ask_answer a)
{
	must(a != DNS_ASK_OK && a != DNS_ASK_IGNORE);
	switch ((int)a) {
	case DNS_ASK_OPCODE:
		return DNS_NOTIMP;
	case DNS_ASK_VERSION:
		return DNS_BADVERS;
	case DNS_ASK_CLASS:
	case DNS_ASK_ROOT:
		return DNS_REFUSED;
	default:
		return DNS_FORMERR;
	}
}

const char *dns_ask_text(enum dns_ask_answer a)
{
	static const char *const text[] = {
		[DNS_ASK_OK] = "well-formed",
		[DNS_ASK_IGNORE] = "not a question",
		[DNS_ASK_OPCODE] = "an opcode other than QUERY",
		[DNS_ASK_COUNT] = "not exactly one question",
		[DNS_ASK_POINTER] = "a compression pointer in the question",
		[DNS_ASK_LABEL] = "a label over 63 bytes",
		[DNS_ASK_NAME] = "a name over 255 bytes",
		[DNS_ASK_SHORT] = "the message ends too early",
		[DNS_ASK_RECORDS] = "records that a question does not carry",
		[DNS_ASK_TRAILING] = "bytes behind the end",
		[DNS_ASK_EDNS] = "a malformed OPT record",
		[DNS_ASK_VERSION] = "an unknown EDNS version",
		[DNS_ASK_CLASS] = "a class other than IN",
		[DNS_ASK_ROOT] = "the root was asked",
	};

	must((unsigned)a < sizeof(text) / sizeof(text[0]));
	return text[a];
}

struct out {
	uint8_t *p;
	size_t len;
};

static void put(struct out *o, const void *p, size_t len)
{
	must(len <= DNS_REPLY_MAX - o->len);
	memcpy(o->p + o->len, p, len);
	o->len += len;
}

static void put_u16(struct out *o, unsigned v)
{
	put(o, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void put_u32(struct out *o, uint32_t v)
{
	put_u16(o, v >> 16);
	put_u16(o, v & 0xffff);
}

static void put_opt(struct out *o, const struct dns_ask *a, const struct dns_reply *r)
{
	size_t text_len = r->ede_text ? strlen(r->ede_text) : 0;

	if (text_len > DNS_REPLY_TEXT_MAX)
		text_len = DNS_REPLY_TEXT_MAX;
	put(o, "", 1);
	put_u16(o, DNS_OPT);
	put_u16(o, DNS_UDP_SIZE);
	put_u32(o, (uint32_t)(r->rcode >> 4) << 24 | (a->dnssec_ok ? OPT_DO : 0));
	if (!r->ede_text) {
		put_u16(o, 0);
		return;
	}
	put_u16(o, (unsigned)(OPTION_FIXED + 2 + text_len));
	put_u16(o, OPTION_EDE);
	put_u16(o, (unsigned)(2 + text_len));
	put_u16(o, r->ede);
	put(o, r->ede_text, text_len);
}

size_t dns_reply_build(const struct dns_ask *a, const struct dns_reply *r, uint8_t ret[DNS_REPLY_MAX])
{
	static_assert(DNS_HEADER_LEN + DNS_NAME_WIRE_MAX + 4 + 2 + RECORD_FIXED + 4 + 1 + RECORD_FIXED +
			      OPTION_FIXED + 2 + DNS_REPLY_TEXT_MAX <= DNS_REPLY_MAX,
		      "the longest reply fits");
	bool address = a->question.len && r->address.family == 4 && !r->truncated;
	struct out o = { .p = ret };

	put_u16(&o, a->id);
	put_u16(&o, FLAG_QR | FLAG_RA | (a->flags & (FLAG_OPCODE | FLAG_RD | FLAG_CD)) |
			    (r->truncated ? FLAG_TC : 0) | (r->rcode & 15));
	put_u16(&o, a->question.len != 0);
	put_u16(&o, address);
	put_u16(&o, 0);
	put_u16(&o, a->edns);
	if (a->question.len)
		put(&o, a->question.p, a->question.len);
	if (address) {
		put_u16(&o, 0xc000 | DNS_HEADER_LEN);
		put_u16(&o, DNS_A);
		put_u16(&o, DNS_CLASS_IN);
		put_u32(&o, r->ttl);
		put_u16(&o, 4);
		put(&o, r->address.b, 4);
	}
	if (a->edns)
		put_opt(&o, a, r);
	return o.len;
}
