#include "wire/packet.h"

#include "base/tap.h"

static const uint8_t syn[] = {
	2,    0,    0, 0,    0, 1, 2, 0, 0,  0, 0, 2, 8,    0, /* Ethernet */
	0x45, 0,    0, 40,   0, 1, 0, 0, 64, 6, 0, 0, 100,  64, 0, 2,    198, 18, 0, 1, /* IPv4 */
	0x30, 0x39, 1, 0xbb, 0, 0, 0, 1, 0,  0, 0, 0, 0x50, 2,  3, 0xe8, 0,   0,  0, 0, /* TCP */
};

static bool read_changed(size_t at, uint8_t v, size_t len, struct packet *ret)
{
	uint8_t copy[sizeof(syn)];

	memcpy(copy, syn, sizeof(syn));
	copy[at] = v;
	return packet_read(bytes_of(copy, len), ret);
}

TEST(a_syn_shows_addresses_ports_and_flags)
{
	struct packet p;

	CHECK(packet_read(bytes_of(syn, sizeof(syn)), &p));
	CHECK(p.kind == PACKET_IPV4 && p.proto == PACKET_TCP && p.has_ports);
	CHECK(ip_eq(p.src, ip_v4(0x64400002)) && ip_eq(p.dst, ip_v4(0xc6120001)));
	CHECK_INT(p.src_port, 12345);
	CHECK_INT(p.dst_port, 443);
	CHECK_INT(p.tcp_flags, PACKET_TCP_SYN);
	CHECK(p.src_mac[5] == 2 && p.dst_mac[5] == 1);
}

TEST(options_move_the_ports_and_later_fragments_have_none)
{
	struct packet p;

	CHECK(read_changed(14, 0x46, sizeof(syn), &p));
	CHECK(p.has_ports && p.src_port == 0 && p.dst_port == 1);
	CHECK(read_changed(21, 8, sizeof(syn), &p));
	CHECK(p.kind == PACKET_IPV4 && !p.has_ports);
}

/* The header of `syn` with `n` bytes of options behind it and a right checksum. */
static void with_options(const uint8_t *options, size_t n, struct packet *ret)
{
	uint8_t copy[sizeof(syn) + 40] = { 0 };
	uint32_t sum = 0;

	memcpy(copy, syn, PACKET_HEAD + 20);
	if (n)
		memcpy(copy + PACKET_HEAD + 20, options, n);
	copy[PACKET_HEAD] = (uint8_t)(0x45 + n / 4);
	copy[PACKET_HEAD + 3] = 80;
	for (size_t i = PACKET_HEAD; i < PACKET_HEAD + 20 + n; i += 2)
		sum += (uint32_t)copy[i] << 8 | copy[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	copy[PACKET_HEAD + 10] = (uint8_t)(sum >> 8);
	copy[PACKET_HEAD + 11] = (uint8_t)sum;
	CHECK(packet_read(bytes_of(copy, sizeof(copy)), ret) && ret->kind == PACKET_IPV4);
}

TEST(a_wrong_checksum_or_a_source_route_is_taken_in_by_nobody)
{
	static const uint8_t loose[] = { 131, 7, 4, 198, 51, 100, 66, 0 };
	static const uint8_t behind[] = { 1, 1, 7, 3, 4, 137, 3, 4 };
	static const uint8_t unreadable[] = { 7, 0, 0, 0 };
	static const uint8_t too_long[] = { 7, 9, 4, 0 };
	static const uint8_t harmless[] = { 1, 1, 7, 3, 4, 0, 131, 0 };
	struct packet p;

	CHECK(packet_read(bytes_of(syn, sizeof(syn)), &p) && p.undeliverable); /* its checksum is 0 */
	with_options(NULL, 0, &p);
	CHECK(!p.undeliverable);
	with_options(loose, sizeof(loose), &p);
	CHECK(p.undeliverable);
	with_options(behind, sizeof(behind), &p);
	CHECK(p.undeliverable);
	with_options(unreadable, sizeof(unreadable), &p);
	CHECK(p.undeliverable);
	with_options(too_long, sizeof(too_long), &p);
	CHECK(p.undeliverable);
	with_options(harmless, sizeof(harmless), &p);
	CHECK(!p.undeliverable);
}

TEST(a_fragment_is_told_by_its_offset_or_by_more_to_come)
{
	struct packet p;

	CHECK(packet_read(bytes_of(syn, sizeof(syn)), &p) && !p.fragment);
	CHECK(read_changed(20, 0x40, sizeof(syn), &p) && !p.fragment); /* do not fragment */
	CHECK(read_changed(20, 0x20, sizeof(syn), &p) && p.fragment);
	CHECK(read_changed(21, 1, sizeof(syn), &p) && p.fragment);
}

TEST(a_cut_transport_header_leaves_the_ports_out)
{
	struct packet p;

	for (size_t len = PACKET_HEAD + 20; len < sizeof(syn) - 6; len++) {
		CHECK(packet_read(bytes_of(syn, len), &p));
		CHECK(p.kind == PACKET_IPV4 && !p.has_ports && p.dst_port == 0);
	}
}

TEST(headers_that_contradict_themselves_are_broken)
{
	struct packet p;

	CHECK(read_changed(14, 0x65, sizeof(syn), &p) && p.kind == PACKET_BROKEN);
	CHECK(read_changed(14, 0x44, sizeof(syn), &p) && p.kind == PACKET_BROKEN);
	CHECK(read_changed(14, 0x4f, sizeof(syn), &p) && p.kind == PACKET_BROKEN);
	CHECK(read_changed(17, 19, sizeof(syn), &p) && p.kind == PACKET_BROKEN);
	CHECK(read_changed(13, 6, sizeof(syn), &p) &&
	      p.kind == PACKET_BROKEN); /* ARP by its type only */
	CHECK(packet_read(bytes_of(syn, 30), &p) && p.kind == PACKET_BROKEN);
	CHECK(!packet_read(bytes_of(syn, 13), &p));
}

TEST(arp_ipv6_and_vlan_are_told_apart)
{
	static const uint8_t arp[] = {
		2, 0, 0,    0,    0,    1,    2,    0,   0,  0, 0, 2, 8, 6, 0, 1, 8, 0,   6,  4, 0,
		2, 2, 0x11, 0x22, 0x33, 0x44, 0x55, 100, 64, 0, 2, 0, 0, 0, 0, 0, 0, 100, 64, 0, 1,
	};
	uint8_t six[PACKET_HEAD + 48] = { [12] = 0x86,
					  [13] = 0xdd,
					  [14] = 0x60,
					  [20] = 17,
					  [PACKET_HEAD + 42] = 1,
					  [PACKET_HEAD + 43] = 0xbb };
	struct packet p;

	CHECK(packet_read(bytes_of(arp, sizeof(arp)), &p));
	CHECK(p.kind == PACKET_ARP && p.arp_op == 2 && p.arp_mac[1] == 0x11);
	CHECK(ip_eq(p.src, ip_v4(0x64400002)) && ip_eq(p.dst, ip_v4(0x64400001)));
	CHECK(packet_read(bytes_of(six, sizeof(six)), &p));
	CHECK(p.kind == PACKET_IPV6 && p.proto == PACKET_UDP && p.has_ports && p.dst_port == 443);
	CHECK(read_changed(12, 0x81, sizeof(syn), &p) && p.kind == PACKET_OTHER &&
	      p.ethertype == 0x8100);
}
