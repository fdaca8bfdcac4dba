#include "cli/image_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/json_out.h"
#include "base/time_text.h"
#include "os/fd.h"
#include "os/loop.h"
#include "store/images.h"

static int read_list(const char *path, bool may_lack, struct buf *ret, struct err *e)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	buf_init(ret, IMAGES_MANIFEST_MAX / 2);
	if (fd < 0 && may_lack)
		return 0;
	if (fd < 0)
		return err_sys(e, errno, "read %s", path);
	r = fd_read_all(fd, ret);
	return r < 0 ? err_sys(e, -r, "read %s", path) : 0;
}

static void put_lines(struct json_out *j, const char *key, struct bytes left)
{
	json_out_key(j, key);
	json_out_array(j);
	while (left.len) {
		size_t end = bytes_find(left, '\n');

		json_out_bytes(j, bytes_of(left.p, end));
		left = bytes_skip(left, end < left.len ? end + 1 : end);
	}
	json_out_array_end(j);
}

static int put_file(struct json_out *j, const char *name, struct err *e)
{
	uint8_t digest[SHA256_LEN];
	char hex[SHA256_HEX_MAX];
	uint64_t bytes;
	int r = images_digest_file(name, digest, &bytes, e);

	if (r < 0)
		return r;
	sha256_hex(digest, hex);
	json_out_key(j, name);
	json_out_object(j);
	json_out_key_str(j, "sha256", hex);
	json_out_key_u64(j, "bytes", bytes);
	json_out_object_end(j);
	return 0;
}

/* "linux-image-6.1.0-1-cloud-amd64 6.1.1-1\n" without its end. */
static struct bytes one_line(const struct buf *b)
{
	return bytes_of(b->p, bytes_find(buf_view(b), '\n'));
}

static int put_all(struct image_manifest *m, struct buf *out, struct err *e)
{
	char now[TIME_TEXT_MAX], hex[SHA256_HEX_MAX];
	struct json_out j;
	int r;

	time_text(clock_real_ms(), now);
	sha256_hex(m->recipe, hex);
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key_u64(&j, "version", IMAGE_MANIFEST_VERSION);
	json_out_key_str(&j, "name", m->name);
	json_out_key_str(&j, "created", now);
	json_out_key_str(&j, "builder", "saw " SAW_VERSION);
	json_out_key_str(&j, "suite", m->suite);
	json_out_key_str(&j, "arch", m->arch);
	json_out_key_str(&j, "recipe_sha256", hex);
	json_out_key_bytes(&j, "kernel", one_line(&m->kernel));
	json_out_key(&j, "files");
	json_out_object(&j);
	r = put_file(&j, "kernel", e);
	r = r < 0 ? r : put_file(&j, "initrd", e);
	r = r < 0 ? r : put_file(&j, "base.img", e);
	json_out_object_end(&j);
	put_lines(&j, "sources", m->sources);
	if (m->registry.len) {
		json_out_key_bytes(&j, "npm_registry", m->registry);
		json_out_key_str(&j, "npm", m->npm);
	}
	put_lines(&j, "host_root_certificates", buf_view(&m->roots));
	put_lines(&j, "packages", buf_view(&m->packages));
	json_out_object_end(&j);
	(void)buf_byte(out, '\n');
	return r;
}

int image_manifest_write(struct image_manifest *m, const char *path, struct err *e)
{
	FD_AUTO int fd = -1;
	BUF_AUTO struct buf out;
	int r;

	buf_init(&out, IMAGES_MANIFEST_MAX);
	r = read_list("out/packages", false, &m->packages, e);
	r = r < 0 ? r : read_list("out/roots", true, &m->roots, e);
	r = r < 0 ? r : read_list("out/kernel-package", false, &m->kernel, e);
	r = r < 0 ? r : put_all(m, &out, e);
	if (r < 0)
		return r;
	if (out.failed)
		return err_set(e, EFBIG, "the manifest is too large");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	r = fd < 0 ? -errno : fd_write_all(fd, buf_view(&out));
	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

void image_manifest_deinit(struct image_manifest *m)
{
	buf_deinit(&m->packages);
	buf_deinit(&m->roots);
	buf_deinit(&m->kernel);
}
