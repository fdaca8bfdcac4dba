#include "cli/image_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/fd.h"

/* ustar (POSIX.1-2001 pax, "ustar Interchange Format") and newc (Linux, driver-api/early-userspace/buffer-format). Both: a header,
 * the data, padding. */

enum { TAR_BLOCK = 512, CPIO_ALIGN = 4, COPY_MAX = 256 * 1024 * 1024 };

static void put(struct image_files *f, const void *p, size_t len)
{
	int r = f->failed ? 0 : fd_write_all(f->fd, bytes_of(p, len));

	if (r < 0)
		f->failed = err_sys(f->e, -r, "write an archive of the image");
	f->at += len;
}

static void pad(struct image_files *f, unsigned to)
{
	static const uint8_t zero[TAR_BLOCK];

	if (f->at % to)
		put(f, zero, to - f->at % to);
}

void image_files_open(struct image_files *f, enum image_files_kind kind, const char *path, struct err *e)
{
	*f = (struct image_files){ .kind = kind, .e = e };
	f->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (f->fd < 0)
		f->failed = err_sys(e, errno, "create %s", path);
}

static void octal(char *to, size_t width, uint64_t v)
{
	to[--width] = '\0';
	while (width--) {
		to[width] = (char)('0' + (v & 7));
		v >>= 3;
	}
}

static void tar_header(struct image_files *f, const char *name, char type, mode_t mode, size_t len, const char *target)
{
	char h[TAR_BLOCK] = { 0 };
	unsigned sum = 0;

	(void)snprintf(h, 100, ".%s", name);
	octal(h + 100, 8, mode & 07777);
	octal(h + 108, 8, 0);
	octal(h + 116, 8, 0);
	octal(h + 124, 12, len);
	octal(h + 136, 12, 0);
	memset(h + 148, ' ', 8);
	h[156] = type;
	(void)snprintf(h + 157, 100, "%s", target);
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (uint8_t)h[i];
	octal(h + 148, 7, sum);
	put(f, h, sizeof(h));
}

static void cpio_header(struct image_files *f, const char *name, mode_t mode, size_t len)
{
	BUF_AUTO struct buf b;

	buf_init(&b, 1024);
	(void)buf_fmt(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s", f->n, (unsigned)mode, 0U, 0U, 1U, 0U,
		      (unsigned)len, 0U, 0U, 0U, 0U, (unsigned)strlen(name) + 1, 0U, name);
	(void)buf_byte(&b, 0);
	put(f, b.p, b.len);
	pad(f, CPIO_ALIGN);
}

static void entry(struct image_files *f, const char *name, mode_t mode, struct bytes data, const char *target)
{
	bool link = S_ISLNK(mode);

	if (!f->failed && (strlen(name) > IMAGE_FILES_NAME_MAX - 1 || strlen(target) > IMAGE_FILES_NAME_MAX))
		f->failed = err_set(f->e, ENAMETOOLONG, "%s: over 98 characters", name);
	f->n++;
	if (f->kind == IMAGE_FILES_CPIO) {
		/* Names of an initramfs have no leading slash. */
		cpio_header(f, name + 1, mode, link ? strlen(target) : data.len);
		put(f, link ? (const void *)target : data.p, link ? strlen(target) : data.len);
		pad(f, CPIO_ALIGN);
		return;
	}
	tar_header(f, name, link ? '2' : S_ISDIR(mode) ? '5' : '0', mode, data.len, target);
	put(f, data.p, data.len);
	pad(f, TAR_BLOCK);
}

void image_files_dir(struct image_files *f, const char *name)
{
	entry(f, name, S_IFDIR | 0755, bytes_of(NULL, 0), "");
}

void image_files_file(struct image_files *f, const char *name, mode_t mode, struct bytes data)
{
	entry(f, name, S_IFREG | mode, data, "");
}

void image_files_link(struct image_files *f, const char *name, const char *target)
{
	entry(f, name, S_IFLNK | 0777, bytes_of(NULL, 0), target);
}

void image_files_copy(struct image_files *f, const char *name, mode_t mode, const char *from)
{
	FD_AUTO int fd = open(from, O_RDONLY | O_CLOEXEC);
	BUF_AUTO struct buf b;
	int r;

	buf_init(&b, COPY_MAX);
	r = fd < 0 ? -errno : fd_read_all(fd, &b);
	if (r < 0 && !f->failed)
		f->failed = err_sys(f->e, -r, "read %s", from);
	image_files_file(f, name, mode, buf_view(&b));
}

int image_files_close(struct image_files *f)
{
	if (f->kind == IMAGE_FILES_CPIO) {
		f->n = 0;
		cpio_header(f, "TRAILER!!!", 0, 0);
		pad(f, TAR_BLOCK);
	} else {
		static const uint8_t zero[2 * TAR_BLOCK];

		put(f, zero, sizeof(zero));
	}
	if (!f->failed && fsync(f->fd) < 0)
		f->failed = err_sys(f->e, errno, "write an archive of the image");
	f->fd = fd_close(f->fd);
	return f->failed;
}
