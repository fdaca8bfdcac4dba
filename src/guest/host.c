#include "guest/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void say_v(const char *format, va_list ap)
{
	BUF_AUTO struct buf b;
	ssize_t n;

	buf_init(&b, 2048);
	(void)buf_str(&b, "saw-guest: ");
	(void)buf_vfmt(&b, format, ap);
	(void)buf_byte(&b, '\n');
	n = write(STDERR_FILENO, b.p, b.len);
	(void)n;
}

void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say_v(format, ap);
	va_end(ap);
}

_Noreturn void give_up(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say_v(format, ap);
	va_end(ap);
	sync();
	(void)tcdrain(STDERR_FILENO);
	(void)reboot(RB_POWER_OFF);
	for (;;)
		(void)pause();
}

bool file_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	for (;;) {
		uint8_t chunk[4096];

		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (!buf_add(out, chunk, (size_t)n)) {
			n = -1;
			errno = EFBIG;
			break;
		}
	}
	(void)close(fd);
	return n == 0;
}

static bool write_all(int fd, struct bytes data)
{
	while (data.len) {
		ssize_t n = write(fd, data.p, data.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data = bytes_skip(data, (size_t)n);
	}
	return true;
}

bool file_write(const char *path, struct bytes data, mode_t mode)
{
	char fresh[512];
	int fd, len;
	bool ok;

	len = snprintf(fresh, sizeof(fresh), "%s.saw-new", path);
	if (len < 0 || (size_t)len >= sizeof(fresh))
		return false;
	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return false;
	ok = write_all(fd, data) && fchmod(fd, mode) == 0;
	(void)close(fd);
	if (ok && rename(fresh, path) == 0)
		return true;
	(void)unlink(fresh);
	return false;
}

bool file_keep(const char *path, struct bytes data, mode_t mode, bool *ret_changed)
{
	BUF_AUTO struct buf now;
	struct stat st;

	buf_init(&now, 1024 * 1024);
	*ret_changed = false;
	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == mode && st.st_uid == 0 &&
	    file_read(path, &now) && bytes_eq(buf_view(&now), data))
		return true;
	*ret_changed = true;
	return file_write(path, data, mode);
}

bool kernel_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write_all(fd, bytes_str(text));

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

int run_in(const char *root, const char *const argv[])
{
	static char *const env[] = { NULL };
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		char *args[16] = { NULL };

		for (size_t i = 0; argv[i] && i < 15; i++)
			args[i] = strdup(argv[i]);
		if (args[0] && chroot(root) == 0 && chdir("/") == 0)
			(void)execve(args[0], args, env);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
