"""`saw ssh`, `cp` and `ssh-config` through our agent and proxy to a real sshd; the control plane is a fake."""
import fcntl
import os
import pathlib
import pwd
import select
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from fake_sawd import WORKSPACE_ID, FakeSawd, workspace


@pytest.fixture
def sawd(tmp_path):
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        pytest.skip("ssh needs a user with an entry in passwd")
    folder = pathlib.Path(os.path.realpath("/tmp")) / f"sawcli-{os.getpid()}-{tmp_path.name[-12:]}"
    folder.mkdir(mode=0o700)
    with FakeSawd(folder) as fake:
        fake.prepare_ssh()
        fake.workspaces["dev"] = workspace("dev")
        yield fake
    for pid in agents(fake):
        os.kill(pid, signal.SIGTERM)
    shutil.rmtree(folder)


def agents(fake):
    """Process ids of this control plane's agents. An agent is not dumpable: its environment is for root's eyes, so an ordinary
    user asks the sockets who answers."""
    if os.geteuid() != 0:
        return sorted({peer for sock in (fake.run / "agent").glob("*.sock") if (peer := answers(sock))})
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if b"saw ssh-agent: " in (p / "cmdline").read_bytes() and f"SAW_RUN={fake.run}".encode() in (p / "environ").read_bytes():
                found.append(int(p.name))
        except OSError:
            pass
    return found


def answers(path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
        except OSError:
            return None
        return struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


@pytest.fixture
def saw(build, sawd):
    def run(*args, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([str(build / "src/cli/saw"), *args], env={**os.environ, "SAW_RUN": str(sawd.run)}, capture_output=True,
                              text=True, timeout=120, check=False, **kw)
    return run


def agent_socket(sawd, name="dev"):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(str(sawd.run / "agent" / f"{name}.sock"))
    return s


def agent_call(s, body):
    s.sendall(struct.pack("!I", len(body)) + body)
    n = struct.unpack("!I", s.recv(4, socket.MSG_WAITALL))[0]
    return s.recv(n, socket.MSG_WAITALL)


def test_a_command_runs_there_and_its_exit_code_comes_back(saw):
    done = saw("ssh", "dev", "--", "echo out; echo err >&2; exit 42")
    assert (done.returncode, done.stdout, done.stderr) == (42, "out\n", "err\n")
    assert saw("ssh", "dev", "--", "true").returncode == 0


def test_several_words_arrive_exactly_as_they_are(saw):
    words = ["printf", "%s\n", "a  b", "it's", "$HOME", "*", "", "x;y", "-n"]
    assert saw("ssh", "dev", "--", *words).stdout.split("\n")[:-1] == words[2:]


def test_standard_input_goes_through_to_its_end(saw):
    data = "x" * 3_000_000
    assert saw("ssh", "dev", "--", "wc -c", input=data, stdin=None).stdout.strip() == "3000000"


def test_one_session_serves_many_commands_and_no_key_is_on_disk(saw, sawd):
    for _ in range(3):
        assert saw("ssh", "dev", "--", "true").returncode == 0
    assert sawd.sessions == 1 and len(agents(sawd)) == 1
    files = [p for p in (sawd.run / "agent").iterdir() if p.is_file() and p.suffix != ".sock"]
    assert files and not any("PRIVATE" in p.read_text() for p in files)
    assert all(p.stat().st_mode & 0o077 == 0 for p in (sawd.run / "agent").iterdir())


def test_a_certificate_about_to_expire_is_renewed(saw, sawd):
    sawd.life = 30
    assert saw("ssh", "dev", "--", "true").returncode == 0
    was = sawd.sessions
    assert saw("ssh", "dev", "--", "true").returncode == 0
    assert sawd.sessions > was


def test_a_session_that_was_cut_is_replaced(saw, sawd):
    assert saw("ssh", "dev", "--", "true").returncode == 0
    sawd.cut.add("se-000000000001")
    assert saw("ssh", "dev", "--", "true").returncode == 0
    assert sawd.tunnel_sessions[-1] == "se-000000000002"


def test_another_host_key_than_the_pinned_one_is_refused(saw, sawd):
    sawd.host_key = "other_host"
    done = saw("ssh", "dev", "--", "true")
    assert done.returncode == 255 and "Host key verification failed" in done.stderr, done.stderr


def test_an_unknown_workspace_is_exit_code_4_and_a_stopped_control_plane_5(saw, sawd):
    done = saw("ssh", "nope", "--", "true")
    assert done.returncode == 4 and "there is no workspace" in done.stderr
    sawd.__exit__()
    done = saw("ssh", "other", "--", "true")
    assert done.returncode == 5 and "run `saw up`" in done.stderr
    sawd.__enter__()


def test_a_workspace_that_stopped_meanwhile_is_exit_code_5_with_the_remedy(saw, sawd):
    assert saw("ssh", "dev", "--", "true").returncode == 0
    sawd.workspaces["dev"]["state"] = "stopped"
    for args in (["ssh", "dev", "--", "true"], ["cp", "dev:a", "b"]):
        done = saw(*args)
        assert done.returncode == 5 and "dev is stopped" in done.stderr and "saw start dev" in done.stderr


def test_files_and_folders_are_copied_both_ways(saw, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "a").write_text("one")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "b").write_text("two")
    assert saw("cp", str(tmp_path / "a"), f"dev:{there}/a").returncode == 0
    assert saw("cp", "--recursive", str(tmp_path / "f"), f"dev:{there}/").returncode == 0
    assert (there / "a").read_text() == "one" and (there / "f" / "b").read_text() == "two"
    assert saw("cp", f"dev:{there}/a", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_text() == "one"
    assert saw("cp", f"dev:{there}/none", str(tmp_path / "x")).returncode == 1
    assert saw("cp", "a", "b").returncode == 2
    assert saw("cp", "dev:a", "dev:b").returncode == 2
    assert saw("cp", "dev:a", "two:b", ".").returncode == 2


def test_the_agent_serves_lists_and_signatures_and_nothing_else(saw, sawd):
    assert saw("ssh", "dev", "--", "true").returncode == 0
    env = {**os.environ, "SSH_AUTH_SOCK": str(sawd.run / "agent" / "dev.sock")}
    listed = subprocess.run(["ssh-add", "-L"], env=env, capture_output=True, text=True, check=True, timeout=60).stdout
    assert listed.startswith("ssh-ed25519-cert-v01@openssh.com ") and listed.count("\n") == 1
    key = sawd.folder / "own"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    assert subprocess.run(["ssh-add", str(key)], env=env, capture_output=True, check=False, timeout=60).returncode != 0
    assert subprocess.run(["ssh-add", "-D"], env=env, capture_output=True, check=False, timeout=60).returncode != 0
    s = agent_socket(sawd)
    for kind in (1, 9, 17, 18, 19, 20, 22, 23, 25, 26, 200):
        assert agent_call(s, bytes([kind])) == b"\5"
    assert agent_call(s, b"\x0d" + struct.pack("!I", 3) + b"key" + struct.pack("!I", 4) + b"data" + bytes(4)) == b"\5"
    assert agent_call(s, b"\x0b")[0] == 12


def test_a_malformed_message_costs_its_sender_the_connection_and_nobody_else(saw, sawd):
    assert saw("ssh", "dev", "--", "true").returncode == 0
    other = agent_socket(sawd)
    for bad in (b"\0\0\0\0", b"\xff\xff\xff\xff\x0b", b"\0\0\0\2\x0b!", b"\0\0\0\6\x0d\xff\xff\xff\xff!"):
        s = agent_socket(sawd)
        s.sendall(bad)
        assert s.recv(1) == b""
    assert agent_call(other, b"\x0b")[0] == 12


def test_the_agent_cannot_be_traced_dumped_or_swapped_out(saw, sawd, sanitized):
    if sanitized:
        pytest.skip("a sanitized build has no such memory")
    assert saw("ssh", "dev", "--", "true").returncode == 0
    status = pathlib.Path(f"/proc/{agents(sawd)[0]}/status").read_text()
    fields = dict(l.split(":\t", 1) for l in status.splitlines() if ":\t" in l)
    assert int(fields["VmLck"].split()[0]) > 0
    assert fields["CapEff"].strip() == "0" * 16 and fields["NoNewPrivs"].strip() == "1" and fields["Seccomp"].strip() == "2"


def test_stock_ssh_scp_and_forwarding_work_through_ssh_config(saw, sawd, tmp_path):
    config = tmp_path / "config"
    text = saw("ssh-config").stdout
    assert "Host dev.saw\n" in text
    config.write_text(text.replace("User agent", f"User {sawd.user}"))
    env = {**os.environ, "SAW_RUN": str(sawd.run)}
    done = subprocess.run(["ssh", "-F", str(config), "dev.saw", "exit 7"], env=env, capture_output=True, text=True, timeout=120,
                          check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 7, done.stderr
    (tmp_path / "file").write_text("content")
    done = subprocess.run(["scp", "-q", "-F", str(config), str(tmp_path / "file"), f"dev.saw:{tmp_path}/copy"], env=env,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and (tmp_path / "copy").read_text() == "content", done.stderr
    assert any(b.get("port_forwarding") for m, t, b in sawd.requests if t.endswith("/sessions"))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        fds = f"127.0.0.1:{s.getsockname()[1]}"
        ssh = subprocess.Popen(["ssh", "-F", str(config), "-W", fds, "dev.saw"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        s.settimeout(60)
        c, _ = s.accept()
        c.sendall(b"through")
        c.close()
        assert ssh.communicate(timeout=60)[0] == b"through"


def test_plain_sessions_may_not_forward_ports(saw, sawd):
    assert saw("ssh", "dev", "--", "true").returncode == 0
    assert [b["port_forwarding"] for m, t, b in sawd.requests if t.endswith("/sessions")] == [False]


def test_a_host_name_with_shell_characters_runs_nothing(saw, sawd, tmp_path):
    config = tmp_path / "config"
    config.write_text(saw("ssh-config").stdout)
    mark = tmp_path / "mark"
    for name in (f"a;touch {mark};.saw", f"$(touch {mark}).saw", f"';touch {mark};'.saw", f"`touch {mark}`.saw", f"|touch {mark}|.saw"):
        subprocess.run(["ssh", "-F", str(config), name, "true"], capture_output=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
        assert not mark.exists(), name


def test_two_at_once_share_one_agent(build, sawd):
    env = {**os.environ, "SAW_RUN": str(sawd.run)}
    both = [subprocess.Popen([str(build / "src/cli/saw"), "ssh", "dev", "--", "true"], env=env, stdin=subprocess.DEVNULL)
            for _ in range(4)]
    assert [p.wait(120) for p in both] == [0] * 4
    assert len(agents(sawd)) == 1


def test_an_agent_that_was_killed_is_replaced(saw, sawd):
    assert saw("ssh", "dev", "--", "true").returncode == 0
    os.kill(agents(sawd)[0], signal.SIGKILL)
    assert saw("ssh", "dev", "--", "true").returncode == 0


def ended(pid):
    fd = os.pidfd_open(pid)
    try:
        return bool(select.select([fd], [], [], 20)[0])
    finally:
        os.close(fd)


def test_agents_end_with_their_workspace_and_with_their_folder(saw, sawd):
    assert saw("ssh", "dev", "--", "true").returncode == 0
    pid, = agents(sawd)
    sawd.changes["DELETE", "/v1/workspaces/dev"] = ["deleting", "deleted"]
    assert saw("rm", "--force", "dev").returncode == 0 and ended(pid)
    sawd.workspaces["dev"] = workspace("dev")
    assert saw("ssh", "dev", "--", "true").returncode == 0
    pid, = agents(sawd)
    (sawd.run / "agent" / "dev.known_hosts").unlink()
    assert saw("ssh", "dev", "--forward", "--", "true").returncode == 0 and pid in agents(sawd)
    shutil.rmtree(sawd.run / "agent")
    assert ended(pid)


def start_agent(build, sawd, *args):
    r, w = os.pipe()
    (sawd.run / "agent").mkdir(mode=0o700, exist_ok=True)
    # as 3: an agent takes no high number, and what other tests left open decides which one the pipe got here
    p = subprocess.Popen(["bash", "-c", f'exec "$@" 3>&{w} {w}>&-', "bash", str(build / "src/cli/saw"), "ssh-agent", "dev", "--ready-fd", "3", *args],
                         pass_fds=[w], env={**os.environ, "SAW_RUN": str(sawd.run)})
    os.close(w)
    with os.fdopen(r) as ready:
        assert ready.read() == "ok"
    return p


def test_an_agent_that_nobody_asks_ends_but_not_while_another_is_being_started(build, sawd):
    p = start_agent(build, sawd, "--idle-ms", "1")
    assert p.wait(20) == 0 and not (sawd.run / "agent" / "dev.sock").exists()
    with open(sawd.run / "agent" / "dev.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        p = start_agent(build, sawd, "--idle-ms", "50")
        with pytest.raises(subprocess.TimeoutExpired):
            p.wait(0.5)
    assert p.wait(20) == 0


def test_the_certificate_of_another_key_is_refused(saw, sawd):
    wrong = sawd.folder / "wrong"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(wrong)], check=True)
    issue = sawd.issue
    sawd.issue = lambda asked: issue({**asked, "public_key": (sawd.folder / "wrong.pub").read_text().strip()})
    done = saw("ssh", "dev", "--", "true")
    assert done.returncode == 1 and "not one for our key" in done.stderr


def test_a_login_name_that_is_an_option_is_refused(saw, sawd):
    sawd.user = "-oProxyCommand=x"
    done = saw("ssh", "dev", "--", "true")
    assert done.returncode == 1 and WORKSPACE_ID not in done.stdout
