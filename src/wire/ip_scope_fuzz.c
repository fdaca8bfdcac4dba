#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What clouds' hosts serve at unique local addresses does not count for a range around it. */
static enum ip_scope in_a_range(struct ip ip)
{
	enum ip_scope scope = ip_scope_of(ip);

	return ip.b[0] == 0xfd && scope == IP_SCOPE_NEVER ? IP_SCOPE_PRIVATE : scope;
}

/* No carrier is better than what it carries, and no prefix better than an address of it, carriers apart. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip ip = { 0 }, inside;
	struct ip_prefix p;

	if (size != 17)
		return 0;
	ip.family = 6;
	memcpy(ip.b, data, 16);
	if (ip_embedded_v4(ip, &inside)) {
		must(ip_scope_of(ip) >= IP_SCOPE_PRIVATE);
		must(data[16] != 0 || ip_scope_of(ip) >= IP_SCOPE_PRIVATE);
		return 0;
	}
	p = (struct ip_prefix){ .ip = ip, .bits = 128 };
	must(ip_prefix_scope(p) == ip_scope_of(ip));
	p.bits = (uint8_t)(data[16] % 129);
	for (unsigned i = p.bits; i < 128; i++)
		p.ip.b[i / 8] = (uint8_t)(p.ip.b[i / 8] & ~(0x80U >> (i % 8)));
	must(ip_prefix_has(p, ip) && ip_prefix_scope(p) >= in_a_range(ip));
	return 0;
}
