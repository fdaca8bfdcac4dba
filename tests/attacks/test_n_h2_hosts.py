"""Hosts that speak HTTP/2, honest and not: the short way and through outlet, for guests of either protocol."""
import hashlib
import json

import pytest

from gateway import Gateway
from h2_origin import BAD, FLOODS, H2Origin
from intercept_policy import GOOD, SECRET
from processes import memory, roles

PORT, OLD_PORT = 9443, 9444  # a host that prefers HTTP/2, and one that knows HTTP/1.1 only
HOSTS = ("good.example", "cred.example")
WAYS = ("--http1.1", "--http2")
ENTRY = """\
  - name: {name}
    hosts: [{name}.example]
    ports: [9443, 9444]
    mode: intercept
    protocol: rest
{more}    addresses: [127.0.0.10/32]
    ca: |
{ca}
    rules:
      - {{class: read, methods: [GET, HEAD], paths: ["/**"]}}
      - {{class: write, methods: [POST, PUT, DELETE], paths: ["/**"]}}
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
    n = 5_000_000
    done = gw.do("command", ["sh", "-c", f"curl -sS {way} https://{host}:{PORT}/bytes/{n} | sha256sum"])
    assert done["out"].split()[0] == digest(n), done
    done = gw.do("command", ["sh", "-c", f"head -c {n} /dev/zero | tee /dev/stderr 2>/tmp/h2-sent | "
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


def parallel(host, n, path="/x"):
    return [{"fields": [[":method", "GET"], [":scheme", "https"], [":authority", f"{host}:{PORT}"], [":path", f"{path}{i}"]]} for i in range(n)]


@pytest.mark.parametrize("host", HOSTS)
def test_l5_a_hundred_parallel_streams_share_one_connection(gw, origin, host):
    got = gw.do("h2", host, parallel(host, 100), port=PORT, at_once=True)
    assert len(got["streams"]) == 100 and all(s["status"] == 200 for s in got["streams"].values()), got
    paths = [json.loads(s["body"])["path"] for _, s in sorted(got["streams"].items(), key=lambda s: int(s[0]))]
    assert paths == [f"/x{i}" for i in range(100)], "an answer went to another request"
    used = [c for c in origin.seen()["connections"] if c["streams"]]
    assert len(used) == 1 and len(used[0]["streams"]) == 100, [len(c["streams"]) for c in used]


def test_a_connection_is_never_shared_between_names(gw, origin):
    for host in HOSTS * 2:
        assert curl(gw, host=host)["code"] == 0
    for c in origin.seen()["connections"]:
        assert {field(s, ":authority")[0] for s in c["streams"]} <= {f"{c['sni']}:{PORT}"}, c
    assert len([c for c in origin.seen()["connections"] if c["streams"]]) == 2


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind", BAD)
def test_e27_e28_a_malformed_answer_is_502_for_its_request_alone(gw, origin, host, kind):
    with gw.attack() as a:
        done = curl(gw, "-w", " %{http_code}", host=host, path=f"/bad/{kind}")
        assert done["out"].endswith(" 502") and "Injected" not in done["out"], done
        events = a.wait_events(lambda e: [x for x in e if x["disposition"] == "Error"])
        want = "upstream_closed" if kind == "reset" else "malformed_upstream"
        assert [e["status_code"] for e in events if e["disposition"] == "Error"] == [want], events
    assert len(origin.seen()["requests"]) == 1, "it was sent again"
    assert curl(gw, host=host)["code"] == 0


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind", FLOODS)
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
