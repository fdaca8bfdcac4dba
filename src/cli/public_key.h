/* A file with the public half of an Ed25519 key, as openssl or ssh-keygen write it (wire/key_file.h). */
#ifndef SAW_CLI_PUBLIC_KEY_H
#define SAW_CLI_PUBLIC_KEY_H

#include "rules/bundle_check.h"

/* CLI_DONE; else says on fd 2 what is wrong with the file and gives the exit code: CLI_NOT_FOUND or CLI_FAILED. */
int cli_public_key(const char *path, uint8_t ret[BUNDLE_KEY]);

#endif
