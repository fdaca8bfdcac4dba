/* Starting our own programs: fork + exec with a fixed set of descriptors and nothing else inherited. */
#ifndef SAW_OS_CHILD_H
#define SAW_OS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "os/loop.h"

enum { CHILD_FDS_MAX = 24, CHILD_FD_TO_MAX = 63 };

/* Descriptor `from` of ours becomes `to` (0..CHILD_FD_TO_MAX) in the child. Order does not matter, overlaps are fine. */
struct child_fd {
	int from;
	int to;
};

enum child_flag {
	CHILD_OUTLIVES = 1, /* no PDEATHSIG: survives its parent (sawd starting saw-workspace) */
	CHILD_SAME_SESSION = 2, /* no setsid(): stays in the caller's session and process group (saw try) */
	CHILD_KEEP_ENV = 4, /* our own environment instead of an empty one (the command of saw try) */
};

/* All borrowed. Descriptors 0, 1 and 2 are /dev/null unless `fds` names them; all others that `fds` does not name are closed. */
struct child_spec {
	const char *path; /* the executable, absolute */
	const char *title; /* argv[0]: what ps shows, "saw-inlet: dev" */
	const char *const *args; /* argv[1...], NULL-terminated; NULL: none */
	const struct child_fd *fds;
	size_t n_fds;
	unsigned flags; /* enum child_flag */
};

/* A running child. Zero is "none": use CHILD_NONE. */
struct child {
	pid_t pid;
	int pid_fd; /* readable when it ended: watch it in the loop */
};
#define CHILD_NONE ((struct child){ .pid = 0, .pid_fd = -1 })

/* Returns once exec has succeeded (0), or a negative errno with a sentence; then nothing is left running. The child has
 * default signal handlers and an empty mask, an empty environment (a sanitized build passes *SAN_OPTIONS on), a session
 * of its own, and dies with this process by SIGKILL. PDEATHSIG is lost when the child changes its uid: os/jail.h re-arms it. */
int child_start(struct child *ret, const struct child_spec *s, struct err *e);

/* How it ended. */
struct child_end {
	bool signalled;
	int code; /* exit status, or the signal's number */
};

/* Collects a child that has ended, forgets it. 1: *ret is set; 0: still running; negative errno. */
int child_reap(struct child *c, struct child_end *ret);
/* For the callback of a pid_fd in a loop: true when the child was collected (*ret is set, `io` is out of the loop). False: not yet,
 * and the loop will say so again: a process that is traced ends before its parent may collect it. */
bool child_ended(struct loop_io *io, struct child *c, struct child_end *ret);
/* By pidfd: never hits a stranger. Nothing when there is no child. */
void child_signal(const struct child *c, int sig);
/* SIGKILL, wait, forget. Safe on CHILD_NONE. */
void child_kill(struct child *c);

enum { CHILD_END_TEXT_MAX = 64 };
/* "exit status 1", "signal 9 (Killed)". */
void child_end_text(const struct child_end *end, char ret[CHILD_END_TEXT_MAX]);

#endif
