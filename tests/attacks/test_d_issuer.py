"""D16, the revoked issuer: nothing is fetched to learn of it (SECURITY.md); Security takes the issuer out of the policy, and that holds at once."""
import subprocess

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


def test_d16_an_issuer_that_security_drops_is_trusted_neither_by_kept_connections_nor_by_tickets(build, tmp_path):
    arena = Arena(tmp_path)
    arena.zone({"good.example": [{"a": "127.0.0.10"}]})
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=test CA",
                    "-keyout", tmp_path / "next.key", "-out", tmp_path / "next.pem"], check=True, capture_output=True)
    gw = KeptGateway(arena, build, tmp_path / "gw", policy(arena.ca), {}, ("good.example",))
    try:
        what = {"kind": "http1", "host": "good.example", "port": 443, "ca": str(gw.root)}
        for group in ("kept", "asks"):
            gw.do("open_flows", group, what, 1, 0)
        gw.change(policy(tmp_path / "next.pem"))
        with gw.attack() as a:
            assert gw.do("ask", "kept", "GET", "/after") == 502
            assert [e["status_code"] for e in a.wait_events(lambda e: [x for x in e if x["class_uid"] == 4002]) if e["class_uid"] == 4002] == \
                ["upstream_not_verified"]
            assert not a.seen()["requests"]
        gw.change(policy(arena.ca))
        assert gw.do("ask", "asks", "GET", "/again") == 200
    finally:
        gw.stop()
        arena.stop()
