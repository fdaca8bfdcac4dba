#include "ipc/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"
#include "wire/key_file.h"
#include "wire/ssh_key.h"

static char folder[] = "/tmp/saw-trust-XXXXXX";
static struct bundle_keys keys;
static struct err e;

static const char *path_of(const char *name)
{
	static char path[200];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
	int fd;

	(void)unlink(path_of(name));
	fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0 && close(fd) == 0);
}

static void drop(const char *name)
{
	CHECK(unlink(path_of(name)) == 0);
}

static const char *line_of(uint8_t first)
{
	static char text[200];
	uint8_t key[SSH_KEY_PUBLIC] = { first };
	struct buf b;

	buf_init(&b, sizeof(text));
	CHECK(ssh_key_put_line(&b, key, "x") && buf_byte(&b, '\n'));
	(void)snprintf(text, sizeof(text), "%s", buf_cstr(&b));
	buf_deinit(&b);
	return text;
}

TEST(a_folder_that_is_not_there_trusts_nobody)
{
	keys.n = 7;
	CHECK_INT(trust_read("/tmp/saw-trust-nowhere", &keys, &e), 0);
	CHECK_INT(keys.n, 0);
}

TEST(each_public_key_file_is_one_trusted_key)
{
	CHECK(mkdtemp(folder) != NULL);
	put("local.pub", line_of(1), 0600);
	put("corp.pub",
	    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAuS8a7SZ/wYmoZO4Zv/k/QQ6igXwxjTzBdS2bW0iOi8g=\n-----END PUBLIC KEY-----\n", 0644);
	put("notes.txt", "no key", 0600);
	put(".hidden.pub", line_of(3), 0600);
	CHECK_INT(trust_read(folder, &keys, &e), 0);
	CHECK_INT(keys.n, 2);
	CHECK(keys.key[0][0] + keys.key[1][0] == 1 + 0xb9);
}

TEST(a_key_that_cannot_be_read_for_want_of_descriptors_is_not_taken_for_a_bad_one)
{
	int next = dup(0);
	struct rlimit was, one;

	CHECK(next >= 0 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &was) == 0);
	one = was;
	one.rlim_cur = (rlim_t)next + 1;
	CHECK(setrlimit(RLIMIT_NOFILE, &one) == 0);
	CHECK_INT(trust_read(folder, &keys, &e), -EMFILE);
	CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
	CHECK(trust_read(folder, &keys, &e) >= 0 && keys.n > 0);
}

TEST(a_file_that_others_can_write_a_link_and_what_is_no_key_are_passed_over)
{
	static char large[KEY_FILE_MAX + 1];

	put("bad.pub", "hello\n", 0600);
	CHECK_INT(trust_read(folder, &keys, &e), 1);
	CHECK(keys.n == 2 && strstr(e.text, "trusted key bad is no public key"));
	for (size_t i = 0; i < 3; i++) {
		static const mode_t modes[] = { 0666, 0620, 0602 };

		put("bad.pub", line_of(9), modes[i]);
		CHECK_INT(trust_read(folder, &keys, &e), 1);
		CHECK(keys.n == 2 && strstr(e.text, "nobody else can write"));
	}
	drop("bad.pub");
	CHECK(mkfifo(path_of("bad.pub"), 0600) == 0);
	CHECK_INT(trust_read(folder, &keys, &e), 1);
	CHECK(keys.n == 2 && strstr(e.text, "must be a file of yours"));
	drop("bad.pub");
	if (geteuid() == 0) {
		put("bad.pub", line_of(9), 0600);
		CHECK(chown(path_of("bad.pub"), 12345, 0) == 0);
		CHECK_INT(trust_read(folder, &keys, &e), 1);
		CHECK(keys.n == 2 && strstr(e.text, "must be a file of yours"));
		drop("bad.pub");
	}
	memset(large, '\n', sizeof(large) - 1);
	memcpy(large, line_of(9), strlen(line_of(9)));
	put("bad.pub", large, 0600);
	CHECK_INT(trust_read(folder, &keys, &e), 1);
	CHECK(keys.n == 2 && strstr(e.text, "too long"));
	drop("bad.pub");
	CHECK(symlink("local.pub", path_of("bad.pub")) == 0);
	CHECK_INT(trust_read(folder, &keys, &e), 1);
	CHECK(keys.n == 2 && strstr(e.text, "symbolic link"));
	drop("bad.pub");
	drop("local.pub");
	drop("corp.pub");
	drop("notes.txt");
	drop(".hidden.pub");
}

TEST(so_many_keys_are_trusted_and_no_more)
{
	char name[16];

	for (int i = 0; i <= BUNDLE_KEYS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "k%d.pub", i);
		put(name, line_of((uint8_t)i), 0600);
	}
	CHECK_INT(trust_read(folder, &keys, &e), 1);
	CHECK(keys.n == BUNDLE_KEYS_MAX && strstr(e.text, "is one too many"));
	for (int i = 0; i <= BUNDLE_KEYS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "k%d.pub", i);
		drop(name);
	}
	CHECK(rmdir(folder) == 0);
}

TEST(a_name_is_plain)
{
	char longest[TRUST_NAME_MAX + 1];

	memset(longest, 'a', sizeof(longest));
	CHECK(trust_name_ok(bytes_of(longest, TRUST_NAME_MAX)) && !trust_name_ok(bytes_of(longest, TRUST_NAME_MAX + 1)));
	CHECK(trust_name_ok(bytes_str("local")) && trust_name_ok(bytes_str("corp-2026.b_1")));
	CHECK(!trust_name_ok(bytes_str("")) && !trust_name_ok(bytes_str(".x")) && !trust_name_ok(bytes_str("a/b")) &&
	      !trust_name_ok(bytes_str("A")));
}
