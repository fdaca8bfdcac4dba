/* Ed25519 keys in OpenSSH's forms: the blob (RFC 8709), the one-line public key, and the unencrypted private key file. */
#ifndef SAW_WIRE_SSH_KEY_H
#define SAW_WIRE_SSH_KEY_H

#include "base/buf.h"

enum {
	SSH_KEY_PUBLIC = 32,
	SSH_KEY_SEED = 32,
	SSH_KEY_LINE_MAX = 1000, /* bytes of a public key line that is read */
	SSH_KEY_COMMENT_MAX = 256,
};
#define SSH_KEY_TYPE "ssh-ed25519"

/* RFC 4251, 5: u32 length and the bytes. */
bool ssh_put_string(struct buf *out, struct bytes s);
/* Takes a string off the front of *in; false (untouched) when it is cut short. */
bool ssh_get_string(struct bytes *in, struct bytes *ret);
bool ssh_get_u32(struct bytes *in, uint32_t *ret);
bool ssh_get_u64(struct bytes *in, uint64_t *ret);

/* Appends / reads `string "ssh-ed25519", string key`. */
bool ssh_key_put_blob(struct buf *out, const uint8_t key[SSH_KEY_PUBLIC]);
bool ssh_key_get_blob(struct bytes blob, uint8_t ret[SSH_KEY_PUBLIC]);

/* Appends "ssh-ed25519 AAAA..." and, when there is one, a blank and the comment. No line end. */
bool ssh_key_put_line(struct buf *out, const uint8_t key[SSH_KEY_PUBLIC], const char *comment);
/* Reads such a line; one line end at its end is taken. False for any other type, options before it, or bytes that are not
 * printable ASCII or UTF-8 in the comment. */
bool ssh_key_get_line(struct bytes line, uint8_t ret[SSH_KEY_PUBLIC]);

/* Appends the private key file that sshd reads as host key ("-----BEGIN OPENSSH PRIVATE KEY-----"). The caller wipes `out`. */
bool ssh_key_put_private(struct buf *out, const uint8_t seed[SSH_KEY_SEED], const uint8_t key[SSH_KEY_PUBLIC],
			 const char *comment);

#endif
