"""H13: a crash of a process that sees values, keys or the guest's bytes leaves no memory behind, whatever its parent's limits are."""
import array
import fcntl
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import termios

import pytest

from gateway import Gateway
from hostile import HostileInlet
from intercept_policy import SECRET, ZONE, policy
from keeper import Keeper
from processes import roles
from sawd import Sawd
from workspace import Workspace, compile_policy, wait_for

DUMPED = 0x80  # of a wait status: WCOREDUMP
# What else would let a process of the same user look into one that is not dumpable.
WEAK = ["setpriv", "--bounding-set", "-sys_ptrace,-perfmon,-sys_admin"] if os.geteuid() == 0 else []


@pytest.fixture(autouse=True)
def unlimited(tmp_path, monkeypatch, sanitized):
    """Children may leave cores, in the working folder where the host's pattern says so; gives whether an ordinary one does."""
    if sanitized:
        pytest.skip("a sanitizer catches the signal, and its processes are dumpable")
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    monkeypatch.chdir(tmp_path)
    ordinary = subprocess.Popen([*WEAK, sys.executable, "-c", "print('here', flush=True); import sys; sys.stdin.read()"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
    assert ordinary.stdout.readline() == b"here\n" and readable(ordinary.pid), "whoever is dumpable can be looked into"
    leaves_one = crash(ordinary.pid)
    ordinary.communicate()
    yield leaves_one
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def stat(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def readable(pid):
    """Whether another process of its user may look into it: what is not dumpable is root's alone (proc(5), ptrace(2))."""
    return subprocess.run([*WEAK, "cat", f"/proc/{pid}/maps"], capture_output=True, check=False).returncode == 0


def crash(pid, sig=signal.SIGABRT, parent=None):
    """Ends it by a signal that leaves a core; True when there is one. Where it is another's child, that one has to stand still meanwhile: how
    a process ended stands in /proc until it is collected, for root to see."""
    if not parent:
        os.kill(pid, sig)  # SIGQUIT is ignored by what a shell put into the background
        how = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert how.si_status == sig, how
        return how.si_code == os.CLD_DUMPED
    os.kill(parent, signal.SIGSTOP)
    try:
        wait_for("its parent's stop", lambda: stat(parent)[0] == "T")
        os.kill(pid, sig)
        wait_for("its end", lambda: stat(pid)[0] == "Z")
        how = int(stat(pid)[49])
    finally:
        os.kill(parent, signal.SIGCONT)
    assert how & ~DUMPED == sig, how
    return how & DUMPED != 0


def unread(pipe):
    """Bytes that stand in it."""
    n = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, n)
    return n[0]


def core_limit(pid):
    lines = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]


def closed(pid):
    """No core, by either of two reasons: its limits, and that it is not dumpable. A host that pipes cores to a program knows the second only;
    where a core is a file, a role's Landlock would stop it as well."""
    return core_limit(pid) == ["0", "0"] and not readable(pid)


def test_h13_an_ordinary_process_leaves_a_core(unlimited):
    if not unlimited:
        pytest.skip("no process leaves a core on this host, whatever it does: " + pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip())


@pytest.mark.parametrize("sig", [signal.SIGABRT, signal.SIGSEGV], ids=["abort", "fault"])
def test_h13_a_crash_of_a_gateways_role_leaves_no_core(arena, build, tmp_path, sig):
    if os.geteuid() != 0:
        pytest.skip("the arena's user may look into all that runs there, and only root sees how another's child ended")
    arena.zone(ZONE)
    g = Gateway(arena, build, policy(arena.ca), tmp_path / "gateway", secrets={"token": SECRET})
    try:
        got = g.do("command", ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "https://cred.example/hello"])
        assert got["out"] == "200", "outlet holds the value, inlet the key of what the guest was shown"
        running = roles(g)
        for name in ("saw-front", "saw-inlet", "saw-dialer", "saw-outlet"):
            assert closed(running[name]), name
            assert not crash(running[name], sig, parent=running["saw-workspace"]), name
        assert not crash(g.process.pid, sig)
    finally:
        g.stop()


@pytest.mark.parametrize("command", ["set", "rotate"])
def test_h13_a_crash_of_who_takes_a_value_leaves_no_core(build, tmp_path, command):
    env = {**os.environ, "SAW_STATE": str(tmp_path / "state"), "SAW_RUN": str(tmp_path / "run")}
    with subprocess.Popen([build / "src/cli/saw", "secret", command, "token"], env=env, stdin=subprocess.PIPE) as p:
        p.stdin.write(SECRET.encode())
        p.stdin.flush()
        wait_for("it has taken what is there", lambda: unread(p.stdin) == 0)
        assert not crash(p.pid)


def test_h13_a_crash_of_a_machines_supervisor_leaves_no_core(arena, build, tmp_path):
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("this user may not open /dev/net/tun")
    w = Workspace(build, compile_policy(build, policy(arena.ca), tmp_path / "blob"), fakes=("inlet", "dialer", "outlet", "machine"), image=str(tmp_path))
    for at in (tmp_path / "kernel", tmp_path / "initrd", tmp_path / "base.img", w.dir / "overlay.img", w.dir / "home.img", w.dir / "seed.img"):
        at.touch()
    try:
        w.start()
        assert closed(w.process.pid)
        assert not crash(w.process.pid)
    finally:
        w.clean()


def test_h13_a_crash_of_the_control_planes_roles_leaves_no_core(build):
    s = Sawd(build)
    try:
        s.start()
        running = s.roles()
        assert set(running) == {"front", "core", "keeper", "compiler"}
        for name, pid in running.items():
            assert closed(pid), name
            if os.geteuid() == 0:  # who sees how another's child ended
                assert not crash(pid, parent=s.process.pid), name
    finally:
        s.kill()
        shutil.rmtree(s.home)


def test_h13_a_crash_of_outlet_leaves_no_core(arena, build):
    h = HostileInlet(arena, build, policy(arena.ca), {"token": SECRET})
    try:
        assert h.ask("cred.example", b"GET /hello HTTP/1.1\r\nHost: cred.example\r\n\r\n").startswith(b"HTTP/1.1 200 "), "it holds the value"
        assert closed(h.process.pid) and core_limit(h.dialer.process.pid) == ["0", "0"]
        assert not crash(h.process.pid)
    finally:
        h.dialer.stop()
        h.process.kill()
        h.process.wait()


def test_h13_a_crash_of_keeper_leaves_no_core(build):
    keeper = Keeper(build)
    assert keeper.start() is None
    try:
        keeper.set("token", SECRET.encode())
        assert closed(keeper.process.pid)
        assert not crash(keeper.process.pid)
    finally:
        keeper.process.kill()
        keeper.process.wait()
        keeper.close()
