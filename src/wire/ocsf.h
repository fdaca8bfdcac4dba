/* An audit event as one line of OCSF 1.8.0 JSON, chained to the line before it.
 *
 * Every line begins `{"unmapped":{"prev_sha256":"<64 hex>"`: the SHA-256 of the line before it without its line end, zeros
 * for the first. metadata.sequence counts from 1 without a gap. */
#ifndef SAW_WIRE_OCSF_H
#define SAW_WIRE_OCSF_H

#include "base/buf.h"
#include "wire/event.h"
#include "wire/ocsf_place.h"

enum {
	OCSF_LINE_MAX = 128 * 1024, /* no event gives a longer line; typical ones stay under 1 KiB */
};

/* Who writes, and about what. Texts are borrowed; each is at most EVENT_TEXT_MAX. */
struct ocsf_source {
	struct bytes version; /* of the product */
	struct bytes writer; /* "gateway", "control": the log's name */
	struct bytes workspace_id; /* empty: an event of the control plane */
	struct bytes workspace_name;
	struct bytes owner;
	struct bytes policy; /* label of the policy in force; empty before the first */
	bool lab; /* that policy is marked `lab: true` */
	struct bytes fixed_writer, fixed_device; /* ocsf_source_fix(); empty: rendered with each line */
};

/* Renders once what each line of this source says alike, into two empty buffers that live as long as the source is used. Whoever changes
 * another text than the policy's label does it again. False: no room. */
bool ocsf_source_fix(struct ocsf_source *src, struct buf *writer, struct buf *device);

/* Appends the line without its line end. `code` and `sentence` are those of ev->reason (rules/reason.h). Any bytes in the event's
 * texts give valid JSON. Errors are out->failed. */
void ocsf_render(struct buf *out, const struct event *ev, const char *code, const char *sentence, const struct ocsf_source *src,
		 const struct ocsf_place *at);

#endif
