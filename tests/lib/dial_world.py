"""A network namespace for one saw-dialer: scripted name servers, recording origins, a silent hole; and the role itself, driven over
its channels. As a program this file makes the sockets of the world inside the namespace (of a user namespace, where we are not root), hands
them over descriptor 0 to the test's process, which serves them, and holds the namespace until that descriptor ends."""
import fcntl
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import ipc

GOOD, OTHER, FORBIDDEN, REFUSING = "127.0.0.10", "127.0.0.11", "127.0.0.66", "127.0.0.12"
GOOD6 = "fd00::10"
HOLE = "10.99.0.9"  # packets to it are lost: nobody at the other end of that link
# Addresses that look public and are this host's own: of an interface, a second one of the same subnet, out of a range that is routed to loopback.
OWN, OWN_SECOND, OWN_ROUTED = "9.9.9.9", "9.9.9.10", "9.9.8.7"
OWN6, OWN6_SECOND, OWN6_ROUTED = "2a00:9::9", "2a00:9::10", "2a00:8::7"
NEAR, NEAR6 = "9.9.9.11", "2a00:9::11"  # public, on a link of this host, and not its own
FAR, FAR6 = "8.8.8.8", "2a00:7::1"
SERVERS = ("127.0.0.53", "127.0.0.54")
PORT = 443
A, CNAME, SOA, AAAA = 1, 5, 6, 28


def wire_name(name):
    return b"".join(bytes([len(l)]) + l.encode("latin-1") for l in name.split(".") if l) + b"\0"


def record(owner, rtype, data, ttl=60):
    return wire_name(owner) + struct.pack("!HHIH", rtype, 1, ttl, len(data)) + data


def a(owner, ip):
    return record(owner, A, socket.inet_aton(ip))


def aaaa(owner, ip):
    return record(owner, AAAA, socket.inet_pton(socket.AF_INET6, ip))


def cname(owner, target):
    return record(owner, CNAME, wire_name(target))


class Query:
    def __init__(self, data, proto, server):
        self.data, self.proto, self.server = data, proto, server
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += data[at] + 1
        self.name, (self.type,) = ".".join(labels), struct.unpack("!H", data[at + 1:at + 3])
        self.question = data[12:at + 5]
        self.edns = data[11] == 1

    def answer(self, records=(), rcode=0, tc=False, ident=None, question=None, authority=()):
        head = (self.data[:2] if ident is None else ident) + struct.pack(
            "!HHHHH", 0x8180 | rcode | (0x200 if tc else 0), 1, len(records), len(authority), 0)
        return head + (self.question if question is None else question) + b"".join(records) + b"".join(authority)

    def plain(self, *ips):
        """The honest answer with these addresses."""
        return self.answer([aaaa(self.name, i) if ":" in i else a(self.name, i) for i in ips
                            if (":" in i) == (self.type == AAAA) and self.type in (A, AAAA)])


def make_sockets():
    """UDP and TCP of each name server, the origins, the proxy."""
    for line in ("link set lo up", f"-6 addr add {GOOD6}/128 dev lo nodad", "link add hole type veth peer name well",
                 "addr add 10.99.0.1/24 dev hole", "link set hole up", "link set well up",
                 f"neigh add {HOLE} lladdr 02:00:00:00:00:09 dev hole nud permanent",
                 *(f"addr add {ip} dev hole" for ip in (f"{OWN}/24", f"{OWN_SECOND}/24", f"{OWN6}/64 nodad", f"{OWN6_SECOND}/64 nodad")),
                 "route add local 9.9.8.0/24 dev lo", "-6 route add local 2a00:8::/64 dev lo", f"route add default via {HOLE}",
                 f"-6 route add default via {NEAR6} dev hole"):
        subprocess.run(["ip", *line.split()], check=True, stdin=subprocess.DEVNULL)
    for family in ("ipv4", "ipv6"):  # as on hosts with a moving address: that one can bind to an address says nothing about it
        pathlib.Path(f"/proc/sys/net/{family}/ip_nonlocal_bind").write_text("1", encoding="ascii")
    udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in SERVERS]
    for u, server in zip(udp, SERVERS):
        u.bind((server, 53))
    tcp = [socket.create_server((server, 53)) for server in SERVERS]
    origins = [socket.create_server((ip, PORT), family=socket.AF_INET6 if ":" in ip else socket.AF_INET)
               for ip in (GOOD, OTHER, FORBIDDEN, GOOD6, OWN, OWN_SECOND, OWN_ROUTED, OWN6, OWN6_SECOND, OWN6_ROUTED)]
    return [*udp, *tcp, *origins, socket.create_server(("127.0.0.90", 3128))]


class World:
    """`resolve(query)` gives a list of datagrams to send back (TCP: the first, framed); tests replace it."""

    def __init__(self):
        self.queries, self.connections, self.resolve = [], [], lambda q: []
        self.proxy = lambda head: b"HTTP/1.1 200 OK\r\n\r\n"
        self.proxy_heads = []
        user = [] if os.geteuid() == 0 else ["-U"]
        ours, theirs = socket.socketpair()
        self.maker = subprocess.Popen(["unshare", "-n", *(["-Ur"] if user else []), sys.executable, "-B", __file__], stdin=theirs)
        theirs.close()
        self.enter = ["nsenter", "-t", str(self.maker.pid), "-n", *(["-U", "--preserve-credentials"] if user else [])]
        self.held = ours
        made = [socket.socket(fileno=fd) for fd in socket.recv_fds(ours, 1, 32)[1]]
        if not made:
            raise RuntimeError("the namespace was not made: see the lines above")
        n = len(SERVERS)
        self.udp, self.tcp, self.origins, self.proxy_sock = made[:n], made[n:2 * n], made[2 * n:-1], made[-1]
        self.wake, self._woken = os.pipe()[::-1]
        self.server = threading.Thread(target=self._serve, daemon=True)
        self.server.start()

    def ip(self, *args):
        subprocess.run([*self.enter, "ip", *args], check=True, stdin=subprocess.DEVNULL)

    def _ask(self, data, proto, server):
        q = Query(data, proto, server)
        self.queries.append(q)
        return self.resolve(q)

    def _tcp(self, sock, server):
        try:
            sock.settimeout(5)
            n = struct.unpack("!H", sock.recv(2, socket.MSG_WAITALL))[0]
            for out in self._ask(sock.recv(n, socket.MSG_WAITALL), "tcp", server)[:1]:
                sock.sendall(out if isinstance(out, bytearray) else struct.pack("!H", len(out)) + out)
        except (OSError, struct.error):
            pass
        sock.close()

    def _proxy(self, sock):
        head = b""
        while not head.endswith(b"\r\n\r\n") and (part := sock.recv(4096)):
            head += part
        self.proxy_heads.append(head.decode())
        for part in self.proxy(head) if isinstance(self.proxy(head), list) else [self.proxy(head)]:
            if part is None:  # the end
                sock.shutdown(socket.SHUT_WR)
                break
            sock.sendall(part)
            select.select([], [], [], 0.05)

    def _serve(self):
        held = []
        while True:
            ready, _, _ = select.select([self._woken, self.proxy_sock, *self.udp, *self.tcp, *self.origins], [], [])
            for s in ready:
                if s is self._woken:
                    return
                if s in self.udp:
                    data, addr = s.recvfrom(4096)
                    for out in self._ask(data, "udp", s.getsockname()[0]):
                        s.sendto(out, addr)
                elif s in self.tcp:
                    self._tcp(s.accept()[0], s.getsockname()[0])
                elif s is self.proxy_sock:
                    held.append(s.accept()[0])
                    threading.Thread(target=self._proxy, args=(held[-1],), daemon=True).start()
                else:
                    held.append(s.accept()[0])
                    self.connections.append(s.getsockname()[0])

    def stop(self):
        os.write(self.wake, b"x")
        self.server.join(10)
        for s in [*self.udp, *self.tcp, *self.origins, self.proxy_sock]:
            s.close()
        self.held.close()
        self.maker.wait(10)


class Dialer:
    """saw-dialer with us as its supervisor and as inlet."""

    def __init__(self, world, build, policy, servers=SERVERS, timeout=1, attempts=1, proxy=""):
        self.world, self.build = world, build
        self.parent, theirs = ipc.Channel.pair()
        self.process = self._start(world, build, theirs)
        theirs.close()
        self.flow = 0
        self.events = []
        self.parent.send("MSG_DIALER_CONFIG", 0, proxy)
        self.parent.expect("MSG_READY")
        self.resolv("".join(f"nameserver {s}\n" for s in servers) + f"options timeout:{timeout} attempts:{attempts}\n")
        self.policy(policy, 1)
        self.peer, theirs = ipc.Channel.pair()
        self.parent.send("MSG_PEER", fds=[theirs.fileno()])
        theirs.close()

    @staticmethod
    def _start(world, build, sock):
        n = sock.fileno()
        # LeakSanitizer reads /proc when the role ends, which its jail forbids
        env = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
        return subprocess.Popen([*world.enter, "bash", "-c", f'exec "$0" 3<&{n} {n}<&-' if n != 3 else 'exec "$0"',
                                 str(build / "src/workspace/dialer/saw-dialer")], pass_fds=[n], stdin=subprocess.DEVNULL, env=env)

    def resolv(self, text):
        self.parent.send("MSG_RESOLV", text)

    def policy(self, text, generation):
        blob = subprocess.run([str(self.build / "src/workspace/dialer/test-policy-blob")], input=text.encode(), capture_output=True,
                              check=False)
        assert blob.returncode == 0, blob.stderr.decode()
        return self.blob(blob.stdout, generation)

    def blob(self, blob, generation):
        fd = os.memfd_create("policy", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.write(fd, blob)
        fcntl.fcntl(fd, 1033, 0xF)  # F_ADD_SEALS: seal, shrink, grow, write
        self.parent.send("MSG_POLICY", generation, fds=[fd])
        os.close(fd)
        return self.parent.expect("MSG_POLICY_DONE")[0]

    def dial(self, name, port=PORT):
        self.flow += 1
        self.peer.send("MSG_DIAL", self.flow, name, port, 1)
        return self.flow

    def event(self, written=True, timeout=15):
        """The next event, answered."""
        fields, _ = self.parent.expect("MSG_EVENT", timeout)
        ev = ipc_event(fields)
        self.events.append(ev)
        if ev["id"]:
            self.parent.send("MSG_EVENT_DONE", ev["id"], int(written))
        return ev

    def refused(self, name, port=PORT, timeout=15):
        """Dials, takes the one event and the refusal; they must agree. Gives the event."""
        flow = self.dial(name, port)
        ev = self.event(timeout=timeout)
        kind, fields, fds = self.peer.receive(timeout)
        assert kind == "MSG_DIAL_REFUSED" and fields[0] == flow == ev["flow"] and fields[1] == ev["reason"], (kind, fields, ev)
        return ev

    def dialed(self, name, port=PORT, timeout=15):
        """Dials, grants the event, gives (event, address that was connected, socket)."""
        flow = self.dial(name, port)
        ev = self.event()
        kind, fields, fds = self.peer.receive(timeout)
        assert kind == "MSG_DIALED" and fields[0] == flow and len(fds) == 1, (kind, fields, ev, self.late_events())
        family = socket.AF_INET if len(fields[1]) == 4 else socket.AF_INET6
        return ev, socket.inet_ntop(family, fields[1]), socket.socket(fileno=fds[0])

    def late_events(self):
        out = []
        while self.parent.waits(0.05):
            out.append(self.parent.receive())
        return out

    def cpu(self):
        """Seconds of CPU time so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def fds_back_to(self, n, timeout=5):
        """A descriptor that was sent is closed by its sender a moment after it arrived."""
        end = time.monotonic() + timeout
        while self.fds() != n and time.monotonic() < end:
            select.select([], [], [], 0.02)
        return self.fds() == n

    def stop(self):
        if self.process.poll() is None:
            self.parent.send("MSG_STOP")
        return self.process.wait(10)


REASONS = {}


def _reasons():
    text = (pathlib.Path(__file__).resolve().parents[2] / "src/rules/reason.h").read_text()
    for i, (_, code) in enumerate(re.findall(r"X\((\w+), \"(\w+)\"", text)):
        REASONS[i] = code


_reasons()
KEYS = ("kind action at reason flow generation count bytes_in bytes_out duration tokens_in tokens_out src dst src_port dst_port ip_proto status pid observing "
        "name rule verb path actor detail change model credential").split()


def ipc_event(fields):
    ev = dict(zip(["id", *KEYS], fields))
    ev["code"] = REASONS[ev["reason"]]
    for k in ("name", "rule", "verb", "path", "actor", "detail", "change", "credential"):
        ev[k] = ev.get(k, b"").decode()
    for k in ("src", "dst"):
        ev[k] = socket.inet_ntop(socket.AF_INET if len(ev[k]) == 4 else socket.AF_INET6, ev[k]) if ev[k] else None
    ev["action"] = {v: k for k, v in ipc.EVENT_ACTIONS.items()}[ev["action"]]
    return ev


if __name__ == "__main__":
    channel = socket.socket(fileno=0)
    sockets = make_sockets()
    socket.send_fds(channel, [b"!"], [s.fileno() for s in sockets])
    channel.recv(1)
