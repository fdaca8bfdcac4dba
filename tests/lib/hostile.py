"""A hostile inlet: a real saw-outlet and a real saw-dialer whose supervisor, keeper and inlet are the test."""
import os
import select
import socket
import subprocess
import threading
import time

import dial_world
from inlet import sealed
from ipc import Channel


class Pump(threading.Thread):
    """The supervisor's end of one role: writes down its events and grants them."""

    def __init__(self, channel, events):
        super().__init__(daemon=True)
        self.channel, self.events = channel, events
        self.start()

    def run(self):
        while True:
            try:
                got = self.channel.receive(timeout=3600)
            except OSError:
                return
            if got is None:
                return
            if got[0] == "MSG_EVENT":
                self.events.append(dial_world.ipc_event(got[1]))
                if got[1][0]:
                    self.channel.send("MSG_EVENT_DONE", got[1][0], 1)


class HostileInlet:
    def __init__(self, arena, build, policy, secrets, deaf=False, patience=1, fds=None):
        """`patience`: seconds that dialer waits for the resolver. `fds`: outlet's limit of open descriptors."""
        self.arena, self.build, self.events, self.flow = arena, build, [], 0
        self.dialer = dial_world.Dialer(arena, build, policy, servers=("127.0.0.53",), timeout=patience)
        self.parent, theirs = Channel.pair()
        self.process = self._start(theirs, fds)
        theirs.close()
        roots = sealed("roots", b"\n")
        self.parent.send("MSG_OUTLET_CONFIG", 0, "ws-000000000001", "dev", "alice", fds=[roots])
        os.close(roots)
        self.parent.expect("MSG_READY")
        self._policy(policy)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.parent.send("MSG_PEER", fds=[ours.fileno()])
        self.dialer.parent.send("MSG_PEER_OUTLET", fds=[theirs.fileno()])
        ours.close()
        theirs.close()
        self.keeper = self._channel("MSG_KEEPER_OUTLET")
        for name, value in secrets.items():
            self.keeper.send("MSG_SECRET", name, 1, value)
        self.inlet = self._channel("MSG_PEER_INLET")
        self.to_dialer = self.dialer.peer
        if not deaf:
            self.listen()

    def listen(self):
        """The supervisor takes events from now on."""
        Pump(self.parent, self.events)
        Pump(self.dialer.parent, self.events)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _start(self, sock, fds):
        n = sock.fileno()
        limit = f"ulimit -n {fds}; " if fds else ""
        env = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
        return subprocess.Popen(["bash", "-c", limit + (f'exec "$0" 3<&{n} {n}<&-' if n != 3 else 'exec "$0"'), str(self.build / "src/workspace/outlet/saw-outlet")],
                                pass_fds=[n], stdin=subprocess.DEVNULL, env=env)

    def blob(self, text):
        return sealed("policy", subprocess.run([str(self.build / "src/workspace/dialer/test-policy-blob")], input=text.encode(), capture_output=True,
                                               check=True).stdout)

    def _policy(self, text):
        fd = self.blob(text)
        self.parent.send("MSG_POLICY", 1, fds=[fd])
        os.close(fd)
        assert self.parent.expect("MSG_POLICY_DONE")[0][1] == 1

    def _channel(self, kind):
        ours, theirs = Channel.pair()
        self.parent.send(kind, fds=[theirs.fileno()])
        theirs.close()
        return ours

    def again(self):
        """A new channel as inlet, after outlet gave up the one before."""
        self.inlet = self._channel("MSG_PEER_INLET")

    def dial(self, name, port=443, door=None):
        """A connected socket, or the reason's code."""
        self.flow += 1
        door = door or self.inlet
        door.send("MSG_DIAL", self.flow, name, port, 1)
        kind, fields, fds = door.receive()
        assert fields[0] == self.flow
        return socket.socket(fileno=fds[0]) if kind == "MSG_DIALED" else dial_world.REASONS[fields[1]]

    def ask(self, name, request, answers=1, timeout=4):
        """What comes back for these bytes, until there are so many answers, the end, or silence."""
        with self.dial(name) as s:
            s.settimeout(timeout)
            try:
                s.sendall(request)
                return self.read(s, answers)
            except ConnectionError:
                return b""

    @staticmethod
    def read(s, answers=1):
        got = b""
        try:
            while got.count(b"HTTP/1.1 ") < answers or not whole(got):
                part = s.recv(65536)
                if not part:
                    break
                got += part
        except (TimeoutError, ConnectionError):
            pass
        return got

    def codes(self, since, n=1, timeout=5):
        """Codes of the denials since an index, at least n of them unless time is up."""
        end = time.monotonic() + timeout
        while True:
            got = [e["code"] for e in self.events[since:] if e["action"] == "denied"]
            if len(got) >= n or time.monotonic() > end:
                return got
            select.select([], [], [], 0.02)

    def stop(self):
        self.parent.send("MSG_STOP")
        self.process.wait(10)
        self.dialer.stop()


def whole(got):
    head, mark, body = got.rpartition(b"\r\n\r\n")
    if not mark:
        return False
    last = head[head.rfind(b"HTTP/1.1 "):].lower()
    return b"content-length:" not in last or len(body) >= int(last.split(b"content-length:")[1].split(b"\r\n")[0])
