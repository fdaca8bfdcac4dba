"""The supervisor: roles that come back, audit before action, changes of policy, the control socket, clean ends and sudden ones."""
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess

import pytest

from ipc import N, event, pack, packed
from workspace import Workspace, alive, children, compile_policy, status, wait_for

POLICY = """\
version: 1
name: {name}
lab: true
network:
  - {{name: pinned, hosts: [pass.example], ports: {ports}, mode: passthrough, reason: "test", addresses: [127.0.0.10/32]}}
"""
GUEST = ["/usr/bin/python3", "-c", "import socket; s = socket.socket(); s.bind(('', 22)); s.listen(); [s.accept() for _ in iter(int, 1)]"]
FAKES = ("inlet", "dialer", "outlet")


@pytest.fixture(scope="session", name="blobs")
def _blobs(build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("blobs")
    make = lambda name, ports: compile_policy(build, POLICY.format(name=name, ports=ports), folder / f"{name}.blob")
    return {"one": make("one", [443]), "two": make("two", [443, 8443]), "other": make("other", [8443])}


@pytest.fixture(name="ws")
def _ws(build, blobs):
    """ws(...) makes a workspace; all are cleaned up."""
    made = []

    def make(**kw):
        kw.setdefault("command", GUEST)
        kw.setdefault("fakes", FAKES)
        made.append(Workspace(build, kw.pop("blob", blobs["one"]), **kw))
        return made[-1]
    yield make
    for w in made:
        w.clean()


def with_port_53(blob):
    """A blob that no compiler of ours makes: its port is 53, and it is sealed properly."""
    raw = blob.read_bytes().replace(struct.pack("<H", 443), struct.pack("<H", 53))
    return raw[:16] + hashlib.sha256(raw[48:]).digest() + raw[48:]


def push(control, blob, generation, timeout=15):
    """A change of policy: gives (ok, why)."""
    fd = os.memfd_create("policy", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.write(fd, pathlib.Path(blob).read_bytes() if not isinstance(blob, bytes) else blob)
    fcntl.fcntl(fd, 1033, 0x1 | 0x2 | 0x4 | 0x8)  # F_ADD_SEALS: seal, shrink, grow, write
    control.send("MSG_POLICY", generation, fds=[fd])
    os.close(fd)
    fields, _ = control.expect("MSG_POLICY_DONE", timeout)
    assert fields[0] == generation
    return fields[1], fields[2].decode()


def listeners(w, role="inlet"):
    """TCP ports that inlet has, by what it was told."""
    ports = set()
    for kind, fields, _, _ in w.told(role):
        if kind == "MSG_LISTENER" and fields[0] == N["IPC_LISTEN_TCP"]:
            ports.add(fields[1])
        if kind == "MSG_UNLISTEN":
            ports.discard(fields[0])
    return ports


def test_a_workspace_becomes_running_and_stops_when_told(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    assert set(w.roles()) == {"front", "inlet", "dialer", "outlet", "try"}
    control.send("MSG_SHUTDOWN", 0)
    w.wait_state(control, "stopped")
    assert w.end() == 0
    assert not (w.run / "control.sock").exists()
    verbs = [e["activity_name"] for e in w.audit() if e["class_uid"] == 6002]
    assert verbs[0] == "Start" and verbs[-1] == "Stop"


def test_roles_get_what_they_need_and_the_name_journal_outlives_inlet(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    kinds = lambda role: {k for k, _, _, _ in w.told(role)}
    wait_for("inlet's things", lambda: {"MSG_POLICY", "MSG_PEER", "MSG_LISTENER"} <= kinds("inlet"))
    wait_for("dialer's things", lambda: {"MSG_DIALER_CONFIG", "MSG_RESOLV", "MSG_POLICY", "MSG_PEER"} <= kinds("dialer"))
    assert w.told("inlet")[0][0] == "MSG_INLET_CONFIG"
    wait_for("its listener", lambda: listeners(w) == {80, 443})
    config = w.told("inlet")[0]
    assert config[2] == 2 and config[1][1] == w.id
    os.kill(w.roles()["inlet"], signal.SIGKILL)
    wait_for("second inlet", lambda: len({t[3] for t in w.told("inlet")}) == 2)
    second = [t for t in w.told("inlet") if t[3] != config[3]]
    wait_for("its listeners", lambda: len([t for t in w.told("inlet") if t[3] == second[0][3] and t[0] == "MSG_LISTENER"]) == 5)
    peers = [t for t in w.told("dialer") if t[0] == "MSG_PEER"]
    assert len(peers) >= 2, "dialer was not paired with the new inlet"


@pytest.mark.parametrize("one, way, other, kinds", [("inlet", 0, "dialer", ("MSG_PEER", "MSG_PEER")), ("inlet", 1, "outlet", ("MSG_PEER_OUTLET", "MSG_PEER_INLET")),
                                                    ("outlet", 0, "dialer", ("MSG_PEER", "MSG_PEER_OUTLET"))])
def test_two_roles_that_lost_their_channel_and_go_on_get_another(ws, one, way, other, kinds):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    peers = lambda: [[t[0] for t in w.told(role)].count(kind) for role, kind in zip((one, other), kinds)]
    wait_for("the first", lambda: peers() == [1, 1])
    w.tell(one, send=["MSG_PEER_LOST", way])
    w.tell(one, send=["MSG_PEER_LOST", way])
    wait_for("another", lambda: peers() == [2, 2])
    pids = {role: w.roles()[role] for role in (one, other)}
    os.kill(pids[other], signal.SIGKILL)
    w.tell(one, send=["MSG_PEER_LOST", way])
    wait_for("its return", lambda: w.roles().get(other) not in (None, pids[other]) and peers()[1] == 3)
    assert w.roles()[one] == pids[one]


def test_who_has_no_such_channel_cannot_have_lost_it(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    w.tell("dialer", send=["MSG_PEER_LOST", 0])
    w.wait_audit(lambda e: e["class_uid"] == 1007 and "not permitted" in e.get("status_detail", ""))


@pytest.mark.parametrize("role", ["front", "inlet", "dialer", "outlet"])
def test_a_role_that_dies_comes_back_and_both_is_written_down(ws, role):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    before = w.roles()[role]
    os.kill(before, signal.SIGKILL)
    after = wait_for("the role's return", lambda: w.roles().get(role) not in (None, before) and w.roles()[role])
    assert after != before
    w.wait_audit(lambda e: e["class_uid"] == 1007 and "signal 9" in e.get("status_detail", ""))
    fresh = w.control()
    state = w.wait_state(fresh, "running")
    assert state[4] == 1, "one restart is counted"
    wait_for("a connection to the guest", lambda: _connect(fresh))


def _connect(control):
    control.send("MSG_GUEST_CONNECT", 8, 22)
    name, _, fds = control.receive()
    for fd in fds:
        os.close(fd)
    return name == "MSG_GUEST_CONNECTED"


def test_a_role_that_dies_again_and_again_waits_longer_each_time(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    for _ in range(4):
        pid = wait_for("dialer", lambda: w.roles().get("dialer"))
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: not alive(pid))

    def starts():
        return [e["time"] for e in w.audit() if e["class_uid"] == 1007 and e["process"]["name"] == "dialer" and e["activity_id"] == 1]
    wait_for("all its starts on record", lambda: len(starts()) == 5)
    at = starts()
    gaps = [b - a for a, b in zip(at[1:], at[2:])]
    assert gaps[-1] > gaps[0] and gaps[-1] >= 700, gaps


def test_a_role_that_never_starts_fails_the_workspace_with_its_reason(ws):
    w = ws()
    w.settings("dialer", exit_at_start=3)
    control = w.start()
    with pytest.raises(RuntimeError, match="dialer: ended with exit status 3"):
        w.wait_state(control, "running")
    assert w.end() == 1


def test_a_message_that_is_not_permitted_ends_the_role_not_the_supervisor(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    before = w.roles()["inlet"]
    w.tell("inlet", send=["MSG_SHUTDOWN", 0])
    wait_for("a new inlet", lambda: w.roles().get("inlet") not in (None, before))
    assert w.process.poll() is None


def test_a_front_that_hands_over_too_much_leaves_nothing_to_its_successor(ws):
    w = ws(fakes=("front", *FAKES))
    w.start()
    configs = lambda: [t for t in w.told("front") if t[0] == "MSG_FRONT_CONFIG"]
    wait_for("front", configs)
    w.tell("front", send=["MSG_FRONT_LINK"], fds=3)
    wait_for("a new front", lambda: len(configs()) == 2)
    assert configs()[0][1:3] == configs()[1][1:3] and configs()[1][2] == 0, "it was to join what the one before had sent"


FORGED = [("inlet", "lifecycle", "note"), ("inlet", "policy", "note"), ("inlet", "role", "note"), ("inlet", "session", "note"), ("inlet", "api", "note"),
          ("inlet", "flow", "allowed"), ("inlet", "flow", "observed"), ("dialer", "http", "allowed"), ("dialer", "dns", "denied"),
          ("dialer", "lifecycle", "note"), ("dialer", "flow", "closed"), ("dialer", "flow", "observed"), ("dialer", "policy", "note"),
          ("outlet", "flow", "allowed"), ("outlet", "flow", "failed"), ("outlet", "dns", "denied"), ("outlet", "lifecycle", "note"), ("outlet", "policy", "note"),
          ("outlet", "session", "note"), ("inlet", "dns", "closed"), ("inlet", "http", "note")]


@pytest.mark.parametrize("role,kind,action", FORGED)
def test_a_role_reports_only_what_is_its_own_to_report(ws, role, kind, action):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    before = w.roles()[role]
    w.tell(role, send=["MSG_EVENT", 77, *event(kind, action, name="forged.example", verb="stopped", actor="alice")])
    wait_for("a new " + role, lambda: w.roles().get(role) not in (None, before))
    assert "forged.example" not in json.dumps(w.audit()), "the log took the event"
    assert [e for e in w.audit() if e["class_uid"] == 1007 and "not permitted" in e.get("status_detail", "")]


@pytest.mark.parametrize("role", ["inlet", "dialer"])
def test_only_outlet_names_a_credential_that_was_spent(ws, role):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    before = w.roles()[role]
    own = event("http" if role == "inlet" else "flow", "allowed", name="forged.example", verb="GET", credential="token")
    w.tell(role, send=["MSG_EVENT", 77, *own])
    wait_for("a new " + role, lambda: w.roles().get(role) not in (None, before))
    assert "forged.example" not in json.dumps(w.audit()), "the log took the event"


@pytest.mark.parametrize("role,kind,action", [("inlet", "dns", "denied"), ("dialer", "flow", "allowed")])
def test_a_role_says_only_of_its_own_policy_that_it_decided(ws, role, kind, action):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    before = w.roles()[role]
    own = event(kind, action, name="told.example")
    own[5] = 1
    w.tell(role, send=["MSG_EVENT", 0, *own])
    wait_for("the event", lambda: "told.example" in json.dumps(w.audit()))
    forged = event(kind, action, name="forged.example")
    forged[5] = 99
    w.tell(role, send=["MSG_EVENT", 77, *forged])
    wait_for("a new " + role, lambda: w.roles().get(role) not in (None, before))
    assert "forged.example" not in json.dumps(w.audit()), "the log took the event"


def told_once(name):
    return pack("MSG_EVENT", 0, *event("dns", "denied", name=name))


PACKS = {
    "another pack": lambda good: packed(good, packed(good)),
    "what is not permitted": lambda good: packed(good, pack("MSG_SHUTDOWN", 0)),
    "what is cut": lambda good: packed(good, good)[:-3],
    "an empty message": lambda good: packed(good, b""),
    "a forged event": lambda good: packed(good, pack("MSG_EVENT", 0, *event("lifecycle", name="forged.example"))),
    "too many": lambda good: packed(*[good] * 33),
}


@pytest.mark.parametrize("what", PACKS)
def test_a_bad_pack_ends_the_role_and_what_was_good_before_it_is_written(ws, what):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    before = w.roles()["inlet"]
    w.tell("inlet", raw=PACKS[what](told_once("told.example")).hex())
    wait_for("a new inlet", lambda: w.roles().get("inlet") not in (None, before))
    text = [json.dumps(e) for e in w.audit()]
    assert sum("told.example" in e for e in text) == (32 if what == "too many" else 1) and "forged.example" not in "".join(text)
    assert len([e for e in w.audit() if e["class_uid"] == 1007 and "not permitted" in e.get("status_detail", "")]) == 1
    sequence = [e["metadata"]["sequence"] for e in w.audit()]
    assert sequence == list(range(1, len(sequence) + 1))


def test_a_role_that_floods_with_packs_and_reads_no_answer_holds_up_no_other(ws, sanitized):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    flood = packed(*[pack("MSG_EVENT", 7, *event("dns", "denied", name="flood.example"))] * 32)
    w.tell("inlet", raw=flood.hex(), times=600)
    control.send("MSG_EVENT", 41, *event("session", name="dev", verb="opened", actor="tester"))
    assert control.expect("MSG_EVENT_DONE", timeout=5)[0] == [41, 1]
    memory = int(next(line for line in open(f"/proc/{w.process.pid}/status") if line.startswith("VmRSS")).split()[1])
    assert sanitized or memory < 64 * 1024, f"{memory} KiB"
    sequence = [e["metadata"]["sequence"] for e in w.audit()]
    assert sequence == list(range(1, len(sequence) + 1))


@pytest.mark.parametrize("role,kind,action", [("inlet", "dns", "denied"), ("inlet", "flow", "closed"), ("inlet", "http", "allowed"),
                                              ("dialer", "flow", "allowed")])
def test_who_reported_and_when_is_the_supervisors_word(ws, role, kind, action):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    told = event(kind, action, name="told.example", actor="dialer" if role == "inlet" else "inlet")
    told[2] = 1000  # a time long past
    w.tell(role, send=["MSG_EVENT", 0, *told])
    written = wait_for("the event", lambda: [e for e in w.audit() if "told.example" in json.dumps(e)])
    assert written[0]["metadata"]["log_provider"] == role
    assert written[0]["time"] > 1_600_000_000_000


def test_the_guests_port_is_reached_through_front_and_a_closed_one_is_refused(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    wait_for("the guest's listener", lambda: _connect(control))
    control.send("MSG_GUEST_CONNECT", 9, 2222)
    fields, _ = control.expect("MSG_GUEST_REFUSED")
    assert fields == [9, b"Connection refused"]


def test_an_event_is_on_disk_before_it_is_answered(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    control.send("MSG_EVENT", 41, *event("session", name="dev", verb="opened", actor="tester"))
    fields, _ = control.expect("MSG_EVENT_DONE")
    assert fields == [41, 1]
    assert [e for e in w.audit() if e["class_uid"] == 4007]


@pytest.mark.parametrize("kind,actor", [(k, "tester") for k in ("lifecycle", "dns", "flow", "http", "policy", "role", "api")] +
                         [("session", "inlet"), ("session", "")])
def test_the_control_plane_writes_of_sessions_and_in_the_owners_name_only(ws, kind, actor):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    control.send("MSG_EVENT", 41, *event(kind, name="forged.example", verb="opened", actor=actor))
    with pytest.raises(EOFError):
        control.expect("MSG_EVENT_DONE")
    again = w.control()
    again.send("MSG_EVENT", 42, *event("session", name="dev", verb="opened", actor="tester"))
    assert again.expect("MSG_EVENT_DONE")[0] == [42, 1]
    assert "forged.example" not in json.dumps(w.audit())


def test_a_burst_of_events_is_answered_in_order_and_chained(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    for i in range(1, 501):
        control.send("MSG_EVENT", i, *event("session", name="dev", verb="opened", actor="tester"))
    assert [control.expect("MSG_EVENT_DONE")[0] for _ in range(500)] == [[i, 1] for i in range(1, 501)]
    sequence = [e["metadata"]["sequence"] for e in w.audit()]
    assert sequence == list(range(1, len(sequence) + 1))


def test_what_cannot_be_written_is_answered_with_no_until_there_is_room(ws, blobs):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a tiny tmpfs")
    w = ws()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=0700", "tmpfs", str(w.dir)], check=True)
    try:
        w.write_spec()
        shutil.copy(blobs["one"], w.dir / "policy.blob")
        control = w.start()
        w.wait_state(control, "running")
        filler = w.dir / "filler"
        with open(filler, "wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(b"x" * 4096)
        answers = []
        for i in range(1, 81):  # the short ones take what room the long ones leave in a page
            control.send("MSG_EVENT", i, *event("session", name="dev", verb="opened", actor="tester", detail="x" * 1000 if i < 41 else ""))
            answers.append(control.expect("MSG_EVENT_DONE")[0][1])
        assert answers[39] == answers[-1] == 0, "the disk is full: an event is not written, and whoever waits for it hears so"
        assert push(control, blobs["two"], 2) == (0, "the audit log cannot be written, so nothing happens")
        assert 2 not in [f[0] for k, f, _, _ in w.told("dialer") if k == "MSG_POLICY"], "a policy that is not on record is in force"
        filler.unlink()
        control.send("MSG_EVENT", 99, *event("session", name="dev", verb="opened", actor="tester"))
        assert control.expect("MSG_EVENT_DONE")[0] == [99, 1]
        sequence = [e["metadata"]["sequence"] for e in w.audit()]
        assert sequence == list(range(1, len(sequence) + 1))
    finally:
        subprocess.run(["umount", "-l", str(w.dir)], check=False)


def test_a_new_policy_brings_its_listeners_and_takes_the_old_ones_away(ws, blobs):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    assert push(control, blobs["two"], 2) == (1, "")
    wait_for("listener", lambda: listeners(w) == {80, 443, 8443})
    assert push(control, blobs["other"], 3) == (1, "")
    wait_for("listener", lambda: listeners(w) == {80, 8443})
    assert [f[0] for k, f, _, _ in w.told("dialer") if k == "MSG_POLICY"] == [1, 2, 3]
    assert [(e["policy"]["name"], e["policy"]["version"]) for e in w.audit() if e["class_uid"] == 5019] == [("two", "2"), ("other", "3")]
    os.kill(w.roles()["inlet"], signal.SIGKILL)
    wait_for("new inlet with the new policy", lambda: [t for t in w.told("inlet") if t[0] == "MSG_POLICY"][-1][1] == [3]
             and len({t[3] for t in w.told("inlet")}) == 2)


def test_what_a_role_decided_by_the_policy_before_is_written_down_as_that_policys(ws, blobs):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    assert push(control, blobs["two"], 2) == (1, "")
    for generation in (1, 2, 1):
        told = event("dns", "denied", name=f"by-{generation}.example")
        told[5] = generation  # u generation (ipc/audit_msg.h)
        w.tell("inlet", send=["MSG_EVENT", 0, *told])
    said = wait_for("the events", lambda: (lambda es: es if len(es) == 3 else None)([e for e in w.audit() if ".example" in json.dumps(e)]))
    assert [(e["policy"]["name"], e["policy"]["version"]) for e in said] == [("one", "1"), ("two", "2"), ("one", "1")]


@pytest.mark.parametrize("what", ["garbage", "cut", "flipped", "older", "another of its number", "port 53"])
def test_a_policy_that_is_not_good_is_refused_and_the_last_one_stays(ws, blobs, what):
    w = ws(generation=5)
    control = w.start()
    w.wait_state(control, "running")
    good = blobs["two"].read_bytes()
    blob = {"garbage": b"\0\1\2" * 50, "cut": good[:-9], "flipped": good[:-3] + bytes([good[-3] ^ 1]) + good[-2:], "older": good,
            "another of its number": good, "port 53": with_port_53(blobs["one"])}[what]
    ok, why = push(control, blob, {"older": 4, "another of its number": 5}.get(what, 6))
    assert not ok and why
    assert what != "port 53" or "port 53 is the gateway's DNS" in why
    w.wait_audit(lambda e: e["class_uid"] == 5019 and e.get("status_code") == "policy_refused")
    told = lambda: {f[0] for k, f, _, _ in w.told("inlet") if k == "MSG_POLICY"}
    wait_for("inlet's first policy", told)
    assert told() == {5}
    assert push(control, blobs["two"], 7) == (1, "")


def test_a_role_that_does_not_take_a_policy_is_replaced(ws, blobs):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    before = w.roles()["dialer"]
    w.tell("dialer", set={"policy_ok": False})
    assert push(control, blobs["two"], 2) == (1, "")
    assert w.roles()["dialer"] != before


def test_an_inlet_that_keeps_a_port_does_not_keep_the_policy_that_lists_it_again_away(ws, blobs):
    w = ws()
    w.settings("inlet", keep=True)
    control = w.start()
    w.wait_state(control, "running")
    for generation, blob in enumerate(("two", "one"), 2):
        assert push(control, blobs[blob], generation) == (1, "")
    assert push(control, blobs["two"], 4, timeout=40) == (1, "")


def test_resolv_conf_is_followed(ws, tmp_path):
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.53\n")
    w = ws(resolv=str(resolv))
    control = w.start()
    w.wait_state(control, "running")
    texts = lambda: [f[0] for k, f, _, _ in w.told("dialer") if k == "MSG_RESOLV"]
    wait_for("the first", lambda: texts() == ["nameserver 127.0.0.53\n"])
    fresh = tmp_path / "fresh"
    fresh.write_text("nameserver 127.0.0.54\n")
    fresh.rename(resolv)
    wait_for("news", lambda: texts()[-1] == "nameserver 127.0.0.54\n")


def test_a_second_supervisor_is_refused_and_told_who_runs(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    done = subprocess.run([w.bin / "saw-workspace", "--dir", w.dir, "--run", w.run], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"is held by process {w.process.pid}" in done.stderr
    assert w.process.poll() is None and _connect(w.control()) is not None


@pytest.mark.parametrize("what,sentence", [("spec cut", "spec is malformed"), ("spec newer", "of a newer version"), ("no blob", "policy: open"),
                                           ("blob garbage", "not a compiled policy"), ("dir open", "writable by others"),
                                           ("bad id", "12 hex digits"), ("driver", "another driver")])
def test_bad_input_is_refused_with_a_sentence_and_nothing_is_left(ws, what, sentence):
    w = ws()
    spec = w.dir / "spec"
    if what == "spec cut":
        spec.write_bytes(spec.read_bytes()[:-4])
    if what == "spec newer":
        raw = bytearray(spec.read_bytes())
        raw[3] = 3
        spec.write_bytes(raw)
    if what == "no blob":
        (w.dir / "policy.blob").unlink()
    if what == "blob garbage":
        (w.dir / "policy.blob").write_bytes(b"x" * 500)
    if what == "dir open":
        w.dir.chmod(0o777)
    if what == "bad id":
        w.id = "ws-zzzzzzzzzzzz"
        w.write_spec()
    if what == "driver":
        w.spec["driver"] = 1
        w.write_spec()
    w.start(wait=False)
    assert w.end() == 1
    assert sentence in w.log(), w.log()
    assert not (w.run / "control.sock").exists()


def test_hello_comes_first_and_with_the_right_id_and_version(ws):
    w = ws()
    w.wait_state(w.start(), "running")
    session = event("session", name="dev", verb="opened", actor="tester")
    for first in (("MSG_SHUTDOWN", 0), ("MSG_HELLO", 99, w.id, 1), ("MSG_HELLO", 1, "ws-000000000000", 1), ("MSG_STOP",), ("MSG_GUEST_CONNECT", 1, 22),
                  ("MSG_EVENT", 1, *session), ("MSG_POLICY", 2), ("MSG_KEEPER_OUTLET",), ("MSG_KEEPER_INLET",)):
        c = w.connect()
        with open(os.devnull, "rb") as nothing:
            c.send(*first, fds=[nothing.fileno()] if first[0] in ("MSG_POLICY", "MSG_KEEPER_OUTLET", "MSG_KEEPER_INLET") else [])
        assert c.receive() is None, first
    c = w.connect()
    c.sock.send(b"\xff" * 300)
    assert c.receive() is None
    assert w.process.poll() is None


def test_another_user_is_not_heard(ws):
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    w = ws()
    w.wait_state(w.start(), "running")
    for path in (w.top, w.run):
        path.chmod(0o755)
    (w.run / "control.sock").chmod(0o666)
    probe = "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); " \
        "s.send(bytes.fromhex(sys.argv[2])); sys.exit(0 if not s.recv(1) else 9)"
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-c", probe, w.run / "control.sock",
                           pack("MSG_HELLO", 1, w.id, 1).hex()], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "ConnectionResetError" in done.stderr or "BrokenPipe" in done.stderr, done


def test_a_signal_stops_cleanly(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    pids = [pid for pid, _ in children(w.process.pid)]
    w.process.send_signal(signal.SIGTERM)
    assert w.end() == 0
    assert not [p for p in pids if alive(p)]
    assert "Stop" in [e.get("activity_name") for e in w.audit()]


def test_kill_9_of_the_supervisor_leaves_nothing_behind(ws):
    w = ws()
    control = w.start()
    w.wait_state(control, "running")
    wait_for("the command", lambda: len(children(w.process.pid)) == 7)
    pids = [pid for pid, _ in children(w.process.pid)]
    w.process.send_signal(signal.SIGKILL)
    w.process.wait()
    wait_for("the end of all children", lambda: not [p for p in pids if alive(p)])
    again = w.start()
    w.wait_state(again, "running")
    sequence = [e["metadata"]["sequence"] for e in w.audit()]
    assert sequence == list(range(1, len(sequence) + 1)), "the log goes on where it ended"


@pytest.mark.release
def test_every_role_is_jailed(ws, sanitized):
    if sanitized:
        pytest.skip("a sanitized build has no seccomp filter")
    if os.geteuid() != 0:
        pytest.skip("a role is not dumpable: only root may look at its namespaces")
    w = ws(fakes=())
    w.wait_state(w.start(), "running")
    roles, net = w.roles(), lambda pid: os.readlink(f"/proc/{pid}/ns/net")
    for role in ("front", "inlet", "dialer", "outlet"):
        s = status(roles[role])
        assert s["Seccomp"] == "2" and s["NoNewPrivs"] == "1", role
        assert {int(s[c], 16) for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}, role
        limits = {line[:26].strip(): line[26:].split()[1] for line in open(f"/proc/{roles[role]}/limits", encoding="ascii")}
        assert limits["Max core file size"] == "0" and limits["Max processes"] == "0", role
        assert pathlib.Path(f"/proc/{roles[role]}/environ").read_bytes() == b"", role
    assert net(roles["dialer"]) == net("self"), "dialer is the one that connects outside"
    assert len({net("self"), net(roles["front"]), net(roles["inlet"]), net(roles["outlet"]), net(roles["try"])}) == 5, "each other one is elsewhere"
    for role in ("inlet", "outlet"):
        devices = pathlib.Path(f"/proc/{roles[role]}/net/dev").read_text(encoding="ascii").splitlines()[2:]
        assert [d.split()[:2] for d in devices] == [["lo:", "0"]], (role, "an empty network")


@pytest.mark.slow
def test_a_role_that_hangs_while_it_starts_is_ended(ws):
    w = ws()
    w.settings("dialer", ready=False)
    w.start()
    w.wait_audit(lambda e: e["class_uid"] == 1007 and "was not ready within 30 s" in e.get("status_detail", ""), timeout=45)


def test_titles_show_in_ps(ws):
    w = ws()
    w.wait_state(w.start(), "running")
    assert {"saw-front: dev", "saw-try: dev"} <= {t for _, t in children(w.process.pid)}


# ---- driver "machine", with a fake one ----

MACHINE = ("inlet", "dialer", "outlet", "machine")


@pytest.fixture(name="vm")
def _vm(ws):
    """A workspace of the machine driver whose machine is a fake: its disks are empty files."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("this user may not open /dev/net/tun")

    def make(**kw):
        w = ws(command=None, **{"fakes": MACHINE, **kw})
        image = w.top / "image"
        image.mkdir()
        w.spec["image"] = str(image)
        w.write_spec()
        for name in ("kernel", "initrd", "base.img"):
            (image / name).touch()
        for name in ("overlay.img", "home.img", "seed.img"):
            (w.dir / name).touch()
        return w
    return make


def test_a_machine_gets_its_eight_descriptors_and_the_workspace_waits_for_its_guest(vm):
    w = vm()
    control = w.start()
    wait_for("the machine's configuration", lambda: w.told("machine"))
    kind, fields, n_fds, _ = w.told("machine")[0]
    assert (kind, n_fds) == ("MSG_MACHINE_CONFIG", 8) and fields[1:3] == [1, 256 << 20]
    fields, _ = control.expect("MSG_STATE")
    assert fields[0] == N["IPC_STATE_STARTING"], "nobody answers on port 22: it is not running"


def test_a_machine_that_dies_is_started_again_and_gives_up_in_the_end(vm):
    w = vm()
    control = w.start()
    for _ in range(4):
        pid = wait_for("machine", lambda: w.roles().get("machine"))
        wait_for("its configuration", lambda: [t for t in w.told("machine") if t[3] == pid])
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: not alive(pid))
    with pytest.raises(RuntimeError, match="machine: ended with signal 9"):
        w.wait_state(control, "running")
    assert w.end() == 1


def test_a_qemu_that_cannot_start_is_given_up_with_its_own_last_words(vm):
    """The real one: its kernel is an empty file."""
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("qemu-system-x86_64 is missing: tools/setup run")
    w = vm(fakes=(), memory=512 << 20)
    control = w.start()
    with pytest.raises(RuntimeError, match='machine: QEMU ended: exit status 1; its last words: ".*could not load kernel'):
        w.wait_state(control, "running")
    assert w.end() == 1


def test_a_machine_that_powers_off_before_it_answers_fails_and_says_where_to_look(vm):
    w = vm()
    control = w.start()
    wait_for("the machine's configuration", lambda: w.told("machine"))
    w.tell("machine", send=["MSG_MACHINE_STATE", N["IPC_MACHINE_OFF"], 2, ""])
    with pytest.raises(RuntimeError, match="powered off before it answered: `saw log dev` says why"):
        w.wait_state(control, "stopped")
    assert w.end() == 1


def test_a_stop_asks_the_guest_first_and_forces_it_after_the_grace(vm):
    w = vm()
    control = w.start()
    wait_for("the machine's configuration", lambda: w.told("machine"))
    control.send("MSG_SHUTDOWN", 300)
    w.wait_state(control, "stopped")
    assert [k for k, _, _, _ in w.told("machine")][1:] == ["MSG_MACHINE_POWERDOWN", "MSG_MACHINE_QUIT"] and w.end() == 0


def test_the_power_button_is_pressed_again_for_a_guest_that_was_still_booting(vm):
    w = vm()
    control = w.start()
    wait_for("the machine's configuration", lambda: w.told("machine"))
    control.send("MSG_SHUTDOWN", 60000)
    wait_for("a second press", lambda: [k for k, _, _, _ in w.told("machine")].count("MSG_MACHINE_POWERDOWN") == 2)
    control.send("MSG_SHUTDOWN", 0)
    w.wait_state(control, "stopped")


def test_a_missing_disk_is_named(vm):
    w = vm()
    (w.dir / "home.img").unlink()
    control = w.start()
    with pytest.raises(RuntimeError, match="machine: open .*home.img: No such file"):
        w.wait_state(control, "running")


def test_the_supervisor_of_a_machine_holds_no_more_than_its_children_need(vm):
    w = vm()
    w.start()
    s = status(w.process.pid)
    assert s["NoNewPrivs"] == "1"
    assert int(s["CapEff"], 16) == (0x800000e0 if os.geteuid() == 0 else 0), "KILL, SETGID, SETUID, SETFCAP: what a child's uid takes"


def test_limits_that_are_missing_are_said(vm):
    w = vm()
    control = w.start()
    fields, _ = control.expect("MSG_STATE")
    if not fields[5]:
        pytest.skip("this host gives a cgroup v2 leaf")
    assert b"no memory and process limits" in fields[5]
