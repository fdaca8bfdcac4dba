#include "workspace/supervisor/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ipc/types.h"
#include "os/fd.h"

/* Debian and its family, Red Hat and its family, Alpine and the BSDs. */
static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem" };

static int seal_file(int fd, const char *path, struct err *e)
{
	struct stat st;
	void *p;
	int r;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > IPC_ROOTS_MAX)
		return err_set(e, EFBIG, "root certificates %s: empty, or over %d bytes", path, IPC_ROOTS_MAX);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, errno, "root certificates %s", path);
	r = fd_sealed("roots", p, (size_t)st.st_size, e);
	(void)munmap(p, (size_t)st.st_size);
	return r;
}

int roots_open(struct err *e)
{
	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		FD_AUTO int fd = open(bundles[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			return seal_file(fd, bundles[i], e);
	}
	return fd_sealed("roots", "\n", 1, e);
}
