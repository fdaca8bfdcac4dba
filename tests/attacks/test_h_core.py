"""H13: a crash of a process that holds values or keys leaves no memory behind, whatever its parent's limits are."""
import os
import pathlib
import resource
import signal
import subprocess
import sys

import pytest

from hostile import HostileInlet
from intercept_policy import SECRET, policy
from keeper import Keeper


@pytest.fixture(autouse=True)
def unlimited(tmp_path, monkeypatch):
    """Children may leave cores, in the working folder where the host's pattern says so; one of them shows that they do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    monkeypatch.chdir(tmp_path)
    ordinary = subprocess.Popen([sys.executable, "-c", "print(end='', flush=True); import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    if not crash(ordinary):
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
        pytest.skip("no process leaves a core on this host: " + pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip())
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def crash(process):
    """Ends it by a signal that leaves a core; True when there is one."""
    process.send_signal(signal.SIGABRT)  # SIGQUIT is ignored by what a shell put into the background
    how = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
    assert how.si_code in (os.CLD_DUMPED, os.CLD_KILLED), how
    return how.si_code == os.CLD_DUMPED


def core_limit(pid):
    line = next(l for l in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines() if l.startswith("Max core file size"))
    return line.split()[4:6]


def test_h13_a_crash_of_outlet_leaves_no_core(arena, build, sanitized):
    if sanitized:
        pytest.skip("a sanitizer catches the signal")
    h = HostileInlet(arena, build, policy(arena.ca), {"token": SECRET})
    try:
        assert h.ask("cred.example", b"GET /hello HTTP/1.1\r\nHost: cred.example\r\n\r\n").startswith(b"HTTP/1.1 200 "), "it holds the value"
        assert core_limit(h.process.pid) == ["0", "0"] and core_limit(h.dialer.process.pid) == ["0", "0"]
        assert not crash(h.process)
    finally:
        h.dialer.stop()


def test_h13_a_crash_of_keeper_leaves_no_core(build, sanitized):
    if sanitized:
        pytest.skip("a sanitizer catches the signal")
    keeper = Keeper(build)
    assert keeper.start() is None
    keeper.set("token", SECRET.encode())
    assert core_limit(keeper.process.pid) == ["0", "0"]
    assert not crash(keeper.process)
    keeper.close()
