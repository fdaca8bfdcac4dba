#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/jail.h"

/* Lists of what is allowed, never of what is forbidden (but for jail_no_reach, for a program that is not ours). Everything else ends the
 * process by SIGSYS, which its parent sees and logs. What glibc needs behind our back stands in the base set: malloc (brk, mmap, madvise,
 * mremap), stdio-free printing, getrandom, futexes. Nothing may become executable: mmap and mprotect are allowed without PROT_EXEC only. */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const int base[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(close), SCMP_SYS(fstat),
	SCMP_SYS(lseek), SCMP_SYS(dup), SCMP_SYS(fcntl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(munmap), SCMP_SYS(mremap),
	SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(getrandom),
	SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(sched_yield), SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
};
static const int accepting[] = { SCMP_SYS(accept4), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
				 SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(shutdown) };
static const int connecting[] = { SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
				  SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(shutdown) };
static const int listening[] = { SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
				 SCMP_SYS(getsockname) };
static const int splicing[] = { SCMP_SYS(splice), SCMP_SYS(tee), SCMP_SYS(pipe2) };
static const int appending[] = { SCMP_SYS(fdatasync), SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(pread64),
				 SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(preadv), SCMP_SYS(fallocate),
				 SCMP_SYS(flock) };
/* Landlock does not ask who changes a file's mode, owner or times: that goes by descriptor only, and so only where Landlock let it be opened. */
static const int files[] = {
	SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),
	SCMP_SYS(getdents64), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(statfs),
	SCMP_SYS(fstatfs), SCMP_SYS(getcwd), SCMP_SYS(umask), SCMP_SYS(ftruncate), SCMP_SYS(copy_file_range),
};
static const int children[] = {
	SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(vfork), SCMP_SYS(fork), SCMP_SYS(execve), SCMP_SYS(wait4),
	SCMP_SYS(waitid), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal), SCMP_SYS(kill), SCMP_SYS(setsid),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(close_range), SCMP_SYS(prctl), SCMP_SYS(prlimit64),
};
static const int memory_files[] = { SCMP_SYS(memfd_create), SCMP_SYS(ftruncate) };
static const int unix_sockets[] = { SCMP_SYS(socketpair), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(connect),
				    SCMP_SYS(accept4), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
				    SCMP_SYS(getpeername), SCMP_SYS(shutdown) };
static const int pairing[] = { SCMP_SYS(setsockopt) };
static const int watching[] = { SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch) };

static const struct {
	unsigned set;
	const int *calls;
	size_t n;
} sets_table[] = {
	{ JAIL_SYS_BASE, base, COUNT(base) },
	{ JAIL_SYS_ACCEPT, accepting, COUNT(accepting) },
	{ JAIL_SYS_CONNECT, connecting, COUNT(connecting) },
	{ JAIL_SYS_LISTEN, listening, COUNT(listening) },
	{ JAIL_SYS_SPLICE, splicing, COUNT(splicing) },
	{ JAIL_SYS_APPEND, appending, COUNT(appending) },
	{ JAIL_SYS_FILES, files, COUNT(files) },
	{ JAIL_SYS_CHILD, children, COUNT(children) },
	{ JAIL_SYS_MEMFD, memory_files, COUNT(memory_files) },
	{ JAIL_SYS_UNIX, unix_sockets, COUNT(unix_sockets) },
	{ JAIL_SYS_WATCH, watching, COUNT(watching) },
	{ JAIL_SYS_PAIR, pairing, COUNT(pairing) },
};

static int add_sets(scmp_filter_ctx ctx, unsigned sets)
{
	for (size_t i = 0; i < COUNT(sets_table); i++) {
		if (sets_table[i].set != JAIL_SYS_BASE && !(sets & sets_table[i].set))
			continue;
		for (size_t k = 0; k < sets_table[i].n; k++) {
			int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, sets_table[i].calls[k], 0);

			if (r < 0 && r != -EEXIST)
				return r;
		}
	}
	return 0;
}

static int add_socket(scmp_filter_ctx ctx, int family, int type)
{
	const uint64_t kind = ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family),
				 SCMP_A1(SCMP_CMP_MASKED_EQ, kind, (scmp_datum_t)type));

	return r == -EEXIST ? 0 : r;
}

/* Connected for good: a datagram socket of a pair sends to any pathname socket of the host by the address in sendto(). */
static int add_pair(scmp_filter_ctx ctx, int type)
{
	const uint64_t kind = ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);

	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2, SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
				SCMP_A1(SCMP_CMP_MASKED_EQ, kind, (scmp_datum_t)type));
}

/* Calls that are allowed with certain arguments only. */
static int add_conditional(scmp_filter_ctx ctx, unsigned sets)
{
	const scmp_datum_t x = PROT_EXEC;
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, x, 0));

	r = r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, x, 0));
	/* fstat() of newer C libraries: newfstatat(fd, "", ...) with AT_EMPTY_PATH. A path needs JAIL_SYS_FILES. */
	if (!(sets & JAIL_SYS_FILES))
		r = r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
						 SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	/* must_failed(): itself only. */
	if (!(sets & JAIL_SYS_CHILD))
		r = r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
						 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (sets & (JAIL_SYS_CONNECT | JAIL_SYS_LISTEN))
		r = r < 0 ? r : add_socket(ctx, AF_INET, SOCK_STREAM);
	if (sets & (JAIL_SYS_CONNECT | JAIL_SYS_LISTEN))
		r = r < 0 ? r : add_socket(ctx, AF_INET, SOCK_DGRAM);
	if (sets & JAIL_SYS_CONNECT)
		r = r < 0 ? r : add_socket(ctx, AF_INET6, SOCK_STREAM);
	if (sets & JAIL_SYS_CONNECT)
		r = r < 0 ? r : add_socket(ctx, AF_INET6, SOCK_DGRAM);
	if (sets & (JAIL_SYS_PAIR | JAIL_SYS_CHILD) && !(sets & JAIL_SYS_UNIX)) {
		r = r < 0 ? r : add_pair(ctx, SOCK_STREAM);
		r = r < 0 ? r : add_pair(ctx, SOCK_SEQPACKET);
	}
	if (sets & JAIL_SYS_UNIX)
		r = r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
						 SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	return r;
}

int jail_syscalls(unsigned sets, struct err *e)
{
	scmp_filter_ctx ctx;
	int r;

#ifdef SAW_SANITIZED
	(void)e;
	if (sets != ~0U)
		return 0;
#endif
	ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return err_set(e, ENOMEM, "jail: seccomp: out of memory");
	/* A binary tree over the numbers: what a tunnel calls most is otherwise late in a long chain. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = r < 0 ? r : add_sets(ctx, sets);
	r = r < 0 ? r : add_conditional(ctx, sets);
	r = r < 0 ? r : seccomp_load(ctx);
	seccomp_release(ctx);
	if (r < 0)
		return err_sys(e, -r, "jail: seccomp: load the filter: build the kernel with CONFIG_SECCOMP_FILTER");
	return 0;
}

/* Pathname sockets are files that Landlock does not guard and that no network namespace hides, and SO_PEERCRED says our user. No pair
 * either: a datagram socket, once there, sends to any address by sendmsg(), whose address a filter cannot see; the stream that is handed
 * down cannot. A ring makes and connects sockets without these calls. The rest takes descriptors or memory from a process of the same user,
 * or makes a namespace to hold capabilities in. */
static const int reaching[] = {
	SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(socketcall), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise), SCMP_SYS(kcmp), SCMP_SYS(move_pages), SCMP_SYS(migrate_pages), SCMP_SYS(perf_event_open),
	SCMP_SYS(bpf), SCMP_SYS(userfaultfd), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
	SCMP_SYS(open_by_handle_at),
};

int jail_no_reach(struct err *e)
{
	scmp_filter_ctx ctx;
	int r;

#ifdef SAW_SANITIZED
	(void)e;
	if (COUNT(reaching) > 0)
		return 0;
#endif
	ctx = seccomp_init(SCMP_ACT_ALLOW);
	if (!ctx)
		return err_set(e, ENOMEM, "jail: seccomp: out of memory");
	/* The same calls have other numbers for i386 and x32, where this list would not know them. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	r = r < 0 ? r : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; r >= 0 && i < COUNT(reaching); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), reaching[i], 0);
	r = r < 0 ? r : seccomp_load(ctx);
	seccomp_release(ctx);
	if (r < 0)
		return err_sys(e, -r, "jail: seccomp: load the filter: build the kernel with CONFIG_SECCOMP_FILTER");
	return 0;
}
