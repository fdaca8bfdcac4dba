/* The host's resolv.conf(5): which name servers to ask, for how long and how often. */
#ifndef SAW_WIRE_RESOLV_CONF_H
#define SAW_WIRE_RESOLV_CONF_H

#include "wire/ip.h"

enum {
	RESOLV_PORT = 53,
	RESOLV_SERVERS_MAX = 3, /* as resolv.conf(5): further ones are ignored */
	RESOLV_TIMEOUT_S = 5,
	RESOLV_TIMEOUT_MAX_S = 30,
	RESOLV_ATTEMPTS = 2,
	RESOLV_ATTEMPTS_MAX = 5,
};

/* One to ask, over UDP and TCP. */
struct resolv_server {
	struct ip ip;
	uint16_t port; /* RESOLV_PORT unless the file says another */
};

/* Search domains and ndots have no place here: a name of a policy is asked as it is. */
struct resolv_conf {
	unsigned n_servers; /* 0: the file names none that can be used */
	struct resolv_server servers[RESOLV_SERVERS_MAX];
	unsigned timeout_ms; /* for one question to one server */
	unsigned attempts; /* rounds through the servers */
	bool tcp; /* `options use-vc`: TCP only */
};

/* As the C library reads it: unknown lines and options are passed over, numbers over their limit are cut to it. Addresses are
 * strict (wire/ip.h); one with a zone ("fe80::1%eth0") is passed over. Beyond resolv.conf(5) "[127.0.0.1]:5353" names a port, as
 * on the BSDs; the C library passes such a line over. Cannot fail. */
void resolv_conf_parse(struct bytes text, struct resolv_conf *ret);

#endif
