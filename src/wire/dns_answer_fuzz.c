#include <stdlib.h>

#include "base/must.h"
#include "wire/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An answer that is used is used whole: cut by a byte, or with a byte more, it is not. The same bytes give the same answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_query q = { .id = 0x4242, .type = DNS_A };
	struct dns_answer a;
	struct dns_answer again;
	enum dns_answer_result r;
	unsigned n_before = size ? (data[0] >> 4) % (DNS_CNAMES_MAX + 1) : 0;
	uint8_t *more;

	if (size < 1 || size > DNS_ANSWER_MAX || !dns_name_from(bytes_str("good.example"), &q.name))
		return 0;
	q.type = data[0] & 1 ? DNS_AAAA : DNS_A;
	r = dns_answer_parse(bytes_of(data + 1, size - 1), &q, n_before, &a);
	if (r != DNS_ANSWER_OK && r != DNS_ANSWER_CONTINUE)
		return 0;
	must(a.n_addresses <= DNS_ADDRESSES_MAX && a.n_cnames + n_before <= DNS_CNAMES_MAX);
	must((r == DNS_ANSWER_OK) == (a.n_addresses > 0));
	must(dns_answer_parse(bytes_of(data + 1, size - 2), &q, n_before, &again) == DNS_ANSWER_MALFORMED);
	more = calloc(1, size);
	if (!more)
		return 0;
	memcpy(more, data + 1, size - 1);
	must(dns_answer_parse(bytes_of(more, size), &q, n_before, &again) == DNS_ANSWER_MALFORMED);
	must(dns_answer_parse(bytes_of(more, size - 1), &q, n_before, &again) == r && again.ttl == a.ttl);
	free(more);
	return 0;
}
