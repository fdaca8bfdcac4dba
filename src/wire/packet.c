#include "wire/packet.h"

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_IPV6 = 0x86dd,
	ARP_LEN = 28,
	IPV4_HEAD = 20,
	IPV6_HEAD = 40,
	UDP_HEAD = 8,
	TCP_FLAGS_AT = 13,
	OPTION_END = 0,
	OPTION_NOTHING = 1,
	OPTION_LOOSE_ROUTE = 131,
	OPTION_STRICT_ROUTE = 137,
};

static uint16_t u16_at(struct bytes b, size_t off)
{
	return (uint16_t)(b.p[off] << 8 | b.p[off + 1]);
}

static struct ip ip_at(struct bytes b, size_t off, uint8_t family)
{
	struct ip ip = { .family = family };

	memcpy(ip.b, b.p + off, family == 4 ? 4 : 16);
	return ip;
}

static enum packet_kind read_arp(struct bytes b, struct packet *p)
{
	if (b.len < ARP_LEN || u16_at(b, 0) != 1 || u16_at(b, 2) != TYPE_IPV4 || b.p[4] != 6 ||
	    b.p[5] != 4)
		return PACKET_BROKEN;
	p->arp_op = u16_at(b, 6);
	memcpy(p->arp_mac, b.p + 8, 6);
	p->src = ip_at(b, 14, 4);
	p->dst = ip_at(b, 24, 4);
	return PACKET_ARP;
}

static void read_ports(struct bytes b, struct packet *p)
{
	size_t need = p->proto == PACKET_TCP ? TCP_FLAGS_AT + 1 : UDP_HEAD;

	if ((p->proto != PACKET_TCP && p->proto != PACKET_UDP) || b.len < need)
		return;
	p->has_ports = true;
	p->src_port = u16_at(b, 0);
	p->dst_port = u16_at(b, 2);
	if (p->proto == PACKET_TCP)
		p->tcp_flags = b.p[TCP_FLAGS_AT];
}

static bool wrong_sum(struct bytes head)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < head.len; i += 2)
		sum += u16_at(head, i);
	sum = (sum & 0xffff) + (sum >> 16);
	return ((sum & 0xffff) + (sum >> 16)) != 0xffff;
}

/* Options that cannot be read count as one: no host takes such a packet in. */
static bool has_source_route(struct bytes options)
{
	while (options.len && options.p[0] != OPTION_END) {
		size_t len = 1;

		if (options.p[0] == OPTION_LOOSE_ROUTE || options.p[0] == OPTION_STRICT_ROUTE)
			return true;
		if (options.p[0] != OPTION_NOTHING)
			len = options.len > 1 ? options.p[1] : 0;
		if (len == 0 || (len == 1 && options.p[0] != OPTION_NOTHING) || len > options.len)
			return true;
		options = bytes_skip(options, len);
	}
	return false;
}

static enum packet_kind read_ipv4(struct bytes b, struct packet *p)
{
	size_t head;

	if (b.len < IPV4_HEAD || b.p[0] >> 4 != 4)
		return PACKET_BROKEN;
	head = (size_t)(b.p[0] & 15) * 4;
	if (head < IPV4_HEAD || head > b.len || u16_at(b, 2) < head)
		return PACKET_BROKEN;
	p->undeliverable = wrong_sum(bytes_of(b.p, head)) ||
			   has_source_route(bytes_of(b.p + IPV4_HEAD, head - IPV4_HEAD));
	p->fragment = (u16_at(b, 6) & 0x3fff) != 0;
	p->proto = b.p[9];
	p->src = ip_at(b, 12, 4);
	p->dst = ip_at(b, 16, 4);
	if (!(u16_at(b, 6) & 0x1fff)) /* later fragments have no ports */
		read_ports(bytes_skip(b, head), p);
	return PACKET_IPV4;
}

static enum packet_kind read_ipv6(struct bytes b, struct packet *p)
{
	if (b.len < IPV6_HEAD || b.p[0] >> 4 != 6)
		return PACKET_BROKEN;
	p->proto = b.p[6];
	p->src = ip_at(b, 8, 6);
	p->dst = ip_at(b, 24, 6);
	read_ports(bytes_skip(b, IPV6_HEAD), p);
	return PACKET_IPV6;
}

bool packet_read(struct bytes frame, struct packet *ret)
{
	struct packet p = { .kind = PACKET_OTHER };

	if (frame.len < PACKET_HEAD)
		return false;
	memcpy(p.dst_mac, frame.p, 6);
	memcpy(p.src_mac, frame.p + 6, 6);
	p.ethertype = u16_at(frame, 12);
	frame = bytes_skip(frame, PACKET_HEAD);
	if (p.ethertype == TYPE_ARP)
		p.kind = read_arp(frame, &p);
	else if (p.ethertype == TYPE_IPV4)
		p.kind = read_ipv4(frame, &p);
	else if (p.ethertype == TYPE_IPV6)
		p.kind = read_ipv6(frame, &p);
	*ret = p;
	return true;
}
