"""Secrets through the whole control plane: from the API to the end of the channel that an outlet would hold, and nowhere else."""
import json
import os
import pathlib
import re
import select
import signal
import sqlite3
import stat
import subprocess

import pytest

from ipc import N
from keeper import FakeSupervisor
from sawd import ROLES, Sawd, UnixConnection, title, wait_gone
from workspace import children, wait_for

pytestmark = pytest.mark.usefixtures("userns")


def policy(*names):
    """A policy that binds these credentials."""
    text = "version: 1\nname: secrets\nverdicts: {read: allow}\nnetwork:\n"
    for n in names or ("none",):
        text += (f"  - name: {n}\n    hosts: [{n}.example]\n    ports: [443]\n    mode: intercept\n    protocol: rest\n"
                 + (f"    credential: {n}\n" if names else "") + "    access: read-only\n")
    if names:
        text += "credentials:\n"
        for n in names:
            text += f"  {n}: {{inject: {{header: Authorization, format: \"Bearer {{}}\"}}, hosts: [{n}.example], paths: [\"/**\"]}}\n"
    return text


def put(sawd, name, value, mode="put"):
    return sawd.call("PUT", f"/v1/secrets/{name}?mode={mode}", raw=value, headers={"Content-Type": "application/octet-stream"})


def rows(sawd):
    answer = sawd.call("GET", "/v1/secrets")
    assert answer.status == 200, answer
    return {s["id"]: s for s in answer.json["secrets"]}


def events(sawd, word):
    return [e for e in sawd.control_log() if e.get("api", {}).get("operation", "").startswith(word)]


def test_of_changes_at_once_one_is_made_and_the_log_says_of_the_others_that_they_were_not(sawd):
    keeper, calls = sawd.roles()["keeper"], []
    os.kill(keeper, signal.SIGSTOP)
    try:
        for i in range(4):
            conn = UnixConnection(sawd.socket)
            conn.request("PUT", "/v1/secrets/fresh?mode=new", f"value-{i}", {"Content-Type": "application/octet-stream"})
            calls.append(conn)
        assert sawd.call("GET", "/v1/workspaces").status == 200  # behind them: keeper has all four before it
    finally:
        os.kill(keeper, signal.SIGCONT)
    answers = [conn.getresponse() for conn in calls]
    texts = [json.loads(a.read()) for a in answers]
    for conn in calls:
        conn.close()
    assert sorted(a.status for a in answers) == [201, 409, 409, 409], texts
    lost = [t for t in texts if "type" in t]
    assert all(t["type"] == "urn:saw:problem:conflict" and "try again" in t["remedy"] for t in lost), lost
    assert rows(sawd)["fresh"]["version"] == 1
    told = [(e["api"]["operation"], e["status_id"], e["status_code"]) for e in events(sawd, "secrets.")]
    assert told == [("secrets.set", 1, "ok")] * 4 + [("secrets.set", 2, "changed_meanwhile")] * 3, events(sawd, "secrets.")


class Faked:
    """A workspace of a real sawd whose supervisor is the test."""

    def __init__(self, sawd, name, text, version=None):
        self.sawd, self.name = sawd, name
        answer = sawd.create(name, policy={"text": text})
        assert answer.status == 201, answer
        sawd.wait(name, "running", but_not=("failed",))
        self.id = answer.json["id"]
        sawd.stop()
        for pid in sawd.supervisors():
            if self.id in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
                wait_gone(pid)
        self.supervisor = FakeSupervisor(sawd.run, self.id, version)
        sawd.start()
        self.supervisor.accept()

    def asked(self, timeout=10):
        return self.supervisor.channel.expect("MSG_BUNDLE", timeout)[0][0]

    def answer(self, generation, ok, again=0):
        more = [again] if self.supervisor.version >= 3 else []
        self.supervisor.channel.send("MSG_POLICY_DONE", generation, ok, "" if ok else "no", *more)

    def set_policy(self, text, ok=1, again=0):
        """Gives the outlet's channel time between the question and the supervisor's answer."""
        conn = self.sawd.later("PUT", f"/v1/workspaces/{self.name}/policy", {"text": text})
        generation = self.asked()
        yield generation
        self.answer(generation, ok, again)
        yield conn()

    def close(self):
        self.sawd.call("POST", f"/v1/workspaces/{self.name}/stop", {"grace_seconds": 0})
        self.supervisor.end()
        self.sawd.wait(self.name, "stopped")


@pytest.fixture
def faked(sawd):
    made = []

    def make(name="dev", text=policy("github"), **more):
        made.append(Faked(sawd, name, text, **more))
        return made[-1]
    yield make
    for f in made:
        f.close()


# ---- compiled policies of an earlier version -----------------------------------------------------------------------

OLD = "a" * 64


def make_old(sawd, name):
    """As an upgrade finds it: the compiled policy is of an earlier version of its format, under the hash that it had then. Its hash of today."""
    folder, today = sawd.state / "policies", sawd.show(name)["policy"]["sha256"]
    sawd.stop()
    blob = folder / f"{today}.blob"
    data = blob.read_bytes()
    blob.unlink()
    (folder / f"{OLD}.blob").write_bytes(data[:8] + (1).to_bytes(4, "little") + data[12:])
    db = sqlite3.connect(sawd.state / "sawd.db")
    db.execute("UPDATE workspaces SET policy_sha256 = ?", [OLD])
    db.execute("UPDATE releases SET policy_sha256 = ?", [OLD])
    db.commit()
    db.close()
    return today


def test_an_upgrade_leaves_no_workspace_without_its_credentials(sawd, faked):
    put(sawd, "github", b"one")
    w = faked()
    w.supervisor.channel.close()
    today = make_old(sawd, "dev")
    sawd.start()
    w.supervisor.accept()
    outlet = w.supervisor.outlet()
    assert outlet.take(10) == "github" and outlet.values == {"github": b"one"}
    record = sawd.show("dev")
    assert record["policy"]["sha256"] == today and record["policy"]["generation"] == 1 and not record["detail"]
    assert rows(sawd)["github"]["workspaces"] == ["dev"]


@pytest.mark.parametrize("why", ["gone", "untrusted"])
def test_an_old_policy_that_cannot_be_compiled_anew_binds_nothing_and_says_so(sawd, why):
    put(sawd, "github", b"one")
    sawd.running("dev", policy={"text": policy("github")})
    release = sawd.show("dev")["policy"]["release"]
    make_old(sawd, "dev")
    bundle, key = sawd.state / f"policies/{release}.bundle", sawd.state / "keys/security/local.pub"
    kept = bundle.read_bytes(), key.read_bytes()
    (bundle if why == "gone" else key).unlink()
    sawd.start()
    sawd.wait("dev", "running", where=lambda e: "no credential is bound" in e["detail"])
    assert rows(sawd)["github"]["workspaces"] == [] and sawd.show("dev")["policy"]["unread"] is True
    listed = subprocess.run([sawd.build / "src/cli/saw", "ls"], env=sawd.env, capture_output=True, text=True, check=True).stdout
    assert "(binds no credential: push or set it again)" in listed, listed
    told = [e for e in sawd.control_log() if e["class_uid"] == 5019 and release in json.dumps(e)]
    assert [e["status_code"] for e in told] == ["bundle_not_taken" if why == "gone" else "bundle_key_not_trusted"], told
    key.write_bytes(kept[1])
    key.chmod(0o600)
    assert sawd.call("PUT", "/v1/workspaces/dev/policy", {"text": policy("github")}).status == 200
    sawd.wait("dev", "running", where=lambda e: not e["detail"])
    assert rows(sawd)["github"]["workspaces"] == ["dev"]


# ---- calls ---------------------------------------------------------------------------------------------------------

def test_a_secret_is_set_rotated_listed_and_removed(sawd):
    assert put(sawd, "github", b"one", "new").status == 201
    answer = put(sawd, "github", b"two", "rotate")
    assert answer.status == 200 and answer.json["version"] == 2 and answer.json["rotated_at"] >= answer.json["created_at"]
    sawd.create("dev", start=False, policy={"text": policy("github")})
    sawd.create("other", start=False, policy={"text": policy("gitlab")})
    put(sawd, "unused", b"three", "new")
    listed = rows(sawd)
    assert listed["github"]["workspaces"] == ["dev"] and listed["github"]["n_workspaces"] == 1 and listed["unused"]["workspaces"] == []
    assert sawd.call("DELETE", "/v1/secrets/github").status == 204 and list(rows(sawd)) == ["unused"]
    assert [(e["api"]["operation"], e["status_detail"].split(": ", 1)[1]) for e in events(sawd, "secrets")] == [
        ("secrets.set", "github: version 1"), ("secrets.rotate", "github: version 2"), ("secrets.set", "unused: version 1"),
        ("secrets.delete", "github: version 2")]


def test_secrets_are_listed_by_id(sawd):
    ids = ["z", "github", "a.b", "m-1", "gitlab", "k", "git", "b_2"]
    for name in ids:
        put(sawd, name, b"value", "new")
    assert list(rows(sawd)) == sorted(ids)


@pytest.mark.parametrize("mode, before, status", [("new", True, 409), ("rotate", False, 404), ("put", True, 200), ("put", False, 200),
                                                  ("other", True, 422)])
def test_the_mode_says_what_may_be_there(sawd, mode, before, status):
    if before:
        put(sawd, "github", b"one")
    n = len(events(sawd, "secrets")) if before else 0
    assert put(sawd, "github", b"two", mode).status == status
    assert status < 300 or not before or len(events(sawd, "secrets")) == n, "a refusal is no change"


@pytest.mark.parametrize("value, words", [(b"", "is empty"), (b"a\r\nX: y", "line end"), (b"a\n", "line end"), (b"a\0b", "no header field"),
                                          (b"\xff", "no header field"), (b"a ", "blank"), (b"x" * 16385, "16 KiB")], ids=repr)
def test_a_value_that_no_field_carries_is_refused_and_not_repeated(sawd, value, words):
    answer = put(sawd, "github", value)
    assert answer.status == 422 and answer.json["field"] == "value" and words in answer.json["detail"] and len(answer.raw) < 400
    assert not rows(sawd)


def test_other_bodies_and_other_ids_are_refused(sawd):
    assert sawd.call("PUT", "/v1/secrets/github", {"value": "x"}).json["field"] == "Content-Type"
    for name in ("A", "-a", "..", "a%2fb", "a" * 65):
        assert put(sawd, name, b"x").status in (400, 404, 422)
    assert not rows(sawd)


def test_nothing_is_changed_while_the_audit_log_cannot_be_written(sawd):
    put(sawd, "github", b"one")
    log = sawd.state / "audit/control.jsonl"
    log.rename(log.with_suffix(".away"))
    log.mkdir()
    try:
        assert put(sawd, "github", b"two").status == 503 and put(sawd, "other", b"two").status == 503
        assert sawd.call("DELETE", "/v1/secrets/github").status == 503
    finally:
        log.rmdir()
        log.with_suffix(".away").rename(log)
    assert {k: v["version"] for k, v in rows(sawd).items()} == {"github": 1}


def test_without_its_keeper_it_says_so_and_goes_on_afterwards(sawd):
    put(sawd, "github", b"one")
    os.kill(sawd.roles()["keeper"], signal.SIGKILL)
    for _ in range(200):
        answer = put(sawd, "github", b"two", "rotate")
        if answer.status == 200:
            break
        assert answer.status == 503 and answer.json["remedy"], answer
        select.select([], [], [], 0.05)
    assert rows(sawd)["github"]["version"] == 2


def test_a_keeper_that_hangs_refuses_within_its_deadline_and_is_replaced(sawd):
    put(sawd, "github", b"one")
    pid = sawd.roles()["keeper"]
    os.kill(pid, signal.SIGSTOP)
    assert put(sawd, "github", b"two", "rotate").status == 503  # told when its process was ended
    for _ in range(200):
        if put(sawd, "github", b"three", "rotate").status == 200:
            break
        select.select([], [], [], 0.05)
    assert rows(sawd)["github"]["version"] == 2 and sawd.roles()["keeper"] != pid
    assert "keeper ended with" in sawd.log() and "did not answer for" in sawd.log()


def test_a_damaged_file_is_named_in_the_list_and_everything_else_goes_on(sawd):
    put(sawd, "github", b"one")
    put(sawd, "gitlab", b"two")
    path = next((sawd.state / "keys/secrets").glob("*/github"))
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    sawd.stop()
    sawd.start()
    listed = rows(sawd)
    assert f"{path.parent.name}/github" in listed["github"]["fault"] and listed["gitlab"]["fault"] == ""
    assert put(sawd, "github", b"one").status == 200 and rows(sawd)["github"]["fault"] == ""


# ---- to the outlet -------------------------------------------------------------------------------------------------

def test_what_a_policy_binds_is_at_its_outlet_at_once_and_follows_every_change(sawd, faked):
    put(sawd, "github", b"one")
    put(sawd, "gitlab", b"not for it")
    outlet = faked().supervisor.outlet()
    assert outlet.take() == "github" and outlet.values == {"github": b"one"}
    put(sawd, "github", b"two", "rotate")
    assert outlet.take(1) == "github" and outlet.values == {"github": b"two"}
    put(sawd, "gitlab", b"still not", "rotate")
    sawd.call("DELETE", "/v1/secrets/github")
    assert outlet.take(1) == "github" and outlet.values == {}
    put(sawd, "github", b"three", "new")
    assert outlet.take(1) == "github" and outlet.values == {"github": b"three"} and outlet.quiet()


def test_a_new_policy_has_its_secrets_before_it_is_in_force_and_the_old_ones_go_afterwards(sawd, faked):
    put(sawd, "github", b"one")
    put(sawd, "gitlab", b"two")
    dev = faked()
    outlet = dev.supervisor.outlet()
    outlet.take()
    steps = dev.set_policy(policy("gitlab"))
    next(steps)
    assert outlet.take(5) == "gitlab" and outlet.values == {"github": b"one", "gitlab": b"two"}
    assert next(steps).status == 200
    assert outlet.take(5) == "github" and outlet.values == {"gitlab": b"two"}


def test_a_policy_that_the_gateway_refuses_takes_no_secret_from_the_one_in_force(sawd, faked):
    put(sawd, "github", b"one")
    dev = faked()
    outlet = dev.supervisor.outlet()
    outlet.take()
    steps = dev.set_policy(policy("gitlab"), ok=0)
    next(steps)
    assert outlet.take(5) == "gitlab"
    assert next(steps).status == 409
    put(sawd, "github", b"two")
    assert outlet.take(1) == "github" and outlet.values == {"github": b"two"}


def test_a_policy_that_could_not_be_taken_just_then_is_sent_again(faked):
    dev = faked(text=policy())
    said = list(dev.set_policy(policy(), ok=0, again=1))[-1]
    assert said.status == 409 and "no; it is sent again in 10 s" in said.json["detail"]
    assert dev.asked(30) == 2
    dev.answer(2, 0, again=1)
    # A newer one does not wait.
    steps = dev.set_policy(policy())
    assert next(steps) == 3 and next(steps).status == 200


@pytest.mark.parametrize("version", [2, None])
def test_a_policy_that_was_refused_for_itself_is_not_sent_again(faked, version):
    """One of version 2 does not say why it refused, and is understood all the same."""
    dev = faked(text=policy(), version=version)
    said = list(dev.set_policy(policy(), ok=0))[-1]
    assert said.status == 409 and said.json["detail"].endswith(": no"), said
    assert list(dev.set_policy(policy()))[-1].status == 200


@pytest.mark.parametrize("role", ["keeper", "core"])
def test_a_killed_role_brings_a_new_channel_with_everything_on_it(sawd, faked, role):
    put(sawd, "github", b"one")
    dev = faked()
    old = dev.supervisor.outlet()
    old.take()
    os.kill(sawd.roles()[role], signal.SIGKILL)
    if role == "core":
        dev.supervisor.accept()
    outlet = dev.supervisor.outlet(20)
    assert outlet.take(5) == "github" and outlet.values == {"github": b"one"}
    sawd.until_served()
    assert put(sawd, "github", b"two").status == 200
    assert outlet.take(1) == "github" and outlet.values == {"github": b"two"}


def test_a_channel_that_comes_when_its_workspace_is_at_rest_is_closed(sawd):
    """Keeper was slow; what it made for the workspace meanwhile nobody waits for."""
    ident = sawd.running("dev", policy={"text": policy("github")})["id"]
    keeper, hung_up = sawd.roles()["keeper"], lambda: sawd.log().count(f"{ident}: its outlet hung up")
    sawd.change("dev", "stop", "stopping", "stopped")
    wait_for("the end of the first", lambda: hung_up() == 1)
    os.kill(keeper, signal.SIGSTOP)
    try:
        sawd.change("dev", "start", "starting", "running")
        sawd.change("dev", "stop", "stopping", "stopped")
    finally:
        os.kill(keeper, signal.SIGCONT)
    wait_for("the end of the second", lambda: hung_up() == 2, 10)


def test_a_workspace_is_deleted_with_its_root_also_when_its_keeper_was_away(sawd):
    ident = sawd.running("dev", policy={"text": policy("github")})["id"]
    root = sawd.state / "keys/ca" / ident
    wait_for("its root", root.exists)
    keeper = sawd.roles()["keeper"]
    os.kill(sawd.process.pid, signal.SIGSTOP)  # it starts no other one
    try:
        os.kill(keeper, signal.SIGKILL)
        sawd.call("DELETE", "/v1/workspaces/dev")
        sawd.wait("dev", "deleting")
    finally:
        os.kill(sawd.process.pid, signal.SIGCONT)
    wait_for("its end", lambda: sawd.call("GET", "/v1/workspaces/dev").status == 404, 30)
    assert not root.exists()


def test_a_channel_that_an_outlet_lost_is_made_anew(sawd, faked):
    put(sawd, "github", b"one")
    dev = faked()
    dev.supervisor.outlet().close()
    outlet = dev.supervisor.outlet(5)
    assert outlet.take(1) == "github" and outlet.values == {"github": b"one"}


def test_a_supervisor_of_an_older_version_is_adopted_without_channels(sawd, faked):
    dev = faked(version=1)
    assert sawd.wait("dev", "running")
    put(sawd, "github", b"one")
    dev.supervisor.channel.send("MSG_STATE", N["IPC_STATE_RUNNING"], 1, 1, 0, 0, "")
    assert not dev.supervisor.channel.waits(0.5)


def test_a_supervisor_whose_channel_ends_while_it_is_being_stopped_is_told_again(sawd, faked):
    """It goes on: only the channel found no room for something."""
    dev = faked()
    assert sawd.call("POST", "/v1/workspaces/dev/stop", {"grace_seconds": 60}).status == 202
    dev.supervisor.channel.expect("MSG_SHUTDOWN")
    dev.supervisor.channel.close()
    dev.supervisor.accept(10)
    dev.supervisor.channel.expect("MSG_SHUTDOWN")


def test_a_real_supervisor_takes_both_channels_and_goes_on(sawd):
    put(sawd, "github", b"one")
    sawd.running("dev", policy={"text": policy("github")})
    before = sawd.supervisors()
    put(sawd, "github", b"two")
    os.kill(sawd.roles()["keeper"], signal.SIGKILL)
    sawd.until_served()
    assert sawd.show("dev")["state"] == "running" and sawd.supervisors() == before


# ---- and nowhere else ----------------------------------------------------------------------------------------------

CANARY = b"canary-7f3a91c2d4e8-value"


def everywhere(sawd):
    """(where, bytes) of all files, and of what every process shows of itself."""
    for path in sawd.home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()
    for pid in [sawd.process.pid, *sawd.roles().values(), *sawd.supervisors()]:
        for what in ("cmdline", "environ"):
            try:
                yield f"{title(pid)} {what}", pathlib.Path(f"/proc/{pid}/{what}").read_bytes()
            except OSError:
                pass


def memory(pid):
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            start, end = (int(x, 16) for x in span.split("-"))
            if rights[0] == "r" and "[v" not in line:
                try:
                    mem.seek(start)
                    yield line, mem.read(end - start)
                except OSError:
                    pass


def use_it(sawd, build):
    """Every way of a value: by the API in one piece and in many, by the command line, rotated, refused, and removed."""
    values = [CANARY + b"-%d" % i for i in range(8)]
    put(sawd, "github", values[0])
    put(sawd, "github", values[1], "rotate")
    put(sawd, "github", values[2], "new")
    put(sawd, "bad", values[3] + b"\n")
    sawd.trickle("PUT", "/v1/secrets/slow?mode=new", values[4])
    done = subprocess.run([build / "src/cli/saw", "secret", "set", "cli"], env=sawd.env, input=values[5] + b"\n", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    put(sawd, "large", (values[6] + b".") * 500)
    put(sawd, "gone", values[7])
    sawd.call("DELETE", "/v1/secrets/gone")
    return sorted(rows(sawd))


def test_no_value_is_in_a_file_a_log_an_argument_or_an_environment(sawd, build):
    sawd.running("dev", policy={"text": policy("github")})
    assert use_it(sawd, build) == ["cli", "github", "large", "slow"]
    found = [where for where, data in everywhere(sawd) if CANARY in data]
    assert not found
    for path in (sawd.state / "keys").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_only_the_outlet_has_a_value_in_memory_and_only_the_one_in_force(sawd, build, sanitized):
    if os.geteuid() != 0 or sanitized:
        pytest.skip("reads other processes' memory; a sanitizer keeps what was freed")
    sawd.running("dev", policy={"text": policy("github")})
    supervisor, = sawd.supervisors()
    pids = {"launcher": sawd.process.pid, "supervisor": supervisor, **sawd.roles()}
    pids.update({t.split(":")[0]: pid for pid, t in children(supervisor)})
    assert set(ROLES) < set(pids) and {"saw-inlet", "saw-dialer", "saw-front", "saw-outlet"} < set(pids), pids
    use_it(sawd, build)

    def holders():
        return {(name, value) for name, pid in pids.items() for _, data in memory(pid) for value in re.findall(re.escape(CANARY) + rb"-\d", data)}
    wait_for("the value in force", lambda: ("saw-outlet", CANARY + b"-1") in holders())
    assert holders() == {("saw-outlet", CANARY + b"-1")}
    sawd.call("DELETE", "/v1/secrets/github")
    wait_for("its end", lambda: not holders(), timeout=2)


def test_the_sealing_key_is_in_no_other_process(sawd, sanitized):
    if os.geteuid() != 0 or sanitized:
        pytest.skip("reads other processes' memory")
    put(sawd, "github", b"one")
    key = (sawd.state / "keys/seal.key").read_bytes()
    holders = {name for name, pid in {"launcher": sawd.process.pid, **sawd.roles()}.items() for _, data in memory(pid) if key in data}
    assert holders == {"keeper"}


@pytest.mark.parametrize("folder, seen", [("policies", True), ("keys", False)])
def test_core_itself_can_open_nothing_in_the_key_folder(sawd, folder, seen):
    """Led there by a link that is laid while it runs, it opens files of other folders of the state and none of this one."""
    name = "ws-000000000000"
    (sawd.state / folder / f"{name}.jsonl").write_text("for keeper only\n")
    logs = sawd.state / "audit/workspaces"
    logs.rename(sawd.state / "audit/aside")
    logs.symlink_to(f"../{folder}")
    try:
        assert (b"for keeper only" in sawd.call("GET", f"/v1/audit?workspace={name}").raw) == seen
    finally:
        logs.unlink()
        (sawd.state / "audit/aside").rename(logs)


def test_a_service_brings_the_key_as_a_credential(build, tmp_path):
    key = os.urandom(32)
    (tmp_path / "saw-seal-key").write_bytes(key)
    (tmp_path / "saw-seal-key").chmod(0o400)
    s = Sawd(build)
    s.env["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    s.start()
    assert put(s, "github", b"one").status == 200 and not (s.state / "keys/seal.key").exists()
    s.stop()
    (tmp_path / "saw-seal-key").chmod(0o600)
    (tmp_path / "saw-seal-key").write_bytes(b"short")
    assert "saw-seal-key" in s.start(check=False) and "32 bytes" in s.log()
    s.process.wait(30)
    del s.env["CREDENTIALS_DIRECTORY"]
    assert "start sawd as the service that has the credential" in s.start(check=False) and not (s.state / "keys/seal.key").exists()
    s.process.wait(30)
    (tmp_path / "saw-seal-key").write_bytes(key)
    s.env["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    s.start()
    assert rows(s)["github"]["fault"] == ""
    s.close()


def test_the_audit_log_tells_ids_and_versions_in_events_that_the_schema_knows(sawd, root):
    put(sawd, "github", b"one")
    put(sawd, "github", CANARY)
    text = (sawd.state / "audit/control.jsonl").read_text()
    assert "github: version 2" in text and CANARY.decode() not in text
    assert all(json.loads(line)["class_uid"] == 6003 for line in text.splitlines() if "secrets." in line)
