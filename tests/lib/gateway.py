"""A gateway under test: `saw try` in the arena, a guest that obeys, and the judgement of recordings and audit log."""
import json
import os
import pathlib
import select
import subprocess
import time

from workspace import Workspace

HERE = pathlib.Path(__file__).resolve().parent
# Seen by the packet observer, aggregated for up to a minute: the rest of one attack's count may be written during another test.
SIGHTINGS = ("no_route", "no_listener", "no_ipv6", "frame_dropped", "source_spoofed")


class Gateway:
    def __init__(self, arena, build, policy, folder, root=True, secrets=None, patience=1):
        """`patience`: seconds that it waits for the arena's resolver, which is the origin, too, and may be busy."""
        self.arena, self.folder = arena, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.policy = self.folder / "policy.yaml"
        self.policy.write_text(policy)
        self.audit = self.folder / "audit.jsonl"
        resolv_conf = self.folder / "resolv.conf"
        resolv_conf.write_text(arena.resolv_conf.read_text().replace("timeout:1", f"timeout:{patience}"))
        self.saw = next(p for p in (build / "src/cli/saw", build / "saw") if p.exists())
        args = [*arena.enter, str(self.saw), "try", "--policy", str(self.policy), "--audit", str(self.audit), "--quiet",
                "--resolv-conf", str(resolv_conf)] + (["--root"] if root else [])
        if secrets:
            files = {k: self.folder / f"secret-{k}" for k in secrets}
            for k, f in files.items():
                f.write_text(secrets[k] + "\n")
            args += ["--secret", ",".join(f"{k}={f}" for k, f in files.items())]
        self.process = subprocess.Popen([*args, "--", "/usr/bin/python3", "-B", str(HERE / "guest.py")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=open(self.folder / "stderr.log", "w"), text=True)
        line = self._line(20)
        if json.loads(line or "null") != "ready":
            raise RuntimeError("the gateway did not start: " + (self.folder / "stderr.log").read_text()[-3000:])

    def _line(self, timeout):
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        return self.process.stdout.readline() if ready else ""

    def do(self, fn, *args, wait=90, **kw):
        """Runs a function of guest.py in the guest."""
        self.process.stdin.write(json.dumps({"fn": fn, "args": args, "kw": kw}) + "\n")
        self.process.stdin.flush()
        answer = self._line(wait)
        if not answer:
            raise RuntimeError(f"no answer from the guest to {fn}{args}: " + (self.folder / "stderr.log").read_text()[-3000:])
        answer = json.loads(answer)
        if "trace" in answer:
            raise RuntimeError(answer["trace"])
        return answer["ok"]

    def events(self):
        """The whole lines of the log; one that is being written has no end yet."""
        text = self.audit.read_text() if self.audit.exists() else ""
        return [json.loads(l) for l in text[:text.rfind("\n") + 1].splitlines()]

    def attack(self):
        return Attack(self)

    def healthy(self):
        """The gateway serves the next legitimate request."""
        got = self.do("https", "pass.example", ca=str(self.arena.ca))
        assert got.get("status") == 200, got

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(20)
        return self.process.returncode


class SignedGateway(Gateway):
    """The same, started as sawd starts it: a supervisor that takes signed bundles only. The control plane is the test. `guest`: the
    program of this folder that obeys."""

    def __init__(self, arena, build, folder, keys, raw, guest="guest.py", **spec):  # pylint: disable=super-init-not-called
        self.arena, self.folder = arena, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.workspace = Workspace(build, None, command=["/usr/bin/python3", "-B", str(HERE / guest)], keys=keys, bundle=raw,
                                   resolv=str(arena.resolv_conf), **spec)
        self.audit = self.workspace.dir / "audit.jsonl"
        (guest_in, to_guest), (from_guest, guest_out) = os.pipe(), os.pipe()
        self.workspace.start(wait=False, enter=arena.enter, stdio=[guest_in, guest_out])
        os.close(guest_in)
        os.close(guest_out)
        self.process = self.workspace.process
        self.process.stdin, self.process.stdout = os.fdopen(to_guest, "w"), os.fdopen(from_guest)

    def ready(self):
        line = self._line(20)
        assert json.loads(line or "null") == "ready", self.workspace.log()
        return self.workspace.control()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(20)
        self.process.stdin.close()
        self.process.stdout.close()
        self.workspace.clean()
        return code


def decision(event):
    """'Blocked', 'Allowed' or None of an audit event about traffic."""
    return event.get("disposition") if event.get("class_uid") in (4001, 4002, 4003) else None


def closing(event):
    """The end of something allowed, not a decision: of a connection, or of an exchange whose answer had something to be told."""
    return (event.get("class_uid") == 4001 and event.get("activity_id") == 2) or \
        (event.get("class_uid") == 4002 and decision(event) == "Allowed" and "http_response" in event) or \
        "ai_model" in event


class Attack:
    """`with gateway.attack() as a:` do it; then a.denied("reason") or a.allowed(). Names of DNS look-ups are left out where asked."""

    def __init__(self, gateway):
        self.gw = gateway

    def __enter__(self):
        self.marks = self.gw.arena.ask("marks")
        self.n_events = len(self.gw.events())
        return self

    def __exit__(self, *_):
        return False

    def events(self, dns=True):
        fresh = self.gw.events()[self.n_events:]
        return [e for e in fresh if decision(e) and not closing(e) and (dns or e["class_uid"] != 4003)]

    def seen(self):
        return self.gw.arena.ask("since", **self.marks)

    @staticmethod
    def without_sightings(events, but=None):
        return [e for e in events if e.get("status_code") not in SIGHTINGS or e["status_code"] == but]

    def wait_events(self, good, timeout=6.0, dns=True, sightings=False):
        """Reads the log until good(events) or time is up. The log is a file: polled, with a deadline. What the packet observer saw is
        left out unless asked for."""
        end = time.monotonic() + timeout
        while True:
            events = self.events(dns) if sightings else self.without_sightings(self.events(dns))
            if good(events) or time.monotonic() > end:
                return events
            select.select([], [], [], 0.02)

    def ends(self, n=1, class_uid=4002, timeout=6.0):
        """What was told at the end of exchanges (or connections), at least n of them or all that came in time."""
        end = time.monotonic() + timeout
        while True:
            got = [e for e in self.gw.events()[self.n_events:] if closing(e) and e["class_uid"] == class_uid]
            if len(got) >= n or time.monotonic() > end:
                return got
            select.select([], [], [], 0.02)

    def untouched(self):
        seen = self.seen()
        assert not seen["queries"], f"the resolver was asked: {seen['queries']}"
        assert not seen["connections"], f"the origin was reached: {seen['connections']}"
        assert not seen["requests"], f"the origin was asked on a kept connection: {seen['requests']}"

    def denied(self, reason, touched=False, dns=False, n=1, at_least=False):
        """Exactly n events (without allowed DNS answers), each Blocked for this reason; recordings saw nothing."""
        ours = lambda events: [e for e in self.without_sightings(events, reason) if decision(e) == "Blocked"]
        events = self.wait_events(lambda events: len(ours(events)) >= n, sightings=True)
        blocked = ours(events)
        assert [e["status_code"] for e in blocked] == [reason] * len(blocked) and blocked, \
            f"want {n} x {reason}, got {[(e['class_uid'], e.get('status_code'), e.get('status_detail')) for e in events]}"
        assert len(blocked) == n or (at_least and len(blocked) > n), f"want {n} events, got {len(blocked)}: {blocked}"
        others = [e for e in events if decision(e) != "Blocked" and e["class_uid"] != 4003]
        assert touched or not others, f"an allow event beside the refusal: {others}"
        if not touched:
            self.untouched()
        return blocked

    def allowed(self, class_uid=4001, n=1):
        events = self.wait_events(lambda events: len([e for e in events if e["class_uid"] == class_uid]) >= n)
        got = [e for e in events if e["class_uid"] == class_uid]
        assert len(got) == n and all(decision(e) == "Allowed" for e in got), f"want {n} allow events, got {got}"
        assert not [e for e in self.without_sightings(events) if decision(e) == "Blocked"], events
        return got
