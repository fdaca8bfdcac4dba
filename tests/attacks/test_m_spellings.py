"""G3: an encoded slash or plus leads past no deny, neither at inlet nor at outlet, and harmless paths pass as they came."""
import pytest

from gateway import Gateway
from hostile import HostileInlet
from intercept_policy import SECRET, ZONE, policy

HOSTS = ["good.example", "cred.example"]
DENIED = ["/admin%2Fx", "/admin%2fx", "/admin%2Fx%2Fy", "/admin/x%2Fy", "/c%2B%2B/x", "/c+%2B%2Fx"]
PASSES = ["/@scope%2fname", "/x%2Fadmin%2Fy", "/c%2B/x", "/a" + "%2Fa" * 8]


def text(ca):
    return (policy(ca).replace("    protocol: rest\n    addresses", "    protocol: rest\n    encoded_slash: true\n    addresses", 1)
            .replace("    credential: token\n", "    credential: token\n    encoded_slash: true\n")
            .replace('paths: ["/admin/**"]', 'paths: ["/admin/**", "/c++/**"]'))


@pytest.fixture(scope="module")
def spelt(arena, build, tmp_path_factory):
    g = Gateway(arena, build, text(arena.ca), tmp_path_factory.mktemp("spellings"), secrets={"token": SECRET})
    yield g
    g.stop()


def get(gateway, host, path):
    return gateway.do("http", host, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n", port=443, tls=True, want=1)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", DENIED)
def test_g3_a_denied_path_in_another_spelling_is_denied(spelt, host, path):
    with spelt.attack() as a:
        got = get(spelt, host, path)
        assert got["statuses"] == [403], got
        event, = a.denied("denied_by_rule")
        assert "remove, or narrow it so that GET /" in event["unmapped"]["policy_change"], event


@pytest.mark.parametrize("host", HOSTS)
def test_g3_more_slashes_than_are_read_both_ways_are_refused(spelt, host):
    with spelt.attack() as a:
        assert get(spelt, host, "/a" + "%2Fa" * 9)["statuses"] == [403]
        event, = a.denied("too_many_encoded_slashes")
        assert event["unmapped"]["policy_change"].startswith("no policy allows this: "), event


@pytest.mark.parametrize("host", HOSTS)
def test_l1_what_no_deny_has_in_any_spelling_passes_as_it_came(spelt, arena, host):
    arena.zone(ZONE)
    with spelt.attack() as a:
        for path in PASSES:
            assert get(spelt, host, path)["statuses"] == [200], path
        assert [r["target"].replace("%2f", "%2F") for r in a.seen()["requests"]] == [p.replace("%2f", "%2F") for p in PASSES]


def test_g3_outlet_denies_what_a_hostile_inlet_lets_pass(arena, build):
    hostile = HostileInlet(arena, build, text(arena.ca), {"token": SECRET})
    try:
        for path in [p for p in DENIED if "%2f" not in p]:
            marks, at = arena.ask("marks"), len(hostile.events)
            got = hostile.ask("cred.example", f"GET {path} HTTP/1.1\r\nHost: cred.example\r\n\r\n".encode())
            assert got.startswith(b"HTTP/1.1 403 "), (path, got)
            assert hostile.codes(at, 1) == ["denied_by_rule"], path
            seen = arena.ask("since", **marks)
            assert not seen["queries"] and not seen["connections"] and not seen["requests"], seen
    finally:
        hostile.stop()
