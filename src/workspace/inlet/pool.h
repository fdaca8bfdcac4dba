/* Which synthetic address stands for which name: 198.18.0.0/15, one address a name, never
 * another name while the workspace runs.
 *
 * The journal is a memory file that the supervisor keeps; it outlives a crash of inlet.
 * Addresses are given in order and never taken back: a name that policy no longer lists keeps
 * its address, and flows to it are denied. */
#ifndef SAW_INLET_POOL_H
#define SAW_INLET_POOL_H

#include "base/err.h"
#include "rules/policy.h"
#include "wire/guest_net.h"

enum {
	POOL_RECORD =
		256, /* bytes of the journal for each address; the first one, the network's, holds a mark */
	/* Names under wildcards get at most one half of the addresses, so that exact names
	 * always find one. */
	POOL_WILD_SHARE = 2,
};

struct pool;

/* Maps the journal (borrowed; its size says how many addresses there are) and takes over what an
 * earlier inlet wrote. A record that does not hold is skipped with its address; only a foreign
 * or too small file is an error. */
int pool_open(struct pool **ret, int journal_fd, struct err *e);
struct pool *pool_free(struct pool *p);

/* The pattern that lists `name`, as policy_find_host(); false when none does. */
typedef bool (*pool_list_fn)(const void *lists, struct bytes name, struct policy_host *ret);
/* A new policy is in force: counts the names under each wildcard anew. False: out of memory,
 * nothing changed. */
bool pool_recount(struct pool *p, pool_list_fn list, const void *lists);

/* The address of `name` (canonical), which `host` lists; given now when it has none. REASON_OK,
 * REASON_NAME_BUDGET or REASON_NAME_POOL_FULL. */
enum reason pool_address(struct pool *p, const struct name *name, const struct policy_host *host,
			 struct ip *ret);
/* The name that an address stands for. */
bool pool_name(const struct pool *p, struct ip address, struct name *ret);
bool pool_has(struct ip address); /* inside 198.18.0.0/15 */
size_t pool_count(const struct pool *p);

#endif
