"""An inlet that the guest has taken over, against a real outlet and dialer: no request outside policy gets the credential, and its value never
comes back."""
import os
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from hostile import HostileInlet
from intercept_policy import SECRET, ZONE, policy

CANARY = b"GET /canary HTTP/1.1\r\nHost: cred.example\r\n\r\n"


@pytest.fixture(scope="module")
def hostile(arena, build):
    h = HostileInlet(arena, build, policy(arena.ca), {"token": SECRET})
    yield h
    h.stop()


class Watch:
    def __init__(self, hostile):
        self.hostile = hostile

    def __enter__(self):
        self.marks, self.at = self.hostile.arena.ask("marks"), len(self.hostile.events)
        return self

    def __exit__(self, *_):
        return False

    def requests(self):
        return self.hostile.arena.ask("since", **self.marks)["requests"]

    def untouched(self):
        seen = self.hostile.arena.ask("since", **self.marks)
        assert not seen["queries"] and not seen["connections"] and not seen["requests"], seen

    def codes(self, n=1):
        return self.hostile.codes(self.at, n)


def request(line="GET /hello", fields=b"", host=b"cred.example", body=b""):
    return line.encode() + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + fields + b"\r\n" + body


def asked(s):
    s.settimeout(4)
    s.sendall(request())
    return s


def test_a_canonical_request_gets_the_credential_and_its_value_stays_outside(hostile):
    with Watch(hostile) as w:
        got = hostile.ask("cred.example", request())
        assert got.startswith(b"HTTP/1.1 200 ") and SECRET.encode() not in got, got
        assert dict(w.requests()[0]["fields"])["authorization"] == "Bearer " + SECRET
        assert not w.codes(0)
    assert SECRET not in str(hostile.events)


FORGED = {
    "Host of another listed name": (request(host=b"good.example"), ("authority_not_flow_name",)),
    "Host of an unlisted name": (request(host=b"evil.example"), ("authority_not_flow_name",)),
    "another port": (request(host=b"cred.example:8443"), ("authority_not_flow_name",)),
    "an absolute target": (request("GET https://cred.example/hello"), ("not_canonical",)),
    "an absolute target elsewhere": (request("GET https://evil.example/hello"), ("authority_not_flow_name",)),
    "a method that no rule lists": (request("DELETE /data/x"), ("method_not_listed",)),
    "a path that no rule lists": (request("POST /elsewhere", b"Content-Length: 0\r\n"), ("path_not_listed", "method_not_listed")),
    "a path that a rule denies": (request("GET /admin/x"), ("denied_by_rule",)),
    "an escaped way to it": (request("GET /%61dmin/x"), ("not_canonical", "denied_by_rule")),
    "a dotted way to it": (request("GET /x/../admin/x"), ("dot_segment",)),
    "TRACE": (request("TRACE /hello"), ("method_not_listed",)),
    "CONNECT": (b"CONNECT cred.example:443 HTTP/1.1\r\nHost: cred.example\r\n\r\n", ("malformed_target", "method_not_listed")),
    "two lengths": (request("POST /data/x", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n" + CANARY), ("two_body_lengths",)),
    "bare line feeds": (b"GET /hello HTTP/1.1\nHost: cred.example\n\n" + CANARY, ("malformed_line_end",)),
    "a folded field": (request(fields=b"X: a\r\n b\r\n"), ("malformed_header",)),
    "blanks around a value": (request(fields=b"X:  a \r\n"), ("not_canonical",)),
    "Host in lower case": (b"GET /hello HTTP/1.1\r\nhost: cred.example\r\n\r\n", ("not_canonical",)),
    "Host in another case": (request(host=b"CRED.example"), ("not_canonical",)),
    "Host behind another field": (b"GET /hello HTTP/1.1\r\nX: y\r\nHost: cred.example\r\n\r\n", ("not_canonical",)),
    "a hop-by-hop field": (request(fields=b"Connection: authorization\r\n"), ("not_canonical", "connection_names_field")),
    "a forwarding field": (request(fields=b"X-Forwarded-Host: evil.example\r\n"), ("not_canonical",)),
    "an expectation": (request("POST /data/x", b"Content-Length: 5\r\nExpect: 100-continue\r\n", body=b"hello"), ("not_canonical",)),
    "a length with zeros": (request("POST /data/x", b"Content-Length: 05\r\n", body=b"hello"), ("malformed_content_length", "not_canonical")),
    "HTTP/1.0": (b"GET /hello HTTP/1.0\r\nHost: cred.example\r\n\r\n", ("not_canonical",)),
    "a method override": (request(fields=b"X-HTTP-Method-Override: DELETE\r\n"), ("method_override", "not_canonical")),
    "not HTTP": (b"\x16\x03\x01\x00\x05hello\r\n\r\n", ("not_http", "malformed_method", "malformed_line_end", "malformed_request_line")),
    "a head over the limit": (request(fields=b"X: " + b"y" * 200000 + b"\r\n"), ("headers_too_large",)),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_request_is_refused_before_anything_is_dialled(hostile, what):
    text, reasons = FORGED[what]
    with Watch(hostile) as w:
        got = hostile.ask("cred.example", text)
        assert not got.startswith(b"HTTP/1.1 2") and SECRET.encode() not in got, got
        codes = w.codes()
        assert len(codes) == 1 and codes[0] in reasons, (codes, got)
        w.untouched()
    assert hostile.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")


def test_a_second_request_behind_a_good_one_is_judged_by_itself(hostile):
    with Watch(hostile) as w:
        got = hostile.ask("cred.example", request() + request("GET /admin/x") + CANARY, answers=2)
        assert got.count(b"HTTP/1.1 ") == 2 and b"HTTP/1.1 403 " in got, got
        assert [r["target"] for r in w.requests()] == ["/hello"]
        assert w.codes() == ["denied_by_rule"]


def test_a_body_that_ends_early_completes_nothing(hostile):
    with Watch(hostile) as w:
        with hostile.dial("cred.example") as s:
            s.sendall(request("POST /data/x", b"Content-Length: 50\r\n", body=CANARY[:20]))
        hostile.ask("cred.example", request())
        assert [r["target"] for r in w.requests()] == ["/hello"]


@pytest.mark.parametrize("name,port,reason", [("good.example", 443, "wrong_door"), ("pass.example", 443, "wrong_door"), ("evil.example", 443, "wrong_door"),
                                              ("stranger.example", 443, "name_not_listed"), ("cred.example", 80, "port_not_listed")])
def test_outlet_opens_guarded_names_only(hostile, name, port, reason):
    with Watch(hostile) as w:
        assert hostile.dial(name, port) == reason
        assert w.codes() == [reason]
        w.untouched()


def test_dialer_gives_inlet_no_connection_to_a_guarded_name(hostile):
    with Watch(hostile) as w:
        assert hostile.dial("cred.example", door=hostile.to_dialer) == "wrong_door"
        assert w.codes() == ["wrong_door"]
        w.untouched()


def changed(hostile, *texts):
    """Under the last of these policies, after the others."""
    h = HostileInlet(hostile.arena, hostile.build, texts[0], {"token": SECRET}, deaf=True)
    for generation, text in enumerate(texts[1:], 2):
        for role in (h.dialer.parent, h.parent):
            blob = h.blob(text)
            role.send("MSG_POLICY", generation, fds=[blob])
            os.close(blob)
            role.expect("MSG_POLICY_DONE")
    h.listen()
    return h


def test_outlet_goes_on_with_a_name_that_lost_its_credential_until_the_next_policy_and_inlet_never_with_one_that_got_one(hostile):
    with_it = policy(hostile.arena.ca)
    without = "".join(l for l in with_it.splitlines(True) if not l.startswith(("credentials:", "  token:", "    credential: token")))
    with changed(hostile, with_it, without) as h:
        with Watch(h) as w:
            assert h.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")
            assert [f for f in w.requests()[0]["fields"] if f[0] == "authorization"] == [], "spent without a policy that says so"
        assert h.dial("good.example") == "wrong_door" and h.dial("good.example", door=h.to_dialer) != "wrong_door"
    with changed(hostile, with_it, without, without.replace("name: intercepted", "name: later")) as h:
        assert h.dial("cred.example") == "wrong_door"
    with changed(hostile, with_it, with_it.replace("name: intercepted", "name: later")) as h:
        assert h.dial("cred.example", door=h.to_dialer) == "wrong_door"
    with changed(hostile, without, with_it) as h:
        assert h.dial("cred.example", door=h.to_dialer) == "wrong_door"
        assert h.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("message", [("MSG_DIAL", 1, "CRED.example", 443, 1), ("MSG_DIAL", 1, "cred.example.", 443, 1), ("MSG_DIAL", 0, "cred.example", 443, 1),
                                     ("MSG_DIAL", 1, "cred.example", 0, 1), ("MSG_DIAL", 1, "cred.example", 70000, 1), ("MSG_DIAL", 1, "a" * 300, 443, 1),
                                     ("MSG_DIAL", 1, "cred.example", 443), ("MSG_SECRET", "token", 2, "mine"), ("MSG_SECRET_GONE", "token"),
                                     ("MSG_POLICY", 2), ("MSG_STOP",), ("MSG_EVENT_DONE", 1, 1)], ids=str)
def test_what_inlet_may_not_say_ends_its_channel(hostile, message):
    hostile.inlet.send(*message)
    assert hostile.inlet.receive() is None
    hostile.again()
    with Watch(hostile) as w:
        assert hostile.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")
        assert dict(w.requests()[0]["fields"])["authorization"] == "Bearer " + SECRET


def test_h14_a_rotated_or_removed_value_is_not_spent_again_on_a_kept_connection(hostile):
    try:
        with Watch(hostile) as w, hostile.dial("cred.example") as s:
            s.settimeout(4)
            s.sendall(request())
            assert hostile.read(s).startswith(b"HTTP/1.1 200 ")
            hostile.keeper.send("MSG_SECRET", "token", 2, "the-second-value")
            began = time.monotonic()
            while True:  # until the new one is in use; the old one may be spent no longer than a second
                hostile.ask("cred.example", request("GET /probe"))
                seen = [dict(r["fields"])["authorization"] for r in w.requests() if r["target"] == "/probe"]
                if seen[-1:] == ["Bearer the-second-value"]:
                    break
                assert time.monotonic() - began < 1, seen
            try:
                s.sendall(request("GET /kept"))
                hostile.read(s)
            except ConnectionError:
                pass  # closed with the old value, which is as good
            assert [dict(r["fields"])["authorization"] for r in w.requests() if r["target"] == "/kept"] in ([], ["Bearer the-second-value"])
        hostile.keeper.send("MSG_SECRET_GONE", "token")
        with Watch(hostile) as w:
            got = hostile.ask("cred.example", request("GET /gone"))
            assert b"credential_not_available" in got, got
            w.untouched()
            assert w.codes() == ["credential_not_available"]
    finally:
        hostile.keeper.send("MSG_SECRET", "token", 3, SECRET)


def carried(hostile, w):
    """The values that came on each connection of the origin, in order."""
    return [[dict(r["fields"])["authorization"] for r in c["http"]] for c in hostile.arena.ask("since", **w.marks)["connections"] if c["http"]]


def test_h14_no_connection_carries_another_value_than_the_one_that_it_was_made_for(hostile):
    """Those too that a finished flow has left behind, which the next one goes on with."""
    try:
        with Watch(hostile) as w:
            for _ in range(2):
                assert hostile.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")
            assert carried(hostile, w) == [["Bearer " + SECRET] * 2], "it goes on with none"
            hostile.keeper.send("MSG_SECRET", "token", time.monotonic_ns(), "the-next-value")
            end = time.monotonic() + 4
            while carried(hostile, w)[-1][-1:] != ["Bearer the-next-value"]:
                assert time.monotonic() < end, carried(hostile, w)
                assert hostile.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")
            assert [len(set(values)) for values in carried(hostile, w)] == [1, 1], carried(hostile, w)
    finally:
        rotate(hostile)


def test_d16_outlet_goes_on_with_no_connection_that_the_policy_before_has_verified(arena, build, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=test CA",
                    "-keyout", tmp_path / "next.key", "-out", tmp_path / "next.pem"], check=True, capture_output=True)
    with HostileInlet(arena, build, policy(arena.ca), {"token": SECRET}) as h:
        assert h.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")
        blob = h.blob(policy(tmp_path / "next.pem"))
        for role in (h.dialer.parent, h.parent):
            role.send("MSG_POLICY", 2, fds=[blob])
        os.close(blob)
        end = time.monotonic() + 4
        while (got := h.ask("cred.example", request())).startswith(b"HTTP/1.1 200 "):
            assert time.monotonic() < end, "its certificate is not one that the policy in force takes"
        assert b"upstream_not_verified" in got, got


UPLOAD = b"Content-Type: application/octet-stream\r\n"


def begin(hostile, w, s, head, body):
    """Sends them, and sees the head at the origin."""
    s.settimeout(4)
    s.sendall(request(head, body[0], body=body[1]))
    end = time.monotonic() + 4
    while head.encode() not in b"".join(bytes.fromhex(c["raw"]) for c in hostile.arena.ask("since", **w.marks)["connections"]):
        assert time.monotonic() < end, "the request does not reach the origin"


def failed(hostile, w):
    return [e["code"] for e in hostile.events[w.at:] if e["action"] == "failed"]


def rotate(hostile):
    hostile.keeper.send("MSG_SECRET", "token", time.monotonic_ns(), SECRET)


@pytest.mark.parametrize("how", ["gone", "rotated"])
def test_h14_an_upload_without_a_length_ends_with_its_credential(hostile, how):
    try:
        with Watch(hostile) as w, hostile.dial("cred.example") as s:
            begin(hostile, w, s, "POST /data/open", (UPLOAD + b"Transfer-Encoding: chunked\r\n", b"5\r\nfirst\r\n"))
            if how == "gone":
                hostile.keeper.send("MSG_SECRET_GONE", "token")
            else:
                rotate(hostile)
            s.settimeout(1)
            assert b"credential_not_available" in hostile.read(s), "it is not told within a second"
            try:
                s.sendall(b"4\r\nlate\r\n0\r\n\r\n")
            except ConnectionError:
                pass
            rotate(hostile)
            assert hostile.ask("cred.example", CANARY).startswith(b"HTTP/1.1 200 ")
            assert [r["target"] for r in w.requests()] == ["/canary"], "the upload was completed with a credential that is no more"
            assert failed(hostile, w) == ["credential_not_available"]
    finally:
        rotate(hostile)


def test_h14_an_upload_that_is_whole_and_one_with_a_length_may_finish(hostile):
    with Watch(hostile) as w, hostile.dial("cred.example") as s:
        begin(hostile, w, s, "POST /data/short", (UPLOAD + b"Content-Length: 10\r\n", b"first"))
        rotate(hostile)
        assert hostile.ask("cred.example", CANARY).startswith(b"HTTP/1.1 200 ")
        s.sendall(b"-last")
        assert hostile.read(s).startswith(b"HTTP/1.1 200 ")
        assert {r["target"]: r["body"] for r in w.requests()}["/data/short"] == "first-last" and not failed(hostile, w)


@pytest.mark.slow
def test_h14_no_answer_outlives_its_credential_by_more_than_a_minute(hostile):
    with Watch(hostile) as w, hostile.dial("cred.example") as s:
        begin(hostile, w, s, "GET /drip", (b"", b""))
        assert b"data: x" in s.recv(65536)
        began = time.monotonic()
        rotate(hostile)
        try:
            while s.recv(65536):
                assert time.monotonic() - began < 65, "it goes on"
        except ConnectionError:
            pass
        assert 55 < time.monotonic() - began < 65 and failed(hostile, w) == ["credential_not_available"]


@pytest.mark.parametrize("value", [b"a\r\nX-More: b", b"a\nb", b"a\rb", b"a\0b", b"a\tb", b"a\x7f", b"caf\xc3\xa9", b" a", b""], ids=repr)
def test_h8_a_value_that_no_field_carries_is_no_credential_whoever_sends_it(hostile, value):
    hostile.keeper.send("MSG_SECRET", "token", 8, value)
    try:
        with Watch(hostile) as w:
            got = hostile.ask("cred.example", request("GET /h8"))
            assert got.startswith(b"HTTP/1.1 502 ") and b"credential_not_available" in got, got
            w.untouched()
            assert w.codes() == ["credential_not_available"]
    finally:
        hostile.keeper.send("MSG_SECRET", "token", 9, SECRET)
    with Watch(hostile) as w:
        assert hostile.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")
        assert dict(w.requests()[0]["fields"])["authorization"] == "Bearer " + SECRET


def test_two_dials_with_one_flow_id_cut_nobody_off_from_dialer(hostile):
    with hostile.dial("cred.example") as a:
        hostile.flow -= 1
        with hostile.dial("cred.example") as b:
            for s in (a, b):
                s.settimeout(4)
                s.sendall(request("GET /twice"))
            for s in (a, b):
                assert hostile.read(s)[:13] in (b"HTTP/1.1 200 ", b"HTTP/1.1 503 ")
    assert hostile.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")


BURST, EVERY = 4096, 0.004  # ipc/noise.h
SLACK = 600  # what comes with the message at which a channel is held (CHAN_BATCH_MAX)


class Flood(threading.Thread):
    """Sends wishes for as long as they are taken, and reads the refusals."""

    def __init__(self, door, first, name):
        super().__init__(daemon=True)
        self.door, self.flow, self.name, self.sent, self.over = door, first, name, 0, False
        self.start()

    def run(self):
        while not self.over:
            while select.select([self.door.sock], [], [], 0)[0] and self.door.receive():
                pass
            if select.select([], [self.door.sock], [], 0.01)[1]:
                self.flow += 1
                self.door.send("MSG_DIAL", self.flow, self.name, 443, 1)
                self.sent += 1


@pytest.mark.parametrize("role", ["outlet", "dialer"])
def test_a_flood_of_refusals_is_slowed_down_and_neither_fills_the_log_nor_ends_a_role(hostile, role):
    with HostileInlet(hostile.arena, hostile.build, policy(hostile.arena.ca), {"token": SECRET}) as h:
        door = h.inlet if role == "outlet" else h.to_dialer
        began, flood = time.monotonic(), Flood(door, 1 << 32, "stranger.example")
        while time.monotonic() - began < 6:
            select.select([], [], [], 0.05)
        took, events = time.monotonic() - began, [e["code"] for e in h.events]
        flood.over = True
        flood.join(10)
        # on a busy machine there may be too many at once, too
        assert BURST < len(events) < BURST + took / EVERY + SLACK and {"name_not_listed"} <= set(events) <= {"name_not_listed", "too_many_flows"}, \
            (len(events), took, flood.sent)
        assert h.process.poll() is None and h.dialer.process.poll() is None
        # the other way is as open as before
        if role == "outlet":
            assert h.dial("cred.example", door=h.to_dialer) == "wrong_door"
        else:
            assert h.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")


def test_a_supervisor_that_does_not_read_stops_dialer_and_outlet_and_ends_neither(hostile):
    with HostileInlet(hostile.arena, hostile.build, policy(hostile.arena.ca), {"token": SECRET}, deaf=True) as h:
        floods = [Flood(door, 1 << 32, "stranger.example") for door in (h.inlet, h.to_dialer)]
        before = None
        while before != (before := [f.sent for f in floods]):
            select.select([], [], [], 0.5)
        for f in floods:
            f.over = True
            f.join(10)
        assert h.process.poll() is None and h.dialer.process.poll() is None
        assert all(1000 < n < 40_000 for n in before), before
        h.listen()
        for door in (h.inlet, h.to_dialer):  # behind all that waits there
            door.send("MSG_DIAL", 1, "stranger.example", 443, 1)
            while door.receive()[1][0] != 1:
                pass
        asked = sum(f.sent for f in floods) + 2
        assert len(h.codes(0, asked)) == asked == len(h.events)  # each on record
        assert h.ask("cred.example", request()).startswith(b"HTTP/1.1 200 ")


def test_outlet_opens_no_more_flows_than_its_descriptors_are_for(hostile):
    with HostileInlet(hostile.arena, hostile.build, policy(hostile.arena.ca), {"token": SECRET}, fds=512) as h:
        flows = []
        while not isinstance(s := h.dial("cred.example"), str):
            flows.append(s)
        assert s == "too_many_flows" and len(flows) == (512 - 128) // 3
        assert h.codes(0) == ["too_many_flows"]
        assert h.read(asked(flows[-1])).startswith(b"HTTP/1.1 200 ")
        flows.pop().close()
        while isinstance(s := h.dial("cred.example"), str):  # until outlet has seen that
            assert s == "too_many_flows"
        assert h.read(asked(s)).startswith(b"HTTP/1.1 200 ")
        for s in flows:
            s.close()


def test_a_dial_that_fails_when_its_name_is_gone_does_not_end_outlet(arena, build):
    """The last entry of the policy, so that the one that follows has fewer."""
    arena.zone({**ZONE, "cred.example": [{"lie": "silent"}]})
    text = policy(arena.ca).replace("  - name: cred\n", "  - name: zone\n")
    without = text[:text.index("  - name: zone")] + text[text.index("  - name: json"):text.index("credentials:")]
    try:
        with HostileInlet(arena, build, text, {"token": SECRET}) as h:
            marks = arena.ask("marks")
            with h.dial("cred.example") as s:
                s.sendall(CANARY)
                end = time.monotonic() + 5
                while not arena.ask("since", **marks)["queries"]:
                    assert time.monotonic() < end, "dialer asked nobody"
                    select.select([], [], [], 0.02)
                fd = h.blob(without)
                h.parent.send("MSG_POLICY", 2, fds=[fd])
                os.close(fd)
                s.settimeout(60)
                assert HostileInlet.read(s).startswith(b"HTTP/1.1 50")
            assert h.process.poll() is None
    finally:
        arena.zone(ZONE)


def test_what_comes_behind_a_stop_begins_nothing_and_outlet_ends_in_order(arena, build):
    h = HostileInlet(arena, build, policy(arena.ca), {"token": SECRET}, deaf=True)
    h.process.send_signal(signal.SIGSTOP)  # all of it lies there when it looks
    h.parent.send("MSG_STOP")
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for _ in range(100):  # more than one turn of its loop takes
        h.parent.send("MSG_PEER_INLET", fds=[near.fileno()])
    near.close()
    h.process.send_signal(signal.SIGCONT)
    assert h.process.wait(20) == 0
    far.close()
    h.dialer.stop()
