#include "wire/ssh_key.h"

#include "base/tap.h"

/* Made by ssh-keygen. */
#define LINE "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQXx0O/fAQn0TLmaVXz6xG1MpEGKdZsJF+9vCttjlte"

static bool refused(const char *line)
{
	uint8_t key[SSH_KEY_PUBLIC] = { 42 };

	return !ssh_key_get_line(bytes_str(line), key) && key[0] == 42;
}

TEST(a_line_of_ssh_keygen_is_read_and_written_again)
{
	uint8_t key[SSH_KEY_PUBLIC];
	struct buf b;

	CHECK(ssh_key_get_line(bytes_str(LINE " a comment\n"), key));
	buf_init(&b, 1000);
	CHECK(ssh_key_put_line(&b, key, "x y"));
	CHECK_STR(buf_cstr(&b), LINE " x y");
	CHECK(ssh_key_get_line(bytes_str(LINE), key));
	buf_deinit(&b);
}

TEST(other_types_options_and_torn_lines_are_refused)
{
	CHECK(refused("") && refused("ssh-ed25519") && refused("ssh-ed25519 ") && refused("ssh-ed25519 \n"));
	CHECK(refused("command=\"x\" " LINE) && refused("ssh-rsa AAAAB3NzaC1yc2E="));
	CHECK(refused(LINE "AAAA") && refused(LINE " a\nssh-ed25519 b") && refused(LINE " a\x1b[2J") && refused(LINE "\n\n"));
	CHECK(refused("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="));
}

TEST(a_blob_with_anything_behind_it_is_refused)
{
	uint8_t key[SSH_KEY_PUBLIC] = { 1, 2, 3 };
	uint8_t back[SSH_KEY_PUBLIC];
	struct buf b;

	buf_init(&b, 100);
	CHECK(ssh_key_put_blob(&b, key) && ssh_key_get_blob(buf_view(&b), back) && memcmp(key, back, sizeof(key)) == 0);
	for (size_t cut = 0; cut < b.len; cut++)
		CHECK(!ssh_key_get_blob(bytes_of(b.p, cut), back));
	CHECK(buf_byte(&b, 0) && !ssh_key_get_blob(buf_view(&b), back));
	buf_deinit(&b);
}

TEST(a_private_key_file_has_its_frame_and_is_padded_to_eight)
{
	uint8_t seed[SSH_KEY_SEED] = { 0 };
	uint8_t key[SSH_KEY_PUBLIC] = { 0 };
	struct buf b;

	buf_init(&b, 4096);
	CHECK(ssh_key_put_private(&b, seed, key, "host"));
	CHECK(strstr(buf_cstr(&b), "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA") == buf_cstr(&b));
	CHECK(strstr(buf_cstr(&b), "\n-----END OPENSSH PRIVATE KEY-----\n") != NULL);
	buf_deinit(&b);
}
