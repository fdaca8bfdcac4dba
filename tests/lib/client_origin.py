"""An origin for stock clients: files, git's own http-backend, events that wait for their reader, WebSocket echo, a page for a browser.

A program: client_origin.py ADDRESS PORT CERTIFICATE KEY FOLDER. Below FOLDER: `www/<host>/<path>` are files (a name in a path that holds %2f is the
folder's own), `git/<path>.git` repositories; each request is a line of JSON in `record` before it is answered."""
import collections
import hashlib
import http.server
import json
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import urllib.parse

import ws

CHUNK = 1 << 16


class World:
    """What all connections share."""

    def __init__(self, folder):
        self.folder, self.lock = pathlib.Path(folder), threading.Condition()
        self.out = open(self.folder / "record", "a", encoding="utf-8")
        self.read = collections.Counter()  # events that a reader of /events/<who> said to have

    def record(self, **what):
        with self.lock:
            self.out.write(json.dumps(what) + "\n")
            self.out.flush()

    def seen(self, who):
        with self.lock:
            self.read[who] += 1
            self.lock.notify_all()

    def wait(self, who, n):
        with self.lock:
            return self.lock.wait_for(lambda: self.read[who] >= n, 60)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world = None

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass

    def pieces(self):
        """The request's body, in pieces."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                while size:
                    part = self.rfile.read(min(size, CHUNK))
                    size -= len(part)
                    yield part
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return
        left = int(self.headers.get("Content-Length", 0))
        while left and (part := self.rfile.read(min(left, CHUNK))):
            left -= len(part)
            yield part

    def body(self, into=None):
        digest, n = hashlib.sha256(), 0
        for part in self.pieces():
            digest.update(part)
            n += len(part)
            if into:
                into.write(part)
        self.world.record(host=self.headers.get("Host"), method=self.command, target=self.path, fields={k.lower(): v for k, v in self.headers.items()}, bytes=n,
                          sha256=digest.hexdigest())
        return n, digest.hexdigest()

    def answer(self, status, body=b"", kind="application/json", **fields):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for k, v in fields.items():
            self.send_header(k, v)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def any(self):
        path, _, query = self.path.partition("?")
        if ".git/" in path:
            return self.git(urllib.parse.unquote(path), query)
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.websocket()
        n, digest = self.body()
        first, _, rest = path[1:].partition("/")
        if first == "events":
            return self.events(rest)
        if first == "seen":
            self.world.seen(rest)
            return self.answer(200, b"{}")
        if first in ("echo", "data"):
            return self.answer(200, json.dumps({"path": self.path, "method": self.command, "bytes": n, "sha256": digest}).encode())
        return self.file(path)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = any  # noqa: N815

    def file(self, path):
        top = self.world.folder / "www" / self.headers.get("Host", "").split(":")[0]
        names = [urllib.parse.unquote(p.replace("%2f", "%252f").replace("%2F", "%252f")) for p in path.split("/")]
        at = top.joinpath(*[n for n in names if n])
        at = at / "index" if at.is_dir() else at
        if ".." in names or not at.is_file():
            return self.answer(404, b"{}")
        kinds = {".html": "text/html", ".json": "application/json", "": "text/html"}
        return self.answer(200, at.read_bytes(), kinds.get(at.suffix, "application/octet-stream"))

    def events(self, who):
        """The next event is sent when its reader said that it has the one before: what holds events back stops this for good."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(1, 6):
            self.chunk(b"data: %d\n\n" % i)
            if not self.world.wait(who, i):
                self.close_connection = True
                return
        self.wfile.write(b"0\r\n\r\n")

    def websocket(self):
        self.body()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", ws.accept(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        self.close_connection, data = True, b""
        while got := self.rfile.read1(CHUNK):
            frames, data = ws.parse(data + got)
            for opcode, fin, payload, _ in frames:
                self.wfile.write(ws.frame(ws.PONG if opcode == ws.PING else opcode, payload, fin))
                if opcode == ws.CLOSE:
                    return

    def git(self, path, query):
        env = {"GIT_PROJECT_ROOT": str(self.world.folder / "git"), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
               "REQUEST_METHOD": self.command, "REMOTE_USER": "tester", "REMOTE_ADDR": "127.0.0.1", "PATH": os.environ["PATH"],
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
               "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
               "GIT_CONFIG_KEY_1": "http.receivepack", "GIT_CONFIG_VALUE_1": "true", "HOME": str(self.world.folder),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", "")}
        if "Content-Length" in self.headers:
            env["CONTENT_LENGTH"] = self.headers["Content-Length"]
        with subprocess.Popen(["git", "http-backend"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
            threading.Thread(target=self.feed, args=[p.stdin], daemon=True).start()
            status = 200
            fields = []
            while line := p.stdout.readline().strip():
                key, _, value = line.decode("latin-1").partition(": ")
                if key == "Status":
                    status = int(value.split()[0])
                else:
                    fields.append((key, value))
            self.send_response(status)
            for key, value in fields:
                self.send_header(key, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while part := p.stdout.read1(CHUNK):
                self.chunk(part)
            self.wfile.write(b"0\r\n\r\n")

    def feed(self, to):
        try:
            self.body(to)
            to.close()
        except BrokenPipeError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128

    def __init__(self, where, context):
        self.context = context
        super().__init__(where, Handler)

    def server_bind(self):
        """Beside the arena's own origin, which has all addresses."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def finish_request(self, request, client_address):
        """In the connection's own thread."""
        try:
            with self.context.wrap_socket(request, server_side=True) as tls:
                super().finish_request(tls, client_address)
        except OSError:
            pass


def main(address, port, certificate, key, folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    Handler.world = World(folder)
    with Server((address, int(port)), context) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("ready", flush=True)
        sys.stdin.read()  # ends with the test run


if __name__ == "__main__":
    main(*sys.argv[1:])
