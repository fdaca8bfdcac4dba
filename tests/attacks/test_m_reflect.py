"""H4, H5: a host that shows the credential it was sent. Rules marked `reflective` let nothing of it through."""
import base64
import gzip

import pytest

from gateway import Gateway
from intercept_policy import SECRET, ZONE, policy

HEAD = b"HTTP/1.1 200 OK\r\n"
S = SECRET.encode()


def chunked(*pieces):
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def whole(body, *fields):
    return HEAD + b"".join(f + b"\r\n" for f in fields) + b"Content-Length: %d\r\n\r\n" % len(body) + body


ECHOES = {
    "header": whole(b"hi", b"X-Echo: Bearer " + S),
    "body": whole(b"you sent " + S),
    "error": b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(S) + S,
    "chunks": chunked(*[bytes([c]) for c in S]),
    "events": HEAD + b"Content-Type: text/event-stream\r\n\r\ndata: " + S + b"\n\n",
    "base64": whole(base64.b64encode(b"Bearer " + S)),
    "json": whole("".join(f"\\u{c:04x}" for c in S).encode()),
    "interim": b"HTTP/1.1 103 Early\r\nLink: " + S + b"\r\n\r\n" + whole(b"hi"),
}


@pytest.fixture(scope="module")
def gateway(arena, build, tmp_path_factory):
    arena.zone(ZONE)
    text = policy(arena.ca).replace("    credential: token\n", "    credential: token\n    reflective: true\n")
    g = Gateway(arena, build, text, tmp_path_factory.mktemp("reflect"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def world(arena):
    script = {"/" + k: {"hex": v.hex(), "close": k == "events"} for k, v in ECHOES.items()}
    script["/gzip"] = {"hex": whole(gzip.compress(S), b"Content-Encoding: gzip").hex()}
    script["/nearly"] = {"hex": whole(b"you sent " + S[:-1]).hex()}
    arena.zone(ZONE)
    arena.ask("script", script=script)
    yield
    arena.ask("script", script={})


def failures(a, n=1):
    events = a.wait_events(lambda events: len([e for e in events if e.get("disposition") == "Error"]) >= n)
    return [e["status_code"] for e in events if e.get("disposition") == "Error"]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("echo", sorted(ECHOES))
def test_h4_the_credential_does_not_come_back(gateway, echo, version):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "-i", version, f"https://cred.example/{echo}"])
        everything = got["out"] + got["err"]
        assert SECRET not in everything and SECRET[:8] not in everything, got
        assert got["code"] != 0 or " 502" in got["out"].splitlines()[0], got
        assert failures(a) == ["credential_reflected"]
        sent = a.seen()["requests"]
        assert [dict(r["fields"])["authorization"] for r in sent] == ["Bearer " + SECRET], "it was sent once, and to its host"


def test_h5_a_coded_answer_fails_closed_and_ranges_are_not_asked_for(gateway):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "-i", "--compressed", "-r", "0-5", "https://cred.example/gzip"])
        assert " 502" in got["out"].splitlines()[0] and "coded_answer" in got["out"], got
        assert failures(a) == ["coded_answer"]
        fields = [dict(r["fields"]) for r in a.seen()["requests"]]
        assert [(f.get("accept-encoding"), f.get("range")) for f in fields] == [("identity", None)]


def test_an_answer_without_it_passes_whole(gateway):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "https://cred.example/nearly"])
        assert got["out"] == "you sent " + SECRET[:-1], got
        a.allowed(4002)
