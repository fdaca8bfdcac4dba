#include "guest/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/host.h"

enum { ORDER_MAX = 16 * 1024 };

static void load(const char *folder, struct bytes name)
{
	char path[256];
	int fd, len;

	len = snprintf(path, sizeof(path), "%s/%.*s", folder, (int)name.len, (const char *)name.p);
	if (len < 0 || (size_t)len >= sizeof(path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* ENODEV: built for hardware that is not here. */
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST && errno != ENODEV))
		say("module %s: %s", path, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

void modules_load(const char *folder)
{
	BUF_AUTO struct buf order;
	struct bytes left;
	char path[256];

	buf_init(&order, ORDER_MAX);
	(void)snprintf(path, sizeof(path), "%s/order", folder);
	if (!file_read(path, &order)) {
		say("%s: %s", path, strerror(errno));
		return;
	}
	for (left = buf_view(&order); left.len;) {
		size_t end = bytes_find(left, '\n');

		if (end)
			load(folder, bytes_of(left.p, end));
		left = bytes_skip(left, end < left.len ? end + 1 : end);
	}
}
