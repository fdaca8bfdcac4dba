"""Hosts that speak HTTP/2, honest and not: the short way and through outlet, for guests of either protocol."""
import ctypes
import hashlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import time

import pytest

from gateway import Gateway
from h2_origin import BAD, FLOODS, H2Origin
from hostile import HostileInlet
from intercept_policy import GOOD, SECRET
from processes import memory, roles, stray

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
PORT, OLD_PORT, GRPC_PORT, NGHTTPD_PORT, FEW_PORT = 9443, 9444, 9445, 9446, 9447  # a host that prefers HTTP/2, one of HTTP/1.1 only, and real ones
HOSTS = ("good.example", "cred.example")
WAYS = ("--http1.1", "--http2")
ENTRY = """\
  - name: {name}
    hosts: [{name}.example]
    ports: [9443, 9444, 9445, 9446, 9447]
    mode: intercept
    protocol: rest
{more}    addresses: [127.0.0.10/32]
    ca: |
{ca}
    rules:
      - {{class: read, methods: [GET, HEAD], paths: ["/**"]}}
      - {{class: write, methods: [POST, PUT, DELETE], paths: ["/**"]}}
      - {{deny: true, methods: [POST], paths: ["/saw.test.v1.Echo/Denied"]}}
"""


def policy(ca):
    ca = "".join(f"      {line}\n" for line in open(ca, encoding="ascii").read().splitlines()).rstrip("\n")
    return "version: 1\nname: hosts-of-http2\nlab: true\nverdicts: {read: allow, write: allow}\nnetwork:\n" + \
        ENTRY.format(name="good", more="", ca=ca) + ENTRY.format(name="cred", more="    credential: token\n", ca=ca) + \
        'credentials:\n  token: {inject: {header: Authorization, format: "Bearer {}"}, hosts: [cred.example], paths: ["/**"]}\n'


@pytest.fixture(scope="module")
def origin(arena):
    o = H2Origin(arena, PORT)
    yield o
    o.stop()


@pytest.fixture(scope="module")
def old_origin(arena):
    o = H2Origin(arena, OLD_PORT, "http/1.1")
    yield o
    o.stop()


@pytest.fixture(scope="module")
def gw(arena, build, tmp_path_factory, origin, old_origin):
    arena.zone({h: GOOD for h in HOSTS})
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("h2hosts"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def fresh(arena, origin, old_origin):
    arena.zone({h: GOOD for h in HOSTS})
    origin.reset()
    old_origin.reset()


def curl(gw, *args, host="good.example", path="/x", port=PORT, wait=60):
    return gw.do("command", ["curl", "-sS", "-m", str(wait), *args, f"https://{host}:{port}{path}"], wait=wait + 5)


def digest(n):
    part = bytes(range(256)) * 256
    return hashlib.sha256((part * (n // len(part) + 1))[:n]).hexdigest()


def field(request, name):
    return [v for n, v in request["fields"] if n == name]


def used(origin):
    """Connections that carried a request, oldest first."""
    return [c for c in origin.seen()["connections"] if c["streams"]]


def by_path(origin):
    """Path -> which of the used connections, and what it was authenticated with."""
    return {field(s, ":path")[0]: (i, field(s, "authorization")[0]) for i, c in enumerate(used(origin)) for s in c["streams"]}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_guest_of_either_protocol_reaches_a_host_of_http2(gw, origin, host, way):
    with gw.attack() as a:
        done = curl(gw, way, "-w", " %{http_version}", host=host)
        assert json.loads(done["out"].rsplit(" ", 1)[0])["path"] == "/x", done
        assert done["out"].endswith(" 2" if way == "--http2" else " 1.1"), "the guest's protocol is its own affair"
        a.allowed(4002)
    (request,) = origin.seen()["requests"]
    assert request["fields"][:4] == [[":method", "GET"], [":scheme", "https"], [":authority", f"{host}:{PORT}"], [":path", "/x"]]
    assert field(request, "authorization") == ([f"Bearer {SECRET}"] if host == "cred.example" else [])
    assert not {"connection", "host", "te", "transfer-encoding"} & {n for n, _ in request["fields"]}, request


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_guest_of_either_protocol_reaches_a_host_of_http1(gw, old_origin, host, way):
    assert json.loads(curl(gw, way, host=host, port=OLD_PORT)["out"])["path"] == "/x"
    assert [c["alpn"] for c in old_origin.seen()["connections"] if c["streams"]] == ["http/1.1"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("way", WAYS)
def test_large_bodies_arrive_whole_both_ways(gw, origin, host, way):
    n = 2_000_000
    done = gw.do("command", ["sh", "-c", f"curl -sS {way} https://{host}:{PORT}/bytes/{n} | sha256sum"])
    assert done["out"].split()[0] == digest(n), done
    done = gw.do("command", ["sh", "-c", f"head -c {n} /dev/zero | "
                             f"curl -sS {way} -T - -X POST https://{host}:{PORT}/echo | sha256sum"])
    assert done["out"].split()[0] == hashlib.sha256(bytes(n)).hexdigest(), done
    assert [r["n"] for r in origin.seen()["requests"]] == [0, n]


@pytest.mark.parametrize("host", HOSTS)
def test_trailers_pass_both_ways(gw, origin, host):
    got = gw.do("h2", host, [{"fields": [[":method", "POST"], [":scheme", "https"], [":authority", f"{host}:{PORT}"], [":path", "/echo"],
                                         ["content-type", "application/grpc"], ["te", "trailers"]],
                              "body": "hello", "trailers": [["x-sum", "5"]]}], port=PORT)
    s = got["streams"]["1"]
    assert s["status"] == 200 and s["body"] == "hello" and ["grpc-status", "0"] in s["fields"] and ["x-trailer", "kept"] in s["fields"], got
    (request,) = origin.seen()["requests"]
    assert request["trailers"] == [["x-sum", "5"]] and field(request, "te") == ["trailers"], request


def parallel(host, n, port=PORT):
    return [{"fields": [[":method", "GET"], [":scheme", "https"], [":authority", f"{host}:{port}"], [":path", f"/x{i}"]]} for i in range(n)]


@pytest.mark.parametrize("host", HOSTS)
def test_l5_a_hundred_parallel_streams_share_one_connection(gw, origin, host):
    got = gw.do("h2", host, parallel(host, 100), port=PORT, at_once=True)
    assert len(got["streams"]) == 100 and all(s["status"] == 200 for s in got["streams"].values()), got
    paths = [json.loads(s["body"])["path"] for _, s in sorted(got["streams"].items(), key=lambda s: int(s[0]))]
    assert paths == [f"/x{i}" for i in range(100)], "an answer went to another request"
    assert [len(c["streams"]) for c in used(origin)] == [100]


def test_a_connection_is_never_shared_between_names(gw, origin):
    for host in HOSTS * 2:
        assert curl(gw, host=host)["code"] == 0
    for c in origin.seen()["connections"]:
        assert {field(s, ":authority")[0] for s in c["streams"]} <= {f"{c['sni']}:{PORT}"}, c
    assert len(used(origin)) == 2


@pytest.mark.parametrize("host,kind", [("good.example", k) for k in BAD] + [("cred.example", k) for k in ("line-end-in-value", "two-lengths", "reset")])
def test_e27_e28_a_malformed_answer_is_502_for_its_request_alone(gw, origin, host, kind):
    with gw.attack() as a:
        done = curl(gw, "-w", " %{http_code}", host=host, path=f"/bad/{kind}")
        assert done["out"].endswith(" 502") and "Injected" not in done["out"], done
        events = a.wait_events(lambda e: [x for x in e if x["disposition"] == "Error"])
        want = "upstream_closed" if kind == "reset" else "malformed_upstream"
        assert [e["status_code"] for e in events if e["disposition"] == "Error"] == [want], events
    assert len(origin.seen()["requests"]) == 1, "it was sent again"
    assert curl(gw, host=host)["code"] == 0


@pytest.mark.parametrize("host,kind", [("good.example", k) for k in FLOODS] + [("cred.example", k) for k in ("ping", "push-promise", "garbage")])
def test_f6_a_host_that_floods_is_left(gw, origin, sanitized, host, kind):
    role = roles(gw)["saw-inlet" if host == "good.example" else "saw-outlet"]
    before = memory(role)
    with gw.attack() as a:
        done = curl(gw, "-w", " %{http_code}", host=host, path=f"/flood/{kind}")
        assert done["out"].endswith(" 502") or done["code"] != 0, done
        events = a.wait_events(lambda e: [x for x in e if x["disposition"] == "Error"])
        assert [e["status_code"] for e in events if e["disposition"] == "Error"] == ["malformed_upstream"], events
    assert sanitized or memory(role) - before < 8 * 1024, "memory grew with the flood"
    assert curl(gw, host=host)["code"] == 0, "the next request is served by a new connection"


@pytest.mark.parametrize("host", HOSTS)
def test_f6_streams_that_the_guest_spoils_reach_the_host_so_often_only(gw, origin, host):
    """200 at once and ten a second (net/h2_budget.h), and those that are under way at the end."""
    began = time.monotonic()
    with gw.attack() as a:
        got = gw.do("h2_spoil", host, PORT, "/echo", 600)
        assert got["goaway"] == 11 and got["sent"] < 600, (got["goaway"], got["closed"], got["sent"])
        events = a.wait_events(lambda e: [x for x in e if x["disposition"] == "Blocked"])
        assert [e["status_code"] for e in events if e["disposition"] == "Blocked"] == ["h2_flood"], events
        most = 1 + 200 + 50 + 10 * (time.monotonic() - began)
        assert 200 <= len(origin.seen()["requests"]) <= most, (len(origin.seen()["requests"]), most)
    assert curl(gw, host=host)["code"] == 0


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind,reason", [("short", "malformed_h2"), ("long", "malformed_h2"), ("reset", "guest_closed")])
def test_f3_a_request_that_goes_already_and_breaks_off_is_on_record_with_its_reason(gw, origin, host, kind, reason):
    with gw.attack() as a:
        got = gw.do("h2_break_off", host, PORT, "/echo", kind)
        assert got["streams"]["1"]["status"] == 200, got
        of_inlet = lambda e: [x["status_code"] for x in e if x["disposition"] == "Error" and "inlet" in x["metadata"]["log_provider"]]
        events = a.wait_events(of_inlet)
        codes = of_inlet(events)
        assert codes == [reason], events
    assert curl(gw, host=host)["code"] == 0


def test_a_request_that_its_credential_carries_over_the_limits_is_refused_and_not_on_record_as_sent(gw, origin):
    """Host, User-Agent and Accept are curl's own."""
    fields = lambda n: [a for i in range(n) for a in ("-H", f"X-{i}: y")]
    with gw.attack() as a:
        done = curl(gw, "--http1.1", *fields(97), "-w", " %{http_code}", host="cred.example")
        assert done["out"].endswith(" 502") and "headers_too_large" in done["out"], done
        a.denied("headers_too_large", touched=True)
    assert not origin.seen()["requests"]
    assert curl(gw, "--http1.1", "-f", *fields(96), host="cred.example")["code"] == 0


# ---- many flows, one connection ----------------------------------------------------------------------------------

@pytest.mark.parametrize("host", HOSTS)
def test_twenty_guests_of_http1_at_once_make_one_connection(gw, origin, host):
    done = gw.do("command", ["curl", "-sS", "-Z", "--parallel-immediate", "--parallel-max", "20", "--http1.1", "-o", "/dev/null",
                             f"https://{host}:{PORT}/p[1-20]"])
    assert done["code"] == 0, done
    assert [len(c["streams"]) for c in used(origin)] == [20]


def test_a_host_that_allows_few_streams_gets_few_at_once(arena, gw):
    few = H2Origin(arena, FEW_PORT)
    try:
        few.ask("set", settings={3: 4})  # SETTINGS_MAX_CONCURRENT_STREAMS
        got = gw.do("h2", "good.example", parallel("good.example", 30, port=FEW_PORT), port=FEW_PORT, at_once=True)
        assert len(got["streams"]) == 30 and all(s["status"] == 200 for s in got["streams"].values()), got
        assert max(c["at_once"] for c in few.seen()["connections"]) <= 4
    finally:
        few.stop()


def test_who_came_before_the_hosts_settings_does_not_wait_for_the_only_stream_that_they_allow(arena, gw):
    one = H2Origin(arena, FEW_PORT)
    try:
        one.ask("set", settings={3: 1})
        streams = parallel("good.example", 2, port=FEW_PORT)
        streams[0]["fields"][3][1] = "/hang"
        got = gw.do("h2", "good.example", streams, port=FEW_PORT, at_once=True, timeout=5)
        assert got["streams"].get("3", {}).get("status") == 200, got
    finally:
        one.stop()


def test_a_guest_that_reads_slowly_holds_little(gw, origin, sanitized):
    role = roles(gw)["saw-inlet"]
    before = memory(role)
    done = gw.do("command", ["sh", "-c", f"for i in $(seq 16); do curl -sS -m 3 --limit-rate 1000 -o /dev/null https://good.example:{PORT}/bytes/50000000 & done; wait"])
    assert done["code"] == 0, done
    assert sanitized or memory(role) - before < 12 * 1024, "memory grew with what nobody reads"
    assert origin.seen()["requests"] and curl(gw)["code"] == 0


def test_a_host_that_opens_no_window_gets_little_and_holds_up_nobody(gw, origin, sanitized):
    role = roles(gw)["saw-inlet"]
    before = memory(role)
    origin.ask("set", shut=True)
    try:
        curl(gw, "-X", "POST", "-H", "Expect:", "--data-binary", "@/usr/bin/python3", path="/echo", wait=2)
    finally:
        origin.ask("set")
    (request,) = origin.seen()["requests"]
    assert 0 < request["n"] <= 65535, request["n"]
    assert sanitized or memory(role) - before < 4 * 1024
    assert curl(gw)["code"] == 0


# ---- what a host may say instead of an answer ----------------------------------------------------------------------

@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/refuse/1", "/goaway"])
@pytest.mark.parametrize("args", [(), ("-X", "POST", "-d", "hello")], ids=["GET", "POST"])
def test_what_the_host_says_it_did_not_process_is_sent_once_more(gw, origin, host, path, args):
    with gw.attack() as a:
        curl(gw, host=host)
        done = curl(gw, *args, "-w", " %{http_code}", host=host, path=path)
        assert done["out"].endswith(" 200"), done
        a.allowed(4002, n=2)
    asked = [r for r in origin.seen()["requests"] if [":path", path] in r["fields"]]
    assert len(asked) == 2 and asked[0]["fields"] == asked[1]["fields"] and asked[1]["body"] == ("hello" if args else ""), asked


@pytest.mark.parametrize("host", HOSTS)
def test_what_the_host_refuses_twice_is_502_and_not_sent_a_third_time(gw, origin, host):
    done = curl(gw, "-w", " %{http_code}", host=host, path="/refuse/9")
    assert done["out"].endswith(" 502"), done
    assert len(origin.seen()["requests"]) == 2


@pytest.mark.parametrize("host", HOSTS)
def test_an_answer_cut_short_is_never_whole(gw, origin, host):
    for way in WAYS:
        done = curl(gw, way, host=host, path="/cut")
        assert done["code"] != 0, done
    assert len(origin.seen()["requests"]) == 2, "it was sent again"


@pytest.mark.parametrize("host", HOSTS)
def test_after_goaway_the_next_request_goes_by_another_connection(gw, origin, host):
    assert curl(gw, host=host, path="/last")["code"] == 0
    assert curl(gw, host=host)["code"] == 0
    assert [len(c["streams"]) for c in used(origin)] == [1, 1] and used(origin)[0]["closed"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_guest_that_leaves_takes_its_stream_along_and_no_other(gw, origin, host):
    curl(gw, host=host, path="/hang", wait=1)
    assert curl(gw, host=host)["code"] == 0
    (c,) = used(origin)
    assert [s["reset"] for s in c["streams"]] == [8, None] and not c["closed"], c


# ---- what changes while connections live ---------------------------------------------------------------------------

def request(path, method="GET", fields=""):
    return f"{method} {path} HTTP/1.1\r\nHost: cred.example:{PORT}\r\n{fields}\r\n".encode()


def until(what, good, seconds=1.0):
    end = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < end, what
        select.select([], [], [], 0.01)


@pytest.fixture
def outlet(arena, build, origin):
    h = HostileInlet(arena, build, policy(arena.ca), {"token": SECRET})
    h.text = policy(arena.ca)
    yield h
    h.stop()


def ask(outlet, path):
    with outlet.dial("cred.example", PORT) as s:
        s.settimeout(4)
        s.sendall(request(path))
        assert outlet.read(s).startswith(b"HTTP/1.1 200 "), path


def test_h14_a_rotated_credential_closes_the_connections_of_the_one_before(outlet, origin):
    ask(outlet, "/one")
    ask(outlet, "/two")
    assert by_path(origin)["/one"] == by_path(origin)["/two"] == (0, f"Bearer {SECRET}")
    outlet.keeper.send("MSG_SECRET", "token", 2, "the-second-value")
    until("the old connection lives on", lambda: used(origin)[0]["closed"])
    ask(outlet, "/three")
    assert by_path(origin)["/three"] == (1, "Bearer the-second-value")
    assert not used(origin)[1]["resumed"], "a TLS session of one value served another"


def test_h14_a_call_without_end_does_not_outlive_its_credential(outlet, origin):
    with outlet.dial("cred.example", PORT) as s:
        s.settimeout(4)
        s.sendall(request("/echo", "POST", "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n")
        got = b""
        while b"hello" not in got:
            got += s.recv(65536)
        outlet.keeper.send("MSG_SECRET_GONE", "token")
        until("the old connection lives on", lambda: used(origin)[0]["closed"])
        assert not origin.seen()["requests"][0]["ended"]


def coded(value):
    """As HPACK writes these words into a frame (RFC 7541, 5.2), without the bytes around them."""
    lib = ctypes.CDLL("libnghttp2.so.14")

    class Pair(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_char_p), ("name_len", ctypes.c_size_t), ("value_len", ctypes.c_size_t), ("flags", ctypes.c_uint8)]
    deflater, out = ctypes.c_void_p(), ctypes.create_string_buffer(4096)
    assert lib.nghttp2_hd_deflate_new(ctypes.byref(deflater), ctypes.c_size_t(0)) == 0
    n = lib.nghttp2_hd_deflate_hd(deflater, out, ctypes.c_size_t(4096), ctypes.byref(Pair(b"authorization", value.encode(), 13, len(value), 1)), ctypes.c_size_t(1))
    lib.nghttp2_hd_deflate_del(deflater)
    return out.raw[n - len(SECRET) // 2:n]


@pytest.mark.release  # freed memory is kept as it was under ASan
@pytest.mark.parametrize("way", WAYS)
def test_h13_a_credential_that_went_by_http2_is_left_in_no_memory_but_its_own(gw, origin, way):
    if os.geteuid() != 0:
        pytest.skip("an ordinary user may not look into outlet: only root sees its memory")
    for i in range(3):
        curl(gw, way, host="cred.example", path=f"/mine{i}")
        curl(gw, way, "-d", "body", host="cred.example", path=f"/mine{i}")
        curl(gw, way, host="cred.example", port=OLD_PORT, path=f"/mine{i}")
        curl(gw, way, "-d", "body", host="cred.example", port=OLD_PORT, path=f"/mine{i}")
    curl(gw, way, "--parallel", "--parallel-max", "20", "-o", "/dev/null", host="cred.example", path="/[1-40]")
    sent = [field(r, "authorization") for r in origin.seen()["requests"]]
    assert len(sent) >= 46 and all(s == [f"Bearer {SECRET}"] for s in sent)
    found, inside = stray(roles(gw)["saw-outlet"], {"in clear": SECRET.encode(), "coded": coded(f"Bearer {SECRET}")})
    assert inside == 1 and not found, found[:10]


def test_k3_no_connection_of_an_old_policy_gets_a_new_request(outlet, origin):
    with outlet.dial("cred.example", PORT) as s:
        s.sendall(request("/hang"))
        until("nothing was asked", lambda: "/hang" in by_path(origin))
        blob = outlet.blob(outlet.text)
        outlet.parent.send("MSG_POLICY", 2, fds=[blob])
        os.close(blob)
        ask(outlet, "/later")
        ask(outlet, "/last-of-all")
        where = by_path(origin)
        assert where["/hang"][0] == 0 and where["/later"][0] == where["/last-of-all"][0] == 1, where
        first, second = used(origin)
        assert not first["closed"] and second["resumed"], "the session of this host and value is not used"
    until("the old connection lives on", lambda: used(origin)[0]["closed"])


# ---- real peers ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("host", HOSTS)
def test_l5_f11_grpc_of_every_kind(arena, gw, host):
    pytest.importorskip("grpc", reason="python3-grpcio is missing: tools/setup check")
    server = subprocess.Popen([*arena.enter, "/usr/bin/python3", "-B", str(LIB / "grpc_peer.py"), "serve", f"127.0.0.10:{GRPC_PORT}", str(arena.folder)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n"
        with gw.attack() as a:
            done = gw.do("command", ["sh", "-c", f"GRPC_DNS_RESOLVER=native exec /usr/bin/python3 -B {LIB}/grpc_peer.py call {host}:{GRPC_PORT} $SSL_CERT_FILE"])
            assert done["code"] == 0, done
            got = json.loads(done["out"])
            events = a.wait_events(lambda e: [x for x in e if x["disposition"] == "Blocked"])
            assert [e["status_code"] for e in events if e["disposition"] == "Blocked"] == ["denied_by_rule"], "the path carries the class"
    finally:
        server.stdin.close()
        server.wait(10)
    assert got["unary"] == "hello, you" and got["trailers"] == {"x-sum": "7", "x-raw-bin": "00ff"}, got
    assert got["fails"] == ["NOT_FOUND", "no such thing: caf\u00e9 100%"] and got["unknown"] == "UNIMPLEMENTED", got
    assert got["download"] == "part 99" and got["upload"] == "1000000" and got["large"] == 3000000, got
    assert got["bidi"] == [f"re: {i}" for i in range(20)], got
    assert got["cancels"] == "begun" and got["cancelled"] == "yes", "the host did not hear of the cancelled call"
    assert got["parallel"] is True and got["denied"][0] == "PERMISSION_DENIED", got


@pytest.mark.parametrize("host", HOSTS)
def test_nghttpd_serves_h2load(arena, gw, tmp_path, host):
    if not shutil.which("nghttpd") or not shutil.which("h2load"):
        pytest.skip("nghttp2-server and nghttp2-client are missing: tools/setup check")
    (tmp_path / "file").write_bytes(b"x" * 20000)
    server = subprocess.Popen([*arena.enter, "nghttpd", "-a", "127.0.0.10", "-d", str(tmp_path), str(NGHTTPD_PORT), str(arena.folder / "leaf.key"),
                               str(arena.folder / "leaf.pem")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("nghttpd does not serve", lambda: curl(gw, "-f", host=host, path="/file", port=NGHTTPD_PORT)["code"] == 0, 10)
        done = gw.do("command", ["h2load", "-n", "400", "-c", "4", "-m", "25", f"https://{host}:{NGHTTPD_PORT}/file"])
        assert "400 succeeded, 0 failed, 0 errored" in done["out"], done
    finally:
        server.terminate()
        server.wait(10)
