"""F7, F9, L4: WebSockets of intercepted hosts. Opaque where a rule opens them, refused anywhere else."""
import pytest

import ws
from gateway import Gateway
from intercept_policy import SECRET, ZONE, policy

MASK = b"\x11\x22\x33\x44"
LIVE = '      - {class: write, methods: [GET], paths: ["/live"], websocket: opaque}\n      - {deny: true, methods: ["*"], paths: ["/admin/**"]}\n'


@pytest.fixture(scope="module")
def gateway(arena, build, tmp_path_factory):
    arena.zone(ZONE)
    text = policy(arena.ca).replace('      - {deny: true, methods: ["*"], paths: ["/admin/**"]}\n', LIVE, 1)
    g = Gateway(arena, build, text, tmp_path_factory.mktemp("websocket"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def world(arena):
    arena.zone(ZONE)


def masked(opcode, payload=b"", **kw):
    return ws.frame(opcode, payload, mask=MASK, **kw).hex()


def failures(a, n=1):
    events = a.wait_events(lambda events: len([e for e in events if e.get("disposition") == "Error"]) >= n)
    return [e["status_code"] for e in events if e.get("disposition") == "Error"]


def test_l4_a_listed_websocket_carries_text_binary_fragments_pings_and_its_close_code(gateway):
    big = bytes(range(256)) * 400
    sends = [masked(ws.TEXT, "héllo".encode()), masked(ws.TEXT, b"in ", fin=False), masked(ws.PING, b"?"), masked(ws.CONTINUATION, b"two"),
             masked(ws.BINARY, big), masked(ws.CLOSE, (4001).to_bytes(2, "big") + b"bye")]
    with gateway.attack() as a:
        got = gateway.do("websocket", "good.example", "/live", sends, 6, fields="Sec-WebSocket-Extensions: permessage-deflate\r\n")
        assert got.get("status") == 101 and "extensions" not in got["head"].lower(), got
        assert [(f[0], f[1], f[2]) for f in got["frames"]] == [
            (ws.TEXT, True, "héllo".encode().hex()), (ws.TEXT, False, b"in ".hex()), (ws.PONG, True, b"?".hex()),
            (ws.CONTINUATION, True, b"two".hex()), (ws.BINARY, True, big.hex()), (ws.CLOSE, True, "0fa1" + b"bye".hex())]
        event, = a.allowed(4002)
        assert event["http_request"]["url"]["path"] == "/live"
        sent = a.seen()["connections"][0]
        fields = dict(sent["http"][0]["fields"])
        assert fields["upgrade"] == "websocket" and "sec-websocket-extensions" not in fields
        assert all(f[3] for f in sent["frames"]) and len(sent["frames"]) == 6
        ends = a.ends(class_uid=4001)
        assert any(e["traffic"]["bytes_in"] > len(big) and e["traffic"]["bytes_out"] > len(big) for e in ends), ends


@pytest.mark.parametrize("host, path", [("good.example", "/other"), ("cred.example", "/live")])
def test_f7_an_unlisted_websocket_does_not_reach_the_host(gateway, host, path):
    with gateway.attack() as a:
        got = gateway.do("websocket", host, path, [], 0)
        assert got.get("status") == 403, got
        blocked = a.denied("upgrade_not_listed", touched=True)
        assert not a.seen()["requests"], blocked


@pytest.mark.parametrize("nominated", ["Sec-WebSocket-Version", "sec-websocket-key"])
@pytest.mark.parametrize("host, path", [("good.example", "/other"), ("good.example", "/live"), ("cred.example", "/live")])
def test_f7_an_upgrade_that_names_its_own_fields_in_connection_is_no_ordinary_get(gateway, host, path, nominated):
    """They go as Connection says; what is left asks for a WebSocket all the same, of a host that is less strict than we are."""
    with gateway.attack() as a:
        got = gateway.do("http", host, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade, {nominated}\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", port=443, tls=True, want=1)
        assert got["statuses"] == [403], got
        a.denied("upgrade_not_listed")


@pytest.mark.parametrize("bad, code", [(ws.frame(ws.TEXT, b"bare").hex(), 1002), (masked(ws.TEXT, b"x", reserved=4), 1002),
                                       (masked(ws.TEXT, b"\xff"), 1007), (masked(3), 1002)], ids=["unmasked", "compressed", "not-utf8", "opcode"])
def test_f9_a_frame_that_breaks_the_protocol_ends_it_with_a_code_and_does_not_pass(gateway, bad, code):
    with gateway.attack() as a:
        got = gateway.do("websocket", "good.example", "/live", [bad], 1)
        assert [(f[0], f[2]) for f in got["frames"]] == [(ws.CLOSE, f"{code:04x}")], got
        assert failures(a) == ["malformed_websocket"]
        assert [c["frames"] for c in a.seen()["connections"]] == [[]]


def test_f9_a_frame_of_the_host_that_breaks_the_protocol_does_not_pass(gateway):
    with gateway.attack() as a:
        got = gateway.do("websocket", "good.example", "/live", [masked(ws.TEXT, b"break")], 1)
        assert got["frames"] == [] and got["closed"], got
        assert failures(a) == ["malformed_upstream"]
