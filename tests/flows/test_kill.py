"""kill -9 of any process at random moments, under load: nothing stays behind, the log verifies, the guest never reaches anything.

SAW_KILL_ROUNDS sets how often (the bar is 200); SAW_KILL_SEED repeats a run."""
import hashlib
import json
import os
import pathlib
import random
import select
import signal
import subprocess
import tempfile
import time

import pytest

from arena import Arena
from workspace import Workspace, alive, children, compile_policy, wait_for

ROUNDS = int(os.environ.get("SAW_KILL_ROUNDS", "12"))
LOAD = pathlib.Path(__file__).resolve().parent.parent / "lib/load.py"
POLICY = """\
version: 1
name: kill
lab: true
network:
  - {name: pinned, hosts: [pass.example], ports: [443], mode: passthrough, reason: "test", addresses: [127.0.0.10/32]}
"""
COME_BACK = ("saw-front", "saw-inlet", "saw-dialer", "saw-outlet")
FATAL = ("saw-workspace", "saw-try", "saw")
ZERO = "0" * 64


class Try:
    """One `saw try` under load."""

    def __init__(self, arena, build, folder, tmp):
        folder.mkdir(parents=True, exist_ok=True)
        self.arena, self.build, self.folder = arena, build, folder
        (folder / "policy.yaml").write_text(POLICY)
        self.audit = folder / "audit.jsonl"
        self.process = subprocess.Popen(
            [*arena.enter, str(build / "src/cli/saw"), "try", "--quiet", "--policy", str(folder / "policy.yaml"), "--audit", str(self.audit),
             "--log", str(folder / "log"), "--resolv-conf", str(arena.resolv_conf), "--", "/usr/bin/python3", "-B", str(LOAD)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp)})
        self.rest, self.addresses = b"", set()
        self.works()

    def lines(self, timeout):
        if select.select([self.process.stdout], [], [], timeout)[0]:
            self.rest += os.read(self.process.stdout.fileno(), 65536)
        *whole, self.rest = self.rest.split(b"\n")
        return [w.decode() for w in whole]

    def works(self, timeout=20):
        """Waits for a success that began after this call; gives how long it took."""
        began = time.monotonic()
        self.drain()
        while time.monotonic() - began < timeout:
            for line in self.lines(0.2):
                self.see(line)
                if line.startswith("ok"):
                    return time.monotonic() - began
        raise TimeoutError("the gateway does not work: " + (self.folder / "log").read_text()[-3000:])

    def drain(self):
        while lines := self.lines(0):
            for line in lines:
                self.see(line)

    def see(self, line):
        assert not line.startswith("REACHED"), line
        self.addresses.add(line.split()[1])

    def parts(self):
        return [(self.process.pid, "saw")] + [(p, t.split(":")[0]) for p, t in children(self.process.pid)]

    def end(self):
        self.process.stdin.close()
        return self.process.wait(20)


def networks(pids):
    out = set()
    for pid in pids:
        try:
            out.add(os.readlink(f"/proc/{pid}/ns/net"))
        except OSError:
            pass
    return out


class Held:
    """The namespaces of some processes, held open: the kernel gives their numbers to no other while we ask who is in them."""

    def __init__(self, pids):
        self.fds = {}
        for pid in pids:
            try:
                fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            name = os.readlink(f"/proc/self/fd/{fd}")
            if name in self.fds:
                os.close(fd)
            else:
                self.fds[name] = fd

    def __del__(self):
        for fd in self.fds.values():
            os.close(fd)


def verify(audit):
    """Every line chains to the one before it; a torn last line (a writer was killed in it) is none."""
    raw = audit.read_bytes()
    lines = raw.split(b"\n")[:-1]
    previous = ZERO
    for number, line in enumerate(lines, 1):
        event = json.loads(line)
        assert event["metadata"]["sequence"] == number and event["unmapped"]["prev_sha256"] == previous, f"line {number}"
        previous = hashlib.sha256(line).hexdigest()
    return len(lines)


def nothing_is_left(everyone, nets, outer):
    wait_for("the end of every process", lambda: not [p for p, _ in everyone if alive(p)])

    def unpeopled():  # also by those that were just being started again when we looked
        every = [int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()]
        return not (set(nets.fds) - outer) & networks(every)

    wait_for("the end of all who are in its network namespaces", unpeopled)


@pytest.fixture(name="short")
def _short():
    """A temporary folder whose path leaves room for a socket's."""
    with tempfile.TemporaryDirectory(prefix="saw-k-") as folder:
        yield pathlib.Path(folder)


def test_kill_9_at_random_moments(build, tmp_path, short):
    seed = int(os.environ.get("SAW_KILL_SEED", random.randrange(1 << 30)))
    print(f"SAW_KILL_SEED={seed} SAW_KILL_ROUNDS={ROUNDS}")
    dice = random.Random(seed)
    arena = Arena(tmp_path)
    try:
        arena.zone({"pass.example": [{"a": "127.0.0.10"}]})
        outer = networks([os.getpid(), arena.process.pid])
        run, n_started, took = None, 0, []
        for number in range(ROUNDS):
            if not run:
                n_started += 1
                run = Try(arena, build, tmp_path / f"run{n_started}", short)
            select.select([], [], [], dice.random() * 0.4)
            everyone = run.parts()
            nets = Held([p for p, _ in everyone])
            name = dice.choice(COME_BACK * 2 + FATAL)
            victims = [p for p, t in everyone if t == name]
            if not victims:  # still in its pause after the last kill
                wait_for(f"{name}'s return", lambda: [p for p, t in run.parts() if t == name])
                victims = [p for p, t in run.parts() if t == name]
            os.kill(victims[0], signal.SIGKILL)
            if name in COME_BACK:
                took.append(run.works())
                assert len(run.addresses) == 1, "a name changed its address"
            else:
                run.process.wait(20)
                assert run.process.returncode != 0
                nothing_is_left(everyone, nets, outer)
                verify(run.audit)
                run = None
            if number % 10 == 9:
                print(f"round {number + 1}: {n_started} gateways started, slowest recovery {max(took, default=0):.1f} s", flush=True)
        if run:
            everyone, nets = run.parts(), Held([p for p, _ in run.parts()])
            assert run.end() == 0
            nothing_is_left(everyone, nets, outer)
            assert verify(run.audit) > 10
        forbidden = [c for c in arena.ask("since", connections=0, queries=0)["connections"] if c["local"] != "127.0.0.10" or c["port"] != 443]
        assert not forbidden, f"reached: {[(c['local'], c['port']) for c in forbidden]}"
        assert len(list(short.iterdir())) <= 1, "each `saw try` removes what a killed one left"
    finally:
        arena.stop()


def test_what_a_killed_try_left_on_disk_is_removed_by_the_next(build, tmp_path, short):
    arena = Arena(tmp_path)
    try:
        arena.zone({"pass.example": [{"a": "127.0.0.10"}]})
        run = Try(arena, build, tmp_path / "run", short)
        everyone = run.parts()
        os.kill(run.process.pid, signal.SIGKILL)
        run.process.wait(20)
        wait_for("the end of every process", lambda: not [p for p, _ in everyone if alive(p)])
        assert len(list(short.iterdir())) == 1
        fresh = Try(arena, build, tmp_path / "run", short)
        assert len(list(short.iterdir())) == 1, "the old folder is gone, the new one is in use"
        fresh.end()
        assert not list(short.iterdir())
    finally:
        arena.stop()


def test_kill_9_of_the_parts_of_a_machines_workspace_leaves_no_tap_and_no_lock(build, tmp_path):
    """Driver "machine" with a fake machine: its tap and its namespaces are real."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("this user may not open /dev/net/tun")
    dice = random.Random(int(os.environ.get("SAW_KILL_SEED", random.randrange(1 << 30))))
    blob = compile_policy(build, POLICY, tmp_path / "blob")
    outer = networks([os.getpid()])
    w = Workspace(build, blob, fakes=("machine",), image=str(tmp_path))
    try:
        for path in [tmp_path / n for n in ("kernel", "initrd", "base.img")] + [w.dir / n for n in ("overlay.img", "home.img", "seed.img")]:
            path.touch()
        for _ in range(max(3, ROUNDS // 4)):
            w.start()
            wait_for("all parts", lambda: {"front", "inlet", "dialer", "outlet", "machine"} <= set(w.roles()))
            for _ in range(dice.randrange(3)):
                os.kill(dice.choice(list(w.roles().values())), signal.SIGKILL)
                select.select([], [], [], dice.random() * 0.2)
            everyone = [(w.process.pid, "")] + children(w.process.pid)
            nets = Held([p for p, _ in everyone])
            w.process.send_signal(signal.SIGKILL)
            w.process.wait()
            nothing_is_left(everyone, nets, outer)
            verify(w.dir / "audit.jsonl")
            assert not list(pathlib.Path("/sys/fs/cgroup").glob("**/saw-" + w.id)), "a cgroup is left"
        control = w.start()  # the lock of the last one is gone, too
        control.send("MSG_SHUTDOWN", 0)
        w.wait_state(control, "stopped")
        assert w.end() == 0
    finally:
        w.clean()
