/* What a role gives up, in this order, each stage one line of its main:
 *
 *	jail_identity()      uid, gid, groups
 *	jail_capabilities()  all capability sets, no_new_privs, not dumpable, limits
 *	jail_namespaces()    an empty network, own IPC and host name
 *	jail_files()         Landlock: listed paths and nothing else, no TCP unless said, no signals to outside
 *	jail_syscalls()      seccomp: the base set and named extras; everything else kills the process
 *
 * Each returns 0 or a negative errno with a sentence that names the layer and the remedy. A missing layer is a refusal to start.
 * Sanitized builds leave out what sanitizers cannot live with: jail_left_out() says what, and the role logs it. */
#ifndef SAW_OS_JAIL_H
#define SAW_OS_JAIL_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Becomes uid and gid `uid` with no other groups; 0 keeps the present ones. Re-arms PDEATHSIG, which a change of uid clears;
 * a parent that is already gone ends the process. Call it first: it notes who the parent is. A process that shall outlive its
 * parent (saw-workspace) leaves this stage out. */
int jail_identity(uint64_t uid, struct err *e);
/* The same, and keeps one supplementary group (0: none): the one that may open /dev/kvm. */
int jail_identity_with(uint64_t uid, gid_t group, struct err *e);

#define JAIL_CAP(n) (1ULL << (n))
/* Empties every capability set but for `keep` (JAIL_CAP(CAP_...) of linux/capability.h, effective and permitted only), locks
 * the bounding set (as far as we may), sets no_new_privs and clears dumpable. `max_fds` is the limit of open descriptors
 * (0: keep); core dumps are off; `may_fork` false: the limit of processes is 0. */
int jail_capabilities(uint64_t keep, uint64_t max_fds, int may_fork, struct err *e);
/* For a program without a jail that holds a value: no core dump has its memory, and nobody but root may look into it, until it executes
 * another. Sanitized builds: nothing. */
int jail_hide_memory(struct err *e);
/* Empties the capability sets but for `keep` again, for a role that needs some while it sets up. */
int jail_capabilities_drop(uint64_t keep, struct err *e);

/* A fresh user namespace without any mapping, and in it an empty network namespace (not even lo is up), IPC and UTS. Descriptors
 * that are open stay valid: listeners keep listening where they were made. Capabilities gained on the way are dropped. */
int jail_namespaces(struct err *e);

enum jail_right {
	JAIL_READ = 1, /* read files */
	JAIL_LIST = 2, /* read folders */
	JAIL_WRITE = 4, /* write to and truncate existing files */
	JAIL_CREATE = 8, /* make, rename and remove files, folders and sockets */
	JAIL_EXEC = 16,
	JAIL_DEVICE = 32, /* ioctl on devices */
};
enum jail_net {
	JAIL_NET_NONE = 0,
	JAIL_NET_CONNECT = 1, /* outgoing TCP */
	JAIL_NET_BIND = 2, /* listening TCP */
	JAIL_NET_ANY = 3,
};
struct jail_path {
	const char *path; /* a path that does not exist is left out, unless `must_exist` */
	unsigned rights; /* enum jail_right, for it and everything below */
	int must_exist;
};
/* Landlock needs kernel 5.13 (ABI 1); TCP rules are enforced from ABI 4, signal and abstract-socket scopes from ABI 6; seccomp and the
 * empty network namespace carry these below that. */
int jail_files(const struct jail_path *paths, size_t n, unsigned net, struct err *e);
/* The same without any path: no file at all can be opened any more. */
int jail_no_files(unsigned net, struct err *e);

enum jail_set {
	JAIL_SYS_BASE = 0, /* memory, clocks, epoll, read and write, messages on open sockets, exit */
	JAIL_SYS_ACCEPT = 1, /* accept4, socket names and options, shutdown */
	JAIL_SYS_CONNECT = 2, /* socket(AF_INET, AF_INET6; stream, datagram), connect, bind */
	JAIL_SYS_LISTEN = 4, /* socket(AF_INET), bind, listen */
	JAIL_SYS_SPLICE = 8, /* splice, tee, pipe2 */
	JAIL_SYS_APPEND = 16, /* fdatasync, fsync, pread, pwrite, ftruncate, locks: on open files */
	JAIL_SYS_FILES = 32, /* openat and its family: with JAIL_SYS_APPEND a store (Landlock says where) */
	JAIL_SYS_CHILD = 64, /* clone, execve, waitid, pidfds: filters and jails of children must fit inside */
	JAIL_SYS_MEMFD = 128, /* memfd_create and sealing */
	JAIL_SYS_UNIX = 256, /* socket(AF_UNIX), socketpair, bind, listen, connect */
	JAIL_SYS_WATCH = 512, /* inotify */
	JAIL_SYS_PAIR = 1024, /* socketpair of streams: channels for others, no socket that reaches anybody */
};
int jail_syscalls(unsigned sets, struct err *e);
/* For a program that is not ours and that no list of calls fits (QEMU), before it is started: here and in all that is executed from here, what
 * makes, connects or accepts a socket, drives an io_uring, or takes hold of another process answers EPERM; a call by another architecture's
 * table (i386, x32) kills. Sockets that are open stay usable. jail_syscalls() may still follow. */
int jail_no_reach(struct err *e);

/* "" in a release build; else what this build leaves out. */
const char *jail_left_out(void);

#endif
