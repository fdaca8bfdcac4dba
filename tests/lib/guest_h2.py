"""HTTP/2 as a hostile client speaks it: frames made by hand, HPACK without any check. Part of guest.py."""
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def integer(value, bits, first):
    top = (1 << bits) - 1
    if value < top:
        return bytes([first | value])
    out, value = bytes([first | top]), value - top
    while value >= 128:
        out, value = out + bytes([value % 128 + 128]), value // 128
    return out + bytes([value])


def literal(name, value, first=0):
    """A field as a literal that is not indexed (first=0) or is (first=0x40); any byte may stand in it."""
    name, value = name.encode("latin-1"), value.encode("latin-1")
    return bytes([first]) + integer(len(name), 7, 0) + name + integer(len(value), 7, 0) + value


def block(fields):
    return b"".join(literal(n, v) for n, v in fields)


def get(host, path="/", method="GET", more=()):
    return [[":method", method], [":scheme", "https"], [":authority", host], [":path", path], *more]


class Reader:
    """Takes frames off a socket; what the peer says about each stream is kept."""

    def __init__(self, sock, hpack):
        self.sock, self.hpack, self.raw = sock, hpack, b""
        self.streams, self.goaway, self.closed, self.events, self.pinged = {}, None, False, [], False

    def of(self, stream):
        return self.streams.setdefault(stream, {"fields": [], "body": "", "done": False, "reset": None})

    def step(self):
        """Reads once and takes all whole frames. False: the end."""
        try:
            part = self.sock.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            part = b""
        if not part:
            self.closed = True
            return False
        self.raw += part
        while len(self.raw) >= 9 and len(self.raw) >= 9 + int.from_bytes(self.raw[:3], "big"):
            n = int.from_bytes(self.raw[:3], "big")
            kind, flags, stream = struct.unpack("!BBI", self.raw[3:9])
            payload, self.raw = self.raw[9:9 + n], self.raw[9 + n:]
            self.take(kind, flags, stream, payload)
        return True

    def take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK))
        elif kind == HEADERS:
            self.of(stream)["fields"] += [list(f) for f in self.hpack.decode(payload)]
        elif kind == DATA:
            self.of(stream)["body"] += payload.decode("latin-1")
            self.events.append([time.monotonic(), len(payload)])
            if payload:
                for s in (0, stream):
                    self.send(frame(WINDOW_UPDATE, 0, s, struct.pack("!I", len(payload))))
        elif kind == RST_STREAM:
            self.of(stream).update(reset=struct.unpack("!I", payload)[0], done=True)
        elif kind == PING:
            self.pinged = bool(flags & ACK)
        elif kind == GOAWAY:
            self.goaway = struct.unpack("!I", payload[4:8])[0]
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.of(stream)["done"] = True

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def result(self):
        for s in self.streams.values():
            s["status"] = next((int(v) for n, v in s["fields"] if n == ":status"), None)
        return {"streams": {str(k): v for k, v in self.streams.items()}, "goaway": self.goaway, "closed": self.closed, "data": self.events}


def start(sock, settings=b""):
    import hpack  # the guest of most tests has no need of it
    sock.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
    return Reader(sock, hpack.Decoder())


def exchange(sock, streams, timeout=8, at_once=False):
    """Each of `streams` is {"fields": [[name, value]...], "body": text or None, "trailers": fields or None}; sent one after the other's
    answer (or at once), as streams 1, 3, 5... Gives what came back for each."""
    sock.settimeout(timeout)
    reader = start(sock)
    ids = []
    for i, s in enumerate(streams):
        ids.append(1 + 2 * i)
        body, trailers = s.get("body"), s.get("trailers")
        last = END_STREAM if body is None and not trailers else 0
        out = frame(HEADERS, END_HEADERS | last, ids[-1], block(s["fields"]))
        if body is not None:
            out += frame(DATA, 0 if trailers else END_STREAM, ids[-1], body.encode("latin-1"))
        if trailers:
            out += frame(HEADERS, END_HEADERS | END_STREAM, ids[-1], block(trailers))
        reader.send(out)
        while not at_once and not reader.of(ids[-1])["done"] and reader.step():
            pass
        if reader.closed:
            break
    while not all(reader.of(i)["done"] for i in ids) and reader.step():
        pass
    return reader.result()


def ask(sock, host, paths):
    """Asks and reads nothing."""
    sock.sendall(PREFACE + frame(SETTINGS) + b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, block(get(host, p))) for i, p in enumerate(paths)))


def raw(sock, frames, timeout):
    """Sends these frames, the last of them a PING; reads until it is answered and stream 1 is done, the peer has had enough, or silence."""
    sock.settimeout(timeout)
    reader = start(sock)
    reader.send(frames)
    while not reader.goaway and not (reader.pinged and reader.of(1)["done"]) and reader.step():
        pass
    return reader.result()


def bomb(host):
    """One field of 3,900 bytes in the dynamic table and 4,000 references to it: 16 MB of fields in 8 kB."""
    return block(get(host)) + literal("x-bomb", "b" * 3900, 0x40) + integer(62, 7, 0x80) * 4000


FLOODS = {
    "rapid reset": lambda host, i: frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, block(get(host, "/reset"))) +
    frame(RST_STREAM, 0, 1 + 2 * i, struct.pack("!I", 8)),
    "continuation": lambda host, i: frame(CONTINUATION, 0, 1, literal(f"x-{i}", "y" * 1000)) if i else
    frame(HEADERS, END_STREAM, 1, block(get(host))),
    "empty continuation": lambda host, i: frame(CONTINUATION, 0, 1) if i else frame(HEADERS, END_STREAM, 1, block(get(host))),
    "settings": lambda host, i: frame(SETTINGS, 0, 0, struct.pack("!HI", 4, 65535)),
    "ping": lambda host, i: frame(PING, 0, 0, bytes(8)),
    "empty data": lambda host, i: frame(DATA, 0, 1) if i else frame(HEADERS, END_HEADERS, 1, block(get(host, "/data/x", "POST"))),
    "window update": lambda host, i: frame(WINDOW_UPDATE, 0, 0, struct.pack("!I", 1)),
    "hpack bomb": lambda host, i: frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, bomb(host)),
}


def flood(sock, kind, host, n, read, timeout=8):
    """Sends up to n pieces of a flood, until the peer has had enough; then reads what it says. `read`: a SETTINGS and PING flood whose
    acknowledgements are taken; else they are left to fill the peer's output."""
    sock.settimeout(timeout)
    reader, sent, error = start(sock), 0, None
    try:
        while sent < n:
            sock.sendall(b"".join(FLOODS[kind](host, i) for i in range(sent, min(n, sent + 50))))
            sent = min(n, sent + 50)
            if read:
                reader.step()
    except OSError as e:
        error = type(e).__name__
    while reader.goaway is None and reader.step():
        pass
    return {**reader.result(), "sent": sent, "error": error}


def shut_window(sock, host, path, streams, timeout):
    """Asks for big answers with windows of zero and takes nothing; gives how the peer ended it."""
    sock.settimeout(timeout)
    reader = start(sock, struct.pack("!HI", 4, 0))
    reader.send(b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, block(get(host, path))) for i in range(streams)))
    while reader.goaway is None and not (reader.streams and all(s["done"] for s in reader.streams.values())) and reader.step():
        pass
    return reader.result()


def break_off(sock, host, path, kind, timeout=8):
    """A call with a length that is answered in part (it has gone to the host), and then has another."""
    sock.settimeout(timeout)
    reader = start(sock)
    reader.send(frame(HEADERS, END_HEADERS, 1, block(get(host, path, "POST", [["content-type", "application/grpc"], ["content-length", "10"]]))))
    while not reader.of(1)["fields"] and reader.step():
        pass
    reader.send({"short": frame(DATA, END_STREAM, 1, b"x" * 5), "long": frame(DATA, 0, 1, b"x" * 11), "reset": frame(RST_STREAM, 0, 1, bytes(4))}[kind] +
                frame(PING, 0, 0, bytes(8)))
    while not reader.pinged and reader.step():
        pass
    return reader.result()


def break_off_held(sock, host, path, fields, kind, method="POST", timeout=8):
    """A request with a length of 10 whose body is awaited before anybody hears of it, and which then has another."""
    sock.settimeout(timeout)
    reader = start(sock)
    ping = frame(PING, 0, 0, bytes(8))
    reader.send(frame(HEADERS, END_HEADERS, 1, block(get(host, path, method, [*fields, ["content-length", "10"]]))) + ping)
    while not reader.pinged and reader.step():
        pass
    reader.pinged = False
    reader.send({"short": frame(DATA, END_STREAM, 1, b"x" * 5), "long": frame(DATA, 0, 1, b"x" * 11), "reset": frame(RST_STREAM, 0, 1, bytes(4))}[kind] + ping)
    while not reader.pinged and reader.step():
        pass
    return reader.result()


def spoil(sock, host, path, n, timeout=8):
    """Opens up to n calls, each answered in part (it has gone to the host), then overruns its window so that the peer must reset it. What that
    costs, content of another call brings."""
    sock.settimeout(timeout)
    reader, sent = start(sock), 0
    call = lambda i: frame(HEADERS, END_HEADERS, i, block(get(host, path, "POST", [["content-type", "application/grpc"]])))
    reader.send(call(1))
    while sent < n and not reader.goaway and not reader.closed:
        ids = [2 * i + 3 for i in range(sent, min(n, sent + 50))]
        sent += len(ids)
        reader.send(b"".join(frame(DATA, 0, 1, bytes(256)) * 4 + call(i) for i in ids))
        while not reader.goaway and not all(reader.of(i)["fields"] for i in ids) and reader.step():
            pass
        reader.send(b"".join(frame(WINDOW_UPDATE, 0, i, struct.pack("!I", 0x7fffffff)) for i in ids))
        while not reader.goaway and not all(reader.of(i)["done"] for i in ids) and reader.step():
            pass
    while reader.goaway is None and sent < n and reader.step():
        pass
    return {**reader.result(), "sent": sent}
