"""G3, G11, H1: what some servers find where others find something else is judged in each reading, at inlet and at outlet."""
import json

import pytest

from gateway import Gateway
from intercept_policy import SECRET, ZONE, policy

HOSTS = ["good.example", "cred.example"]
RULES = """\
      - {class: write, methods: [COPY, MOVE], paths: ["/data/**"]}
      - {class: write, methods: [MOVE], paths: [/told], json: {/draft: [true]}}
      - {deny: true, methods: ["*"], paths: ["/data/locked"]}
"""
DENY = '      - {deny: true, methods: ["*"], paths: ["/admin/**"]}\n'


@pytest.fixture(scope="module")
def gateway(arena, build, tmp_path_factory):
    arena.zone(ZONE)
    text = policy(arena.ca).replace(DENY, RULES + DENY)
    assert text.count(RULES) == 2
    g = Gateway(arena, build, text, tmp_path_factory.mktemp("readings"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def world(arena):
    arena.zone(ZONE)


def ask(gateway, host, line, fields="", body=""):
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return gateway.do("http", host, f"{line} HTTP/1.1\r\nHost: {host}\r\n{fields}{length}\r\n{body}", port=443, tls=True, want=1)


def post(gateway, host, target, body, label="application/json"):
    return ask(gateway, host, f"POST {target}", f"Content-Type: {label}\r\n", body if isinstance(body, str) else json.dumps(body))


@pytest.mark.parametrize("host", HOSTS)
def test_g3_a_slash_at_the_end_leads_past_no_deny(gateway, host):
    """Express, Rails and Laravel answer /data/locked/ as /data/locked."""
    with gateway.attack() as a:
        assert ask(gateway, host, "GET /data/locked/")["statuses"] == [403]
        event, = a.denied("denied_by_rule")
        assert "GET /data/locked is left out" in event["unmapped"]["policy_change"], event
    with gateway.attack() as a:
        assert ask(gateway, host, "GET /data/open/")["statuses"] == [200]
        a.allowed(4002)


def test_l8_a_body_that_no_rule_reads_passes_beside_a_query_whatever_it_holds(gateway):
    """As POST /v1/messages?beta=true: longer than a body that is read, JSON or not."""
    bodies = [json.dumps({"dry_run": False, "text": "x" * (1 << 20)}), '{"dry_run": ']
    with gateway.attack() as a:
        for body in bodies:
            assert post(gateway, "good.example", "/dry/x?dry_run=true", body)["statuses"] == [200]
        assert [r["body"] for r in a.seen()["requests"]] == [body[:65536] for body in bodies]


BAD = [("/admin/x", "denied_by_rule"), ("https://{host}/admin/x", "denied_by_rule"), ("https://{host}:443/data/locked", "denied_by_rule"), ("/data/lo%63ked", "denied_by_rule"),
       ("/data/locked/", "denied_by_rule"), ("/other", "method_not_listed"), ("/data/../admin/x", "dot_segment"), ("https://evil.example/data/x", "authority_not_flow_name"),
       ("http://{host}/data/x", "authority_not_flow_name"), ("data/x", "malformed_target"), ("/data/x\r\nDestination: /data/y", "malformed_header")]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("method", ["MOVE", "COPY"])
@pytest.mark.parametrize("destination,reason", BAD)
def test_g3_the_destination_of_a_move_is_judged_as_its_path_is(gateway, host, method, destination, reason):
    with gateway.attack() as a:
        got = ask(gateway, host, f"{method} /data/x", f"Destination: {destination.format(host=host)}\r\n")
        assert got["statuses"] == [403], got
        a.denied(reason)


@pytest.mark.parametrize("host", HOSTS)
def test_a_move_between_listed_paths_passes(gateway, host):
    with gateway.attack() as a:
        for destination in ("/data/y", f"https://{host}/data/%79", f"HTTPS://{host}:443/data/y/"):
            assert ask(gateway, host, "MOVE /data/x", f"Destination: {destination}\r\n")["statuses"] == [200]
        assert ask(gateway, host, "GET /data/x", "Destination: /admin/x\r\n")["statuses"] == [200], "a field like any other there"
        assert len(a.seen()["requests"]) == 4


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("first,second", [("/data/x", "/told"), ("/told", "/data/x")])
def test_a_move_is_judged_by_its_body_where_either_path_asks_for_it(gateway, host, first, second):
    fields = f"Destination: {second}\r\nContent-Type: application/json\r\n"
    with gateway.attack() as a:
        assert ask(gateway, host, f"MOVE {first}", fields, '{"draft": true}')["statuses"] == [200]
        assert len(a.seen()["requests"]) == 1
    with gateway.attack() as a:
        assert ask(gateway, host, f"MOVE {first}", fields, '{"draft": 1}')["statuses"] == [403]
        a.denied("condition_not_met")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("target", ["/data/x?_HttpMethod=DELETE", "/data/x?x-tunneled-method=DELETE"])
def test_g11_other_names_of_an_override(gateway, host, target):
    """Salesforce, Catalyst"""
    with gateway.attack() as a:
        assert post(gateway, host, target, {})["statuses"] == [403]
        a.denied("method_override")


def test_g11_a_part_whose_name_comes_in_pieces(gateway):
    """Go's and Python's readers of forms put name*0 and name*1 together."""
    body = "--b\r\nContent-Disposition: form-data; name*0=_met; name*1=hod\r\n\r\nDELETE\r\n--b--\r\n"
    with gateway.attack() as a:
        assert post(gateway, "good.example", "/data/x", body, "multipart/form-data; boundary=b")["statuses"] == [403]
        a.denied("method_override")


@pytest.fixture(scope="module")
def bound(arena, build, tmp_path_factory):
    arena.zone(ZONE)
    text = policy(arena.ca).replace("    credential: token\n", "    credential: token\n    encoded_slash: true\n")
    text = text.replace('hosts: [cred.example], paths: ["/**"]', 'hosts: [cred.example], paths: ["/data/*/read", "/p/corp%2F*/issues", "/dry/x", "/dry/y"]')
    text = text.replace('{class: write, methods: [POST, PUT], paths: ["/data/**"]}', '{class: write, methods: [POST, PUT], paths: ["/data/*/read"]}')
    g = Gateway(arena, build, text, tmp_path_factory.mktemp("bound"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.mark.parametrize("path,passes", [("/data/x/read", True), ("/data/x/secret/read", False), ("/data/x%2Fsecret/read", False), ("/p/corp%2Fapp/issues", True),
                                         ("/p/corp%2Fapp%2Fkeys/issues", False)])
def test_h1_an_encoded_slash_spends_no_credential_outside_its_binding(bound, path, passes):
    with bound.attack() as a:
        got = ask(bound, "cred.example", f"GET {path}")
        assert got["statuses"] == [200 if passes else 403], got
        if passes:
            assert [dict(r["fields"])["authorization"] for r in a.seen()["requests"]] == ["Bearer " + SECRET]
        else:
            a.denied("credential_not_bound")
