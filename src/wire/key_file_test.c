#include "wire/key_file.h"

#include "base/tap.h"
#include "wire/ssh_key.h"

/* Made for this test by openssl genpkey and ssh-keygen; they open nothing. */
static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
			  "MC4CAQAwBQYDK2VwBCIEIOzESkJURkvfZFIg0v68wyPWrUDLgQMYFz4T3lNHpvu+\n"
			  "-----END PRIVATE KEY-----\n";
static const char pem_public[] = "-----BEGIN PUBLIC KEY-----\n"
				 "MCowBQYDK2VwAyEAuS8a7SZ/wYmoZO4Zv/k/QQ6igXwxjTzBdS2bW0iOi8g=\n"
				 "-----END PUBLIC KEY-----\n";
static const char x25519[] = "-----BEGIN PRIVATE KEY-----\n"
			     "MC4CAQAwBQYDK2VuBCIEIHD0kcdhQDpcvj9DvScVTD69UXjZxwc50d1lPp+QjOZB\n"
			     "-----END PRIVATE KEY-----\n";
static const char ssh[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
			  "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
			  "QyNTUxOQAAACBKZZcUINhaUzW/71zcUISYaLoJCEnTFPAeaiuWqOyxkgAAAIg1LqUcNS6l\n"
			  "HAAAAAtzc2gtZWQyNTUxOQAAACBKZZcUINhaUzW/71zcUISYaLoJCEnTFPAeaiuWqOyxkg\n"
			  "AAAECayJCx9kjMlHuZM6w0NAcvZ4eaMIZ5rtu4BB+83vFN10pllxQg2FpTNb/vXNxQhJho\n"
			  "ugkISdMU8B5qK5ao7LGSAAAABHRlc3QB\n"
			  "-----END OPENSSH PRIVATE KEY-----\n";
static const char ssh_public[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEpllxQg2FpTNb/vXNxQhJhougkISdMU8B5qK5ao7LGS test\n";

static enum key_file_answer private_of(const char *text)
{
	uint8_t seed[KEY_FILE_SEED];
	enum key_file_form form;

	return key_file_private(bytes_str(text), seed, &form);
}

static enum key_file_answer public_of(const char *text)
{
	uint8_t key[KEY_FILE_PUBLIC];

	return key_file_public(bytes_str(text), key);
}

TEST(private_keys_of_both_tools_are_read)
{
	uint8_t seed[KEY_FILE_SEED];
	enum key_file_form form;

	CHECK_INT(key_file_private(bytes_str(pem), seed, &form), KEY_FILE_DONE);
	CHECK(form == KEY_FILE_PEM && seed[0] == 0xec && seed[31] == 0xbe);
	CHECK_INT(key_file_private(bytes_str(ssh), seed, &form), KEY_FILE_DONE);
	CHECK(form == KEY_FILE_SSH && seed[0] == 0x9a && seed[31] == 0xd7);
}

TEST(public_keys_of_both_tools_are_read)
{
	uint8_t key[KEY_FILE_PUBLIC];

	CHECK_INT(key_file_public(bytes_str(pem_public), key), KEY_FILE_DONE);
	CHECK(key[0] == 0xb9 && key[31] == 0xc8);
	CHECK_INT(key_file_public(bytes_str(ssh_public), key), KEY_FILE_DONE);
	CHECK(key[0] == 0x4a && key[31] == 0x92);
}

TEST(our_own_private_file_is_read_again)
{
	uint8_t seed[SSH_KEY_SEED] = { 1, 2, 3 };
	uint8_t key[SSH_KEY_PUBLIC] = { 4, 5, 6 };
	uint8_t back[KEY_FILE_SEED];
	enum key_file_form form;
	struct buf b;

	for (size_t n = 0; n < 9; n++) {
		buf_init(&b, KEY_FILE_MAX);
		CHECK(ssh_key_put_private(&b, seed, key, "12345678" + n));
		CHECK_INT(key_file_private(buf_view(&b), back, &form), KEY_FILE_DONE);
		CHECK(memcmp(seed, back, sizeof(seed)) == 0);
		buf_deinit(&b);
	}
}

TEST(a_key_under_a_pass_phrase_is_named_as_such)
{
	CHECK_INT(private_of("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGb\n-----END ENCRYPTED PRIVATE KEY-----\n"), KEY_FILE_ENCRYPTED);
	/* openssh-key-v1, aes256-ctr, bcrypt, salt, one key, an opaque section */
	CHECK_INT(private_of("-----BEGIN OPENSSH PRIVATE KEY-----\n"
			     "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAABHNhbHQAAAABAA\n"
			     "AAMwAAAAtzc2gtZWQyNTUxOQAAACBra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr\n"
			     "awAAAA5vcGFxdWUtc2VjdGlvbg==\n"
			     "-----END OPENSSH PRIVATE KEY-----\n"),
		  KEY_FILE_ENCRYPTED);
}

TEST(keys_of_other_types_are_named_as_such)
{
	CHECK_INT(private_of(x25519), KEY_FILE_OTHER);
	CHECK_INT(private_of("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"), KEY_FILE_OTHER);
	CHECK_INT(public_of("ssh-rsa AAAAB3NzaC1yc2E= x"), KEY_FILE_OTHER);
	CHECK_INT(public_of("sk-ssh-ed25519@openssh.com AAAA x"), KEY_FILE_OTHER);
	CHECK_INT(public_of("-----BEGIN PUBLIC KEY-----\nMAAA\n-----END PUBLIC KEY-----\n"), KEY_FILE_OTHER);
}

TEST(the_wrong_half_is_named_as_such)
{
	CHECK_INT(private_of(pem_public), KEY_FILE_WRONG_HALF);
	CHECK_INT(private_of(ssh_public), KEY_FILE_WRONG_HALF);
	CHECK_INT(public_of(pem), KEY_FILE_WRONG_HALF);
	CHECK_INT(public_of(ssh), KEY_FILE_WRONG_HALF);
}

TEST(no_cut_and_no_changed_digit_of_a_private_file_passes_for_it)
{
	char text[sizeof(ssh)];
	uint8_t seed[KEY_FILE_SEED];
	uint8_t good[KEY_FILE_SEED];
	enum key_file_form form;

	CHECK_INT(key_file_private(bytes_str(ssh), good, &form), KEY_FILE_DONE);
	for (size_t n = 0; n + 1 < sizeof(ssh) - 1; n++)
		CHECK(key_file_private(bytes_of(ssh, n), seed, &form) != KEY_FILE_DONE);
	for (size_t i = 0; i < sizeof(ssh) - 1; i++) {
		memcpy(text, ssh, sizeof(text));
		text[i] = text[i] == 'A' ? 'B' : 'A';
		/* only the seed itself and the check number carry no redundancy */
		if (key_file_private(bytes_of(text, sizeof(text) - 1), seed, &form) == KEY_FILE_DONE)
			CHECK(memcmp(seed, good, sizeof(seed)) != 0 || i > sizeof(ssh) - 60);
	}
	CHECK_INT(private_of(""), KEY_FILE_BAD);
	CHECK_INT(private_of("hello\n"), KEY_FILE_BAD);
	CHECK_INT(public_of("hello\n"), KEY_FILE_BAD);
	CHECK_INT(public_of("-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n"), KEY_FILE_BAD);
}
