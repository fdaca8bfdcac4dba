#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever lies behind PACKET_READ_MAX changes no fact, and ports exist only where a protocol
 * has them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet p = { 0 };
	struct packet cut = { 0 };
	bool ok = packet_read(bytes_of(data, size), &p);

	must(ok == (size >= PACKET_HEAD));
	must(!p.has_ports || p.proto == PACKET_TCP || p.proto == PACKET_UDP);
	must(p.has_ports || (!p.src_port && !p.dst_port && !p.tcp_flags));
	must(p.kind != PACKET_IPV4 || (p.src.family == 4 && p.dst.family == 4));
	must(p.kind != PACKET_IPV6 || (p.src.family == 6 && p.dst.family == 6));
	if (size > PACKET_READ_MAX) {
		must(packet_read(bytes_of(data, PACKET_READ_MAX), &cut));
		must(cut.kind == p.kind && ip_eq(cut.dst, p.dst) && cut.dst_port == p.dst_port &&
		     cut.tcp_flags == p.tcp_flags);
	}
	return 0;
}
