#include "wire/seed.h"

#include "base/tap.h"

static struct seed sound(void)
{
	return (struct seed){
		.instance_id = bytes_str("ws-0123456789ab"),
		.hostname = bytes_str("dev"),
		.user = bytes_str("agent"),
		.user_ca = bytes_str("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB saw user CA"),
		.principal = bytes_str("ws-0123456789ab"),
		.host_key = bytes_str("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n"),
		.host_key_public = bytes_str("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC"),
		.workspace_ca = bytes_str("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
		.mac = { 0x02, 0, 0, 1, 0xab, 0xff },
	};
}

TEST(every_field_comes_back)
{
	static struct seed_view v;
	struct seed s = sound();
	BUF_AUTO struct buf b;

	buf_init(&b, SEED_IMAGE_BYTES);
	CHECK(seed_build(&b, &s));
	CHECK_STR(seed_read(buf_view(&b), &v) ? "bad" : "ok", "ok");
	CHECK(bytes_eq(v.seed.instance_id, s.instance_id));
	CHECK(bytes_eq(v.seed.hostname, s.hostname));
	CHECK(bytes_eq(v.seed.user, s.user));
	CHECK(bytes_eq(v.seed.user_ca, s.user_ca));
	CHECK(bytes_eq(v.seed.principal, s.principal));
	CHECK(bytes_eq(v.seed.host_key, s.host_key));
	CHECK(bytes_eq(v.seed.host_key_public, s.host_key_public));
	CHECK(bytes_eq(v.seed.workspace_ca, s.workspace_ca));
	CHECK(memcmp(v.seed.mac, s.mac, 6) == 0);
}

TEST(a_seed_without_a_workspace_ca_is_sound)
{
	static struct seed_view v;
	struct seed s = sound();
	BUF_AUTO struct buf b;

	buf_init(&b, SEED_IMAGE_BYTES);
	s.workspace_ca = bytes_of(NULL, 0);
	CHECK(seed_build(&b, &s));
	CHECK(seed_read(buf_view(&b), &v) == NULL);
	CHECK_INT(v.seed.workspace_ca.len, 0);
}

TEST(a_bad_field_is_named_and_nothing_is_built)
{
	struct seed s;
	BUF_AUTO struct buf b;

	buf_init(&b, SEED_IMAGE_BYTES);
	s = sound();
	s.hostname = bytes_str("a.b");
	CHECK_STR(seed_check(&s), "hostname");
	CHECK(!seed_build(&b, &s));
	CHECK_INT(b.len, 0);
	s = sound();
	s.user = bytes_str("Root");
	CHECK_STR(seed_check(&s), "user");
	s = sound();
	s.user_ca = bytes_str("ssh-ed25519 AAAA\nssh-ed25519 AAAB");
	CHECK_STR(seed_check(&s), "user_ca");
	s = sound();
	s.principal = bytes_str("a b");
	CHECK_STR(seed_check(&s), "principal");
	s = sound();
	s.principal = bytes_str("");
	CHECK_STR(seed_check(&s), "principal");
	s = sound();
	s.workspace_ca = bytes_str("garbage");
	CHECK_STR(seed_check(&s), "workspace_ca");
	s = sound();
	s.mac[0] = 1;
	CHECK_STR(seed_check(&s), "mac");
}

TEST(a_volume_that_is_no_seed_is_named_as_such)
{
	static struct seed_view v;
	static uint8_t zero[SEED_IMAGE_BYTES];
	BUF_AUTO struct buf b;

	buf_init(&b, SEED_IMAGE_BYTES);
	CHECK_STR(seed_read(bytes_of(zero, sizeof(zero)), &v), "label");
	CHECK(fat_write(&b, "CIDATA", 1, NULL, 0));
	CHECK_STR(seed_read(buf_view(&b), &v), "meta-data");
}
