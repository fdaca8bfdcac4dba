#include "ipc/msg.h"

#include <endian.h>

#include "base/must.h"

static void put(struct msg *m, const void *p, size_t len)
{
	if (m->failed || len > sizeof(m->p) - m->len) {
		m->failed = true;
		return;
	}
	if (len)
		memcpy(m->p + m->len, p, len);
	m->len += len;
}

static void put_le(struct msg *m, uint64_t v, unsigned n)
{
	v = htole64(v);
	put(m, &v, n);
}

/* The letter of a field's kind, and a number of `n` bytes behind it. */
static inline void put_kind(struct msg *m, char kind, uint64_t v, unsigned n)
{
	uint8_t s[1 + sizeof(v)] = { (uint8_t)kind };

	v = htole64(v);
	memcpy(s + 1, &v, sizeof(v));
	put(m, s, 1 + n);
}

void msg_start(struct msg *m, uint16_t type)
{
	m->type = type;
	m->failed = false;
	m->len = 0;
	m->n_fds = 0;
	put_le(m, type, 2);
}

void msg_u64(struct msg *m, uint64_t v)
{
	put_kind(m, 'u', v, 8);
}

void msg_bytes(struct msg *m, struct bytes b)
{
	if (b.len > MSG_MAX) {
		m->failed = true;
		return;
	}
	put_kind(m, 'b', b.len, 4);
	put(m, b.p, b.len);
}

void msg_str(struct msg *m, const char *s)
{
	msg_bytes(m, bytes_str(s));
}

void msg_fd(struct msg *m, int fd)
{
	must(fd >= 0 && m->n_fds < MSG_FDS_MAX);
	m->fds[m->n_fds++] = fd;
}

bool msg_done(const struct msg *m)
{
	return !m->failed;
}

void msg_wipe(struct msg *m)
{
	explicit_bzero(m->p, m->len);
	m->len = 0;
}

bool msg_open(struct msg_in *in, struct bytes raw)
{
	uint16_t type = 0;

	*in = (struct msg_in){ .left = raw, .bad = raw.len < sizeof(type) };
	if (in->bad)
		return false;
	memcpy(&type, raw.p, sizeof(type));
	in->left = bytes_skip(raw, sizeof(type));
	in->type = le16toh(type);
	return true;
}

/* A field's number of `n` bytes behind the letter of its kind; 0 and bad where there is none. */
static inline uint64_t get_kind(struct msg_in *in, uint8_t kind, size_t n)
{
	uint64_t v = 0;

	if (in->bad || in->left.len < 1 + n || in->left.p[0] != kind) {
		in->bad = true;
		return 0;
	}
	memcpy(&v, in->left.p + 1, n);
	in->left = bytes_skip(in->left, 1 + n);
	return le64toh(v);
}

uint64_t msg_get_max(struct msg_in *in, uint64_t max)
{
	uint64_t v = get_kind(in, 'u', 8);

	if (v > max) {
		in->bad = true;
		return 0;
	}
	return v;
}

uint64_t msg_get_u64(struct msg_in *in)
{
	return msg_get_max(in, UINT64_MAX);
}

struct bytes msg_get_bytes(struct msg_in *in, size_t max)
{
	uint64_t len = get_kind(in, 'b', 4);
	struct bytes b = { 0 };

	if (in->bad || len > max || len > in->left.len) {
		in->bad = true;
		return b;
	}
	b = bytes_of(in->left.p, (size_t)len);
	in->left = bytes_skip(in->left, (size_t)len);
	return b;
}

int msg_take_fd(struct msg_in *in)
{
	int fd;

	if (in->at_fd >= in->n_fds) {
		in->bad = true;
		return -1;
	}
	fd = in->fds[in->at_fd];
	in->fds[in->at_fd++] = -1;
	return fd;
}

int msg_try_fd(struct msg_in *in)
{
	if (!in->lost)
		return msg_take_fd(in);
	in->lost = false;
	return -1;
}

bool msg_end(const struct msg_in *in)
{
	return !in->bad && !in->lost && in->left.len == 0 && in->at_fd == in->n_fds;
}
