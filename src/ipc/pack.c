#include "ipc/pack.h"

static size_t get_u16(const uint8_t *p)
{
	return (size_t)p[0] | (size_t)p[1] << 8;
}

static void put_u16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static bool is_pack(struct bytes b)
{
	return b.len >= PACK_HEAD && get_u16(b.p) == PACK_TYPE;
}

bool pack_open(struct pack *p, struct bytes datagram)
{
	if (!is_pack(datagram))
		return false;
	*p = (struct pack){ .left = bytes_skip(datagram, PACK_HEAD) };
	p->bad = p->left.len == 0;
	return true;
}

bool pack_next(struct pack *p, struct bytes *ret)
{
	size_t len;

	if (p->bad || p->left.len == 0)
		return false;
	len = p->left.len >= PACK_EACH ? get_u16(p->left.p) : 0;
	if (len == 0 || len > p->left.len - PACK_EACH || p->n == PACK_MESSAGES_MAX) {
		p->bad = true;
		return false;
	}
	*ret = bytes_of(p->left.p + PACK_EACH, len);
	p->left = bytes_skip(p->left, PACK_EACH + len);
	p->bad = is_pack(*ret);
	p->n += !p->bad;
	return !p->bad;
}

void pack_put_head(uint8_t *p)
{
	put_u16(p, PACK_TYPE);
}

void pack_put_len(uint8_t *p, size_t len)
{
	put_u16(p, len);
}
