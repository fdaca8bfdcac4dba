/* How a flow is refused: one event on disk, then the end of the connection, so that no refusal
 * stays unrecorded. */
#ifndef SAW_INLET_REFUSAL_H
#define SAW_INLET_REFUSAL_H

#include "proxy/flow.h"

enum {
	REFUSALS_MAX =
		256, /* waiting for their event beside FLOWS_MAX flows; then no connection is accepted for a moment */
	REFUSAL_LINGER_MS = 1000, /* for the client to read its alert */
	REFUSAL_DRAIN_MAX =
		256 * 1024, /* bytes read and dropped meanwhile: a reset would overtake the alert */
};

/* TLS alert descriptions, RFC 8446 section 6. */
enum tls_alert {
	TLS_ALERT_NONE = 0, /* not TLS: the connection is reset */
	TLS_ALERT_ACCESS_DENIED = 49,
	TLS_ALERT_DECODE_ERROR = 50,
	TLS_ALERT_INTERNAL_ERROR = 80,
	TLS_ALERT_UNRECOGNIZED_NAME = 112,
};

/* Takes facts->fd. Writes the deny event with this reason (and `detail`, may be empty), then
 * sends the alert, if any, and ends. */
void refusal_start(const struct flow *facts, enum reason reason, enum tls_alert alert,
		   struct bytes detail);
/* As refusal_start(), but dialer has written the event already. */
void refusal_end(const struct flow *facts, enum tls_alert alert);
/* For a connection that is refused before anything was said to it. `first`: what was read of it so far. After the event, who speaks HTTP is
 * answered with a problem document, who begins TLS with an alert; anything else, or nothing in time, ends in a reset. */
void refusal_explain(const struct flow *facts, enum reason reason, struct bytes first);

/* How many are under way. */
size_t refusal_count(void);

/* Closes by a reset: the peer can never take it for a clean end. */
int refusal_reset(int fd);

#endif
