"""Group K: policy, state, failure."""
import json
import os
import signal
import subprocess

import pytest

import bundle
from gateway import Gateway, SignedGateway
from workspace import wait_for

MINIMAL = "version: 1\nname: minimal\nlab: true\n"
PASS = """network:
  - {name: pinned, hosts: [pass.example], ports: [443], mode: passthrough, reason: "test", addresses: [127.0.0.10/32]}
"""


@pytest.mark.parametrize("network", ["", "network: []\n"])
def test_k1_an_empty_allow_list_means_nothing(gateway, network):
    gw = gateway(MINIMAL + network)
    with gw.attack() as a:
        assert gw.do("dns", "pass.example")["rcode"] == 3
        assert not gw.do("tcp", "198.18.0.1", 443, timeout=2)["connected"]
        events = a.wait_events(lambda e: len(e) > 1, sightings=True)
        assert len(events) > 1 and all(e["disposition"] == "Blocked" for e in events), events
        a.untouched()


@pytest.mark.parametrize("text", ["", "version: 1\nnetwork: [", "version: 1\nname: x\nnetwork: {}\n", "\0\1\2"])
def test_k2_a_policy_that_is_missing_or_corrupt_starts_nothing(arena, build, tmp_path, text):
    policy = tmp_path / "p.yaml"
    policy.write_text(text)
    saw = next(p for p in (build / "src/cli/saw", build / "saw") if p.exists())
    for args in ([str(policy)], [str(tmp_path / "missing.yaml")]):
        done = subprocess.run([*arena.enter, str(saw), "try", "--policy", *args, "--", "echo", "started"], capture_output=True, text=True,
                              timeout=30, check=False)
        assert done.returncode in (1, 2, 4) and "started" not in done.stdout and done.stderr, done


@pytest.fixture
def security(tmp_path):
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    key = bundle.Key(tmp_path, "security", "ssh")
    (keys / "security.pub").write_bytes(key.public.read_bytes())
    (keys / "security.pub").chmod(0o600)
    key.folder = keys
    return key


def bad_bundle(security, tmp_path, harm):
    """One that would let the guest out to evil.example."""
    key = {"unsigned": None, "another key": bundle.Key(tmp_path, "stranger", "ssh")}.get(harm, security)
    text = MINIMAL + PASS.replace("pass.example", "evil.example")
    manifest, signature, policy = bundle.parts(bundle.make(tmp_path / "bad", key, 6 if harm == "older" else 9, text=text))
    if harm == "altered":
        policy = policy.replace(b"443", b"444")
    raw = bundle.container(manifest, signature, policy)
    return {"missing": None, "corrupt": raw[:-20]}.get(harm, raw)


HARMS = {"missing": "bundle_missing", "corrupt": "bundle_malformed", "unsigned": "bundle_unsigned", "another key": "bundle_key_not_trusted",
         "altered": "bundle_altered", "older": "bundle_older"}


def refused(gw):
    return [e["status_code"] for e in gw.events() if e["class_uid"] == 5019 and e["state"] == "refused"]


@pytest.mark.parametrize("harm", [h for h in HARMS if h != "older"])
def test_k2_a_bundle_that_is_not_good_starts_nothing(arena, build, security, tmp_path, harm):
    gw = SignedGateway(arena, build, tmp_path / "gw", security.folder, bad_bundle(security, tmp_path, harm))
    try:
        assert gw.workspace.end() == 1 and gw.process.stdout.readline() == "", "no command ran"
        assert refused(gw) == [HARMS[harm]]
    finally:
        gw.stop()


@pytest.mark.parametrize("harm", [h for h in HARMS if h != "missing"])
def test_k2_a_bundle_that_is_not_good_leaves_the_last_good_one(arena, build, security, tmp_path, harm):
    good = bundle.make(tmp_path / "good", security, 7, text=MINIMAL + PASS)
    gw = SignedGateway(arena, build, tmp_path / "gw", security.folder, bundle.container(*bundle.parts(good)))
    try:
        control = gw.ready()
        gw.healthy()
        with gw.attack() as a:
            assert bundle.hand_over(control, bad_bundle(security, tmp_path, harm), 2)[0] == 0
            assert gw.do("dns", "evil.example")["rcode"] == 3
            a.denied("name_not_listed", dns=True)
            assert refused(gw) == [HARMS[harm]]
        gw.healthy()
        assert bundle.hand_over(control, bundle.make(tmp_path / "next", security, 10, text=MINIMAL), 3) == (1, "")
        assert gw.do("dns", "pass.example")["rcode"] == 3
    finally:
        gw.stop()


def roles(gw, name):
    """Process ids of a role of this gateway, by its title."""
    todo, found = [gw.process.pid], []
    while todo:
        pid = todo.pop()
        try:
            kids = open(f"/proc/{pid}/task/{pid}/children").read().split()
            title = open(f"/proc/{pid}/cmdline").read()
        except OSError:
            continue
        if name in title.split("\0")[0]:
            found.append(pid)
        todo += [int(k) for k in kids]
    return found


@pytest.mark.parametrize("role", ["saw-inlet", "saw-dialer"])
def test_k6_a_role_that_dies_is_replaced_and_never_opens_anything(gateway, role):
    gw = gateway(MINIMAL + PASS)
    gw.healthy()
    address = gw.do("address", "pass.example")
    for _ in range(3):
        pids = roles(gw, role)
        assert len(pids) == 1, f"{role}: {pids}"
        os.kill(pids[0], signal.SIGKILL)
        with gw.attack() as a:
            assert not gw.do("tcp", "198.51.100.66", 443, timeout=1)["connected"]
            a.untouched()
        wait_for("the role's return", lambda: gw.do("https", "pass.example", ca=str(gw.arena.ca), timeout=3).get("status") == 200)
        assert gw.do("address", "pass.example") == address


HANGS = "did not answer for 16 s"  # ipc/pulse.h: four turns of 4 s, told at the fifth


def stopped(gw, role):
    pid, = roles(gw, role)
    os.kill(pid, signal.SIGSTOP)
    return pid


def replaced(gw, role, pid):
    wait_for(f"another {role}", lambda: [p for p in roles(gw, role) if p != pid], timeout=30)


def test_k6_a_role_that_hangs_denies_within_its_deadline_and_is_replaced(gateway):
    gw = gateway(MINIMAL + PASS)
    gw.healthy()
    pid = stopped(gw, "saw-dialer")
    try:
        with gw.attack() as a:
            got = gw.do("https", "pass.example", ca=str(gw.arena.ca), timeout=60)
            assert "error" in got and "timed out" not in got["error"], got
            a.denied("gateway_role_down")
        replaced(gw, "saw-dialer", pid)
        wait_for("the way again", lambda: gw.do("https", "pass.example", ca=str(gw.arena.ca), timeout=3).get("status") == 200)
        assert sum(HANGS in json.dumps(e) for e in gw.events()) == 1
    finally:
        if os.path.exists(f"/proc/{pid}"):
            os.kill(pid, signal.SIGCONT)


def test_k6_whatever_role_hangs_nothing_opens_and_each_is_replaced(gateway):
    gw = gateway(MINIMAL + PASS)
    gw.healthy()
    address = gw.do("address", "pass.example")
    names = ("saw-front", "saw-inlet", "saw-outlet")
    pids = {name: stopped(gw, name) for name in names}
    with gw.attack() as a:
        assert not gw.do("tcp", "198.51.100.66", 443, timeout=1)["connected"]
        assert "error" in gw.do("https", "pass.example", ca=str(gw.arena.ca), timeout=2)
        a.untouched()
    for name, pid in pids.items():
        replaced(gw, name, pid)
    wait_for("the way again", lambda: gw.do("https", "pass.example", ca=str(gw.arena.ca), timeout=3).get("status") == 200)
    assert gw.do("address", "pass.example") == address
    assert sum(HANGS in json.dumps(e) for e in gw.events()) == len(names)


def test_k8_no_audit_no_action(arena, build, tmp_path):
    """The log's file system is full: the guest gets nothing, and everything again when there is room."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a tiny tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=True)
    try:
        gw = Gateway(arena, build, MINIMAL + PASS, disk / "gw")
        gw.healthy()
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(b"x" * 4096)
        for _ in range(20):  # the log's last page may still hold a few events
            if "error" in gw.do("https", "pass.example", ca=str(gw.arena.ca), timeout=5):
                break
        with gw.attack() as a:
            assert "error" in gw.do("https", "pass.example", ca=str(gw.arena.ca), timeout=5)
            assert not gw.do("dns", "pass.example", timeout=3).get("addresses"), "an answer whose event is not on record"
            a.untouched()
        filler.unlink()
        for _ in range(20):
            if gw.do("https", "pass.example", ca=str(gw.arena.ca), timeout=3).get("status") == 200:
                break
        else:
            pytest.fail("the gateway did not recover when there was room again")
        gw.stop()
        for line in gw.audit.read_text().splitlines():
            json.loads(line)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_k11_proxy_variables_and_localhost_exceptions_do_not_exist(gateway):
    gw = gateway(MINIMAL + PASS)
    with gw.attack() as a:
        done = gw.do("command", ["env", "NO_PROXY=*", "no_proxy=evil.example", "curl", "-sk", "--max-time", "3", "https://evil.example/"])
        assert done["code"] != 0
        assert {e["status_code"] for e in a.wait_events(lambda e: e)} == {"name_not_listed"}
        a.untouched()


def test_k12_without_the_gateway_there_is_no_network(gateway):
    gw = gateway(MINIMAL + PASS)
    for role in ("saw-front", "saw-inlet", "saw-dialer"):
        for pid in roles(gw, role):
            os.kill(pid, signal.SIGSTOP)
    try:
        with gw.attack() as a:
            for host in ("198.51.100.66", "127.0.0.10", "198.18.0.1"):
                got = gw.do("tcp", host, 443, send="00", timeout=1)
                assert not got.get("got"), got
            a.untouched()
    finally:
        for role in ("saw-front", "saw-inlet", "saw-dialer"):
            for pid in roles(gw, role):
                os.kill(pid, signal.SIGCONT)
