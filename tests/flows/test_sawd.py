"""The control plane's life: workspaces come, go, survive it, and are never lost or doubled."""
import contextlib
import hashlib
import json
import os
import pathlib
import pwd
import random
import re
import select
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time

import pytest

from ipc import N, pack
from keeper import FakeSupervisor
from sawd import POLICY, ROLES, Sawd, UnixConnection, alive, children, title, wait_gone

# the bar is 200
ROUNDS = int(os.environ.get("SAW_KILL_ROUNDS", "20"))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQXx0O/fAQn0TLmaVXz6xG1MpEGKdZsJF+9vCttjlte x"
pytestmark = pytest.mark.usefixtures("userns")


def supervisor_of(sawd, record):
    found = [p for p in sawd.supervisors() if record["id"] in pathlib.Path(f"/proc/{p}/cmdline").read_text()]
    assert len(found) == 1, found
    return found[0]


def until(done, tries=100):
    for _ in range(tries):
        if done():
            return
        select.select([], [], [], 0.1)
    raise AssertionError("it does not come")


def check_chain(path):
    """Every line chains to the one before, from sequence 1."""
    before, n = "0" * 64, 0
    for line in path.read_bytes().splitlines():
        event = json.loads(line)
        n += 1
        assert event["unmapped"]["prev_sha256"] == before and event["metadata"]["sequence"] == n, f"{path}:{n}"
        before = hashlib.sha256(line).hexdigest()
    return n


def test_a_workspace_is_created_stopped_started_rebuilt_and_removed(sawd):
    record = sawd.running("dev")
    assert record["desired"] == "running" and record["policy"]["loaded_generation"] == 1
    for verb, path in (("stop", ["stopping", "stopped"]), ("start", ["starting", "running"]), ("restart", ["stopping", "starting", "running"]),
                       ("rebuild", ["stopping", "rebuilding", "starting", "running"])):
        sawd.change("dev", verb, *path)
    folder = sawd.state / "workspaces" / record["id"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in folder.iterdir())
    sawd.rm("dev")
    assert sawd.call("GET", "/v1/workspaces/dev").status == 404
    assert not folder.exists() and not (sawd.run / "ws" / record["id"]).exists() and not sawd.supervisors()
    kept = sawd.state / "audit/workspaces" / f"{record['id']}.jsonl"
    assert check_chain(kept) > 0
    assert sawd.call("GET", f"/v1/audit?workspace={record['id']}").raw == kept.read_bytes()
    assert check_chain(sawd.state / "audit/control.jsonl") > 10
    operations = [e["api"]["operation"] for e in sawd.control_log() if "api" in e]
    assert operations == [f"workspaces.{v}" for v in ("create", "stop", "start", "restart", "rebuild", "delete")]


def crashed_log(build, log, commits=70):
    """A busy log as a crash of the machine leaves it: what was answered, and of the log only what the disk is sure to have."""
    with subprocess.Popen([build / "src/store/test-audit-writer", str(log)], stdout=subprocess.PIPE, text=True) as p:
        promised = [int(p.stdout.readline()) for _ in range(commits)][-1]
        p.kill()
    whole, journal = log.read_bytes(), log.with_name("audit.jsonl.journal")
    base = int.from_bytes(journal.read_bytes()[16:24], "big")
    os.truncate(log, base)
    answered = b"".join(whole.splitlines(keepends=True)[:promised])
    assert 0 < base < len(answered)
    return answered, journal


def test_a_deleted_workspace_keeps_what_a_crash_left_in_its_journal_alone(sawd, build):
    record = sawd.running("dev")
    sawd.change("dev", "stop", "stopping", "stopped")
    log = sawd.state / "workspaces" / record["id"] / "audit.jsonl"
    answered, _ = crashed_log(build, log)
    torn = log.with_name("audit.jsonl.torn")
    torn.write_bytes(b"of before\n")
    torn.chmod(0o600)
    sawd.rm("dev")
    kept = sawd.state / "audit/workspaces" / f"{record['id']}.jsonl"
    assert kept.read_bytes().startswith(answered) and check_chain(kept) > 64
    assert kept.with_suffix(".jsonl.torn").read_bytes().startswith(b"of before\n")
    assert not kept.with_suffix(".jsonl.journal").exists() and not log.parent.exists()


def test_a_log_that_cannot_be_completed_is_kept_with_its_journal(sawd, build):
    record = sawd.running("dev")
    sawd.change("dev", "stop", "stopping", "stopped")
    log = sawd.state / "workspaces" / record["id"] / "audit.jsonl"
    _, journal = crashed_log(build, log)
    rows, left = journal.read_bytes(), log.read_bytes()[:-1]  # shorter than the journal knows it
    os.truncate(log, len(left))
    sawd.rm("dev")
    kept = sawd.state / "audit/workspaces" / f"{record['id']}.jsonl"
    assert kept.read_bytes() == left and kept.with_suffix(".jsonl.journal").read_bytes() == rows
    assert "is kept as it is, with its journal beside it" in sawd.log() and not log.parent.exists()


def too_deep(sawd, record):
    """Folders in a workspace's folder that are not removed with it."""
    deep = sawd.state / "workspaces" / record["id"] / "1/2/3/4/5/6/7"
    deep.mkdir(parents=True)
    return deep.parents[5]


def test_a_log_that_is_read_while_its_workspace_cannot_be_deleted_is_kept(sawd):
    record = sawd.running("dev")
    stuck = too_deep(sawd, record)
    assert sawd.call("DELETE", "/v1/workspaces/dev").status == 202
    sawd.wait("dev", "deleting", where=lambda e: "too deep" in e["detail"])
    kept = sawd.state / "audit/workspaces" / f"{record['id']}.jsonl"
    lines = kept.read_bytes()
    assert sawd.call("GET", "/v1/audit?workspace=dev").raw == lines
    shutil.rmtree(stuck)
    until(lambda: sawd.call("GET", "/v1/workspaces/dev").status == 404)
    assert kept.read_bytes() == lines and check_chain(kept) > 0


def stopped_with_its_log_aside(sawd):
    """(where the log of `dev` belongs, where it lies)"""
    record = sawd.running("dev")
    sawd.change("dev", "stop", "stopping", "stopped")
    log = sawd.state / "workspaces" / record["id"] / "audit.jsonl"
    return log, log.rename(log.with_name("aside"))


def test_a_log_that_cannot_be_opened_is_not_shown_as_an_empty_one(sawd):
    log, aside = stopped_with_its_log_aside(sawd)
    log.symlink_to("aside")
    answer = sawd.call("GET", "/v1/audit?workspace=dev")
    assert answer.status == 500 and "open audit.jsonl" in answer.json["detail"], answer
    aside.rename(log)
    assert sawd.call("GET", "/v1/audit?workspace=dev").raw == log.read_bytes() != b""


def test_asking_for_what_is_so_already_changes_nothing(sawd):
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    n = len(sawd.control_log())
    assert sawd.call("POST", "/v1/workspaces/dev/start").status == 202
    assert len(sawd.control_log()) == n and supervisor_of(sawd, record) == pid


def test_a_workspace_outlives_sawd_and_is_adopted(sawd):
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    sawd.stop()
    assert alive(pid)
    sawd.start()
    until(lambda: sawd.show("dev")["policy"]["loaded_generation"] == 1)
    assert supervisor_of(sawd, record) == pid and sawd.show("dev")["state"] == "running"
    sawd.call("POST", "/v1/workspaces/dev/stop")
    sawd.wait("dev", "stopped")
    wait_gone(pid)


def test_a_workspace_that_cannot_be_deleted_does_not_keep_sawd_from_going_down(sawd):
    record = sawd.running("dev")
    stuck = too_deep(sawd, record)
    pid = supervisor_of(sawd, record)
    os.kill(pid, signal.SIGSTOP)
    sawd.call("DELETE", "/v1/workspaces/dev")
    assert sawd.call("POST", "/v1/shutdown", {"workspaces": True}).status == 202
    os.kill(pid, signal.SIGCONT)
    sawd.process.wait(20)
    shutil.rmtree(stuck)
    sawd.start()
    until(lambda: sawd.call("GET", "/v1/workspaces/dev").status == 404)


def test_shutdown_with_workspaces_stops_them_and_the_next_sawd_starts_them(sawd):
    sawd.running("dev")
    sawd.create("idle", start=False)
    answer = sawd.call("POST", "/v1/shutdown", {"workspaces": True})
    assert answer.status == 202 and answer.json["stopping"] == 1
    assert sawd.process.wait(60) == 0 and not sawd.supervisors()
    sawd.start()
    sawd.wait("dev", "running", but_not=("failed",))
    assert sawd.show("idle")["state"] == "stopped"


@pytest.mark.parametrize("role", ROLES)
def test_a_killed_role_comes_back_and_the_workspace_goes_on(sawd, role):
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    victim = sawd.roles()[role]
    os.kill(victim, signal.SIGKILL)
    wait_gone(victim)
    sawd.until_served()
    sawd.wait("dev", "running")
    assert supervisor_of(sawd, record) == pid
    # every role is asked for something
    until(lambda: sawd.create("second", start=False).status in (201, 409))
    until(lambda: sawd.call("POST", "/v1/workspaces/dev/sessions", {"public_key": KEY}).status == 201)
    assert sawd.roles()[role] != victim


class Cut(Sawd):
    """One of its channels ends while the two that have it go on: so it says itself."""

    def check_logs(self):
        log = self.home / "stderr.log"
        log.write_text(re.sub(r".*: (channel to core|dev: control channel): a message that is not permitted or malformed\n", "", log.read_text()))
        super().check_logs()


def limit_descriptors(pid, soft):
    """Only its own user may."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text()
    uid, gid = (int(re.search(rf"^{what}:\t(\d+)", lines, re.M)[1]) for what in ("Uid", "Gid"))
    who = {} if uid == os.getuid() else {"user": uid, "group": gid, "extra_groups": []}
    subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={soft}:"], check=True, **who)


@pytest.mark.parametrize("role", ["front", "keeper", "compiler"])
def test_a_channel_that_ends_between_two_roles_that_go_on_is_made_anew(build, role):
    """For a moment there is no room for the descriptor that comes on it."""
    s = Cut(build)
    try:
        s.start()
        conn = UnixConnection(s.socket)
        calls = {"front": ("GET", "/v1/audit", None), "keeper": ("PUT", "/v1/secrets/x?mode=put", "v"),
                 "compiler": ("POST", "/v1/workspaces", json.dumps({"name": "dev", "driver": "try", "start": False, "policy": {"text": POLICY}}))}
        kinds = {"PUT": {"Content-Type": "application/octet-stream"}, "POST": {"Content-Type": "application/json"}}

        def call():
            method, target, body = calls[role]
            conn.request(method, target, body, kinds.get(method, {}))
            answer = conn.getresponse()
            answer.read()
            return answer.status
        conn.request("GET", "/v1/version")
        assert conn.getresponse().read()
        before = s.roles()
        limit_descriptors(before[role], 3)
        assert call() == 503
        limit_descriptors(before[role], 32)
        until(lambda: call() < 300)
        assert s.roles() == before, "the same processes"
        conn.close()
    finally:
        s.close()


def test_killed_sawd_leaves_no_role_behind_and_the_next_adopts(sawd):
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    sawd.kill()
    assert alive(pid)
    sawd.start()
    sawd.wait("dev", "running")
    assert supervisor_of(sawd, record) == pid


def test_a_killed_supervisor_is_started_again_and_leaves_nothing(sawd):
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    below = [p for p in children(pid)]
    os.kill(pid, signal.SIGKILL)
    for p in [pid, *below]:
        wait_gone(p)
    sawd.wait("dev", "failed", "starting", "running", where=lambda e: e["state"] != "running" or sawd.supervisors())
    sawd.wait("dev", "running")
    assert supervisor_of(sawd, record) != pid
    assert check_chain(sawd.state / "workspaces" / record["id"] / "audit.jsonl") > 0


def test_a_supervisor_that_dies_while_sawd_is_away_is_started_again(sawd):
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    sawd.stop()
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    sawd.start()
    sawd.wait("dev", "running", where=lambda e: sawd.supervisors())
    assert supervisor_of(sawd, record) != pid


def strays(names, supervisors):
    theirs, todo = set(), list(supervisors)
    while todo:
        p = todo.pop()
        theirs.add(p)
        todo += children(p)
    named = re.compile(r"saw-\w+: (%s)\b" % "|".join(names))
    return [(p, title(p)) for p in map(int, filter(str.isdigit, os.listdir("/proc"))) if p not in theirs and named.match(title(p))]


def test_kills_at_random_moments_lose_and_double_nothing(sawd, sanitized):
    rng = random.Random(7)
    names = [f"k{os.getpid()}-{i}" for i in range(4)]
    for name in names:
        assert sawd.create(name).status == 201
    for _ in range(ROUNDS // 2 if sanitized else ROUNDS):
        victims = [*sawd.roles().values(), *sawd.supervisors()]
        if rng.random() < 0.2 or not victims:
            sawd.kill()
            sawd.start()
        else:
            with contextlib.suppress(ProcessLookupError):  # it may be at its end already
                os.kill(rng.choice(victims), signal.SIGKILL)
        # another call in the middle of it; it may be refused, it may not half happen
        try:
            sawd.call("POST", f"/v1/workspaces/{rng.choice(names)}/{rng.choice(['restart', 'start'])}", timeout=10)
        except OSError:
            pass
        select.select([], [], [], rng.random() * 0.3)
    sawd.until_served()
    for name in names:
        sawd.wait(name, "running", where=lambda e: e["desired"] == "running", timeout=120)
    ids = {w["id"]: w["name"] for w in sawd.call("GET", "/v1/workspaces").json["workspaces"]}
    assert sorted(ids.values()) == names
    assert sorted(os.listdir(sawd.state / "workspaces")) == sorted(ids)
    assert len(sawd.supervisors()) == len(names)
    # titles carry the names: each process of theirs stands below one of the four supervisors
    until(lambda: all(sawd.show(n)["state"] == "running" for n in names) and not strays(names, sawd.supervisors()))
    check_chain(sawd.state / "audit/control.jsonl")
    for i in ids:
        check_chain(sawd.state / "workspaces" / i / "audit.jsonl")


def test_twenty_workspaces_run_at_once(sawd):
    names = [f"many-{i}" for i in range(20)]
    for name in names:
        assert sawd.create(name).status == 201
    for name in names:
        sawd.wait(name, "running", but_not=("failed",), timeout=120)
    assert len(sawd.supervisors()) == 20
    for name in names:
        assert sawd.call("DELETE", f"/v1/workspaces/{name}").status == 202
    while sawd.call("GET", "/v1/workspaces").json["workspaces"]:
        select.select([], [], [], 0.1)
    assert not sawd.supervisors() and not os.listdir(sawd.run / "ws")


def test_a_low_soft_limit_of_descriptors_is_no_limit_of_workspaces(build):
    s = Sawd(build, enter=("bash", "-c", 'ulimit -Sn 26; exec "$@"', "-"))
    try:
        s.start()
        for i in range(8):
            assert s.create(f"w{i}").status == 201
        for i in range(8):
            s.wait(f"w{i}", "running", but_not=("failed",))
        os.kill(s.roles()["keeper"], signal.SIGKILL)
        until(lambda: "keeper" in s.roles() and s.call("GET", "/v1/secrets").status == 200)
    finally:
        s.close()


def test_more_workspaces_than_may_run_are_refused_with_a_sentence_and_start_when_there_is_room(build):
    s = Sawd(build, options=["--running-max", "1"])
    try:
        s.start()
        s.running("first")
        assert s.create("second").status == 201
        event = s.wait("second", "failed", but_not=("running",))
        assert "as many as this sawd runs at once" in event["detail"] and "next try" in event["detail"], event
        assert len(s.supervisors()) == 1
        s.call("POST", "/v1/workspaces/first/stop")
        s.wait("second", "running")
    finally:
        s.close()


def left_behind(s):
    """A workspace that is to run, without sawd and without its supervisor: its record."""
    s.start()
    record = s.running("dev")
    pid = supervisor_of(s, record)
    s.stop()
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    return record


def test_core_goes_on_when_no_descriptor_is_free_for_the_channel_to_a_supervisor(build):
    s = Cut(build)
    try:
        record = left_behind(s)
        fake = FakeSupervisor(s.run, record["id"])
        s.start()
        fake.accept()
        s.wait("dev", "running")
        before = s.roles()
        limit_descriptors(before["core"], 3)
        fake.channel.close()
        for _ in range(2):  # it is asked for again
            assert select.select([fake.listener], [], [], 20)[0]
            with fake.listener.accept()[0] as refused:
                assert select.select([refused], [], [], 20)[0] and refused.recv(100) == b"", "nobody has it"
        assert s.call("GET", "/v1/workspaces/dev").json["state"] == "failed" and not s.supervisors(), "nothing is started beside it"
        limit_descriptors(before["core"], 300)
        fake.accept()
        s.wait("dev", "running")
        assert s.roles() == before and "no descriptor is free" in s.log()
        fake.close()
    finally:
        s.close()


def cpu_ms(pid):
    used = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, used)) * 1000 / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("who", ["front", "supervisor"])
def test_who_has_no_descriptor_for_the_next_peer_waits_and_does_not_spin(sawd, who):
    record = sawd.running("dev")
    pid = sawd.roles()["front"] if who == "front" else supervisor_of(sawd, record)
    path = sawd.socket if who == "front" else sawd.run / "ws" / record["id"] / "control.sock"
    limit_descriptors(pid, 3)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if who == "front" else socket.SOCK_SEQPACKET) as c:
        c.connect(str(path))
        before = cpu_ms(pid)
        select.select([c], [], [], 1)
        assert cpu_ms(pid) - before < 300
        limit_descriptors(pid, 1000)
        c.settimeout(20)
        if who == "front":
            c.sendall(b"GET /v1/version HTTP/1.1\r\nHost: saw.local\r\n\r\n")
        else:
            c.send(pack("MSG_HELLO", N["IPC_CONTROL_OLDEST"], record["id"], 1))
        assert c.recv(4096)


def test_a_second_sawd_is_refused(sawd):
    done = subprocess.run([sawd.binary], env=sawd.env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "runs already" in done.stderr and str(sawd.process.pid) in done.stderr


def test_a_second_sawd_on_its_state_folder_touches_nothing(sawd):
    """Started with another runtime folder: it would make keys of its own where the first makes them, and take away what that one writes."""
    secrets = sawd.state / "keys/secrets"
    (secrets / "x").mkdir()
    (secrets / "x/.token.new").write_text("being written")
    done = subprocess.run([sawd.binary], env={**sawd.env, "SAW_RUN": str(sawd.home / "r2")}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "another SAW_RUN" in done.stderr and str(sawd.process.pid) in done.stderr
    assert (secrets / "x/.token.new").exists()
    assert sawd.call("GET", "/v1/secrets").status == 200


def test_sawd_goes_to_the_background_when_it_serves(build):
    s = Sawd(build)
    try:
        done = subprocess.run([s.binary], env=s.env, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        version = s.call("GET", "/v1/version").json
        assert version["run_dir"] == str(s.run) and version["audit_writable"] is True
        assert title(version["pid"]).endswith("sawd") and os.getsid(version["pid"]) == version["pid"]
        assert s.call("POST", "/v1/shutdown").status == 202
        wait_gone(version["pid"])
    finally:
        s.close()


def test_sawd_goes_to_the_background_without_standard_descriptors(build):
    s = Sawd(build)
    try:
        done = subprocess.run(["sh", "-c", 'exec "$0" <&- >&- 2>&-', s.binary], env=s.env, timeout=60, check=False)
        version = s.call("GET", "/v1/version").json
        assert done.returncode == 0 and s.call("POST", "/v1/shutdown").status == 202
        wait_gone(version["pid"])
    finally:
        s.close()


@pytest.mark.parametrize("args,words", [(["--colour"], "usage"), (["x"], "unexpected"), (["--ready-fd", "99"], "descriptor"),
                                        (["--ready-fd", "-1"], "descriptor"), (["--session-max", "0"], "seconds"),
                                        (["--session-max", "43201"], "seconds"), (["--session-idle", "3601"], "seconds"),
                                        (["--session-idle", "1h"], "seconds"), (["--running-max", "0"], "number"),
                                        (["--running-max", "4097"], "number")])
def test_wrong_arguments_are_a_usage_error(build, args, words):
    done = subprocess.run([build / "src/sawd/launcher/sawd", *args], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and words in done.stderr


def test_a_state_folder_that_others_can_write_is_refused(build):
    s = Sawd(build)
    s.state.mkdir()
    os.chmod(s.state, 0o777)
    said = s.start(check=False)
    assert "writable by others" in said and s.process.wait(20) == 1
    os.chmod(s.state, 0o700)
    s.process = None
    s.close()


def test_nothing_is_open_to_others_whatever_the_umask(build):
    s = Sawd(build)
    was = os.umask(0)
    try:
        s.start()
        s.running("dev")
        made = [p for top in (s.state, s.run) for p in [top, *top.rglob("*")] if not p.is_symlink()]
        assert any(p.name == "control.sock" for p in made) and any(p.name == "audit.jsonl" for p in made)
        assert not [(oct(p.lstat().st_mode), str(p)) for p in made if p.lstat().st_mode & 0o077]
    finally:
        os.umask(was)
        s.close()


@pytest.mark.parametrize("where", ["s/keys", "s/audit", "s/workspaces", "s/sawd.log", "r/sawd.lock", "r/api.sock"])
def test_a_link_in_its_folders_is_not_followed(build, where):
    s = Sawd(build)
    s.state.mkdir(0o700)
    s.run.mkdir(0o700)
    victim = s.home / "victim"
    victim.mkdir(0o700) if where in ("s/keys", "s/audit", "s/workspaces") else victim.write_text("precious")
    (s.home / where).symlink_to(victim)
    if where == "r/api.sock":  # what lies there is removed, not what it points to
        s.start()
    else:
        assert "folder" in (said := s.start(check=False)) or "link" in said, said
        assert s.process.wait(20) == 1
        s.process = None
    assert not list(victim.iterdir()) if victim.is_dir() else victim.read_text() == "precious"
    if where != "r/api.sock":
        (s.home / where).unlink()
    s.close()


def test_half_requests_and_garbage_do_not_keep_others_out_for_long(build):
    s = Sawd(build)
    s.start()
    roles = s.roles()
    held = []
    for i in range(700):
        c = socket.socket(socket.AF_UNIX)
        c.setblocking(False)
        try:
            c.connect(str(s.run / "api.sock"))
            c.send((b"GET /v1/wor", os.urandom(3000), b"POST /v1/workspaces HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")[i % 3])
        except OSError:
            pass
        held.append(c)

    def served():
        try:
            return s.call("GET", "/v1/workspaces").status == 200
        except OSError:
            return False
    until(served, tries=250)
    assert s.roles() == roles
    for c in held:
        c.close()
    s.stop()
    s.close()


def test_keys_that_others_can_read_are_refused(build):
    s = Sawd(build)
    s.start()
    s.stop()
    os.chmod(s.state / "keys/user_ca.seed", 0o644)
    s.start(check=False)
    assert s.process.wait(20) == 1 and "0600" in s.log()
    os.chmod(s.state / "keys/user_ca.seed", 0o600)
    s.process = None
    s.close()


def test_nothing_changes_while_the_audit_log_cannot_be_written(sawd):
    assert sawd.create("dev", start=False).status == 201
    sawd.wait("dev", "stopped")
    log = sawd.state / "audit/control.jsonl"
    aside = sawd.state / "audit/aside"
    log.rename(aside)
    log.mkdir()
    for answer in (sawd.create("new"), sawd.call("POST", "/v1/workspaces/dev/start"), sawd.call("DELETE", "/v1/workspaces/dev"),
                   sawd.call("PUT", "/v1/workspaces/dev/policy", {"text": POLICY.replace("name: test", "name: other")})):
        assert answer.status == 503 and answer.json["type"].endswith(":audit_not_writable"), answer
    assert sawd.call("GET", "/v1/version").json["audit_writable"] is False
    assert sawd.call("GET", "/v1/workspaces/new").status == 404
    record = sawd.show("dev")
    assert (record["state"], record["desired"], record["policy"]["generation"]) == ("stopped", "stopped", 1)
    log.rmdir()
    aside.rename(log)
    assert sawd.call("POST", "/v1/workspaces/dev/start").status == 202
    sawd.wait("dev", "running", but_not=("failed",))
    check_chain(log)


def test_why_the_audit_log_cannot_be_written_is_said(sawd):
    """Its disk is not full."""
    log = sawd.state / "audit/control.jsonl"
    whole = log.read_bytes() if log.exists() else b""
    sawd.stop()
    log.write_bytes(whole + b"no event\n")
    log.chmod(0o600)
    sawd.start()
    answer = sawd.create("dev")
    assert answer.status == 503 and answer.json["type"].endswith(":audit_not_writable"), answer
    assert "its last line is not an audit event: run `saw audit verify`" in answer.json["detail"] and "free disk space" not in answer.json["remedy"]
    assert "its last line is not an audit event" in sawd.log()
    log.write_bytes(whole)
    assert sawd.create("dev", start=False).status == 201


def test_a_full_disk_under_the_audit_log_refuses_changes(build):
    if os.getuid() != 0:
        pytest.skip("needs root to mount a small file system")
    s = Sawd(build)
    s.start()
    s.create("dev", start=False)
    s.stop()
    audit = s.state / "audit"
    moved = s.home / "audit"
    shutil.move(audit, moved)
    audit.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", audit], check=True)
    try:
        shutil.copytree(moved, audit, dirs_exist_ok=True)
        s.start()
        (audit / "filler").write_bytes(b"")
        with open(audit / "filler", "ab", buffering=0) as f:
            try:
                while f.write(b"x" * 512):
                    pass
            except OSError:
                pass
        answers = [s.call("POST", f"/v1/workspaces/dev/{v}") for v in ("start", "stop") * 8]
        assert answers[-1].status == 503 and answers[-1].json["type"].endswith(":audit_not_writable")
        desired = s.show("dev")["desired"]
        s.call("POST", "/v1/workspaces/dev/" + ("stop" if desired == "running" else "start"))
        assert s.show("dev")["desired"] == desired
        (audit / "filler").unlink()
        assert s.call("POST", "/v1/workspaces/dev/stop").status == 202
        s.wait("dev", "stopped")
        check_chain(audit / "control.jsonl")
        s.call("POST", "/v1/shutdown", {"workspaces": True})
        s.process.wait(60)
    finally:
        if s.process and s.process.poll() is None:
            s.process.kill()
            s.process.wait(20)
        subprocess.run(["umount", "-l", audit], check=True)
        s.close()


def test_a_new_policy_reaches_the_running_gateway(sawd):
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    changed = POLICY.replace("good.example", "other.example")
    answer = sawd.call("PUT", "/v1/workspaces/dev/policy", {"text": changed, "file": "new.yaml"})
    assert answer.status == 200 and answer.json["policy"]["generation"] == 2 and answer.json["policy"]["loaded_generation"] == 2
    assert answer.json["policy"]["file"] == "new.yaml" and answer.json["policy"]["sha256"] != record["policy"]["sha256"]
    assert supervisor_of(sawd, record) == pid
    sawd.stop()
    sawd.start()
    until(lambda: sawd.show("dev")["policy"]["loaded_generation"] == 2)


def test_policies_that_nobody_has_any_more_do_not_stay(sawd):
    sawd.running("dev")
    sawd.create("idle", start=False)
    for i in range(70):
        assert sawd.call("PUT", "/v1/workspaces/idle/policy", {"text": POLICY.replace("good.example", f"h{i}.example")}).status == 200
    until(lambda: len(os.listdir(sawd.state / "policies")) < 20)
    for name in ("dev", "idle"):
        policy = sawd.show(name)["policy"]
        assert {f"{policy['release']}.bundle", f"{policy['sha256']}.blob"} <= set(os.listdir(sawd.state / "policies"))


def test_a_refused_policy_leaves_the_last_good_one(sawd):
    record = sawd.running("dev")
    for text in ("", "version: 2\n", POLICY + "colour: red\n", "\x01", POLICY.replace("443", "0")):
        answer = sawd.call("PUT", "/v1/workspaces/dev/policy", {"text": text})
        assert answer.status == 422, answer
    now = sawd.show("dev")
    assert now["policy"] == record["policy"] and now["state"] == "running"


@pytest.mark.parametrize("harm", ["missing", "empty"])
def test_a_lost_stored_policy_starts_nothing_until_it_is_loaded_again(sawd, harm):
    record = sawd.running("dev")
    sawd.call("POST", "/v1/workspaces/dev/stop")
    sawd.wait("dev", "stopped")
    stored = sawd.state / "policies" / f"{record['policy']['release']}.bundle"
    stored.unlink()
    if harm == "empty":
        stored.touch()
    sawd.call("POST", "/v1/workspaces/dev/start")
    event = sawd.wait("dev", "failed", but_not=("running",))
    assert "policy" in event["detail"] and "load it again" in event["detail"] and not sawd.supervisors()
    assert sawd.call("PUT", "/v1/workspaces/dev/policy", {"text": POLICY}).status == 200
    sawd.wait("dev", "running")


@pytest.mark.parametrize("harm", ["flipped", "cut"])
def test_a_damaged_stored_policy_is_not_loaded_and_the_last_good_one_is(sawd, harm):
    record = sawd.running("dev")
    sawd.call("POST", "/v1/workspaces/dev/stop")
    sawd.wait("dev", "stopped")
    stored = sawd.state / "policies" / f"{record['policy']['release']}.bundle"
    data = stored.read_bytes()
    stored.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if harm == "flipped" else data[:-9])
    sawd.call("POST", "/v1/workspaces/dev/start")
    event = sawd.wait("dev", "running")
    assert "last good policy" in event["detail"]
    assert sawd.call("PUT", "/v1/workspaces/dev/policy", {"text": POLICY}).status == 200
    assert sawd.show("dev")["policy"]["loaded_generation"] == 2
    sawd.wait("dev", "running", where=lambda e: not e["detail"])


def test_a_session_is_a_certificate_of_five_minutes_for_one_workspace(sawd):
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        pytest.skip("ssh-keygen wants a user name, and this uid has none")
    record = sawd.running("dev")
    key = sawd.home / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    answer = sawd.call("POST", "/v1/workspaces/dev/sessions",
                       {"public_key": key.with_suffix(".pub").read_text(), "pty": True, "agent_forwarding": True})
    assert answer.status == 201, answer
    issued = answer.json
    cert = sawd.home / "key-cert.pub"
    cert.write_text(issued["certificate"] + "\n")
    text = subprocess.run(["ssh-keygen", "-L", "-f", cert], capture_output=True, text=True, check=True).stdout
    assert "ssh-ed25519-cert-v01@openssh.com user certificate" in text
    principals = text.split("Principals:")[1].split("Critical Options:")[0].split()
    assert principals == [record["id"]] == [issued["principal"]]
    assert "Critical Options: (none)" in text
    assert text.split("Extensions:")[1].split() == ["permit-agent-forwarding", "permit-pty"]
    assert issued["session_id"] in text.split("Key ID:")[1].splitlines()[0]
    since, until = re.search(r"from (\S+) to (\S+)", text).groups()
    minutes = subprocess.run(["date", "-d", until, "+%s"], capture_output=True, text=True, check=True).stdout
    began = subprocess.run(["date", "-d", since, "+%s"], capture_output=True, text=True, check=True).stdout
    assert int(minutes) - int(began) == 360
    known = sawd.home / "known_hosts"
    known.write_text(issued["host_key"] + "\n")
    assert record["id"] in subprocess.run(["ssh-keygen", "-l", "-F", record["id"], "-f", known], capture_output=True, text=True,
                                          check=True).stdout
    # the CA in the log's words is the one that signed: the same for each certificate
    again = sawd.call("POST", "/v1/workspaces/dev/sessions", {"public_key": key.with_suffix(".pub").read_text()}).json
    cert.write_text(again["certificate"] + "\n")
    text2 = subprocess.run(["ssh-keygen", "-L", "-f", cert], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Signing CA: (.*)", text)[1] == re.search(r"Signing CA: (.*)", text2)[1] and again["host_key"] == issued["host_key"]
    listed = sawd.call("GET", "/v1/sessions").json["sessions"]
    assert {s["session_id"] for s in listed} == {issued["session_id"], again["session_id"]}


def issue(sawd, name="dev"):
    answer = sawd.call("POST", f"/v1/workspaces/{name}/sessions",
                       {"public_key": KEY})
    assert answer.status == 201, answer
    return answer.json["session_id"]


ECHO = """
import ctypes, os, socket, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
fds = [os.open(f"/proc/{sys.argv[1]}/ns/{kind}", os.O_RDONLY) for kind in ("user", "net")]
for fd in fds:
    if libc.setns(fd, 0):
        sys.exit(os.strerror(ctypes.get_errno()))
s = socket.socket()
if len(sys.argv) > 2:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(sys.argv[2]))
s.bind(("100.64.0.2", 22))
s.listen(64)
print("up", flush=True)
def serve(c):
    while (data := c.recv(65536)):
        c.sendall(data)
    c.shutdown(socket.SHUT_WR)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


def below(pid, wanted):
    """The process of this title below that one, or None."""
    todo = [pid]
    while todo:
        p = todo.pop()
        if title(p) == wanted:
            return p
        todo += children(p)
    return None


def echoing(sawd, *room):
    """A workspace whose "sshd" sends everything back; its record, and the process to kill."""
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    until(lambda: below(pid, "/bin/sleep"))
    sleeper = below(pid, "/bin/sleep")
    # by setns(2) without an exec behind it, which would lose the right to listen on a low port
    process = subprocess.Popen([sys.executable, "-c", ECHO, str(sleeper), *room], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"up\n"
    return record, process


@pytest.fixture
def echo(sawd):
    record, process = echoing(sawd)
    yield record
    process.kill()
    process.wait()


def tunnel(sawd, session, name="dev"):
    """(status, socket)"""
    c = socket.socket(socket.AF_UNIX)
    c.settimeout(30)
    c.connect(str(sawd.socket))
    c.sendall(f"GET /v1/workspaces/{name}/tunnel?session={session} HTTP/1.1\r\nHost: saw.local\r\n"
              "Connection: Upgrade\r\nUpgrade: saw-tunnel\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        got = c.recv(1)
        assert got, head
        head += got
    return int(head.split()[1]), c


def closed(c):
    try:
        return c.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_tunnel_carries_bytes_both_ways_and_its_end(sawd, echo):
    session = issue(sawd)
    status, c = tunnel(sawd, session)
    assert status == 101
    data = os.urandom(3 * 1024 * 1024)
    got = b""
    sent = 0
    c.setblocking(False)
    while len(got) < len(data):
        readable, writable, _ = select.select([c], [c] if sent < len(data) else [], [], 30)
        if writable:
            sent += c.send(data[sent:sent + 65536])
        if readable:
            got += c.recv(65536)
    assert got == data
    assert sawd.show("dev")["sessions"] == 1
    c.setblocking(True)
    c.shutdown(socket.SHUT_WR)
    assert c.recv(1) == b""
    c.close()
    sawd.wait("dev", "running", where=lambda e: sawd.show("dev")["sessions"] == 0)
    events = [e for e in sawd.control_log() if e["class_uid"] == 4007]
    assert [e["activity_name"] for e in events][:3] == ["issued", "Open", "Close"]
    own = sawd.call("GET", "/v1/audit?workspace=dev").raw.decode().splitlines()
    assert session in "".join(l for l in own if '"class_uid":4007' in l)


@pytest.mark.parametrize("how", ["stop", "delete", "session", "core", "front"])
def test_tunnels_are_cut(sawd, echo, how):
    session = issue(sawd)
    status, c = tunnel(sawd, session)
    assert status == 101
    c.sendall(b"x")
    assert c.recv(1) == b"x"
    if how == "stop":
        sawd.call("POST", "/v1/workspaces/dev/stop")
    elif how == "delete":
        sawd.call("DELETE", "/v1/workspaces/dev")
    elif how == "session":
        assert sawd.call("DELETE", f"/v1/sessions/{session}").status == 204
    else:
        os.kill(sawd.roles()[how], signal.SIGKILL)
    c.settimeout(5)
    assert closed(c)
    c.close()
    if how in ("session", "core", "front"):
        sawd.until_served()
        sawd.wait("dev", "running")
        assert tunnel(sawd, session)[0] == 404


@pytest.fixture
def limited(build, request):
    """An open tunnel of a sawd with these options."""
    s = Sawd(build, options=request.param)
    s.start()
    _, process = echoing(s, "4096")
    s.echo = process
    status, c = tunnel(s, issue(s))
    assert status == 101
    yield s, c
    c.close()
    process.kill()
    process.wait()
    s.close()


def said_in_the_log(sawd, words):
    said = lambda: [e.get("status_detail", "") for e in sawd.control_log() if e["class_uid"] == 4007]  # noqa: E731
    try:
        until(lambda: any(words in s for s in said()))
    except AssertionError as e:
        raise AssertionError(f"{words} is not among {said()}") from e


def busy(c, times):
    """A byte there and back every 0.2 s; False once the tunnel is cut."""
    for _ in range(times):
        try:
            c.sendall(b"x")
            if not c.recv(1):
                return False
        except (BrokenPipeError, ConnectionResetError):
            return False
        select.select([], [], [], 0.2)
    return True


@pytest.mark.parametrize("limited", [["--session-max", "2"]], indirect=True)
def test_a_busy_tunnel_ends_with_its_session(limited):
    s, c = limited
    assert not busy(c, 40)
    said_in_the_log(s, "longest time")


@pytest.mark.parametrize("limited", [["--session-idle", "2"]], indirect=True)
def test_a_tunnel_is_cut_when_it_is_idle_and_not_before(limited):
    s, c = limited
    assert busy(c, 15)
    assert closed(c)
    said_in_the_log(s, "idle for too long")


@pytest.mark.parametrize("limited", [["--session-idle", "4"]], indirect=True)
def test_a_client_that_goes_while_its_guest_reads_nothing_leaves_an_idle_tunnel(limited):
    s, c = limited
    os.kill(s.echo.pid, signal.SIGSTOP)
    # one of its threads may still be on its way, and what it sent back would make an unread end of the connection a broken one
    until(lambda: all("\tT (stopped)" in f.read_text() for f in pathlib.Path(f"/proc/{s.echo.pid}/task").glob("*/status")))
    c.setblocking(False)
    while select.select([], [c], [], 2)[1]:  # on a busy machine, too, all between the two is full then
        c.send(bytes(65536))
    c.close()
    said_in_the_log(s, "idle for too long")


def test_a_tunnel_needs_its_own_session_and_an_answering_guest(sawd):
    sawd.running("dev")
    sawd.running("other")
    session = issue(sawd)
    assert tunnel(sawd, "se-000000000000")[0] == 404
    assert tunnel(sawd, session, "other")[0] == 404
    assert tunnel(sawd, session)[0] == 502
    conn = UnixConnection(sawd.socket)
    conn.request("GET", f"/v1/workspaces/dev/tunnel?session={session}")
    assert conn.getresponse().status == 426
    sawd.call("POST", "/v1/workspaces/dev/stop")
    sawd.wait("dev", "stopped")
    assert tunnel(sawd, session)[0] == 409


def test_the_keys_never_leave_the_keeper(sawd):
    sawd.running("dev")
    issue(sawd)
    seeds = [(sawd.state / "keys" / n).read_bytes() for n in ("user_ca.seed", "host_keys.seed")]
    for path in sawd.home.rglob("*"):
        if path.is_file() and path.parent.name != "keys":
            data = path.read_bytes()
            assert not any(s in data for s in seeds), path


def sockets_of(pid):
    """The inodes of the sockets that a process and its descendants hold."""
    held = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(fd))
        held |= {found[1]} if found else set()
    return held.union(*map(sockets_of, children(pid)))


def test_nothing_of_ours_waits_for_anybody_on_the_hosts_network(sawd):
    if os.geteuid() != 0:
        pytest.skip("a role is not dumpable: only root may look at its descriptors")
    sawd.running("dev")
    held = set().union(*(sockets_of(pid) for pid in [sawd.process.pid, *sawd.supervisors()]))
    assert held, "the channels between the processes at least"
    for table, waits in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        path = pathlib.Path(f"/proc/self/net/{table}")
        lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()[1:]] if path.exists() else []
        assert not [f for f in lines if f[3] == waits and f[9] in held], table


@pytest.mark.release
@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_jailed(sawd, role, sanitized):
    if sanitized:
        pytest.skip("sanitized builds leave the filter out")
    pid = sawd.roles()[role]
    status = dict(l.split(":\t", 1) for l in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in l)
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0
    if os.getuid() == 0 and role in ("front", "compiler"):
        assert status["Uid"].split()[0] != "0"


def test_a_supervisor_that_dies_unheard_while_starting_is_noticed_by_the_next_sawd(sawd):
    """It is stopped with its socket open, so that it takes the connection and says nothing; then it dies."""
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    sawd.stop()
    os.kill(pid, signal.SIGSTOP)
    db = sqlite3.connect(sawd.state / "sawd.db")
    db.execute("UPDATE workspaces SET state = 'starting'")
    db.commit()
    db.close()
    sawd.start()
    until(lambda: "its supervisor runs: adopted" in sawd.log())
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    sawd.wait("dev", "running", where=lambda e: sawd.supervisors())
    assert supervisor_of(sawd, record) != pid


def test_a_restart_of_one_that_failed_starts_it_once(sawd):
    log, aside = stopped_with_its_log_aside(sawd)
    log.mkdir()
    assert sawd.call("POST", "/v1/workspaces/dev/start").status == 202
    sawd.wait("dev", "failed")
    n = len(sawd.control_log())
    assert sawd.call("POST", "/v1/workspaces/dev/restart").status == 202
    log.rmdir()
    aside.rename(log)
    sawd.wait("dev", "running")
    assert "Stop" not in [e.get("activity_name") for e in sawd.control_log()[n:]]


def test_a_start_that_cannot_be_stored_is_no_failure_and_comes_when_it_can(sawd):
    record = sawd.create("dev", start=False).json
    sawd.wait("dev", "stopped")
    sawd.stop()
    with contextlib.closing(sqlite3.connect(sawd.state / "sawd.db")) as db:
        db.execute("CREATE TABLE tries (n)")
        db.execute("INSERT INTO tries VALUES (0)")
        db.execute("CREATE TRIGGER no_start BEFORE UPDATE ON workspaces WHEN NEW.state = 'starting' AND (SELECT n FROM tries) < 2 "
                   "BEGIN UPDATE tries SET n = n + 1; SELECT RAISE(FAIL, 'not now'); END")
        db.commit()
    sawd.start()
    assert sawd.call("POST", "/v1/workspaces/dev/start").status == 202
    until(lambda: "not now" in sawd.log())
    assert not sawd.supervisors()
    sawd.wait("dev", "running", but_not=("failed",))
    assert supervisor_of(sawd, record)


def test_the_late_end_of_the_supervisor_before_is_not_taken_for_the_new_ones(sawd):
    """sawd stands still while core restarts the workspace: it collects the old supervisor right before it starts the new one."""
    record = sawd.running("dev")
    before = supervisor_of(sawd, record)
    os.kill(sawd.process.pid, signal.SIGSTOP)
    try:
        sawd.change("dev", "restart", "stopping", "starting")
    finally:
        os.kill(sawd.process.pid, signal.SIGCONT)
    sawd.wait("dev", "running", but_not=("failed",))
    assert supervisor_of(sawd, record) != before


def test_a_supervisor_that_cannot_be_reached_for_a_while_is_adopted_later(sawd):
    """Its socket is away when sawd starts; its lock says that it lives, so nothing is started beside it."""
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    sock = sawd.run / "ws" / record["id"] / "control.sock"
    hidden = sock.with_name("hidden.sock")
    sawd.stop()
    sock.rename(hidden)
    db = sqlite3.connect(sawd.state / "sawd.db")
    db.execute("UPDATE workspaces SET state = 'failed'")
    db.commit()
    db.close()
    sawd.start()
    sawd.wait("dev", "failed", but_not=("running",))
    hidden.rename(sock)
    sawd.wait("dev", "running")
    assert supervisor_of(sawd, record) == pid


@pytest.mark.parametrize("when", ["while it runs", "before sawd comes"])
def test_a_supervisor_that_hangs_is_ended_when_its_workspace_is_to_stop(sawd, when):
    record = sawd.running("dev")
    pid = supervisor_of(sawd, record)
    if when == "before sawd comes":
        sawd.stop()
    os.kill(pid, signal.SIGSTOP)
    if when == "before sawd comes":
        sawd.start()
    assert sawd.call("POST", "/v1/workspaces/dev/stop", {"grace_seconds": 0}).status == 202
    sawd.wait("dev", "stopped", timeout=90)
    wait_gone(pid)
    assert not sawd.supervisors() and "does not end by itself" in sawd.log()
    sawd.call("POST", "/v1/workspaces/dev/start")
    sawd.wait("dev", "running")


@pytest.mark.parametrize("how", ["newer", "hangs up"])
def test_a_supervisor_that_is_not_understood_or_hangs_up_is_asked_now_and_then(build, how):
    """A newer one: whoever goes back to an older saw has it still."""
    s = Cut(build)
    try:
        record = left_behind(s)
        newer, n = FakeSupervisor(s.run, record["id"], N["IPC_CONTROL_VERSION"] + (how == "newer")), 0
        s.start()
        end = time.monotonic() + 4
        while select.select([newer.listener], [], [], max(0, end - time.monotonic()))[0]:
            with contextlib.suppress(OSError):  # core goes as soon as it has heard the version
                newer.accept()
            if how == "hangs up":
                newer.channel.close()
            n += 1
        newer.close()
        assert 1 <= n <= 8, n
        s.wait("dev", "running", where=lambda e: s.supervisors())
    finally:
        s.close()


HESITANT = """#!/bin/bash
# The first one waits before it becomes the supervisor; later ones end at once.
echo >>"$0.starts"
if [ "$(wc -l <"$0.starts")" = 1 ]; then
	read -r _ <"$0.go"
	exec -a "saw-workspace: dev" "$0.real" "$@"
fi
echo "saw-workspace: failed: it is not its turn" >&2
exit 1
"""


def replaced(s, build, program, script):
    """`s` runs from one folder, as an installation has it, in which `script` stands before a program; its path."""
    folder = s.home / "bin"
    folder.mkdir()
    for found in [*build.glob("src/*/*/saw*"), *build.glob("src/*/saw*")]:
        if found.is_file() and os.access(found, os.X_OK):
            shutil.copy(found, folder)
    made = folder / program
    made.rename(f"{made}.real")
    made.write_text(script)
    made.chmod(0o755)
    s.binary = folder / "sawd"
    return made


def test_a_supervisor_that_comes_up_after_it_was_given_up_is_met_and_not_doubled(build):
    """It was slow to take its lock, core died meanwhile, and what the next core started in its place failed."""
    s = Sawd(build)
    try:
        slow = replaced(s, build, "saw-workspace", HESITANT)
        os.mkfifo(f"{slow}.go")
        s.start()
        assert s.create("dev").status == 201
        starts = pathlib.Path(f"{slow}.starts")
        until(starts.exists)
        os.kill(s.roles()["core"], signal.SIGKILL)
        s.until_served()
        s.wait("dev", "failed", where=lambda e: "not its turn" in e["detail"] and "next try in 4 s" in e["detail"])
        with open(f"{slow}.go", "w", encoding="ascii") as go:
            go.write("\n")
        s.wait("dev", "running")
        assert len(starts.read_text()) == 4 and len(s.supervisors()) == 1
    finally:
        s.close()


POOR = """#!/bin/bash
# While the file is there it gets no memory file to put a policy in.
trap '' XFSZ
[ ! -e "$0.poor" ] || ulimit -f 0
exec -a "saw-compiler" "$0.real" "$@"
"""


def test_a_compiler_without_memory_refuses_no_policy(build):
    """Nothing was said of the policy: a gateway gets it again by itself, and who pushes hears whose fault it is."""
    s = Sawd(build)
    try:
        poor = pathlib.Path(f"{replaced(s, build, 'sawd-compiler', POOR)}.poor")
        s.start()
        record = s.running("dev")
        poor.touch()
        answer = s.call("PUT", "/v1/workspaces/dev/policy", {"text": POLICY.replace("good.example", "other.example")})
        assert answer.status != 422 and "memory file" in answer.json["detail"] and "sent again in 10 s" in answer.json["detail"], answer
        log = s.state / "workspaces" / record["id"] / "audit.jsonl"
        until(lambda: "bundle_not_taken" in log.read_text())
        assert "policy_refused" not in log.read_text()
        os.kill([p for p in children(s.process.pid) if title(p) == "saw-compiler"][0], signal.SIGKILL)
        until(lambda: "memory file" in s.create("late").json.get("detail", ""))
        answer = s.create("late")
        assert answer.status == 503 and answer.json["type"] == "urn:saw:problem:unavailable" and "not the policy's" in answer.json["remedy"], answer
        poor.unlink()
        s.wait("dev", "running", where=lambda e: s.show("dev")["policy"]["loaded_generation"] == 2)
    finally:
        s.close()


def test_the_cgroup_of_a_killed_supervisor_that_an_earlier_sawd_started_is_removed(sawd):
    """Nobody hears of its end but its kernel; its workspace may never start again."""
    own = next((l[3:].strip() for l in open("/proc/self/cgroup", encoding="ascii") if l.startswith("0::")), None)
    top = next((p for p in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") if os.access(f"{p}{own}/cgroup.procs", os.W_OK)), None)
    if not own or not top:
        pytest.skip("no writable cgroup v2 here")
    left = pathlib.Path(f"{top}{own}", f"saw-ws-{os.getpid():012x}")
    try:
        left.mkdir()
    except OSError:
        pytest.skip("this user may make no cgroup")
    until(lambda: not left.exists(), tries=300)
