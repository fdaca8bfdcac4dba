"""Virtual machines under test: one control plane in the arena, one image that is kept between runs, and a guest that obeys over SSH."""
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from gateway import HERE, Gateway
from sawd import title
from workspace import children

IMAGE_MINUTES = 15


def saw_binary(build):
    return next(p for p in (build / "src/cli/saw", build / "saw") if p.exists())


def missing():
    """Why no machine can boot here, or None."""
    for tool in ("qemu-system-x86_64", "mmdebstrap", "mke2fs", "ssh"):
        if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"{tool} is missing: tools/setup run"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened by this user: load the tun module, or chmod 0666 /dev/net/tun"
    return None


class ControlPlane:
    """`saw up` with a state folder of its own, inside the arena's network. The image comes from $SAW_TEST_STATE (or a folder in the build)."""

    def __init__(self, build, arena=None):
        self.saw = saw_binary(build)
        self.enter = arena.enter_with_resolv_conf if arena else []
        kept = pathlib.Path(os.environ.get("SAW_TEST_STATE", build / "test-state"))
        kept.mkdir(parents=True, exist_ok=True)
        self.state = kept
        self.run = tempfile.mkdtemp(prefix="saw-test.", dir="/tmp")
        self.env = {**os.environ, "SAW_STATE": str(self.state), "SAW_RUN": self.run, "NO_COLOR": "1"}

    def cli(self, *args, timeout=120, check=True, enter=True, **kw):
        done = subprocess.run([*(self.enter if enter else []), str(self.saw), *map(str, args)], env=self.env, capture_output=True, text=True,
                              errors="replace", timeout=timeout, check=False, stdin=subprocess.DEVNULL, **kw)
        if check and done.returncode:
            raise RuntimeError(f"saw {' '.join(map(str, args))} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
        return done

    def image(self, name="debian"):
        if self.cli("image", "show", name, check=False, enter=False).returncode:
            self.cli("image", "build", name, timeout=IMAGE_MINUTES * 60, enter=False)

    def up(self):
        self.cli("up")
        return self

    def json(self, *args, **kw):
        return json.loads(self.cli(*args, "--json", **kw).stdout)

    def processes(self):
        """{pid: title} of sawd, its workspaces and every client of it: whatever was started with this run folder, and all below."""
        tops = [int((pathlib.Path(self.run) / "sawd.lock").read_text())]
        for environ in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"SAW_RUN={self.run}".encode() in environ.read_bytes().split(b"\0"):
                    tops.append(int(environ.parent.name))
            except OSError:
                continue  # it has ended, or is another user's
        titles = {pid: title(pid) for pid in tops}
        return {**titles, **{pid: t for top in tops for pid, t in children(top)}}

    def down(self):
        self.cli("down", "--all", check=False)
        shutil.rmtree(self.run, ignore_errors=True)


def ssh_into(sawd, name, folder, command, timeout=60):
    """A new key, a session of it and OpenSSH in one: what the command did, or None where the control plane or the guest was away."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    try:
        answer = sawd.call("POST", f"/v1/workspaces/{name}/sessions", {"public_key": (folder / "key.pub").read_text()})
        if answer.status != 201:
            return None
        issued = answer.json
        (folder / "cert").write_text(issued["certificate"] + "\n")
        (folder / "known").write_text(issued["host_key"] + "\n")
        cat = f"{sys.executable} -B {HERE / 'tunnel_cat.py'} {sawd.socket} {name} {issued['session_id']}"
        return subprocess.run(["ssh", "-F", "none", "-o", f"ProxyCommand={cat}", "-i", folder / "key", "-o", f"CertificateFile={folder}/cert",
                               "-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={folder}/known", "-o",
                               f"HostKeyAlias={issued['workspace_id']}", "-o", "StrictHostKeyChecking=yes", "-o", "PasswordAuthentication=no",
                               "-o", "KbdInteractiveAuthentication=no", "-l", issued["user"], "guest", command],
                              capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired, http.client.HTTPException):
        return None


class VmGateway(Gateway):
    """The same judgement as for `saw try`, with a real machine as the guest; its agent runs as root by sudo."""

    def __init__(self, plane, arena, name, policy, folder, **create):
        self.plane, self.arena, self.name, self.folder = plane, arena, name, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.policy = self.folder / "policy.yaml"
        self.policy.write_text(policy)
        plane.cli("rm", "--force", name, check=False)
        options = {"cpus": 1, "memory": "768MiB", "disk": "4GiB", **create}
        flags = [x for k, v in options.items() for x in (f"--{k}", v)]
        plane.cli("create", name, "--policy", self.policy, *flags, timeout=400)
        ident = plane.json("show", name)["id"]
        self.audit = plane.state / "workspaces" / ident / "audit.jsonl"
        for module in ("guest.py", "guest_h2.py", "ws.py"):
            plane.cli("cp", HERE / module, f"{name}:{module}", timeout=120)
        self.process = subprocess.Popen([*plane.enter, str(plane.saw), "ssh", name, "--", "sudo python3 -u -B guest.py"], env=plane.env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.folder / "stderr.log", "w"), text=True)
        line = self._line(90)
        if json.loads(line or "null") != "ready":
            raise RuntimeError("the guest's agent did not start: " + (self.folder / "stderr.log").read_text()[-3000:])

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(30)
        self.plane.cli("rm", "--force", self.name, check=False)
