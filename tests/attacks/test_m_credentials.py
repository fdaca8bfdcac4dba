"""Group H: what a guest can do to a credential that the gateway adds for it."""
import os
import re
import ssl
import subprocess

import pytest

from ca_keys import issued_key, key_spellings
from gateway import Gateway
from intercept_policy import SECRET, policy
from processes import holds, roles, stray


@pytest.fixture(scope="module")
def mitm(arena, build, tmp_path_factory):
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("credentials"), secrets={"token": SECRET})
    yield g
    g.stop()


def requests(a):
    return a.seen()["requests"]


def bare(a):
    """No byte of the secret went upstream."""
    for c in a.seen()["connections"]:
        assert SECRET.encode() not in bytes.fromhex(c["raw"])
    assert SECRET not in str(requests(a))


def ask(gw, host, fields="", path="/x", method="GET"):
    return gw.do("http", host, f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n", port=443, tls=True, want=1)


def test_h1_the_credential_goes_to_no_other_host(mitm):
    with mitm.attack() as a:
        assert ask(mitm, "good.example", "Authorization: Bearer mine\r\n")["statuses"] == [200]
        assert dict(requests(a)[0]["fields"])["authorization"] == "Bearer mine"
        bare(a)


def test_h1_each_request_says_which_credential_it_was_sent_with_and_only_those_do(mitm):
    with mitm.attack() as a:
        assert ask(mitm, "cred.example")["statuses"] == [200]
        event, = a.allowed(4002)
        assert event["unmapped"]["credential"] == "token" and event["metadata"]["log_provider"] == "outlet", event
        assert SECRET not in str(event)
    with mitm.attack() as a:
        assert ask(mitm, "good.example")["statuses"] == [200]
        assert "credential" not in a.allowed(4002)[0]["unmapped"]
    with mitm.attack() as a:
        assert ask(mitm, "cred.example", path="/admin/x")["statuses"] == [403]
        assert "credential" not in a.denied("denied_by_rule")[0]["unmapped"]


def test_h1_a_path_that_the_credential_is_not_bound_to_is_refused(gateway, arena):
    text = policy(arena.ca).replace('hosts: [cred.example], paths: ["/**"]', 'hosts: [cred.example], paths: ["/api/**"]')
    text = text.replace('methods: [POST, PUT], paths: ["/data/**"]', 'methods: [POST, PUT], paths: ["/api/data/**"]').replace("/dry/**", "/api/dry/**")
    gw = gateway(text, secrets={"token": SECRET})
    with gw.attack() as a:
        assert ask(gw, "cred.example", path="/api/x")["statuses"] == [200]
        assert dict(requests(a)[0]["fields"])["authorization"] == "Bearer " + SECRET
    with gw.attack() as a:
        got = ask(gw, "cred.example", path="/other/x")
        assert got["statuses"] == [403], got
        a.denied("credential_not_bound")


CARRIERS = ["Authorization: Bearer mine", "authorization: Basic bWluZTptaW5l", "Proxy-Authorization: Basic bWluZQ==", "Cookie: session=mine", "X-Api-Key: mine",
            "api-key: mine", "X-Auth-Token: mine", "PRIVATE-TOKEN: mine", "Job-Token: mine", "X-Goog-Api-Key: mine", "X-Amz-Security-Token: mine",
            *[f"{name}: mine" for name in ("X-TrackerToken", "X-ChatWorkToken", "X-DocuSign-Authentication", "X-MSTR-AuthToken", "X-AuthToken", "X-AccessToken",
                                           "AuthToken", "ApiToken", "SessionToken", "X-UserToken", "X-Consumer-Key", "Impersonate-User", "Impersonate-Group", "Sudo")]]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_h2_a_carrier_of_the_clients_own_is_taken_out_and_said(mitm, carrier):
    name = carrier.split(":")[0].lower()
    with mitm.attack() as a:
        assert ask(mitm, "cred.example", f"X-Keep: 1\r\n{carrier}\r\n")["statuses"] == [200]
        fields = requests(a)[0]["fields"]
        assert [v for k, v in fields if k == "authorization"] == ["Bearer " + SECRET], fields
        assert "mine" not in str(fields) and "bWluZ" not in str(fields) and dict(fields)["x-keep"] == "1", fields
        event = a.allowed(4002)[0]
        assert name in str(event), event
        assert SECRET not in str(event)


def test_h2_a_carrier_that_is_taken_out_meets_no_condition_of_a_rule(gateway, arena):
    """What a rule asks for must get to the host: without the field the credential would do it in its own name."""
    rule = '      - {class: write, methods: [POST], paths: ["/as/**"], headers: [impersonate-user]}\n'
    gw = gateway(policy(arena.ca).replace('      - {deny: true, methods: ["*"], paths: ["/admin/**"]}\n', rule), secrets={"token": SECRET})
    for fields in ("", "Impersonate-User: nobody\r\n"):
        with gw.attack() as a:
            got = ask(gw, "cred.example", f"{fields}Content-Length: 0\r\n", "/as/x", "POST")
            assert got["statuses"] == [403] and "is taken out of requests to this host" in got["text"], got
            a.denied("condition_not_met")
    with gw.attack() as a:
        assert ask(gw, "good.example", "Impersonate-User: nobody\r\nContent-Length: 0\r\n", "/as/x", "POST")["statuses"] == [200]
        assert dict(requests(a)[0]["fields"])["impersonate-user"] == "nobody"


def test_h2_a_field_that_is_taken_out_where_answers_are_scanned_meets_no_condition_either(gateway, arena):
    rule = '      - {class: write, methods: [POST], paths: ["/as/**"], headers: [range]}\n'
    text = policy(arena.ca).replace('      - {deny: true, methods: ["*"], paths: ["/admin/**"]}\n', rule)
    gw = gateway(text.replace("    credential: token\n", "    credential: token\n    reflective: true\n"), secrets={"token": SECRET})
    with gw.attack() as a:
        got = ask(gw, "cred.example", "Range: bytes=0-1\r\nContent-Length: 0\r\n", "/as/x", "POST")
        assert got["statuses"] == [403] and "is taken out of requests to this host" in got["text"], got
        a.denied("condition_not_met")
    with gw.attack() as a:
        assert ask(gw, "good.example", "Range: bytes=0-1\r\nContent-Length: 0\r\n", "/as/x", "POST")["statuses"] == [200]
        assert dict(requests(a)[0]["fields"])["range"] == "bytes=0-1"


def test_h2_two_authorizations_and_a_nominated_one_leave_ours_alone(mitm):
    with mitm.attack() as a:
        got = ask(mitm, "cred.example", "Authorization: a\r\nAuthorization: b\r\nConnection: authorization\r\n")
        if got["statuses"] == [200]:
            assert [v for k, v in requests(a)[0]["fields"] if k == "authorization"] == ["Bearer " + SECRET]
        else:
            assert got["statuses"] == [400] and not requests(a), got


@pytest.mark.parametrize("key", ["api_key", "token"])
def test_h2_a_query_key_where_the_credential_is_a_query_key_is_taken_out(gateway, arena, key):
    text = policy(arena.ca).replace('{header: Authorization, format: "Bearer {}"}', f"{{query: {key}, allow_query: true}}")
    gw = gateway(text, secrets={"token": SECRET})
    arena.script({f"/x?a=1&b=2&{key}={SECRET}": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}) # the arena's own answer would show the target
    with gw.attack() as a:
        got = ask(gw, "cred.example", path=f"/x?a=1&{key}=mine&b=2&{key.upper()}=mine&{key}")
        assert got["statuses"] == [200], got
        target = requests(a)[0]["target"]
        assert "mine" not in target and target.startswith("/x?a=1&b=2&") and target.count(f"{key}=") == 1, target
        assert SECRET not in str(a.allowed(4002)[0])


@pytest.mark.parametrize("value", [b"a\r\nX: y", b"a\nb", b"a\rb", b"a\0b", b"a\x7fb", b"caf\xc3\xa9", b"", b"\n", b" a", b"a "], ids=repr)
def test_h8_a_secret_that_would_break_a_field_is_refused(arena, build, tmp_path, value):
    (tmp_path / "policy.yaml").write_text(policy(arena.ca))
    (tmp_path / "secret").write_bytes(value)
    done = subprocess.run([str(build / "src/cli/saw"), "try", "--policy", str(tmp_path / "policy.yaml"), "--secret", f"token={tmp_path}/secret", "--", "true"],
                          capture_output=True, check=False)
    assert done.returncode != 0 and b"the value" in done.stderr and b"X: y" not in done.stderr, done


def test_h13_the_secret_is_in_outlet_and_in_nothing_else(mitm, sanitized):
    with mitm.attack() as a:
        assert ask(mitm, "cred.example", "Authorization: Bearer mine\r\n")["statuses"] == [200]
        assert ask(mitm, "cred.example", path="/hello", method="DELETE")["statuses"] == [403]
        assert dict(requests(a)[0]["fields"])["authorization"] == "Bearer " + SECRET
        a.wait_events(lambda e: len(e) >= 2)
    value = SECRET.encode()
    for f in mitm.folder.rglob("*"):
        if f.is_file() and f.name != "secret-token":
            assert value not in f.read_bytes(), f
    pids = roles(mitm)
    assert {"saw-inlet", "saw-outlet", "saw-dialer", "saw-workspace", "saw-front", "python3"} <= set(pids), "the roles and the guest's own program"
    everyone = {**pids, "saw": mitm.process.pid}
    for name, pid in everyone.items():
        assert value not in open(f"/proc/{pid}/cmdline", "rb").read(), name
    if os.geteuid() != 0:
        pytest.skip("an ordinary user may look into none of these processes: only root sees their memory")
    for name, pid in everyone.items():
        assert value not in open(f"/proc/{pid}/environ", "rb").read(), name
    if sanitized:
        pytest.skip("freed memory is kept as it was under ASan")
    # `saw try`, which is above all of these, stands in for keeper, which holds secrets too
    holders = {name for name, pid in pids.items() if holds(pid, value)}
    assert holders == {"saw-outlet"}, holders


def test_h13_the_keys_that_sign_for_the_guest_are_in_guarded_memory_alone(mitm, sanitized):
    """Those of the intermediate and of the leaf, after handshakes of both versions: locked and left out of dumps, and nowhere else in inlet."""
    if os.geteuid() != 0 or sanitized:
        pytest.skip("only root sees the memory of other processes; a sanitizer keeps what was freed")
    inlet = roles(mitm)["saw-inlet"]
    for host in ("cred.example", "good.example"):
        for version in ("--tls-max 1.2", "--tlsv1.3"):
            done = mitm.do("command", ["curl", "-sS", "-o", "/dev/null", *version.split(), f"https://{host}/hello"])
            assert done["code"] == 0, done
    shown = mitm.do("command", ["openssl", "s_client", "-connect", mitm.do("address", "cred.example") + ":443", "-servername", "cred.example", "-showcerts"])
    chain = [ssl.PEM_cert_to_DER_cert(c) for c in re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", shown["out"], re.S)]
    assert len(chain) == 2, shown
    for certificate in chain:
        key = issued_key(inlet, [certificate])
        assert key, "not in inlet"
        found, inside = stray(inlet, key_spellings("key", key))
        assert not found and inside, (found, inside)


def test_h16_without_its_secret_a_request_is_never_sent(gateway, arena):
    gw = gateway(policy(arena.ca))
    for fields in ("", "Authorization: Bearer mine\r\n"):
        with gw.attack() as a:
            got = ask(gw, "cred.example", fields)
            assert got["statuses"] == [502] and "credential_not_available" in got["text"], got
            event, = a.denied("credential_not_available")
            assert '"credential":"token"' in got["text"] and event["status_detail"].endswith(": token"), (got, event)
    assert ask(gw, "good.example")["statuses"] == [200]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_each_use_of_a_credential_is_written_down_with_the_flow_that_it_was_for(mitm, version):
    with mitm.attack() as a:
        done = mitm.do("command", ["sh", "-c", "for i in 1 2 3; do curl -sS -o /dev/null %s https://cred.example/x?$i; done" % version])
        assert done["code"] == 0, done
        used = a.wait_events(lambda events: len([e for e in events if e["class_uid"] == 4002]) >= 3)
    used = [e for e in used if e["class_uid"] == 4002]
    assert [e["metadata"]["log_provider"] for e in used] == ["outlet"] * 3
    assert len({e["connection_info"]["uid"] for e in used}) == 3, [e["connection_info"] for e in used]
