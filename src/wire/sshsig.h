/* An SSH signature file as `ssh-keygen -Y sign` writes it (OpenSSH's PROTOCOL.sshsig), of Ed25519 keys. */
#ifndef SAW_WIRE_SSHSIG_H
#define SAW_WIRE_SSHSIG_H

#include "base/buf.h"

enum { SSHSIG_TEXT_MAX = 4096, SSHSIG_KEY = 32, SSHSIG_SIGNATURE = 64, SSHSIG_NAMESPACE_MAX = 64 };

/* What of the message is signed. */
enum sshsig_hash { SSHSIG_SHA512, SSHSIG_SHA256 };

struct sshsig {
	uint8_t key[SSHSIG_KEY];
	char namespace[SSHSIG_NAMESPACE_MAX + 1]; /* printable ASCII */
	enum sshsig_hash hash;
	uint8_t signature[SSHSIG_SIGNATURE];
};

enum sshsig_answer {
	SSHSIG_DONE,
	SSHSIG_OTHER, /* a sound frame, but of another kind of key, version or hash */
	SSHSIG_BAD,
};

/* The whole file. Trailing bytes at any level are BAD. */
enum sshsig_answer sshsig_get(struct bytes text, struct sshsig *ret);
/* Appends the file. Returns !out->failed. */
bool sshsig_put(struct buf *out, const struct sshsig *s);

#endif
