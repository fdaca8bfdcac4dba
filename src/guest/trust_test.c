#include "guest/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"
#include "guest/host.h"

#define OTHER "-----BEGIN CERTIFICATE-----\nb3RoZXI=\n-----END CERTIFICATE-----\n"
#define OURS "-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n"

static const char *const folders[] = { "/etc", "/etc/ssl", "/etc/ssl/certs", "/usr", "/usr/local", "/usr/local/share", "/usr/local/share/ca-certificates" };
static const char *const files[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/saw-workspace.pem",
				     "/usr/local/share/ca-certificates/saw-workspace.crt" };

enum { N_FOLDERS = sizeof(folders) / sizeof(folders[0]), N_FILES = sizeof(files) / sizeof(files[0]), TEXT_MAX = 4096 };

struct machine {
	char root[64];
	char path[256];
	struct buf text;
};

static const char *at(struct machine *m, const char *path)
{
	(void)snprintf(m->path, sizeof(m->path), "%s%s", m->root, path);
	return m->path;
}

static void machine_init(struct machine *m, const char *bundle)
{
	*m = (struct machine){ .root = "/tmp/saw-trust-XXXXXX" };
	CHECK(mkdtemp(m->root) != NULL);
	for (size_t i = 0; i < N_FOLDERS; i++)
		CHECK(mkdir(at(m, folders[i]), 0755) == 0);
	CHECK(file_write(at(m, files[0]), bytes_str(bundle), 0644));
	buf_init(&m->text, TEXT_MAX);
}

static void machine_deinit(struct machine *m)
{
	for (size_t i = 0; i < N_FILES; i++)
		(void)unlink(at(m, files[i]));
	for (size_t i = N_FOLDERS; i-- > 0;)
		(void)rmdir(at(m, folders[i]));
	CHECK(rmdir(m->root) == 0);
	buf_deinit(&m->text);
}

static bool bundle_is(struct machine *m, const char *want)
{
	buf_reset(&m->text);
	return file_read(at(m, files[0]), &m->text) && bytes_is(buf_view(&m->text), want);
}

TEST(the_ca_is_in_its_folder_and_once_in_the_bundle_however_often_it_starts)
{
	struct machine m;

	machine_init(&m, OTHER);
	trust_ca(m.root, bytes_str(OURS));
	trust_ca(m.root, bytes_str(OURS));
	CHECK(bundle_is(&m, OTHER OURS));
	buf_reset(&m.text);
	CHECK(file_read(at(&m, files[2]), &m.text) && bytes_is(buf_view(&m.text), OURS));
	machine_deinit(&m);
}

TEST(a_start_that_ended_before_the_bundle_was_written_is_made_good_by_the_next)
{
	struct machine m;

	machine_init(&m, OTHER);
	CHECK(file_write(at(&m, files[2]), bytes_str(OURS), 0644));
	trust_ca(m.root, bytes_str(OURS));
	CHECK(bundle_is(&m, OTHER OURS));
	machine_deinit(&m);
}

TEST(a_bundle_without_a_last_newline_stays_one_that_can_be_read)
{
	struct machine m;

	machine_init(&m, "-----END CERTIFICATE-----");
	trust_ca(m.root, bytes_str(OURS));
	CHECK(bundle_is(&m, "-----END CERTIFICATE-----\n" OURS));
	machine_deinit(&m);
}

TEST(without_a_ca_nothing_is_touched)
{
	struct machine m;

	machine_init(&m, OTHER);
	trust_ca(m.root, bytes_of(NULL, 0));
	CHECK(bundle_is(&m, OTHER) && access(at(&m, files[2]), F_OK) != 0);
	machine_deinit(&m);
}
