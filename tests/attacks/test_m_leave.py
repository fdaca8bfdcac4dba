"""A guest that leaves while what it asked for is under way: HTTP/1 in clear and in TLS, HTTP/2; the host behind inlet, and behind outlet."""
import itertools
import select
import time

import pytest

from gateway import Gateway
from intercept_policy import SECRET, ZONE, policy

PLAIN = """\
  - name: plain
    hosts: [plain.example]
    ports: [80]
    mode: http
    protocol: rest
    access: read-only
    addresses: [127.0.0.10/32]
"""
WAYS = {"clear": ("plain.example", 80, False), "tls": ("good.example", 443, True), "outlet": ("cred.example", 443, True)}
ENDS = [("clear", "fin"), *itertools.product(("tls", "outlet"), ("fin", "notify", "end"))]
LEFT = 60  # HTTP_FLOW_LEFT_MS
number = itertools.count()


@pytest.fixture(scope="module")
def mitm(arena, build, tmp_path_factory):
    arena.zone({**ZONE, "plain.example": ZONE["good.example"]})
    text = policy(arena.ca).replace("\ncredentials:\n", "\n" + PLAIN + "credentials:\n")
    g = Gateway(arena, build, text, tmp_path_factory.mktemp("leave"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def own_answers(arena):
    arena.zone({**ZONE, "plain.example": ZONE["good.example"]})
    yield
    arena.script({})


def until(good, timeout=6.0):
    """Polls what others do, with a deadline."""
    end = time.monotonic() + timeout
    while not good() and time.monotonic() < end:
        select.select([], [], [], 0.02)
    return good()


def carrying(a, path):
    """The connection on which the origin was asked for this; whether it has ended is in it. None: it was not asked yet."""
    return next((c for c in a.seen()["connections"] if any(r["target"] == path for r in c["http"])), None)


def asked(a, path):
    assert until(lambda: carrying(a, path)), f"{path} did not come"


def left(a, path, timeout=6.0):
    assert until(lambda: carrying(a, path)["closed"], timeout), f"the host still answers {path}"


def failures(a):
    return [(e["status_code"], e["metadata"]["log_provider"]) for e in a.events() if e.get("disposition") == "Error"]


def get(host, path):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode().hex()


def ask(mitm, a, way, path):
    host, port, secure = WAYS[way]
    i = mitm.do("hold", host, port, get(host, path), secure)
    asked(a, path)
    return i


def fresh():
    return f"/hang/{next(number)}"


def flows_end(a, path):
    """Allowed once, and no more is said of it than that its connections ended."""
    assert a.ends(1, 4001)
    assert [e["disposition"] for e in a.events() if e["class_uid"] == 4002 and e["http_request"]["url"]["path"] == path] == ["Allowed"]
    assert not failures(a)


@pytest.mark.parametrize("way", WAYS)
def test_a_guest_that_resets_its_connection_leaves_the_host_at_once(mitm, way):
    path = fresh()
    with mitm.attack() as a:
        mitm.do("leave", ask(mitm, a, way, path), "reset")
        left(a, path)
        flows_end(a, path)


@pytest.mark.parametrize("way, how", ENDS)
def test_a_guest_that_ends_its_side_still_gets_its_answer(mitm, arena, way, how):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"
    path = f"/late/{next(number)}"
    arena.ask("script", script={path: {"hex": "", "pieces": [answer.hex()], "gap": 1.5}})
    with mitm.attack() as a:
        i = ask(mitm, a, way, path)
        mitm.do("leave", i, how)
        got = mitm.do("held_step", i)
        assert b"200 OK" in bytes.fromhex(got["got"]) and b"late" in bytes.fromhex(got["got"]), got
        flows_end(a, path)
        mitm.do("release", i)


@pytest.mark.parametrize("host", ["good.example", "cred.example"])
@pytest.mark.parametrize("how", ["reset", "fin", "notify", "end"])
def test_every_stream_of_a_connection_that_its_guest_ends_leaves_its_host_at_once(mitm, host, how):
    paths = [fresh() for _ in range(3)]
    with mitm.attack() as a:
        i = mitm.do("hold_h2", host, paths)
        for p in paths:
            asked(a, p)
        mitm.do("leave", i, how)
        for p in paths:
            left(a, p)
        for p in paths:
            flows_end(a, p)
        mitm.do("release", i)


@pytest.mark.parametrize("how", ["reset", "fin", "notify", "end"])
def test_a_held_body_whose_guest_leaves_is_refused_and_reaches_nobody(mitm, how):
    head = b"POST /pulls HTTP/1.1\r\nHost: json.example\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    with mitm.attack() as a:
        i = mitm.do("hold", "json.example", 443, head.hex(), True)
        mitm.do("leave", i, how)
        a.denied("guest_closed")
        mitm.do("release", i)


@pytest.mark.parametrize("host", ["good.example", "cred.example"])
@pytest.mark.parametrize("how", ["reset", "fin", "notify", "end"])
def test_an_upload_whose_guest_leaves_is_never_whole_and_one_event_of_inlet_says_so(mitm, host, how):
    head = f"POST /data/x HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\nContent-Length: 50\r\n\r\nhello".encode()
    with mitm.attack() as a:
        i = mitm.do("hold", host, 443, head.hex(), True)
        mine = lambda: [c for c in a.seen()["connections"] if c["plain"]]
        assert until(mine), "the upload did not begin"
        mitm.do("leave", i, how)
        assert until(lambda: all(c["closed"] for c in mine())), "the host still waits"
        assert until(lambda: [f for f in failures(a) if "inlet" in f[1]])
        assert [f[0] for f in failures(a) if "inlet" in f[1]] == ["guest_closed"], failures(a)
        assert not a.seen()["requests"]
        mitm.do("release", i)


@pytest.mark.slow
def test_a_guest_that_has_ended_its_side_keeps_its_place_and_its_host_for_a_minute_and_no_longer(mitm):
    with mitm.attack() as a:
        began, held = time.monotonic(), {}
        for way, how in ENDS:
            path = fresh()
            held[path] = ask(mitm, a, way, path)
            mitm.do("leave", held[path], how)
        took = time.monotonic() - began  # until the last one left
        for path in held:
            left(a, path, LEFT + 10)
        assert LEFT - 1 <= time.monotonic() - began <= LEFT + took + 8
        for i in held.values():
            got = bytes.fromhex(mitm.do("held_step", i)["got"])
            assert got.startswith(b"HTTP/1.1 504 ") and b"guest_closed" in got, got
            mitm.do("release", i)
        assert until(lambda: len(failures(a)) >= len(ENDS))
        assert [f[0] for f in failures(a)] == ["guest_closed"] * len(ENDS), failures(a)
