#include "rules/policy_pem.h"

#include <stdio.h>

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

enum { LINE_LEN_MAX = 76, CERTIFICATE_TEXT_MIN = 64 };

struct block {
	bool open;
	bool padded; /* '=' was seen: the text ends here */
	bool sequence; /* its first byte is that of a SEQUENCE */
	size_t len; /* characters of base64 */
};

static bool fault(char ret[POLICY_PEM_FAULT_MAX], const char *text)
{
	(void)snprintf(ret, POLICY_PEM_FAULT_MAX, "%s", text);
	return false;
}

static bool is_base64(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

static bool add_line(struct block *b, struct bytes line, char ret_fault[POLICY_PEM_FAULT_MAX])
{
	if (line.len == 0 || line.len > LINE_LEN_MAX)
		return fault(ret_fault, "a line of a certificate is empty or longer than 76; write it as openssl prints it");
	/* 0x30 in base64: 'M' and a character whose upper two bits are clear */
	if (b->len == 0)
		b->sequence = line.len > 1 && line.p[0] == 'M' && line.p[1] >= 'A' && line.p[1] <= 'P';
	for (size_t i = 0; i < line.len; i++) {
		bool pad = line.p[i] == '=';

		if ((!pad && !is_base64(line.p[i])) || (b->padded && !pad))
			return fault(ret_fault, "a certificate has something that is not base64; write it as openssl prints it");
		b->padded = b->padded || pad;
	}
	b->len += line.len;
	return true;
}

static bool end_block(const struct block *b, char ret_fault[POLICY_PEM_FAULT_MAX])
{
	if (b->len % 4 != 0 || b->len < CERTIFICATE_TEXT_MIN || !b->sequence)
		return fault(ret_fault, "a block is no certificate, or is cut short; copy it whole");
	return true;
}

bool policy_pem_ok(struct bytes text, char ret_fault[POLICY_PEM_FAULT_MAX])
{
	struct block b = { 0 };
	unsigned n = 0;

	while (text.len) {
		struct bytes line = bytes_of(text.p, bytes_find(text, '\n'));

		text = bytes_skip(text, line.len < text.len ? line.len + 1 : line.len);
		if (!b.open && bytes_is(line, BEGIN)) {
			b = (struct block){ .open = true };
		} else if (b.open && bytes_is(line, END)) {
			if (!end_block(&b, ret_fault))
				return false;
			b.open = false;
			n++;
		} else if (b.open) {
			if (!add_line(&b, line, ret_fault))
				return false;
		} else if (bytes_starts(line, bytes_str("-----BEGIN "))) {
			return fault(ret_fault,
				     "only CERTIFICATE blocks belong here, and never a private key; remove the other block");
		} else if (line.len && line.p[0] != '#') {
			return fault(ret_fault, "something stands outside the certificates; remove it, or write # before it");
		}
	}
	if (b.open)
		return fault(ret_fault, "the last certificate has no END line; copy it whole");
	if (n == 0 || n > POLICY_PEM_CERTIFICATES_MAX)
		return fault(ret_fault, n ? "more than 64 certificates; list the root alone" : "no certificate; write its PEM text below `ca: |`");
	return true;
}
