/* What kind of network an address belongs to.
 *
 * One table follows IANA's special-purpose registries. Where rows nest, the worst scope of all rows that hold the address counts,
 * so their order does not matter. IPv6 that no row covers and that is outside 2000::/3 is not assigned to anybody: never.
 *
 * The other table is of what clouds answer to their machines with, credentials among it, at addresses in the midst of ordinary ranges: never. */
#include "wire/ip.h"

struct range {
	struct ip_prefix prefix;
	enum ip_scope scope;
};

#define V4(o1, o2, o3, o4, bits)                                                                   \
	{                                                                                          \
		{ .family = 4, .b = { o1, o2, o3, o4 } }, bits                                     \
	}
#define V6(bits, ...)                                                                              \
	{                                                                                          \
		{ .family = 6, .b = { __VA_ARGS__ } }, bits                                        \
	}

static const struct range ranges[] = {
	{ V4(0, 0, 0, 0, 8), IP_SCOPE_NEVER }, /* this network */
	{ V4(10, 0, 0, 0, 8), IP_SCOPE_PRIVATE },
	{ V4(100, 64, 0, 0, 10), IP_SCOPE_PRIVATE }, /* shared address space */
	{ V4(127, 0, 0, 0, 8), IP_SCOPE_LOOPBACK },
	{ V4(169, 254, 0, 0, 16), IP_SCOPE_NEVER }, /* link-local, cloud metadata */
	{ V4(172, 16, 0, 0, 12), IP_SCOPE_PRIVATE },
	{ V4(192, 0, 0, 0, 24), IP_SCOPE_PRIVATE }, /* IETF protocol assignments */
	{ V4(192, 0, 2, 0, 24), IP_SCOPE_PRIVATE }, /* documentation */
	{ V4(192, 88, 99, 0, 24), IP_SCOPE_PRIVATE }, /* 6to4 relay anycast, deprecated */
	{ V4(192, 168, 0, 0, 16), IP_SCOPE_PRIVATE },
	{ V4(198, 18, 0, 0, 15), IP_SCOPE_PRIVATE }, /* benchmarks; also our synthetic pool */
	{ V4(198, 51, 100, 0, 24), IP_SCOPE_PRIVATE }, /* documentation */
	{ V4(203, 0, 113, 0, 24), IP_SCOPE_PRIVATE }, /* documentation */
	{ V4(224, 0, 0, 0, 4), IP_SCOPE_NEVER }, /* multicast */
	{ V4(240, 0, 0, 0, 4), IP_SCOPE_NEVER }, /* reserved, broadcast */

	{ V6(128, 0), IP_SCOPE_NEVER }, /* unspecified */
	{ V6(128, [15] = 1), IP_SCOPE_LOOPBACK },
	{ V6(96, [10] = 0xff, [11] = 0xff), IP_SCOPE_PRIVATE }, /* v4-mapped */
	{ V6(96, 0x00, 0x64, 0xff, 0x9b), IP_SCOPE_PRIVATE }, /* NAT64 */
	{ V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01), IP_SCOPE_PRIVATE }, /* local-use NAT64 */
	{ V6(64, 0x01, 0x00), IP_SCOPE_PRIVATE }, /* discard-only */
	{ V6(64, 0x01, 0x00, [7] = 0x01), IP_SCOPE_PRIVATE }, /* dummy prefix */
	{ V6(23, 0x20, 0x01), IP_SCOPE_PRIVATE }, /* IETF protocol assignments, Teredo among them */
	{ V6(32, 0x20, 0x01, 0x0d, 0xb8), IP_SCOPE_PRIVATE }, /* documentation */
	{ V6(16, 0x20, 0x02), IP_SCOPE_PRIVATE }, /* 6to4 */
	{ V6(20, 0x3f, 0xff), IP_SCOPE_PRIVATE }, /* documentation */
	{ V6(16, 0x5f, 0x00), IP_SCOPE_PRIVATE }, /* segment routing SIDs */
	{ V6(7, 0xfc), IP_SCOPE_PRIVATE }, /* unique local */
	{ V6(10, 0xfe, 0x80), IP_SCOPE_NEVER }, /* link-local */
	{ V6(10, 0xfe, 0xc0), IP_SCOPE_NEVER }, /* site-local */
	{ V6(8, 0xff), IP_SCOPE_NEVER }, /* multicast */
};

/* Beside 169.254.0.0/16, where most of them are. Sources: the clouds' manuals. */
static const struct ip_prefix services[] = {
	V4(100, 100, 100, 200, 32), /* Alibaba: metadata */
	V4(168, 63, 129, 16, 32), /* Azure: the host's agent, name server */
	V4(192, 0, 0, 192, 32), /* Oracle: metadata */
	V6(128, 0xfd, 0x00, 0x00, 0x42, [15] = 0x42), /* Scaleway: metadata */
	V6(128, 0xfd, 0x00, 0x00, 0xc1, [12] = 0xa9, 0xfe, 0xa9, 0xfe), /* Oracle: metadata */
	V6(128, 0xfd, 0x00, 0x01, 0x00, [12] = 0x01, [14] = 0x02), /* Alibaba: metadata */
	V6(128, 0xfd, 0x00, 0xa9, 0xfe, 0xa9, 0xfe, [15] = 0x01), /* Akamai: metadata */
	V6(32, 0xfd, 0x00, 0x0e, 0xc2), /* AWS: metadata, pods' credentials, name server, time */
	V6(128, 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54), /* Google: metadata */
};

static enum ip_scope worse(enum ip_scope a, enum ip_scope b)
{
	return a > b ? a : b;
}

static struct ip v4_of(const uint8_t *b)
{
	return (struct ip){ .family = 4, .b = { b[0], b[1], b[2], b[3] } };
}

static bool under(struct ip ip, struct ip_prefix p)
{
	return ip_prefix_has(p, ip);
}

static bool is_local_nat64(struct ip ip)
{
	return under(ip, (struct ip_prefix)V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01));
}

bool ip_embedded_v4(struct ip ip, struct ip *ret)
{
	if (ip.family != 6)
		return false;
	if (under(ip, (struct ip_prefix)V6(96, [10] = 0xff, [11] = 0xff)) ||
	    under(ip, (struct ip_prefix)V6(96, 0x00, 0x64, 0xff, 0x9b)) || is_local_nat64(ip)) {
		*ret = v4_of(ip.b + 12);
		return true;
	}
	if (under(ip, (struct ip_prefix)V6(16, 0x20, 0x02))) {
		*ret = v4_of(ip.b + 2);
		return true;
	}
	if (under(ip, (struct ip_prefix)V6(32, 0x20, 0x01))) {
		/* Teredo hides the client's address by inverting it (RFC 4380, section 4). */
		const uint8_t client[4] = { (uint8_t)~ip.b[12], (uint8_t)~ip.b[13],
					    (uint8_t)~ip.b[14], (uint8_t)~ip.b[15] };

		*ret = v4_of(client);
		return true;
	}
	if ((ip.b[8] == 0 || ip.b[8] == 2) && ip.b[9] == 0 && ip.b[10] == 0x5e &&
	    ip.b[11] == 0xfe) {
		*ret = v4_of(ip.b + 12); /* ISATAP (RFC 5214, section 6.1), under any prefix */
		return true;
	}
	return false;
}

static bool is_service(struct ip_prefix p)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (ip_prefix_has(services[i], p.ip) && p.bits >= services[i].bits)
			return true;
	return false;
}

static enum ip_scope range_scope(struct ip ip)
{
	enum ip_scope scope = IP_SCOPE_PUBLIC;
	bool known = false;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (ip_prefix_has(ranges[i].prefix, ip)) {
			scope = worse(scope, ranges[i].scope);
			known = true;
		}
	if (ip.family == 6 && !known && (ip.b[0] & 0xe0) != 0x20)
		return IP_SCOPE_NEVER;
	return scope;
}

static enum ip_scope own_scope(struct ip ip)
{
	return is_service((struct ip_prefix){ ip, ip.family == 4 ? 32 : 128 }) ? IP_SCOPE_NEVER : range_scope(ip);
}

/* The local-use NAT64 prefix may be a /48 or longer, and the place of the IPv4 address depends on it (RFC 6052, section 2.2). The
 * worst reading counts, of those that say anything. */
static enum ip_scope local_nat64_scope(struct ip ip)
{
	static const uint8_t places[][4] = {
		{ 6, 7, 9, 10 }, { 7, 9, 10, 11 }, { 9, 10, 11, 12 }, { 12, 13, 14, 15 }
	};
	enum ip_scope scope = IP_SCOPE_PUBLIC;
	bool read = false;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const uint8_t *at = places[i];
		const uint8_t b[4] = { ip.b[at[0]], ip.b[at[1]], ip.b[at[2]], ip.b[at[3]] };

		if (b[0] | b[1] | b[2] | b[3]) {
			scope = worse(scope, own_scope(v4_of(b)));
			read = true;
		}
	}
	return read ? scope : IP_SCOPE_NEVER;
}

enum ip_scope ip_scope_of(struct ip ip)
{
	enum ip_scope scope;
	struct ip inside;

	if (ip.family != 4 && ip.family != 6)
		return IP_SCOPE_NEVER;
	scope = own_scope(ip);
	if (is_local_nat64(ip))
		return worse(scope, local_nat64_scope(ip));
	if (ip_embedded_v4(ip, &inside))
		scope = worse(worse(scope, IP_SCOPE_PRIVATE), own_scope(inside));
	return scope;
}

/* Beside 2000::/3 and the ranges above lies space that nobody owns. */
static bool all_assigned(struct ip_prefix p)
{
	if (p.ip.family == 4 || (p.bits >= 3 && (p.ip.b[0] & 0xe0) == 0x20))
		return true;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (ip_prefix_has(ranges[i].prefix, p.ip) && p.bits >= ranges[i].prefix.bits)
			return true;
	return false;
}

enum ip_scope ip_prefix_scope(struct ip_prefix p)
{
	enum ip_scope scope = range_scope(p.ip);

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (ip_prefix_has(p, ranges[i].prefix.ip) && p.bits <= ranges[i].prefix.bits)
			scope = worse(scope, ranges[i].scope);
	if (p.bits == (p.ip.family == 4 ? 32 : 128))
		scope = worse(scope, ip_scope_of(p.ip));
	return all_assigned(p) && !is_service(p) ? scope : IP_SCOPE_NEVER;
}
