#include "base/must.h"
#include "wire/dns.h"
#include "wire/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is asked, the reply to it reads as the answer to exactly that question. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_ask ask;
	struct dns_reply r = { .address = ip_v4(0xc6120001), .ttl = 7, .ede = 1, .ede_text = "why" };
	uint8_t out[DNS_REPLY_MAX];
	enum dns_ask_answer a = dns_ask_parse(bytes_of(data, size), &ask);
	struct dns_answer got;
	struct dns_query q;
	size_t len;

	if (a == DNS_ASK_IGNORE)
		return 0;
	if (a != DNS_ASK_OK) {
		r = (struct dns_reply){ .rcode = dns_ask_rcode(a) };
		must(dns_reply_build(&ask, &r, out) >= DNS_HEADER_LEN);
		return 0;
	}
	len = dns_reply_build(&ask, &r, out);
	q = (struct dns_query){ .id = ask.id, .type = DNS_A, .name = ask.name };
	if (ask.type != DNS_A)
		must(dns_answer_parse(bytes_of(out, len), &q, 0, &got) == DNS_ANSWER_STRANGER);
	else
		must(dns_answer_parse(bytes_of(out, len), &q, 0, &got) == DNS_ANSWER_OK && got.n_addresses == 1 &&
		     got.ttl == 7 && got.addresses[0].b[3] == 1);
	return 0;
}
