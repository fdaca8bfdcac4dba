/* What a request wears on its last way: from the canonical head that was judged to the one that the host gets. */
#ifndef SAW_PROXY_DRESS_H
#define SAW_PROXY_DRESS_H

#include "base/buf.h"
#include "rules/policy.h"

enum { DRESS_MAX = 160 * 1024 /* a canonical head, and a credential at its longest */ };

/* What is put on. All borrowed. */
struct dress {
	struct bytes upstream; /* the host behind the name, for Host; empty: as it is */
	uint16_t upstream_port;
	uint16_t default_port;
	const struct policy_credential *credential; /* NULL: none */
	bool bare; /* the client's own carriers go even so */
	struct bytes secret;
	bool uncoded; /* ask for the answer without a content coding, whole, in no charset of the client's */
};

/* Appends to `out`: the canonical head `canon` (of wire/http1_request.h, with its empty line) less every carrier of credentials that
 * the client sent, if a credential is put on or `bare` says so (wire/credential_fields.h). Names of what was taken out are added to `stripped`. False:
 * `canon` is no head, or what is made of it is none within the limits of wire/http1.h, or does not fit; `out` is then of no use. */
bool dress(const struct dress *d, struct bytes canon, struct buf *out, struct buf *stripped);

/* A field of that name may be taken for the credential's (wire/http1_fields.h). */
bool dress_carries(const struct policy_credential *c, struct bytes name);

#endif
