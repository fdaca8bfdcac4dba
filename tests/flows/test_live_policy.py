"""Policies that change while many connections live: the new rules hold from the next request on, nothing that is allowed is cut, raw
tunnels of names that went away close, and nothing grows.

SAW_LIVE_MINUTES sets how long, at a hundred changes a minute (the bar is 10); SAW_LIVE_FLOWS how many kept connections (the bar is 1000)."""
import collections
import os
import random
import time

import pytest

from arena import Arena
from gateway import closing, decision
from kept import KeptGateway
from processes import memory
from workspace import wait_for

MINUTES = float(os.environ.get("SAW_LIVE_MINUTES", "0.12"))
FLOWS = int(os.environ.get("SAW_LIVE_FLOWS", "100"))
CHANGE_S = 0.6
PACE_S = max(2.0, FLOWS / 100)
SECRET = "s3cr3t-Value.of_the-tests"
INTERCEPTED = ("good.example", "cred.example", "json.example")
NAMES = (*INTERCEPTED, "plain.example", "pass.example", "many.example", "db.example", "ssh.example")
HEAD = """\
version: 1
name: live
lab: true
verdicts: {read: allow, write: allow, later: review}
credentials:
  token: {inject: {header: Authorization, format: "Bearer {}"}, hosts: [cred.example], paths: ["/drip", "/data/**"TOGGLE]}
network:
"""
RULES = """\
    rules:
      - {class: read, methods: [GET], paths: ["/drip"]}
      - {class: write, methods: [POST], paths: ["/data/**"]}
"""
TOGGLE = '      - {class: read, methods: [GET], paths: ["/toggle/**"]}\n'
LIVE = '      - {class: write, methods: [GET], paths: ["/live"], websocket: opaque}\n'
LIVE_TOO = '      - {class: write, methods: [GET], paths: ["/live-too"], websocket: opaque}\n'
LATER = '      - {class: later, methods: [PUT], paths: ["/data/**"]}\n'
AT = "addresses: [127.0.0.10/32]"


def policy(ca, is_open):
    """With everything, or without what the tests take away."""
    pem = "".join(f"      {line}\n" for line in ca.read_text().splitlines())
    toggle, too = (TOGGLE, LIVE_TOO) if is_open else ("", "")
    tls = f"ports: [443], mode: intercept, protocol: rest, {AT}"

    def entry(name, mode, more):
        return "".join(f"{'  - ' if i == 0 else '    '}{line}\n" for i, line in enumerate(
            [f"name: {name}", f"hosts: [{name}.example]", *(p.strip() for p in mode.replace(", ", "\n").splitlines())])) + more
    text = HEAD.replace("TOGGLE", ', "/toggle/**"' if is_open else "") + entry("good", tls, f"    ca: |\n{pem}" + RULES + LIVE + toggle + too)
    text += entry("cred", tls + ", credential: token", f"    ca: |\n{pem}" + RULES + toggle)
    text += entry("json", tls, f"    ca: |\n{pem}" + RULES + LIVE + toggle + too + LATER)
    text += entry("plain", f"ports: [80], mode: http, protocol: rest, {AT}", RULES + toggle)
    for name, mode, port in (("pass", "passthrough", 443), ("db", "tcp", 5432)):
        text += entry(name, f'ports: [{port}], mode: {mode}, reason: "stays", {AT}', "")
    if is_open:
        for name, mode, port in (("many", "passthrough", 443), ("ssh", "tcp", 5432)):
            text += entry(name, f'ports: [{port}], mode: {mode}, reason: "goes", {AT}', "")
    return text


class World(KeptGateway):
    """The gateway in an arena of its own, with a policy that is open or closed."""

    def __init__(self, build, folder):
        self.arena = Arena(folder)
        self.arena.resolv_conf.write_text("nameserver 127.0.0.53\noptions timeout:10 attempts:2\n")  # all of the world is one busy process
        self.arena.zone({n: [{"a": "127.0.0.10"}] for n in NAMES})
        self.texts = {is_open: policy(self.arena.ca, is_open) for is_open in (True, False)}
        super().__init__(self.arena, build, folder / "gw", self.texts[True], {"token": SECRET}, INTERCEPTED)

    def change_to(self, is_open):
        self.change(self.texts[is_open])

    def fds(self):
        """Of roles that this user may look into; only root may, since none can be dumped."""
        return {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in self.roles().items() if os.access(f"/proc/{pid}/fd", os.R_OK)}

    def memory(self):
        return {name: memory(pid) for name, pid in self.roles().items()}


@pytest.fixture(name="world")
def _world(build, tmp_path, netns):  # pylint: disable=unused-argument
    w = World(build, tmp_path)
    yield w
    w.stop()
    w.arena.stop()


def groups(w):
    """{group: (what, how many)}"""
    ours, theirs = str(w.root), str(w.arena.ca)
    tls, few = {"port": 443, "ca": ours}, max(4, FLOWS // 25)
    host = lambda name, kind, **more: {"kind": kind, "host": f"{name}.example", **tls, **more}
    return {
        "good": (host("good", "http1"), FLOWS * 4 // 10), "cred": (host("cred", "http1"), FLOWS * 4 // 10),
        "plain": ({"kind": "http1", "host": "plain.example", "port": 80}, FLOWS // 5),
        "h2 good": (host("good", "h2", alpn="h2", streams=4), few), "h2 cred": (host("cred", "h2", alpn="h2", streams=4), few),
        "json": (host("json", "http1"), few),
        "live": (host("good", "websocket", path="/live"), few), "live outlet": (host("json", "websocket", path="/live"), few),
        "stays": ({"kind": "tunnel", "host": "pass.example", "port": 443, "ca": theirs}, few),
        "tcp stays": ({"kind": "tcp", "host": "db.example", "port": 5432}, few)}


def goers(w):
    """What the closed policy ends: {group: (what, how many)}"""
    g = groups(w)
    return {"live too": ({**g["live"][0], "path": "/live-too"}, 3), "live too outlet": ({**g["live outlet"][0], "path": "/live-too"}, 3),
            "goes": ({**g["stays"][0], "host": "many.example"}, 3), "tcp goes": ({**g["tcp stays"][0], "host": "ssh.example"}, 3)}


PROBED = ["good", "cred", "json", "plain", "h2 good", "h2 cred"]


def check(w, what):
    got = w.do("report")
    if got["n_faults"]:
        print(collections.Counter((e["status_code"], e["dst_endpoint"]["hostname"]) for e in w.events() if decision(e) in ("Blocked", "Error")))
    assert not got["n_faults"], f"{what}: {got['n_faults']} faults, among them {got['faults'][:10]}"
    return got


def path_of(event):
    return event.get("http_request", {}).get("url", {}).get("path", "")


def judge_recordings(w, asked):
    """The origin saw what was allowed, once and with its credential; the log has one decision for each request."""
    requests = w.arena.ask("since", connections=0, queries=0)["requests"]
    targets = collections.Counter(r["target"] for r in requests)
    decisions = collections.defaultdict(list)
    for e in w.events():
        if decision(e) and not closing(e) and e["class_uid"] == 4002:
            decisions[path_of(e)].append(e)
    for is_open, path in asked:
        assert targets[path] == is_open, f"{path} was seen {targets[path]} times; it was {'allowed' if is_open else 'denied'}"
        assert [decision(e) for e in decisions[path]] == ["Allowed" if is_open else "Blocked"], (path, decisions[path])
    steady = [t for t in targets if t.startswith("/data/steady/")]
    for t in steady:  # those of the tunnels have no events; one that waits while the policy changes is judged and recorded by each
        policies = [e["policy"]["version"] for e in decisions[t]]
        assert targets[t] == 1 and len(set(policies)) == len(policies) and {decision(e) for e in decisions[t]} <= {"Allowed"}, (t, decisions[t])
    bare = [r["target"] for r in requests if ("host", "cred.example") in map(tuple, r["fields"]) and
            ("authorization", "Bearer " + SECRET) not in map(tuple, r["fields"])]
    assert not bare, f"without the credential: {bare[:5]}"
    return len(steady)


def judge_ends(w, n_closed):
    """Each WebSocket and each raw tunnel that a change ended has one event that says so."""
    n = 3 * n_closed
    blocked = collections.Counter((e["dst_endpoint"]["hostname"], e["status_code"]) for e in w.events()
                                  if decision(e) == "Blocked" and path_of(e) == "/live-too")
    assert blocked == {(h, "policy_changed"): n for h in ("good.example", "json.example")}, blocked
    ended = collections.Counter(e["dst_endpoint"]["hostname"] for e in w.events() if e["class_uid"] == 4001 and e.get("status_code") == "policy_changed")
    assert ended == {h: n for h in ("many.example", "ssh.example")}, ended


def grown(samples, room):
    """Names whose highest figure of the last third is above that of the first by more than `room` and a twentieth."""
    third = max(1, len(samples) // 3)
    top = lambda part: {name: max(s[name] for s in part) for name in part[0]}
    first, last = top(samples[:third]), top(samples[-third:])
    return {name: (first[name], last[name]) for name in first if last[name] > first[name] * 1.05 + room}


def test_policies_change_under_live_traffic(world, sanitized):
    w, dice = world, random.Random(3)
    for group, (what, _) in {**groups(w), **goers(w)}.items():  # whatever a first use leaves behind is there
        w.do("open_flows", group, what, 1, 0)
    w.do("close_all")
    w.change_to(True)
    seen = [w.fds()]

    def at_rest():
        """The same descriptors for half a second, however often one looks."""
        seen.append(w.fds())
        return seen[-50:] == [seen[-1]] * 50
    wait_for("the end of the first connections", at_rest)
    baseline = seen[-1]

    for group, (what, n) in groups(w).items():
        assert w.do("open_flows", group, what, n, PACE_S, wait=120) == n
    asked, fds, held, slowest, n_closed, began = [], [], [], 0.0, 0, time.monotonic()
    n_changes = max(8, int(MINUTES * 60 / CHANGE_S) // 2 * 2)
    for number in range(n_changes):
        is_open = number % 2 == 1
        if not is_open:
            for group, (what, n) in goers(w).items():
                w.do("open_flows", group, what, n, 0)
        at = time.monotonic()
        w.change_to(is_open)
        slowest = max(slowest, time.monotonic() - at)
        if not is_open:
            n_closed += 1
            for group, (_, n) in goers(w).items():
                assert w.do("gone", group) == n
        asked += [(is_open, p) for p in w.do("probe", PROBED, f"{w.serial}", 200 if is_open else 403, 1 + dice.randrange(4))]
        if number % 10 == 9:
            check(w, f"change {number + 1}")
        if is_open:
            fds.append(w.fds())
            held.append(w.memory())
        wait_for("the next change's time", lambda n=number: time.monotonic() >= began + (n + 1) * CHANGE_S, CHANGE_S * 4)
    took = time.monotonic() - began
    check(w, "the last change")
    for is_open in (False, True):  # and once every connection's next request
        w.change_to(is_open)
        asked += [(is_open, p) for p in w.do("probe", PROBED, f"{w.serial}", 200 if is_open else 403, FLOWS, wait=180)]
    check(w, "all connections' next requests")
    before = w.do("ticks")
    wait_for("all long answers to go on", lambda: all(n > b for n, b in zip(w.do("ticks"), before)))
    print(f"{n_changes} changes in {took:.0f} s, slowest {slowest * 1000:.0f} ms; {len(asked)} probes; fds {fds[-1]}; kB {held[0]} -> {held[-1]}")

    w.do("close_all")
    wait_for("the last events", lambda: len([e for e in w.events() if closing(e)]) >= FLOWS)
    print(f"{judge_recordings(w, asked)} steady requests, each seen once")
    judge_ends(w, n_closed)
    assert not grown(fds, 24), "descriptors grow with changes of policy"
    assert sanitized or not grown(held, 2048), "memory grows with changes of policy"

    def back():
        w.change_to(True)  # what is kept between flows goes with its policy, first in inlet, and then what outlet kept for that
        return all(n <= baseline[role] for role, n in w.fds().items())
    wait_for("the end of all descriptors", back, 20)


def test_a_host_that_loses_its_credential_loses_no_request_over_it(world):
    """Those that wait in outlet go on from there, and those that inlet sends there until it has the policy, too."""
    w = world
    bare = "".join(l for l in w.texts[True].splitlines(True) if not l.startswith(("credentials:", "  token:", "    credential: token")))
    for _ in range(3):
        w.change_to(True)
        assert w.do("open_flows", "cred", groups(w)["cred"][0], 40, 0.02, wait=120) == 40
        w.change(bare)
        check(w, "the change")
        w.do("close_all")
    assert not [e for e in w.events() if decision(e) == "Blocked"]
