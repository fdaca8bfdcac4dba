"""Group F on intercepted hosts: HTTP/2 of a hostile client, the short way and through outlet."""
import time

import pytest

from gateway import Gateway
from intercept_policy import SECRET, ZONE, policy
from processes import memory, roles

HOSTS = ("good.example", "cred.example")


@pytest.fixture(scope="module")
def mitm(arena, build, tmp_path_factory):
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("h2"), secrets={"token": SECRET})
    yield g
    g.stop()


def requests(a):
    return a.seen()["requests"]


def fields(host, path="/x", method="GET", more=(), scheme="https"):
    return [[":method", method], [":scheme", scheme], [":authority", host], [":path", path], *more]


def blocked(a, n=1):
    events = a.wait_events(lambda e: len([x for x in e if x["disposition"] == "Blocked"]) >= n)
    return [e["status_code"] for e in events if e["disposition"] == "Blocked"]


def one_bad_stream(mitm, host, bad, statuses, reasons, **more):
    """The bad stream is refused with its reason, one event, and nothing of it upstream; the streams beside it live."""
    with mitm.attack() as a:
        got = mitm.do("h2", host, [{"fields": fields(host, "/before")}, {"fields": bad, **more}, {"fields": fields(host, "/after")}])
        assert got["streams"]["1"]["status"] == 200, got
        assert got["streams"]["3"]["status"] in statuses, got
        assert got["streams"]["5"]["status"] == 200, "another stream died with the bad one"
        codes = blocked(a)
        assert len(codes) == 1 and codes[0] in reasons, (codes, got["streams"]["3"])
        assert [r["target"] for r in requests(a)] == ["/before", "/after"], requests(a)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("authority", ["evil.example", "wrong.example", "good.example.evil.example", "%s:8443"])
def test_f1_another_authority_is_421_on_that_stream(mitm, host, authority):
    one_bad_stream(mitm, host, fields(authority.replace("%s", host)), (421,), ("authority_not_flow_name",))


@pytest.mark.parametrize("host", HOSTS)
def test_f1_a_host_that_is_not_the_authority_is_refused(mitm, host):
    one_bad_stream(mitm, host, fields(host, more=[["host", "evil.example"]]), (400, 421, None), ("authority_not_flow_name", "malformed_host", "malformed_h2"))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("field", [["x-a", "b\r\nX-Injected: 1"], ["x-a", "b\nc"], ["x-a", "b\0c"], ["x:a", "b"], ["x\r\nevil", "b"], ["", "b"],
                                   ["X-Upper", "b"], ["x-a", " b"], ["x-a", "b\t"], ["x a", "b"]], ids=repr)
def test_f2_a_field_that_would_break_http1_is_refused(mitm, host, field):
    one_bad_stream(mitm, host, fields(host, more=[field]), (400, None), ("malformed_header", "malformed_h2"))


@pytest.mark.parametrize("pseudo", [[[":path", "/x\r\nX-Injected: 1"]], [[":path", "/x HTTP/1.1\r\n"]], [[":path", ""]], [[":path", "x"]],
                                    [[":method", "GET /canary HTTP/1.1\r\n"]], [[":authority", "good.example\r\nX: y"]]], ids=repr)
def test_f2_a_pseudo_field_that_would_break_http1_is_refused(mitm, pseudo):
    changed = dict(map(tuple, pseudo))
    one_bad_stream(mitm, "good.example", [[n, changed.get(n, v)] for n, v in fields("good.example")], (400, None),
                   ("malformed_header", "malformed_h2", "malformed_target", "malformed_method", "authority_not_flow_name", "malformed_authority"))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("field", [["transfer-encoding", "chunked"], ["connection", "close"], ["keep-alive", "1"], ["proxy-connection", "x"],
                                   ["upgrade", "h2c"], ["te", "gzip"], [":status", "200"], [":path", "/second"]], ids=repr)
def test_f3_connection_fields_and_doubled_pseudo_fields_are_refused(mitm, host, field):
    one_bad_stream(mitm, host, fields(host, more=[field]), (400, None), ("malformed_header", "malformed_h2"))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("length", ["4", "6", "+5", "5, 5", ""])
def test_f3_a_content_length_that_lies_reaches_nobody(mitm, host, length):
    with mitm.attack() as a:
        got = mitm.do("h2", host, [{"fields": fields(host, "/data/x", "POST", [["content-length", length]]), "body": "hello"},
                                   {"fields": fields(host, "/after")}])
        assert got["streams"]["1"]["status"] in (400, None) and got["streams"]["3"]["status"] == 200, got
        assert len(blocked(a)) == 1 and blocked(a)[0] in ("malformed_h2", "malformed_content_length", "malformed_header"), blocked(a)
        assert [r["target"] for r in requests(a)] == ["/after"], "a request whose body is a lie was completed for the origin"


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind, reason", [("short", "malformed_h2"), ("long", "malformed_h2"), ("reset", "guest_closed")])
def test_f3_a_form_that_is_waited_for_and_breaks_off_is_refused_with_its_reason(mitm, host, kind, reason):
    with mitm.attack() as a:
        mitm.do("h2_break_off_held", host, "/data/x", [["content-type", "application/x-www-form-urlencoded"]], kind)
        a.denied(reason)


@pytest.mark.parametrize("kind", ["short", "long"])
def test_f3_a_request_that_breaks_off_while_its_host_is_looked_for_is_refused_with_its_reason(mitm, arena, kind):
    arena.zone({**ZONE, "wrong.example": [{"lie": "silent"}]})
    with mitm.attack() as a:
        mitm.do("h2_break_off_held", "wrong.example", "/x", [["content-type", "text/plain"]], kind, method="GET")
        a.denied("malformed_h2", touched=True)
        assert not a.seen()["connections"]
    arena.zone(ZONE)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("bad", [[[":method", "CONNECT"], [":authority", "HOST:443"]],
                                 [[":method", "CONNECT"], [":protocol", "websocket"], [":scheme", "https"], [":authority", "HOST"], [":path", "/x"]]],
                         ids=["CONNECT", "extended CONNECT"])
def test_f5_connect_is_refused(mitm, host, bad):
    one_bad_stream(mitm, host, [[n, v.replace("HOST", host)] for n, v in bad], (400, 403, 405, 501, None), ("method_not_listed", "malformed_h2"))


FLOODS = {"rapid reset": "h2_flood", "continuation": "h2_flood", "empty continuation": "h2_flood", "settings": "h2_flood", "ping": "h2_flood",
          "empty data": "h2_flood", "window update": "h2_flood"}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind", FLOODS)
def test_f6_a_flood_ends_the_connection_with_one_event_and_its_reason(mitm, sanitized, host, kind):
    inlet = roles(mitm)["saw-inlet"]
    before = memory(inlet)
    with mitm.attack() as a:
        got = mitm.do("h2_flood", host, kind)
        assert got["goaway"] not in (None, 0) or got["closed"] or got["error"], got
        events = a.wait_events(lambda e: [x for x in e if x["disposition"] == "Blocked"])
        codes = [e["status_code"] for e in events if e["disposition"] == "Blocked" and e["class_uid"] == 4001]
        assert codes == [FLOODS[kind]], (codes, got["goaway"], got["sent"], got["error"])
        assert len(requests(a)) <= 120, "the origin saw the flood"
    assert sanitized or memory(inlet) - before < 8 * 1024, "memory grew with the flood"
    assert mitm.do("h2", host, [{"fields": fields(host)}])["streams"]["1"]["status"] == 200


@pytest.mark.parametrize("host", HOSTS)
def test_f6_an_hpack_bomb_is_bounded(mitm, sanitized, host):
    inlet = roles(mitm)["saw-inlet"]
    before = memory(inlet)
    with mitm.attack() as a:
        got = mitm.do("h2_flood", host, "hpack bomb", n=50)
        assert not [s for s in got["streams"].values() if s["status"] == 200], got
        events = a.wait_events(lambda e: [x for x in e if x["disposition"] == "Blocked"])
        assert {e["status_code"] for e in events if e["disposition"] == "Blocked"} <= {"headers_too_large", "h2_flood", "malformed_h2"}, events
        assert [e for e in events if e["disposition"] == "Blocked"]
        a.untouched()
    assert sanitized or memory(inlet) - before < 8 * 1024
    assert mitm.do("h2", host, [{"fields": fields(host)}])["streams"]["1"]["status"] == 200


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_f6_a_window_that_stays_shut_holds_little_and_not_for_ever(mitm, sanitized, host):
    """50 answers of 10 MB, of which not a byte is taken: the deadline is a minute."""
    inlet = roles(mitm)["saw-inlet"]
    before = memory(inlet)
    with mitm.attack() as a:
        got = mitm.do("h2_shut_window", host, "/bytes/10000000", 50, 150, wait=240)
        assert got["goaway"] is not None or got["closed"] or all(s["done"] for s in got["streams"].values()), got
        events = a.wait_events(lambda e: [x for x in e if x.get("status_code") == "request_timeout"])
        assert [e["status_code"] for e in events if e["disposition"] == "Blocked"] == ["request_timeout"], events
    assert sanitized or memory(inlet) - before < 24 * 1024
    assert mitm.do("h2", host, [{"fields": fields(host)}])["streams"]["1"]["status"] == 200


@pytest.mark.parametrize("host", HOSTS)
def test_f12_events_arrive_one_by_one_over_h2(mitm, host):
    got = mitm.do("h2", host, [{"fields": fields(host, "/events")}])
    times = [t for t, n in got["data"] if n]
    assert got["streams"]["1"]["body"].count("data:") == 5 and len(times) >= 5, got
    assert times[-1] - times[0] > 0.5, "the events came all at once"


@pytest.mark.parametrize("host", HOSTS)
def test_f12_events_arrive_one_by_one_over_http1(mitm, host):
    done = mitm.do("command", ["sh", "-c", f"curl -sSN --http1.1 https://{host}/events | while read -r l; do echo \"$(date +%s%N) $l\"; done"])
    times = [int(l.split()[0]) / 1e9 for l in done["out"].splitlines() if "data:" in l]
    assert len(times) == 5 and times[-1] - times[0] > 0.5, done


def test_f13_a_head_a_byte_at_a_time_ends_by_its_deadline(mitm):
    """Four bytes and then none: the head's deadline is ten seconds."""
    with mitm.attack() as a:
        began = time.monotonic()
        got = mitm.do("http", "good.example", "GET ", port=443, tls=True, timeout=20)
        assert got["closed"] and time.monotonic() - began < 15, got
        a.denied("request_timeout")


@pytest.mark.parametrize("host", HOSTS)
def test_trailers_and_bodies_over_h2_arrive_whole(mitm, host):
    with mitm.attack() as a:
        got = mitm.do("h2", host, [{"fields": fields(host, "/data/x", "POST"), "body": "hello", "trailers": [["x-t", "1"]]},
                                   {"fields": fields(host, "/data/y", "POST", [["content-length", "5"]]), "body": "world"}])
        assert [s["status"] for s in got["streams"].values()] == [200, 200], got
        assert [(r["target"], r["body"]) for r in requests(a)] == [("/data/x", "hello"), ("/data/y", "world")]
        assert all("x-t" not in dict(r["fields"]) for r in requests(a))
