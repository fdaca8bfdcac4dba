"""A sawd-keeper under test, with the test as launcher and core; and the other ends of what it serves: outlets, inlets, a supervisor."""
import atexit
import fcntl
import os
import pathlib
import select
import shutil
import socket
import subprocess
import tempfile

from ipc import Channel, N

OWNER = "ann"


def sealed(data, name="value"):
    """Sealed memory with these bytes."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


class Keeper:
    def __init__(self, build, credential=""):
        self.binary = build / "src/sawd/keeper/sawd-keeper"
        top = pathlib.Path(tempfile.mkdtemp(prefix="keeper-", dir="/tmp"))
        atexit.register(shutil.rmtree, top, True)
        self.folder = top / "keys"
        for made in (self.folder, self.folder / "security"):  # as the launcher makes them
            made.mkdir(mode=0o700)
        self.credential = str(credential)
        self.errors = open(self.folder.with_suffix(".log"), "ab")
        self.process = self.parent = self.core = None
        self.req = 0

    def log(self):
        return self.folder.with_suffix(".log").read_text()

    def start(self, running=64):
        """None when it is ready, else its sentence. `running`: workspaces that may run at once."""
        self.parent, child = Channel.pair()
        place = child.fileno()
        self.process = subprocess.Popen([self.binary], stderr=self.errors, env={}, close_fds=False,
                                        preexec_fn=lambda: (os.dup2(place, 103), os.dup2(103, 3, inheritable=True)))
        child.close()
        self.parent.send("MSG_SAWD_KEEPER_CONFIG", running, str(self.folder), self.credential)
        said = self.parent.receive()
        if said[0] != "MSG_READY":
            self.process.wait(10)
            return said[1][0].decode()
        self.connect()
        return None

    def connect(self):
        """A fresh core."""
        self.core, theirs = Channel.pair()
        self.parent.send("MSG_SAWD_PEER", N["SAWD_CORE"], fds=[theirs.fileno()])
        theirs.close()

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def close(self):
        if self.process and self.process.poll() is None:
            self.parent.send("MSG_STOP")
            assert self.process.wait(20) == 0, self.log()
        self.errors.close()

    def ask(self, kind, answer, *fields, fds=()):
        self.req += 1
        self.core.send(kind, self.req, *fields, fds=fds)
        while True:
            got, got_fds = self.core.expect(answer)
            if got[0] == self.req:
                return got[1:], got_fds

    def prepare(self, name, op, value=None, owner=OWNER):
        """(answer, version, why); self.req is the change's number."""
        fds = [] if value is None else [value if isinstance(value, int) else sealed(value)]
        got, _ = self.ask("MSG_SAWD_SECRET_CHANGE", "MSG_SAWD_SECRET_READY", owner, name, N["SAWD_SECRET_" + op], fds=fds)
        for fd in fds:
            os.close(fd)
        return got

    def commit(self, change, go=1):
        return self.ask("MSG_SAWD_SECRET_COMMIT", "MSG_SAWD_SECRET_DONE", change, go)[0]

    def set(self, name, value, op="PUT", owner=OWNER):
        answer, version, why = self.prepare(name, op, value, owner)
        assert answer == N["SAWD_SECRET_OK"], why
        assert self.commit(self.req)[0] == N["SAWD_SECRET_OK"]
        return version

    def remove(self, name, owner=OWNER):
        answer, _, why = self.prepare(name, "REMOVE", owner=owner)
        assert answer == N["SAWD_SECRET_OK"], why
        assert self.commit(self.req)[0] == N["SAWD_SECRET_OK"]

    def rows(self, owner=OWNER):
        """id -> (version, created, rotated, fault)"""
        fields, _ = self.ask("MSG_SAWD_SECRET_LIST", "MSG_SAWD_SECRET_ROWS", owner)
        assert len(fields) == 1 + 5 * fields[0]
        return {fields[i].decode(): (*fields[i + 1:i + 4], fields[i + 4].decode()) for i in range(1, len(fields), 5)}

    def outlet(self, ws, ids, owner=OWNER):
        fields, fds = self.ask("MSG_SAWD_SECRET_OPEN", "MSG_SAWD_CHANNEL", ws, owner, len(ids), *ids)
        assert fields[0] == 1, fields
        return Outlet(fds[0])

    def bind(self, ws, ids, owner=OWNER):
        self.core.send("MSG_SAWD_SECRET_BIND", ws, owner, len(ids), *ids)

    def root(self, ws, name="dev"):
        """PEM, or the sentence of the failure."""
        (pem, why), _ = self.ask("MSG_SAWD_CA_ROOT", "MSG_SAWD_CA_ROOT_DONE", ws, name)
        return pem.decode() or why.decode()

    def inlet(self, ws, names):
        fds = [sealed("".join(n + "\n" for n in names).encode())] if names else []
        fields, got = self.ask("MSG_SAWD_CA_OPEN", "MSG_SAWD_CHANNEL", ws, len(names), fds=fds)
        for fd in fds:
            os.close(fd)
        assert fields[0] == 1, fields
        return Inlet(got[0])

    def ca_bind(self, ws, names):
        fd = sealed("".join(n + "\n" for n in names).encode())
        self.core.send("MSG_SAWD_CA_BIND", ws, len(names), fds=[fd])
        os.close(fd)


class Outlet(Channel):
    """The end of a supply channel. `values`: what it would spend now."""

    def __init__(self, fd):
        super().__init__(socket.socket(fileno=fd))
        self.values, self.versions, self.last = {}, {}, {}

    def take(self, timeout=1):
        """One message; its id."""
        name, fields, _ = self.receive(timeout)
        who = fields[0].decode()
        if name == "MSG_SECRET":
            assert fields[1] > self.versions.get(who, 0) or fields[1:3] == [self.versions[who], self.last[who]], "a value without a version of its own"
            self.versions[who], self.values[who], self.last[who] = fields[1], fields[2], fields[2]
        else:
            assert name == "MSG_SECRET_GONE", name
            self.values.pop(who, None)
        return who

    def take_all(self, n, timeout=1):
        return sorted(self.take(timeout) for _ in range(n))

    def quiet(self, timeout=0.3):
        return not select.select([self.sock], [], [], timeout)[0]


class Inlet(Channel):
    def __init__(self, fd):
        super().__init__(socket.socket(fileno=fd))

    def issue(self, timeout=5):
        """(number, root DER, key DER, [certificate DER])"""
        (number, root, key), _ = self.expect("MSG_CA_KEY", timeout)
        certs = []
        while True:
            name, fields, _ = self.receive(timeout)
            assert fields[0] == number
            if name == "MSG_CA_DONE":
                assert fields[1] == len(certs)
                return number, root, key, certs
            assert name == "MSG_CA_CERT"
            certs.append(fields[1])


class FakeSupervisor:
    """In the place of a workspace's supervisor: holds its lock, listens on its control socket, says that it runs."""

    def __init__(self, run, ws, version=None):
        self.folder = pathlib.Path(run) / "ws" / ws
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ws, self.version = ws, N["IPC_CONTROL_VERSION"] if version is None else version
        self.lock = open(self.folder / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        (self.folder / "control.sock").unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(self.folder / "control.sock"))
        self.listener.listen(4)
        self.channel = None

    def accept(self, timeout=20, generation=1, state="RUNNING"):
        """Core's greeting is taken; a core of an older version would be told what this one tells."""
        assert select.select([self.listener], [], [], timeout)[0], "nobody comes to adopt it"
        self.channel = Channel(self.listener.accept()[0])
        (said, ws, _), _ = self.channel.expect("MSG_HELLO")
        assert said == N["IPC_CONTROL_OLDEST"] and ws.decode() == self.ws
        self.channel.send("MSG_HELLO", self.version, self.ws, os.getpid())
        self.channel.send("MSG_STATE", N["IPC_STATE_" + state], 1, generation, 0, 0, "")

    def outlet(self, timeout=10):
        """The end that the supervisor would hand to its outlet."""
        return Outlet(self.channel.expect("MSG_KEEPER_OUTLET", timeout)[1][0])

    def end(self):
        """As a supervisor that is shut down."""
        self.channel.expect("MSG_SHUTDOWN", 30)
        self.channel.send("MSG_STATE", N["IPC_STATE_STOPPED"], 1, 0, 0, 0, "")
        self.close()

    def close(self):
        for x in (self.channel, self.listener, self.lock):
            if x:
                x.close()
