/* Which names of header fields and query parameters carry credentials. Where outlet adds a credential, everything of these that a client
 * sent goes: a service that also takes its key from another place must not find the client's own there. So does what chooses an identity
 * under a credential that may speak for others.
 *
 * Names are compared in every spelling that some server folds into the same one. The tables lean to the side of taking too much; what
 * only selects an account, a version or a page stays. A form body that carries access_token (RFC 6750, 2.2) and keys within a path are
 * not seen here: that is for the rules of a policy. */
#ifndef SAW_WIRE_CREDENTIAL_FIELDS_H
#define SAW_WIRE_CREDENTIAL_FIELDS_H

#include "base/buf.h"

/* A request's header field: any case, whatever is neither letter nor digit as `-`. Cookies are carriers as a whole. */
bool credential_field(struct bytes name);

/* The name of a query parameter, as it stands in the target: escapes are decoded, case, `-`, `_`, `.` and blanks do not count, and brackets
 * and NUL are read as servers do (wire/param_name.h). */
bool credential_query(struct bytes name);

/* A value of Sec-WebSocket-Protocol in which some member brings a credential, or announces the next one as such: browsers can set no other field. */
bool credential_subprotocol(struct bytes list);

/* Appends `query` (behind the `?`) without the parameters that carry credentials, the others byte for byte in their order. Separators are
 * & and ; as servers take either. False when `out` is full. *ret_n: how many went. A parameter that goes may have narrowed what the
 * request does: where *ret_n is not 0, what is left is judged again, or the request refused. */
bool credential_query_strip(struct bytes query, struct buf *out, size_t *ret_n);

#endif
