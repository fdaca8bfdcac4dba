"""A supervisor under test: its folder, its process, its control socket, its children."""
import fcntl
import json
import os
import pathlib
import secrets
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from ipc import Channel, N, pack

LIB = pathlib.Path(__file__).resolve().parent
ROLES = ("workspace", "front", "inlet", "dialer", "outlet", "machine", "try")
FOLDERS = {"workspace": "supervisor"}


def binary(build, role):
    return build / "src/workspace" / FOLDERS.get(role, role) / f"saw-{role}"


def compile_policy(build, text, blob):
    """Policy text to a compiled blob, by the product's own compiler."""
    source = pathlib.Path(str(blob) + ".yaml")
    source.write_text(text)
    done = subprocess.run([build / "src/cli/saw", "policy", "compile", source, "--output", blob], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return pathlib.Path(blob)


def wait_for(what, good, timeout=15):
    """Polls what cannot be waited on (a file, /proc), with a deadline."""
    end = time.monotonic() + timeout
    while True:
        got = good()
        if got:
            return got
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {timeout} s")
        select.select([], [], [], 0.01)


def children(pid):
    """Every process below this one: [(pid, title)]."""
    out, todo = [], [pid]
    while todo:
        at = todo.pop()
        try:
            kids = [int(k) for k in pathlib.Path(f"/proc/{at}/task/{at}/children").read_text().split()]
        except OSError:
            continue
        todo += kids
        for k in kids:
            try:
                words = pathlib.Path(f"/proc/{k}/cmdline").read_text().split("\0")
                # a fake is a script: its interpreter comes first
                script = [w.rsplit("/", 1)[1] for w in words[1:3] if "/saw-" in w]
                out.append((k, script[0] if script and "python" in words[0] else words[0]))
            except OSError:
                pass
    return out


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def status(pid):
    """/proc/PID/status as a dictionary."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict((p.strip() for p in line.split(":", 1)) for line in lines if ":" in line)


class Workspace:
    """`driver` try: `command` runs in the guest's place. `fakes`: roles that are tests/lib/fake_role.py instead of the real ones. `keys`: the
    folder of trusted keys, as sawd gives it; policies then come as signed bundles (bytes in `bundle`)."""

    def __init__(self, build, blob, command=None, fakes=(), keys=None, bundle=None, **spec):
        self.build = build
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="saw-t-"))
        self.dir, self.run = self.top / "ws", self.top / "run"
        self.dir.mkdir(mode=0o700)
        self.id = "ws-" + secrets.token_hex(6)
        self.spec = {"driver": 2 if command else 1, "name": "dev", "owner": "tester", "cpus": 1, "memory": 256 << 20, "accel": 0, "uid": 0,
                     "image": "", "args": "", "proxy": "", "resolv": "", "generation": 1, "channel": "", "rollback": 0, **spec}
        self.keys = keys
        if bundle is not None:
            (self.dir / "bundle").write_bytes(bundle)
        self.command, self.process, self.parent = command, None, None
        self.write_spec()
        if blob:
            shutil.copy(blob, self.dir / "policy.blob")
        self.bin = self._compose(fakes) if fakes else None

    def write_spec(self):
        s = self.spec
        (self.dir / "spec").write_bytes(pack(900, 2, s["driver"], self.id, s["name"], s["owner"], s["cpus"], s["memory"], s["accel"],
                                             s["uid"], s["image"], s["args"], s["proxy"], s["resolv"], s["generation"], s["channel"], s["rollback"]))

    def _compose(self, fakes):
        """A folder of programs, as an installation has it: real ones, and fakes under their names."""
        folder = self.top / "bin"
        folder.mkdir()
        self.run.mkdir(mode=0o700)
        (folder / "lib").write_text(f"{LIB}\n{self.run}")
        for role in ROLES:
            source = LIB / "fake_role.py" if role in fakes else binary(self.build, role)
            if source.exists():
                shutil.copy(source, folder / f"saw-{role}")
        shutil.copy(self.build / "src/sawd/compiler/sawd-compiler", folder / "sawd-compiler")
        return folder

    def start(self, wait=True, enter=(), stdio=None, **popen):
        """`enter`: a command prefix, such as an arena's. `stdio`: the command's input and output."""
        program = self.bin / "saw-workspace" if self.bin else binary(self.build, "workspace")
        args = [*enter, str(program), "--dir", str(self.dir), "--run", str(self.run)]
        if self.keys:
            args += ["--keys", str(self.keys)]
        log = open(self.top / "log", "a", encoding="utf-8")  # pylint: disable=consider-using-with
        if self.command:
            self.parent, child = Channel.pair()
            args += ["--try", f"{popen.pop('inside', 0)}:0", "--", *self.command]
            null = os.open("/dev/null", os.O_RDWR)
            stdio = [*stdio, log.fileno()] if stdio else [null, log.fileno(), log.fileno()]
            sources = [child.fileno(), *stdio]

            def place():
                above = [fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, 300) for source in sources]
                for to, source in enumerate(above, 3):
                    os.dup2(source, to, inheritable=True)
            self.process = subprocess.Popen(args, stderr=log, preexec_fn=place, close_fds=False, **popen)
            child.close()
            os.close(null)
        else:
            self.process = subprocess.Popen(args, stderr=log, **popen)
        if wait:
            return self.control()
        return None

    def log(self):
        return (self.top / "log").read_text()

    def connect(self, timeout=15):
        """A fresh control channel, before HELLO."""
        def attempt():
            if self.process.poll() is not None:
                raise RuntimeError(f"saw-workspace ended with {self.process.returncode}: {self.log()}")
            try:
                return Channel.connect(self.run / "control.sock")
            except OSError:
                return None
        return wait_for("control socket", attempt, timeout)

    def control(self):
        c = self.connect()
        c.send("MSG_HELLO", N["IPC_CONTROL_VERSION"], self.id, os.getpid())
        c.expect("MSG_HELLO")
        return c

    def wait_state(self, control, state, timeout=20):
        want = N["IPC_STATE_" + state.upper()]
        while True:
            fields, _ = control.expect("MSG_STATE", timeout)
            if fields[0] == want:
                return fields
            if fields[0] == N["IPC_STATE_FAILED"]:
                raise RuntimeError(f"failed: {fields[5]}: {self.log()}")

    def roles(self):
        """{role: pid} of the supervisor's children."""
        return {title.split(":")[0].removeprefix("saw-"): pid for pid, title in children(self.process.pid) if title.startswith("saw-")}

    def told(self, role):
        """What a fake role received: [[kind, fields, n fds, pid]]."""
        path = self.run / f"saw-{role}.jsonl"
        return [json.loads(line) for line in path.read_text().rpartition("\n")[0].splitlines()] if path.exists() else []

    def tell(self, role, **command):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(self.run / f"saw-{role}.sock"))
        s.send(json.dumps(command).encode())
        s.recv(16)
        s.close()

    def settings(self, role, **how):
        (self.run / f"saw-{role}.json").write_text(json.dumps(how))

    def audit(self):
        whole, _, _ = (self.dir / "audit.jsonl").read_text().rpartition("\n")  # behind it a line may be half written
        return [json.loads(line) for line in whole.splitlines()]

    def wait_audit(self, good, timeout=10):
        return wait_for("audit event", lambda: [e for e in self.audit() if good(e)], timeout)

    def end(self, timeout=20):
        """Waits for the supervisor's end; gives its exit code."""
        return self.process.wait(timeout)

    def clean(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.top, ignore_errors=True)
