#include "guest/network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/host.h"
#include "wire/guest_net.h"
#include "wire/ip.h"

static struct sockaddr_in v4(const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct ip ip;

	if (ip_parse(bytes_str(text), &ip))
		memcpy(&a.sin_addr, ip.b, 4);
	return a;
}

static bool ask(int fd, unsigned long what, const char *name, struct ifreq *r)
{
	memset(r->ifr_name, 0, sizeof(r->ifr_name));
	memcpy(r->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(fd, what, r) == 0)
		return true;
	say("network %s: %s", name, strerror(errno));
	return false;
}

static bool up(int fd, const char *name)
{
	return ask(fd, SIOCSIFFLAGS, name, &(struct ifreq){ .ifr_flags = IFF_UP | IFF_RUNNING });
}

static bool has_mac(int fd, const char *name, const uint8_t mac[6])
{
	struct ifreq r = { 0 };

	return ask(fd, SIOCGIFHWADDR, name, &r) && memcmp(r.ifr_hwaddr.sa_data, mac, 6) == 0;
}

static bool find(int fd, const uint8_t mac[6], char ret[IFNAMSIZ])
{
	DIR *d = opendir("/sys/class/net");
	const struct dirent *entry;
	bool found = false;

	while (d && !found && (entry = readdir(d))) {
		if (entry->d_name[0] == '.' || !has_mac(fd, entry->d_name, mac))
			continue;
		(void)snprintf(ret, IFNAMSIZ, "%.15s", entry->d_name);
		found = true;
	}
	if (d)
		(void)closedir(d);
	return found;
}

static void address(struct ifreq *r, const char *text)
{
	struct sockaddr_in a = v4(text);

	memset(r, 0, sizeof(*r));
	memcpy(&r->ifr_addr, &a, sizeof(a));
}

static void default_route(int fd)
{
	struct sockaddr_in any = v4("0.0.0.0"), gateway = v4(NET_GATEWAY_TEXT);
	struct rtentry r = { .rt_flags = RTF_UP | RTF_GATEWAY };

	memcpy(&r.rt_dst, &any, sizeof(any));
	memcpy(&r.rt_genmask, &any, sizeof(any));
	memcpy(&r.rt_gateway, &gateway, sizeof(gateway));
	if (ioctl(fd, SIOCADDRT, &r) < 0)
		say("default route: %s", strerror(errno));
}

static void configure(int fd, const char *name)
{
	struct ifreq r;

	if (strcmp(name, NET_GUEST_DEVICE) != 0) {
		memset(&r, 0, sizeof(r));
		memcpy(r.ifr_newname, NET_GUEST_DEVICE, sizeof(NET_GUEST_DEVICE));
		(void)ask(fd, SIOCSIFNAME, name, &r);
	}
	if (!kernel_write("/proc/sys/net/ipv6/conf/" NET_GUEST_DEVICE "/disable_ipv6", "1"))
		say("turn IPv6 off: %s", strerror(errno));
	r = (struct ifreq){ .ifr_mtu = NET_MTU };
	(void)ask(fd, SIOCSIFMTU, NET_GUEST_DEVICE, &r);
	address(&r, NET_GUEST_TEXT);
	(void)ask(fd, SIOCSIFADDR, NET_GUEST_DEVICE, &r);
	address(&r, "255.255.255.0");
	(void)ask(fd, SIOCSIFNETMASK, NET_GUEST_DEVICE, &r);
	(void)up(fd, NET_GUEST_DEVICE);
	default_route(fd);
}

void network_up(const uint8_t mac[6])
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[IFNAMSIZ] = "";

	if (fd < 0) {
		say("network: %s", strerror(errno));
		return;
	}
	(void)up(fd, "lo");
	if (find(fd, mac, name))
		configure(fd, name);
	else
		say("network: no interface with the seed's hardware address");
	(void)close(fd);
}
