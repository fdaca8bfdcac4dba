/* libcrypto's handle of a minted certificate, made without searching every provider for a codec of its public key. For crypt/leaf. */
#ifndef SAW_CRYPT_LEAF_HANDLE_H
#define SAW_CRYPT_LEAF_HANDLE_H

#include "crypt/key.h"

struct x509_st;

/* The public key of all leaves, in the form that a certificate takes without a search. NULL when the library has none. */
struct evp_pkey_st *leaf_handle_key_new(const uint8_t public_key[KEY_PUBLIC]);
struct evp_pkey_st *leaf_handle_key_free(struct evp_pkey_st *key);

/* `key`: of this certificate, from leaf_handle_key_new(); NULL: `der` is parsed the slow way. NULL when it is no certificate. */
struct x509_st *leaf_handle_new(struct bytes der, struct evp_pkey_st *key);
struct x509_st *leaf_handle_free(struct x509_st *handle);

#endif
