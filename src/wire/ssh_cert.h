/* An OpenSSH user certificate for an Ed25519 key, signed by an Ed25519 CA (OpenSSH's PROTOCOL.certkeys). */
#ifndef SAW_WIRE_SSH_CERT_H
#define SAW_WIRE_SSH_CERT_H

#include "wire/ssh_key.h"

enum {
	SSH_CERT_NONCE = 32,
	SSH_CERT_SIGNATURE = 64,
	SSH_CERT_TEXT_MAX = 256, /* key id, principal */
	SSH_CERT_MAX = 2048, /* bytes of the whole blob */
};
#define SSH_CERT_TYPE "ssh-ed25519-cert-v01@openssh.com"

/* What the holder may ask of sshd; nothing else is ever granted (no X11, no user rc), and there are no critical options. */
enum ssh_cert_permit {
	SSH_CERT_PTY = 1,
	SSH_CERT_PORT_FORWARDING = 2,
	SSH_CERT_AGENT_FORWARDING = 4,
};

/* Exactly one principal. Texts are borrowed. */
struct ssh_cert {
	uint8_t nonce[SSH_CERT_NONCE];
	uint8_t key[SSH_KEY_PUBLIC];
	uint64_t serial;
	struct bytes key_id;
	struct bytes principal;
	uint64_t valid_after; /* seconds since the epoch */
	uint64_t valid_before;
	unsigned permits; /* enum ssh_cert_permit */
	uint8_t ca[SSH_KEY_PUBLIC];
};

/* Appends what the CA signs. False when a text is empty or too long. */
bool ssh_cert_put_body(struct buf *out, const struct ssh_cert *c);
/* Appends the signature to a body: the blob is complete. */
bool ssh_cert_put_signature(struct buf *body, const uint8_t signature[SSH_CERT_SIGNATURE]);
/* Appends "ssh-ed25519-cert-v01@openssh.com AAAA... comment". */
bool ssh_cert_put_line(struct buf *out, struct bytes blob, const char *comment);

/* Reads such a blob; texts borrow from it, *ret_body is what was signed. Only certificates that the functions above could have
 * made are taken. The signature is not verified here. */
bool ssh_cert_get(struct bytes blob, struct ssh_cert *ret, struct bytes *ret_body,
		  uint8_t ret_signature[SSH_CERT_SIGNATURE]);

#endif
