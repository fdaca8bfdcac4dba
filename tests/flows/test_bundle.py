"""Signed policy bundles: both signing tools, every altered byte, channels, and what a supervisor loads."""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import select
import signal
import sqlite3
import subprocess
import termios
import threading
import time

import pytest

import bundle
import ipc
from keeper import FakeSupervisor
from sawd import POLICY, Sawd, parent, title, wait_gone
from workspace import Workspace, wait_for

GUEST = ["/usr/bin/python3", "-c", "import socket; s = socket.socket(); s.bind(('', 22)); s.listen(); [s.accept() for _ in iter(int, 1)]"]
STABLE = "corporate/stable"


@pytest.fixture
def saw(build, tmp_path):
    env = {**os.environ, "SAW_STATE": str(tmp_path / "state"), "SAW_RUN": str(tmp_path / "run")}

    def run(*args, code=0):
        done = subprocess.run([str(build / "src/cli/saw"), "policy", *map(str, args)], capture_output=True, text=True, timeout=60, check=False,
                              cwd=tmp_path, env=env, stdin=subprocess.DEVNULL)
        assert done.returncode == code, (args, done)
        return done
    return run


@pytest.fixture(params=["openssl", "ssh"])
def key(request, tmp_path):
    return bundle.Key(tmp_path, "security", request.param)


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "corporate.yaml"
    path.write_text(bundle.POLICY.format(host="good.example"))
    return path


def test_what_saw_signs_the_keys_own_tool_verifies(saw, key, policy, tmp_path):
    told = json.loads(saw("sign", policy, "--key", key.private, "--serial", 7, "--json").stdout)
    folder = tmp_path / "corporate.bundle"
    assert told["bundle"] == str(folder) and told["serial"] == 7 and told["key"].startswith("SHA256:")
    assert sorted(os.listdir(folder)) == ["manifest.json", "policy.yaml", "signature.sig"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["serial"] == 7 and manifest["sha256"] == hashlib.sha256(policy.read_bytes()).hexdigest() and manifest["policy"] == "corporate"
    assert (folder / "policy.yaml").read_bytes() == policy.read_bytes()
    assert key.verify(folder / "manifest.json", folder / "signature.sig")
    assert json.loads(saw("verify", folder, "--key", key.public, "--json").stdout)["release"] == bundle.release(folder)


def give_in_pieces(pipe, text):
    """As a slow program behind `--key <(...)` does: the second half when the first has been read."""
    with contextlib.suppress(BrokenPipeError), open(pipe, "wb", buffering=0) as out:
        for piece in text[:len(text) // 2], text[len(text) // 2:]:
            out.write(piece)
            wait_for("the piece is read", lambda: not any(fcntl.ioctl(out, termios.FIONREAD, bytes(4))))


def test_keys_may_come_through_a_pipe_in_pieces(saw, key, policy, tmp_path):
    for half, use in (key.private, ["sign", policy]), (key.public, ["verify", tmp_path / "corporate.bundle"]):
        pipe = tmp_path / f"{pathlib.Path(half).name}.pipe"
        os.mkfifo(pipe)
        giver = threading.Thread(target=give_in_pieces, args=(pipe, pathlib.Path(half).read_bytes()))
        giver.start()
        saw(*use, "--key", pipe)
        giver.join()


def test_a_serial_that_would_end_a_channel_is_signed_only_by_force(saw, key, policy, tmp_path):
    far = int(time.time()) + 2 * 366 * 86400
    for serial in (far, 2**53 - 1):
        assert "more than a year ahead" in saw("sign", policy, "--key", key.private, "--serial", serial, code=2).stderr
    assert not (tmp_path / "corporate.bundle").exists()
    saw("sign", policy, "--key", key.private, "--serial", far, "--force")
    saw("sign", policy, "--key", key.private, "--serial", int(time.time()) + 300 * 86400, "--out", "near")


def test_what_the_keys_own_tool_signs_saw_verifies(saw, key, policy, tmp_path):
    folder = tmp_path / "b"
    assert "ssh-keygen -Y sign -n saw-policy" in saw("sign", policy, "--unsigned", "--out", folder).stdout
    assert "not signed" in saw("verify", folder, "--key", key.public, code=1).stderr
    (folder / "signature.sig").write_bytes(key.sign(folder / "manifest.json"))
    assert "good: policy corporate" in saw("verify", folder, "--key", key.public).stdout


def test_either_kind_of_key_signs_in_either_form(saw, policy, tmp_path):
    for kind in ("openssl", "ssh"):
        made = bundle.Key(tmp_path, "k-" + kind, kind)
        for form in ("raw", "ssh"):
            folder = tmp_path / f"{kind}-{form}"
            saw("sign", policy, "--key", made.private, "--form", form, "--out", folder)
            assert ((folder / "signature.sig").stat().st_size == 64) == (form == "raw")
            saw("verify", folder, "--key", made.public)


def test_no_changed_byte_of_the_three_files_verifies(saw, key, tmp_path):
    folder = bundle.make(tmp_path / "b", key, 7)
    saw("verify", folder, "--key", key.public)
    for name in ("manifest.json", "signature.sig", "policy.yaml"):
        path = folder / name
        whole = path.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 12)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            saw("verify", folder, "--key", key.public, code=1)
        path.write_bytes(whole + b"\n\n")
        saw("verify", folder, "--key", key.public, code=1)
        path.write_bytes(whole[:-1])
        # the last line end of an armoured signature says nothing
        if not (name == "signature.sig" and key.kind == "ssh"):
            saw("verify", folder, "--key", key.public, code=1)
        path.write_bytes(whole)
    saw("verify", folder, "--key", key.public)


@pytest.mark.parametrize("more,reason", [
    ({"expires": "2026-01-01T00:00:00Z"}, "bundle_expired"),
    ({"serial": 0}, "bundle_manifest"),
    ({"serial": "7"}, "bundle_manifest"),
    ({"extra": 1}, "bundle_manifest"),
    ({"format": 2}, "bundle_newer"),
    ({"sha256": "0" * 64}, "bundle_altered"),
])
def test_a_signature_makes_no_bad_manifest_good(saw, key, tmp_path, more, reason):
    folder = bundle.make(tmp_path / "b", key, **{"serial": 7, **more})
    assert json.loads(saw("verify", folder, "--key", key.public, "--json", code=1).stdout)["reason"] == reason


def test_another_key_another_namespace_and_no_trusted_key_are_refused(saw, key, tmp_path):
    other = bundle.Key(tmp_path, "other", key.kind)
    folder = bundle.make(tmp_path / "b", key, 7)
    reason = json.loads(saw("verify", folder, "--key", other.public, "--json", code=1).stdout)["reason"]
    assert reason == ("bundle_signature" if key.kind == "openssl" else "bundle_key_not_trusted")
    assert "not trusted here" in saw("verify", folder, code=1).stderr
    if key.kind == "ssh":
        said = saw("verify", folder, "--key", other.public, code=1).stderr
        assert "another key than" in said and "trusted" not in said
    if key.kind == "ssh":
        with open(folder / "manifest.json", "rb") as f:
            (folder / "signature.sig").write_bytes(bundle.run("ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", key.private, stdin=f).stdout)
        assert "namespace" in saw("verify", folder, "--key", key.public, code=1).stderr


def test_keys_that_cannot_sign_are_refused_with_what_to_do(saw, policy, tmp_path):
    bundle.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "locked")
    bundle.run("openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x", "-out", tmp_path / "locked.pem")
    for name in ("locked", "locked.pem"):
        assert "ssh-keygen -Y sign" in saw("sign", policy, "--key", name, "--out", "b", code=1).stderr
    bundle.run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "ecdsa")
    bundle.run("openssl", "genpkey", "-algorithm", "X25519", "-out", tmp_path / "x.pem")
    for name in ("ecdsa", "x.pem"):
        assert "another type than Ed25519" in saw("sign", policy, "--key", name, "--out", "b", code=1).stderr
    assert "takes the private one" in saw("sign", policy, "--key", "locked.pub", "--out", "b", code=1).stderr
    (tmp_path / "junk").write_text("hello\n")
    assert "no private key" in saw("sign", policy, "--key", "junk", "--out", "b", code=1).stderr
    saw("sign", policy, "--key", "nowhere", "--out", "b", code=4)
    assert not (tmp_path / "b").exists()


def test_a_policy_that_is_refused_is_not_signed(saw, key, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nnam: x\n")
    assert "bad.yaml:2:1" in saw("sign", bad, "--key", key.private, code=1).stderr
    lab = tmp_path / "lab.yaml"
    lab.write_text("version: 1\nname: corporate\nlab: true\nnetwork: []\n")
    assert "lab" in saw("sign", lab, "--key", key.private, "--channel", "corporate/stable", code=1).stderr
    saw("sign", lab, "--key", key.private, "--channel", "lab/mine")
    assert sorted(p.name for p in tmp_path.glob("*.bundle")) == ["lab.bundle"]
    assert "lab" in saw("verify", "lab.bundle", "--key", key.public, "--channel", "corporate/stable", code=1).stderr


def test_a_bundle_is_never_changed_in_place(saw, key, policy, tmp_path):
    saw("sign", policy, "--key", key.private, "--serial", 1)
    before = bundle.parts(tmp_path / "corporate.bundle")
    assert "is there already" in saw("sign", policy, "--key", key.private, "--serial", 2, code=1).stderr
    assert bundle.parts(tmp_path / "corporate.bundle") == before


def test_a_bundle_in_one_piece_is_read_too(saw, key, tmp_path):
    folder = bundle.make(tmp_path / "b", key, 7)
    (tmp_path / "one").write_bytes(bundle.container(*bundle.parts(folder)))
    saw("verify", "one", "--key", key.public)
    (tmp_path / "one").write_bytes(bundle.container(*bundle.parts(folder)) + b"x")
    saw("verify", "one", "--key", key.public, code=1)


def test_a_signed_policy_that_would_be_refused_is_refused_in_json_too(saw, key, tmp_path):
    (tmp_path / "lab.yaml").write_text(POLICY.replace("version: 1\n", "version: 1\nlab: true\n", 1))
    saw("sign", "lab.yaml", "--key", key.private)
    told = saw("verify", "lab.bundle", "--key", key.public, "--channel", "corporate/stable", "--json", code=1)
    assert json.loads(told.stdout) == {"bundle": "lab.bundle", "ok": False, "reason": "policy_refused", "detail": "the policy file was refused; the last good one stays"}
    assert "lab: true" in told.stderr
    assert "two to four words" in saw("verify", "lab.bundle", "--key", key.public, "--channel", "Stable", code=2).stderr


@pytest.mark.parametrize("args,word", [
    (["--serial", "0"], "--serial"), (["--serial", "-1"], "--serial"), (["--serial", "x"], "--serial"), (["--expires", "tomorrow"], "--expires"),
    (["--expires", "2001-01-01T00:00:00Z"], "--expires"), (["--expires", "0d"], "--expires"), (["--channel", "stable"], "--channel"),
    (["--channel", "a/../b"], "--channel"), (["--form", "pgp"], "--form"),
])
def test_wrong_options_of_sign_are_named(saw, key, policy, args, word):
    assert word in saw("sign", policy, "--key", key.private, *args, code=2).stderr


# ---- what a supervisor loads, by itself ----

@pytest.fixture(name="ws")
def _ws(build, tmp_path, userns):
    """ws(bundle folder or bytes, key) makes a workspace that trusts the key; all are cleaned up."""
    made = []
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)

    def make(what, trusted=(), **kw):
        for k in trusted:
            (keys / k.public.name).write_bytes(k.public.read_bytes())
            (keys / k.public.name).chmod(0o600)
        raw = what if isinstance(what, bytes) or what is None else bundle.container(*bundle.parts(what))
        made.append(Workspace(build, None, command=GUEST, fakes=("inlet", "dialer"), keys=keys, bundle=raw, **kw))
        return made[-1]
    yield make
    for w in made:
        w.clean()


def policy_events(w):
    return [(e["state"], e.get("status_code"), e.get("status_detail", "")) for e in w.audit() if e["class_uid"] == 5019]


def refusals(w, n=0):
    """Reasons in their order, once there are `n` (an answer may be here before its event is on disk)."""
    def see():
        found = [code for state, code, _ in policy_events(w) if state == "refused"]
        return (found,) if len(found) >= n else None
    return wait_for(f"{n} refusals", see)[0]


@pytest.fixture
def security(tmp_path):
    return bundle.Key(tmp_path, "security", "ssh")


def test_a_supervisor_loads_what_is_signed_and_says_which(ws, security, tmp_path):
    folder = bundle.make(tmp_path / "b", security, 7)
    w = ws(folder, [security])
    control = w.start()
    w.wait_state(control, "running")
    (state, _, detail), = policy_events(w)
    assert state == "Enabled" and "serial 7" in detail and bundle.release(folder) in detail and "signed by SHA256:" in detail
    later = bundle.make(tmp_path / "c", security, 8, text=bundle.POLICY.replace("corporate", "later").format(host="later.example"))
    assert bundle.hand_over(control, later, 2, STABLE) == (1, "")
    named = [(e["policy"]["name"], e["policy"]["version"], e["status_detail"][:8]) for e in w.audit() if e["class_uid"] == 5019]
    assert named == [("corporate", "1", "serial 7"), ("later", "2", "serial 8")]
    assert "serial 8" in policy_events(w)[-1][2] and bundle.release(later) in policy_events(w)[-1][2] and STABLE in policy_events(w)[-1][2]
    assert bundle.kept(w.dir) == (8, bundle.container(*bundle.parts(later)))
    assert "compiler" not in w.roles(), "the compiler ends with its policy"


UNSOUND = [
    ("ssh", "garbage", "bundle_malformed"), ("ssh", "torn", "bundle_malformed"),
    ("ssh", "unsigned", "bundle_unsigned"), ("ssh", "stranger", "bundle_key_not_trusted"), ("openssl", "stranger", "bundle_signature"),
    ("ssh", "expired", "bundle_expired"), ("ssh", "manifest", "bundle_altered"), ("openssl", "manifest", "bundle_signature"),
    ("ssh", "policy", "bundle_altered"), ("openssl", "policy", "bundle_altered"), ("ssh", "newer", "bundle_newer"),
    ("ssh", "blob", "bundle_malformed"), ("ssh", "refused", "policy_refused"), ("ssh", "lab", "policy_refused"), ("ssh", "name", "bundle_manifest"),
    ("ssh", "other channel", "bundle_other_channel"), ("ssh", "namespace", "bundle_signature"),
]


# One that is missing cannot be handed over.
@pytest.mark.parametrize("kind,harm,code,when", [("ssh", "missing", "bundle_missing", "at start"), *[(*u, when) for u in UNSOUND for when in ("at start", "at reload")]])
def test_what_is_not_rightly_signed_is_refused_with_one_event_and_its_reason(ws, tmp_path, kind, harm, code, when):
    key, other = bundle.Key(tmp_path, "security", kind), bundle.Key(tmp_path, "other", kind)
    policy = {"refused": "version: 1\nname: corporate\nnetwrk: []\n", "lab": "version: 1\nname: corporate\nlab: true\nnetwork: []\n",
              "name": "version: 1\nname: other\nnetwork: []\n"}.get(harm)
    more = {"expired": {"expires": "2026-01-01T00:00:00Z"}, "other channel": {"channel": "corporate/canary"}}.get(harm, {})
    folder = bundle.make(tmp_path / "bad", {"unsigned": None, "stranger": other}.get(harm, key), 9, text=policy,
                         **{**more, **({"policy": "corporate"} if harm == "name" else {})})
    manifest, signature, text = bundle.parts(folder)
    if harm == "namespace":
        with open(folder / "manifest.json", "rb") as f:
            signature = bundle.run("ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", key.private, stdin=f).stdout
    if harm == "manifest":
        manifest = manifest.replace(b'"serial": 9', b'"serial": 8')
    if harm == "policy":
        text = text.replace(b"good.example", b"evil.example")
    raw = {"missing": None, "garbage": b"\0\1\2" * 50, "newer": b"saw-bundle-2\n", "blob": b"SAWPOLCY" + bytes(500)}.get(
        harm, bundle.container(manifest, signature, text)[:-1 if harm == "torn" else None])
    if when == "at start":
        w = ws(raw, [key], channel=STABLE)
        w.start(wait=False)
        assert w.end() == 1 and "policy: " in w.log()
        assert refusals(w) == [code]
        return
    good = bundle.make(tmp_path / "good", key, 7)
    w = ws(good, [key])
    control = w.start()
    w.wait_state(control, "running")
    ok, why = bundle.hand_over(control, raw, 2, STABLE)
    assert not ok and why
    assert refusals(w, 1) == [code]
    # The last good one is in force, and the next good one is taken.
    control = w.control()
    assert w.wait_state(control, "running")[2] == 1
    assert bundle.kept(w.dir) == (7, bundle.container(*bundle.parts(good)))
    assert bundle.hand_over(control, bundle.make(tmp_path / "next", key, 10), 3, STABLE) == (1, "")
    assert refusals(w) == [code]


@pytest.mark.parametrize("kind", ["openssl", "ssh"])
def test_no_changed_byte_of_the_three_parts_is_loaded(ws, tmp_path, kind):
    key = bundle.Key(tmp_path, "security", kind)
    w = ws(bundle.make(tmp_path / "good", key, 7), [key])
    control = w.start()
    w.wait_state(control, "running")
    whole = bundle.parts(bundle.make(tmp_path / "b", key, 8, text="version: 1\nname: corporate\n"))
    tried = 0
    for part in range(3):
        for at in range(0, len(whole[part]), max(1, len(whole[part]) // 25)):
            parts = list(whole)
            parts[part] = parts[part][:at] + bytes([parts[part][at] ^ 1]) + parts[part][at + 1:]
            assert bundle.hand_over(control, bundle.container(*parts), 2)[0] == 0, (part, at)
            tried += 1
    assert len(refusals(w, tried)) == tried
    assert bundle.hand_over(control, bundle.container(*whole), 2) == (1, "")


def test_a_serial_goes_back_only_where_core_says_that_it_was_rolled_back(ws, security, tmp_path):
    w = ws(bundle.make(tmp_path / "7", security, 7), [security])
    control = w.start()
    w.wait_state(control, "running")
    assert bundle.hand_over(control, bundle.make(tmp_path / "9", security, 9), 2) == (1, "")
    older = bundle.make(tmp_path / "8", security, 8)
    assert bundle.hand_over(control, older, 3)[0] == 0
    assert bundle.hand_over(control, older, 3, rollback=7)[0] == 0
    assert refusals(w, 2) == ["bundle_older"] * 2
    assert bundle.hand_over(control, older, 3, rollback=8) == (1, "")
    assert "rolled back from serial 9" in policy_events(w)[-1][2]
    w.process.kill()
    w.end()
    # A restart remembers: what stands in the folder must not be older, but for the same word.
    (w.dir / "bundle").write_bytes(bundle.container(*bundle.parts(bundle.make(tmp_path / "6", security, 6))))
    w.spec["generation"] = 4
    w.write_spec()
    control = w.start()
    assert w.wait_state(control, "running")[5].startswith(b"runs by the last good policy")
    assert refusals(w) == ["bundle_older"] * 3 and "serial 8" in policy_events(w)[-1][2]


def test_without_its_record_of_serials_a_workspace_does_not_guess(ws, security, tmp_path):
    w = ws(bundle.make(tmp_path / "7", security, 7), [security])
    (w.dir / "loaded").write_bytes(b"what")
    w.start(wait=False)
    assert w.end() == 1 and "was loaded last is not known" in w.log()


# ---- a supervisor that dies while it writes down what it loaded ----

def links(pid):
    """Where a process's open descriptors lead; some may close meanwhile."""
    out = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            out.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return out


def die_in_a_rollback(w, control, older):
    """Killed between the event and the record of it: the file that the record is written into is a pipe that nobody opens, so writing does not go on."""
    os.mkfifo(w.dir / "loaded.new", 0o600)
    fd = bundle.sealed(older)
    control.send("MSG_BUNDLE", 3, 8, "", fds=[fd])
    os.close(fd)
    wait_for("the event", lambda: "rolled back from serial 9" in policy_events(w)[-1][2])
    wait_for("the record's writing", lambda: str(w.dir) in links(w.process.pid))  # its first step is to open the folder
    w.process.kill()
    w.end()
    control.close()
    (w.dir / "loaded.new").unlink()


# What stands beside: what of the record's new contents had been written. `was`: the serial of what is kept then.
POINTS = {"before a byte": (9, 0), "half of it written": (9, 0.5), "before the rename": (9, 1), "after the rename": (8, None)}
# What core wants then, with its word about a rollback, and what must be in force: the wanted, or else what is kept.
WANTED = {"the one rolled back to": ("8", 8, 8, "running"), "the one before": ("9", 0, 9, "running"), "the older one without a word": ("8", 0, None, "bundle_older"),
          "what nobody signed": ("unsigned", 0, None, "bundle_unsigned"), "nothing": (None, 0, None, "bundle_missing"), "garbage": ("garbage", 0, None, "bundle_malformed")}


@pytest.mark.parametrize("point", POINTS)
def test_who_dies_in_a_rollback_keeps_the_one_before_or_the_new_one_whole(ws, security, tmp_path, point):
    is_kept, written = POINTS[point]
    older = bundle.make(tmp_path / "8", security, 8, host="older.example")
    raw = {"8": bundle.container(*bundle.parts(older)), "garbage": b"\0\1\2" * 50,
           "9": bundle.container(*bundle.parts(bundle.make(tmp_path / "9", security, 9))),
           "unsigned": bundle.container(*bundle.parts(bundle.make(tmp_path / "u", None, 10)))}
    w = ws(raw["9"], [security])
    control = w.start()
    w.wait_state(control, "running")
    before = (w.dir / "loaded").read_bytes()
    if point == "before a byte":
        die_in_a_rollback(w, control, older)
        assert (w.dir / "loaded").read_bytes() == before
    else:
        assert bundle.hand_over(control, older, 3, rollback=8) == (1, "")
        w.process.kill()
        w.end()
    after = (w.dir / "loaded").read_bytes()
    w.spec["generation"] = 3
    for wanted in WANTED if written in (0, None) else ("the one rolled back to", "what nobody signed"):
        name, rollback, runs, word = WANTED[wanted]
        (w.dir / "bundle").unlink(missing_ok=True)
        if name:
            (w.dir / "bundle").write_bytes(raw[name])
        (w.dir / "loaded").write_bytes(before if is_kept == 9 else after)
        if written:
            (w.dir / "loaded.new").write_bytes(after[:int(len(after) * written)])
        w.spec["rollback"] = rollback
        w.write_spec()
        if (name, is_kept) == ("8", 8):  # that is the same serial, and no step back
            runs, word = 8, "running"
        n = len(refusals(w))
        control = w.start()
        note = w.wait_state(control, "running")[5]
        runs = runs or is_kept
        assert f"serial {runs}, " in policy_events(w)[-1][2], wanted
        assert refusals(w)[n:] == ([] if word == "running" else [word]), wanted
        assert note.startswith(b"runs by the last good policy") == (word != "running"), wanted
        assert bundle.kept(w.dir) == (runs, raw[str(runs)]), wanted
        w.process.kill()
        w.end()


def test_what_a_supervisor_of_before_kept_is_read_once_more_and_kept_anew(ws, security, tmp_path):
    raw = bundle.container(*bundle.parts(bundle.make(tmp_path / "7", security, 7)))
    w = ws(b"\0\1\2" * 50, [security])
    (w.dir / "loaded").write_bytes(ipc.pack(901, 1, 7, 1, ""))
    (w.dir / "loaded.bundle").write_bytes(raw)
    control = w.start()
    assert w.wait_state(control, "running")[5].startswith(b"runs by the last good policy")
    assert refusals(w) == ["bundle_malformed"] and "serial 7" in policy_events(w)[-1][2]
    assert bundle.kept(w.dir) == (7, raw) and not (w.dir / "loaded.bundle").exists()


@pytest.mark.parametrize("harm", ["cut", "longer", "newer", "another's end"])
def test_a_record_that_does_not_fit_its_bundle_is_no_record(ws, security, tmp_path, harm):
    w = ws(bundle.make(tmp_path / "7", security, 7), [security])
    control = w.start()
    w.wait_state(control, "running")
    w.process.kill()
    w.end()
    good = (w.dir / "loaded").read_bytes()
    at = good.index(b"saw-bundle-1\n")
    (w.dir / "loaded").write_bytes({"cut": good[:-1], "longer": good + b"x", "newer": ipc.pack(901, 3, 7, 1, "", 1) + b"x",
                                    "another's end": good[:at] + good[at:] * 2}[harm])
    w.start(wait=False)
    assert w.end() == 1 and "was loaded last is not known" in w.log()


def test_no_compiled_policy_is_taken_from_core(ws, build, security, tmp_path):
    w = ws(bundle.make(tmp_path / "7", security, 7), [security])
    control = w.start()
    w.wait_state(control, "running")
    text = tmp_path / "p.yaml"
    text.write_text(POLICY)
    subprocess.run([build / "src/cli/saw", "policy", "compile", text, "-o", tmp_path / "blob"], check=True, capture_output=True, timeout=60)
    fd = os.memfd_create("policy", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.write(fd, (tmp_path / "blob").read_bytes())
    fcntl.fcntl(fd, 1033, 0xf)
    control.send("MSG_POLICY", 2, fds=[fd])
    os.close(fd)
    wait_for("the channel's end", lambda: "not permitted or malformed" in w.log() or "control peer" in w.log())
    assert w.wait_state(w.control(), "running")[2] == 1


def test_a_compiler_that_dies_loads_nothing_and_the_next_try_does(ws, security, tmp_path):
    w = ws(bundle.make(tmp_path / "7", security, 7), [security])
    control = w.start()
    w.wait_state(control, "running")
    program = w.bin / "sawd-compiler"
    program.rename(w.bin / "kept")
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    later = bundle.make(tmp_path / "8", security, 8)
    assert bundle.ask(control, later, 2)[::2] == (0, 1)
    program.unlink()
    assert bundle.ask(control, later, 2)[::2] == (0, 1)
    (w.bin / "kept").rename(program)
    assert refusals(w, 2) == ["gateway_role_down"] * 2
    assert bundle.hand_over(control, later, 2) == (1, "")


def test_only_a_refusal_that_may_pass_is_worth_sending_again(ws, security, tmp_path):
    w = ws(bundle.make(tmp_path / "7", security, 7), [security])
    control = w.start()
    w.wait_state(control, "running")
    bad = bundle.make(tmp_path / "bad", security, 8, text="version: 1\nname: corporate\nnetwrk: []\n")
    assert bundle.ask(control, bad, 2)[::2] == (0, 0)
    assert bundle.ask(control, bundle.make(tmp_path / "6", security, 6), 2)[::2] == (0, 0)
    later = bundle.make(tmp_path / "8", security, 8)
    in_the_way = w.dir / "loaded.new"
    in_the_way.mkdir()
    assert bundle.ask(control, later, 2)[::2] == (0, 1)
    in_the_way.rmdir()
    assert bundle.ask(control, later, 2) == (1, "", 0)


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(("Pss_Anon:", "Pss_Shmem:")))


@pytest.mark.release
def test_a_hundred_changes_leave_no_descriptor_and_no_memory(ws, security, tmp_path):
    w = ws(bundle.make(tmp_path / "7", security, 7), [security])
    control = w.start()
    w.wait_state(control, "running")
    made = [bundle.make(tmp_path / f"b{n}", security, 10 + n, host=f"h{n}.example") for n in range(110)]
    before = None
    for n, folder in enumerate(made):
        assert bundle.hand_over(control, folder, 2 + n, STABLE) == (1, "")
        if n == 9:
            before = open_files(w.process.pid), memory_kib(w.process.pid)
    after = open_files(w.process.pid), memory_kib(w.process.pid)
    assert after[0] <= before[0] and after[1] <= before[1] + 128, (before, after)
    assert len(policy_events(w)) == 111 and "compiler" not in w.roles()


# ---- channels ----

@pytest.fixture
def plane(build, userns):
    s = Sawd(build)
    s.start()
    yield s
    s.close()


def cli(plane, *args, code=0):
    done = subprocess.run([str(plane.build / "src/cli/saw"), *map(str, args)], env=plane.env, capture_output=True, text=True, timeout=120,
                          check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == code, (args, done, plane.log())
    return done


def control_events(plane, good):
    return [e for e in map(json.loads, (plane.state / "audit/control.jsonl").read_text().splitlines()) if good(e)]


def operations(plane, *names):
    return [(e["api"]["operation"], e.get("status_detail", "")) for e in control_events(plane, lambda e: e["class_uid"] == 6003)
            if e["api"]["operation"] in names]


def push(plane, folder, channel=STABLE, code=0):
    return cli(plane, "policy", "push", folder, "--channel", channel, code=code)


def own_log(plane, name):
    return [json.loads(line) for line in (plane.state / "workspaces" / plane.show(name)["id"] / "audit.jsonl").read_text().splitlines()]


def loaded(plane, name, serial, timeout=60):
    """Until the workspace's gateway judges by this serial."""
    def see():
        policy = plane.show(name)["policy"]
        return policy if policy["serial"] == serial and policy["loaded_generation"] == policy["generation"] else None
    return wait_for(f"{name} at serial {serial}", see, timeout)


def test_a_policy_that_could_not_be_handed_over_just_then_is_handed_over_later(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public, "--name", "corp")
    push(plane, bundle.make(tmp_path / "7", security, 7))
    cli(plane, "create", "dev", "--policy", STABLE, "--driver", "try")
    loaded(plane, "dev", 7)
    in_the_way = plane.state / "workspaces" / plane.show("dev")["id"] / "bundle.new"
    in_the_way.mkdir()
    push(plane, bundle.make(tmp_path / "8", security, 8))
    wait_for("the record", lambda: plane.show("dev")["policy"]["serial"] == 8)
    assert plane.show("dev")["policy"]["loaded_generation"] == 1
    in_the_way.rmdir()
    loaded(plane, "dev", 8)


def test_a_workspace_follows_its_channel(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public, "--name", "corp")
    out = push(plane, bundle.make(tmp_path / "7", security, 7)).stdout
    assert "corporate/stable: policy corporate, serial 7, release" in out and "0 workspaces" in out
    cli(plane, "create", "dev", "--policy", STABLE, "--driver", "try")
    cli(plane, "create", "still", "--policy", STABLE, "--driver", "try", "--no-start")
    cli(plane, "create", "own", "--policy", write(tmp_path / "own.yaml", POLICY), "--driver", "try")
    record = plane.show("dev")
    assert record["policy"]["channel"] == STABLE and record["policy"]["serial"] == 7 and record["policy"]["name"] == "corporate"
    assert record["policy"]["file"] == "" and not record["policy"]["rolled_back"]
    folder = bundle.make(tmp_path / "8", security, 8, host="later.example")
    assert "2 workspaces" in push(plane, folder).stdout
    policy = loaded(plane, "dev", 8)
    assert policy["release"] == bundle.release(folder) and policy["generation"] == 2
    assert plane.show("still")["policy"]["serial"] == 8 and plane.show("own")["policy"]["channel"] == ""
    cli(plane, "start", "still")
    loaded(plane, "still", 8)
    events = [json.loads(line) for line in (plane.state / "workspaces" / record["id"] / "audit.jsonl").read_text().splitlines()]
    told = [e["status_detail"] for e in events if e["class_uid"] == 5019]
    assert len(told) == 2 and "serial 8" in told[1] and bundle.release(folder) in told[1] and "channel corporate/stable" in told[1]
    (_, first), (_, second) = operations(plane, "channels.push")
    assert "serial 7 after 0" in first and "serial 8 after 7" in second and "signed by SHA256:" in second


def test_a_push_while_the_one_before_comes_into_force_is_not_lost(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public, "--name", "corp")
    push(plane, bundle.make(tmp_path / "7", security, 7))
    cli(plane, "create", "dev", "--policy", STABLE, "--driver", "try")
    loaded(plane, "dev", 7)
    dialer, = [int(p) for p in os.listdir("/proc") if p.isdigit() and title(int(p)) == "saw-dialer: dev" and parent(int(p)) in plane.supervisors()]
    os.kill(dialer, signal.SIGSTOP)
    log = plane.state / "workspaces" / plane.show("dev")["id"] / "audit.jsonl"
    push(plane, bundle.make(tmp_path / "8", security, 8, host="later.example"))
    wait_for("the load of serial 8", lambda: "serial 8" in log.read_text())
    push(plane, bundle.make(tmp_path / "9", security, 9, host="last.example"))
    assert plane.show("dev")["policy"]["serial"] == 9  # core has done all that the push leads to
    os.kill(dialer, signal.SIGCONT)
    loaded(plane, "dev", 9)


def test_a_push_reaches_a_workspace_whose_guest_never_answers(plane, security, tmp_path):
    """A guest without an sshd is on the network, and its machine is starting for ever."""
    cli(plane, "policy", "key", "add", security.public, "--name", "corp")
    push(plane, bundle.make(tmp_path / "7", security, 7))
    cli(plane, "create", "dev", "--policy", STABLE, "--driver", "try")
    loaded(plane, "dev", 7)
    ident = plane.show("dev")["id"]
    plane.stop()
    for pid in plane.supervisors():
        os.kill(pid, signal.SIGKILL)
        wait_gone(pid)
    supervisor = FakeSupervisor(plane.run, ident)
    plane.start()
    supervisor.accept(state="STARTING")
    plane.wait("dev", "starting")
    try:
        push(plane, bundle.make(tmp_path / "8", security, 8, host="later.example"))
        generation, *_ = supervisor.channel.expect("MSG_BUNDLE", 10)[0]
        supervisor.channel.send("MSG_POLICY_DONE", generation, 1, "", 0)
        assert generation == 2 and loaded(plane, "dev", 8)["generation"] == 2
    finally:
        plane.call("POST", "/v1/workspaces/dev/stop", {"grace_seconds": 0})
        supervisor.end()
        plane.wait("dev", "stopped")


def test_keys_are_added_and_removed_in_json_too(plane, security):
    said = json.loads(cli(plane, "policy", "key", "add", security.public, "--name", "corp", "--json").stdout)
    assert said == {"name": "corp", "fingerprint": said["fingerprint"], "trusted": True} and said["fingerprint"].startswith("SHA256:")
    assert json.loads(cli(plane, "policy", "key", "rm", "corp", "--json").stdout) == {**said, "trusted": False}
    assert ": trusted, SHA256:" in cli(plane, "policy", "key", "add", security.public).stdout


def write(path, text):
    path.write_text(text)
    return path


def test_back_and_forward_again(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public)
    folders = {n: bundle.make(tmp_path / str(n), security, n, host=f"h{n}.example") for n in (3, 5, 9)}
    for n in (3, 5, 9):
        push(plane, folders[n])
    cli(plane, "create", "dev", "--policy", STABLE, "--driver", "try")
    loaded(plane, "dev", 9)
    assert "serial 5 (rolled back)" in cli(plane, "policy", "channel", "rollback", STABLE).stdout
    assert loaded(plane, "dev", 5)["rolled_back"]
    cli(plane, "policy", "channel", "rollback", STABLE, "--to", 3)
    loaded(plane, "dev", 3)
    assert "`saw audit`" in cli(plane, "policy", "channel", "rollback", STABLE, code=4).stderr
    assert "`saw audit`" in cli(plane, "policy", "channel", "set", STABLE, "0" * 8, code=4).stderr
    cli(plane, "policy", "channel", "rollback", STABLE, "--to", 4, code=1)
    # Only back to the top is forward; what lies between is a rollback too.
    assert "is not above 9" in cli(plane, "policy", "channel", "set", STABLE, bundle.release(folders[5])[:8], code=1).stderr
    cli(plane, "policy", "channel", "set", STABLE, bundle.release(folders[9])[:8])
    assert not loaded(plane, "dev", 9)["rolled_back"]
    assert [o for o, _ in operations(plane, "channels.rollback", "channels.set")] == ["channels.rollback", "channels.rollback", "channels.set"]
    path = plane.state / "workspaces" / plane.show("dev")["id"] / "audit.jsonl"
    told = [json.loads(line).get("status_detail", "") for line in path.read_text().splitlines() if '"class_uid":5019' in line]
    assert [("serial %d" % n in t, "rolled back from serial" in t) for n, t in zip((9, 5, 3, 9), told)] == [
        (True, False), (True, True), (True, True), (True, False)]


def test_a_rollback_never_leads_to_what_was_withdrawn(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public)
    for n in (3, 5, 9):
        push(plane, bundle.make(tmp_path / str(n), security, n, host=f"h{n}.example"))
    back = lambda *more, code=0: cli(plane, "policy", "channel", "rollback", STABLE, *more, code=code)
    assert "serial 5 (rolled back)" in back().stdout
    push(plane, bundle.make(tmp_path / "10", security, 10))
    assert "serial 5 (rolled back)" in back().stdout
    assert "serial 3 (rolled back)" in back().stdout
    push(plane, bundle.make(tmp_path / "11", security, 11))
    plane.stop()
    plane.start()
    assert "serial 3 (rolled back)" in back().stdout
    none = back(code=4)
    assert "that was not rolled back from" in none.stderr and "`--to SERIAL`" in none.stderr
    push(plane, bundle.make(tmp_path / "12", security, 12))
    assert "serial 9 (rolled back)" in back("--to", 9).stdout
    push(plane, bundle.make(tmp_path / "13", security, 13))
    assert "serial 9 (rolled back)" in back().stdout


def test_a_push_that_is_refused_moves_nothing_and_is_one_event(plane, security, tmp_path):
    other = bundle.Key(tmp_path, "other", "ssh")
    cli(plane, "policy", "key", "add", security.public)
    push(plane, bundle.make(tmp_path / "7", security, 7))
    before = plane.call("GET", "/v1/channels").json
    lab = "version: 1\nname: corporate\nlab: true\nnetwork: []\n"
    bad = "version: 1\nname: corporate\ncolour: red\n"
    cases = [("bundle_older", dict(serial=6)), ("bundle_older", dict(serial=7, host="x.example")), ("bundle_unsigned", dict(serial=8, key=None)),
             ("bundle_key_not_trusted", dict(serial=8, key=other)), ("bundle_expired", dict(serial=8, expires="2026-01-01T00:00:00Z")),
             ("bundle_other_channel", dict(serial=8, channel="corporate/canary")), ("bundle_altered", dict(serial=8, sha256="0" * 64)),
             ("bundle_manifest", dict(serial=8, extra=1)), ("policy_refused", dict(serial=8, text=bad)), ("policy_refused", dict(serial=8, text=lab))]
    for n, (code, how) in enumerate(cases):
        folder = bundle.make(tmp_path / f"bad{n}", how.pop("key", security), **how)
        answer = plane.call("POST", f"/v1/bundles?channel={STABLE}", raw=bundle.container(*bundle.parts(folder)),
                            headers={"Content-Type": "application/octet-stream"})
        assert answer.status in (409, 422) and answer.json["type"] == "urn:saw:problem:" + code and answer.json["remedy"], (code, answer)
        push(plane, folder, code=1)
    refused = [e["status_code"] for e in control_events(plane, lambda e: e["class_uid"] == 5019)]
    assert refused == [code for code, _ in cases for _ in range(2)]
    assert plane.call("GET", "/v1/channels").json == before
    assert len(operations(plane, "channels.push")) == 1
    # What may not stand in production may stand below lab/.
    push(plane, bundle.make(tmp_path / "lab", security, 8, text=lab), "lab/mine")
    assert "lab" in push(plane, tmp_path / "lab", STABLE, code=1).stderr


def test_a_push_that_cannot_be_stored_is_a_failed_event_too(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public, "--name", "corp")
    folder = bundle.make(tmp_path / "7", security, 7)
    (plane.state / "policies").mkdir(exist_ok=True)
    in_the_way = plane.state / "policies" / f"{bundle.release(folder)}.bundle.new"
    in_the_way.mkdir()
    push(plane, folder, code=1)
    told = [(e["status_id"], e.get("status_code")) for e in control_events(plane, lambda e: e["class_uid"] == 6003)
            if e["api"]["operation"] == "channels.push"]
    assert told == [(1, "ok"), (2, "change_failed")]
    in_the_way.rmdir()
    assert "0 workspaces" in push(plane, folder).stdout


def triggers(plane, *sql):
    """sawd has the database for itself while it runs."""
    plane.stop()
    db = sqlite3.connect(plane.state / "sawd.db")
    for line in sql:
        db.execute(line)
    db.close()
    plane.start()


def test_a_call_that_cannot_be_stored_is_a_failed_event_too(plane, tmp_path):
    policy = write(tmp_path / "p.yaml", POLICY)
    cli(plane, "create", "dev", "--policy", policy, "--driver", "try")
    cli(plane, "stop", "dev")
    triggers(plane, *(f"CREATE TRIGGER no_{what} BEFORE {what} ON workspaces BEGIN SELECT RAISE(ABORT, 'not now'); END" for what in ("INSERT", "UPDATE")))
    cli(plane, "create", "other", "--policy", policy, "--driver", "try", code=1)
    cli(plane, "set-policy", "dev", policy, code=1)
    cli(plane, "start", "dev", code=1)
    triggers(plane, "DROP TRIGGER no_INSERT", "DROP TRIGGER no_UPDATE")
    told = [(e["api"]["operation"], e["status_id"], e.get("status_code")) for e in control_events(plane, lambda e: e["class_uid"] == 6003)]
    for call in ("workspaces.create", "workspaces.policy", "workspaces.start"):
        assert [t[1:] for t in told if t[0] == call][-2:] == [(1, "ok"), (2, "change_failed")], told
    assert plane.show("dev")["policy"]["generation"] == 1
    cli(plane, "set-policy", "dev", policy)
    cli(plane, "start", "dev")
    plane.wait("dev", "running")


def test_the_same_push_again_changes_nothing(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public)
    folder = bundle.make(tmp_path / "7", security, 7)
    push(plane, folder)
    moved = plane.call("GET", "/v1/channels").json
    push(plane, folder)
    assert plane.call("GET", "/v1/channels").json == moved and len(operations(plane, "channels.push")) == 1


def test_a_serial_that_would_end_the_channel_is_pushed_only_by_force(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public)
    push(plane, bundle.make(tmp_path / "7", security, 7))
    far = bundle.make(tmp_path / "far", security, 2**53 - 1)
    assert "more than a year ahead" in push(plane, far, code=2).stderr
    raw = bundle.container(*bundle.parts(far))
    for how, code in (("", "bundle_serial_ahead"), ("&force=0", "bundle_serial_ahead"), ("&force=yes", "invalid")):  # who calls the API is asked, too
        answer = plane.call("POST", f"/v1/bundles?channel={STABLE}{how}", raw=raw, headers={"Content-Type": "application/octet-stream"})
        assert answer.status == 422 and answer.json["type"] == "urn:saw:problem:" + code, answer
    assert plane.call("GET", "/v1/channels").json["channels"][0]["serial"] == 7
    cli(plane, "policy", "push", far, "--channel", STABLE, "--force")
    assert plane.call("GET", "/v1/channels").json["channels"][0]["serial"] == 2**53 - 1


def test_behind_the_last_serial_of_all_a_workspace_still_gets_another_policy(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public)
    cli(plane, "policy", "push", bundle.make(tmp_path / "last", security, 2**63 - 1), "--channel", STABLE, "--force")
    cli(plane, "create", "dev", "--policy", STABLE, "--driver", "try")
    loaded(plane, "dev", 2**63 - 1)
    core = plane.roles()["core"]
    for host in ("one.example", "two.example"):
        answer = plane.call("PUT", "/v1/workspaces/dev/policy", {"text": POLICY.replace("good.example", host)})
        assert answer.status == 200 and answer.json["policy"]["serial"] < 2**40, answer
        assert answer.json["policy"]["loaded_generation"] == answer.json["policy"]["generation"]
    assert plane.roles()["core"] == core


def test_a_release_is_promoted_from_channel_to_channel(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public)
    folder = bundle.make(tmp_path / "7", security, 7)
    push(plane, folder, "corporate/canary")
    cli(plane, "policy", "channel", "set", STABLE, bundle.release(folder)[:12])
    rows = {c["name"]: c for c in plane.call("GET", "/v1/channels").json["channels"]}
    assert rows[STABLE]["release"] == rows["corporate/canary"]["release"] == bundle.release(folder)
    assert "corporate/canary" in cli(plane, "policy", "channel").stdout
    cli(plane, "policy", "channel", "set", STABLE, "0" * 8, code=4)
    lab = bundle.make(tmp_path / "lab", security, 9, text="version: 1\nname: corporate\nlab: true\nnetwork: []\n")
    push(plane, lab, "lab/x")
    cli(plane, "policy", "channel", "set", STABLE, bundle.release(lab)[:12], code=1)


def test_a_credential_that_a_channel_binds_and_nobody_stored_is_named_at_create(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public)
    binds = ("version: 1\nname: corporate\nverdicts: {read: allow}\ncredentials:\n  forge: {inject: {bearer: true}, hosts: [a.example], paths: ['/**']}\nnetwork:\n"
             "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, access: read-only, credential: forge}\n")
    push(plane, bundle.make(tmp_path / "7", security, 7, text=binds))
    push(plane, bundle.make(tmp_path / "8", security, 8), "corporate/canary")
    assert {c["name"]: c["credentials"] for c in plane.call("GET", "/v1/channels").json["channels"]} == {STABLE: ["forge"], "corporate/canary": []}
    made = cli(plane, "create", "one", "--policy", STABLE, "--driver", "try", "--no-start").stderr
    assert "credential forge has no value yet" in made, made
    assert "no value" not in cli(plane, "create", "two", "--policy", "corporate/canary", "--driver", "try", "--no-start").stderr


def test_k10_a_workspace_whose_policy_only_observes_says_so_until_it_enforces(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public)
    entry = "  - {{name: {0}, hosts: [{0}.example], ports: [80], mode: http, protocol: rest, access: read-only{1}}}\n"
    head = "version: 1\nname: corporate\nlab: true\nverdicts: {read: allow}\nnetwork:\n"
    seen = head + entry.format("a", ", observe: true") + entry.format("b", "") + entry.format("c", ", observe: true")
    push(plane, bundle.make(tmp_path / "1", security, 1, text=seen), "lab/x")
    cli(plane, "create", "follows", "--policy", "lab/x", "--driver", "try", "--no-start")
    cli(plane, "create", "own", "--policy", write(tmp_path / "own.yaml", seen), "--driver", "try", "--no-start")
    for name in ("follows", "own"):
        policy = plane.show(name)["policy"]
        assert (policy["lab"], policy["observes"]) == (True, "a, c")
        shown, = [line for line in cli(plane, "show", name).stdout.splitlines() if line.startswith("policy ")]
        listed, = [line for line in cli(plane, "ls").stdout.splitlines() if line.startswith(name + " ")]
        assert shown.endswith(" (lab, observes: a, c)") and listed.endswith(" (lab, observes: a, c)"), (shown, listed)
    channel, = plane.call("GET", "/v1/channels").json["channels"]
    assert (channel["policy"]["lab"], channel["policy"]["observes"]) == (True, "a, c")
    assert json.loads(cli(plane, "policy", "check", tmp_path / "own.yaml", "--json").stdout)["observes"] == "a, c"
    push(plane, bundle.make(tmp_path / "2", security, 2, text=seen.replace(", observe: true", "").replace("lab: true\n", "")), "lab/x")
    policy = plane.show("follows")["policy"]
    assert (policy["lab"], policy["observes"]) == (False, "") and plane.show("own")["policy"]["observes"] == "a, c"
    assert "observes" not in cli(plane, "show", "follows").stdout and "(lab" not in cli(plane, "show", "follows").stdout


def test_keys_are_trusted_and_not_trusted_any_more_with_an_event_each(plane, security, tmp_path):
    assert "local" in cli(plane, "policy", "key").stdout
    cli(plane, "policy", "key", "add", security.public, "--name", "corp")
    cli(plane, "policy", "key", "add", security.public, "--name", "corp", code=1)
    cli(plane, "policy", "key", "add", security.private, code=1)
    other = bundle.Key(tmp_path, "other", "ssh")
    assert "trusted already" in cli(plane, "policy", "key", "add", other.public, "--name", "corp", code=1).stderr
    # removing one of two names would take nothing away
    assert "trusted already, as corp" in cli(plane, "policy", "key", "add", security.public, "--name", "corp2", code=1).stderr
    names = [k["name"] for k in json.loads(cli(plane, "policy", "key", "ls", "--json").stdout)["keys"]]
    assert sorted(names) == ["corp", "local"]
    push(plane, bundle.make(tmp_path / "7", security, 7))
    cli(plane, "create", "dev", "--policy", STABLE, "--driver", "try")
    twin = plane.state / "keys/security/twin.pub"
    twin.write_text((plane.state / "keys/security/corp.pub").read_text())
    assert "still trusted as twin" in cli(plane, "policy", "key", "rm", "corp").stderr
    twin.unlink()
    cli(plane, "policy", "key", "rm", "corp", code=4)
    assert "not trusted here" in push(plane, bundle.make(tmp_path / "8", security, 8), code=1).stderr
    # What is in force stays so; at its next start it is refused.
    cli(plane, "restart", "dev", code=1)
    assert "not trusted" in plane.wait("dev", "failed")["detail"]
    assert [o for o, _ in operations(plane, "policy.key.add", "policy.key.remove")] == ["policy.key.add", "policy.key.remove"]


def test_without_the_local_key_a_plain_file_is_loaded_by_nobody(plane, tmp_path):
    file = write(tmp_path / "p.yaml", POLICY)
    cli(plane, "create", "dev", "--policy", file, "--driver", "try")
    back = write(tmp_path / "local.pub", cli(plane, "policy", "key", "rm", "local").stderr.split("in FILE: ")[1])
    assert "local key, which is not trusted here" in cli(plane, "create", "new", "--policy", file, "--driver", "try", "--no-start", code=1).stderr
    assert cli(plane, "ls", "--names").stdout == "dev\n"
    plane.stop()
    plane.start()
    assert json.loads(cli(plane, "policy", "key", "--json").stdout) == {"keys": []}, "keeper does not bring it back"
    answer = plane.call("PUT", "/v1/workspaces/dev/policy", {"text": POLICY.replace("good.example", "other.example")})
    assert answer.status == 409 and "not trusted here" in answer.json["detail"]
    assert plane.show("dev")["policy"]["loaded_generation"] == 1
    cli(plane, "policy", "key", "add", back, "--name", "local")
    cli(plane, "create", "new", "--policy", file, "--driver", "try", "--no-start")


def test_a_channel_and_a_file_of_the_same_name_are_not_guessed_at(plane, security, tmp_path):
    cli(plane, "create", "dev", "--policy", STABLE, "--driver", "try", code=4)
    (tmp_path / "corporate").mkdir()
    write(tmp_path / STABLE, POLICY)
    done = subprocess.run([str(plane.build / "src/cli/saw"), "create", "dev", "--policy", STABLE, "--driver", "try"], env=plane.env, cwd=tmp_path,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "write ./corporate/stable" in done.stderr
    for body in ({"channel": STABLE, "text": POLICY}, {"channel": "x"}, {"channel": STABLE, "file": "x"}):
        assert plane.call("POST", "/v1/workspaces", {"name": "dev", "driver": "try", "policy": body}).status == 422


def test_a_workspace_changes_between_channel_and_file_whatever_their_serials(plane, security, tmp_path):
    cli(plane, "policy", "key", "add", security.public)
    push(plane, bundle.make(tmp_path / "7", security, 7))
    policy = write(tmp_path / "p.yaml", POLICY)
    cli(plane, "create", "dev", "--policy", policy, "--driver", "try")
    high = plane.show("dev")["policy"]["serial"]
    assert high > 1_000_000_000
    cli(plane, "set-policy", "dev", STABLE)
    assert loaded(plane, "dev", 7)["rolled_back"]
    cli(plane, "set-policy", "dev", policy)
    assert plane.show("dev")["policy"]["channel"] == ""
    push(plane, bundle.make(tmp_path / "8", security, 8))
    assert plane.show("dev")["policy"]["serial"] >= high, "it left the channel"
    assert "serial 7 after" in operations(plane, "workspaces.policy")[0][1]


def test_a_push_to_a_channel_that_a_stopped_workspace_was_moved_to_is_loaded_at_its_start(plane, security, tmp_path):
    """What it loaded last was a file's, whose serial is the time."""
    cli(plane, "policy", "key", "add", security.public, "--name", "corp")
    push(plane, bundle.make(tmp_path / "7", security, 7))
    cli(plane, "create", "dev", "--policy", write(tmp_path / "own.yaml", POLICY), "--driver", "try")
    cli(plane, "stop", "dev")
    cli(plane, "set-policy", "dev", STABLE)
    push(plane, bundle.make(tmp_path / "8", security, 8, host="later.example"))
    cli(plane, "start", "dev")
    loaded(plane, "dev", 8, 15)
    assert not [e for e in own_log(plane, "dev") if e["class_uid"] == 5019 and e["status_id"] == 2]
    # From there on serials are those of the channel.
    push(plane, bundle.make(tmp_path / "9", security, 9, host="last.example"))
    assert not loaded(plane, "dev", 9, 15)["rolled_back"]


@pytest.mark.parametrize("victim", ["core", "supervisor", "sawd"])
def test_kill_during_a_move_leaves_the_old_one_or_the_new_one(plane, security, tmp_path, victim):
    cli(plane, "policy", "key", "add", security.public)
    folders = [bundle.make(tmp_path / str(n), security, n, host=f"h{n}.example") for n in range(1, 11)]
    push(plane, folders[0])
    cli(plane, "create", "dev", "--policy", STABLE, "--driver", "try")
    loaded(plane, "dev", 1)
    last = 1
    # a supervisor that is killed again and again is started less and less often
    for n, folder in enumerate(folders[1:5 if victim == "supervisor" else None], 2):
        raw = bundle.container(*bundle.parts(folder))
        before = plane.supervisors()
        client = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "--unix-socket", str(plane.socket), "--data-binary", "@-", "-H",
                                   "Content-Type: application/octet-stream", f"http://saw.local/v1/bundles?channel={STABLE}"],
                                  stdin=subprocess.PIPE)
        client.stdin.write(raw)
        client.stdin.close()
        select.select([], [], [], 0.012 * (n - 1))
        if victim == "core":
            core = plane.roles()["core"]
            os.kill(core, signal.SIGKILL)
            wait_gone(core)
        elif victim == "sawd":
            plane.kill()
        else:
            for pid in before:
                os.kill(pid, signal.SIGKILL)
                wait_gone(pid)
        client.wait(60)
        if victim == "sawd":
            plane.start()
        plane.until_served()
        now = {c["name"]: c for c in plane.call("GET", "/v1/channels").json["channels"]}[STABLE]
        assert now["serial"] in (last, n), now
        last = now["serial"]
        assert loaded(plane, "dev", last)["release"] == bundle.release(folders[last - 1])
    push(plane, bundle.make(tmp_path / "12", security, 12))
    loaded(plane, "dev", 12)
    path = plane.state / "workspaces" / plane.show("dev")["id"] / "audit.jsonl"
    assert '"state":"refused"' not in path.read_text()


def test_a_record_of_before_says_what_to_do_and_lives_on(plane, tmp_path):
    policy = write(tmp_path / "p.yaml", POLICY)
    cli(plane, "create", "dev", "--policy", policy, "--driver", "try")
    cli(plane, "stop", "dev")
    plane.stop()
    db = sqlite3.connect(plane.state / "sawd.db")
    db.execute("UPDATE workspaces SET release = '', serial = 0")
    db.commit()
    db.close()
    plane.start()
    cli(plane, "start", "dev", "--no-wait")
    assert "saw set-policy dev FILE" in plane.wait("dev", "failed")["detail"]
    cli(plane, "set-policy", "dev", policy)
    plane.wait("dev", "running")


# ---- check, compile, push and load agree ----

BAD = {
    "unknown key": "version: 1\nname: corporate\nnetwrk: []\n",
    "version": "version: 2\nname: corporate\n",
    "wildcard": "version: 1\nname: corporate\nnetwork:\n  - {name: a, hosts: ['*.com'], ports: [443], mode: passthrough, reason: x}\n",
    "duplicate": "version: 1\nname: corporate\nname: corporate\n",
    "anchor": "version: 1\nname: &a corporate\n",
    "lab in production": "version: 1\nname: corporate\nlab: true\n",
    "port": "version: 1\nname: corporate\nnetwork:\n  - {name: a, hosts: [a.example], ports: [0], mode: passthrough, reason: x}\n",
}


@pytest.mark.parametrize("what", [*BAD, "good"])
def test_check_compile_push_and_load_agree(plane, ws, security, tmp_path, what):
    good = what == "good"
    text = BAD.get(what, bundle.POLICY.format(host="good.example"))
    policy = write(tmp_path / "p.yaml", text)
    code = 0 if good else 1
    cli(plane, "policy", "check", policy, "--production", code=code)
    cli(plane, "policy", "compile", policy, "--production", "-o", tmp_path / "blob", code=code)
    cli(plane, "policy", "sign", policy, "--key", security.private, "--channel", STABLE, "--out", tmp_path / "signed", code=code)
    folder = bundle.make(tmp_path / "by-hand", security, 7, text=text, channel=STABLE)
    cli(plane, "policy", "verify", folder, "--key", security.public, code=code)
    cli(plane, "policy", "key", "add", security.public)
    push(plane, folder, code=code)
    w = ws(folder, [security], channel=STABLE)
    w.start(wait=good)
    if good:
        w.wait_state(w.control(), "running")
        w.process.terminate()
    assert w.end(60) == code and refusals(w) == ([] if good else ["policy_refused"])
