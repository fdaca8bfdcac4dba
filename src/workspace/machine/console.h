/* The guest's serial console: what QEMU writes into a pipe goes to the workspace's console.log, of which the newest part is kept. */
#ifndef SAW_MACHINE_CONSOLE_H
#define SAW_MACHINE_CONSOLE_H

#include "base/err.h"
#include "os/loop.h"

/* Zero is "none". */
struct console {
	struct loop_io io;
	int pipe_fd;
	int file_fd;
	uint64_t len; /* of the file */
};

/* Gives the writing end of a new pipe for QEMU in *ret_fd, the caller's to close, and moves what comes to the end of `file_fd` (borrowed, a
 * regular file open for reading and writing, nobody else's to write): never more than SPEC_CONSOLE_MAX bytes; when they are full, the newest
 * SPEC_CONSOLE_KEPT move to its start. Text is lost, not waited for, where the host's disk is full. `c` stays where it is.
 * Negative errno with a sentence: nothing is open. */
int console_init(struct console *c, struct loop *l, int file_fd, int *ret_fd, struct err *e);
/* Takes what is there now: for the moment when QEMU has ended. */
void console_drain(struct console *c);
/* Safe twice, and on zero. */
void console_deinit(struct console *c);

#endif
