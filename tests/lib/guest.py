"""Runs inside the guest of a gateway under test, as root: does what it is told over stdin, one JSON line a call.

Every function here is a thing a hostile guest can do; tests call them by name through `Gateway.do()`."""
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import time
import traceback

import guest_h2
import ws

DNS = "100.64.0.1"


def qname(name):
    """A name in wire form; labels may hold any byte. A name given as {"hex": ...} is taken as it is."""
    if isinstance(name, dict):
        return bytes.fromhex(name["hex"])
    out = b""
    for label in name.encode("latin-1").rstrip(b".").split(b"."):
        if label:
            out += bytes([len(label)]) + label
    return out + b"\0"


def dns_packet(name, qtype=1, edns=True, ident=0x1234, qdcount=1, flags=0x0100, extra=b""):
    question = qname(name) + struct.pack("!HH", qtype, 1)
    opt = b"\0\x00\x29\x04\xd0\0\0\0\0\0\0" if edns else b""
    return struct.pack("!HHHHHH", ident, flags, qdcount, 0, 0, 1 if edns else 0) + question * max(1, qdcount) + opt + extra


def parse_answer(a):
    ident, flags, qd, an, ns, ar = struct.unpack("!HHHHHH", a[:12])
    at = 12

    def skip(at):
        while a[at]:
            if a[at] >= 0xc0:
                return at + 2
            at += a[at] + 1
        return at + 1
    for _ in range(qd):
        at = skip(at) + 4
    addresses, ede = [], None
    for i in range(an + ns + ar):
        at = skip(at)
        rtype, _, ttl, n = struct.unpack("!HHIH", a[at:at + 10])
        at += 10
        if rtype == 1 and i < an:
            addresses.append(socket.inet_ntoa(a[at:at + 4]))
        if rtype == 41:
            o = at
            while o + 4 <= at + n:
                code, m = struct.unpack("!HH", a[o:o + 4])
                if code == 15:
                    ede = struct.unpack("!H", a[o + 4:o + 6])[0]
                o += 4 + m
        at += n
    return {"rcode": flags & 15, "addresses": addresses, "ede": ede, "answers": an, "tc": bool(flags & 0x200), "id": ident,
            "question": a[12:].hex()}


def dns(name, qtype=1, proto="udp", server=DNS, port=53, timeout=3, raw=None, **kw):
    packet = bytes.fromhex(raw) if raw is not None else dns_packet(name, qtype, **kw)
    try:
        if proto == "udp":
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(timeout)
            s.connect((server, port))
            s.send(packet)
            return parse_answer(s.recv(65535))
        s = socket.create_connection((server, port), timeout)
        s.sendall(struct.pack("!H", len(packet)) + packet)
        head = s.recv(2)
        if len(head) < 2:
            return {"error": "closed"}
        n, got = struct.unpack("!H", head)[0], b""
        while len(got) < n:
            part = s.recv(n - len(got))
            if not part:
                return {"error": "closed"}
            got += part
        return parse_answer(got)
    except OSError as e:
        return {"error": type(e).__name__ + ": " + str(e)}


def address(name):
    got = dns(name).get("addresses")
    return got[0] if got else None


def connect(host, port, timeout=4):
    """A TCP connection to an address, or to what DNS says for a name."""
    where = host if host.replace(".", "").isdigit() else address(host)
    if where is None:
        raise OSError(f"{host} does not resolve")
    return socket.create_connection((where, port), timeout)


def tcp(host, port, send=None, timeout=4, want=1, pieces=None, gap=0.0, half_close=False):
    """Connects, sends hex `send` (or `pieces`, one by one), reads until `want` bytes, end or time-out."""
    began = time.monotonic()
    try:
        s = connect(host, port, timeout)
    except OSError as e:
        return {"error": type(e).__name__ + ": " + str(e), "connected": False, "took": time.monotonic() - began}
    out = {"connected": True, "got": "", "closed": False}
    try:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for p in pieces or ([send] if send else []):
            s.sendall(bytes.fromhex(p))
            if gap:
                select.select([s], [], [], gap)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        got = b""
        while len(got) < want:
            part = s.recv(65536)
            if not part:
                out["closed"] = True
                break
            got += part
        out["got"] = got.hex()
    except socket.timeout:
        out["got"], out["error"] = got.hex(), "timeout"
    except OSError as e:
        out["closed"], out["error"] = True, type(e).__name__ + ": " + str(e)
    out["took"] = time.monotonic() - began
    s.close()
    return out


def udp(host, port, send="00", timeout=1):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(timeout)
    try:
        s.connect((host, port))
        s.send(bytes.fromhex(send))
        return {"got": s.recv(2048).hex()}
    except OSError as e:
        return {"error": type(e).__name__ + ": " + str(e)}


def http(host, request, port=80, timeout=8, want=None, tls=False):
    """Sends the text of one or more requests as it is, inside TLS where asked; gives the status codes and the whole answer."""
    try:
        s = connect(host, port, timeout)
        if tls:
            s = ssl.create_default_context().wrap_socket(s, server_hostname=host)
    except OSError as e:
        return {"error": str(e), "statuses": [], "text": "", "closed": True}
    got, closed = b"", False
    try:
        s.sendall(request.encode("latin-1"))
        while want is None or got.count(b"HTTP/1.1 ") < want or not _whole(got):
            part = s.recv(65536)
            if not part:
                closed = True
                break
            got += part
    except socket.timeout:
        pass
    except OSError:
        closed = True
    s.close()
    text = got.decode("latin-1")
    return {"statuses": [int(p[:3]) for p in text.split("HTTP/1.1 ")[1:] if p[:3].isdigit()], "text": text[:20000], "closed": closed}


def tls(host, port=443, timeout=8, alpn=()):
    """A verified TLS connection."""
    context = ssl.create_default_context()
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(connect(host, port, timeout), server_hostname=host)


def _certificate(s):
    return [v for k, v in s.getpeercert()["subjectAltName"] if k == "DNS"]


def resume_elsewhere(first, second, version):
    """Takes a session from one host and offers it to another in the same context."""
    context = ssl.create_default_context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    try:
        with context.wrap_socket(connect(first, 443), server_hostname=first) as s:
            s.sendall(f"GET / HTTP/1.1\r\nHost: {first}\r\n\r\n".encode())
            s.recv(65536)
            session = s.session
        with context.wrap_socket(connect(second, 443), server_hostname=second, session=session) as s:
            return {"reused": s.session_reused, "names": _certificate(s), "had": session is not None}
    except OSError as e:
        return {"error": str(e)}


def many_names(host, n):
    """n handshakes, each with a name of its own that is not the flow's."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    out, where = {"alerts": 0, "certificates": 0}, address(host)
    for i in range(n):
        try:
            with context.wrap_socket(connect(where, 443), server_hostname=f"n{i}.{host}"):
                out["certificates"] += 1
        except OSError:
            out["alerts"] += 1
    return out


def h2(host, streams, port=443, **kw):
    """See guest_h2.exchange."""
    with tls(host, port, alpn=["h2"]) as s:
        return guest_h2.exchange(s, streams, **kw)


def h2_raw(host, frames, timeout):
    """See guest_h2.raw."""
    with tls(host, alpn=["h2"]) as s:
        return guest_h2.raw(s, bytes.fromhex(frames), timeout)


def h2_flood(host, kind, n=20000, read=False):
    """See guest_h2.flood."""
    with tls(host, alpn=["h2"]) as s:
        return guest_h2.flood(s, kind, host, n, read)


def h2_break_off(host, port, path, kind):
    """See guest_h2.break_off."""
    with tls(host, port, alpn=["h2"]) as s:
        return guest_h2.break_off(s, f"{host}:{port}", path, kind)


def h2_break_off_held(host, path, fields, kind, method="POST"):
    """See guest_h2.break_off_held."""
    with tls(host, alpn=["h2"]) as s:
        return guest_h2.break_off_held(s, host, path, fields, kind, method)


def h2_spoil(host, port, path, n):
    """See guest_h2.spoil."""
    with tls(host, port, alpn=["h2"]) as s:
        return guest_h2.spoil(s, f"{host}:{port}", path, n)


def h2_shut_window(host, path, streams, timeout):
    """See guest_h2.shut_window."""
    with tls(host, alpn=["h2"]) as s:
        return guest_h2.shut_window(s, host, path, streams, timeout)


def _whole(got):
    """The last answer's body is here, by its Content-Length."""
    head, _, body = got.rpartition(b"\r\n\r\n")
    last = head[head.rfind(b"HTTP/1.1 "):].lower()
    if b"content-length:" not in last:
        return False
    return len(body) >= int(last.split(b"content-length:")[1].split(b"\r\n")[0])


def client_hello(name, alpn=None):
    """The bytes of a stock ClientHello, hex."""
    inc, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if alpn:
        c.set_alpn_protocols(alpn)
    t = c.wrap_bio(inc, out, server_hostname=name)
    try:
        t.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read().hex()


def https(host, path="/", ca=None, sni=None, timeout=8, port=443):
    """A whole verified TLS request; `sni` may differ from the host dialled."""
    try:
        raw = connect(host, port, timeout)
        c = ssl.create_default_context(cafile=ca)
        s = c.wrap_socket(raw, server_hostname=sni or host)
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {sni or host}\r\nConnection: close\r\n\r\n".encode())
        got = s.recv(65536)
        return {"status": int(got.split(b" ")[1]), "text": got.decode("latin-1")}
    except (OSError, ValueError) as e:
        return {"error": type(e).__name__ + ": " + str(e)}


def timed_https(host):
    """Seconds from connect() to a whole answer of 200."""
    began = time.monotonic()
    assert https(host).get("status") == 200
    return time.monotonic() - began


def websocket(host, path, sends, want, fields="", timeout=8):
    """Opens a WebSocket over TLS, sends the hex pieces, reads until `want` frames or the end."""
    try:
        s = ssl.create_default_context().wrap_socket(connect(host, 443, timeout), server_hostname=host)
        s.sendall((f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   f"Sec-WebSocket-Key: {ws.KEY}\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n").encode())
        got = b""
        while b"\r\n\r\n" not in got:
            part = s.recv(65536)
            if not part:
                break
            got += part
        head, _, data = got.partition(b"\r\n\r\n")
        answer = {"head": head.decode("latin-1"), "status": int(head.split(b" ")[1]), "frames": [], "closed": False}
        if answer["status"] != 101:
            return answer
        for piece in sends:
            s.sendall(bytes.fromhex(piece))
    except (OSError, ValueError, IndexError) as e:
        return {"error": type(e).__name__ + ": " + str(e)}
    try:
        while True:
            frames, data = ws.parse(data)
            answer["frames"] += [[opcode, fin, payload.hex()] for opcode, fin, payload, _ in frames]
            if len(answer["frames"]) >= want:
                break
            part = s.recv(65536)
            if not part:
                answer["closed"] = True
                break
            data += part
    except OSError as e:
        answer["closed"] = type(e).__name__
    s.close()
    return answer


def raw_ethernet(frames, wait=0.5):
    """Sends whole Ethernet frames on the guest's link; `{gw}` and `{me}` MACs are filled in by the caller."""
    name = link(ask=False)["name"]
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((name, 0))
    for f in frames:
        s.send(bytes.fromhex(f))
    select.select([], [], [], wait)
    return True


def link(ask=True):
    """The guest's link: its name, MAC, and the gateway's MAC."""
    names = [n for n in os.listdir("/sys/class/net") if n != "lo"] if os.path.isdir("/sys/class/net") else []
    text = open("/proc/net/route").read().split("\n")[1:]
    name = next((l.split()[0] for l in text if l.split()[1:2] == ["00000000"]), names[0] if names else "eth0")
    import fcntl
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    me = fcntl.ioctl(s.fileno(), 0x8927, struct.pack("256s", name.encode()))[18:24].hex()
    if ask:  # so that the gateway stands in the ARP table
        dns("good.example")
    gw = "ffffffffffff"
    for l in open("/proc/net/arp").read().split("\n")[1:]:
        if l.startswith("100.64.0.1 "):
            gw = l.split()[3].replace(":", "")
    return {"name": name, "me": me, "gw": gw}


def hold(host, port, send=None, secure=False):
    """Opens a connection and keeps it under a number for later steps."""
    s = tls(host, port) if secure else connect(host, port)
    if send:
        s.sendall(bytes.fromhex(send))
    held.append(s)
    return len(held) - 1


def held_step(i, send=None, timeout=4):
    s = held[i]
    s.settimeout(timeout)
    try:
        if send:
            s.sendall(bytes.fromhex(send))
        got = s.recv(65536)
        return {"got": got.hex(), "closed": not got}
    except socket.timeout:
        return {"got": "", "closed": False}
    except OSError as e:
        return {"got": "", "closed": True, "error": str(e)}


def hold_h2(host, paths):
    """Asks on streams of one connection, and keeps that."""
    s = tls(host, alpn=["h2"])
    guest_h2.ask(s, host, paths)
    held.append(s)
    return len(held) - 1


def leave(i, how):
    """Ends a kept connection: `reset`; or its sending side only, by TLS (`notify`), by the socket (`fin`), or by both (`end`)."""
    s = held[i]
    if how == "reset":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        return
    s.settimeout(0)
    try:
        if how in ("notify", "end"):
            s.unwrap()
    except OSError:  # it is said; the other side goes on, or ended at once
        pass
    try:
        if how in ("fin", "end"):
            socket.socket.shutdown(s, socket.SHUT_WR)  # SSLSocket's own would forget its TLS
    except OSError:
        pass


def release(i):
    held[i].close()


def pile_up(host, path, most):
    """Opens connections, asks on each and reads nothing, until one is refused or all stand; gives how often which status was answered."""
    import guest_flood
    return guest_flood.pile_up(held, lambda: address(host), host, path, most)


def dribble(host, n, size):
    """Connections of TLS on which a head of so many bytes comes, and never its end; gives how many stand."""
    import guest_flood
    return guest_flood.dribble(held, tls, host, n, size)


def ask_many(host, text, n):
    """Asks on so many connections of TLS, and waits for no answer."""
    import guest_flood
    guest_flood.ask_many(waiting, lambda: address(host), host, text.encode("latin-1"), n)


def answers():
    """How often which status was answered there so far; "": none."""
    import guest_flood
    return guest_flood.answers(waiting, known)


def let_go():
    for s in held + waiting:
        s.close()
    for all_of in (held, waiting, known):
        all_of.clear()


def vanish():
    """As a machine that is switched off, of whose connections nobody knows any more."""
    for s in held + waiting:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    let_go()


def command(args, timeout=60, stdin=""):
    done = subprocess.run(args, capture_output=True, text=True, errors="replace", timeout=timeout, input=stdin, check=False)
    return {"code": done.returncode, "out": done.stdout[-20000:], "err": done.stderr[-20000:]}


def ping():
    return "pong"


held, waiting, known = [], [], {}

if __name__ == "__main__":
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        q = json.loads(line)
        try:
            a = {"ok": globals()[q["fn"]](*q["args"], **q["kw"])}
        except Exception:  # the test reads the whole trace
            a = {"trace": traceback.format_exc()}
        print(json.dumps(a), flush=True)
