"""kill -9 of any process of a control plane and its real machine at random moments: the workspace comes back, nothing stays behind.

SAW_KILL_ROUNDS sets how often (the bar is 200); SAW_KILL_SEED repeats a run's choices."""
import collections
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

from arena import Arena
from gateway import closing, decision
from sawd import Sawd, title, wait_gone
from vm import ControlPlane, missing, ssh_into
from workspace import alive, children, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("userns")]
ROUNDS = int(os.environ.get("SAW_KILL_ROUNDS", "6"))
LOAD = pathlib.Path(__file__).resolve().parent.parent / "lib/load.py"
POLICY = """\
version: 1
name: kill
lab: true
network:
  - {name: pinned, hosts: [pass.example], ports: [443], mode: passthrough, reason: "test", addresses: [127.0.0.10/32]}
"""
# Installed in the guest's system once: every boot runs it again.
SERVICE = """\
[Unit]
After=network.target
[Service]
ExecStart=/bin/sh -c 'tail -f /dev/null | exec /usr/bin/python3 -B /opt/load.py 0.3 >/dev/null'
Restart=always
[Install]
WantedBy=multi-user.target
"""
LAB = "of the other workspace"
VICTIMS = ("sawd", "sawd-front", "sawd-core", "sawd-keeper", "sawd-compiler", "saw-workspace", "saw-front", "saw-inlet", "saw-dialer",
           "saw-outlet", "saw-machine", "qemu", LAB)
BOOTS = ("saw-workspace", "saw-machine", "qemu")
ANSWER_S = 240
# A limit that nothing here uses and every descendant of the sawd under test inherits.
MARK = 10000 + os.getpid() % 800000


def fds(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def marked():
    """Processes that carry our mark, whatever their title, parent, user or namespace."""
    line = re.compile(rf"(?m)^Max msgqueue size +{MARK} +{MARK} ")
    out = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            if line.search(pathlib.Path(f"/proc/{p}/limits").read_text()) and alive(int(p)):
                out.append(int(p))
        except OSError:
            pass
    return out


class World:
    """A control plane in an arena, a machine whose guest uses and attacks the gateway without pause, and a second, small workspace."""

    def __init__(self, build, folder):
        self.kept = ControlPlane(build)
        self.kept.image()
        self.arena = Arena(folder)
        self.arena.zone({"pass.example": [{"a": "127.0.0.10"}]})
        self.saw, self.folder = self.kept.saw, folder
        self.ids, self.links, self.mounts = [], self.interfaces(), self.namespace_mounts()
        self.sawd = Sawd(build, enter=[*self.arena.enter_with_resolv_conf, "prlimit", f"--msgqueue={MARK}"])
        self.sawd.state.mkdir(mode=0o700)
        subprocess.run(["cp", "-a", "--reflink=auto", self.kept.state / "images", self.sawd.state / "images"], check=True)
        self.cli("image", "verify", "debian")
        self.sawd.start()
        self.fds = self.control_fds()
        tag = f"k{os.getpid()}"
        self.names = [f"{tag}-vm", f"{tag}-lab"]
        size = {"cpus": 1, "memory": "512MiB", "disk": "2GiB"}
        for name, more in zip(self.names, ({"driver": "machine", **size}, {})):
            answer = self.sawd.create(name, **{"policy": {"text": POLICY, "file": "p.yaml"}, **more})
            assert answer.status == 201, answer
            self.ids.append(answer.json["id"])
        for name in self.names:
            self.sawd.wait(name, "running", but_not=("failed",), timeout=ANSWER_S)
        self.install()

    def cli(self, *args):
        done = subprocess.run([self.saw, *args], env=self.sawd.env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done
        return done.stdout

    def ssh(self, command, timeout=60):
        return ssh_into(self.sawd, self.names[0], self.folder / "client", command, timeout)

    def install(self):
        script = ("set -e; f() { sudo install -d -m 755 /opt /etc/systemd/system; sudo tee $1 >/dev/null; }; "
                  f"printf %s {shell(LOAD.read_text())} | f /opt/load.py; printf %s {shell(SERVICE)} | f /etc/systemd/system/load.service; "
                  "sudo systemctl enable --now load.service; sync; sudo sync")
        done = self.ssh(script)
        assert done.returncode == 0, done
        self.used(self.mark())

    def interfaces(self):
        see = lambda *enter: subprocess.run([*enter, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True).stdout
        return set(re.findall(r"(?m)^\s*([^:\s]+):", see() + see(*self.arena.enter)))

    def namespace_mounts(self):
        return [l for l in pathlib.Path(f"/proc/{self.arena.process.pid}/mountinfo").read_text().splitlines() if " - nsfs " in l]

    def control_fds(self):
        return {"sawd": fds(self.sawd.process.pid), **{r: fds(p) for r, p in self.sawd.roles().items()}}

    def parts(self):
        """{what VICTIMS call it: [pid]}"""
        out = collections.defaultdict(list, {"sawd": [self.sawd.process.pid]})
        for role, pid in self.sawd.roles().items():
            out["sawd-" + role].append(pid)
        for top in self.sawd.supervisors():
            machine = title(top).endswith(self.names[0])
            for pid, words in [(top, title(top)), *children(top)]:
                kind = words.split(":")[0]
                out["qemu" if kind.startswith("qemu") else kind if machine else LAB].append(pid)
        return out

    def strays(self):
        """Descendants of ours that stand below neither sawd nor a supervisor; and supervisors that have a double."""
        every, tops = marked(), self.sawd.supervisors()
        theirs = {p for top in [self.sawd.process.pid, *tops] for p, _ in [(top, ""), *children(top)]}
        names = [title(p) for p in tops]
        return [(p, title(p)) for p in every if p not in theirs and alive(p)] + [n for n in names if names.count(n) > 1]

    def kill(self, what, dice):
        """kill -9 of one such process; by pidfd, so that it is the one that was looked at."""
        while True:
            pid = dice.choice(wait_for(f"{what} is there", lambda: self.parts()[what], ANSWER_S))
            try:
                fd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            try:
                if pid in self.parts()[what]:
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                    break
            except ProcessLookupError:
                continue
            finally:
                os.close(fd)
        wait_gone(pid)
        if what == "sawd":
            self.sawd.process.wait(30)
            self.sawd.start()

    def mark(self):
        return self.arena.ask("marks")["connections"]

    def since(self, mark):
        return self.arena.ask("since", connections=mark, queries=0)["connections"]

    def used(self, mark):
        """The guest fetched something through the gateway by a connection made since."""
        wait_for("the guest's use of the gateway", lambda: [c for c in self.since(mark) if c["http"]], ANSWER_S)

    def answers(self):
        """Until both workspaces are whole and the guest answers a new session; each failure on the way has a sentence."""
        self.sawd.until_served()
        for name in self.names:
            self.sawd.wait(name, "running", timeout=ANSWER_S, where=lambda e: e["state"] != "failed" or e["detail"])
        mark, end = self.mark(), time.monotonic() + ANSWER_S
        while (done := self.ssh("hostname")) is None or done.returncode:
            # "running" may have been said of the time before the kill
            assert time.monotonic() < end, (done, self.sawd.show(self.names[0]), self.sawd.log())
            select.select([], [], [], 0.1)
        assert done.stdout.strip() == self.names[0]
        self.used(mark)
        wait_for("every part", lambda: not [v for v in VICTIMS if not self.parts()[v]], ANSWER_S)
        wait_for("the end of strays", lambda: not self.strays())

    def forbidden(self):
        return [(c["local"], c["port"]) for c in self.since(0) if (c["local"], c["port"]) != ("127.0.0.10", 443)]

    def close(self):
        self.sawd.close()
        self.arena.stop()
        shutil.rmtree(self.kept.run, ignore_errors=True)


def shell(text):
    return "'" + text.replace("'", "'\\''") + "'"


def locks_in(top):
    """Locks of any process on files below this folder."""
    inodes = {str(p.lstat().st_ino) for p in [top, *top.rglob("*")]}
    return [l for l in pathlib.Path("/proc/locks").read_text().splitlines() if l.split()[-3].rsplit(":", 1)[-1] in inodes]


@pytest.fixture(name="world")
def _world(build, tmp_path):
    why = missing()
    if why:
        pytest.skip(why)
    w = World(build, tmp_path)
    yield w
    w.close()


def nothing_is_left(w):
    """All workspaces are removed while sawd runs, then sawd goes, too."""
    for name in w.names:
        w.sawd.rm(name)
    assert not w.sawd.supervisors() and not w.strays() and not os.listdir(w.sawd.run / "ws") and not os.listdir(w.sawd.state / "workspaces")
    grown = {k: (w.fds[k], n) for k, n in w.control_fds().items() if n > w.fds[k]}
    assert not grown, f"descriptors are left open: {grown}"
    wait_for("the end of cgroups", lambda: not [p for i in w.ids for p in pathlib.Path("/sys/fs/cgroup").glob("**/saw-" + i)])
    w.sawd.stop()
    # a namespace lives by processes, their descriptors, and mounts
    assert not [(p, title(p)) for p in marked()], "a process is left"
    assert w.namespace_mounts() == w.mounts, "a namespace is left"
    assert w.interfaces() == w.links, "a tap is left"
    assert not locks_in(w.sawd.home), "a lock is left"


def test_kill_9_of_any_process_and_the_machine_comes_back(world):
    seed = int(os.environ.get("SAW_KILL_SEED", random.randrange(1 << 30)))
    print(f"SAW_KILL_SEED={seed} SAW_KILL_ROUNDS={ROUNDS}", flush=True)
    dice, n_kills, took = random.Random(seed), collections.Counter(), []
    for number in range(1, ROUNDS + 1):
        select.select([], [], [], dice.random() * 0.5)
        first = dice.choice(VICTIMS)
        victims = [first]
        # half of the boots are met by another kill while they go on, and now and then two follow at once
        if dice.random() < (0.5 if first in BOOTS else 0.2):
            victims.append(dice.choice(VICTIMS))
        began = time.monotonic()
        for what in victims:
            world.kill(what, dice)
            n_kills[what] += 1
            if what in BOOTS and len(victims) > 1:
                select.select([], [], [], dice.random() * 10)
        world.answers()
        assert not (reached := world.forbidden()), f"reached: {reached}"
        took.append(time.monotonic() - began)
        print(f"round {number}: {' then '.join(victims)}: answers after {took[-1]:.1f} s", flush=True)
    n_reached = len(world.since(0))
    print(f"{ROUNDS} rounds, {sum(n_kills.values())} kills {dict(n_kills)}, slowest answer {max(took):.0f} s, {n_reached} fetches of the guest")
    nothing_is_left(world)
    print(world.cli("audit", "verify", "control"))
    for i in world.ids:
        print(world.cli("audit", "verify", i))
    log = (world.sawd.state / "audit/workspaces" / f"{world.ids[0]}.jsonl").read_text()
    allowed = [e for e in map(json.loads, log.splitlines()) if decision(e) == "Allowed" and e["class_uid"] == 4001 and not closing(e)]
    assert 0 < n_reached <= len(allowed), "what was reached without an event before it"
