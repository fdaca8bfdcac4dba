#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "store/audit_journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is held are whole lines, a chain from `before` to `last`, and no more than the file had. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct audit_journal_held h;
	struct audit_log_head at;
	struct bytes left;

	if (size > AUDIT_JOURNAL_SIZE)
		return 0;
	must(audit_journal_read(bytes_of(data, size), &h) == 0 && h.lines.len <= size);
	at = h.before;
	for (left = buf_view(&h.lines); left.len;) {
		size_t end = bytes_find(left, '\n');
		struct ocsf_place place;

		must(end < left.len && ocsf_place_read(bytes_of(left.p, end), &place) && place.sequence == at.sequence + 1);
		must(strcmp(place.prev, at.sha256) == 0);
		at.sequence = place.sequence;
		audit_chain_hash(bytes_of(left.p, end), at.sha256);
		left = bytes_skip(left, end + 1);
	}
	must(!h.lines.len || (at.sequence == h.last.sequence && strcmp(at.sha256, h.last.sha256) == 0));
	audit_journal_held_deinit(&h);
	return 0;
}
