#include "wire/qmp.h"

#include "wire/json_scan.h"

enum { QMP_NODES_MAX = 2048 };

/* Answers of a process that reads the guest's bytes: only the few members that we use are looked at, bounded and cut. */
static void copy(const struct json_node *n, char *ret, size_t max)
{
	BUF_AUTO struct buf b;
	size_t len;

	buf_init(&b, QMP_LINE_MAX);
	ret[0] = '\0';
	if (!json_text(n, &b))
		return;
	len = b.len < max - 1 ? b.len : max - 1;
	for (size_t i = 0; i < len; i++)
		ret[i] = b.p[i] < 0x20 || b.p[i] >= 0x7f ? '?' : (char)b.p[i];
	ret[len] = '\0';
}

void qmp_read(struct bytes line, struct qmp *ret)
{
	static const char *const keys[] = { "QMP", "return", "error", "event" };
	static const enum qmp_kind kinds[] = { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT };
	struct json_node nodes[QMP_NODES_MAX];
	const struct json_node *body = NULL;
	uint32_t n;
	size_t at;

	*ret = (struct qmp){ .kind = QMP_BAD };
	if (line.len > QMP_LINE_MAX || json_scan(line, nodes, QMP_NODES_MAX, &n, &at) != JSON_OK)
		return;
	for (unsigned i = 0; i < 4; i++) {
		const struct json_node *found = json_get(nodes, &nodes[0], keys[i]);

		if (found && body) { /* two forms in one line */
			ret->kind = QMP_BAD;
			return;
		}
		if (found) {
			body = found;
			ret->kind = kinds[i];
		}
	}
	(void)json_u64(json_get(nodes, &nodes[0], "id"), UINT64_MAX, &ret->id);
	if (ret->kind == QMP_RETURN) {
		copy(json_get(nodes, body, "status"), ret->name, sizeof(ret->name));
	} else if (ret->kind == QMP_ERROR) {
		copy(json_get(nodes, body, "class"), ret->name, sizeof(ret->name));
		copy(json_get(nodes, body, "desc"), ret->text, sizeof(ret->text));
	} else if (ret->kind == QMP_EVENT) {
		copy(body, ret->name, sizeof(ret->name));
		copy(json_get(nodes, json_get(nodes, &nodes[0], "data"), "reason"), ret->text, sizeof(ret->text));
		if (!ret->name[0])
			ret->kind = QMP_BAD;
	}
}
