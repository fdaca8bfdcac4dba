#include "workspace/front/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/fd.h"
#include "wire/guest_net.h"

enum { BACKLOG = 1024, OBSERVER_BUFFER = 1024 * 1024 };

int sockets_listen(enum ipc_listener kind, uint16_t port, struct err *e)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int type = kind == IPC_LISTEN_DNS_UDP ? SOCK_DGRAM : SOCK_STREAM;
	FD_AUTO int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (kind != IPC_LISTEN_TCP)
		at.sin_addr.s_addr = htonl(NET_GATEWAY);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return err_sys(e, errno, "make a socket for port %u", port);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return err_sys(e, errno, "bind port %u", port);
	if (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
		return err_sys(e, errno, "listen on port %u", port);
	return fd_take(&fd);
}

/* Offsets into the frame: Ethernet header 14, IPv4 behind it. */
enum { AT_SRC_MAC = 6, AT_TYPE = 12, AT_IP = 14, AT_FRAGMENT = 20, AT_PROTO = 23, AT_SRC = 26, AT_DST = 30 };
enum { AT_ARP_MAC = 22, AT_ARP_IP = 28 };
enum { ARP_FRAME = 14 + 28, TCP_FRAME = 14 + 20 + 20, PLAIN_HEAD = 0x45 };
/* Places in the program. Jumps count from the next instruction. */
enum { PC_UDP = 31, PC_TO_US = 33, PC_ARP = 35, PC_KEEP = 42, PC_DROP = 43 };
#define TO(pc, target) ((uint8_t)((target) - (pc) - 1))

/* Drops what a socket of ours surely sees, and ordinary ARP; keeps whatever is odd, for somebody to judge. A load from behind the
 * frame's end would drop it, hence lengths come first. */
static int set_filter(int fd, const uint8_t mac[6])
{
	const uint32_t mac_high = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
	const uint32_t mac_low = (uint32_t)mac[4] << 8 | mac[5];
	struct sock_filter code[] = {
		/* 0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
		/* 1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, TO(1, PC_KEEP)),
		/* 2 */ BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		/* 3 */ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ARP_FRAME, 0, TO(3, PC_KEEP)),
		/* 4 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		/* 5 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, TO(5, PC_KEEP), 0),
		/* 6 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT_SRC_MAC),
		/* 7 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mac_high, 0, TO(7, PC_KEEP)),
		/* 8 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_SRC_MAC + 4),
		/* 9 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mac_low, 0, TO(9, PC_KEEP)),
		/* 10 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_TYPE),
		/* 11 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, TO(11, PC_ARP), 0),
		/* 12 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, TO(12, PC_KEEP)),
		/* 13 */ BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		/* 14 */ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, TCP_FRAME, 0, TO(14, PC_KEEP)),
		/* 15 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AT_IP),
		/* 16 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PLAIN_HEAD, 0, TO(16, PC_KEEP)),
		/* 17 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT_SRC),
		/* 18 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NET_GUEST, 0, TO(18, PC_KEEP)),
		/* 19: more fragments, or an offset */
		/* 19 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_FRAGMENT),
		/* 20 */ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, TO(20, PC_KEEP), 0),
		/* 21 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AT_PROTO),
		/* 22 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, TO(22, PC_UDP), 0),
		/* 23 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, TO(23, PC_KEEP)),
		/* 24: TCP: SYN without ACK, or what belongs to no address of ours */
		/* 24 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AT_IP + 20 + 13),
		/* 25 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
		/* 26 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, TO(26, PC_KEEP), 0),
		/* 27 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT_DST),
		/* 28 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(UINT32_MAX >> NET_POOL_BITS)),
		/* 29 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NET_POOL, TO(29, PC_DROP), 0),
		/* 30 */ BPF_STMT(BPF_JMP | BPF_JA, PC_TO_US - 30 - 1),
		/* 31 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_IP + 20 + 2),
		/* 32 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NET_DNS_PORT, 0, TO(32, PC_KEEP)),
		/* 33 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT_DST),
		/* 34 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NET_GATEWAY, TO(34, PC_DROP), TO(34, PC_KEEP)),
		/* 35 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT_ARP_MAC),
		/* 36 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mac_high, 0, TO(36, PC_KEEP)),
		/* 37 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_ARP_MAC + 4),
		/* 38 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mac_low, 0, TO(38, PC_KEEP)),
		/* 39: a probe for its own address has sender 0 (RFC 5227) */
		/* 39 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT_ARP_IP),
		/* 40 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NET_GUEST, TO(40, PC_DROP), 0),
		/* 41 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, TO(41, PC_DROP), TO(41, PC_KEEP)),
		/* 42 */ BPF_STMT(BPF_RET | BPF_K, 0x40000),
		/* 43 */ BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int sockets_observer(const uint8_t guest_mac[6], struct err *e)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	/* Protocol 0: sees nothing until it has its filter and is bound to the one device. */
	FD_AUTO int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = OBSERVER_BUFFER;
	int one = 1;

	if (fd < 0)
		return err_sys(e, errno, "make a packet socket");
	at.sll_ifindex = (int)if_nametoindex(NET_DEVICE);
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0 || set_filter(fd, guest_mac) < 0)
		return err_sys(e, errno, "set the packet socket's filter");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return err_sys(e, errno, "bind the packet socket to the guest's link");
	return fd_take(&fd);
}
