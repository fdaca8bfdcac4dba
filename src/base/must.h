/* Stops the process on a broken invariant of our own. Bytes from a peer never reach it. */
#ifndef SAW_BASE_MUST_H
#define SAW_BASE_MUST_H

#include <stdnoreturn.h>

#define must(condition)                                                                            \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0))                                             \
			must_failed(#condition, __FILE__, __LINE__);                               \
	} while (0)

/* Writes one line to fd 2 with write(2) only, then exits by SIGKILL: works inside every jail,
 * where glibc's abort() would first be killed for its own system calls. */
noreturn void must_failed(const char *what, const char *file, int line);

#endif
