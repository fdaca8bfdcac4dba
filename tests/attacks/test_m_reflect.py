"""H4, H5: a host that shows the credential it was sent. Rules marked `reflective` let nothing of it through."""
import base64
import gzip
import json

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
    # as Go, Django, Handlebars and others write what they were sent into a page
    "html": whole(b"<p>You sent " + S.replace(b"-", b"&#45;").replace(b".", b"&#x2E;").replace(b"_", b"&lowbar;") + b"</p>"),
    "html-chunks": chunked(*[bytes([c]) for c in S.replace(b"-", b"&#0045;")]),
    "html-base64": whole(base64.b64encode(b"Bearer " + S).replace(b"M", b"&#x4d;").replace(b"=", b"&#x3D;")),
    # a redirect within a redirect, JSON in a log, HTML in JSON, a file that has a Basic header, PowerShell's letters, and what ends without a semicolon
    "percent-percent": whole(b"hi", b"Location: /login?next=%2Fd%3Fkey%3D" + S.replace(b"-", b"%252D").replace(b"_", b"%255F")),
    "json-json": whole(json.dumps({"log": json.dumps({"a": SECRET}).replace("-", "\\u002d")}).encode()),
    "html-json": whole(b'{"p": "' + S.replace(b"-", b"\\u0026#45;").replace(b"_", b"\\u0026lowbar;") + b'"}'),
    "base64-base64": whole(base64.b64encode(b"Authorization: Basic " + base64.b64encode(b"me:" + S))),
    "base64-percent-chunks": chunked(*[bytes([c]) for c in base64.b64encode(b"key=" + S.replace(b"-", b"%2D"))]),
    "wide": whole(SECRET.encode("utf-16-le")),
    "hex": whole(S.hex().encode()),
    "upper": whole(S.upper()),
    "html-bare": whole(b"<p>" + S.replace(b"-", b"&#45").replace(b".", b"&#x2E") + b"</p>"),
    "interim": b"HTTP/1.1 103 Early\r\nLink: " + S + b"\r\n\r\n" + whole(b"hi"),
}


@pytest.fixture(scope="module")
def gateway(arena, build, tmp_path_factory):
    arena.zone(ZONE)
    text = policy(arena.ca).replace("    credential: token\n", "    credential: token\n    reflective: true\n")
    g = Gateway(arena, build, text, tmp_path_factory.mktemp("reflect"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(scope="module")
def query(arena, build, tmp_path_factory):
    """Nothing says `reflective`: the secret stands in the target, which honest hosts repeat."""
    arena.zone(ZONE)
    text = policy(arena.ca).replace('{header: Authorization, format: "Bearer {}"}', "{query: key, allow_query: true}")
    g = Gateway(arena, build, text, tmp_path_factory.mktemp("query"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def world(arena):
    script = {"/" + k: {"hex": v.hex(), "close": k == "events"} for k, v in ECHOES.items()}
    script["/gzip"] = {"hex": whole(gzip.compress(S), b"Content-Encoding: gzip").hex()}
    script["/grpc"] = {"hex": whole(gzip.compress(S), b"Content-Type: application/grpc", b"Grpc-Encoding: gzip").hex()}
    script["/connect"] = {"hex": whole(gzip.compress(S), b"Content-Type: application/connect+json", b"Connect-Content-Encoding: gzip").hex()}
    script |= {"/" + k: {"hex": v.hex()} for k, v in PARTS.items()}
    script["/nearly"] = {"hex": whole(b"you sent " + S[:-1]).hex()}
    script |= {f"/{k}?key={SECRET}": {"hex": v.hex()} for k, v in AGAIN.items()}
    script[f"/nearly?key={SECRET}"] = {"hex": whole(b"you sent " + S[:-1], b"Location: /d/?key=").hex()}
    arena.zone(ZONE)
    arena.ask("script", script=script)
    yield
    arena.ask("script", script={})


# What honest hosts answer when they were asked by a target with the key in it.
AGAIN = {
    "redirect": b"HTTP/1.1 301 Moved\r\nLocation: /d/?key=" + S + b"\r\nContent-Length: 0\r\n\r\n",
    "link": whole(b"[]", b"Link: <https://cred.example/link?page=2&key=" + S + b'>; rel="next"'),
    "next": whole(b'{"next": "https:\\/\\/cred.example\\/next?page=2\\u0026key=' + S + b'"}'),
}


# The beginning of the secret alone; the rest would be asked for next.
PARTS = {
    "206": b"HTTP/1.1 206 Partial Content\r\nContent-Length: 13\r\n\r\n" + S[:13],
    "226": b"HTTP/1.1 226 IM Used\r\nContent-Length: 13\r\n\r\n" + S[:13],
    "content-range": whole(S[:13], b"Content-Range: bytes 0-12/25"),
    "im": whole(S[:13], b"IM: range"),
    "byteranges": whole(b"--b\r\nContent-Range: bytes 0-12/25\r\n\r\n" + S[:13] + b"\r\n--b--\r\n", b"Content-Type: multipart/byteranges; boundary=b"),
}
ASKED = {"Range": "bytes=0-12", "Request-Range": "bytes=0-12", "X-MS-Range": "bytes=0-12", "If-Range": '"e"', "A-IM": "range", "Accept-Charset": "utf-16",
         "Grpc-Accept-Encoding": "gzip", "Connect-Accept-Encoding": "gzip"}


def failures(a, n=1):
    events = a.wait_events(lambda events: len([e for e in events if e.get("disposition") == "Error"]) >= n)
    return [e["status_code"] for e in events if e.get("disposition") == "Error"]


def kept_back(a, got):
    """Nothing of the value arrived, and one event says why."""
    everything = got["out"] + got["err"]
    assert SECRET not in everything and SECRET[:8] not in everything and SECRET.upper()[:8] not in everything, got
    assert got["code"] != 0 or " 502" in got["out"].splitlines()[0], got
    assert failures(a) == ["credential_reflected"]


@pytest.mark.parametrize("reflective", [True, False])
def test_h4_a_host_that_calls_its_model_by_the_credential_writes_it_into_no_log(arena, build, tmp_path, reflective):
    more = "    ai: openai\n" + "    reflective: true\n" * reflective
    gw = Gateway(arena, build, policy(arena.ca).replace("    credential: token\n", "    credential: token\n" + more), tmp_path, secrets={"token": SECRET})
    script = {"/" + name: {"hex": whole(json.dumps({"model": name, "usage": {"prompt_tokens": 3}}).encode(), b"Content-Type: application/json").hex()}
              for name in ("gpt", SECRET)}
    script["/echo"] = script.pop("/" + SECRET)
    arena.ask("script", script=script)
    try:
        with gw.attack() as a:
            gw.do("command", ["curl", "-sS", "https://cred.example/echo"])
            assert "gpt" in gw.do("command", ["curl", "-sS", "https://cred.example/gpt"])["out"]
            a.wait_events(lambda _: [e for e in gw.events() if e.get("ai_model", {}).get("name") == "gpt"])
            log = gw.audit.read_text()
            assert '"gpt"' in log and SECRET not in log
    finally:
        gw.stop()


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("echo", sorted(ECHOES))
def test_h4_the_credential_does_not_come_back(gateway, echo, version):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "-i", version, f"https://cred.example/{echo}"])
        kept_back(a, got)
        sent = a.seen()["requests"]
        assert [dict(r["fields"])["authorization"] for r in sent] == ["Bearer " + SECRET], "it was sent once, and to its host"


def test_h5_a_coded_answer_fails_closed_and_ranges_are_not_asked_for(gateway):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "-i", "--compressed", "-r", "0-5", "https://cred.example/gzip"])
        assert " 502" in got["out"].splitlines()[0] and "coded_answer" in got["out"], got
        assert failures(a) == ["coded_answer"]
        fields = [dict(r["fields"]) for r in a.seen()["requests"]]
        assert [(f.get("accept-encoding"), f.get("range")) for f in fields] == [("identity", None)]


@pytest.mark.parametrize("kind", ["grpc", "connect"])
def test_h5_an_answer_of_coded_messages_fails_closed(gateway, kind):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "-i", f"https://cred.example/{kind}"])
        assert " 502" in got["out"].splitlines()[0] and "coded_answer" in got["out"], got
        assert failures(a) == ["coded_answer"]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("part", sorted(PARTS))
def test_h5_a_part_of_an_answer_is_refused(gateway, part, version):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "-i", version, "-H", "Request-Range: bytes=0-12", f"https://cred.example/{part}"])
        assert " 502" in got["out"].splitlines()[0] and "partial_answer" in got["out"] and SECRET[:8] not in got["out"], got
        assert failures(a) == ["partial_answer"]
        fields = [dict(r["fields"]) for r in a.seen()["requests"]]
        assert [(f["authorization"], f.get("request-range")) for f in fields] == [("Bearer " + SECRET, None)]


@pytest.mark.parametrize("name", sorted(ASKED))
def test_h5_nobody_asks_for_a_part_or_for_other_letters(gateway, name):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "-H", f"{name}: {ASKED[name]}", "https://cred.example/nearly"])
        assert got["out"] == "you sent " + SECRET[:-1], got
        event, = a.allowed(4002)
        assert name.lower() in event["status_detail"], event
        assert name.lower() not in dict(a.seen()["requests"][0]["fields"])


def test_an_answer_without_it_passes_whole(gateway):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "https://cred.example/nearly"])
        assert got["out"] == "you sent " + SECRET[:-1], got
        a.allowed(4002)


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("answer", sorted(AGAIN))
def test_h4_a_credential_of_the_query_does_not_come_back_by_the_targets_that_hosts_name(query, answer, version):
    with query.attack() as a:
        got = query.do("command", ["curl", "-sS", "-i", version, f"https://cred.example/{answer}"])
        kept_back(a, got)
        assert [r["target"] for r in a.seen()["requests"]] == [f"/{answer}?key={SECRET}"], "it was sent once, and to its host"
        assert SECRET not in str(a.events())


def test_an_honest_answer_to_a_credential_of_the_query_passes_whole(query):
    with query.attack() as a:
        got = query.do("command", ["curl", "-sS", "-i", "https://cred.example/nearly"])
        assert got["out"].endswith("you sent " + SECRET[:-1]) and "/d/?key=" in got["out"], got
        a.allowed(4002)
