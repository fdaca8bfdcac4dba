#include "wire/sshsig.h"

#include "base/tap.h"

/* Made by `ssh-keygen -Y sign -n saw-policy`: SHA-512, SHA-256, and by an ECDSA key. */
static const char of_512[] = "-----BEGIN SSH SIGNATURE-----\n"
			     "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgSmWXFCDYWlM1v+9c3FCEmGi6CQ\n"
			     "hJ0xTwHmorlqjssZIAAAAKc2F3LXBvbGljeQAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gt\n"
			     "ZWQyNTUxOQAAAECtga6LsjoMCyM1jVV/oDBuw8E0m+/YuCepGGcjbIxcpTOt/wjyLwlNzI\n"
			     "lN+6F/M/vASdj15HfPuQV9EjKeuvUN\n"
			     "-----END SSH SIGNATURE-----\n";
static const char of_256[] = "-----BEGIN SSH SIGNATURE-----\n"
			     "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgSmWXFCDYWlM1v+9c3FCEmGi6CQ\n"
			     "hJ0xTwHmorlqjssZIAAAAKc2F3LXBvbGljeQAAAAAAAAAGc2hhMjU2AAAAUwAAAAtzc2gt\n"
			     "ZWQyNTUxOQAAAEANVRMo4UpLOF4a6Pf5VBTIZ1dAG1wylqQ7+2ZMeXl0WqXdQ3I9zY04pu\n"
			     "M3xaNzMd/mXhl8nMdexMqRJWtQMKwA\n"
			     "-----END SSH SIGNATURE-----\n";
static const char of_ecdsa[] = "-----BEGIN SSH SIGNATURE-----\n"
			       "U1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAE\n"
			       "EE8m0RI7Qgl8vOoEDrW6JbY86+Y1CFf1T5OXY3rsE1pDATiBBr4rNNiwU+x6W1OGeHfcQA\n"
			       "7uxmJ4PS03BJsYyI1gAAAApzYXctcG9saWN5AAAAAAAAAAZzaGE1MTIAAABkAAAAE2VjZH\n"
			       "NhLXNoYTItbmlzdHAyNTYAAABJAAAAIQCWszhDqHMETDd0keyYNcHfq1F2i6mrvfm7PRyu\n"
			       "yh1NyQAAACA+PArDBj/UJjuS1ffmK3z8BQ6mCybXbk0CLhYxe7caYQ==\n"
			       "-----END SSH SIGNATURE-----\n";

TEST(a_signature_of_ssh_keygen_is_read_and_written_again)
{
	struct sshsig s;
	struct buf b;

	buf_init(&b, SSHSIG_TEXT_MAX);
	CHECK_INT(sshsig_get(bytes_str(of_512), &s), SSHSIG_DONE);
	CHECK_INT(s.hash, SSHSIG_SHA512);
	CHECK_STR(s.namespace, "saw-policy");
	CHECK(s.key[0] == 0x4a && s.signature[0] == 0xad);
	CHECK(sshsig_put(&b, &s));
	CHECK_STR(buf_cstr(&b), of_512);
	buf_reset(&b);
	CHECK_INT(sshsig_get(bytes_str(of_256), &s), SSHSIG_DONE);
	CHECK_INT(s.hash, SSHSIG_SHA256);
	CHECK(sshsig_put(&b, &s));
	CHECK_STR(buf_cstr(&b), of_256);
	buf_deinit(&b);
}

TEST(a_signature_of_another_kind_of_key_is_named_as_such)
{
	struct sshsig s = { .key = { 42 } };

	CHECK_INT(sshsig_get(bytes_str(of_ecdsa), &s), SSHSIG_OTHER);
	CHECK(s.key[0] == 42);
}

TEST(no_cut_of_a_signature_is_one)
{
	struct sshsig s;

	for (size_t n = 0; n + 1 < sizeof(of_512) - 1; n++)
		CHECK_INT(sshsig_get(bytes_of(of_512, n), &s), SSHSIG_BAD);
}

TEST(a_namespace_is_short_and_printable)
{
	struct sshsig s = { .namespace = "a" };
	struct sshsig back;
	struct buf b;

	buf_init(&b, SSHSIG_TEXT_MAX);
	s.namespace[0] = '\0';
	CHECK(sshsig_put(&b, &s) && sshsig_get(buf_view(&b), &back) == SSHSIG_BAD);
	buf_reset(&b);
	s.namespace[0] = '\n';
	CHECK(sshsig_put(&b, &s) && sshsig_get(buf_view(&b), &back) == SSHSIG_BAD);
	buf_reset(&b);
	memset(s.namespace, 'x', SSHSIG_NAMESPACE_MAX);
	CHECK(sshsig_put(&b, &s) && sshsig_get(buf_view(&b), &back) == SSHSIG_DONE);
	CHECK_STR(back.namespace, s.namespace);
	buf_deinit(&b);
}
