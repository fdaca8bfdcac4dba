/* DNS as the dialer asks it: one question out, a resolver's answer in, believed only where it fits exactly (RFC 1035, 5452). */
#ifndef SAW_WIRE_DNS_ANSWER_H
#define SAW_WIRE_DNS_ANSWER_H

#include "wire/dns.h"

enum {
	DNS_QUERY_MAX = DNS_HEADER_LEN + DNS_NAME_WIRE_MAX + 4 + 11,
	DNS_ANSWER_MAX = 16 * 1024, /* over TCP; a longer answer is not read */
	DNS_ADDRESSES_MAX = 32, /* kept of one answer; the rest is left out */
	DNS_CNAMES_MAX = 8, /* hops from the asked name, over all answers that one look-up takes */
	DNS_RECORDS_MAX = 512, /* of one answer; more is malformed */
};

/* A question and what its answer must repeat. */
struct dns_query {
	uint16_t id;
	uint16_t type; /* DNS_A or DNS_AAAA */
	bool edns;
	struct dns_name name;
};

/* Gives the length. */
size_t dns_query_build(const struct dns_query *q, uint8_t ret[DNS_QUERY_MAX]);

struct dns_answer {
	enum dns_rcode rcode;
	unsigned n_addresses;
	struct ip addresses[DNS_ADDRESSES_MAX]; /* in the order of the answer, without repeats */
	uint32_t ttl; /* the least of all records used, in seconds */
	unsigned n_cnames; /* hops followed */
	struct dns_name final; /* the name at the end of the hops */
};

enum dns_answer_result {
	DNS_ANSWER_OK, /* at least one address */
	DNS_ANSWER_NONE, /* the name, or the end of its hops, exists without an address of this type */
	DNS_ANSWER_CONTINUE, /* the hops lead out of this answer: ask for `final` */
	DNS_ANSWER_NXDOMAIN,
	DNS_ANSWER_CHAIN, /* more than DNS_CNAMES_MAX hops, a loop included */
	DNS_ANSWER_FAILED, /* another code (`rcode`): the server could not or would not */
	DNS_ANSWER_TRUNCATED, /* TC: only TCP helps; nothing of it is used */
	DNS_ANSWER_STRANGER, /* not the answer to this question: id, question or the QR bit differ */
	DNS_ANSWER_MALFORMED, /* cut short, bytes behind the end, a bad name or a wrong length: nothing of it is used */
};

/* A whole message without the length bytes of TCP. `n_before`: hops already taken by earlier answers of the same look-up.
 * *ret is filled for OK, NONE, CONTINUE, NXDOMAIN and FAILED only. */
enum dns_answer_result dns_answer_parse(struct bytes msg, const struct dns_query *q, unsigned n_before, struct dns_answer *ret);

#endif
