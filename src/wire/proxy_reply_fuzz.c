#include "base/must.h"
#include "wire/proxy_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A head that is done ends where it ends: what follows does not change it, and no beginning of it is done or bad. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = 0;
	size_t again = 0;
	unsigned status = 0;
	unsigned status_again = 0;
	struct bytes host;
	uint16_t port;

	if (proxy_address_parse(bytes_of(data, size), &host, &port))
		must(port && host.len && host.len < size);
	if (proxy_reply_parse(bytes_of(data, size), &len, &status) != PROXY_REPLY_DONE)
		return 0;
	must(len >= 16 && len <= size && len <= PROXY_REPLY_MAX && status >= 200 && status < 600);
	must(!memcmp(data + len - 4, "\r\n\r\n", 4));
	must(proxy_reply_parse(bytes_of(data, len), &again, &status_again) == PROXY_REPLY_DONE);
	must(again == len && status_again == status);
	for (size_t n = 0; n < len; n++)
		must(proxy_reply_parse(bytes_of(data, n), &again, &status_again) == PROXY_REPLY_MORE);
	return 0;
}
