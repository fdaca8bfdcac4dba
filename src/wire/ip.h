/* IP addresses and prefixes as values, in their one canonical text form. */
#ifndef SAW_WIRE_IP_H
#define SAW_WIRE_IP_H

#include "base/bytes.h"

enum { IP_TEXT_MAX = 46, IP_PREFIX_TEXT_MAX = IP_TEXT_MAX + 4 };

/* family 4: the first 4 bytes of `b`, the rest zero. family 6: all 16. family 0: none. Network order. */
struct ip {
	uint8_t family;
	uint8_t b[16];
};

struct ip_prefix {
	struct ip ip;
	uint8_t bits;
};

static inline struct ip ip_v4(uint32_t host_order)
{
	return (struct ip){ .family = 4,
			    .b = { (uint8_t)(host_order >> 24), (uint8_t)(host_order >> 16),
				   (uint8_t)(host_order >> 8), (uint8_t)host_order } };
}

/* Strict: dotted quad without leading zeros, or RFC 4291 text without a zone. No other spelling of inet_aton. */
bool ip_parse(struct bytes text, struct ip *ret);
/* RFC 5952 text. NUL-terminated. */
void ip_text(struct ip ip, char ret[IP_TEXT_MAX]);
bool ip_eq(struct ip a, struct ip b);

/* "10.20.0.0/16", "fd00::/8", or a bare address (full length). Host bits set or leading zeros: false. */
bool ip_prefix_parse(struct bytes text, struct ip_prefix *ret);
void ip_prefix_text(struct ip_prefix p, char ret[IP_PREFIX_TEXT_MAX]);
bool ip_prefix_has(struct ip_prefix p, struct ip ip);

/* An IPv4 address carried in an IPv6 one (v4-mapped, NAT64 64:ff9b::/96 and 64:ff9b:1::/48, 6to4, Teredo, ISATAP) is
 * unwrapped into *ret; false when there is none inside. */
bool ip_embedded_v4(struct ip ip, struct ip *ret);

enum ip_scope {
	IP_SCOPE_PUBLIC,
	IP_SCOPE_PRIVATE, /* only by a rule's `addresses`: RFC 1918, 100.64/10, fc00::/7, the documentation and benchmark nets, IANA special */
	IP_SCOPE_LOOPBACK, /* only by `addresses` of a policy marked `lab: true` */
	/* Link-local, what a cloud's host serves its machines (metadata) wherever it is, multicast, broadcast, unspecified, 240/4, site-local,
	 * tunnelled forms of any of these. */
	IP_SCOPE_NEVER,
};

/* IANA special-purpose registries (RFC 6890 and successors). A carried IPv4 address counts with its own scope, never better
 * than private for the carrier. */
enum ip_scope ip_scope_of(struct ip ip);
/* The worst scope of any range of those registries that the prefix touches. Addresses carried inside it, and those in the midst of it
 * at which a cloud's host serves its machines, are judged one by one, when they are used. */
enum ip_scope ip_prefix_scope(struct ip_prefix p);

#endif
