/* The hash of host patterns in a compiled policy: part of the blob's format, private to policy*.c. */
#ifndef SAW_RULES_POLICY_HASH_H
#define SAW_RULES_POLICY_HASH_H

#include "rules/policy_view.h"

/* Hashes read names from the end, so that one pass gives the hash of every suffix. */
#define BLOB_HASH_START 0x811c9dc5U

static inline uint32_t blob_hash_add(uint32_t h, uint8_t c)
{
	return (h ^ c) * 0x01000193U;
}

static inline uint32_t blob_hash_end(uint32_t h, enum blob_wild w)
{
	h ^= (uint32_t)w * 0x9e3779b9U;
	h ^= h >> 15;
	h *= 0x85ebca6bU;
	return h ^ h >> 13;
}

static inline uint32_t blob_hash(struct bytes suffix, enum blob_wild w)
{
	uint32_t h = BLOB_HASH_START;

	for (size_t i = suffix.len; i > 0; i--)
		h = blob_hash_add(h, suffix.p[i - 1]);
	return blob_hash_end(h, w);
}

/* Filled slots; UINT32_MAX where a run of them is longer than BLOB_RUN_MAX. */
static inline uint32_t blob_slots_filled(const uint32_t *slots, uint32_t n)
{
	uint32_t filled = 0, run = 0;

	for (uint32_t i = 0; i < n; i++) {
		run = slots[i] == BLOB_NONE ? 0 : run + 1;
		if (run > BLOB_RUN_MAX)
			return UINT32_MAX;
		filled += slots[i] != BLOB_NONE;
	}
	/* The last run goes on at the start. */
	for (uint32_t i = 0; i < n && slots[i] != BLOB_NONE; i++)
		if (++run > BLOB_RUN_MAX)
			return UINT32_MAX;
	return filled;
}

#endif
