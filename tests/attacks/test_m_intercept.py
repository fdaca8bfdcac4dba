"""Intercepted hosts: TLS with the workspace's certificate, requests judged, credentials added outside."""
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
    return [r for c in a.seen()["connections"] for r in c["http"]]


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
