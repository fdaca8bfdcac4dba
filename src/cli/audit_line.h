/* One audit event (OCSF JSON, wire/ocsf.h) as a line for people. */
#ifndef SAW_CLI_AUDIT_LINE_H
#define SAW_CLI_AUDIT_LINE_H

#include "base/buf.h"

struct audit_line_style {
	const char *denied, *failed, *dim, *plain; /* escapes, or "" */
	bool changes; /* a second line says what of the policy would have to change */
};

/* The line is an event of an audit log. */
bool audit_line_is(struct bytes json);
/* True when the event is a denial. False for any other, and for a line that is not an event. */
bool audit_line_denied(struct bytes json);
/* Appends the line with its line end: time, action, what, name, reason, rule, remedy. A line that is not an event is shown as it is,
 * cleaned. Returns !out->failed. */
bool audit_line_put(struct bytes json, const struct audit_line_style *style, struct buf *out);

#endif
