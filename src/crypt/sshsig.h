/* SSH signatures over a message (OpenSSH's PROTOCOL.sshsig): an Ed25519 signature over a frame with the namespace and the message's hash.
 * The file around it is wire/sshsig.h. */
#ifndef SAW_CRYPT_SSHSIG_H
#define SAW_CRYPT_SSHSIG_H

#include "crypt/ed25519.h"

enum { SSHSIG_FRAME_MAX = 256 };

/* `is_sha512`: the message's hash is SHA-512 (what ssh-keygen writes by itself), else SHA-256. The namespace has at most 64 bytes. False
 * only when the library fails. */
bool sshsig_sign(const struct ed25519 *k, const char *namespace, bool is_sha512, struct bytes message,
		 uint8_t ret[ED25519_SIGNATURE]);
bool sshsig_verify(const uint8_t public_key[ED25519_PUBLIC], const char *namespace, bool is_sha512, struct bytes message,
		   const uint8_t signature[ED25519_SIGNATURE]);

#endif
