#include "base/tap.h"
#include "wire/ip.h"

static struct ip ip(const char *text)
{
	struct ip v = { 0 };

	CHECK(ip_parse(bytes_str(text), &v));
	return v;
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p = { 0 };

	CHECK(ip_prefix_parse(bytes_str(text), &p));
	return p;
}

TEST(carried_ipv4_addresses_are_found)
{
	static const char *const carriers[] = {
		"::ffff:10.0.0.1",        "64:ff9b::10.0.0.1",        "64:ff9b:1::10.0.0.1",
		"2002:a00:1::",           "2001:0:1:2:3:4:f5ff:fffe", "2001:db8::5efe:10.0.0.1",
		"fd00::200:5efe:10.0.0.1"
	};
	struct ip inside;

	for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
		CHECK(ip_embedded_v4(ip(carriers[i]), &inside));
		CHECK(ip_eq(inside, ip("10.0.0.1")));
	}
	CHECK(!ip_embedded_v4(ip("2a00:1450::1"), &inside) &&
	      !ip_embedded_v4(ip("10.0.0.1"), &inside));
}

TEST(scopes_follow_the_registries)
{
	static const struct {
		const char *text;
		enum ip_scope scope;
	} rows[] = {
		{ "8.8.8.8", IP_SCOPE_PUBLIC },
		{ "100.63.255.255", IP_SCOPE_PUBLIC },
		{ "172.32.0.0", IP_SCOPE_PUBLIC },
		{ "2a00:1450::1", IP_SCOPE_PUBLIC },
		{ "2001:200::1", IP_SCOPE_PUBLIC },
		{ "10.1.2.3", IP_SCOPE_PRIVATE },
		{ "100.64.0.1", IP_SCOPE_PRIVATE },
		{ "172.31.255.255", IP_SCOPE_PRIVATE },
		{ "192.0.0.8", IP_SCOPE_PRIVATE },
		{ "192.168.0.1", IP_SCOPE_PRIVATE },
		{ "198.19.0.1", IP_SCOPE_PRIVATE },
		{ "198.51.100.1", IP_SCOPE_PRIVATE },
		{ "203.0.113.1", IP_SCOPE_PRIVATE },
		{ "192.0.2.1", IP_SCOPE_PRIVATE },
		{ "192.88.99.1", IP_SCOPE_PRIVATE },
		{ "fd00::1", IP_SCOPE_PRIVATE },
		{ "2001:db8::1", IP_SCOPE_PRIVATE },
		{ "2001:20::1", IP_SCOPE_PRIVATE },
		{ "2001:1ff::1", IP_SCOPE_PRIVATE },
		{ "5f00::1", IP_SCOPE_PRIVATE },
		{ "3fff::1", IP_SCOPE_PRIVATE },
		{ "100::1", IP_SCOPE_PRIVATE },
		{ "100:0:0:1::1", IP_SCOPE_PRIVATE },
		{ "64:ff9b::8.8.8.8", IP_SCOPE_PRIVATE },
		{ "127.0.0.1", IP_SCOPE_LOOPBACK },
		{ "127.255.0.1", IP_SCOPE_LOOPBACK },
		{ "::1", IP_SCOPE_LOOPBACK },
		{ "0.0.0.0", IP_SCOPE_NEVER },
		{ "0.1.2.3", IP_SCOPE_NEVER },
		{ "169.254.169.254", IP_SCOPE_NEVER },
		{ "224.0.0.1", IP_SCOPE_NEVER },
		{ "255.255.255.255", IP_SCOPE_NEVER },
		{ "240.0.0.1", IP_SCOPE_NEVER },
		{ "::", IP_SCOPE_NEVER },
		{ "fe80::1", IP_SCOPE_NEVER },
		{ "fec0::1", IP_SCOPE_NEVER },
		{ "ff02::1", IP_SCOPE_NEVER },
		{ "::127.0.0.1", IP_SCOPE_NEVER },
		{ "4000::1", IP_SCOPE_NEVER },
		{ "100:0:0:2::1", IP_SCOPE_NEVER },
		{ "fe00::1", IP_SCOPE_NEVER },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!CHECK_INT(ip_scope_of(ip(rows[i].text)), rows[i].scope))
			printf("#   address %s\n", rows[i].text);
	CHECK_INT(ip_scope_of((struct ip){ 0 }), IP_SCOPE_NEVER);
}

TEST(what_a_clouds_host_serves_its_machines_is_never_dialled)
{
	static const char *const services[] = {
		"169.254.169.254", "169.254.170.2",	"100.100.100.200",   "168.63.129.16",
		"192.0.0.192",	   "fd00:42::42",	"fd00:c1::a9fe:a9fe", "fd00:100::100:200",
		"fd00:ec2::254",   "fd00:ec2::23",	"fd20:ce::254",	     "fd00:a9fe:a9fe::1",
		"::ffff:168.63.129.16", "64:ff9b::168.63.129.16", "2002:a83f:8110::1", "64:ff9b::100.100.100.200",
	};
	static const struct {
		const char *text;
		enum ip_scope scope;
	} beside[] = {
		{ "168.63.129.15", IP_SCOPE_PUBLIC },	{ "168.63.129.17", IP_SCOPE_PUBLIC },	{ "100.100.100.201", IP_SCOPE_PRIVATE },
		{ "192.0.0.193", IP_SCOPE_PRIVATE },	{ "fd00:ec3::254", IP_SCOPE_PRIVATE },	{ "fd20:ce::253", IP_SCOPE_PRIVATE },
	};

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (!CHECK_INT(ip_scope_of(ip(services[i])), IP_SCOPE_NEVER))
			printf("#   address %s\n", services[i]);
		CHECK_INT(ip_prefix_scope(prefix(services[i])), IP_SCOPE_NEVER);
	}
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
		CHECK_INT(ip_scope_of(ip(beside[i].text)), beside[i].scope);
}

/* Who uses such a range would else have to list all of it but one address. */
TEST(a_range_around_such_a_service_may_be_listed)
{
	CHECK_INT(ip_prefix_scope(prefix("100.64.0.0/10")), IP_SCOPE_PRIVATE);
	CHECK_INT(ip_prefix_scope(prefix("100.100.100.200/31")), IP_SCOPE_PRIVATE);
	CHECK_INT(ip_prefix_scope(prefix("168.63.129.16/28")), IP_SCOPE_PUBLIC);
	CHECK_INT(ip_prefix_scope(prefix("fd00::/8")), IP_SCOPE_PRIVATE);
	CHECK_INT(ip_prefix_scope(prefix("fd00:ec2::/32")), IP_SCOPE_NEVER);
	CHECK_INT(ip_prefix_scope(prefix("fd00:ec2:1::/48")), IP_SCOPE_NEVER);
}

TEST(a_carrier_is_never_better_than_what_it_carries)
{
	CHECK_INT(ip_scope_of(ip("::ffff:8.8.8.8")), IP_SCOPE_PRIVATE);
	CHECK_INT(ip_scope_of(ip("::ffff:127.0.0.1")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_scope_of(ip("::ffff:169.254.169.254")), IP_SCOPE_NEVER);
	CHECK_INT(ip_scope_of(ip("64:ff9b::169.254.169.254")), IP_SCOPE_NEVER);
	CHECK_INT(ip_scope_of(ip("64:ff9b:1::169.254.169.254")), IP_SCOPE_NEVER);
	CHECK_INT(ip_scope_of(ip("64:ff9b:1:a9fe:a9:fe00::")), IP_SCOPE_NEVER);
	CHECK_INT(ip_scope_of(ip("64:ff9b:1::")), IP_SCOPE_NEVER);
	/* each place where the address may stand, and well meant ones in all others */
	CHECK_INT(ip_scope_of(ip("64:ff9b:1:808:8:808:808:808")), IP_SCOPE_PRIVATE);
	CHECK_INT(ip_scope_of(ip("64:ff9b:1:808:8:800::")), IP_SCOPE_PRIVATE);
	CHECK_INT(ip_scope_of(ip("64:ff9b:1:7f01:1:108:808:808")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_scope_of(ip("64:ff9b:1:87f:1:101:808:808")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_scope_of(ip("64:ff9b:1:808:7f:0:108:808")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_scope_of(ip("64:ff9b:1:808:8:808:7f00:1")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_scope_of(ip("2002:7f00:1::1")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_scope_of(ip("2002:a9fe:a9fe::1")), IP_SCOPE_NEVER);
	CHECK_INT(ip_scope_of(ip("2001:0:1:2:3:4:5601:5601")), IP_SCOPE_NEVER);
	CHECK_INT(ip_scope_of(ip("2a00:1450::5efe:127.0.0.1")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_scope_of(ip("2a00:1450::200:5efe:127.0.0.1")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_scope_of(ip("2a00:1450::100:5efe:127.0.0.1")), IP_SCOPE_PUBLIC);
	CHECK_INT(ip_scope_of(ip("2a00:1450::1:5efe:127.0.0.1")), IP_SCOPE_PUBLIC);
	CHECK_INT(ip_scope_of(ip("2a00:1450::5ffe:127.0.0.1")), IP_SCOPE_PUBLIC);
	CHECK_INT(ip_scope_of(ip("2a00:1450::5eff:127.0.0.1")), IP_SCOPE_PUBLIC);
	CHECK_INT(ip_scope_of(ip("fe80::5efe:8.8.8.8")), IP_SCOPE_NEVER);
}

TEST(a_prefix_is_as_bad_as_the_worst_range_it_touches)
{
	CHECK_INT(ip_prefix_scope(prefix("0.0.0.0/0")), IP_SCOPE_NEVER);
	CHECK_INT(ip_prefix_scope(prefix("::/0")), IP_SCOPE_NEVER);
	CHECK_INT(ip_prefix_scope(prefix("169.254.0.0/17")), IP_SCOPE_NEVER);
	CHECK_INT(ip_prefix_scope(prefix("168.0.0.0/7")), IP_SCOPE_NEVER);
	CHECK_INT(ip_prefix_scope(prefix("100::/8")), IP_SCOPE_NEVER);
	CHECK_INT(ip_prefix_scope(prefix("ff02::/16")), IP_SCOPE_NEVER);
	CHECK_INT(ip_prefix_scope(prefix("127.0.0.1")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_prefix_scope(prefix("::ffff:127.0.0.1")), IP_SCOPE_LOOPBACK);
	CHECK_INT(ip_prefix_scope(prefix("10.20.0.0/16")), IP_SCOPE_PRIVATE);
	CHECK_INT(ip_prefix_scope(prefix("fd00::/8")), IP_SCOPE_PRIVATE);
	CHECK_INT(ip_prefix_scope(prefix("8.0.0.0/8")), IP_SCOPE_PUBLIC);
	CHECK_INT(ip_prefix_scope(prefix("2a00::/12")), IP_SCOPE_PUBLIC);
}
