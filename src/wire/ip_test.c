#include "wire/ip.h"

#include "base/tap.h"

static struct ip ip(const char *text)
{
	struct ip v = { 0 };

	CHECK(ip_parse(bytes_str(text), &v));
	return v;
}

static bool parses(const char *text)
{
	struct ip v;

	return ip_parse(bytes_str(text), &v);
}

static bool prefix_parses(const char *text)
{
	struct ip_prefix p;

	return ip_prefix_parse(bytes_str(text), &p);
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p = { 0 };

	CHECK(ip_prefix_parse(bytes_str(text), &p));
	return p;
}

static void check_text(const char *in, const char *out)
{
	char text[IP_TEXT_MAX];

	ip_text(ip(in), text);
	CHECK_STR(text, out);
}

TEST(ipv4_has_exactly_one_spelling)
{
	CHECK(parses("0.0.0.0") && parses("255.255.255.255") && parses("198.51.100.7"));
	CHECK(!parses("2130706433") && !parses("0177.0.0.1") && !parses("0x7f.1") &&
	      !parses("127.1"));
	CHECK(!parses("1.2.3") && !parses("1.2.3.4.5") && !parses("1.2.3.") && !parses(".1.2.3"));
	CHECK(!parses("1.2.3.256") && !parses("1.2.3.04") && !parses(" 1.2.3.4") &&
	      !parses("1.2.3.4 "));
	CHECK(!parses("") && !parses("+1.2.3.4") && !parses("1.2.3.4%1"));
}

TEST(ipv6_takes_rfc_4291_text_and_no_zone)
{
	CHECK(parses("::") && parses("::1") && parses("1::") && parses("1:2:3:4:5:6:7:8"));
	CHECK(parses("::ffff:1.2.3.4") && parses("1:2:3:4:5:6:1.2.3.4") && parses("2001:DB8::A"));
	CHECK(parses("1:2:3:4:5:6:7::") && parses("::2:3:4:5:6:7:8"));
	CHECK(!parses(":") && !parses(":::") && !parses("1::2::3") && !parses("1:2:3:4:5:6:7"));
	CHECK(!parses("1:2:3:4:5:6:7:8:9") && !parses("1:2:3:4::5:6:7:8") && !parses("12345::"));
	CHECK(!parses("fe80::1%eth0") && !parses("[::1]") && !parses("1.2.3.4::") &&
	      !parses("::1.2.3.4:5"));
	CHECK(!parses("1:2:3:4:5:6:7:1.2.3.4") && !parses("::g") && !parses("1:") && !parses(":1"));
	CHECK(!parses("::ffff:1.2.3.04") && !parses("::ffff:1.2.3"));
}

TEST(text_is_rfc_5952)
{
	check_text("198.51.100.7", "198.51.100.7");
	check_text("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
	check_text("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
	check_text("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");
	check_text("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
	check_text("0:0:0:0:0:0:0:0", "::");
	check_text("1:0:0:0:0:0:0:0", "1::");
	check_text("::ffff:c000:0201", "::ffff:192.0.2.1");
	check_text("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(prefixes_have_no_host_bits)
{
	char text[IP_PREFIX_TEXT_MAX];

	CHECK(prefix_parses("10.20.0.0/16") && prefix_parses("0.0.0.0/0") &&
	      prefix_parses("fd00::/8"));
	CHECK(prefix_parses("10.20.0.1") && prefix_parses("2001:db8::1/128"));
	CHECK(!prefix_parses("10.20.0.1/16") && !prefix_parses("10.0.0.0/33") &&
	      !prefix_parses("10.0.0.0/08"));
	CHECK(!prefix_parses("10.0.0.0/") && !prefix_parses("10.0.0/8") &&
	      !prefix_parses("fd00::1/8"));
	CHECK(!prefix_parses("/8") && !prefix_parses("010.0.0.0/8") && !prefix_parses("::/129"));
	ip_prefix_text(prefix("10.20.0.1"), text);
	CHECK_STR(text, "10.20.0.1/32");
	CHECK(ip_prefix_has(prefix("10.20.0.0/15"), ip("10.21.255.255")));
	CHECK(!ip_prefix_has(prefix("10.20.0.0/15"), ip("10.22.0.0")));
	CHECK(!ip_prefix_has(prefix("0.0.0.0/0"), ip("::1")));
	CHECK(!ip_prefix_has(prefix("10.0.0.0/8"), ip("::ffff:10.0.0.1")));
}
