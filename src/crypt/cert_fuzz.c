#include <stddef.h>
#include <stdint.h>

#include "crypt/ca_kit.h"
#include "crypt/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct cert *c, struct bytes der)
{
	must(bytes_eq(c->der, der) && c->subject.len >= 2 && c->subject.len <= CERT_SUBJECT_MAX && c->subject.p[0] == 0x30);
	must(c->handle && X509_check_ca(c->handle) == 1);
	for (size_t i = 0; i < c->n_subtrees; i++)
		must(c->subtrees[i].len > 0);
}

/* Neither a certificate nor a private key from another process does harm; what is taken is whole; a key is written as it was read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CERT_AUTO struct cert *c = NULL;
	KEY_AUTO struct key *k = key_from_der(bytes_of(data, size));
	KEY_DER_AUTO struct key_der der;

	if (cert_open(&c, bytes_of(data, size), NULL) == 0)
		check(c, bytes_of(data, size));
	else
		must(!c);
	if (k)
		must(key_to_der(k, &der) && bytes_eq(bytes_of(der.p, KEY_DER), bytes_of(data, size)));
	must(ERR_peek_error() == 0);
	return 0;
}
