"""A host that speaks HTTP/2, or lies in it: started in the arena's namespace, with certificates of the arena, and everything recorded.

`H2Origin` is the client that tests hold; as a program it is the host. What it answers is said by the path:

    /bytes/N           N bytes          /echo          the body as it comes, and a trailer      /hang   nothing
    /bad/KIND          an answer that is none        /flood/KIND     frames without end
    /refuse/N          REFUSED_STREAM for the first N times     /goaway   GOAWAY that says it was not processed, once
    /last              an answer and GOAWAY                     /cut      the connection ends in the middle of an answer
    anything else      what was asked, as JSON"""
import asyncio
import ctypes
import json
import os
import pathlib
import ssl
import struct
import subprocess
import sys

from guest_h2 import END_HEADERS, END_STREAM, block, frame, literal

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
OK = [(":status", "200"), ("content-type", "text/plain")]

# What comes as the answer on stream i, as raw frames.
BAD = {
    "upper-case-name": lambda i: frame(HEADERS, 5, i, block([(":status", "200"), ("X-Upper", "y")])),
    "name-with-colon": lambda i: frame(HEADERS, 5, i, block([(":status", "200"), ("x:y", "z")])),
    "empty-name": lambda i: frame(HEADERS, 5, i, block([(":status", "200"), ("", "z")])),
    "line-end-in-value": lambda i: frame(HEADERS, 5, i, block([(":status", "200"), ("x", "a\r\nX-Injected: 1\r\n\r\nHTTP/1.1 200 OK")])),
    "nul-in-value": lambda i: frame(HEADERS, 5, i, block([(":status", "200"), ("x", "a\0b")])),
    "connection-field": lambda i: frame(HEADERS, 5, i, block([(":status", "200"), ("connection", "x")])),
    "transfer-encoding": lambda i: frame(HEADERS, 4, i, block([(":status", "200"), ("transfer-encoding", "chunked")])) + frame(DATA, 1, i, b"0\r\n\r\n"),
    "no-status": lambda i: frame(HEADERS, 5, i, block([("x", "y")])),
    "two-statuses": lambda i: frame(HEADERS, 5, i, block([(":status", "200"), (":status", "204")])),
    "status-101": lambda i: frame(HEADERS, 4, i, block([(":status", "101")])),
    "status-text": lambda i: frame(HEADERS, 5, i, block([(":status", "OK")])),
    "two-lengths": lambda i: frame(HEADERS, 4, i, block([(":status", "200"), ("content-length", "1"), ("content-length", "2")])) + frame(DATA, 1, i, b"x"),
    "negative-length": lambda i: frame(HEADERS, 4, i, block([(":status", "200"), ("content-length", "-1")])) + frame(DATA, 1, i, b"x"),
    "less-than-its-length": lambda i: frame(HEADERS, 4, i, block([(":status", "200"), ("content-length", "9")])) + frame(DATA, 1, i, b"hi"),
    "more-than-its-length": lambda i: frame(HEADERS, 4, i, block([(":status", "200"), ("content-length", "1")])) + frame(DATA, 1, i, b"hi"),
    "pseudo-field-in-trailers": lambda i: frame(HEADERS, 4, i, block(OK)) + frame(DATA, 0, i, b"hi") + frame(HEADERS, 5, i, block([(":status", "200")])),
    "body-of-204": lambda i: frame(HEADERS, 4, i, block([(":status", "204")])) + frame(DATA, 1, i, b"hi"),
    "interim-without-end": lambda i: b"".join(frame(HEADERS, 4, i, block([(":status", "103"), ("link", "x")])) for _ in range(40)),
    "head-of-200-KiB": lambda i: frame(HEADERS, 0, i, block([(":status", "200"), ("x", "y" * 15000)])) +
    b"".join(frame(CONTINUATION, 0, i, literal(f"x-{n}", "y" * 15000)) for n in range(6)) + frame(CONTINUATION, 4, i, literal("z", "y" * 15000)),
    "reset": lambda i: frame(RST_STREAM, 0, i, struct.pack("!I", 2)),
}
# What ends the whole connection: sent again and again until it is gone.
FLOODS = {
    "settings": lambda i, n: frame(SETTINGS, 0, 0, struct.pack("!HI", 3, 100)),
    "ping": lambda i, n: frame(PING, 0, 0, bytes(8)),
    "continuation": lambda i, n: frame(CONTINUATION, 0, i, literal(f"x-{n}", "y" * 100)) if n else frame(HEADERS, 0, i, block(OK)),
    "empty-data": lambda i, n: frame(DATA, 0, i) if n else frame(HEADERS, 4, i, block(OK)),
    "window-update": lambda i, n: frame(WINDOW_UPDATE, 0, 0, struct.pack("!I", 1)),
    "push-promise": lambda i, n: frame(PUSH_PROMISE, 4, i, struct.pack("!I", 2 + 2 * n) + block([(":method", "GET"), (":path", "/"), (":scheme", "https"),
                                                                                                (":authority", "good.example")])),
    "stream-of-its-own": lambda i, n: frame(HEADERS, 5, 2 + 2 * n, block(OK)),
    "garbage": lambda i, n: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" * 30,
    "hpack-bomb": lambda i, n: frame(HEADERS, 5, i, block(OK) + literal("x-bomb", "b" * 3900, 0x40) + b"\xbe" * 4000),
}


class Connection(asyncio.Protocol):
    def __init__(self, origin):
        import h2.config
        import h2.connection
        self.origin, self.h2, self.tasks = origin, None, {}
        self.make = lambda: h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False, validate_inbound_headers=False))

    def connection_made(self, transport):
        import h2.settings
        self.transport = transport
        tls = transport.get_extra_info("ssl_object")
        self.seen = {"alpn": tls.selected_alpn_protocol(), "resumed": tls.session_reused, "sni": getattr(tls, "seen_name", None), "closed": False,
                     "goaway": None, "streams": [], "at_once": 0, "raw": ""}
        self.origin.connections.append(self.seen)
        self.writable, self.windows, self.queues, self.open = asyncio.Event(), asyncio.Event(), {}, 0
        self.writable.set()
        if self.seen["alpn"] != "h2":
            self.text = b""
            return
        self.h2 = self.make()
        if self.origin.settings:
            self.h2.local_settings = h2.settings.Settings(client=False, initial_values=self.origin.settings)
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.transport.write(self.h2.data_to_send())

    def pause_writing(self):
        self.writable.clear()

    def resume_writing(self):
        self.writable.set()

    def connection_lost(self, exc):
        self.seen["closed"] = True
        for t in self.tasks.values():
            t.cancel()

    def data_received(self, data):
        if not self.h2:
            self.http1(data)
            return
        import h2.events
        import h2.exceptions
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as e:
            self.seen["raw"] += repr(e)
            self.transport.write(self.h2.data_to_send())
            return
        for e in events:
            if isinstance(e, h2.events.RequestReceived):
                r = {"stream": e.stream_id, "fields": [list(f) for f in e.headers], "body": "", "n": 0, "trailers": None, "ended": False, "reset": None}
                self.seen["streams"].append(r)
                self.origin.requests.append(r)
                self.open += 1
                self.seen["at_once"] = max(self.open, self.seen["at_once"])
                self.queues[e.stream_id] = asyncio.Queue()
                self.tasks[e.stream_id] = asyncio.ensure_future(self.serve(e.stream_id, r))
            elif isinstance(e, h2.events.DataReceived):
                r = self.of(e.stream_id)
                r["n"] += len(e.data)
                r["body"] += e.data.decode("latin-1") if r["n"] < 65536 else ""
                self.queues[e.stream_id].put_nowait(e.data)
                if not self.origin.shut:
                    self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
            elif isinstance(e, h2.events.TrailersReceived):
                self.of(e.stream_id)["trailers"] = [list(f) for f in e.headers]
            elif isinstance(e, h2.events.StreamEnded):
                self.of(e.stream_id)["ended"] = True
                self.queues[e.stream_id].put_nowait(None)
            elif isinstance(e, h2.events.StreamReset):
                self.of(e.stream_id)["reset"] = int(e.error_code)
                self.tasks.pop(e.stream_id).cancel()
                self.open -= 1
            elif isinstance(e, h2.events.WindowUpdated):
                self.windows.set()
            elif isinstance(e, h2.events.ConnectionTerminated):
                self.seen["goaway"] = int(e.error_code)
        self.flush()

    def of(self, stream):
        return next(s for s in self.seen["streams"] if s["stream"] == stream)

    def http1(self, data):
        self.text += data
        while b"\r\n\r\n" in self.text:
            head, _, self.text = self.text.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            fields = [[":method", lines[0].split()[0]], [":path", lines[0].split()[1]]] + [l.split(": ", 1) for l in lines[1:]]
            r = {"stream": None, "fields": fields, "body": "", "trailers": None, "ended": True, "reset": None}
            self.seen["streams"].append(r)
            self.origin.requests.append(r)
            body = json.dumps({"path": fields[1][1]}).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def data(self, i, data, end=False):
        while data:
            room = min(self.h2.local_flow_control_window(i), self.h2.max_outbound_frame_size, len(data))
            if room <= 0:
                self.windows.clear()
                await self.windows.wait()
                continue
            self.h2.send_data(i, data[:room], end_stream=end and room == len(data))
            data = data[room:]
            self.flush()
            await self.writable.wait()

    async def serve(self, i, r):
        path = dict(map(tuple, r["fields"]))[":path"]
        word, _, rest = path[1:].partition("/")
        serve = getattr(self, "serve_" + word, None)
        if serve:
            await serve(i, r, rest)
        else:
            body = json.dumps({"path": path, "stream": i, "connection": self.origin.connections.index(self.seen)}).encode()
            self.h2.send_headers(i, [(":status", "200"), ("content-type", "application/json"), ("content-length", str(len(body)))])
            if dict(map(tuple, r["fields"]))[":method"] != "HEAD":
                self.h2.send_data(i, body)
            self.h2.end_stream(i)
        self.open -= 1
        self.flush()

    async def serve_bytes(self, i, _, rest):
        self.h2.send_headers(i, [*OK, ("content-length", rest)])
        left, part = int(rest), bytes(range(256)) * 256
        while left:
            n = min(left, len(part))
            left -= n
            await self.data(i, part[:n], end=not left)

    async def serve_echo(self, i, _r, _rest):
        self.h2.send_headers(i, OK)
        self.flush()
        while (part := await self.queues[i].get()) is not None:
            await self.data(i, part)
        self.h2.send_headers(i, [("x-trailer", "kept"), ("grpc-status", "0")], end_stream=True)

    async def serve_hang(self, *_):
        self.flush()
        await asyncio.sleep(3600)

    async def serve_bad(self, i, _, rest):
        self.transport.write(BAD[rest](i))

    async def serve_flood(self, i, _, rest):
        for n in range(100000):
            self.transport.write(FLOODS[rest](i, n))
            if n % 50 == 49:
                await asyncio.sleep(0)
            await self.writable.wait()
            if self.transport.is_closing():
                return

    async def serve_refuse(self, i, _, rest):
        n = self.origin.refused[rest] = self.origin.refused.get(rest, 0) + 1
        if n <= int(rest):
            self.h2.reset_stream(i, 7)
            return
        await self.serve_bytes(i, None, "2")

    async def serve_goaway(self, i, _r, _rest):
        n = self.origin.refused["goaway"] = self.origin.refused.get("goaway", 0) + 1
        if n > 1:
            await self.serve_bytes(i, None, "2")
            return
        self.transport.write(frame(GOAWAY, 0, 0, struct.pack("!II", i - 2, 0)))

    async def serve_last(self, i, *_):
        self.transport.write(frame(GOAWAY, 0, 0, struct.pack("!II", i, 0)))
        await self.serve_bytes(i, None, "2")

    async def serve_cut(self, i, *_):
        self.h2.send_headers(i, [*OK, ("content-length", "100")])
        await self.data(i, b"some of it")
        self.transport.close()


class Server:
    def __init__(self):
        self.connections, self.requests, self.refused, self.settings, self.shut = [], [], {}, {}, False


async def _serve(port, certs, alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs + "/leaf.pem", certs + "/leaf.key")
    context.set_alpn_protocols(alpn.split(","))

    def sni(sock, name, _):
        sock.seen_name = name
    context.sni_callback = sni
    origin = Server()
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Connection(origin), "127.0.0.10", port, ssl=context, backlog=512)
    print("ready", flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        q = json.loads(line)
        answer = {}
        if q["op"] == "seen":
            answer = {"connections": origin.connections, "requests": origin.requests}
        elif q["op"] == "reset":
            origin.connections[:], origin.requests[:] = [c for c in origin.connections if not c["closed"]], []
            origin.refused.clear()
            for c in origin.connections:
                c["streams"][:] = []
        elif q["op"] == "set":
            origin.settings = {int(k): v for k, v in q.get("settings", {}).items()}
            origin.shut = q.get("shut", False)
        print(json.dumps(answer), flush=True)


class H2Origin:
    """`alpn`: what it chooses from, best first."""

    def __init__(self, arena, port, alpn="h2,http/1.1"):
        self.port = port
        self.process = subprocess.Popen([*arena.enter, "/usr/bin/python3", "-B", os.path.abspath(__file__), str(port), str(arena.folder), alpn],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the host of HTTP/2 did not start: see the lines above")

    def ask(self, op, **kw):
        self.process.stdin.write(json.dumps({"op": op, **kw}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def seen(self):
        return self.ask("seen")

    def reset(self):
        """Forgets what was recorded of requests and closed connections."""
        self.ask("reset")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG SIGTERM
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
