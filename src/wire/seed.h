/* The seed of a workspace's machine: a NoCloud volume (label CIDATA; cloud-init's meta-data, user-data, network-config) that
 * our saw-guest and stock cloud images read alike.
 *
 * The three files are JSON, which cloud-init takes because YAML contains it; saw-guest reads them with wire/json_scan. */
#ifndef SAW_WIRE_SEED_H
#define SAW_WIRE_SEED_H

#include "base/buf.h"
#include "wire/fat.h"

enum {
	SEED_IMAGE_BYTES = FAT_IMAGE_BYTES, /* buf_init(&b, SEED_IMAGE_BYTES) is what seed_build needs */
	SEED_TEXT_MAX = 255,
	SEED_LINE_MAX = 2048, /* a public key line */
	SEED_KEY_MAX = 8192, /* a private key */
	SEED_CA_MAX = 32 * 1024, /* certificates */
};

/* All borrowed. Texts are without a line end, except the PEM ones. */
struct seed {
	struct bytes instance_id; /* letters, digits, '-': a new one makes cloud-init run again */
	struct bytes hostname; /* one DNS label */
	struct bytes user; /* as in useradd: [a-z_][a-z0-9_-]*, at most 32 */
	struct bytes user_ca; /* "ssh-ed25519 AAAA... comment": whose user certificates sshd takes */
	struct bytes principal; /* the one principal a certificate must carry */
	struct bytes host_key; /* OpenSSH private key, PEM */
	struct bytes host_key_public; /* its line */
	struct bytes workspace_ca; /* PEM, or empty: no certificate of ours is trusted inside */
	uint8_t mac[6];
};

/* NULL when every field is as it must be, else the name of the first bad one: "hostname". */
const char *seed_check(const struct seed *s);
/* Appends the volume. False when seed_check() objects or `out` failed. */
bool seed_build(struct buf *out, const struct seed *s);

/* What a guest finds. The texts of `seed` lie in `text`: it may not be copied. */
struct seed_view {
	struct seed seed;
	size_t used;
	uint8_t text[SEED_CA_MAX + SEED_KEY_MAX + 4 * SEED_LINE_MAX];
};

/* NULL when the volume holds a whole and sound seed (then *ret is set), else one word for what is missing or bad. */
const char *seed_read(struct bytes image, struct seed_view *ret);

#endif
