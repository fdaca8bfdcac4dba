/* File descriptors: closing, flags, and sending them along. -1 is "none". */
#ifndef SAW_OS_FD_H
#define SAW_OS_FD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Closes when >= 0, keeps errno, returns -1: `fd = fd_close(fd)`. */
int fd_close(int fd);
void fd_closep(int *fd);
#define FD_AUTO __attribute__((cleanup(fd_closep)))

/* Gives *fd away and leaves -1 behind. */
static inline int fd_take(int *fd)
{
	int was = *fd;

	*fd = -1;
	return was;
}

/* First in the main() of what people start. Where descriptor 0, 1 or 2 is closed, a file that is opened later would get its number, and
 * with it what is printed: its place is taken by one that cannot be read, or written (-EBADF, as before). */
void fd_hold_standard(void);

int fd_nonblock(int fd, struct err *e);

/* Of a blocking descriptor. All of `data` is written, or -errno. */
int fd_write_all(int fd, struct bytes data);
/* The same at a place of a file, wherever its offset stands. */
int fd_pwrite_all(int fd, struct bytes data, uint64_t at);
/* Exactly `len` bytes from a place of a file, or -errno; -EIO: there are fewer. */
int fd_pread_all(int fd, void *ret, size_t len, uint64_t at);
/* Appends everything up to the end. -EFBIG: there is more than `ret` may hold; what fitted stands there. -ENOMEM, -errno. */
int fd_read_all(int fd, struct buf *ret);

struct stat;
/* A regular file that this user owns and nobody else may write, with what fstat() says of it. -EBADMSG: something else; -EPERM: somebody else could
 * write it; -errno. `name` is for the error. */
int fd_own_file(int fd, const char *name, struct stat *ret, struct err *e);

/* A read-only memfd with these contents, sealed against every change (also against resealing). Gives the fd. */
int fd_sealed(const char *name, const void *p, size_t len, struct err *e);
/* Maps a sealed memfd; refuses one that is not sealed against write, shrink and grow, is empty, or is over `max`.
 * Gives the mapping in *ret_p, *ret_len (munmap). */
int fd_map_sealed(int fd, size_t max, const void **ret_p, size_t *ret_len, struct err *e);

#endif
