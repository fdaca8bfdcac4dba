"""The audit log as a file: what survives kill -9, what `saw audit verify` says, and that real lines pass the schema."""
import json
import os
import pathlib
import random
import select
import subprocess
import sys

import pytest


@pytest.fixture
def writer(build):
    return str(build / "src/store/test-audit-writer")


@pytest.fixture
def verify(build):
    def run(*logs, json_out=True, env=None, cwd=None):
        r = subprocess.run([str(build / "src/cli/saw"), "audit", "verify", *(["--json"] if json_out else []), *map(str, logs)],
                           capture_output=True, text=True, check=False, env=env, cwd=cwd)
        return r.returncode, [json.loads(l) for l in r.stdout.splitlines()] if json_out else r.stdout, r.stderr
    return run


def make(writer, log, n):
    subprocess.run([writer, str(log), str(n)], check=True, capture_output=True)


def test_what_was_said_to_be_on_disk_survives_kill_nine(writer, verify, tmp_path):
    """60 rounds: the same log goes on after each."""
    log, promised = tmp_path / "audit.jsonl", 0
    for round_ in range(60):
        p = subprocess.Popen([writer, str(log)], stdout=subprocess.PIPE, text=True)
        for _ in range(random.randint(1, 5)):
            promised = int(p.stdout.readline())
        select.select([], [], [], random.random() / 200)
        p.kill()
        for line in p.stdout:
            promised = int(line) if line.endswith("\n") else promised
        p.wait()
        code, out, err = verify(log)
        assert code == 0 and out[0]["ok"], (round_, err, out)
        assert out[0]["events"] >= promised, (round_, out, promised)
    make(writer, log, 1)
    assert verify(log)[1][0]["events"] > promised


def test_what_was_said_to_be_on_disk_survives_a_crash_of_the_machine(writer, verify, tmp_path):
    """12 rounds: kill -9 of a busy writer, and of the log only what a disk is sure to have: up to where its journal begins, then any part
    of what is behind, or zeros in its place. The next writer goes on behind all that was promised."""
    log, journal, whole, promised, came_back = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.journal", b"", 0, 0
    for round_ in range(13):
        p = subprocess.Popen([writer, str(log)], stdout=subprocess.PIPE, text=True)
        first = int(p.stdout.readline())
        assert first > promised, round_
        for _ in range(random.randint(1, 9) if round_ else 70):  # the first 64 syncs of a new log go without a journal
            promised = int(p.stdout.readline())
        p.kill()
        for line in p.stdout:
            promised = int(line) if line.endswith("\n") else promised
        p.wait()
        code, out, err = verify(log)
        assert code == 0 and out[0]["events"] >= promised, (round_, promised, out, err)
        assert log.read_bytes().startswith(whole)
        now = log.read_bytes()
        base = int.from_bytes(journal.read_bytes()[16:24], "big")
        assert 0 < base <= len(now)
        whole = now[:base] + b"".join(now[base:].splitlines(keepends=True)[:promised - now[:base].count(b"\n")])
        kept = random.randint(base, len(now))
        log.write_bytes(now[:base] + (bytes(kept - base) if round_ % 2 else now[base:kept]))
        came_back += log.read_bytes().count(b"\n") < promised
    assert came_back > 5


def test_a_torn_line_is_put_aside_and_kept(writer, verify, tmp_path):
    log = tmp_path / "audit.jsonl"
    make(writer, log, 10)
    whole = log.read_bytes()
    log.write_bytes(whole + whole[:99])
    code, out, _ = verify(log)
    assert code == 0 and out[0]["torn_bytes"] == 99 and out[0]["events"] == 10
    make(writer, log, 1)
    assert log.read_bytes().startswith(whole) and (tmp_path / "audit.jsonl.torn").read_bytes() == whole[:99] + b"\n"
    assert verify(log)[1][0]["events"] == 11


@pytest.mark.parametrize("harm", ["byte", "drop", "swap", "double", "first", "hash", "blank"])
def test_verify_sees_every_harm_and_names_the_line(writer, verify, tmp_path, harm):
    log = tmp_path / "audit.jsonl"
    make(writer, log, 50)
    lines = log.read_bytes().splitlines(keepends=True)
    if harm == "byte":
        lines[20] = lines[20].replace(b"evil.example", b"good.example", 1)
    elif harm == "drop":
        del lines[20]
    elif harm == "swap":
        lines[20], lines[21] = lines[21], lines[20]
    elif harm == "double":
        lines.insert(20, lines[20])
    elif harm == "first":
        del lines[0]
    elif harm == "hash":
        lines[20] = lines[20][:40] + b"0000" + lines[20][44:]
    else:
        lines.insert(20, b"\n")
    log.write_bytes(b"".join(lines))
    code, out, _ = verify(log)
    assert code == 1 and not out[0]["ok"]
    assert ("line 1 " if harm == "first" else "line 2") in out[0]["error"]
    code, _, err = verify(log, json_out=False)
    assert code == 1 and str(log) in err and "good up to sequence" in err


def test_an_empty_log_is_whole_and_a_missing_one_is_not_found(verify, tmp_path):
    (tmp_path / "empty").touch()
    code, out, _ = verify(tmp_path / "empty")
    assert code == 0 and out == [{"log": str(tmp_path / "empty"), "ok": True, "events": 0, "last_sha256": "0" * 64, "torn_bytes": 0}]
    code, out, err = verify(tmp_path / "none", tmp_path / "empty")
    assert code == 4 and [o["ok"] for o in out] == [False, True] and out[0]["log"] == str(tmp_path / "none") and "No such file" in out[0]["error"], out
    assert "there is no such file" in err
    code, _, err = verify(tmp_path)
    assert code == 1 and "is not a file" in err


def test_a_workspace_is_named_by_its_id(writer, verify, tmp_path):
    (tmp_path / "workspaces/ws-0123456789ab").mkdir(parents=True)
    (tmp_path / "audit").mkdir()
    make(writer, tmp_path / "workspaces/ws-0123456789ab/audit.jsonl", 3)
    make(writer, tmp_path / "audit/control.jsonl", 4)
    env = {**os.environ, "SAW_STATE": str(tmp_path)}
    code, out, _ = verify("ws-0123456789ab", "control", env=env)
    assert code == 0 and [o["events"] for o in out] == [3, 4]


def test_a_file_in_this_folder_never_stands_in_for_a_log_that_is_kept(writer, verify, tmp_path):
    state, here = tmp_path / "state", tmp_path / "here"
    (state / "workspaces/ws-0123456789ab").mkdir(parents=True)
    (state / "audit").mkdir()
    here.mkdir()
    make(writer, state / "workspaces/ws-0123456789ab/audit.jsonl", 3)
    make(writer, state / "audit/control.jsonl", 4)
    for name in ("control", "ws-0123456789ab", "dev"):
        make(writer, here / name, 1)
    env = {**os.environ, "SAW_STATE": str(state), "SAW_RUN": str(tmp_path / "none")}
    code, out, _ = verify("ws-0123456789ab", "control", env=env, cwd=here)
    assert code == 0 and [o["events"] for o in out] == [3, 4]
    code, _, err = verify("dev", env=env, cwd=here)
    assert code == 4 and "no workspace has this name or id" in err
    code, out, _ = verify("./control", "./dev", env=env, cwd=here)
    assert code == 0 and [o["events"] for o in out] == [1, 1]


def test_written_lines_pass_the_schema(root, writer, tmp_path):
    tool = next((p / "shared/data/ocsf_validate.py" for p in root.parents if (p / "shared/data/ocsf_validate.py").exists()), None)
    if not tool:
        pytest.skip("no ../shared/data/ocsf_validate.py here")
    log = pathlib.Path(tmp_path / "audit.jsonl")
    make(writer, log, 100)
    r = subprocess.run([sys.executable, str(tool), "-w", "-n", "100", str(log)], capture_output=True, text=True, check=False)
    assert r.stdout == "100 events, 0 invalid\n"
