"""The control plane with real machines: sessions that sshd in the guest judges, lifecycle, several at once."""
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from sawd import Sawd, alive, children, title, wait_gone
from vm import ControlPlane, missing

pytestmark = pytest.mark.slow
CAT = pathlib.Path(__file__).resolve().parent.parent / "lib/tunnel_cat.py"


@pytest.fixture(scope="module")
def plane(build):
    why = missing()
    if why:
        pytest.skip(why)
    kept = ControlPlane(build)
    kept.image()
    s = Sawd(build, lab=False)
    s.state.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", "--reflink=auto", kept.state / "images", s.state / "images"], check=True)
    subprocess.run([build / "src/cli/saw", "image", "verify", "debian"], env=s.env, check=True, capture_output=True)
    s.start()
    yield s
    s.close()
    shutil.rmtree(kept.run, ignore_errors=True)


SIZES = {"driver": "machine", "cpus": 1, "memory": "512MiB", "disk": "2GiB"}


def boot(plane, name):
    assert plane.create(name, **SIZES).status == 201
    plane.wait(name, "running", but_not=("failed",), timeout=300)
    return plane.show(name)


@pytest.fixture(scope="module")
def dev(plane):
    return boot(plane, "dev")


@pytest.fixture(scope="module")
def other(plane):
    return boot(plane, "other")


class Client:
    """A key of its own, a session, and OpenSSH."""

    def __init__(self, plane, name, folder, **asked):
        self.plane, self.name, self.folder = plane, name, folder
        folder.mkdir(exist_ok=True)
        self.key = folder / "key"
        if not self.key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        answer = plane.call("POST", f"/v1/workspaces/{name}/sessions", {"public_key": self.key.with_suffix(".pub").read_text(), **asked})
        assert answer.status == 201, answer
        self.issued = answer.json
        (folder / "cert").write_text(self.issued["certificate"] + "\n")
        (folder / "known").write_text(self.issued["host_key"] + "\n")

    def options(self, to=None, session=None):
        cat = f"{sys.executable} -B {CAT} {self.plane.socket} {to or self.name} {session or self.issued['session_id']}"
        return ["-F", "none", "-o", f"ProxyCommand={cat}", "-i", self.key, "-o", f"CertificateFile={self.folder}/cert", "-o", "IdentitiesOnly=yes",
                "-o", f"UserKnownHostsFile={self.folder}/known", "-o", f"HostKeyAlias={self.issued['workspace_id']}",
                "-o", "StrictHostKeyChecking=yes", "-o", "PasswordAuthentication=no", "-o", "KbdInteractiveAuthentication=no", "-l", self.issued["user"]]

    def ssh(self, command, extra=(), **kw):
        return subprocess.run(["ssh", *self.options(**kw), *extra, "guest", command], capture_output=True, text=True, timeout=120, check=False,
                              stdin=subprocess.DEVNULL)


def ok(done):
    assert done.returncode == 0, done
    return done.stdout


def test_the_certificate_opens_the_guest_and_exit_codes_pass_through(plane, dev, tmp_path):
    c = Client(plane, "dev", tmp_path / "c")
    assert ok(c.ssh("id -un; hostname")).split() == ["agent", "dev"]
    assert c.ssh("exit 7").returncode == 7


def test_a_key_without_its_certificate_is_refused(plane, dev, tmp_path):
    c = Client(plane, "dev", tmp_path / "c")
    (tmp_path / "c/cert").unlink()
    done = c.ssh("true")
    assert done.returncode == 255 and "Permission denied" in done.stderr


def test_a_certificate_of_another_workspace_is_refused_by_the_guest(plane, dev, other, tmp_path):
    a, b = Client(plane, "dev", tmp_path / "a"), Client(plane, "other", tmp_path / "b")
    # b's tunnel and host key, a's key and certificate
    for name in ("key", "key.pub", "cert"):
        shutil.copy(tmp_path / "a" / name, tmp_path / "b" / name)
    done = b.ssh("true")
    assert done.returncode == 255 and "Permission denied" in done.stderr, done
    assert ok(a.ssh("hostname")).strip() == "dev"


def test_the_host_key_is_pinned(plane, dev, other, tmp_path):
    a, b = Client(plane, "dev", tmp_path / "a"), Client(plane, "other", tmp_path / "b")
    assert a.issued["host_key"].split()[2] != b.issued["host_key"].split()[2]
    done = a.ssh("true", to="other", session=b.issued["session_id"])
    assert done.returncode == 255 and "Host key verification failed" in done.stderr, done


def test_forwarding_needs_to_be_asked_for(plane, dev, tmp_path):
    plain = Client(plane, "dev", tmp_path / "plain")
    done = plain.ssh("true", extra=["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9"])
    assert done.returncode == 255, done
    asked = Client(plane, "dev", tmp_path / "asked", port_forwarding=True)
    ok(asked.ssh("true", extra=["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9"]))


def test_megabytes_pass_the_tunnel_unchanged(plane, dev, tmp_path):
    c = Client(plane, "dev", tmp_path / "c")
    data = os.urandom(8 * 1024 * 1024)
    done = subprocess.run(["ssh", *c.options(), "guest", "tee copy | sha256sum"], input=data, capture_output=True, timeout=300, check=True)
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_a_session_is_cut_when_the_workspace_stops_and_home_stays(plane, tmp_path):
    boot(plane, "cut")
    c = Client(plane, "cut", tmp_path / "c")
    ok(c.ssh("echo kept > kept; sudo sh -c 'echo gone > /etc/gone'; sync"))
    process = subprocess.Popen(["ssh", *c.options(), "guest", "echo up; sleep 1000"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == b"up\n"
    plane.call("POST", "/v1/workspaces/cut/stop")
    assert process.wait(5) == 255
    plane.wait("cut", "stopped", timeout=120)
    plane.change("cut", "start", "running", timeout=300)
    c = Client(plane, "cut", tmp_path / "d")
    assert ok(c.ssh("cat kept /etc/gone")).split() == ["kept", "gone"]
    plane.change("cut", "rebuild", "stopping", "rebuilding", "running", timeout=300)
    c = Client(plane, "cut", tmp_path / "e")
    assert ok(c.ssh("cat kept; test -e /etc/gone || echo new")).split() == ["kept", "new"]
    plane.rm("cut")


def test_a_guest_that_powers_off_is_started_again(plane, other, tmp_path):
    """What is desired is the control plane's to change, not the guest's."""
    c = Client(plane, "other", tmp_path / "c")
    before = plane.supervisors()
    ok(c.ssh("echo kept > kept; sudo touch /etc/kept"))
    c.ssh("sudo poweroff")
    event = plane.wait("other", "failed", timeout=120)
    assert event["desired"] == "running" and "the guest powered off" in event["detail"] and "started again" in event["detail"], event
    plane.wait("other", "running", timeout=300)
    assert plane.show("other")["desired"] == "running"
    assert ok(Client(plane, "other", tmp_path / "d").ssh("hostname; cat kept; ls /etc/kept")).split() == ["other", "kept", "/etc/kept"]
    assert len(plane.supervisors()) == len(before)


def test_three_machines_run_at_once_and_a_killed_qemu_comes_back(plane, dev, other, tmp_path):
    third = boot(plane, "third")
    clients = [Client(plane, n, tmp_path / n) for n in ("dev", "other", "third")]
    assert [ok(c.ssh("hostname")).strip() for c in clients] == ["dev", "other", "third"]
    supervisor = next(p for p in plane.supervisors() if third["id"] in pathlib.Path(f"/proc/{p}/cmdline").read_text())
    todo, qemu = [supervisor], None
    while todo:
        p = todo.pop()
        todo += children(p)
        if title(p).startswith("qemu"):
            qemu = p
    os.kill(qemu, signal.SIGKILL)
    wait_gone(qemu)
    plane.wait("third", "starting", timeout=60)
    plane.wait("third", "running", timeout=300)
    assert ok(Client(plane, "third", tmp_path / "again").ssh("hostname")).strip() == "third"
    plane.stop()
    plane.start()
    for name in ("dev", "other", "third"):
        plane.wait(name, "running", timeout=60)
    assert ok(Client(plane, "dev", tmp_path / "after").ssh("hostname")).strip() == "dev"
    plane.rm("third")
    for p in plane.supervisors():
        assert alive(p)
