#include "store/images.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/tap.h"

static char dir[64], fresh[128];

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", fresh, name);
	f = fopen(path, "we");
	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void digest_line(struct buf *b, const char *name, const char *text)
{
	uint8_t d[SHA256_LEN];
	char hex[SHA256_HEX_MAX];

	sha256(bytes_str(text), d);
	sha256_hex(d, hex);
	(void)buf_fmt(b, "\"%s\":{\"sha256\":\"%s\",\"bytes\":%zu}", name, hex, strlen(text));
}

/* A folder with three tiny files and their manifest, as the builder leaves it. */
static void make_fresh(const char *base)
{
	BUF_AUTO struct buf b;

	buf_init(&b, 4096);
	CHECK_INT(mkdir(fresh, 0700), 0);
	put("kernel", "K");
	put("initrd", "I");
	put("base.img", base);
	(void)buf_str(&b, "{\"version\":1,\"created\":\"2026-01-01T00:00:00.000Z\",\"files\":{");
	digest_line(&b, "kernel", "K");
	(void)buf_byte(&b, ',');
	digest_line(&b, "initrd", "I");
	(void)buf_byte(&b, ',');
	digest_line(&b, "base.img", base);
	(void)buf_str(&b, "}}");
	put("manifest.json", buf_cstr(&b));
}

static void begin(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/saw-images-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(fresh, sizeof(fresh), "%s/.new", dir);
}

static void end(void)
{
	struct err e = { 0 };

	CHECK_INT(images_remove_tree(dir, &e), 0);
	CHECK_INT(access(dir, F_OK), -1);
}

TEST(an_image_is_found_by_name_by_digest_and_by_its_beginning)
{
	struct err e = { 0 };
	struct image a, b;
	struct image *all;
	char prefix[IMAGES_PREFIX_MIN + 1];
	size_t n;

	begin();
	make_fresh("B");
	CHECK_INT(images_add(dir, fresh, "debian", &a, &e), 0);
	CHECK_STR(e.text, "");
	CHECK_STR(a.name, "debian");
	CHECK_INT(a.bytes, 3);
	CHECK_INT(images_find(dir, a.digest, &b, &e), 0);
	CHECK_STR(b.name, "debian");
	(void)snprintf(prefix, sizeof(prefix), "%.8s", a.digest);
	CHECK_INT(images_find(dir, prefix, &b, &e), 0);
	CHECK_STR(b.digest, a.digest);
	CHECK_INT(images_find(dir, "none", &b, &e), -ENOENT);
	CHECK(strstr(e.text, "saw image build none") != NULL);
	CHECK_INT(images_list(dir, &all, &n, &e), 0);
	CHECK_INT(n, 1);
	CHECK_STR(all[0].created, "2026-01-01T00:00:00.000Z");
	free(all);
	end();
}

TEST(a_touched_image_does_not_start_and_a_damaged_one_does_not_verify)
{
	struct err e = { 0 };
	struct image a;
	char path[PATHS_MAX];
	FILE *f;

	begin();
	make_fresh("B");
	CHECK_INT(images_add(dir, fresh, "debian", &a, &e), 0);
	CHECK_INT(images_check(&a, &e), 0);
	CHECK_INT(images_verify(&a, &e), 0);
	CHECK_INT(paths_join(path, a.dir, "base.img", &e), 0);
	f = fopen(path, "we");
	CHECK(f && fputs("X", f) >= 0 && fclose(f) == 0);
	CHECK_INT(images_check(&a, &e), -EBADMSG);
	CHECK_INT(images_verify(&a, &e), -EBADMSG);
	CHECK(strstr(e.text, "base.img is damaged") != NULL);
	f = fopen(path, "we");
	CHECK(f && fputs("B", f) >= 0 && fclose(f) == 0);
	CHECK_INT(images_verify(&a, &e), 0);
	CHECK_INT(images_check(&a, &e), 0);
	end();
}

/* A process that may write no file of more than 10 bytes stands for a disk that is full: a write that is cut short leaves errno as it was. */
TEST(what_could_not_be_remembered_whole_is_not_verified)
{
	const struct rlimit little = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY };
	struct err e = { 0 };
	struct rlimit was;
	struct image a;

	begin();
	make_fresh("B");
	CHECK_INT(images_add(dir, fresh, "debian", &a, &e), 0);
	CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	CHECK_INT(getrlimit(RLIMIT_FSIZE, &was), 0);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &little), 0);
	errno = 0;
	CHECK_INT(images_verify(&a, &e), -EFBIG);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &was), 0);
	CHECK(strstr(e.text, "seen: File too large") != NULL);
	end();
}

TEST(a_changed_manifest_is_no_image)
{
	struct err e = { 0 };
	struct image a;
	char path[PATHS_MAX];
	FILE *f;

	begin();
	make_fresh("B");
	CHECK_INT(images_add(dir, fresh, "debian", &a, &e), 0);
	CHECK_INT(paths_join(path, a.dir, "manifest.json", &e), 0);
	f = fopen(path, "ae");
	CHECK(f && fputs(" ", f) >= 0 && fclose(f) == 0);
	CHECK_INT(images_find(dir, "debian", &a, &e), -EBADMSG);
	end();
}

TEST(an_image_goes_with_its_last_name)
{
	struct err e = { 0 };
	struct image a, b;
	bool gone;

	begin();
	make_fresh("B");
	CHECK_INT(images_add(dir, fresh, "one", &a, &e), 0);
	make_fresh("B");
	CHECK_INT(images_add(dir, fresh, "two", &b, &e), 0);
	CHECK_STR(a.digest, b.digest);
	CHECK_INT(images_remove(dir, &b, &gone, &e), 0);
	CHECK(!gone);
	CHECK_INT(images_find(dir, "one", &a, &e), 0);
	CHECK_INT(images_remove(dir, &a, &gone, &e), 0);
	CHECK(gone);
	CHECK_INT(images_find(dir, a.digest, &a, &e), -ENOENT);
	end();
}

TEST(a_new_build_moves_the_name_and_keeps_the_old_image)
{
	struct err e = { 0 };
	struct image a, b, c;

	begin();
	make_fresh("B");
	CHECK_INT(images_add(dir, fresh, "debian", &a, &e), 0);
	make_fresh("C");
	CHECK_INT(images_add(dir, fresh, "debian", &b, &e), 0);
	CHECK(strcmp(a.digest, b.digest) != 0);
	CHECK_INT(images_find(dir, "debian", &c, &e), 0);
	CHECK_STR(c.digest, b.digest);
	CHECK_INT(images_find(dir, a.digest, &c, &e), 0);
	CHECK_STR(c.name, "");
	end();
}

TEST(names_are_plain)
{
	CHECK(images_name_ok("debian-build"));
	CHECK(images_name_ok("d"));
	CHECK(!images_name_ok(""));
	CHECK(!images_name_ok("../x"));
	CHECK(!images_name_ok(".new"));
	CHECK(!images_name_ok("Debian"));
	CHECK(!images_name_ok("a/b"));
	CHECK(!images_name_ok("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
}
