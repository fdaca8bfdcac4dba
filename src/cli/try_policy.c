#include "cli/try_policy.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "os/fd.h"
#include "rules/policy.h"
#include "rules/policy_blob.h"

static int read_file(const char *path, struct buf *ret, struct err *e)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	for (;;) {
		uint8_t *room = buf_room(ret, 65536);
		ssize_t n = room ? read(fd, room, 65536) : -1;

		if (!room)
			return err_set(e, EFBIG, "%s: over %d bytes", path, POLICY_BLOB_MAX);
		if (n < 0)
			return err_sys(e, errno, "read %s", path);
		if (n == 0)
			return 0;
		buf_grew(ret, (size_t)n);
	}
}

int try_policy(const char *path, struct buf *ret, struct err *e)
{
	struct policy p = { 0 };
	int r;

	buf_init(ret, POLICY_BLOB_MAX);
	r = read_file(path, ret, e);
	if (r < 0)
		return r;
	return policy_open(&p, buf_view(ret), e) ? 0 : err_in(e, -EBADMSG, "%s", path);
}
