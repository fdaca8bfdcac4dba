/* Ed25519 keys as people have them in files: PEM as openssl writes (RFC 8410) and OpenSSH's own form. */
#ifndef SAW_WIRE_KEY_FILE_H
#define SAW_WIRE_KEY_FILE_H

#include "base/buf.h"

enum { KEY_FILE_MAX = 16 * 1024, KEY_FILE_SEED = 32, KEY_FILE_PUBLIC = 32 };

enum key_file_answer {
	KEY_FILE_DONE,
	KEY_FILE_ENCRYPTED, /* a private key under a pass phrase, which is not asked for here */
	KEY_FILE_OTHER, /* a key of another type than Ed25519 */
	KEY_FILE_WRONG_HALF, /* private where public was wanted, or the reverse */
	KEY_FILE_BAD,
};

enum key_file_form { KEY_FILE_PEM, KEY_FILE_SSH };

/* The seed of an unencrypted private key. Memory that held it is wiped; the caller wipes `ret_seed` and `text`. */
enum key_file_answer key_file_private(struct bytes text, uint8_t ret_seed[KEY_FILE_SEED], enum key_file_form *ret_form);
enum key_file_answer key_file_public(struct bytes text, uint8_t ret[KEY_FILE_PUBLIC]);

#endif
