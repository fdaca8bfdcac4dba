#include "workspace/inlet/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/must.h"

/* Record i of the journal is address NET_POOL + i. A record is written text first and `mark`
 * last (with a release store): a kill between the two leaves a record without mark, whose
 * address was never told to anybody and is given to the next name. A marked record that does not
 * hold (bad sum, not a canonical name, name seen before) may have been told: its address is
 * burnt.
 *
 * In private memory: a hash table from names to records (open addressing, at most half full) and
 * one from patterns to counts. */

enum {
	JOURNAL_MAGIC = 0x4a574153, /* "SAWJ" */
	JOURNAL_VERSION = 1,
	INDEX_FIRST = 256,
	COUNTS_FIRST = 64,
	RECORDS_MIN = 4,
};

struct record {
	uint16_t mark; /* 0: not written yet; else record_sum() */
	uint8_t len;
	char text[NAME_MAX_LEN];
};

struct head {
	uint32_t magic;
	uint32_t version;
};

struct count {
	uint32_t pattern; /* + 1; 0: empty */
	uint32_t n;
};

struct pool {
	uint8_t *map;
	size_t n_slots; /* records of the journal, the first included */
	size_t n_used; /* the next address to give; at least 1 */
	size_t n_names;
	uint32_t *index; /* record numbers; 0: empty */
	size_t cap_index;
	struct count *counts;
	size_t cap_counts;
	size_t n_counts;
};

static struct record *record_at(const struct pool *p, size_t i)
{
	_Static_assert(sizeof(struct record) == POOL_RECORD, "a record fills its place");
	must(i < p->n_slots);
	return (struct record *)(void *)(p->map + i * POOL_RECORD);
}

static uint64_t hash(struct bytes b)
{
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < b.len; i++)
		h = (h ^ b.p[i]) * 1099511628211ULL;
	return h ^ h >> 32;
}

/* Never 0. */
static uint16_t record_sum(struct bytes name)
{
	uint64_t h = hash(name);

	return (uint16_t)((h ^ h >> 16) | 1);
}

static struct bytes record_name(const struct record *r)
{
	return bytes_of(r->text, r->len);
}

static size_t *probe(const struct pool *p, struct bytes name, size_t *at)
{
	for (*at = hash(name) & (p->cap_index - 1); p->index[*at];
	     *at = (*at + 1) & (p->cap_index - 1))
		if (bytes_eq(record_name(record_at(p, p->index[*at])), name))
			break;
	return at;
}

/* 0: unknown. */
static size_t find(const struct pool *p, struct bytes name)
{
	size_t at;

	return p->index[*probe(p, name, &at)];
}

static bool index_grow(struct pool *p)
{
	size_t old_cap = p->cap_index;
	uint32_t *old = p->index;
	uint32_t *fresh;
	size_t at;

	if (old && p->n_names + 1 <= old_cap / 2)
		return true;
	fresh = calloc(old ? old_cap * 2 : INDEX_FIRST, sizeof(*fresh));
	if (!fresh)
		return false;
	p->index = fresh;
	p->cap_index = old ? old_cap * 2 : INDEX_FIRST;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i])
			fresh[*probe(p, record_name(record_at(p, old[i])), &at)] = old[i];
	free(old);
	return true;
}

static bool holds(const struct pool *p, const struct record *r)
{
	struct name n;

	return r->len && r->len <= NAME_MAX_LEN && r->mark == record_sum(record_name(r)) &&
	       name_parse_strict(record_name(r), &n) == NAME_OK &&
	       bytes_eq(name_bytes(&n), record_name(r)) && !find(p, record_name(r));
}

static bool take_over(struct pool *p)
{
	size_t at;

	for (p->n_used = 1; p->n_used < p->n_slots; p->n_used++) {
		const struct record *r = record_at(p, p->n_used);

		if (!r->mark)
			break;
		if (!index_grow(p))
			return false;
		if (holds(p, r)) {
			p->index[*probe(p, record_name(r), &at)] = (uint32_t)p->n_used;
			p->n_names++;
		}
	}
	return true;
}

static int open_map(struct pool *p, int fd, struct err *e)
{
	struct stat st;
	struct head *h;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "name journal: stat");
	if (st.st_size < RECORDS_MIN * POOL_RECORD ||
	    st.st_size > (POOL_RECORD << (32 - NET_POOL_BITS)))
		return err_set(e, EINVAL, "name journal: %lld bytes are not the size of one",
			       (long long)st.st_size);
	p->n_slots = (size_t)st.st_size / POOL_RECORD;
	p->map = mmap(NULL, p->n_slots * POOL_RECORD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->map == MAP_FAILED) {
		p->map = NULL;
		return err_sys(e, errno, "name journal: map");
	}
	h = (struct head *)(void *)p->map;
	if (!h->magic)
		*h = (struct head){ .magic = JOURNAL_MAGIC, .version = JOURNAL_VERSION };
	if (h->magic != JOURNAL_MAGIC || h->version != JOURNAL_VERSION)
		return err_set(e, EINVAL,
			       "name journal: of another version: restart the workspace");
	return 0;
}

int pool_open(struct pool **ret, int journal_fd, struct err *e)
{
	struct pool *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(e, ENOMEM, "out of memory for the pool of names");
	r = open_map(p, journal_fd, e);
	if (r == 0 && (!index_grow(p) || !take_over(p)))
		r = err_set(e, ENOMEM, "out of memory for the pool of names");
	if (r < 0) {
		pool_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct pool *pool_free(struct pool *p)
{
	if (!p)
		return NULL;
	if (p->map)
		(void)munmap(p->map, p->n_slots * POOL_RECORD);
	free(p->index);
	free(p->counts);
	free(p);
	return NULL;
}

static struct count *count_at(struct count *counts, size_t cap, uint32_t pattern)
{
	size_t at = (pattern * 2654435761U) & (cap - 1);

	while (counts[at].pattern && counts[at].pattern != pattern + 1)
		at = (at + 1) & (cap - 1);
	return &counts[at];
}

/* Room for one more pattern, at most half full. */
static bool counts_grow(struct pool *p)
{
	size_t cap = p->cap_counts ? p->cap_counts * 2 : COUNTS_FIRST;
	struct count *fresh;

	if (p->counts && p->n_counts + 1 <= p->cap_counts / 2)
		return true;
	fresh = calloc(cap, sizeof(*fresh));
	if (!fresh)
		return false;
	for (size_t i = 0; p->counts && i < p->cap_counts; i++)
		if (p->counts[i].pattern)
			*count_at(fresh, cap, p->counts[i].pattern - 1) = p->counts[i];
	free(p->counts);
	p->counts = fresh;
	p->cap_counts = cap;
	return true;
}

/* The pattern's count, made when it has none yet; NULL: out of memory. */
static struct count *count_of(struct pool *p, uint32_t pattern)
{
	struct count *c;

	if (!counts_grow(p))
		return NULL;
	must(p->counts);
	c = count_at(p->counts, p->cap_counts, pattern);
	if (!c->pattern) {
		c->pattern = pattern + 1;
		p->n_counts++;
	}
	return c;
}

bool pool_recount(struct pool *p, pool_list_fn list, const void *lists)
{
	struct pool fresh = *p;
	bool ok = true;

	fresh.counts = NULL;
	fresh.cap_counts = 0;
	fresh.n_counts = 0;
	for (size_t i = 0; ok && i < p->cap_index; i++) {
		struct policy_host host;
		struct count *c;

		if (!p->index[i] || !list(lists, record_name(record_at(p, p->index[i])), &host) ||
		    !host.wildcard)
			continue;
		c = count_of(&fresh, host.pattern);
		ok = c != NULL;
		if (ok)
			c->n++;
	}
	free(ok ? p->counts : fresh.counts);
	if (ok)
		*p = fresh;
	return ok;
}

static struct ip address_of(size_t record)
{
	return ip_v4(NET_POOL + (uint32_t)record);
}

/* The next record, committed; its address was never anybody's. */
static size_t append(struct pool *p, const struct name *name)
{
	size_t i = p->n_used++;
	struct record *r = record_at(p, i);
	size_t at;

	memset(r, 0, sizeof(*r));
	r->len = name->len;
	memcpy(r->text, name->text, name->len);
	__atomic_store_n(&r->mark, record_sum(name_bytes(name)), __ATOMIC_RELEASE);
	p->index[*probe(p, name_bytes(name), &at)] = (uint32_t)i;
	p->n_names++;
	return i;
}

enum reason pool_address(struct pool *p, const struct name *name, const struct policy_host *host,
			 struct ip *ret)
{
	size_t i = find(p, name_bytes(name));
	struct count *c = NULL;

	if (i) {
		*ret = address_of(i);
		return REASON_OK;
	}
	if (p->n_used >= (host->wildcard ? p->n_slots / POOL_WILD_SHARE : p->n_slots))
		return REASON_NAME_POOL_FULL;
	if (host->wildcard) {
		c = count_of(p, host->pattern);
		if (c && c->n >= host->budget)
			return REASON_NAME_BUDGET;
	}
	if ((host->wildcard && !c) || !index_grow(p))
		return REASON_NAME_POOL_FULL;
	if (c)
		c->n++;
	*ret = address_of(append(p, name));
	return REASON_OK;
}

bool pool_has(struct ip address)
{
	return address.family == 4 && address.b[0] == (NET_POOL >> 24) &&
	       (address.b[1] & 0xfe) == (NET_POOL >> 16 & 0xff);
}

bool pool_name(const struct pool *p, struct ip address, struct name *ret)
{
	size_t i = (size_t)(address.b[1] & 1) << 16 | (size_t)address.b[2] << 8 | address.b[3];
	const struct record *r;

	if (!pool_has(address) || i == 0 || i >= p->n_used)
		return false;
	r = record_at(p, i);
	/* A burnt record is in the journal but not in the index. */
	if (r->len > NAME_MAX_LEN || find(p, record_name(r)) != i)
		return false;
	*ret = (struct name){ .len = r->len };
	memcpy(ret->text, r->text, r->len);
	return true;
}

size_t pool_count(const struct pool *p)
{
	return p->n_names;
}
