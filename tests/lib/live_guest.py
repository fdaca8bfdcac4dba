"""Runs in the guest of a gateway under test: many connections of all kinds that live through changes of policy. Obeys as guest.py does.

Each connection works on without pause ("steady": what every policy allows) and is asked now and then for what only some policies
allow ("probe"). What should not have happened is kept as a sentence in `faults`."""
import asyncio
import itertools
import json
import os
import random
import resource
import ssl
import struct
import sys
import traceback

import guest
import guest_h2 as h2
import ws

CALL_S = 60
faults, numbers, contexts, addresses = [], itertools.count(1), {}, {}


async def connect(host, port, ca=None, alpn=None):
    """To what DNS says for the name; it says the same as long as the gateway lives."""
    if host not in addresses:
        addresses[host] = await asyncio.to_thread(guest.address, host)
    key = ca and (ca, alpn)
    if ca and key not in contexts:
        contexts[key] = ssl.create_default_context(cafile=ca)
        if alpn:
            contexts[key].set_alpn_protocols([alpn])
    return await asyncio.wait_for(asyncio.open_connection(addresses[host], port, ssl=contexts.get(key), server_hostname=ca and host), CALL_S)


class Flow:
    """One kept connection. A kind says how it is opened and what it can do; `asks` is one thing at a time."""

    def __init__(self, what, number):
        self.what, self.number, self.lock, self.reader, self.writer, self.steady_task = what, number, asyncio.Lock(), None, None, None

    def __str__(self):
        return f"{self.what['kind']} {self.what['host']} #{self.number}"

    async def open(self):
        w = self.what
        self.reader, self.writer = await connect(w["host"], w["port"], w.get("ca"), w.get("alpn"))

    def close(self):
        if self.writer:
            self.writer.transport.abort()  # an orderly end of TLS would wait for the other side's

    async def steady(self, pace):
        await asyncio.sleep(random.random() * pace)  # paces the load; nothing waits for it
        while True:
            async with self.lock:
                try:
                    await asyncio.wait_for(self.use(), CALL_S)
                except asyncio.CancelledError:
                    raise
                except Exception as e:  # pylint: disable=broad-exception-caught
                    faults.append(f"{self}: {type(e).__name__} {e}")
                    return
            await asyncio.sleep(pace * (0.5 + random.random()))


class Http1(Flow):
    async def ask(self, method, path, body=b""):
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: {self.what['host']}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return await self.answer()

    async def answer(self):
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await self.reader.readexactly(size)
        return int(head.split(b" ")[1])

    async def use(self):
        path = f"/data/steady/{next(numbers)}"
        status = await self.ask("POST", path, b"x" * 64)
        if status != 200:
            raise ValueError(f"{status} for {path}")

    async def probe(self, path):
        """The status of what this policy may deny; a denial ends the connection, so there is another one afterwards."""
        async with self.lock:
            status = await asyncio.wait_for(self.ask("GET", path), CALL_S)
            if status != 200:
                self.close()
                await self.open()
                await asyncio.wait_for(self.use(), CALL_S)
            return status


class Http2(Flow):
    """A connection with answers that never end, and requests beside them."""

    async def open(self):
        await super().open()
        import hpack  # here, as guest_h2 does
        self.decoder, self.streams, self.next, self.ticks, self.waiting = hpack.Decoder(), {}, 1, {}, {}
        self.writer.write(h2.PREFACE + h2.frame(h2.SETTINGS))
        self.pump = asyncio.create_task(self.read())
        for _ in range(self.what["streams"]):
            self.ticks[self.send("GET", "/drip")] = 0

    def send(self, method, path, body=None):
        stream, self.next = self.next, self.next + 2
        self.writer.write(h2.frame(h2.HEADERS, h2.END_HEADERS | (0 if body else h2.END_STREAM), stream, h2.block(h2.get(self.what["host"], path, method))))
        if body:
            self.writer.write(h2.frame(h2.DATA, h2.END_STREAM, stream, body))
        return stream

    async def read(self):
        try:
            while True:
                head = await self.reader.readexactly(9)
                kind, flags, stream = struct.unpack("!BBI", head[3:])
                self.take(kind, flags, stream, await self.reader.readexactly(int.from_bytes(head[:3], "big")))
        except (OSError, asyncio.IncompleteReadError) as e:
            faults.append(f"{self}: the connection ended: {type(e).__name__}")
            for answer in self.waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("it ended"))

    def take(self, kind, flags, stream, payload):
        if kind == h2.SETTINGS and not flags & h2.ACK:
            self.writer.write(h2.frame(h2.SETTINGS, h2.ACK))
        elif kind == h2.HEADERS:
            fields = dict(self.decoder.decode(payload))
            if stream <= 2 * self.what["streams"] and fields.get(":status", "200") != "200":
                faults.append(f"{self}: {fields[':status']} for the long answer {stream}")
            if stream in self.waiting and ":status" in fields and not self.waiting[stream].done():
                self.waiting[stream].set_result(int(fields[":status"]))
        elif kind == h2.DATA and payload:
            self.ticks[stream] = self.ticks.get(stream, 0) + 1
            for s in (0, stream):
                self.writer.write(h2.frame(h2.WINDOW_UPDATE, 0, s, struct.pack("!I", len(payload))))
        elif kind in (h2.RST_STREAM, h2.GOAWAY):
            faults.append(f"{self}: {'RST_STREAM' if kind == h2.RST_STREAM else 'GOAWAY'} on {stream}: {payload.hex()}")
            if stream in self.waiting and not self.waiting[stream].done():
                self.waiting[stream].set_exception(ConnectionError("reset"))
        if kind in (h2.HEADERS, h2.DATA) and flags & h2.END_STREAM and stream <= 2 * self.what["streams"]:
            faults.append(f"{self}: the long answer {stream} ended")

    async def ask(self, method, path, body=None):
        if self.pump.done():
            raise ConnectionError("it has ended")
        stream = self.send(method, path, body)
        self.waiting[stream] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self.waiting[stream], CALL_S)
        finally:
            del self.waiting[stream]

    async def use(self):
        path = f"/data/steady/{next(numbers)}"
        status = await self.ask("POST", path, b"x" * 64)
        if status != 200:
            raise ValueError(f"{status} for {path}")

    async def probe(self, path):
        async with self.lock:
            return await self.ask("GET", path)

    def close(self):
        self.pump.cancel()
        super().close()


class Echo(Flow):
    """Bytes come back as they went: tcp mode, where the origin echoes."""

    async def use(self):
        text = b"echo %d\n" % next(numbers)
        self.writer.write(text)
        got = await self.reader.readexactly(len(text))
        if got != text:
            raise ValueError(f"{got} for {text}")

    async def gone(self):
        """The gateway ended it."""
        async with self.lock:
            try:
                return await asyncio.wait_for(self.reader.read(1), CALL_S) == b""
            except OSError:
                return True


class Tunnel(Http1, Echo):
    """Passthrough: TLS with the origin itself."""

    use = Http1.use


class Socket(Echo):
    async def open(self):
        await super().open()
        self.writer.write((f"GET {self.what['path']} HTTP/1.1\r\nHost: {self.what['host']}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           f"Sec-WebSocket-Key: {ws.KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), CALL_S)
        if b" 101 " not in head:
            raise ValueError(head[:100])

    async def use(self):
        text = b"frame %d" % next(numbers)
        self.writer.write(ws.frame(ws.TEXT, text, mask=b"\1\2\3\4"))
        frames, _ = ws.parse(await self.reader.readexactly(2 + len(text)))
        if [f[2] for f in frames] != [text]:
            raise ValueError(f"{frames} for {text}")


KINDS = {"http1": Http1, "h2": Http2, "tunnel": Tunnel, "tcp": Echo, "websocket": Socket}
flows = {}


async def open_flows(group, what, n, pace):
    """n flows of a group, each used once; `pace` 0: they then do nothing by themselves."""
    some = asyncio.Semaphore(16)

    async def begin(f):
        async with some:
            await asyncio.wait_for(f.open(), CALL_S)
            await asyncio.wait_for(f.use(), CALL_S)
    fresh = [KINDS[what["kind"]](what, i) for i in range(n)]
    await asyncio.gather(*map(begin, fresh))
    for f in fresh:
        if pace:
            f.steady_task = asyncio.create_task(f.steady(pace))
    flows[group] = fresh
    return len(fresh)


async def probe(groups, label, want, most):
    """The next request of up to `most` flows of each group; gives the paths that were asked, faults for other statuses."""
    async def one(f, path):
        try:
            status = await f.probe(path)
        except Exception as e:  # pylint: disable=broad-exception-caught
            status = f"{type(e).__name__} {e}"
        if status != want:
            faults.append(f"{f}: {status} for {path}, want {want}")
        return path
    chosen = [f for g in groups for f in random.sample(flows[g], min(most, len(flows[g])))]
    return await asyncio.gather(*(one(f, f"/toggle/{label}/{f.what['host']}/{next(numbers)}") for f in chosen))


async def ask(group, method, path):
    """The status that the group's first flow gets."""
    return await asyncio.wait_for(flows[group][0].ask(method, path), CALL_S)


async def once(what, path):
    """The status that a flow of HTTP/1.1 with one request gets, which may go on a connection that another flow has left behind."""
    f = Http1(what, 0)
    await asyncio.wait_for(f.open(), CALL_S)
    f.writer.write(f"GET {path} HTTP/1.1\r\nHost: {what['host']}\r\n\r\n".encode())
    status = await asyncio.wait_for(f.answer(), CALL_S)
    f.close()
    return status


async def gone(group):
    """All of them end; gives how many did."""
    ended = await asyncio.gather(*(f.gone() for f in flows[group]))
    for f in flows.pop(group):
        f.close()
    return sum(ended)


outcomes = {}


async def pound(group, what, n):
    """n workers send numbered requests without pause and without ever sending one again, whatever becomes of it; over HTTP/2 they share
    one connection. What is broken is opened again. See pounded()."""
    outcomes[group], shared, opening = [], {}, asyncio.Lock()

    async def of(worker):
        async with opening:
            if worker not in shared:
                shared[worker] = KINDS[what["kind"]](what, worker)
                await shared[worker].open()
            return shared[worker]

    async def work(worker):
        method = "GET" if worker % 4 == 3 else "POST"
        while True:
            number, status, f = next(numbers), None, None
            try:
                f = await of(worker)
                status = await asyncio.wait_for(f.ask(method, f"/data/{method}/{number}", b"" if method == "GET" else b"x" * 64), CALL_S)
            except (OSError, ValueError, IndexError, asyncio.IncompleteReadError, TimeoutError, asyncio.TimeoutError) as e:
                status = f"{type(e).__name__} {e}"
            outcomes[group].append([number, status])
            if status != 200 and (not f or shared.get(worker) is f):
                shared.pop(worker, None)
                if f:
                    f.close()
                await asyncio.sleep(0.02)  # the gateway may be missing for a moment
    for i in range(n):
        asyncio.create_task(work(0 if what["kind"] == "h2" else i))


async def pounded():
    """{group: [[number, status or a sentence]]} since the last call."""
    said = {g: list(o) for g, o in outcomes.items()}
    for o in outcomes.values():
        o.clear()
    return said


async def report():
    """Faults since the last call."""
    said, faults[:] = list(faults), []
    return {"faults": said[:50], "n_faults": len(said)}


async def ticks():
    """How much of each long answer has come."""
    return [f.ticks[s] for f in itertools.chain(*flows.values()) if isinstance(f, Http2) for s in range(1, 2 * f.what["streams"], 2)]


async def close_all():
    for f in itertools.chain(*flows.values()):
        if f.steady_task:
            async with f.lock:
                f.steady_task.cancel()
        f.close()
    flows.clear()


async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    lines = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    os.write(1, b'"ready"\n')
    while line := await lines.readline():
        q = json.loads(line)
        try:
            a = {"ok": await globals()[q["fn"]](*q["args"], **q["kw"])}
        except Exception:  # pylint: disable=broad-exception-caught
            a = {"trace": traceback.format_exc()}
        print(json.dumps(a), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
