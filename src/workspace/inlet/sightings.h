/* Packets that no socket of ours saw, judged and gathered: the first of a kind is reported at
 * once, its like together with a count, after a second, then two, four ... and at last once a
 * minute; what every stack sends to all by itself, once a minute from the start. Everything here
 * is a record, never a decision: those packets have no route. */
#ifndef SAW_INLET_SIGHTINGS_H
#define SAW_INLET_SIGHTINGS_H

#include "rules/policy.h"
#include "wire/event.h"
#include "wire/packet.h"

enum {
	SIGHTINGS_FIRST_MS = 1000,
	SIGHTINGS_LAST_MS = 60000,
	SIGHTINGS_KINDS_MAX = 128, /* kinds counted apart; further ones fall together by reason */
	SIGHTINGS_SYNS_MAX =
		256, /* connection attempts reported one by one in a minute; further ones are counted as a kind */
};

/* What the judge knows of the world. */
struct sightings_world {
	bool has_mac;
	uint8_t mac[6]; /* the guest's */
	const void *owner;
	bool (*has_port)(const void *owner,
			 uint16_t port); /* a TCP listener of ours stands there, on every address */
	bool (*name_of)(const void *owner, struct ip address, struct name *ret);
	enum reason (*port_of)(const void *owner, const struct name *n,
			       uint16_t port); /* policy_find()'s answer */
};

struct sighting {
	enum reason reason;
	bool one_by_one; /* an attempt to open a connection to a name: an event of its own */
	struct ip src;
	struct ip dst;
	uint16_t src_port;
	uint16_t dst_port;
	uint8_t proto;
	uint16_t ethertype;
	struct name name; /* len 0: none */
};

/* False: nothing to report (a socket of ours has it, or it is ordinary ARP).
 * `astray`: a VLAN tag, or another machine's address. */
bool sighting_judge(const struct packet *p, bool astray, const struct sightings_world *w,
		    struct sighting *ret);

struct sightings;
typedef void (*sightings_report_fn)(void *owner, const struct sighting *s, uint64_t count);

struct sightings *sightings_new(sightings_report_fn report, void *owner); /* NULL: out of memory */
struct sightings *sightings_free(struct sightings *s);
/* May report. `now_ms`: monotonic. */
void sightings_add(struct sightings *s, const struct sighting *one, uint64_t now_ms);
/* Time has passed: reports what is due. Gives when to call it again; 0: nothing is being
 * counted. */
uint64_t sightings_tick(struct sightings *s, uint64_t now_ms);
/* Reports all that was counted, now. */
void sightings_flush(struct sightings *s);

#endif
