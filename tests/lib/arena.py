"""A network of our own for attack tests: a namespace with an origin and a resolver that record everything.

As a program it is the server inside the namespace; `Arena` is the client that tests hold. The origin stands for every host of the
world and the resolver for the gateway's upstream; both live on loopback addresses, which a `lab: true` policy lists. 198.51.100.0/24 is
local too, so that a forbidden connection is recorded instead of leaving.

    origin   127.0.0.10 (permitted by the tests' policies), 127.0.0.66 and 198.51.100.66 (never permitted)
    resolver 127.0.0.53:53, UDP and TCP
"""
import asyncio
import ctypes
import fcntl
import hashlib
import json
import os
import pathlib
import resource
import socket
import ssl
import struct
import subprocess
import sys

import ws

GOOD, FORBIDDEN, RESOLVER = "127.0.0.10", "127.0.0.66", "127.0.0.53"
PLAIN_PORTS = (22, 25, 80, 8080, 5432, 853)
TLS_PORTS = (443,)


# ---- server side -------------------------------------------------------------------------------------------------

def _loopback_up():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
    # RTM_NEWROUTE local 198.51.100.0/24 dev lo: what a bug would dial is recorded by our own listener
    n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    n.bind((0, 0))
    attrs = struct.pack("HH4s", 8, 1, socket.inet_aton("198.51.100.0")) + struct.pack("HHI", 8, 4, socket.if_nametoindex("lo"))
    body = struct.pack("BBBBBBBBI", socket.AF_INET, 24, 0, 0, 255, 4, 254, 2, 0) + attrs
    n.send(struct.pack("IHHII", 16 + len(body), 24, 0x5 | 0x400 | 0x200, 1, 0) + body)
    code = struct.unpack("i", n.recv(4096)[16:20])[0]
    if code not in (0, -17):
        raise OSError(-code, "local route for 198.51.100.0/24")


class Origin:
    """Records connections and bytes; answers HTTP by path, echoes otherwise."""

    def __init__(self, context):
        self.context, self.connections, self.script, self.requests = context, [], {}, []
        self.seen = asyncio.Condition()

    async def start(self):
        for port in PLAIN_PORTS:
            await asyncio.start_server(lambda r, w, p=port: self.plain(r, w, p), "0.0.0.0", port, backlog=512)
        for port in TLS_PORTS:
            # another origin may take an address of its own
            await asyncio.start_server(lambda r, w, p=port: self.tls(r, w, p), "0.0.0.0", port, backlog=512, reuse_port=True)

    def record(self, writer, port):
        c = {"port": port, "local": writer.get_extra_info("sockname")[0], "raw": bytearray(), "http": [], "sni": None, "closed": False, "plain": 0}
        self.connections.append(c)
        return c

    def kept(self):
        """Where the open connections stand: a request may come on one of them."""
        return {i: [c["plain"], len(c["raw"]), len(c["http"])] for i, c in enumerate(self.connections) if not c["closed"]}

    def since(self, first, kept):
        """What came on connections of before, and the new ones."""
        grown = [dict(self.connections[int(i)], raw=self.connections[int(i)]["raw"][raw:], http=self.connections[int(i)]["http"][http:])
                 for i, (plain, raw, http) in kept.items() if self.connections[int(i)]["plain"] > plain]
        return [dict(c, raw=c["raw"][:70000].hex()) for c in grown + self.connections[first:]]

    async def plain(self, reader, writer, port):
        c = self.record(writer, port)
        try:
            if port in (80, 8080):
                await self.http(reader, writer, c)
            else:
                if port in (22, 25):
                    writer.write(b"220 banner\r\n")
                while data := await reader.read(65536):
                    c["raw"] += data
                    writer.write(data)
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        c["closed"] = True
        writer.close()

    async def tls(self, reader, writer, port):
        """Keeps the raw first flight, then speaks TLS over memory BIOs so that both are recorded."""
        c = self.record(writer, port)
        inc, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(inc, out, server_side=True)
        plain = asyncio.StreamReader(limit=1 << 22)

        class Out:
            def write(self, data):
                view = memoryview(bytes(data))
                while view:
                    view = view[tls.write(view):]
                    writer.write(out.read())

            async def drain(self):
                await writer.drain()

        async def pump():
            shaken = False
            while data := await reader.read(65536):
                if len(c["raw"]) < 65536:
                    c["raw"] += data
                inc.write(data)
                try:
                    if not shaken:
                        tls.do_handshake()
                        shaken = True
                        c["sni"] = getattr(tls, "seen_name", None)
                    while True:
                        got = tls.read(65536)
                        if not got:
                            break
                        plain.feed_data(got)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError:
                    break
                finally:
                    writer.write(out.read())

        async def pump_all():
            try:
                await pump()
            except ConnectionError:
                pass
            plain.feed_eof()

        task = asyncio.create_task(pump_all())
        try:
            await self.http(plain, Out(), c)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        writer.close()
        await task
        c["closed"] = True

    async def http(self, reader, writer, c):
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = await reader.readline()
                if not line:
                    return
                head += line
                c["raw"] += line
                c["plain"] += len(line)
            lines = head.decode("latin-1").split("\r\n")
            method, target, _ = (lines[0].split(" ") + ["", ""])[:3]
            fields = [l.split(":", 1) for l in lines[1:] if ":" in l]
            fields = [(k.strip().lower(), v.strip()) for k, v in fields]
            get = dict(fields).get
            body = b""
            if get("transfer-encoding") == "chunked":
                while size := int((await reader.readline()).split(b";")[0], 16):
                    body += await reader.readexactly(size)
                    await reader.readline()
                while (await reader.readline()).strip():
                    pass
            elif get("content-length"):
                n, h = int(get("content-length")), hashlib.sha256()
                while n:
                    part = await reader.read(min(n, 1 << 20))
                    if not part:
                        return
                    h.update(part)
                    n -= len(part)
                    body = body + part if len(body) < 1 << 20 else body
                c["body_sha256"] = h.hexdigest()
            c["http"].append({"method": method, "target": target, "fields": fields, "body": body[:65536].decode("latin-1"),
                              "line": lines[0]})
            self.requests.append({**c["http"][-1], "body_sha256": c.get("body_sha256")})  # on whatever connection: some are kept from before
            if (get("upgrade") or "").lower() == "websocket":
                await ws.serve(reader, writer, c, dict(fields))
                return
            if target.startswith("/hang"):  # until nobody waits any more
                while await reader.read(65536):
                    pass
                return
            if not await self.answer(method, target, writer, c):
                return

    async def answer(self, method, target, w, c):
        if target in self.script:
            says = self.script[target]  # of now: another test may have its own soon
            w.write(bytes.fromhex(says["hex"]))
            await w.drain()
            for piece in says.get("pieces", ()):
                await asyncio.sleep(says.get("gap", 0.2))
                w.write(bytes.fromhex(piece))
                await w.drain()
            return not says.get("close")
        if target.startswith("/bytes/"):
            n = int(target.rsplit("/", 1)[1])
            w.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n)
            block = bytes(range(256)) * 256
            while n and method != "HEAD":
                part = block[:min(n, len(block))]
                w.write(part)
                await w.drain()
                n -= len(part)
            return True
        if target == "/events":
            w.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for i in range(5):
                event = b"data: %d\n\n" % i
                w.write(b"%x\r\n%s\r\n" % (len(event), event))
                await w.drain()
                await asyncio.sleep(0.2)
            w.write(b"0\r\n\r\n")
            return True
        if target == "/drip":
            w.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:  # until nobody takes it any more
                w.write(b"9\r\ndata: x\n\n\r\n")
                await w.drain()
                await asyncio.sleep(1)
        body = json.dumps({"path": target, "n": len(c["http"])}).encode()
        w.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        if method != "HEAD":
            w.write(body)
        await w.drain()
        return True


class Resolver(asyncio.DatagramProtocol):
    """Answers from a table {name: [records]}; a record is {"a": ip} {"aaaa": ip} {"cname": name} or a dishonesty {"lie": kind}."""

    def __init__(self):
        self.zone, self.queries = {}, []

    async def start(self):
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(RESOLVER, 53))
        await asyncio.start_server(self.tcp, RESOLVER, 53)

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        for answer in self.reply(data, "udp"):
            self.transport.sendto(answer, addr)

    async def tcp(self, reader, writer):
        try:
            n = struct.unpack("!H", await reader.readexactly(2))[0]
            for answer in self.reply(await reader.readexactly(n), "tcp"):
                writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    def reply(self, data, proto):
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += data[at] + 1
        name, (qtype,) = ".".join(labels).lower(), struct.unpack("!H", data[at + 1:at + 3])
        question = data[12:at + 5]
        self.queries.append({"name": name, "type": qtype, "proto": proto})
        records = self.zone.get(name)
        if records is None:
            for k, v in self.zone.items():
                if k.startswith("*.") and name.endswith(k[1:]):
                    records = v
        lie = next((r["lie"] for r in records or [] if "lie" in r), None)
        if lie == "silent" or (lie == "silent_udp" and proto == "udp"):
            return []
        rcode = 3 if records is None else 2 if lie == "servfail" else 0
        answers, owner = b"", b"\xc0\x0c"
        n = 0
        todo, hops, at_name = list(records or []), 0, name
        while todo:
            r = todo.pop(0)
            if "cname" in r:
                target = b"".join(bytes([len(l)]) + l.encode() for l in r["cname"].split(".")) + b"\0"
                answers += owner + struct.pack("!HHIH", 5, 1, 60, len(target)) + target
                owner, n, hops, at_name = target, n + 1, hops + 1, r["cname"]
                if hops < 32:
                    todo = list(self.zone.get(at_name, [])) + todo
            elif "a" in r and qtype == 1:
                answers += owner + struct.pack("!HHIH", 1, 1, r.get("ttl", 60), 4) + socket.inet_aton(r["a"])
                n += 1
            elif "aaaa" in r and qtype == 28:
                answers += owner + struct.pack("!HHIH", 28, 1, r.get("ttl", 60), 16) + socket.inet_pton(socket.AF_INET6, r["aaaa"])
                n += 1
        ident, flags = data[:2], 0x8180 | rcode
        if lie == "wrong_id":
            ident = bytes([data[0] ^ 0x55, data[1]])
        if lie == "wrong_question":
            question = b"\x05wrong\x07example\0" + question[-4:]
        if lie in ("truncated", "truncated_always") and (proto == "udp" or lie == "truncated_always"):
            flags, answers, n = flags | 0x200, b"", 0
        out = ident + struct.pack("!HHHHH", flags, 1, n, 0, 0) + question + answers
        if lie == "cut":
            out = out[:-3]
        if lie == "garbage":
            out = os.urandom(40)
        return [out]


async def _serve(path, certs):
    _loopback_up()
    # what a gateway here reads as the host's resolver; the mount ends with the namespace
    subprocess.run(["mount", "--bind", certs + "/resolv.conf", os.path.realpath("/etc/resolv.conf")], check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs + "/leaf.pem", certs + "/leaf.key")

    bad = {}
    for name in ("expired", "self"):
        bad[name + ".example"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        bad[name + ".example"].load_cert_chain(f"{certs}/{name}.pem", certs + "/leaf.key")

    def sni(sock, name, _):
        sock.seen_name = name
        sock.context = bad.get(name, context)
    context.sni_callback = sni
    origin, resolver = Origin(context), Resolver()
    await origin.start()
    await resolver.start()

    async def rpc(reader, writer):
        while line := await reader.readline():
            q = json.loads(line)
            if q["op"] == "zone":
                resolver.zone = q["zone"]
                a = {}
            elif q["op"] == "script":
                origin.script = q["script"]
                a = {}
            elif q["op"] == "marks":
                a = {"connections": len(origin.connections), "queries": len(resolver.queries), "requests": len(origin.requests),
                     "kept": origin.kept()}
            elif q["op"] == "since":
                a = {"connections": origin.since(q["connections"], q.get("kept", {})),
                     "queries": resolver.queries[q["queries"]:], "requests": origin.requests[q.get("requests", 0):]}
            elif q["op"] == "raw_lengths":
                a = {"lengths": [len(c["raw"]) for c in origin.connections]}
            writer.write(json.dumps(a).encode() + b"\n")
            await writer.drain()
        writer.close()

    await asyncio.start_unix_server(rpc, path, limit=1 << 26)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # ends with the test run


# ---- client side -------------------------------------------------------------------------------------------------

class Arena:
    """Start once per session. `enter` is the command prefix that runs something inside, as the user that runs the tests;
    `enter_with_resolv_conf` also shows it the arena's /etc/resolv.conf (and none of the mounts made later)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ca = make_certificates(self.folder)
        path = self.folder / "arena.sock"
        self.resolv_conf = self.folder / "resolv.conf"
        self.resolv_conf.write_text(f"nameserver {RESOLVER}\noptions timeout:1 attempts:1\n")
        root = os.geteuid() == 0
        unshare = ["unshare", "-nm", "--propagation", "slave"] if root else ["unshare", "-Urnm", "--propagation", "slave"]
        self.process = subprocess.Popen([*unshare, sys.executable, "-B", __file__, str(path), str(self.folder)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the arena did not start: see the lines above")
        def enter(*more):
            at = ["nsenter", "-t", str(self.process.pid), "-n", *more]
            return at if root else [*at, "-U", "--preserve-credentials", "unshare", "-U", "--map-user=1000", "--map-group=1000"]
        self.enter, self.enter_with_resolv_conf = enter(), enter("-m")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self.stream = self.sock.makefile("rw")

    def ask(self, op, **kw):
        self.stream.write(json.dumps({"op": op, **kw}) + "\n")
        self.stream.flush()
        return json.loads(self.stream.readline())

    def zone(self, zone):
        self.ask("zone", zone=zone)

    def script(self, answers):
        """{target: bytes or (bytes, close)}: raw answers of the origin's HTTP side."""
        self.ask("script", script={t: {"hex": (a if isinstance(a, bytes) else a[0]).hex(), "close": not isinstance(a, bytes)}
                                   for t, a in answers.items()})

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def make_certificates(folder):
    """A test CA and one leaf for all test names; gives the CA's path."""
    ca, leaf = folder / "ca.pem", folder / "leaf.pem"
    names = ("good.example,pass.example,plain.example,*.wild.example,evil.example,cred.example,json.example,git.example,many.example,ssh.example,api.model.test,next.model.test").split(",")
    run = lambda *a: subprocess.run(a, check=True, capture_output=True)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
        "/CN=test CA", "-keyout", str(folder / "ca.key"), "-out", str(ca))
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=good.example",
        "-keyout", str(folder / "leaf.key"), "-out", str(folder / "leaf.csr"))
    ext = folder / "ext"
    ext.write_text("subjectAltName=" + ",".join(f"DNS:{n}" for n in names) + "\n")
    run("openssl", "x509", "-req", "-in", str(folder / "leaf.csr"), "-CA", str(ca), "-CAkey", str(folder / "ca.key"), "-days", "30",
        "-extfile", str(ext), "-out", str(leaf), "-CAcreateserial")
    bad_certificates(folder, run)
    return ca


def bad_certificates(folder, run):
    """With the leaf's key: for expired.example one that ended as it was made, for self.example one that signs itself."""
    ext = folder / "bad.ext"
    ext.write_text("subjectAltName=DNS:expired.example\n")
    run("openssl", "x509", "-req", "-in", str(folder / "leaf.csr"), "-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"),
        "-days", "0", "-extfile", str(ext), "-out", str(folder / "expired.pem"), "-CAcreateserial")
    run("openssl", "req", "-x509", "-key", str(folder / "leaf.key"), "-days", "30", "-subj", "/CN=self.example", "-addext",
        "subjectAltName=DNS:self.example", "-out", str(folder / "self.pem"))


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG SIGTERM
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))
