"""`saw try`: the command's place, its terminal, its exit code, and what is left afterwards."""
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess

import pytest

from workspace import alive, children, wait_for

POLICY = """\
version: 1
name: try
lab: true
network:
  - {name: pinned, hosts: [pass.example], ports: [443], mode: passthrough, reason: "test", addresses: [127.0.0.10/32]}
"""


@pytest.fixture(name="policy")
def _policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture(name="saw")
def _saw(build, policy, tmp_path):
    """saw(command words..., options=[...]) runs to the end."""
    folder = tmp_path / "tmp"
    folder.mkdir()

    def run(*command, options=(), prefix=(), **kw):
        env = {**os.environ, "TMPDIR": str(folder), **kw.pop("env", {})}
        done = subprocess.run([*prefix, build / "src/cli/saw", "try", "--policy", policy, "--quiet", *options, "--", *command],
                              capture_output=True, text=True, timeout=60, env=env, check=False, **kw)
        assert not list(folder.iterdir()), f"left behind: {list(folder.rglob('*'))}"
        return done
    return run


def begin(build, policy, *command, **kw):
    return subprocess.Popen([build / "src/cli/saw", "try", "--policy", policy, "--quiet", "--", *command], text=True, **kw)


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_commands(saw, code):
    assert saw("sh", "-c", f"exit {code}").returncode == code


def test_a_command_killed_by_a_signal_shows_as_128_and_the_signal(saw):
    assert saw("sh", "-c", "kill -TERM $$").returncode == 143


def test_a_missing_command_is_127_and_named(saw):
    done = saw("/nonexistent/x")
    assert done.returncode == 127 and "/nonexistent/x: No such file" in done.stderr


def test_standard_streams_environment_folder_and_arguments_are_the_callers(saw, tmp_path):
    done = saw("sh", "-c", 'cat; pwd; echo "$MARK" "$1" >&2', "sh", "a  b", input="from here\n", env={"MARK": "m"}, cwd=tmp_path)
    assert done.stdout == f"from here\n{tmp_path}\n" and done.stderr == "m a  b\n"


def test_no_descriptor_of_ours_reaches_the_command(saw):
    assert saw("/usr/bin/python3", "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))").stdout == "['0', '1', '2', '3']\n"


def test_the_command_sees_the_guests_network_and_its_own_processes_only(saw):
    done = saw("/usr/bin/python3", "-c", """
import os, socket
print(open('/etc/resolv.conf').read().split())
print(sorted(n for _, n in socket.if_nameindex()))
print(max(int(p) for p in os.listdir('/proc') if p.isdigit()) < 20)
""")
    assert done.stdout == "['nameserver', '100.64.0.1', 'options', 'no-aaaa', 'timeout:1', 'attempts:5']\n['eth0', 'lo']\nTrue\n", done


def test_the_user_stays_who_he_is_and_root_is_root_with_raw_sockets(saw):
    probe = ("/usr/bin/python3", "-c", "import os, socket; print(os.getuid()); socket.socket(socket.AF_PACKET, socket.SOCK_RAW)")
    assert saw(*probe).stdout == f"{os.getuid()}\n"
    done = saw(*probe, options=["--root"])
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)


def test_a_raw_address_is_refused_at_once(saw):
    done = saw("/usr/bin/python3", "-c", """
import socket, time
began = time.monotonic()
try:
    socket.create_connection(("198.51.100.7", 443), 20)
except OSError as e:
    print(type(e).__name__, e.errno, time.monotonic() - began < 2)
""")
    assert done.stdout == "OSError 113 True\n", done


def test_nothing_is_forwarded_not_even_back_to_the_guest(saw):
    """The gateway's side answers packets to other addresses itself: none leaves its device again."""
    done = saw("/usr/bin/python3", "-c", """
import fcntl, socket, struct, select
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
raw.bind(("eth0", 0))
me = fcntl.ioctl(raw.fileno(), 0x8927, struct.pack("256s", b"eth0"))[18:24]
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(("100.64.0.1", 53)); u.send(b"x" * 30); u.close()
select.select([], [], [], 0.3)
gw = next(bytes.fromhex(l.split()[3].replace(":", "")) for l in open("/proc/net/arp").read().splitlines()[1:] if l.startswith("100.64.0.1 "))
def send(dst):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + 8, 77, 0, 64, 17, 0, socket.inet_aton("100.64.0.2"), socket.inet_aton(dst))
    total = sum(struct.unpack("!10H", head)); total = (total & 0xffff) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + head[12:]
    raw.send(gw + me + b"\\x08\\0" + head + struct.pack("!HHHH", 9999, 9999, 16, 0) + b"FORWARD!")
for dst in ("100.64.0.2", "100.64.0.9", "8.8.8.8", "10.0.0.1", "127.0.0.1", "224.0.0.5", "255.255.255.255", "100.64.0.255"):
    send(dst)
back = refused = 0
while select.select([raw], [], [], 0.5)[0]:
    frame, (_, _, kind, _, _) = raw.recvfrom(2048)
    if kind == 4 or b"FORWARD!" not in frame:
        continue
    back += frame[23] == 17
    refused += frame[23] == 1 and frame[34:36] == b"\\x03\\x0d"
print(back, refused >= 3)
""", options=["--root"])
    assert done.stdout == "0 True\n", done


def test_the_audit_log_is_kept_where_asked_and_is_json(saw, tmp_path):
    log = tmp_path / "audit.jsonl"
    assert saw("true", options=["--audit", log]).returncode == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[0]["class_uid"] == 6002 and events[-1]["activity_name"] == "Stop"


def test_json_tells_the_outcome_on_standard_error(build, policy):
    done = subprocess.run([build / "src/cli/saw", "try", "--policy", policy, "--json", "--", "sh", "-c", "echo out; exit 3"],
                          capture_output=True, text=True, check=False)
    assert done.stdout == "out\n" and json.loads(done.stderr) == {"exit_code": 3} and done.returncode == 3


def test_it_says_that_it_is_no_isolation_boundary_unless_told_not_to(build, policy):
    run = lambda *o: subprocess.run([build / "src/cli/saw", "try", "--policy", policy, *o, "--", "true"], capture_output=True, text=True,
                                    check=False).stderr
    assert run().count("no isolation boundary") == 1 and run("--quiet") == ""


@pytest.mark.parametrize("args,sentence", [(["--", "true"], "--policy is needed"), (["--policy", "P"], "a command is needed"),
                                           (["--policy", "P", "--bogus", "--", "true"], "bogus")])
def test_wrong_usage_is_2_with_a_sentence(build, policy, args, sentence):
    args = [str(policy) if a == "P" else a for a in args]
    done = subprocess.run([build / "src/cli/saw", "try", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and sentence in done.stderr, done


BOUND = """\
version: 1
name: bound
verdicts: {read: allow}
credentials: {forge: {inject: {bearer: true}, hosts: [api.example], paths: ["/**"]}}
network: [{name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, access: read-only, credential: forge}]
"""


@pytest.mark.parametrize("secret,code,says", [
    ("forge", 2, 'ID=FILE is needed, not "forge"'), ("forge=none", 4, "none: No such file"), ("forge=value,forge=value", 2, "forge is given twice"),
    ("forge=empty", 2, "empty: the value is empty"), ("forge=two", 2, "two: the value has a line end inside"), ("FORGE=value", 2, "ID=FILE with an id of a-z"),
    ("other=value", 0, "note: --secret other: the policy binds no credential of this id"), ("forge=value", 0, "")])
def test_a_secret_that_cannot_be_spent_is_named(build, tmp_path, secret, code, says):
    for name, text in (("policy.yaml", BOUND), ("value", "t0ken\n"), ("empty", "\n"), ("two", "a\nb\n")):
        (tmp_path / name).write_text(text)
    done = subprocess.run([build / "src/cli/saw", "try", "--policy", "policy.yaml", "--quiet", "--secret", secret, "--", "echo", "ran"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code and done.stdout == ("" if code else "ran\n"), done
    assert says in done.stderr and done.stderr.count("\n") == (1 if says else 0), done


def test_a_credential_without_a_value_is_named_unless_quiet(build, tmp_path):
    (tmp_path / "policy.yaml").write_text(BOUND)
    (tmp_path / "value").write_text("value")
    say = "credential forge has no value here, and what needs it is refused: --secret forge=FILE"
    for options, told in (([], True), (["--quiet"], False), (["--json"], False), (["--secret", "forge=value"], False)):
        done = subprocess.run([build / "src/cli/saw", "try", "--policy", "policy.yaml", *options, "--", "true"], cwd=tmp_path,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and (say in done.stderr) == told, (options, done)


def test_refusals_are_counted_at_the_end_with_where_they_are_told(build, policy, tmp_path):
    ask = "import socket\ntry: socket.gethostbyname('unlisted.example')\nexcept OSError: pass"

    def run(*options, command=("python3", "-c", ask)):
        done = subprocess.run([build / "src/cli/saw", "try", "--policy", policy, *options, "--", *command], capture_output=True, text=True, timeout=60,
                              check=False, cwd=tmp_path)
        return done.returncode, [line for line in done.stderr.splitlines() if "refused" in line]
    code, told = run()
    assert code == 0 and len(told) == 1 and "refused: with --audit FILE, `saw audit --denied FILE` says what" in told[0], told
    code, told = run("--audit", "a.jsonl")
    assert code == 0 and "refused: `saw audit --denied a.jsonl` says what" in told[0], told
    denied = subprocess.run([build / "src/cli/saw", "audit", "--denied", "a.jsonl"], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path).stdout
    assert f"note: {denied.count(' denied ')} refused" in told[0] and "unlisted.example" in denied and "network: add {name: unlisted-example" in denied, (told, denied)
    assert run("--audit", "a.jsonl", command=["true"]) == (0, []), "what was refused before is not counted again"
    assert run("--quiet") == (0, []) and run("--json") == (0, [])


@pytest.mark.parametrize("place,says", [("/dev/full", "/dev/full is not a regular file"), ("no/such/a.jsonl", "folder of ")])
def test_a_log_that_cannot_be_kept_is_said_once_and_nothing_runs(build, policy, tmp_path, place, says):
    done = subprocess.run([build / "src/cli/saw", "try", "--policy", policy, "--quiet", "--audit", place, "--", "echo", "ran"], capture_output=True, text=True,
                          timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 1 and not done.stdout and done.stderr.count("audit log") == 1 and says in done.stderr, done


def test_a_bad_policy_starts_nothing_and_names_its_place(build, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nname: x\nnetwork:\n  - {name: a, hosts: [A.example], ports: [443], mode: passthroug}\n")
    done = subprocess.run([build / "src/cli/saw", "try", "--policy", bad, "--", "echo", "ran"], capture_output=True, text=True, check=False)
    assert done.returncode and "ran" not in done.stdout and f"{bad}:4:" in done.stderr, done


def test_a_policy_that_is_missing_is_not_found_and_said_once(build, tmp_path):
    done = subprocess.run([build / "src/cli/saw", "try", "--policy", tmp_path / "no.yaml", "--", "true"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 4 and done.stderr == f"saw: {tmp_path}/no.yaml: No such file or directory\n", done
    done = subprocess.run([build / "src/cli/saw", "try", "--json", "--policy", tmp_path / "no.yaml", "--", "true"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 4 and json.loads(done.stderr.splitlines()[-1]) == {"error": "the policy was not found"}


def test_a_resolver_file_that_is_missing_is_named(saw, tmp_path):
    done = saw("echo", "ran", options=["--resolv-conf", tmp_path / "none"])
    assert done.returncode == 1 and "none: No such file" in done.stderr and not done.stdout


def test_processes_that_the_command_leaves_behind_end_with_it(saw, tmp_path):
    mark = tmp_path / "pid"
    done = saw("sh", "-c", f"setsid sleep 1234.5 & cat /proc/sys/kernel/ns_last_pid > {mark}; exit 0")
    assert done.returncode == 0
    wait_for("the sleeper's end", lambda: not [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if b"1234.5" in _read(p)])


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("whom", ["saw", "saw-workspace", "saw-front", "saw-try"])
def test_kill_9_of_any_part_ends_the_command_and_leaves_no_process(build, policy, whom):
    p = begin(build, policy, "sleep", "4321", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the command", lambda: [t for _, t in children(p.pid) if t == "sleep"])
    everyone = children(p.pid)
    victim = p.pid if whom == "saw" else next(pid for pid, title in everyone if title.startswith(whom + ":"))
    os.kill(victim, signal.SIGKILL)
    if whom == "saw-front":  # it comes back: the command goes on, without a network meanwhile
        wait_for("its return", lambda: [pid for pid, t in children(p.pid) if t.startswith("saw-front") and pid != victim])
        p.terminate()
    p.wait(20)
    assert p.returncode != 0
    wait_for("the end of all", lambda: not [pid for pid, _ in everyone if alive(pid)])


def test_twenty_at_once_do_not_see_each_other(build, policy):
    probe = "import socket, sys; sys.stdin.read(1); print(socket.gethostbyname('pass.example'), flush=True); sys.stdin.read()"
    all_of_them = [begin(build, policy, "/usr/bin/python3", "-c", probe, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(20)]
    try:
        for p in all_of_them:
            p.stdin.write("x")
            p.stdin.flush()
        assert [p.stdout.readline().strip() for p in all_of_them] == ["198.18.0.1"] * 20, "each has a pool and a gateway of its own"
        fronts = [pid for p in all_of_them for pid, t in children(p.pid) if t.startswith("saw-front")]
        assert len(fronts) == 20
        if os.geteuid() == 0:  # a role is not dumpable: only root may look
            assert len({os.readlink(f"/proc/{pid}/ns/net") for pid in fronts}) == 20
    finally:
        for p in all_of_them:
            p.stdin.close()
    assert [p.wait(30) for p in all_of_them] == [0] * 20


def test_a_signal_to_saw_stops_the_command(build, policy):
    p = begin(build, policy, "sleep", "4321", stderr=subprocess.PIPE)
    wait_for("the command", lambda: [t for _, t in children(p.pid) if t == "sleep"])
    everyone = children(p.pid)
    p.terminate()
    assert p.wait(20) == 128 + signal.SIGTERM
    wait_for("the end of all", lambda: not [pid for pid, _ in everyone if alive(pid)])


def test_a_signal_to_saw_is_an_outcome_in_json_too(build, policy):
    p = subprocess.Popen([build / "src/cli/saw", "try", "--json", "--policy", policy, "--", "sleep", "4322"], stderr=subprocess.PIPE, text=True)
    wait_for("the command", lambda: [t for _, t in children(p.pid) if t == "sleep"])
    p.terminate()
    _, said = p.communicate(timeout=20)
    assert p.returncode == 128 + signal.SIGTERM and json.loads(said) == {"exit_code": 128 + signal.SIGTERM, "error": "stopped by its user"}, said


def test_the_commands_terminal_is_the_callers_and_ctrl_c_reaches_it(build, policy):
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(build / "src/cli/saw", ["saw", "try", "--quiet", "--policy", str(policy), "--", "/usr/bin/python3", "-c",
                                         "import os, signal\ntry:\n print(os.isatty(0), flush=True)\n signal.pause()\nexcept KeyboardInterrupt:\n"
                                         " print('interrupted', flush=True)\n raise SystemExit(9)"])
    got = b""
    while b"True" not in got:
        assert select.select([fd], [], [], 20)[0]
        got += os.read(fd, 1000)
    os.write(fd, b"\x03")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    assert b"interrupted" in os.read(fd, 1000)
    os.close(fd)


def test_an_ordinary_user_can_do_all_this(build, policy, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("is an ordinary user already: every other test shows it")
    uid = 65532  # of nobody: the host is left as it was
    folder = tmp_path_factory.mktemp("user")
    for at in [folder, *folder.parents]:
        if at.stat().st_mode & 0o5 == 0o5:
            break
        at.chmod(0o755)
    shutil.copy(policy, folder / "policy.yaml")
    work = folder / "work"
    work.mkdir()
    os.chown(work, uid, uid)
    programs = folder / "bin"
    programs.mkdir()
    for path in (build / "src").glob("**/saw-*"):
        if path.is_file() and os.access(path, os.X_OK):
            shutil.copy(path, programs)
    shutil.copy(build / "src/cli/saw", programs)
    done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", programs / "saw", "try", "--policy",
                           folder / "policy.yaml", "--audit", work / "audit", "--", "/usr/bin/python3", "-c", """
import os, socket
print(os.getuid())
try:
    socket.create_connection(("198.51.100.7", 443), 20)
except OSError as e:
    print(e.errno)
"""], capture_output=True, text=True, env={"TMPDIR": str(work), "PATH": os.environ["PATH"]}, check=False)
    assert done.stdout == f"{uid}\n113\n", done
    assert [p.name for p in work.iterdir()] == ["audit"]
    events = [json.loads(line) for line in (work / "audit").read_text().splitlines()]
    assert [e for e in events if e.get("status_code") == "no_route"], "the observer works for an ordinary user too"
