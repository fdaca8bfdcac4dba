/* Reaching into an opened blob: private to policy*.c. policy_open() checked that everything lies inside. */
#ifndef SAW_RULES_POLICY_VIEW_H
#define SAW_RULES_POLICY_VIEW_H

#include "rules/policy_blob.h"

static inline const struct blob_header *blob_head(const struct policy *p)
{
	return (const struct blob_header *)(const void *)p->blob.p;
}

/* Element 0 of a section. policy_open() checked that the section lies inside and is aligned. */
static inline const void *blob_at(const struct policy *p, enum policy_section s)
{
	return p->blob.p + blob_head(p)->section[s].off;
}

static inline uint32_t blob_n(const struct policy *p, enum policy_section s)
{
	return blob_head(p)->section[s].n;
}

static inline struct bytes blob_text(const struct policy *p, struct blob_str s)
{
	return bytes_of((const uint8_t *)blob_at(p, BLOB_STRINGS) + s.off, s.len);
}

enum blob_wild { BLOB_EXACT, BLOB_ONE_LABEL, BLOB_MANY_LABELS };

/* Kind and text below the wildcard of a host pattern. */
static inline enum blob_wild blob_wild_of(struct bytes text, struct bytes *ret_suffix)
{
	enum blob_wild w = bytes_starts(text, bytes_str("**."))  ? BLOB_MANY_LABELS
			   : bytes_starts(text, bytes_str("*.")) ? BLOB_ONE_LABEL
								 : BLOB_EXACT;

	*ret_suffix = bytes_skip(text, w == BLOB_EXACT ? 0 : w == BLOB_ONE_LABEL ? 2 : 3);
	return w;
}

/* The host pattern with this kind and suffix, or BLOB_NONE. */
uint32_t blob_host_find(const struct policy *p, uint32_t hash, struct bytes suffix,
			enum blob_wild w);

/* The binding `credential`, which exists, has this path. */
bool blob_path_bound(const struct policy *p, uint32_t credential, struct bytes path);
/* The same of a request: by its path, and with protocol git by its repository, as the rules name it, too. */
bool blob_request_bound(const struct policy *p, uint32_t credential, enum policy_protocol protocol, const struct policy_request *r);

/* Bytes of one element of each section. */
extern const uint32_t policy_blob_element_len[BLOB_SECTIONS];

#endif
