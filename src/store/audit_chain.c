#include "store/audit_chain.h"

#include <errno.h>
#include <unistd.h>

#include "crypt/sha256.h"
#include "wire/json_scan.h"

enum {
	READ_MAX = 256 * 1024, /* of the file at once */
	NODES_MAX = 256, /* JSON values of one event; a line has about 60 */
};

void audit_chain_hash(struct bytes line, char ret[OCSF_HEX_MAX])
{
	uint8_t digest[SHA256_LEN];

	sha256(line, digest);
	sha256_hex(digest, ret);
}

void audit_chain_none(struct audit_log_head *ret)
{
	ret->sequence = 0;
	memset(ret->sha256, '0', OCSF_HEX_MAX - 1);
	ret->sha256[OCSF_HEX_MAX - 1] = '\0';
}

/* The chain as far as it was read. */
struct verify {
	struct audit_log_head head;
	uint64_t lines;
	uint64_t end; /* of the last good line */
	struct json_node nodes[NODES_MAX];
};

/* The chain cannot vouch for the newest line, as no line stands behind it: that at least it is one whole event. */
static bool whole_event(struct verify *v, struct bytes line, struct ocsf_place *ret)
{
	uint32_t n;
	size_t at;

	return ocsf_place_read(line, ret) && json_scan(line, v->nodes, NODES_MAX, &n, &at) == JSON_OK;
}

static int verify_line(struct verify *v, struct bytes line, struct err *e)
{
	unsigned long long n = ++v->lines;
	struct ocsf_place at;

	if (!whole_event(v, line, &at))
		return err_set(e, EBADMSG, "line %llu is not an audit event", n);
	if (at.sequence != v->head.sequence + 1)
		return err_set(e, EBADMSG, "line %llu has sequence %llu, expected %llu: lines are missing, doubled or moved", n,
			       (unsigned long long)at.sequence, (unsigned long long)v->head.sequence + 1);
	if (strcmp(at.prev, v->head.sha256) != 0)
		return err_set(e, EBADMSG, "line %llu does not chain to the line before: one of the two was changed", n);
	v->head.sequence = at.sequence;
	audit_chain_hash(line, v->head.sha256);
	v->end += line.len + 1;
	return 0;
}

/* Takes the whole lines out of `b`. */
static int verify_lines(struct verify *v, struct buf *b, struct err *e)
{
	size_t at = 0;
	int r = 0;

	while (r == 0) {
		struct bytes left = bytes_skip(buf_view(b), at);
		const uint8_t *end = left.len ? memchr(left.p, '\n', left.len) : NULL;

		if (!end)
			break;
		r = verify_line(v, bytes_of(left.p, (size_t)(end - left.p)), e);
		at += (size_t)(end - left.p) + 1;
	}
	buf_consume(b, at);
	return r;
}

/* From v->end on, where v->head ends. */
static int verify_file(struct verify *v, int fd, uint64_t *ret_torn, struct err *e)
{
	struct buf b BUF_AUTO;
	uint64_t at = v->end;
	int r = 0;

	buf_init(&b, READ_MAX + OCSF_LINE_MAX);
	while (r == 0) {
		uint8_t *room = buf_room(&b, READ_MAX);
		ssize_t n;

		if (!room)
			r = b.len > OCSF_LINE_MAX ?
				    err_set(e, EBADMSG, "line %llu is longer than any audit event", (unsigned long long)v->lines + 1) :
				    err_sys(e, ENOMEM, "audit log");
		n = r ? 0 : pread(fd, room, READ_MAX, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = err_sys(e, errno, "read the audit log");
		if (n <= 0)
			break;
		buf_grew(&b, (size_t)n);
		at += (size_t)n;
		r = verify_lines(v, &b, e);
	}
	*ret_torn = b.len;
	return r;
}

int audit_log_verify(int fd, struct audit_log_head *ret_head, uint64_t *ret_torn, struct err *e)
{
	struct verify v = { 0 };
	int r;

	audit_chain_none(&v.head);
	r = verify_file(&v, fd, ret_torn, e);
	*ret_head = v.head;
	return r;
}

int audit_chain_follow(int fd, uint64_t *at, struct audit_log_head *head, struct err *e)
{
	struct verify v = { .head = *head, .end = *at };
	uint64_t torn;
	int r = verify_file(&v, fd, &torn, e);

	*head = v.head;
	*at = v.end;
	return r == -EBADMSG ? 0 : r;
}
