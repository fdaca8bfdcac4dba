"""What a guest and its hosts make the gateway hold has a ceiling (net/held.h): at it new connections are refused, what stands goes on, and when
the flood is gone memory is given back."""
import itertools
import resource
import select
import socket
import time

import pytest

from conftest import POLICY
from gateway import Gateway, closing, decision
from hostile import HostileInlet
from intercept_policy import SECRET, policy
from processes import memory, roles, ticks

pytestmark = pytest.mark.release  # resident memory means nothing under ASan
MB = 1024  # kilobytes
FLOW, HTTP = 4, 5  # kinds of events (wire/event.h)
NEW, MOST, SLACK = 384 * MB, 512 * MB, 64 * MB  # HELD_NEW, HELD_MAX; malloc's own, and what lies between buffers


@pytest.fixture(scope="module")
def mitm(arena, build, tmp_path_factory):
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("memory"), secrets={"token": SECRET}, patience=20)
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def own_answers(arena):
    yield
    arena.ask("script", script={})


REQUEST = "GET /ordinary HTTP/1.1\r\nHost: plain.example\r\n\r\n".encode().hex()


CRED = "GET /ordinary HTTP/1.1\r\nHost: cred.example\r\n\r\n".encode().hex()


def status(gw, host):
    """Of an ordinary request on a connection of its own."""
    return gw.do("http", host, f"GET /hello HTTP/1.1\r\nHost: {host}\r\n\r\n", port=443, tls=True, want=1)["statuses"]


def ordinary(gw, stands, send=None):
    """The answer to an ordinary request on a connection that stands; it comes in pieces."""
    text = ""
    while not text.endswith("}"):
        got = gw.do("held_step", stands, send)
        assert got["got"], (text, got)
        text, send = text + bytes.fromhex(got["got"]).decode(), None
    return text


def memory_below(pid, most, timeout=10):
    until = time.monotonic() + timeout
    while memory(pid) >= most and time.monotonic() < until:
        select.select([], [], [], 0.05)
    return memory(pid)


def test_answers_that_nobody_reads_fill_no_more_than_the_ceiling_and_what_stands_goes_on(gateway):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 16000:
        pytest.skip("the limit of open descriptors is low: inlet takes fewer connections than fill its memory")
    gw = gateway(POLICY)
    stands = gw.do("hold", "plain.example", 80, REQUEST)
    assert "/ordinary" in ordinary(gw, stands)
    inlet = roles(gw)["saw-inlet"]
    before = memory(inlet)
    with gw.attack() as a:
        got = gw.do("pile_up", "plain.example", "/bytes/300000", 4032)
        held = memory(inlet) - before
        print(f"{got}: {held // MB} MiB")
        late = got.pop("", 0)  # with so small a window the kernel loses a piece now and then, and waits long before it sends it again
        assert got.get("503", 0) > 0 and set(got) == {"200", "503"} and late < 8, (got, late)
        assert NEW // 2 < held < MOST + SLACK, held
        assert got["200"] < 2500, "it is memory that refuses, not the number: each holds some 190 KiB"
        answer = ordinary(gw, stands, REQUEST)
        assert answer.startswith("HTTP/1.1 200 ") and "/ordinary" in answer
        blocked = a.wait_events(lambda e: len([x for x in e if decision(x) == "Blocked"]) >= got["503"])
        # at the door, before anything was asked
        assert [(e["class_uid"], e["status_code"]) for e in blocked if decision(e) == "Blocked"] == got["503"] * [(4001, "too_many_flows")]
        assert len([e for e in blocked if e["class_uid"] == 4002 and decision(e) == "Allowed"]) == got["200"] + late + 1
        gw.do("let_go")
        assert memory_below(inlet, before + SLACK) < before + SLACK, (before, memory(inlet))
    assert roles(gw)["saw-inlet"] == inlet
    with gw.attack() as a:
        assert gw.do("http", "plain.example", "GET /after HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)["statuses"] == [200]
        a.wait_events(lambda e: [x for x in e if x["class_uid"] == 4002 and not closing(x)])
        assert not [e for e in a.events() if decision(e) == "Blocked"]


def test_a_head_that_dribbles_in_costs_what_it_fills_and_gives_it_back(mitm):
    n, size = 100, 30 * 1024
    inlet = roles(mitm)["saw-inlet"]
    mitm.do("http", "good.example", "GET /warm HTTP/1.1\r\nHost: good.example\r\n\r\n", port=443, tls=True, want=1)
    before = memory(inlet)
    assert mitm.do("dribble", "good.example", n, size) == n
    each = (memory(inlet) - before) / n
    print(f"{each:.0f} KiB a connection")
    assert size // 1024 < each < 96, f"{each:.0f} KiB a connection with a head of {size} bytes that is not whole"
    mitm.do("let_go")
    assert memory_below(inlet, before + 8 * MB) < before + 8 * MB, (before, memory(inlet))


HALF = """
import os, socket, ssl, sys, select
s = ssl.create_default_context().wrap_socket(socket.create_connection(("good.example", 443)), server_hostname="good.example")
s.sendall(b"POST /data/x HTTP/1.1\\r\\nHost: good.example\\r\\nContent-Type: text/plain\\r\\nContent-Length: 100000\\r\\n\\r\\nabc")
select.select([], [], [], 0.3)
os.write(s.fileno(), b"\\x17\\x03\\x03\\x40\\x11" + 300 * b"x")
select.select([], [], [], 2)
"""


def test_a_record_of_which_a_part_came_costs_no_time(mitm):
    inlet = roles(mitm)["saw-inlet"]
    before = ticks(inlet)
    done = mitm.do("command", ["/usr/bin/python3", "-c", HALF])
    assert done["code"] == 0, done
    assert ticks(inlet) - before < 25, f"{ticks(inlet) - before} ticks while nothing came"


# The host never ends this head, and goes on before its time for an answer is over.
LONG = {"hex": (b"HTTP/1.1 200 OK\r\n" + 30 * (b"X: " + 1000 * b"x" + b"\r\n")).hex(), "pieces": ["78"] * 9, "gap": 15}
ASK_LONG = "GET /long HTTP/1.1\r\nHost: cred.example\r\n" + 20 * ("X: " + 1000 * "x" + "\r\n") + "\r\n"


def fill(gw, arena, most, batch=32):
    """Requests for /long, as fast as the host hears of them, until one is answered."""
    for n in range(batch, most, batch):
        until = time.monotonic() + 20
        seen = arena.ask("marks")["requests"] + batch
        gw.do("ask_many", "cred.example", ASK_LONG, batch)
        while arena.ask("marks")["requests"] < seen:
            if set(gw.do("answers")) != {""}:
                return n
            assert time.monotonic() < until, f"of {n} requests some reach nobody"
            select.select([], [], [], 0.05)
    return most


def test_answers_that_never_begin_fill_outlet_alone_and_only_what_is_new_there_is_refused(mitm, arena):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 16000:
        pytest.skip("the limit of open descriptors is low: fewer connections are taken than fill outlet's memory")
    arena.ask("script", script={"/long": LONG})
    stands = mitm.do("hold", "cred.example", 443, CRED, secure=True)
    assert "/ordinary" in ordinary(mitm, stands)
    before = roles(mitm)
    inlet, outlet = (memory(before[n]) for n in ("saw-inlet", "saw-outlet"))
    with mitm.attack() as a:
        n = fill(mitm, arena, 2600)
        late = [status(mitm, "cred.example") for _ in range(10)]
        assert late == 10 * [[503]], late
        answer = ordinary(mitm, stands, CRED)
        assert answer.startswith("HTTP/1.1 200 ") and "/ordinary" in answer
        assert status(mitm, "good.example") == [200], "what does not need outlet goes on"
        got = mitm.do("answers")
        print(f"{got}: outlet {(memory(before['saw-outlet']) - outlet) // MB} MiB, inlet {(memory(before['saw-inlet']) - inlet) // MB} MiB")
        assert set(got) == {"", "503"} and sum(got.values()) == n and got["503"] <= 32, got
        assert memory(before["saw-outlet"]) - outlet < MOST
        refused = got["503"] + len(late)
        blocked = a.wait_events(lambda e: len([x for x in e if decision(x) == "Blocked"]) >= refused)
        blocked = [(e["class_uid"], e["status_code"], e["metadata"]["log_provider"]) for e in blocked if decision(e) == "Blocked"]
        assert blocked == refused * [(4001, "too_many_flows", "outlet")]
        mitm.do("vanish")
        assert memory_below(before["saw-outlet"], outlet + SLACK) < outlet + SLACK, (outlet, memory(before["saw-outlet"]))
    assert roles(mitm) == before
    with mitm.attack() as a:
        assert status(mitm, "cred.example") == [200]
        a.allowed(4002)


def refused(h, sockets, timeout=5):
    """Outlet's refusals, as soon as there is one answer for each that is not of the door."""
    until = time.monotonic() + timeout

    def answers():
        for s in sockets:
            s.setblocking(False)
            try:
                yield s.recv(12, socket.MSG_PEEK)[9:]
            except BlockingIOError:
                pass  # it waits
    while True:
        events = [(e["kind"], e["code"], e["status"], e["path"]) for e in h.events if e["action"] in ("denied", "failed")]
        got = list(answers())
        if got == len([e for e in events if e[0] == HTTP]) * [b"503"] or time.monotonic() > until:
            assert set(got) == {b"503"} and len(got) == len([e for e in events if e[0] == HTTP]), (got, events)
            return events
        select.select([], [], [], 0.05)


def asked(h, sockets, arena, batch=32):
    """Asks for /long on these connections, as fast as the host hears of it, until one is denied or there is no more; gives on how many."""
    heard, since, n = arena.ask("marks")["requests"], len(h.events), 0
    for n, s in enumerate(sockets, 1):
        s.sendall(ASK_LONG.encode())
        until = time.monotonic() + 20
        while not n % batch and arena.ask("marks")["requests"] < heard + n:
            if h.codes(since, 0):
                return n
            assert time.monotonic() < until, f"of {n} requests some reach nobody"
            select.select([], [], [], 0.05)
    return n


def test_outlet_refuses_what_is_asked_on_connections_that_stand_when_its_memory_is_nearly_out(arena, build):
    """Inlet is the test, and holds nothing: what fills outlet's memory is outlet's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 16000:
        pytest.skip("the limit of open descriptors is low: outlet takes fewer connections than fill its memory")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 16000), hard))
    arena.ask("script", script={"/long": LONG})
    with HostileInlet(arena, build, policy(arena.ca), {"token": SECRET}, patience=20) as h:
        before, flows = memory(h.process.pid), []
        ask = lambda path: f"GET {path} HTTP/1.1\r\nHost: cred.example\r\n\r\n".encode()

        def dials():  # until it is refused
            while isinstance(s := h.dial("cred.example"), socket.socket):
                s.settimeout(10)
                flows.append(s)
                yield s
            assert s == "too_many_flows"
        drips, *stand = itertools.islice(dials(), 701)
        for s in stand:
            s.sendall(ask("/ordinary"))
            assert h.read(s).startswith(b"HTTP/1.1 200 ")
        drips.sendall(ask("/drip"))
        new = asked(h, dials(), arena)
        assert h.codes(0) == ["too_many_flows"]
        assert new < 1820, "libssl's memory counts: 16 KiB of some 220 of each"
        n = asked(h, stand, arena)
        print(f"{new} at the door, {n} behind it: {(memory(h.process.pid) - before) // MB} MiB")
        assert memory(h.process.pid) - before < MOST + SLACK
        events = refused(h, flows[1:])  # before they were sent, or while their answers came
        assert events == [(FLOW, "too_many_flows", 0, "")] + (len(events) - 1) * [(HTTP, "too_many_flows", 503, "/long")]
        while select.select([drips], [], [], 0)[0]:
            assert drips.recv(65536)
        assert drips.recv(65536), "an answer that is under way goes on"
        for s in flows:
            s.close()
        assert memory_below(h.process.pid, before + SLACK) < before + SLACK, (before, memory(h.process.pid))
        assert h.ask("cred.example", ask("/after")).startswith(b"HTTP/1.1 200 ")
