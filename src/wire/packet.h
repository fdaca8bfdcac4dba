/* Facts of one Ethernet frame for people who read the audit log: who sent what to whom. Never
 * used to let anything pass. */
#ifndef SAW_WIRE_PACKET_H
#define SAW_WIRE_PACKET_H

#include "wire/ip.h"

enum { PACKET_HEAD = 14, PACKET_READ_MAX = 256 /* no fact lies behind these first bytes */ };

enum packet_kind {
	PACKET_OTHER, /* another ethertype, or a VLAN tag */
	PACKET_ARP,
	PACKET_IPV4,
	PACKET_IPV6,
	PACKET_BROKEN, /* ARP, IPv4 or IPv6 by its ethertype, but cut short or contradicting itself */
};

enum packet_tcp_flag { PACKET_TCP_SYN = 0x02, PACKET_TCP_RST = 0x04, PACKET_TCP_ACK = 0x10 };
enum packet_proto { PACKET_ICMP = 1, PACKET_TCP = 6, PACKET_UDP = 17 };

struct packet {
	enum packet_kind kind;
	uint8_t dst_mac[6];
	uint8_t src_mac[6];
	uint16_t ethertype;
	struct ip src; /* ARP: the sender's protocol address */
	struct ip dst; /* ARP: the target's */
	bool undeliverable; /* IPv4 that no host takes in: a wrong header checksum, a source route */
	bool fragment; /* IPv4: a part of a packet */
	uint8_t proto; /* IPv4 protocol or first IPv6 next header */
	bool has_ports; /* TCP or UDP, first fragment, header present */
	uint16_t src_port;
	uint16_t dst_port;
	uint8_t tcp_flags;
	uint16_t arp_op;
	uint8_t arp_mac[6]; /* the sender's hardware address inside ARP */
};

/* False: not even an Ethernet header. Later fields are zero where the frame does not have them.
 * Checksums of what lies in IP are not checked. */
bool packet_read(struct bytes frame, struct packet *ret);

#endif
