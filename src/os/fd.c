#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int fd_close(int fd)
{
	int was = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = was;
	return -1;
}

void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

void fd_hold_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0) /* the lowest that is free, and so its place */
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int fd_nonblock(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, "set descriptor %d non-blocking", fd);
	return 0;
}

int fd_write_all(int fd, struct bytes data)
{
	while (data.len) {
		ssize_t n = write(fd, data.p, data.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data = bytes_skip(data, (size_t)n);
	}
	return 0;
}

int fd_pwrite_all(int fd, struct bytes data, uint64_t at)
{
	while (data.len) {
		ssize_t n = pwrite(fd, data.p, data.len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data = bytes_skip(data, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

int fd_pread_all(int fd, void *ret, size_t len, uint64_t at)
{
	uint8_t *p = ret;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

int fd_read_all(int fd, struct buf *ret)
{
	enum { STEP = 64 * 1024 };

	for (;;) {
		size_t room = ret->max - ret->len < STEP ? ret->max - ret->len : STEP;
		uint8_t over = 0;
		uint8_t *p = room ? buf_room(ret, room) : &over;
		ssize_t n = p ? read(fd, p, room ? room : 1) : 0;

		if (!p)
			return -ENOMEM;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (!room)
			return -EFBIG;
		buf_grew(ret, (size_t)n);
	}
}

int fd_own_file(int fd, const char *name, struct stat *ret, struct err *e)
{
	if (fstat(fd, ret))
		return err_sys(e, errno, "%s", name);
	if (!S_ISREG(ret->st_mode))
		return err_set(e, EBADMSG, "%s is not a regular file: move it away", name);
	if (ret->st_uid != geteuid())
		return err_set(e, EPERM, "%s belongs to user %u, not to user %u: move it away, or change its owner", name, ret->st_uid, geteuid());
	if (ret->st_mode & 022)
		return err_set(e, EPERM, "%s may be written by others: look at what it has, then `chmod go-w` it", name);
	return 0;
}

int fd_sealed(const char *name, const void *p, size_t len, struct err *e)
{
	FD_AUTO int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "create memory file %s", name);
	r = fd_write_all(fd, bytes_of(p, len));
	if (r < 0)
		return err_sys(e, -r, "write memory file %s", name);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_sys(e, errno, "seal memory file %s", name);
	return fd_take(&fd);
}

int fd_map_sealed(int fd, size_t max, const void **ret_p, size_t *ret_len, struct err *e)
{
	const int want = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p;

	if (seals < 0 || (seals & want) != want)
		return err_set(e, EPERM, "memory file is not sealed");
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "stat memory file");
	if (st.st_size <= 0 || (size_t)st.st_size > max)
		return err_set(e, EFBIG, "memory file has %lld bytes, allowed are 1 to %zu",
			       (long long)st.st_size, max);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, errno, "map memory file");
	*ret_p = p;
	*ret_len = (size_t)st.st_size;
	return 0;
}
