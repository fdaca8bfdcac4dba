/* One line of QEMU's machine protocol as an answer of a process that may be hostile: QMP specification, version 2.x. */
#ifndef SAW_WIRE_QMP_H
#define SAW_WIRE_QMP_H

#include "base/bytes.h"

enum {
	QMP_LINE_MAX = 64 * 1024, /* bytes of one line; longer: the session ends */
	QMP_NAME_MAX = 64,
	QMP_TEXT_MAX = 200,
};

enum qmp_kind {
	QMP_BAD, /* not JSON, not an object, or none of the four forms */
	QMP_GREETING, /* {"QMP": {...}} */
	QMP_RETURN, /* {"return": ..., "id": N} */
	QMP_ERROR, /* {"error": {"class", "desc"}, "id": N} */
	QMP_EVENT, /* {"event": NAME, "data": {...}} */
};

struct qmp {
	enum qmp_kind kind;
	uint64_t id; /* of a return or an error; 0 when it has none */
	char name[QMP_NAME_MAX]; /* event's name; a return's `status` (query-status); an error's class */
	char text[QMP_TEXT_MAX]; /* event's data.reason; an error's desc. Cut, control characters replaced */
};

/* `line` without its line end. Always fills *ret. Allocates nothing that outlives the call. */
void qmp_read(struct bytes line, struct qmp *ret);

#endif
