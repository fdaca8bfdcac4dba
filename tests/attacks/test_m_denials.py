"""Whoever speaks HTTP and is refused gets an answer of HTTP, which says why and what of the policy would have to change; the audit event says the same."""
import json

import pytest

from gateway import Gateway
from intercept_policy import SECRET, policy

PLAIN = """\
  - name: plain
    hosts: [plain.example]
    ports: [80]
    mode: http
    protocol: rest
    addresses: [127.0.0.10/32]
    rules:
      - {class: read, methods: [GET, HEAD], paths: ["/public/**"]}
  - name: other-port
    hosts: [odd.example]
    ports: [8080]
    mode: http
    protocol: rest
    access: read-only
"""
ASKED = """\
  - name: asked
    hosts: [asked.example]
    ports: [80]
    mode: http
    protocol: rest
    addresses: [127.0.0.10/32]
    rules:
      - {class: asked, methods: [POST], paths: ["/**"]}
"""
MODELS = """\
  - name: inference
    hosts: [inference.internal]
    ports: [443]
    mode: intercept
    protocol: rest
    upstream: {host: good.example}
    models: ["small-*"]
    rules:
      - {class: draft, methods: [POST], paths: ["/v1/chat"]}
"""
HOSTS = ["good.example", "cred.example"]


@pytest.fixture(scope="module")
def mitm(arena, build, tmp_path_factory):
    text = policy(arena.ca).replace("credentials:\n", PLAIN + ASKED + MODELS + "credentials:\n").replace("secret: deny}", "secret: deny, asked: review}")
    g = Gateway(arena, build, text, tmp_path_factory.mktemp("denials"), secrets={"token": SECRET})
    yield g
    g.stop()


def document(answer):
    """The problem document of the last answer."""
    head, _, body = answer["text"].rpartition("\r\n\r\n")
    assert "application/problem+json" in head, answer
    return json.loads(body)


def request(line, host, fields="", body=""):
    return f"{line} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n{body}"


# request line, fields, body; status, reason, the change as far as it is told (None: no policy has a part in it)
REFUSED = {
    "method": ("DELETE /x", "", "", 403, "method_not_listed", 'network[{e}].rules: add {{class: write, methods: [DELETE], paths: ["/x"]}}'),
    "deny": ("GET /admin/x", "", "", 403, "denied_by_rule", 'network[{e}].rules["{e}: deny any /admin/**"]: remove, or narrow it so that GET /admin/x is left out'),
    "connect": ("CONNECT {h}:443", "", "", 403, "method_not_listed", "no policy allows this: no rule grants CONNECT or TRACE"),
    "trace": ("TRACE /", "", "", 403, "method_not_listed", "no policy allows this: no rule grants CONNECT or TRACE"),
    "dots": ("GET /a/../b", "", "", 400, "dot_segment", "no policy allows this: the path has a dot segment"),
    "slash": ("GET /a%2Fb", "", "", 400, "encoded_slash", "network[{e}].encoded_slash: set true"),
    "two-lengths": ("POST /data/x", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 400, "two_body_lengths",
                    "no policy allows this: the message says its body length twice"),
    "override": ("POST /data/x", "X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n", "", 403, "method_override",
                 "no policy allows this: a method override hides the real method"),
    "headers": ("GET /", "X: " + "y" * 70000 + "\r\n", "", 431, "headers_too_large", "no policy allows this: the header section is over the limit"),
    "target": ("GET /" + "z" * 20000, "", "", 414, "target_too_long", "no policy allows this: the request target is over the limit"),
    "version": ("GET / HTTP/3.0 x", "", "", 400, None, "no policy allows this: "),
    "expect": ("POST /data/x", "Expect: wonders\r\nContent-Length: 0\r\n", "", 417, "unsupported_expect", "no policy allows this: the expectation is not supported"),
    "upgrade": ("GET /", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n", "", 403,
                "upgrade_not_listed", None),
}


def told(gw, attack, answer, reason, change, touched=False):
    """Exactly one event, which says the same as the document."""
    event, = attack.denied(reason, touched=touched) if reason else [e for e in attack.wait_events(lambda es: len(es) >= 1, dns=False)]
    problem = document(answer)
    assert problem["reason"] == event["status_code"] and problem["status"] == answer["statuses"][-1]
    assert problem["policy_change"] == event["unmapped"]["policy_change"] and "remedy" in problem
    assert change is None or problem["policy_change"].startswith(change), problem
    return problem


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_request_in_tls_is_answered_and_explained(mitm, host, name):
    line, fields, body, status, reason, change = REFUSED[name]
    entry = host.partition(".")[0]
    with mitm.attack() as a:
        got = mitm.do("http", host, request(line.format(h=host), host, fields, body), port=443, tls=True, want=1)
        assert got["statuses"] == [status], got
        told(mitm, a, got, reason, change and change.format(e=entry))


def test_a_refused_request_in_clear_is_answered_and_explained(mitm):
    with mitm.attack() as a:
        got = mitm.do("http", "plain.example", request("POST /public/x", "plain.example", "Content-Length: 0\r\n"), want=1)
        assert got["statuses"] == [403]
        problem = told(mitm, a, got, "method_not_listed", 'network[plain].rules: add {class: write, methods: [POST], paths: ["/public/x"]}')
        assert problem["rule"] == "plain" and problem["host"] == "plain.example"


def test_a_refused_stream_of_http2_is_answered_and_explained(mitm):
    with mitm.attack() as a:
        got = mitm.do("command", ["curl", "-sS", "--http2", "-X", "PUT", "-w", "\n%{http_version} %{http_code}", "https://good.example/nowhere"])
        body, _, last = got["out"].rpartition("\n")
        assert last == "2 403", got
        event, = a.denied("method_not_listed")
        assert json.loads(body)["policy_change"] == event["unmapped"]["policy_change"] == \
            'network[good].rules: add {class: write, methods: [PUT], paths: ["/nowhere"]}'


SENDS_FIRST = """\
import http.client, sys
c = http.client.HTTPSConnection(sys.argv[1])
c.request("POST", "/admin/x", body=b"x" * 20000000)
print(c.getresponse().read().decode())
"""


@pytest.mark.parametrize("host", HOSTS)
def test_who_sends_all_of_a_large_body_before_it_reads_is_answered_and_explained(mitm, host):
    with mitm.attack() as a:
        got = mitm.do("command", ["/usr/bin/python3", "-c", SENDS_FIRST, host])
        assert got["out"], got["err"][-300:]
        event, = a.denied("denied_by_rule")
        assert json.loads(got["out"])["policy_change"] == event["unmapped"]["policy_change"]


@pytest.mark.parametrize("host", HOSTS)
def test_another_hosts_authority_is_answered_421(mitm, host):
    with mitm.attack() as a:
        got = mitm.do("http", host, request("GET /", "json.example"), port=443, tls=True, want=1)
        assert got["statuses"] == [421]
        told(mitm, a, got, "authority_not_flow_name", "no policy allows this: the authority is not the name of this connection")


def test_a_websocket_without_a_rule_is_answered_and_would_be_one_rule(mitm):
    with mitm.attack() as a:
        got = mitm.do("http", "good.example", request(*[REFUSED["upgrade"][0], "good.example", REFUSED["upgrade"][1]]), port=443, tls=True, want=1)
        assert got["statuses"] == [403]
        told(mitm, a, got, "upgrade_not_listed", 'network[good].rules: add {class: write, methods: [GET], paths: ["/"], websocket: opaque}')


def test_a_listed_name_on_another_port_is_answered_where_http_is_spoken(mitm):
    with mitm.attack() as a:
        got = mitm.do("http", "odd.example", request("GET /", "odd.example"), want=1)
        assert got["statuses"] == [403], got
        told(mitm, a, got, "port_not_listed", "network[other-port].ports: add 80")


@pytest.mark.parametrize("host", ["good.example", "cred.example", "pass.example"])
def test_http_in_clear_to_a_name_of_tls_is_answered_with_what_would_carry_it(mitm, host):
    """To add the port to an entry of TLS would allow nothing."""
    with mitm.attack() as a:
        got = mitm.do("http", host, request("GET /", host), want=1)
        assert got["statuses"] == [403], got
        name = host.replace(".", "-")
        problem = told(mitm, a, got, "port_not_listed", f"network: add {{name: {name}, hosts: [{host}], ports: [80], mode: http, protocol: rest")
        assert "https" in problem["remedy"]


def test_tls_to_a_port_that_is_not_listed_ends_in_an_alert_and_other_bytes_in_a_reset(mitm):
    with mitm.attack() as a:
        got = mitm.do("command", ["curl", "-sS", "https://odd.example/"])
        assert "access denied" in got["err"], got
        event, = a.denied("port_not_listed")
        assert event["unmapped"]["policy_change"].startswith("network: add {name: odd-example, hosts: [odd.example], ports: [443], mode: intercept"), event
    with mitm.attack() as a:
        got = mitm.do("tcp", "odd.example", 443, b"\x00hello".hex())
        assert got["got"] == "" and "Reset" in got["error"], got
        a.denied("port_not_listed")


@pytest.mark.parametrize("host", ["good.example", "pass.example"])
def test_http_in_clear_on_a_port_of_tls_is_answered(mitm, host):
    with mitm.attack() as a:
        got = mitm.do("http", host, request("GET /", host), port=443, want=1)
        assert got["statuses"] == [400], got
        told(mitm, a, got, "not_tls", "no policy allows this: a name and port have one mode, and this one's is https")


def test_a_body_that_a_rule_cannot_read_is_answered(mitm):
    for body, fields, reason, change in [("{", "", "body_not_parsable", "no policy allows this: a rule reads the body"),
                                         ('{"draft":true,"draft":false}', "", "ambiguous_body", "no policy allows this: a rule reads the body"),
                                         ("{}", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "coded_body", "no policy allows this: a rule reads the body"),
                                         ('{"draft":false}', "", "class_denied", "verdicts: set secret: allow")]:
        with mitm.attack() as a:
            got = mitm.do("http", "json.example", request("POST /pulls", "json.example", f"Content-Length: {len(body)}\r\n{fields}", body), port=443, tls=True, want=1)
            assert got["statuses"] == [403], got
            told(mitm, a, got, reason, change)


def test_what_needs_a_review_is_answered_with_the_rule_that_would_allow_this_much(mitm):
    with mitm.attack() as a:
        got = mitm.do("http", "asked.example", request("POST /x", "asked.example", "Content-Length: 2\r\n", "{}"), want=1)
        assert got["statuses"] == [403], got
        assert told(mitm, a, got, "review_not_available", 'network[asked].rules: add {class: write, methods: [POST], paths: ["/x"]}')["rule"] == "asked: asked POST /**"


@pytest.mark.parametrize("body,change", [
    ('{"model":"large"}', 'network[inference].models (or rules["inference: draft POST /v1/chat json /model"].json["/model"]): add "large"'),
    ("{}", "no policy allows this: the rule wants one value at /model of the body, where there is none; send one that it lists")])
def test_a_model_that_is_not_listed_is_answered_with_where_it_would_be(mitm, body, change):
    with mitm.attack() as a:
        got = mitm.do("http", "inference.internal", request("POST /v1/chat", "inference.internal", f"Content-Length: {len(body)}\r\n", body), port=443, tls=True, want=1)
        assert got["statuses"] == [403], got
        told(mitm, a, got, "condition_not_met", change)


def test_the_guest_may_ask_before_it_tries(mitm):
    with mitm.attack() as a:
        got = mitm.do("command", ["curl", "-sS", "-G", "--data-urlencode", "url=https://good.example/nowhere", "-d", "method=PUT", "http://saw.internal/v1/reach"])
        told_now = json.loads(got["out"])
        assert (told_now["decision"], told_now["reason"], told_now["rule"]) == ("denied", "method_not_listed", "good")
        assert told_now["policy_change"] == 'network[good].rules: add {class: write, methods: [PUT], paths: ["/nowhere"]}'
        assert len(a.ends()) == 1
    with mitm.attack() as a:
        got = mitm.do("http", "saw.internal", request("GET /v1/reach?url=nonsense", "saw.internal"), want=1)
        assert got["statuses"] == [400] and document(got)["reason"] == "no_question"
        a.denied("no_question")


def test_a_name_that_is_not_listed_is_told_in_the_event_of_its_question(mitm):
    with mitm.attack() as a:
        mitm.do("command", ["curl", "-sS", "https://unlisted.example/"])
        events = a.denied("name_not_listed", at_least=True)
        assert all(e["unmapped"]["policy_change"].startswith("network: add {name: unlisted-example, hosts: [unlisted.example], ports: [443], mode: intercept")
                   for e in events), events


def test_an_address_that_may_not_be_dialled_is_told_with_its_range(arena, mitm):
    for address, change in [("10.9.8.7", 'network[good].addresses: add "10.9.8.7/32"'),
                            ("169.254.169.254", "no policy allows this: link-local, metadata, multicast and unspecified addresses are never dialled")]:
        arena.zone({"good.example": [{"a": address}]})
        with mitm.attack() as a:
            got = mitm.do("http", "good.example", request("GET /", "good.example"), port=443, tls=True, want=1)
            assert got["statuses"] == [403] and document(got)["reason"] == "address_not_permitted"
            event, = [e for e in a.wait_events(lambda es: len(es) >= 1, dns=False) if e["disposition"] == "Blocked"]
            assert event["unmapped"]["policy_change"] == change
            assert not a.seen()["connections"]
