"""Answers of intercepted hosts on both ways: what of them reaches the guest."""
import pytest

from gateway import Gateway
from intercept_policy import SECRET, ZONE, policy

TRAILED = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\ngrpc-status: 5\r\nset-cookie: a=b\r\n\r\n"
COOKIE = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture(scope="module")
def gateway(arena, build, tmp_path_factory):
    arena.zone(ZONE)
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("answers"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def world(arena):
    arena.zone(ZONE)
    arena.ask("script", script={"/trailed": {"hex": TRAILED.hex()}, "/cookie": {"hex": COOKIE.hex()}})
    yield
    arena.ask("script", script={})


def curl(g, *args):
    got = g.do("command", ["curl", "-sS", "-D", "-", *args])
    assert got["code"] == 0, got
    return got["out"].lower()


@pytest.mark.parametrize("host", ["good.example", "cred.example"])
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_trailers_reach_the_guest_but_those_that_steer(gateway, host, version):
    with gateway.attack() as a:
        out = curl(gateway, version, f"https://{host}/trailed")
        assert "grpc-status: 5" in out and "set-cookie" not in out
        a.allowed(4002)


def test_cookies_stay_outside_where_a_credential_is_added(gateway):
    with gateway.attack() as a:
        assert "session=1" in curl(gateway, "https://good.example/cookie")
        assert "cookie" not in curl(gateway, "https://cred.example/cookie").replace("/cookie", "")
        a.allowed(4002, n=2)
        ends = a.ends()
        assert [(e["http_request"]["url"]["hostname"], "set-cookie" in e["status_detail"]) for e in ends] == [("cred.example", True)], ends
