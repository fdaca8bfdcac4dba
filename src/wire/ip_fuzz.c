#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses prints to one text, and that text parses to the same value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[IP_PREFIX_TEXT_MAX];
	struct ip ip, again, inside;
	struct ip_prefix p, p2;

	if (ip_parse(bytes_of(data, size), &ip)) {
		ip_text(ip, text);
		must(ip_parse(bytes_str(text), &again) && ip_eq(ip, again));
		if (ip_embedded_v4(ip, &inside))
			must(ip_scope_of(ip) != IP_SCOPE_PUBLIC &&
			     ip_scope_of(ip) >= ip_scope_of(inside));
	}
	if (ip_prefix_parse(bytes_of(data, size), &p)) {
		ip_prefix_text(p, text);
		must(ip_prefix_parse(bytes_str(text), &p2) && ip_eq(p.ip, p2.ip) &&
		     p.bits == p2.bits);
		must(ip_prefix_has(p, p.ip) && ip_prefix_scope(p) <= IP_SCOPE_NEVER);
	}
	return 0;
}
