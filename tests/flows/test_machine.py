"""The role that starts QEMU, with a program of ours in QEMU's place: what a compromised emulator could reach, and what it may fill."""
import errno
import json
import os
import pathlib
import platform
import socket
import subprocess

import pytest

from ipc import Channel, N

QEMU = pathlib.Path(f"/usr/bin/qemu-system-{platform.machine()}")
ENTER = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
PLACE = 'mount --bind "$1" "$2" && exec "$3"'
MIB = 1 << 20

REACH = """\
import ctypes, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)


def code(call):
    try:
        r = call()
    except OSError as e:
        return e.errno
    return 0 if not isinstance(r, int) or r >= 0 else ctypes.get_errno()


monitor = socket.socket(fileno=30)
said = {
    "socket": code(lambda: socket.socket(socket.AF_UNIX)),
    "datagram": code(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)),
    "pair": code(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)),
    "connect": code(lambda: monitor.connect("%(path)s")),
    "ring": code(lambda: libc.syscall(425, 1, ctypes.create_string_buffer(120))),
    "getfd": code(lambda: libc.syscall(438, libc.syscall(434, os.getppid(), 0), 0, 0)),
    "works": code(lambda: monitor.send(b"{")),
}
os.write(17, json.dumps(said).encode())
"""


@pytest.fixture(name="machine")
def _machine(build, tmp_path):
    """machine(text, console) runs saw-machine with this Python program as its QEMU until both have ended; gives saw-machine's own log."""
    if not QEMU.exists():
        pytest.skip(f"{QEMU} is missing: tools/setup run")
    if subprocess.run([*ENTER, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host does not let this user make mount namespaces")

    def run(text, console_fd):
        fake, disk = tmp_path / "fake-qemu", tmp_path / "disk"
        fake.write_text("#!/usr/bin/python3 -IBS\n" + text)
        fake.chmod(0o755)
        disk.touch()
        ours, theirs = Channel.pair()
        with open(disk, "rb") as d, open(tmp_path / "log", "wb") as log:
            child = subprocess.Popen([*ENTER, "sh", "-c", PLACE, "sh", fake, QEMU, build / "src/workspace/machine/saw-machine"], stderr=log,
                                     stdin=subprocess.DEVNULL, pass_fds=(3,), preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
            theirs.close()
            ours.send("MSG_MACHINE_CONFIG", 0, 1, 256 * MIB, N["IPC_ACCEL_TCG"], bytes.fromhex("525400000001"), "", fds=[d.fileno()] * 7 + [console_fd])
        os.close(console_fd)
        try:
            while (got := ours.receive(timeout=60)) is not None:
                assert got[0] != "MSG_FAILED", got
            child.wait(timeout=10)
        finally:
            child.kill()
            child.wait()
            ours.sock.close()
        return (tmp_path / "log").read_text()
    return run


def test_what_runs_as_qemu_reaches_no_socket_of_the_same_user(machine, tmp_path, sanitized):
    if sanitized:
        pytest.skip("a sanitized build has no seccomp filter")
    door = socket.socket(socket.AF_UNIX)
    path = tmp_path / "api.sock"
    door.bind(str(path))
    path.chmod(0o600)
    door.listen()
    door.setblocking(False)
    console = tmp_path / "console.log"
    log = machine(REACH % {"path": path}, os.open(console, os.O_RDWR | os.O_CREAT, 0o600))
    said = json.loads(console.read_text() or "{}")
    assert said == {"works": 0, **dict.fromkeys(("socket", "datagram", "pair", "connect", "ring", "getfd"), errno.EPERM)}, log
    with pytest.raises(BlockingIOError):
        door.accept()


FLOOD = """\
import os
for i in range(100):
    os.write(17, (b"%06d " % i * 149797)[:1 << 20])
os.write(17, b"the newest words\\n")
"""


def test_a_console_that_is_flooded_keeps_its_newest_text_below_the_limit(machine, tmp_path):
    path = tmp_path / "console.log"
    path.write_text("of an earlier run\n")
    log = machine(FLOOD, os.open(path, os.O_RDWR))
    text = path.read_bytes()
    assert text.endswith(b"the newest words\n"), log
    assert 4 * MIB <= len(text) <= 8 * MIB and b"000099 000099" in text and b"000090 " not in text
