#include "wire/resolv_conf.h"

#include "base/tap.h"

static struct resolv_conf c;

static const char *server(unsigned i)
{
	static char text[IP_TEXT_MAX];

	ip_text(c.servers[i].ip, text);
	return text;
}

TEST(servers_and_options_are_read_as_the_c_library_does)
{
	resolv_conf_parse(bytes_str("# generated\n; too\nsearch corp.example\nnameserver 192.0.2.1\n"
				    "nameserver\t2001:db8::1 \noptions ndots:3 timeout:2 attempts:4 rotate\n"),
			  &c);
	CHECK_INT(c.n_servers, 2);
	CHECK_STR(server(0), "192.0.2.1");
	CHECK_STR(server(1), "2001:db8::1");
	CHECK_INT(c.timeout_ms, 2000);
	CHECK_INT(c.attempts, 4);
	CHECK(!c.tcp);
}

TEST(defaults_and_limits_hold)
{
	resolv_conf_parse(bytes_str(""), &c);
	CHECK_INT(c.n_servers, 0);
	CHECK_INT(c.timeout_ms, RESOLV_TIMEOUT_S * 1000);
	CHECK_INT(c.attempts, RESOLV_ATTEMPTS);
	resolv_conf_parse(bytes_str("options timeout:0 attempts:99\noptions timeout:x use-vc"), &c);
	CHECK_INT(c.timeout_ms, 1000);
	CHECK_INT(c.attempts, RESOLV_ATTEMPTS_MAX);
	CHECK(c.tcp);
	resolv_conf_parse(bytes_str("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4"), &c);
	CHECK_INT(c.n_servers, RESOLV_SERVERS_MAX);
	CHECK_STR(server(2), "1.1.1.3");
}

TEST(a_port_may_stand_behind_an_address_in_brackets)
{
	resolv_conf_parse(bytes_str("nameserver [127.0.0.1]:5353\nnameserver [::1]:54\nnameserver 127.0.0.2\n"), &c);
	CHECK_INT(c.n_servers, 3);
	CHECK_STR(server(0), "127.0.0.1");
	CHECK_INT(c.servers[0].port, 5353);
	CHECK_STR(server(1), "::1");
	CHECK_INT(c.servers[1].port, 54);
	CHECK_INT(c.servers[2].port, RESOLV_PORT);
	resolv_conf_parse(bytes_str("nameserver [127.0.0.1]\nnameserver [127.0.0.1]:\nnameserver [127.0.0.1]:0\n"
				    "nameserver [127.0.0.1]:65536\n"
				    "nameserver [127.0.0.1]x53\nnameserver [\nnameserver []:53\nnameserver [127.0.0.1:53\n"
				    "nameserver 127.0.0.1:53\nnameserver [127.0.0.1]:53]\n"),
			  &c);
	CHECK_INT(c.n_servers, 0);
}

TEST(what_is_no_plain_address_is_passed_over)
{
	resolv_conf_parse(bytes_str("nameserver fe80::1%eth0\nnameserver 127.1\nnameserver\nnameserver ns.example\r\n"
				    "xnameserver 1.1.1.1\nnameserver 127.0.0.53\r\n"),
			  &c);
	CHECK_INT(c.n_servers, 1);
	CHECK_STR(server(0), "127.0.0.53");
}
