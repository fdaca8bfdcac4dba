#include "os/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"

static char folder[64];
static char path[128];

static void make_folder(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/saw-disk-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/home.img", folder);
}

static void remove_folder(void)
{
	(void)unlink(path);
	CHECK_INT(rmdir(folder), 0);
}

TEST(a_new_disk_is_sparse_private_and_ext4)
{
	struct err e = { 0 };
	struct stat st;
	uint8_t magic[2] = { 0 };
	FILE *f;

	make_folder();
	CHECK_INT(disk_create(path, 2ULL << 30, "saw-home", &e), 0);
	CHECK_STR(e.text, "");
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_size, 2LL << 30);
	CHECK_INT(st.st_mode & 0777, 0600);
	CHECK(st.st_blocks < 64 * 2048);
	f = fopen(path, "re");
	CHECK(f && fseek(f, 1024 + 0x38, SEEK_SET) == 0 && fread(magic, 1, 2, f) == 2);
	CHECK(magic[0] == 0x53 && magic[1] == 0xef);
	if (f)
		(void)fclose(f);
	remove_folder();
}

TEST(an_existing_disk_is_left_as_it_is)
{
	struct err e = { 0 };
	struct stat st;
	FILE *f;

	make_folder();
	f = fopen(path, "we");
	CHECK(f && fputs("data", f) >= 0 && fclose(f) == 0);
	CHECK_INT(disk_create(path, 1ULL << 30, "saw-home", &e), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_size, 4);
	remove_folder();
}

TEST(a_size_out_of_range_is_refused_and_leaves_nothing)
{
	struct err e = { 0 };

	make_folder();
	CHECK_INT(disk_create(path, 1000, "saw-home", &e), -EINVAL);
	CHECK(strstr(e.text, "64MiB") != NULL);
	CHECK_INT(access(path, F_OK), -1);
	remove_folder();
}
