#include "workspace/inlet/sightings.h"

#include "base/tap.h"

static struct name known;

static bool has_port(const void *owner, uint16_t port)
{
	return owner || port == 443 || port == 80;
}

static bool name_of(const void *owner, struct ip ip, struct name *ret)
{
	*ret = known;
	return !owner && ip_eq(ip, ip_v4(0xc6120001));
}

static enum reason port_of(const void *owner, const struct name *n, uint16_t port)
{
	return owner || !n->len ? REASON_OK
	       : port == 444    ? REASON_NAME_UNLISTED
				: REASON_PORT_UNLISTED;
}

static const struct sightings_world world = { .has_mac = true,
					      .mac = { 2, 0, 0, 0, 0, 2 },
					      .has_port = has_port,
					      .name_of = name_of,
					      .port_of = port_of };

static struct packet tcp(uint32_t dst, uint16_t port)
{
	return (struct packet){ .kind = PACKET_IPV4,
				.src_mac = { 2, 0, 0, 0, 0, 2 },
				.ethertype = 0x800,
				.src = ip_v4(0x64400002),
				.dst = ip_v4(dst),
				.proto = PACKET_TCP,
				.has_ports = true,
				.src_port = 1000,
				.dst_port = port,
				.tcp_flags = PACKET_TCP_SYN };
}

static struct packet udp(uint32_t dst, uint16_t port)
{
	struct packet p = tcp(dst, port);

	p.proto = PACKET_UDP;
	return p;
}

static const char *judge(struct packet p, bool vlan)
{
	struct sighting s = { 0 };

	(void)name_parse_strict(bytes_str("pass.example"), &known);
	return sighting_judge(&p, vlan, &world, &s) ? reason_code(s.reason) : "";
}

TEST(each_destination_has_its_reason)
{
	CHECK_STR(judge(tcp(0x01020304, 443), false), "no_route");
	CHECK_STR(judge(tcp(0x7f000001, 443), false), "no_route");
	CHECK_STR(judge(tcp(0xa9fea9fe, 80), false), "no_route");
	CHECK_STR(judge(tcp(0xc6120001, 22), false), "port_not_listed");
	CHECK_STR(judge(tcp(0xc6120001, 444), false), "address_of_no_name");
	CHECK_STR(judge(tcp(0xc6120002, 22), false), "address_of_no_name");
	CHECK_STR(judge(tcp(0x64400001, 22), false), "no_listener");
	CHECK_STR(judge(tcp(0x64400003, 443), false), "no_route");
	CHECK_STR(judge(udp(0xc6120001, 443), false), "no_listener");
	CHECK_STR(judge(udp(0x64400001, 123), false), "no_listener");
	CHECK_STR(judge(udp(0x08080808, 53), false), "no_route");
	CHECK_STR(judge(udp(0xffffffff, 67), false), "no_listener");
}

TEST(what_a_socket_of_ours_serves_is_not_reported)
{
	CHECK_STR(judge(tcp(0xc6120001, 443), false), "");
	CHECK_STR(judge(tcp(0xc6120002, 443), false), "");
	CHECK_STR(judge(tcp(0x64400001, 53), false), "");
	CHECK_STR(judge(tcp(0x64400001, 80), false), "");
}

TEST(only_a_packet_that_opens_a_connection_is_an_attempt)
{
	struct packet p = tcp(0xc6120001, 22);

	p.tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	CHECK_STR(judge(p, false), "");
	p.tcp_flags = PACKET_TCP_ACK;
	CHECK_STR(judge(p, false), "");
}

TEST(what_never_reaches_a_socket_is_reported_even_for_a_listener_of_ours)
{
	struct packet p = tcp(0xc6120001, 443);

	p.undeliverable = true;
	CHECK_STR(judge(p, false), "frame_dropped");
	p = tcp(0xc6120001, 443);
	p.fragment = true;
	CHECK_STR(judge(p, false), "frame_dropped");
	p = tcp(0xc6120001, 443);
	p.dst_mac[0] = 0xff;
	CHECK_STR(judge(p, false), "frame_dropped");
	p = tcp(0x01020304, 443);
	p.tcp_flags = PACKET_TCP_ACK;
	CHECK_STR(judge(p, false), "no_route");
	p = udp(0x64400001, 53);
	CHECK_STR(judge(p, false), "");
	p.src = ip_v4(0x64400063);
	CHECK_STR(judge(p, false), "source_spoofed");
}

TEST(spoofed_foreign_and_tagged_frames_are_told_apart)
{
	struct packet p = tcp(0xc6120001, 443);
	struct packet arp = { .kind = PACKET_ARP,
			      .src_mac = { 2, 0, 0, 0, 0, 2 },
			      .arp_mac = { 2, 0, 0, 0, 0, 2 },
			      .src = ip_v4(0x64400002),
			      .ethertype = 0x806 };
	struct packet other = { .kind = PACKET_OTHER,
				.src_mac = { 2, 0, 0, 0, 0, 2 },
				.ethertype = 0x88cc };

	CHECK_STR(judge(p, true), "frame_dropped");
	p.src = ip_v4(0x64400063);
	CHECK_STR(judge(p, false), "source_spoofed");
	p = tcp(0xc6120001, 443);
	p.src_mac[5] = 9;
	CHECK_STR(judge(p, false), "source_spoofed");
	p = udp(0xffffffff, 67);
	p.src = ip_v4(0);
	CHECK_STR(judge(p, false), "no_listener");
	p.dst = ip_v4(0xc6120001);
	CHECK_STR(judge(p, false), "source_spoofed");
	CHECK_STR(judge(arp, false), "");
	arp.src = ip_v4(0);
	CHECK_STR(judge(arp, false), "");
	arp.src = ip_v4(0x64400001);
	CHECK_STR(judge(arp, false), "source_spoofed");
	arp.src = ip_v4(0x64400002);
	arp.arp_mac[1] = 9;
	CHECK_STR(judge(arp, false), "source_spoofed");
	CHECK_STR(judge(other, false), "frame_dropped");
	other.kind = PACKET_IPV6;
	CHECK_STR(judge(other, false), "no_ipv6");
	other.kind = PACKET_BROKEN;
	CHECK_STR(judge(other, false), "frame_dropped");
}

struct log {
	unsigned n;
	uint64_t sum;
	uint64_t last;
};

static void note(void *owner, const struct sighting *s, uint64_t count)
{
	struct log *l = owner;

	CHECK(s->reason != REASON_OK);
	l->n++;
	l->sum += count;
	l->last = count;
}

static void add(struct sightings *s, struct packet p, uint16_t src_port, uint64_t now)
{
	struct sighting one;

	p.src_port = src_port;
	CHECK(sighting_judge(&p, false, &world, &one));
	sightings_add(s, &one, now);
}

TEST(the_first_is_told_at_once_and_the_rest_together_ever_more_rarely)
{
	struct log l = { 0 };
	struct sightings *s = sightings_new(note, &l);
	uint64_t now = 1000;
	uint64_t next;

	add(s, udp(0x08080808, 443), 1, now);
	CHECK(l.n == 1 && l.sum == 1);
	for (int i = 0; i < 600000; i++) {
		add(s, udp(0x08080808, 443), (uint16_t)i, now);
		if (i % 1000 == 0) {
			now += 1000;
			(void)sightings_tick(s, now);
		}
	}
	sightings_flush(s);
	CHECK_INT(l.sum, 600001);
	CHECK(l.n <= 18); /* ten minutes: 1 + 1, 2, 4, 8, 16, 32, then one a minute */
	l = (struct log){ 0 };
	add(s, udp(0x08080808, 443), 1, now);
	CHECK_INT(l.n, 1);
	next = sightings_tick(s, now);
	CHECK_INT(next, now + SIGHTINGS_FIRST_MS);
	CHECK_INT(sightings_tick(s, next), 0);
	CHECK_INT(l.n, 1);
	sightings_free(s);
}

TEST(each_attempt_at_a_name_is_an_event_and_its_retransmissions_are_none)
{
	struct log l = { 0 };
	struct sightings *s = sightings_new(note, &l);

	for (int i = 0; i < 5; i++)
		add(s, tcp(0xc6120001, 22), 5000, 1000);
	CHECK(l.n == 1 && l.sum == 1);
	add(s, tcp(0xc6120001, 22), 5001, 1000);
	add(s, tcp(0xc6120001, 25), 5000, 1000);
	CHECK_INT(l.n, 3);
	sightings_flush(s);
	CHECK_INT(l.n, 3);
	sightings_free(s);
}

TEST(a_scan_of_all_ports_and_of_many_addresses_stays_bounded_and_loses_no_count)
{
	struct log l = { 0 };
	struct sightings *s = sightings_new(note, &l);
	unsigned n = 0;

	for (uint32_t port = 1; port < 65536; port++)
		if (port != 80 && port != 443) {
			add(s, tcp(0xc6120001, (uint16_t)port), 1000, 1000);
			n++;
		}
	for (uint32_t i = 0; i < 100000; i++, n++)
		add(s, udp(0x0b000000 + i, 53), 1000, 1000);
	sightings_flush(s);
	CHECK_INT(l.sum, n);
	CHECK(l.n <= SIGHTINGS_SYNS_MAX + 2 * (SIGHTINGS_KINDS_MAX + 4));
	sightings_free(s);
}
