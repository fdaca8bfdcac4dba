#include "base/buf.h"
#include "base/must.h"
#include "wire/resolv_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was understood, written down and read again, is the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resolv_conf c;
	struct resolv_conf again;
	struct buf b BUF_AUTO;

	buf_init(&b, 4096);
	resolv_conf_parse(bytes_of(data, size), &c);
	must(c.n_servers <= RESOLV_SERVERS_MAX && c.timeout_ms >= 1000 && c.timeout_ms <= RESOLV_TIMEOUT_MAX_S * 1000);
	must(c.attempts >= 1 && c.attempts <= RESOLV_ATTEMPTS_MAX);
	for (unsigned i = 0; i < c.n_servers; i++) {
		char text[IP_TEXT_MAX];

		ip_text(c.servers[i].ip, text);
		(void)buf_fmt(&b, "nameserver [%s]:%u\n", text, c.servers[i].port);
	}
	(void)buf_fmt(&b, "options timeout:%u attempts:%u %s", c.timeout_ms / 1000, c.attempts, c.tcp ? "use-vc" : "");
	resolv_conf_parse(buf_view(&b), &again);
	must(again.n_servers == c.n_servers && again.timeout_ms == c.timeout_ms && again.attempts == c.attempts && again.tcp == c.tcp);
	for (unsigned i = 0; i < c.n_servers; i++)
		must(ip_eq(c.servers[i].ip, again.servers[i].ip) && c.servers[i].port == again.servers[i].port);
	return 0;
}
