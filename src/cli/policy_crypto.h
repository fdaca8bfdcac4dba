/* The cryptography that rules/bundle_check.h asks for, in this program. */
#ifndef SAW_CLI_POLICY_CRYPTO_H
#define SAW_CLI_POLICY_CRYPTO_H

#include "crypt/sha256.h"
#include "crypt/sshsig.h"
#include "rules/bundle_check.h"

static const struct bundle_crypto policy_crypto = { sha256, ed25519_verify, sshsig_verify };

#endif
