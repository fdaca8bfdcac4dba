#include "base/must.h"
#include "wire/dns_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A name that reads, read again uncompressed, is the same; its text, where it is plain, leads back to it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_name n;
	struct dns_name again;
	char text[DNS_NAME_TEXT_MAX];
	size_t off = size ? data[0] : 0;
	size_t at = 0;
	size_t was = off;

	if (off > size || dns_name_read(bytes_of(data, size), &off, true, &n) != DNS_NAME_OK)
		return 0;
	must(off > was && off <= size && n.len >= 1);
	must(dns_name_read(bytes_of(n.wire, n.len), &at, false, &again) == DNS_NAME_OK);
	must(at == n.len && again.len == n.len && !memcmp(again.wire, n.wire, n.len));
	must(dns_name_text(&n, text) == strlen(text));
	if (!dns_name_root(&n) && !strchr(text, '\\'))
		must(dns_name_from(bytes_str(text), &again) && again.len == n.len && !memcmp(again.wire, n.wire, n.len));
	return 0;
}
