/* DNS as the gateway serves it: one strict question in, one small answer out (RFC 1035, 6891, 8914). */
#ifndef SAW_WIRE_DNS_H
#define SAW_WIRE_DNS_H

#include "wire/dns_name.h"
#include "wire/ip.h"

enum {
	DNS_REPLY_MAX = 512, /* no reply of ours is longer, so none ever needs truncation */
	DNS_REPLY_TEXT_MAX = 96, /* of the extended error's text that is sent */
	DNS_UDP_SIZE = 1232, /* what we say in OPT (DNS flag day 2020) */
	DNS_ASK_MAX = 4096, /* a longer question is DNS_ASK_TRAILING: 12 + 259 + an OPT that no client fills so far */
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_SVCB = 64,
	DNS_HTTPS = 65,
	DNS_ANY = 255,
};

enum { DNS_CLASS_IN = 1 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};

enum { DNS_EDE_BLOCKED = 15 };

/* "A", "HTTPS", or "TYPE65280" into the caller's memory; always NUL-terminated. */
enum { DNS_TYPE_TEXT_MAX = 16 };
void dns_type_text(uint16_t type, char ret[DNS_TYPE_TEXT_MAX]);

/* What was asked. `question` borrows from the message: the answer repeats it byte for byte, in the client's case. */
struct dns_ask {
	uint16_t id;
	uint16_t flags; /* as received */
	struct bytes question; /* name, type and class; empty when there is no single well-formed one */
	struct dns_name name; /* len 0 when unknown */
	uint16_t type;
	bool edns;
	bool dnssec_ok;
};

enum dns_ask_answer {
	DNS_ASK_OK, /* one question of class IN for a name other than the root; its type may be any */
	DNS_ASK_IGNORE, /* shorter than a header, or itself an answer: say nothing, or two servers could talk for ever */
	DNS_ASK_OPCODE, /* not QUERY */
	DNS_ASK_COUNT, /* QDCOUNT is not 1 */
	DNS_ASK_POINTER, /* a compression pointer in the question: it can only loop or point forward or into the header */
	DNS_ASK_LABEL, /* a label over 63 bytes */
	DNS_ASK_NAME, /* a name over 255 bytes */
	DNS_ASK_SHORT, /* ends inside a part that its header announces */
	DNS_ASK_RECORDS, /* TC set, or records that a question does not carry (anything but one OPT) */
	DNS_ASK_TRAILING, /* bytes behind the last part, or over DNS_ASK_MAX */
	DNS_ASK_EDNS, /* a malformed OPT record */
	DNS_ASK_VERSION, /* EDNS version other than 0 */
	DNS_ASK_CLASS, /* class other than IN */
	DNS_ASK_ROOT, /* the root was asked */
};

/* A whole message without the length bytes of TCP. *ret is filled as far as it is known, for every answer but IGNORE. */
enum dns_ask_answer dns_ask_parse(struct bytes msg, struct dns_ask *ret);

/* The code that a refused question gets: FORMERR, NOTIMP, REFUSED, BADVERS. must() for OK and IGNORE. */
enum dns_rcode dns_ask_rcode(enum dns_ask_answer a);
/* One clause for people: "a compression pointer in the question". */
const char *dns_ask_text(enum dns_ask_answer a);

/* Zero-initialised it says NODATA. */
struct dns_reply {
	enum dns_rcode rcode;
	struct ip address; /* family 4: one A record */
	uint32_t ttl; /* seconds */
	bool truncated; /* TC: ask again over TCP */
	uint16_t ede; /* extended error, told when the client spoke EDNS and `ede_text` is set */
	const char *ede_text; /* UTF-8, cut at DNS_REPLY_TEXT_MAX */
};

/* Gives the length (never 0, never over DNS_REPLY_MAX). Negative answers carry no SOA, so that nobody keeps them. */
size_t dns_reply_build(const struct dns_ask *a, const struct dns_reply *r, uint8_t ret[DNS_REPLY_MAX]);

#endif
