"""kill -9 of inlet, outlet, dialer and keeper at random moments under load: no request is forwarded without the credential that it needs,
none twice, and the log tells of each.

SAW_KILL_ROUNDS sets how often (the bar is 200); SAW_KILL_SEED repeats a run's choices."""
import collections
import os
import random
import re
import select
import signal

import pytest

from arena import Arena
from gateway import closing, decision
from kept import KeptGateway
from test_kill import Held, networks, nothing_is_left, verify
from workspace import children, wait_for

ROUNDS = int(os.environ.get("SAW_KILL_ROUNDS", "8"))
SECRET = "s3cr3t-Value.of_the-tests"
VICTIMS = ("saw-inlet", "saw-outlet", "saw-dialer", "keeper")
TEXT = """\
version: 1
name: kill
lab: true
verdicts: {read: allow, write: allow}
credentials:
  token: {inject: {header: Authorization, format: "Bearer {}"}, hosts: [cred.example], paths: ["/data/**"]}
network:
"""
ENTRY = """\
  - name: NAME
    hosts: [NAME.example]
    ports: [443]
    mode: intercept
    protocol: rest
    addresses: [127.0.0.10/32]
    ca: |
CA
    rules:
      - {class: read, methods: [GET], paths: ["/data/**"]}
      - {class: write, methods: [POST], paths: ["/data/**"]}
"""


def policy(ca):
    entry = ENTRY.replace("CA\n", "".join(f"      {line}\n" for line in ca.read_text().splitlines()))
    return TEXT + entry.replace("NAME", "good") + entry.replace("NAME", "cred").replace("    rules", "    credential: token\n    rules")


@pytest.fixture(name="gw")
def _gw(build, tmp_path, netns):  # pylint: disable=unused-argument
    arena = Arena(tmp_path)
    arena.zone({n: [{"a": "127.0.0.10"}] for n in ("good.example", "cred.example")})
    g = KeptGateway(arena, build, tmp_path / "gw", policy(arena.ca), {"token": SECRET}, ("good.example", "cred.example"))
    yield g
    g.stop()
    arena.stop()


class Load:
    """What the guest's workers sent, and what became of it."""

    def __init__(self, gw):
        self.gw, self.answers = gw, {}
        self.groups = {f"{host} {kind}": {"kind": kind, "host": f"{host}.example", "port": 443, "ca": str(gw.root), "streams": 0,
                                          **({"alpn": "h2"} if kind == "h2" else {})}
                       for host in ("good", "cred") for kind in ("http1", "h2")}
        for group, what in self.groups.items():
            gw.do("pound", group, what, 4)

    def take(self):
        """Groups that had a good answer since the last call."""
        got = self.gw.do("pounded")
        for outcomes in got.values():
            self.answers.update(map(tuple, outcomes))
        return {g for g, outcomes in got.items() if any(status == 200 for _, status in outcomes)}

    def until_all_work(self, why):
        left = set(self.groups)

        def done():
            left.difference_update(self.take())
            select.select([], [], [], 0.05)  # the guest needs the processor, too
            return not left
        wait_for(f"every worker's good answer {why}", done, 60)


def kill(gw, what):
    if what == "keeper":
        gw.kill_keeper()
    else:
        os.kill(wait_for(what, lambda: gw.roles().get(what)), signal.SIGKILL)


def judge(gw, load):
    """Against what the origin saw and what the log says."""
    requests = gw.arena.ask("since", connections=0, queries=0)["requests"]
    seen, bare = collections.Counter(), []
    for r in requests:
        fields = dict(map(tuple, r["fields"]))
        method, number = re.fullmatch(r"/data/(POST|GET)/(\d+)", r["target"]).groups()
        assert method == r["method"]
        seen[method, int(number)] += 1
        if fields["host"] == "cred.example" and fields.get("authorization") != "Bearer " + SECRET:
            bare.append(r["target"])
        assert fields["host"] == "cred.example" or "authorization" not in fields, r
    assert not bare, f"forwarded without the credential: {bare}"
    twice = [k for k, n in seen.items() if n > (1 if k[0] == "POST" else 2)]  # what is safe may be sent once more on a new connection
    assert not twice, f"sent more often than asked: {twice}"
    allowed = collections.Counter(e["http_request"]["url"]["path"] for e in gw.events()
                                  if e["class_uid"] == 4002 and decision(e) == "Allowed" and not closing(e))
    unsaid = [k for k, n in seen.items() if not 1 <= allowed[f"/data/{k[0]}/{k[1]}"] <= n]
    assert not unsaid, f"forwarded without an event of their own: {unsaid}"
    numbers = {n for _, n in seen}
    invented = [n for n, status in load.answers.items() if status == 200 and n not in numbers]
    assert not invented, f"answered, but the origin never saw them: {invented}"
    return collections.Counter(str(s)[:3] if isinstance(s, int) else "broken" for s in load.answers.values()), sum(seen.values())


def test_kill_9_of_roles_under_load_forwards_nothing_bare_nothing_twice_and_nothing_unsaid(gw):
    seed = int(os.environ.get("SAW_KILL_SEED", random.randrange(1 << 30)))
    print(f"SAW_KILL_SEED={seed} SAW_KILL_ROUNDS={ROUNDS}", flush=True)
    dice, kills, load = random.Random(seed), collections.Counter(), Load(gw)
    outer = networks([os.getpid(), gw.arena.process.pid])
    load.until_all_work("at first")
    for number in range(1, ROUNDS + 1):
        select.select([], [], [], dice.random() * 0.3)
        victims = dice.sample(VICTIMS, 2 if dice.random() < 0.2 else 1)
        for what in victims:
            kill(gw, what)
            kills[what] += 1
        load.until_all_work(f"after the end of {' and '.join(victims)}")
        assert gw.process.poll() is None
        if number % 20 == 0:
            print(f"round {number}: {len(load.answers)} requests", flush=True)
    load.take()
    everyone = [(gw.process.pid, "")] + children(gw.process.pid)
    nets = Held([p for p, _ in everyone])
    gw.process.terminate()
    assert gw.process.wait(30) == 0
    nothing_is_left(everyone, nets, outer)
    n_events = verify(gw.audit)
    outcomes, n_seen = judge(gw, load)
    print(f"{sum(kills.values())} kills {dict(kills)}; {sum(outcomes.values())} requests {dict(outcomes)}; the origin saw {n_seen}; {n_events} events")
    assert outcomes["200"] > ROUNDS
