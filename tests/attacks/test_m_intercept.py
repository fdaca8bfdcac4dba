"""Intercepted hosts: TLS with the workspace's certificate, requests judged, credentials added outside."""
import json

import pytest

from gateway import Gateway
from intercept_policy import SECRET, ZONE, policy


@pytest.fixture(scope="module")
def mitm(arena, build, tmp_path_factory):
    arena.zone(ZONE)
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("intercept"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def own_zone(arena):
    arena.zone(ZONE)


def requests(a):
    return a.seen()["requests"]


def test_a_listed_request_passes_and_is_one_allow_event(mitm):
    with mitm.attack() as a:
        got = mitm.do("https", "good.example", "/hello")
        assert got.get("status") == 200, got
        assert [r["line"] for r in requests(a)] == ["GET /hello HTTP/1.1"]


def test_the_credential_is_added_outside(mitm):
    with mitm.attack() as a:
        got = mitm.do("https", "cred.example", "/hello")
        assert got.get("status") == 200, got
        assert dict(requests(a)[0]["fields"]).get("authorization") == "Bearer " + SECRET


def test_a_client_of_h2_is_served(mitm):
    with mitm.attack() as a:
        got = mitm.do("command", ["curl", "-sS", "--http2", "-w", " %{http_version} %{http_code}\n",
                                  "https://good.example/hello", "https://good.example/again"])
        assert [l.split()[-2:] for l in got["out"].splitlines()] == [["2", "200"], ["2", "200"]], got
        assert [r["line"] for r in requests(a)] == ["GET /hello HTTP/1.1", "GET /again HTTP/1.1"]


def post(mitm, path, body, *more):
    return mitm.do("command", ["curl", "-sS", "-X", "POST", "-H", "Content-Type: application/json", *more, "--data-binary", body,
                               "-w", "\n%{http_code}", "https://json.example" + path])


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_json_rule_is_judged_by_its_value(mitm, version):
    with mitm.attack() as a:
        got = post(mitm, "/pulls", '{"draft": true, "title": "x"}', version)
        assert got["out"].endswith("200"), got
        assert [r["body"] for r in requests(a)] == ['{"draft": true, "title": "x"}']


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("body,reason", [('{"draft": false}', "class_denied"), ('{"draft": true, "draft": false}', "ambiguous_body"),
                                         ('{"draft": true, "Draft": false}', "ambiguous_body"), ('{"draft": tru', "body_not_parsable"),
                                         ('{"draft": true} {}', "body_not_parsable")])
def test_i5_a_body_that_is_not_what_the_rule_asks_is_denied(mitm, body, reason, version):
    with mitm.attack() as a:
        got = post(mitm, "/pulls", body, version)
        assert got["out"].endswith("403"), got
        a.denied(reason)


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("label,body", [(FORM, '{"draft": true, "title": "&draft=false&"}'), ("", '{"draft": true, "title": "&draft=false&"}'),
                                        ("multipart/mixed; boundary=b", '{"draft": true}'), (FORM.upper(), '{"draft": true, "title": ";draft=false;"}'),
                                        ("multipart/form-data; boundary=b", '{"draft": true}'), ("application/json; charset=utf-7", '{"draft": true}'),
                                        ('application/json;x=";charset=y";Charset = "utf-16"', '{"draft": true}'),
                                        ("application/json; charset*0=utf-; charset*1=7", '{"draft": true, "x": "+ACI-, +ACI-draft+ACI-: false, +ACI-y+ACI-: +ACI-"}'),
                                        ("application/json, charset=utf-7", '{"draft": true}'), ("application/json; xcharset=utf-16", '{"draft": true}')])
def test_i3_json_that_its_label_lets_a_host_read_otherwise_is_denied(mitm, label, body):
    with mitm.attack() as a:
        got = mitm.do("command", ["curl", "-sS", "-H", "Content-Type: " + label, "--data-binary", body, "-w", "\n%{http_code}", "https://json.example/pulls"])
        assert got["out"].endswith("403"), got
        a.denied("ambiguous_body")


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("label,body", [("", '{"draft": true, "title": "&_method=DELETE&"}'), ("application/json", '{"draft": true, "_method": "DELETE"}'),
                                        ("multipart/mixed; boundary=b", '--b\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--b--')])
def test_g11_a_method_override_in_a_body_that_a_rule_reads_is_denied(mitm, label, body, version):
    with mitm.attack() as a:
        got = mitm.do("command", ["curl", "-sS", version, "-H", "Content-Type:" + label, "--data-binary", body, "-w", "\n%{http_code}", "https://json.example/pulls"])
        assert got["out"].endswith("403"), got
        # whatever a multipart body says, its label is refused as soon as the head is here: before the body where that comes later
        early = label.startswith("multipart/") and "ambiguous_body" in got["out"]
        a.denied("ambiguous_body" if early else "method_override")


@pytest.mark.parametrize("label", ["text/plain", FORM, "application/octet-stream", "Application/JSON; odd=1; charset=UTF-8", 'text/json;charset="us-ascii"', ""])
def test_i3_json_is_json_under_any_other_label(mitm, label):
    with mitm.attack() as a:
        got = mitm.do("command", ["curl", "-sS", "-H", "Content-Type:" + label, "--data-binary", '{"draft": true}', "-w", "\n%{http_code}", "https://json.example/pulls"])
        assert got["out"].endswith("200") and [r["body"] for r in requests(a)] == ['{"draft": true}'], got


def test_i1_a_body_whose_framing_fills_what_is_held_is_never_judged_by_its_beginning(mitm):
    """Six bytes of framing for each of content: what may be held is full long before what may be judged is."""
    begins = '{"draft": true}'.ljust(360 * 1024)
    body = "".join(f"1\r\n{c}\r\n" for c in begins) + '10\r\n{"draft": false}\r\n0\r\n\r\n'
    with mitm.attack() as a:
        got = mitm.do("http", "json.example", f"POST /pulls HTTP/1.1\r\nHost: json.example\r\nTransfer-Encoding: chunked\r\n\r\n{body}", port=443, tls=True, want=1)
        a.denied("body_too_large_to_judge")
        assert got["statuses"][:1] in ([403], []), got


def test_i2_a_coded_body_under_a_body_rule_is_denied(mitm):
    with mitm.attack() as a:
        got = post(mitm, "/pulls", '{"draft": true}', "-H", "Content-Encoding: gzip")
        assert got["out"].endswith("403"), got
        a.denied("coded_body")


def test_h2_the_clients_own_carriers_are_taken_out(mitm):
    with mitm.attack() as a:
        got = mitm.do("command", ["curl", "-sS", "-w", "%{http_code}", "-H", "Authorization: Bearer mine", "-H", "Cookie: a=b", "-H", "X-Api-Key: mine",
                                  "-H", "X_API_KEY: mine", "https://cred.example/x?a=1&access_token=mine&b=2"])
        assert got["out"].endswith("200"), got
        r = requests(a)[0]
        fields = [k for k, _ in r["fields"]]
        assert r["target"] == "/x?a=1&b=2" and "cookie" not in fields and "x-api-key" not in fields and "x_api_key" not in fields
        assert [v for k, v in r["fields"] if k == "authorization"] == ["Bearer " + SECRET]
        events = [e for e in a.wait_events(lambda e: [x for x in e if x["class_uid"] == 4002]) if e["class_uid"] == 4002]
        assert len(events) == 1 and "authorization" in json.dumps(events[0]) and SECRET not in json.dumps(events), events


def test_h16_without_its_credential_nothing_is_sent(arena, build, tmp_path):
    g = Gateway(arena, build, policy(arena.ca), tmp_path / "bare")
    try:
        with g.attack() as a:
            got = g.do("https", "cred.example", "/hello")
            assert got.get("status") == 502, got
            a.denied("credential_not_available")
    finally:
        g.stop()


@pytest.mark.parametrize("name", ["wrong.example", "evil.example"])
def test_d16_a_host_that_is_not_verified_gets_no_request(mitm, name):
    with mitm.attack() as a:
        got = mitm.do("https", name, "/hello")
        assert got.get("status") == 502, got
        events = a.wait_events(lambda e: [x for x in e if x.get("status_code") == "upstream_not_verified"])
        assert len([e for e in events if e.get("status_code") == "upstream_not_verified"]) == 1, events
        assert not a.seen()["requests"]
