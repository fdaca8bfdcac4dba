"""D16, the revoked issuer: nothing is fetched to learn of it (SECURITY.md); Security takes the issuer out of the policy, and that holds at once."""
import subprocess

import pytest

from arena import Arena
from kept import KeptGateway

TEXT = """\
version: 1
name: issuer
lab: true
verdicts: {read: allow, write: allow}
network:
  - name: good
    hosts: [good.example]
    ports: [443]
    mode: intercept
    protocol: rest
    access: full
    addresses: [127.0.0.10/32]
    ca: |
"""


def policy(pem):
    return TEXT + "".join(f"      {line}\n" for line in pem.read_text().splitlines())


@pytest.fixture
def arena(tmp_path):
    a = Arena(tmp_path)
    a.zone({"good.example": [{"a": "127.0.0.10"}]})
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=test CA",
                    "-keyout", tmp_path / "next.key", "-out", tmp_path / "next.pem"], check=True, capture_output=True)
    yield a
    a.stop()


@pytest.fixture
def gw(arena, build, tmp_path):
    g = KeptGateway(arena, build, tmp_path / "gw", policy(arena.ca), {}, ("good.example",))
    yield g
    g.stop()


def refusals(a):
    return [e["status_code"] for e in a.wait_events(lambda e: [x for x in e if x["class_uid"] == 4002]) if e["class_uid"] == 4002]


def test_d16_an_issuer_that_security_drops_is_trusted_neither_by_kept_connections_nor_by_tickets(gw, arena, tmp_path):
    what = {"kind": "http1", "host": "good.example", "port": 443, "ca": str(gw.root)}
    for group in ("kept", "asks"):
        gw.do("open_flows", group, what, 1, 0)
    gw.change(policy(tmp_path / "next.pem"))
    with gw.attack() as a:
        assert gw.do("ask", "kept", "GET", "/after") == 502
        assert refusals(a) == ["upstream_not_verified"]
        assert not a.seen()["requests"]
    gw.change(policy(arena.ca))
    assert gw.do("ask", "asks", "GET", "/again") == 200


def test_d16_nor_by_connections_that_flows_before_have_left_behind(gw, tmp_path):
    what = {"host": "good.example", "port": 443, "ca": str(gw.root)}
    with gw.attack() as a:
        assert [gw.do("once", what, f"/{i}") for i in range(5)] == [200] * 5
        assert len(a.seen()["requests"]) == 5 > len(a.seen()["connections"]), "no flow goes on with what another left"
    gw.change(policy(tmp_path / "next.pem"))
    with gw.attack() as a:
        assert gw.do("once", what, "/after") == 502
        assert refusals(a) == ["upstream_not_verified"]
        assert not a.seen()["requests"]
