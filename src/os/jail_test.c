#include "os/jail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"

/* Each case runs in a child: it enters some stages, tries one thing, and tells by its end what happened. */

enum { DONE = 0, REFUSED = 10, STAGE_FAILED = 99 };

typedef int (*attempt_fn)(void);

static int run(int (*enter)(void), attempt_fn attempt)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter() < 0 ? STAGE_FAILED : attempt() < 0 ? REFUSED : DONE);
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static bool left_out(void)
{
	if (!*jail_left_out())
		return false;
	tap_skip("a sanitized build has no seccomp filter");
	return true;
}

/* The profiles of our roles, as their mains enter them. */
static int first_stages(void)
{
	int r = jail_identity(0, NULL);

	return r < 0 ? r : jail_capabilities(0, 64, 0, NULL);
}

static int like_inlet(void)
{
	int r = first_stages();

	r = r < 0 ? r : jail_namespaces(NULL);
	r = r < 0 ? r : jail_no_files(JAIL_NET_NONE, NULL);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_ACCEPT | JAIL_SYS_SPLICE, NULL);
}

static int like_outlet(void)
{
	int r = first_stages();

	r = r < 0 ? r : jail_namespaces(NULL);
	r = r < 0 ? r : jail_no_files(JAIL_NET_NONE, NULL);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_ACCEPT | JAIL_SYS_PAIR, NULL);
}

static int like_dialer(void)
{
	int r = first_stages();

	r = r < 0 ? r : jail_no_files(JAIL_NET_CONNECT, NULL);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_CONNECT, NULL);
}

/* What saw-machine enters before it starts QEMU; its files are not the matter here. */
static int like_qemu(void)
{
	int r = jail_identity(0, NULL);

	r = r < 0 ? r : jail_capabilities(0, 64, 1, NULL);
	r = r < 0 ? r : jail_namespaces(NULL);
	r = r < 0 ? r : jail_no_files(JAIL_NET_NONE, NULL);
	return r < 0 ? r : jail_no_reach(NULL);
}

static int without_seccomp(void)
{
	int r = first_stages();

	r = r < 0 ? r : jail_namespaces(NULL);
	return r < 0 ? r : jail_no_files(JAIL_NET_NONE, NULL);
}

static int like_core(void)
{
	struct jail_path own = { .path = "/dev/shm", .rights = JAIL_READ | JAIL_LIST | JAIL_WRITE | JAIL_CREATE };
	int r = first_stages();

	r = r < 0 ? r : jail_files(&own, 1, JAIL_NET_NONE, NULL);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_FILES | JAIL_SYS_APPEND | JAIL_SYS_MEMFD, NULL);
}

static int files_only(void)
{
	struct jail_path own = { .path = "/dev/shm", .rights = JAIL_READ | JAIL_LIST | JAIL_WRITE | JAIL_CREATE };
	int r = first_stages();

	return r < 0 ? r : jail_files(&own, 1, JAIL_NET_ANY, NULL);
}

static int work_as_usual(void)
{
	char *p = malloc(4 * 1024 * 1024);
	struct stat st;
	int pair_fd = dup(2);

	if (!p || fstat(2, &st) < 0 || pair_fd < 0)
		return -1;
	memset(p, 1, 4 * 1024 * 1024);
	p = realloc(p, 8 * 1024 * 1024);
	free(p);
	return getpid() > 0 ? 0 : -1;
}

static int open_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int write_outside(void)
{
	return open("/tmp/saw-jail-test-outside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int write_inside(void)
{
	int fd = open("/dev/shm/saw-jail-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 || unlink("/dev/shm/saw-jail-test") < 0 ? -1 : 0;
}

/* Of a file of ours that Landlock lets nobody here open. */
static char outside[] = "/tmp/saw-jail-test-mode-XXXXXX";

static int change_mode_outside(void)
{
	return chmod(outside, 04755);
}

static int change_mode_outside_at(void)
{
	return fchmodat(AT_FDCWD, outside, 04755, 0);
}

static int change_times_outside(void)
{
	return utimensat(AT_FDCWD, outside, NULL, 0);
}

static int change_mode_inside(void)
{
	int fd = open("/dev/shm/saw-jail-test-mode", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 || fchmod(fd, 0640) < 0 || unlink("/dev/shm/saw-jail-test-mode") < 0 ? -1 : 0;
}

static int execute(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	(void)execv("/bin/true", argv);
	return -1;
}

static int fork_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static int make_socket(int family, int type)
{
	return socket(family, type | SOCK_CLOEXEC, 0);
}

static int inet_socket(void)
{
	return make_socket(AF_INET, SOCK_STREAM);
}

static int unix_socket(void)
{
	return make_socket(AF_UNIX, SOCK_STREAM);
}

static int socket_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int netlink_socket(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW);
}

static int raw_socket(void)
{
	return make_socket(AF_INET, SOCK_RAW);
}

static int connect_out(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x7f000001) };
	int fd = inet_socket();
	int r = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof(to));

	/* Nobody listens there: refused by the peer means that the way is open. */
	return r < 0 && errno == ECONNREFUSED ? 0 : r;
}

static int listen_tcp(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	int fd = inet_socket();

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -1;
	return listen(fd, 1);
}

static int trace_parent(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int signal_parent(void)
{
	return kill(getppid(), 0);
}

static int executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int memory_made_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 0 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int look_at_path(void)
{
	struct stat st;

	return (int)syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0);
}

static int new_namespace(void)
{
	return (int)syscall(SYS_unshare, 0x10000000);
}

/* A socket of this user's own that only this user may use, as sawd's is, asked by a socket that was open before. */
static int pathname_fd = -1;
static struct sockaddr_un pathname = { .sun_family = AF_UNIX, .sun_path = "/dev/shm/saw-jail-test.sock" };

static int listen_pathname(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	pathname_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)unlink(pathname.sun_path);
	if (fd < 0 || pathname_fd < 0 || bind(fd, (struct sockaddr *)&pathname, sizeof(pathname)) < 0 ||
	    chmod(pathname.sun_path, 0600) < 0 || listen(fd, 8) < 0)
		return -1;
	return fd;
}

static int connect_pathname(void)
{
	return connect(pathname_fd, (struct sockaddr *)&pathname, sizeof(pathname));
}

static int bind_socket(void)
{
	struct sockaddr_un none = { .sun_family = AF_UNIX };

	return bind(pathname_fd, (struct sockaddr *)&none, sizeof(none.sun_family));
}

static int datagram_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair);
}

static int make_ring(void)
{
	char params[120] = { 0 }; /* struct io_uring_params */

	return (int)syscall(SYS_io_uring_setup, 1U, params);
}

static int take_own_fd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0U);

	return fd < 0 ? 0 : (int)syscall(SYS_pidfd_getfd, fd, 2, 0U);
}

static int read_own_memory(void)
{
	char from = 1;
	char to = 0;
	struct iovec a = { &to, 1 };
	struct iovec b = { &from, 1 };

	return (int)process_vm_readv(getpid(), &a, 1, &b, 1, 0);
}

static int compare_self(void)
{
	return (int)syscall(SYS_kcmp, getpid(), getpid(), 0, 2UL, 2UL);
}

static int raise_limit(void)
{
	struct rlimit l = { 128, 128 };

	return setrlimit(RLIMIT_NOFILE, &l);
}

static int may_dump(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_CORE, &l) == 0 && l.rlim_max ? 0 : -1;
}

static int has_capability(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	if (syscall(SYS_capget, &h, d) < 0)
		return 0;
	return d[0].effective | d[0].permitted | d[0].inheritable | d[1].effective | d[1].permitted | d[1].inheritable ? 0 : -1;
}

static int may_gain_a_capability(void)
{
	return prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ? 0 : -1;
}

static int may_be_looked_into(void)
{
	return prctl(PR_GET_DUMPABLE) != 0 ? 0 : -1;
}

static int outlives_its_parent(void)
{
	int sent = 0;

	return prctl(PR_GET_PDEATHSIG, &sent) == 0 && sent == SIGKILL ? -1 : 0;
}

static char spaces[2][64];

static void note_space(const char *path, char ret[64])
{
	ssize_t n = readlink(path, ret, 63);

	ret[n < 0 ? 0 : n] = '\0';
}

static int is_in_another_space(void)
{
	char now[2][64];

	note_space("/proc/self/ns/ipc", now[0]);
	note_space("/proc/self/ns/uts", now[1]);
	return strcmp(now[0], spaces[0]) != 0 && strcmp(now[1], spaces[1]) != 0 ? 0 : -1;
}

static int namespaces_alone(void)
{
	return jail_namespaces(NULL);
}

static int may_start(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NPROC, &l) == 0 && l.rlim_max ? 0 : -1;
}

static int has_loopback(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = inet_socket();

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return -1;
	return r.ifr_flags & IFF_UP ? 0 : -1;
}

TEST(a_jailed_role_can_still_work)
{
	CHECK_INT(run(like_inlet, work_as_usual), DONE);
	CHECK_INT(run(like_dialer, work_as_usual), DONE);
}

TEST(inlet_profile_kills_every_way_out)
{
	static const attempt_fn forbidden[] = { open_file,     execute,	      fork_child,	inet_socket,	   unix_socket,
						netlink_socket, raw_socket,    trace_parent,	signal_parent,	   executable_memory,
						new_namespace,	write_outside, look_at_path,	memory_made_executable };

	if (left_out())
		return;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		CHECK_INT(run(like_inlet, forbidden[i]), -SIGSYS);
}

TEST(outlet_profile_makes_channels_and_nothing_that_reaches_anybody)
{
	static const attempt_fn forbidden[] = { open_file,	write_outside, execute,	     fork_child,    inet_socket,       unix_socket,  datagram_pair,
						netlink_socket, raw_socket,    trace_parent, signal_parent, executable_memory, new_namespace };

	if (left_out())
		return;
	CHECK_INT(run(like_outlet, work_as_usual), DONE);
	CHECK_INT(run(like_outlet, socket_pair), DONE);
	CHECK_INT(run(like_inlet, socket_pair), -SIGSYS);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		CHECK_INT(run(like_outlet, forbidden[i]), -SIGSYS);
}

TEST(dialer_profile_connects_and_does_nothing_else)
{
	static const attempt_fn forbidden[] = { open_file,  execute,	  fork_child,	 unix_socket, netlink_socket,
						raw_socket, trace_parent, signal_parent, listen_tcp,  new_namespace };

	if (left_out())
		return;
	CHECK_INT(run(like_dialer, connect_out), DONE);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		CHECK_INT(run(like_dialer, forbidden[i]), forbidden[i] == listen_tcp ? REFUSED : -SIGSYS);
}

TEST(a_program_that_is_not_ours_reaches_nobody_and_works_otherwise)
{
	static const attempt_fn forbidden[] = { connect_pathname, bind_socket,	 unix_socket,	inet_socket,  netlink_socket,
						socket_pair,	  datagram_pair, make_ring,	take_own_fd,  read_own_memory,
						compare_self,	  trace_parent,	 new_namespace };
	int fd;

	if (left_out())
		return;
	fd = listen_pathname();
	CHECK(fd >= 0);
	CHECK_INT(run(like_qemu, work_as_usual), DONE);
	CHECK_INT(run(like_qemu, fork_child), DONE);
	CHECK_INT(run(like_qemu, executable_memory), DONE);
	/* nothing else holds the socket's file */
	CHECK_INT(run(without_seccomp, connect_pathname), DONE);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		CHECK_INT(run(like_qemu, forbidden[i]), REFUSED);
	(void)unlink(pathname.sun_path);
	(void)close(pathname_fd);
	(void)close(fd);
}

static long call;

/* Of whatever else is wrong with it the kernel would say something else. */
static int make_call(void)
{
	return syscall(call, -1L, -1L, -1L, -1L, -1L, -1L) < 0 && errno == EPERM ? -1 : 0;
}

static int no_reach_alone(void)
{
	return jail_no_reach(NULL);
}

TEST(no_right_of_the_user_brings_a_call_back_that_reaches_somebody)
{
	static const long calls[] = {
		SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_io_uring_setup, SYS_io_uring_enter,
		SYS_io_uring_register, SYS_pidfd_getfd, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_process_madvise, SYS_kcmp,
		SYS_move_pages, SYS_migrate_pages, SYS_perf_event_open, SYS_bpf, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl,
		SYS_unshare, SYS_setns, SYS_mount, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_open_by_handle_at,
	};

	if (left_out())
		return;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		call = calls[i];
		if (run(no_reach_alone, make_call) != REFUSED)
			printf("# call %ld\n", call);
		CHECK_INT(run(no_reach_alone, make_call), REFUSED);
	}
}

#if defined(__x86_64__)
static int x32_socket(void)
{
	return (int)syscall(0x40000000 | SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static int i386_socket(void)
{
	long r = 359; /* socket */

	__asm__ volatile("int $0x80" : "+a"(r) : "b"(AF_UNIX), "c"(SOCK_STREAM), "d"(0) : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? -1 : 0;
}

TEST(another_architectures_table_is_no_way_round)
{
	int r;

	if (left_out())
		return;
	CHECK_INT(run(like_qemu, x32_socket), -SIGSYS);
	r = run(like_qemu, i386_socket);
	/* SIGSEGV: this kernel has no such table */
	CHECK(r == -SIGSYS || r == -SIGSEGV);
}
#endif

TEST(each_layer_holds_alone_without_the_filter)
{
	CHECK_INT(run(without_seccomp, open_file), REFUSED);
	CHECK_INT(run(without_seccomp, write_outside), REFUSED);
	CHECK_INT(run(without_seccomp, execute), REFUSED);
	CHECK_INT(run(without_seccomp, connect_out), REFUSED);
	CHECK_INT(run(without_seccomp, has_loopback), REFUSED);
	CHECK_INT(run(without_seccomp, raw_socket), REFUSED);
	CHECK_INT(run(without_seccomp, trace_parent), REFUSED);
	CHECK_INT(run(without_seccomp, raise_limit), REFUSED);
	CHECK_INT(run(without_seccomp, may_dump), REFUSED);
	CHECK_INT(run(without_seccomp, has_capability), REFUSED);
	CHECK_INT(run(without_seccomp, may_gain_a_capability), REFUSED);
	CHECK_INT(run(without_seccomp, outlives_its_parent), REFUSED);
	note_space("/proc/self/ns/ipc", spaces[0]);
	note_space("/proc/self/ns/uts", spaces[1]);
	CHECK_INT(run(namespaces_alone, is_in_another_space), DONE);
	CHECK_INT(run(namespaces_alone, has_capability), REFUSED);
	if (*jail_left_out())
		return;
	CHECK_INT(run(without_seccomp, may_start), REFUSED);
	CHECK_INT(run(without_seccomp, may_be_looked_into), REFUSED);
}

static int no_tcp(void)
{
	int r = first_stages();

	return r < 0 ? r : jail_no_files(JAIL_NET_NONE, NULL);
}

static int only_connects(void)
{
	int r = first_stages();

	return r < 0 ? r : jail_no_files(JAIL_NET_CONNECT, NULL);
}

/* Without a path in the file system. */
static struct sockaddr_un nameless = { .sun_family = AF_UNIX };

static int connect_nameless(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? 0 : connect(fd, (struct sockaddr *)&nameless, sizeof(nameless));
}

static char to_cut[] = "/tmp/saw-jail-test-cut-XXXXXX";

static int cut_outside(void)
{
	return truncate(to_cut, 0);
}

static long landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0UL, 1U);
}

TEST(landlock_lets_nobody_cut_what_he_may_not_write)
{
	enum { CUT_ABI = 3 };
	int fd;

	if (landlock_abi() < CUT_ABI) {
		tap_skip("this kernel's Landlock does not know truncate()");
		return;
	}
	fd = mkstemp(to_cut);
	CHECK(fd >= 0);
	CHECK_INT(run(first_stages, cut_outside), DONE);
	CHECK_INT(run(no_tcp, cut_outside), REFUSED);
	CHECK_INT(run(files_only, cut_outside), REFUSED);
	(void)close(fd);
	CHECK(unlink(to_cut) == 0);
}

/* In the network of whoever runs this, where all of it would work. */
TEST(landlock_keeps_sockets_and_signals_away_by_itself)
{
	enum { SIGNALS_ABI = 6 };
	int fd;

	if (landlock_abi() < SIGNALS_ABI) {
		tap_skip("this kernel's Landlock knows no signals");
		return;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(nameless.sun_path + 1, sizeof(nameless.sun_path) - 1, "saw-jail-test-%d", (int)getpid());
	CHECK(bind(fd, (struct sockaddr *)&nameless, sizeof(nameless)) == 0 && listen(fd, 8) == 0);

	CHECK_INT(run(first_stages, connect_out), DONE);
	CHECK_INT(run(first_stages, listen_tcp), DONE);
	CHECK_INT(run(first_stages, signal_parent), DONE);
	CHECK_INT(run(first_stages, connect_nameless), DONE);
	CHECK_INT(run(no_tcp, connect_out), REFUSED);
	CHECK_INT(run(no_tcp, listen_tcp), REFUSED);
	CHECK_INT(run(no_tcp, signal_parent), REFUSED);
	CHECK_INT(run(no_tcp, connect_nameless), REFUSED);
	CHECK_INT(run(only_connects, connect_out), DONE);
	CHECK_INT(run(only_connects, listen_tcp), REFUSED);
	(void)close(fd);
}

TEST(listed_paths_stay_usable_and_others_do_not)
{
	CHECK_INT(run(files_only, write_inside), DONE);
	CHECK_INT(run(files_only, write_outside), REFUSED);
	CHECK_INT(run(files_only, open_file), REFUSED);
}

TEST(who_keeps_files_changes_no_mode_of_anothers)
{
	static const attempt_fn forbidden[] = { change_mode_outside, change_mode_outside_at, change_times_outside };
	struct stat st;
	int fd;

	if (left_out())
		return;
	fd = mkstemp(outside);
	CHECK(fd >= 0);
	CHECK_INT(run(like_core, change_mode_inside), DONE);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		CHECK_INT(run(like_core, forbidden[i]), -SIGSYS);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600);
	(void)unlink(outside);
	(void)close(fd);
}

static int become_nobody(void)
{
	const gid_t group = 4;

	if (setgroups(1, &group) < 0)
		return -1;
	return jail_identity(65534, NULL) < 0 ? -1 : jail_capabilities(0, 0, 0, NULL);
}

static int identity_is_gone(void)
{
	uid_t r;
	uid_t eff;
	uid_t saved;

	return getresuid(&r, &eff, &saved) == 0 && r == 65534 && eff == 65534 && saved == 65534 &&
			       getgroups(0, NULL) == 0 && setuid(0) < 0 ?
		       0 :
		       -1;
}

TEST(a_role_with_a_uid_of_its_own_cannot_come_back)
{
	if (geteuid() != 0) {
		tap_skip("needs root");
		return;
	}
	CHECK_INT(run(become_nobody, identity_is_gone), DONE);
}

TEST(a_missing_path_that_must_exist_is_an_error)
{
	struct jail_path p = { .path = "/nonexistent/x", .rights = JAIL_READ, .must_exist = 1 };
	struct err e = { 0 };

	CHECK_INT(jail_files(&p, 1, JAIL_NET_NONE, &e), -ENOENT);
	CHECK_STR(e.text, "jail: Landlock: open /nonexistent/x: No such file or directory");
}
