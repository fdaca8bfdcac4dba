#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/ssh_cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read, written again, is the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t signature[SSH_CERT_SIGNATURE];
	struct ssh_cert c;
	struct bytes body;
	struct buf out;

	if (!ssh_cert_get(bytes_of(data, size), &c, &body, signature))
		return 0;
	buf_init(&out, SSH_CERT_MAX);
	must(ssh_cert_put_body(&out, &c) && bytes_eq(buf_view(&out), body));
	must(ssh_cert_put_signature(&out, signature) && bytes_eq(buf_view(&out), bytes_of(data, size)));
	buf_deinit(&out);
	return 0;
}
