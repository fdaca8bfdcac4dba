"""Group D on intercepted hosts: the ClientHello attacks of test_d_tls.py with an intercepted name in them, and what only a gateway that ends
TLS itself can get wrong. Names are exchanged for others of the same length."""
import re
import statistics
import threading
from collections import Counter

import pytest

import test_d_tls as opaque
from gateway import Gateway
from intercept_policy import SECRET, policy
from processes import memory, roles

HOSTS = ("good.example", "cred.example")


@pytest.fixture(scope="module")
def mitm(arena, build, tmp_path_factory):
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("tls"), secrets={"token": SECRET})
    yield g
    g.stop()


class Inside:
    """A gateway as test_d_tls.py holds it, where its passthrough host is an intercepted one."""

    def __init__(self, gateway, host):
        self.gateway, self.host = gateway, host
        self.attack, self.healthy = gateway.attack, gateway.healthy

    def do(self, fn, *args, **kw):
        names = {"pass.example": self.host, "two.example": "wrong.example"}
        if kw.get("send"):
            kw["send"] = kw["send"].replace(b"pass.example".hex(), self.host.encode().hex())
        with self.gateway.attack() as a:
            got = self.gateway.do(fn, *[names.get(a, a) for a in args], **kw)
            if fn == "release":  # a handshake that ends here is on record before the next test begins
                a.wait_events(lambda e: [x for x in e if x.get("status_code") == "tls_handshake_failed"])
            return got


@pytest.fixture(params=HOSTS)
def gw(request, mitm):
    return Inside(mitm, request.param)


# What is left out waits for an allow event, which an intercepted flow has only for a request.
for _name in sorted(set(dir(opaque)) - {"test_the_real_handshake_goes_through_untouched", "test_d10_grease_ech_is_allowed"}):
    if _name.startswith("test_"):
        globals()[_name] = getattr(opaque, _name)


def requests(a):
    return a.seen()["requests"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("other", ["evil.example", "pass.example", "stranger.example"])
def test_d3_a_fronted_host_is_421(mitm, host, other):
    with mitm.attack() as a:
        got = mitm.do("http", host, f"GET / HTTP/1.1\r\nHost: {other}\r\n\r\n", port=443, tls=True)
        assert got["statuses"] == [421] and got["closed"], got
        a.denied("authority_not_flow_name")


def client(mitm, host, *args, stdin="", names=None):
    where = mitm.do("address", host)
    return mitm.do("command", ["timeout", "10", "openssl", "s_client", "-connect", f"{where}:443", "-servername", names or host, *args], stdin=stdin)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("alpn", [(), ("-alpn", "h2")], ids=["http1", "h2"])
def test_d12_no_renegotiation(mitm, host, alpn):
    with mitm.attack() as a:
        got = client(mitm, host, "-tls1_2", *alpn, stdin="R\n")
        assert "TLSv1.2" in got["out"], got
        assert "RENEGOTIATING" in got["out"] + got["err"] and re.search("no renegotiation|unexpected (eof|record)|alert", got["err"]), got
        event, = a.denied("malformed_tls")
        assert event["status_detail"].endswith(": renegotiation"), event
    assert mitm.do("https", host).get("status") == 200


@pytest.mark.parametrize("host", HOSTS)
def test_d13_early_data_is_not_offered_and_not_read(mitm, tmp_path, host):
    ticket, early = "/tmp/rows-ticket-" + tmp_path.name, tmp_path / "early"
    early.write_text(f"GET /early HTTP/1.1\r\nHost: {host}\r\n\r\n")
    with mitm.attack() as a:
        got = client(mitm, host, "-tls1_3", "-sess_out", ticket, stdin=f"GET /first HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        assert "Max Early Data: 0" in got["out"] or "Max Early Data" not in got["out"], got
        again = client(mitm, host, "-tls1_3", "-sess_in", ticket, "-early_data", str(early))
        assert "Early data was accepted" not in again["out"], again
        assert "/early" not in [r["target"] for r in requests(a)]


def test_d14_a_ticket_of_one_name_is_no_identity_for_another(mitm):
    """A client that offers it gets a whole handshake with the other name's certificate, or none."""
    for version in ("TLSv1_2", "TLSv1_3"):
        got = mitm.do("resume_elsewhere", "good.example", "cred.example", version)
        assert got.get("error") or (not got["reused"] and got["names"] == ["cred.example"]), got


def http_codes(a):
    """Of all events about requests; that a connection was opened for the handshake is an event of its own."""
    events = a.wait_events(lambda e: [x for x in e if x["class_uid"] == 4002])
    return [e["status_code"] for e in events if e["class_uid"] == 4002]


@pytest.mark.parametrize("host,what", [("wrong.example", "name"), ("expired.example", "expired"), ("self.example", "self-signed"), ("evil.example", "issuer")])
def test_d16_an_upstream_that_proves_nothing_gets_no_request(mitm, host, what):
    with mitm.attack() as a:
        got = mitm.do("http", host, f"GET /secret-path HTTP/1.1\r\nHost: {host}\r\n\r\n", port=443, tls=True, want=1)
        assert got["statuses"] == [502] and "upstream_not_verified" in got["text"], got
        assert http_codes(a) == ["upstream_not_verified"], what
        seen = a.seen()["connections"]
        assert seen and not requests(a) and not [c for c in seen if b"secret-path" in bytes.fromhex(c["raw"])], seen


def test_d17_an_upstream_that_speaks_no_tls_gets_no_request(mitm):
    with mitm.attack() as a:
        got = mitm.do("http", "down.example", "GET /secret-path HTTP/1.1\r\nHost: down.example:25\r\n\r\n", port=25, tls=True, want=1)
        assert got["statuses"] == [502], got
        for c in a.seen()["connections"]:
            assert bytes.fromhex(c["raw"])[:1] in (b"", b"\x16") and b"secret-path" not in bytes.fromhex(c["raw"]), c
        assert http_codes(a) == ["upstream_not_verified"]


def test_d18_many_unlisted_names_mint_nothing(mitm, sanitized):
    inlet = roles(mitm)["saw-inlet"]
    mitm.do("https", "good.example")
    before, n = memory(inlet), 300
    with mitm.attack() as a:
        got = mitm.do("many_names", "good.example", n)
        assert got == {"alerts": n, "certificates": 0}, got
        events = a.wait_events(lambda e: len([x for x in e if x["disposition"] == "Blocked"]) >= n, timeout=15)
        assert Counter(e["status_code"] for e in events if e["disposition"] == "Blocked") == {"sni_not_flow_name": n}
        a.untouched()
    assert sanitized or memory(inlet) - before < 2 * 1024
    assert mitm.do("https", "good.example").get("status") == 200


def test_d20_the_chain_is_short_lived_and_held_to_the_listed_names(mitm):
    got = client(mitm, "good.example", "-showcerts")
    certificates = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", got["out"], re.S)
    assert len(certificates) == 2, got
    texts = [mitm.do("command", ["openssl", "x509", "-noout", "-text"], stdin=c)["out"] for c in certificates]
    assert "DNS:good.example" in texts[0] and "CA:TRUE" not in texts[0] and "Certificate Sign" not in texts[0], texts[0]
    assert "CA:TRUE, pathlen:0" in texts[1], texts[1]
    assert re.search("Name Constraints: critical", texts[1]) and "DNS:good.example" in texts[1] and "stranger" not in texts[1], texts[1]
    for c in certificates:
        assert mitm.do("command", ["openssl", "x509", "-noout", "-checkend", str(31 * 86400)], stdin=c)["code"] == 1, "it lives longer than a month"


def test_d20_no_private_key_is_where_the_guest_reads(mitm):
    """What tools are told to trust, the environment, and the gateway's own service."""
    found = mitm.do("command", ["sh", "-c", "cat $SSL_CERT_FILE /etc/ssl/certs/ca-certificates.crt /proc/*/environ 2>/dev/null"])
    assert "BEGIN CERTIFICATE" in found["out"] and "PRIVATE" not in found["out"], found["out"][-500:]
    folder = mitm.do("command", ["sh", "-c", "grep -rl 'PRIVATE KEY' $(dirname $SSL_CERT_FILE)"])
    assert folder["out"] == "", folder
    for path in ("/v1/whoami", "/v1/reach", "/v1/ca", "/ca.key"):
        got = mitm.do("http", "saw.internal", f"GET {path} HTTP/1.1\r\nHost: saw.internal\r\n\r\n", want=1)
        assert "PRIVATE" not in got["text"], got


def test_d18_a_flood_of_names_leaves_another_workspace_its_latency(mitm, arena, build, tmp_path):
    """A thousand distinct names, each a handshake, while a second workspace asks for what it may have."""
    other = Gateway(arena, build, policy(arena.ca), tmp_path, secrets={"token": SECRET})
    try:
        asked = lambda n: [other.do("timed_https", "good.example") for _ in range(n)]
        asked(3)
        before = statistics.median(asked(20))
        got = []
        flood = threading.Thread(target=lambda: got.append(mitm.do("many_names", "good.example", 1000)))
        flood.start()
        during = []
        while flood.is_alive() or len(during) < 20:
            during += asked(1)
        flood.join()
        assert got == [{"alerts": 1000, "certificates": 0}]
        assert statistics.median(during) < 5 * before + 0.05, (before, statistics.median(during))
    finally:
        other.stop()
