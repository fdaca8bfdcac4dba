"""A real saw-inlet between a supervisor and a dialer of the test, in a loopback network of its own. Run inside `unshare -rn`."""
import fcntl
import os
import re
import resource
import select
import socket
import struct
import subprocess
import threading

from ipc import Channel, N

GUEST, GATEWAY, STRANGER = "100.64.0.2", "100.64.0.1", "100.64.0.3"
REASONS_H = "src/rules/reason.h"


def netlink_route(prefix, bits):
    """RTM_NEWROUTE local PREFIX dev lo."""
    n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    attrs = struct.pack("HH4s", 8, 1, socket.inet_aton(prefix)) + struct.pack("HHI", 8, 4, socket.if_nametoindex("lo"))
    body = struct.pack("BBBBBBBBI", socket.AF_INET, bits, 0, 0, 255, 4, 254, 2, 0) + attrs
    n.send(struct.pack("IHHII", 16 + len(body), 24, 0x5 | 0x400 | 0x200, 1, 0) + body)
    code = struct.unpack("i", n.recv(4096)[16:20])[0]
    if code not in (0, -17):
        raise OSError(-code, f"local route for {prefix}")


def network():
    """lo is up, and every address of the gateway's little network is local to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))
    netlink_route("100.64.0.0", 24)
    netlink_route("198.18.0.0", 15)


def reasons(root):
    """{number: code} of rules/reason.h."""
    codes = re.findall(r'X\(\w+, "([a-z0-9_]+)"', (root / REASONS_H).read_text())
    return dict(enumerate(codes))


def text_ip(raw):
    return socket.inet_ntoa(raw) if len(raw) == 4 else raw.hex()


ACTIONS = {1: "allowed", 2: "denied", 3: "observed", 4: "closed", 5: "failed", 6: "note"}
KINDS = {3: "dns", 4: "flow", 5: "http"}


class Event(dict):
    """An audit event as a dictionary; `e.code` is "flow/denied/sni_missing"."""

    def __init__(self, fields, codes):
        names = ("kind action at reason flow generation count bytes_in bytes_out duration tokens_in tokens_out src dst src_port dst_port proto status pid observing "
                 "name rule verb path actor detail change model credential").split()
        super().__init__(zip(names, fields))
        self.code = f"{KINDS.get(self['kind'], self['kind'])}/{ACTIONS[self['action']]}/{codes[self['reason']]}"


def sealed(name, raw):
    """A memory file that nobody can change any more."""
    fd = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    os.write(fd, raw)
    fcntl.fcntl(fd, 1033, 0xf)  # F_ADD_SEALS: seal, shrink, grow, write
    return fd


class Supervisor(threading.Thread):
    """Starts inlet, answers its events, keeps them."""

    def __init__(self, root, build, folder, max_fds=None):
        super().__init__(daemon=True)
        self.root, self.build, self.folder = root, build, folder
        self.codes = reasons(root)
        self.journal = os.memfd_create("journal")
        os.ftruncate(self.journal, N["IPC_JOURNAL_BYTES"])
        self.roots = sealed("roots", b"\n")
        self.changed = threading.Condition()
        self.events, self.policies, self.held, self.pongs = [], [], [], 0
        self.write = "yes"  # "no": refuse; "hold": keep for release()
        self.generation = 0
        self.listeners = {}
        self.max_fds = max_fds
        self.stopping = False
        self.launch()
        self.start()

    def launch(self):
        """A fresh inlet with the same journal."""
        channel, theirs = Channel.pair()
        fd = theirs.fileno()

        def before():
            os.dup2(fd, 3)
            if self.max_fds:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.max_fds, self.max_fds))

        # A leak check needs files, which the jail takes away.
        env = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
        self.process = subprocess.Popen([str(self.build / "src/workspace/inlet/saw-inlet")], preexec_fn=before, pass_fds=(3,), env=env)
        theirs.close()
        channel.send("MSG_INLET_CONFIG", 0, "ws-000000000001", "dev", "alice", b"", fds=[self.journal, self.roots])
        channel.expect("MSG_READY")
        self.channel = channel

    def run(self):
        while True:
            channel = self.channel
            try:
                got = channel.receive(timeout=3600)
            except OSError:
                got = None
            if got is None:
                if self.stopping:
                    return
                with self.changed:
                    self.changed.notify_all()
                    if self.channel is channel:
                        self.changed.wait(10)
                continue
            self.take(channel, *got)

    def take(self, channel, name, fields, _fds):
        with self.changed:
            if name == "MSG_EVENT":
                self.events.append(Event(fields[1:], self.codes))
                if fields[0] and self.write == "hold":
                    self.held.append((channel, fields[0]))
                elif fields[0]:
                    channel.send("MSG_EVENT_DONE", fields[0], self.write == "yes")
            elif name == "MSG_POLICY_DONE":
                self.policies.append(fields)
            elif name == "MSG_PONG":
                self.pongs += 1
            self.changed.notify_all()

    def release(self, ok=True):
        with self.changed:
            self.write = "yes"
            for channel, number in self.held:
                channel.send("MSG_EVENT_DONE", number, ok)
            self.held = []

    def wait(self, what, timeout=10):
        """Until what() is true; gives its value."""
        with self.changed:
            got = self.changed.wait_for(what, timeout)
        assert got, f"not seen within {timeout} s; events: {[e.code for e in self.events]}"
        return got

    def codes_of(self, kind="flow"):
        return [e.code for e in self.events if e.code.startswith(kind + "/")]

    def expect_codes(self, want, kind="flow", timeout=10):
        self.wait(lambda: len(self.codes_of(kind)) >= len(want), timeout)
        assert self.codes_of(kind) == want, self.codes_of(kind)

    def policy(self, text):
        """Compiles and puts in force."""
        self.generation += 1
        source, blob = self.folder / "policy.yaml", self.folder / "policy.blob"
        source.write_text(text)
        subprocess.run([str(self.build / "src/cli/saw"), "policy", "compile", str(source), "-o", str(blob)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.send_blob(blob.read_bytes())

    def send_blob(self, raw):
        fd = sealed("policy", raw)
        n = len(self.policies)
        self.channel.send("MSG_POLICY", self.generation, fds=[fd])
        os.close(fd)
        self.wait(lambda: len(self.policies) > n)

    def listen(self, port, kind="IPC_LISTEN_TCP"):
        """As front does; the socket is kept for a next inlet."""
        s = self.listeners.get((kind, port))
        if s is None:
            udp = kind == "IPC_LISTEN_DNS_UDP"
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("0.0.0.0" if kind == "IPC_LISTEN_TCP" else GATEWAY, port))
            if not udp:
                s.listen(1024)
            self.listeners[(kind, port)] = s
        self.channel.send("MSG_LISTENER", N[kind], port, fds=[s.fileno()])

    def observe(self):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
        s.bind(("lo", 3))
        self.channel.send("MSG_LISTENER", N["IPC_LISTEN_OBSERVER"], 0, fds=[s.fileno()])
        s.close()

    def serve(self, *ports):
        self.listen(53, "IPC_LISTEN_DNS_UDP")
        self.listen(53, "IPC_LISTEN_DNS_TCP")
        for port in ports:
            self.listen(port)

    def peer(self):
        """A dialer for it."""
        mine, theirs = Channel.pair()
        self.channel.send("MSG_PEER", fds=[theirs.fileno()])
        theirs.close()
        return Dialer(self, mine)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def again(self, text, *ports):
        """After a crash: the next inlet gets everything that the last one had."""
        with self.changed:
            self.launch()
            self.changed.notify_all()
        self.policy(text)
        self.serve(*ports)

    def stop(self):
        self.stopping = True
        self.channel.send("MSG_STOP")
        assert self.process.wait(10) == 0

    def fds_at_rest(self):
        """Once it has taken all that it was sent before."""
        want = self.pongs + 1
        self.channel.send("MSG_PING")
        self.wait(lambda: self.pongs == want)
        return self.fds()

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Dialer(threading.Thread):
    """Connects what inlet asks for to one origin, or refuses, or is silent."""

    def __init__(self, supervisor, channel):
        super().__init__(daemon=True)
        self.supervisor, self.channel = supervisor, channel
        self.seen = []
        self.mode = "connect"  # or a reason's code, or "silent"
        self.origin = socket.socket()
        self.origin.bind(("127.0.0.1", 0))
        self.origin.listen(1024)
        self.start()

    def run(self):
        try:
            self.serve()
        except BrokenPipeError:
            pass  # inlet has ended in the middle of our answer

    def serve(self):
        numbers = {v: k for k, v in self.supervisor.codes.items()}
        while True:
            try:
                got = self.channel.receive(timeout=3600)
            except OSError:
                got = None
            if got is None:
                with self.supervisor.changed:
                    self.seen.append(("end",))
                    self.supervisor.changed.notify_all()
                return
            name, fields, _ = got
            if name == "MSG_DIAL" and self.mode == "connect":
                s = socket.create_connection(self.origin.getsockname())
                s.setblocking(False)
                self.channel.send("MSG_DIALED", fields[0], bytes([127, 0, 0, 10]), fds=[s.fileno()])
                s.close()
            elif name == "MSG_DIAL" and self.mode != "silent":
                self.channel.send("MSG_DIAL_REFUSED", fields[0], numbers[self.mode])
            with self.supervisor.changed:
                self.seen.append((name, *fields))
                self.supervisor.changed.notify_all()

    def accept(self):
        if not select.select([self.origin], [], [], 10)[0]:
            raise TimeoutError("inlet's flow did not reach the origin")
        return self.origin.accept()[0]

    def untouched(self):
        assert not self.seen and not select.select([self.origin], [], [], 0)[0], self.seen


class Reset:
    """A connection that was reset before connect() had even returned."""

    def recv(self, *_):
        raise ConnectionResetError

    def close(self):
        pass


def guest(address, port, source=GUEST, timeout=15):
    s = socket.socket()
    s.settimeout(timeout)
    s.bind((source, 0))
    try:
        s.connect((address, port))
    except ConnectionResetError:
        return Reset()
    return s


def everything(s):
    """All bytes until the end; a reset is b"reset"."""
    out = b""
    try:
        while data := s.recv(65536):
            out += data
    except ConnectionResetError:
        return out + b"reset"
    return out


def first(s):
    """The first bytes, or b"" at the end of a connection, however it ended."""
    try:
        return s.recv(4)
    except OSError:
        return b""


def question(name, qtype=1, ident=7, opcode=0):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack("!HHHHHH", ident, 0x100 | opcode << 11, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", qtype, 1)


def resolve(name, source=GUEST, timeout=10, tries=1, **kw):
    """(rcode, address or None); asks again as a stub resolver does, `tries` times in all"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.bind((source, 0))
        for left in range(tries - 1, -1, -1):
            s.sendto(question(name, **kw), (GATEWAY, 53))
            try:
                return answer(s.recv(4096))
            except TimeoutError:
                if not left:
                    raise
    return None


def answer(raw):
    return raw[3] & 15, socket.inet_ntoa(raw[-4:]) if raw[7] else None


def hello(name):
    """A small well-formed ClientHello with this SNI."""
    entry = b"\0" + struct.pack("!H", len(name)) + name.encode()
    sni = struct.pack("!HHH", 0, len(entry) + 2, len(entry)) + entry
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack("!H", len(sni)) + sni
    message = b"\1" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\3\1" + struct.pack("!H", len(message)) + message

