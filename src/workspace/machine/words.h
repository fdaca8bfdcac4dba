/* What QEMU writes on its standard error: whole lines go to the log (at length not all: os/log.h), the last one that is no warning is kept for whoever asks why it ended. */
#ifndef SAW_MACHINE_WORDS_H
#define SAW_MACHINE_WORDS_H

#include "base/err.h"
#include "os/log.h"
#include "os/loop.h"

enum { WORDS_LINE_MAX = 400 /* a longer line is cut in two */, WORDS_LAST_MAX = 120 /* what is kept of one */ };

/* Zero is "none". */
struct words {
	struct loop_io io;
	struct log_meter meter;
	int fd;
	size_t len;
	char line[WORDS_LINE_MAX];
	char last[WORDS_LAST_MAX + 1];
};

/* Gives the writing end of a new pipe for the child in *ret_fd, the caller's to close, and reads the other in the loop. `w` stays where it is.
 * Negative errno with a sentence: nothing is open. */
int words_init(struct words *w, struct loop *l, int *ret_fd, struct err *e);
/* Safe twice, and on zero. */
void words_deinit(struct words *w);

/* Takes what is there now, an unfinished line included: for the moment when the child has ended. Printable ASCII, borrowed; "" when it said
 * nothing. A program that a guest may have taken over wrote it: quote it, decide nothing by it. */
const char *words_last(struct words *w);

#endif
