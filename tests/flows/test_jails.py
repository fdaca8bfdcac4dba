"""What the jail of each role lets through, asked of the running role: no more than its main lists (os/jail.h says what the sets are)."""
import os
import pathlib
import platform
import re
import struct

import pytest

from filters import Stopped, allows
from keeper import Keeper
from sawd import Sawd
from workspace import Workspace, compile_policy

NUMBERS = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
POLICY = """\
version: 1
name: jails
network:
  - {name: pinned, hosts: [pass.example], ports: [443], mode: passthrough, reason: "test"}
"""
# What opens, changes, reaches, starts or takes hold of anything.
CALLS = """
open openat openat2 creat unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat mkdir mkdirat rmdir mknod mknodat chmod fchmod fchmodat chown
fchown fchownat lchown truncate ftruncate readlink readlinkat getdents64 statx utimensat setxattr copy_file_range sendfile open_by_handle_at name_to_handle_at
connect bind listen accept accept4 execve execveat clone clone3 fork vfork wait4 waitid setsid ptrace process_vm_readv process_vm_writev process_madvise
pidfd_open pidfd_getfd pidfd_send_signal tkill tgkill rt_sigqueueinfo kcmp mount umount2 move_mount open_tree fsopen fsmount pivot_root chroot unshare setns bpf
perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key memfd_create memfd_secret shmget mq_open prctl seccomp
setuid setresuid setgid setgroups capset setrlimit prlimit64 ioctl init_module finit_module kexec_load reboot swapon settimeofday clock_settime sethostname
inotify_init1 fanotify_init splice tee vmsplice pipe pipe2 pwrite64 fsync flock personality modify_ldt landlock_restrict_self
""".split()
CLOEXEC = 0o2000000
# What is allowed with some arguments alone: (name, call, arguments).
WITH = [
    ("stream of IPv4", "socket", 2, 1 | CLOEXEC), ("datagram of IPv4", "socket", 2, 2 | CLOEXEC), ("stream of IPv6", "socket", 10, 1 | CLOEXEC),
    ("datagram of IPv6", "socket", 10, 2 | CLOEXEC), ("raw of IPv4", "socket", 2, 3), ("raw of IPv6", "socket", 10, 3), ("unix stream", "socket", 1, 1),
    ("unix datagram", "socket", 1, 2), ("netlink", "socket", 16, 3), ("packet", "socket", 17, 3), ("vsock", "socket", 40, 1), ("alg", "socket", 38, 5),
    ("pair of streams", "socketpair", 1, 1 | CLOEXEC), ("pair of messages", "socketpair", 1, 5 | CLOEXEC), ("pair of datagrams", "socketpair", 1, 2),
    ("memory that runs", "mmap", 0, 4096, 5, 0x22), ("memory made to run", "mprotect", 0, 4096, 5), ("another's end", "kill", 1, 9), ("a path's facts", "newfstatat", 0, 0, 0, 0),
]
ACCEPT, SPLICE, MEMFD, APPEND = {"accept4"}, {"splice", "tee", "pipe2"}, {"memfd_create", "ftruncate"}, {"fsync", "ftruncate", "pwrite64", "flock"}
V4, V6 = {"stream of IPv4", "datagram of IPv4"}, {"stream of IPv6", "datagram of IPv6"}
CONNECT, LISTEN, PAIR = {"connect", "bind", *V4, *V6}, {"bind", "listen", *V4}, {"pair of streams", "pair of messages"}
FILES = {"open", "openat", "statx", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "getdents64", "readlink", "readlinkat",
         "fchmod", "fchown", "ftruncate", "copy_file_range", "a path's facts"}
GATEWAY = {"front": CONNECT | LISTEN, "inlet": ACCEPT | SPLICE, "dialer": CONNECT, "outlet": ACCEPT | PAIR}
PLANE = {"front": ACCEPT | APPEND | MEMFD, "core": FILES | APPEND | MEMFD, "keeper": FILES | APPEND | PAIR, "compiler": MEMFD}


@pytest.fixture(autouse=True)
def may_look(sanitized):
    if sanitized:
        pytest.skip("a sanitized build has no seccomp filter")
    if os.geteuid() != 0:
        pytest.skip("only root may look into a role")
    if platform.machine() != "x86_64" or not NUMBERS.exists():
        pytest.skip(f"calls are numbered as in {NUMBERS}")


def passes(pid):
    numbers = {name: int(n) for name, n in re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text(encoding="ascii"))}
    with Stopped(pid) as role:
        filters = role.filters()
    assert filters and allows(filters, numbers["read"]) and allows(filters, numbers["kill"], pid, 6), "the filter is read as it is meant"
    return {name for name in CALLS if allows(filters, numbers[name])} | {name for name, call, *args in WITH if allows(filters, numbers[call], *args)}


def test_a_role_of_the_gateway_makes_no_call_that_its_jail_does_not_list(build, tmp_path):
    w = Workspace(build, compile_policy(build, POLICY, tmp_path / "blob"), command=["/usr/bin/tail", "-f", "/dev/null"])
    try:
        w.wait_state(w.start(), "running")
        roles = w.roles()
        assert {name: passes(roles[name]) for name in GATEWAY} == GATEWAY
    finally:
        w.clean()


def test_a_role_of_the_control_plane_makes_no_call_that_its_jail_does_not_list(build):
    s = Sawd(build)
    s.start()
    try:
        assert {name: passes(pid) for name, pid in s.roles().items()} == PLANE
    finally:
        s.close()


SOCKET, CONNECT_TO, BIND, OPENAT = 41, 42, 49, 257
AT_FDCWD, READ_ONLY, CREATE, NO, NOBODY_THERE = -100, 0o2000000, 0o2000101, -13, -111


def test_dialer_connects_and_offers_nothing(build, tmp_path):
    """Its filter lets it bind, which datagrams need."""
    w = Workspace(build, compile_policy(build, POLICY, tmp_path / "blob"), command=["/usr/bin/tail", "-f", "/dev/null"])
    try:
        w.wait_state(w.start(), "running")
        at = lambda port: struct.pack("=H", 2) + struct.pack("!H4s8x", port, b"\x7f\0\0\1")
        with Stopped(w.roles()["dialer"]) as role:
            assert role.call(BIND, role.call(SOCKET, 2, 1 | CLOEXEC, 0), at(0), 16) == NO
            assert role.call(CONNECT_TO, role.call(SOCKET, 2, 1 | CLOEXEC, 0), at(1), 16) == NOBODY_THERE
    finally:
        w.clean()


def test_keeper_opens_its_two_folders_and_nothing_else(build):
    keeper = Keeper(build)
    assert keeper.start() is None
    keeper.set("token", b"value")
    keeper.root("ws-0123456789ab")
    keys = keeper.folder
    try:
        with Stopped(keeper.process.pid) as role:
            opened = lambda path, flags=READ_ONLY: role.call(OPENAT, AT_FDCWD, os.fsencode(path) + b"\0", flags, 0o600)
            assert opened(keys / "secrets/ann/token") >= 0 and opened(keys / "ca") >= 0 and opened(keys / "ca/.x.new", CREATE) >= 0
            for path in ("user_ca.seed", "host_keys.seed", "security.seed", "seal.key", "security", "."):
                assert (keys / path).exists() and opened(keys / path) == NO, path
            assert opened("/etc/passwd") == opened("/proc/self/maps") == opened("/") == opened(keys / "more", CREATE) == NO
    finally:
        keeper.close()
