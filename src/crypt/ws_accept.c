#include "crypt/ws_accept.h"

#include <openssl/evp.h>

#include "base/must.h"

enum { SHA1_LEN = 20 };

void ws_accept(struct bytes key, char ret[WS_ACCEPT_MAX])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t digest[SHA1_LEN];
	unsigned len = 0;

	must(ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1);
	must(EVP_DigestUpdate(ctx, key.p, key.len) == 1 && EVP_DigestUpdate(ctx, guid, sizeof(guid) - 1) == 1);
	must(EVP_DigestFinal_ex(ctx, digest, &len) == 1 && len == SHA1_LEN);
	EVP_MD_CTX_free(ctx);
	must(EVP_EncodeBlock((unsigned char *)ret, digest, SHA1_LEN) == WS_ACCEPT_MAX - 1);
}
