"""saw-inlet as a component: a real binary between a supervisor and a dialer of the test, each case in a network of its own."""
import hashlib
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
import inlet as lib  # noqa: E402

POLICY = """\
version: 1
name: component
lab: true
verdicts: {read: allow}
network:
  - {name: pinned, hosts: [pass.example, two.example], ports: [443], mode: passthrough, reason: "test"}
  - {name: raw, hosts: [db.example], ports: [5432], mode: tcp, reason: "test", addresses: [127.0.0.10/32]}
  - {name: wild, hosts: ["*.wild.example"], ports: [8080], mode: http, protocol: rest, access: read-only, budget: 3}
"""
WITHOUT_RAW = "\n".join(l for l in POLICY.splitlines() if "db.example" not in l) + "\n"
WITH_ONE_MORE = POLICY + "  - {name: zone, hosts: [more.example], ports: [8080], mode: http, protocol: rest, access: read-only}\n"
NARROWER = POLICY.replace("addresses: [127.0.0.10/32]", "addresses: [127.0.0.11/32]")
CASES = []


def case(f):
    CASES.append(f)
    return f


class World:
    def __init__(self, build, max_fds=None, policy=POLICY):
        self.folder = tempfile.TemporaryDirectory()
        self.sup = lib.Supervisor(ROOT, build, pathlib.Path(self.folder.name), max_fds)
        if policy:
            self.sup.policy(policy)
            self.sup.serve(443, 5432)
        self.dialer = self.sup.peer()

    def close(self):
        self.sup.stopping = True
        for s in self.sup.listeners.values():
            s.close()

    def flow(self, name="db.example", port=5432, **kw):
        _, address = lib.resolve(name)
        return lib.guest(address, port, **kw)


@case
def nothing_is_served_before_the_first_policy(build):
    w = World(build, policy=None)
    w.sup.serve(443)
    with pytest.raises(TimeoutError):
        lib.resolve("pass.example", timeout=0.3)
    s = lib.guest("198.18.0.1", 443)
    assert not w.sup.events
    w.sup.policy(POLICY)
    assert lib.resolve("pass.example") == (0, "198.18.0.1")
    s.close()


@case
def an_answer_waits_until_its_event_is_on_disk(build):
    w = World(build)
    w.sup.write = "hold"
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((lib.GUEST, 0))
    s.sendto(lib.question("pass.example"), (lib.GATEWAY, 53))
    w.sup.wait(lambda: w.sup.held)
    s.settimeout(0.3)
    with pytest.raises(TimeoutError):
        s.recv(512)
    s.settimeout(5)
    w.sup.release()
    assert lib.answer(s.recv(512)) == (0, "198.18.0.1")
    assert w.sup.codes_of("dns") == ["dns/allowed/ok"]


@case
def an_event_that_cannot_be_written_means_servfail_and_no_connection(build):
    w = World(build)
    _, address = lib.resolve("db.example")
    w.sup.write = "no"
    assert lib.resolve("pass.example") == (2, None)
    assert lib.everything(lib.guest("198.18.9.9", 443)) == b"reset"
    w.sup.write = "yes"
    assert lib.resolve("pass.example")[0] == 0
    assert lib.everything(lib.guest(address, 443)) == b"reset"
    assert w.sup.codes_of()[-1] == "flow/denied/port_not_listed"


@case
def dns_over_tcp_is_pipelined_and_answers_a_half_closed_client(build):
    w = World(build)
    s = lib.guest(lib.GATEWAY, 53)
    names = [f"n{i}.evil.example" for i in range(40)] + ["pass.example"]
    for i, n in enumerate(names):
        q = lib.question(n, ident=i)
        s.sendall(struct.pack("!H", len(q)) + q)
    s.shutdown(socket.SHUT_WR)
    raw, got = lib.everything(s), []
    while raw:
        n = struct.unpack("!H", raw[:2])[0]
        got.append((struct.unpack("!H", raw[2:4])[0], lib.answer(raw[2:2 + n])))
        raw = raw[2 + n:]
    assert sorted(got) == [(i, (3, None)) for i in range(40)] + [(40, (0, "198.18.0.1"))], got
    assert len(w.sup.codes_of("dns")) == 41


@case
def a_dns_frame_that_no_question_can_be_ends_the_connection(build):
    w = World(build)
    for frame in (b"\xff\xff" + b"x" * 100, b"\x10\x01"):
        s = lib.guest(lib.GATEWAY, 53)
        s.sendall(frame)
        lib.everything(s)
    w.sup.expect_codes(["dns/denied/malformed_dns"] * 2, "dns")
    assert lib.resolve("pass.example")[0] == 0


@case
def questions_and_flows_of_strangers_are_recorded_and_dropped(build):
    w = World(build)
    with pytest.raises(TimeoutError):
        lib.resolve("pass.example", source=lib.STRANGER, timeout=0.3)
    assert lib.everything(lib.guest(lib.GATEWAY, 53, source=lib.STRANGER)) in (b"", b"reset")
    w.sup.expect_codes(["dns/denied/source_spoofed"] * 2, "dns")
    _, address = lib.resolve("db.example")
    assert lib.everything(lib.guest(address, 5432, source=lib.STRANGER)) == b"reset"
    w.sup.expect_codes(["flow/denied/source_spoofed"])
    w.dialer.untouched()


@case
def a_flow_is_judged_by_address_name_and_port(build):
    w = World(build)
    _, address = lib.resolve("pass.example")
    for to, port in (("198.18.77.7", 443), (address, 5432), (lib.GATEWAY, 443)):
        assert lib.everything(lib.guest(to, port)) == b"reset"
    w.sup.expect_codes(["flow/denied/address_of_no_name", "flow/denied/port_not_listed", "flow/denied/no_listener"])
    w.dialer.untouched()


@case
def a_hello_is_judged_before_anything_leaves_and_then_sent_whole(build):
    w = World(build)
    s = w.flow("pass.example", 443)
    raw = lib.hello("pass.example")
    s.sendall(raw[:30])
    refused = w.flow("pass.example", 443)
    refused.sendall(lib.hello("two.example"))
    assert lib.everything(refused) == b"\x15\3\3\0\2\2\x70"
    w.dialer.untouched()
    s.sendall(raw[30:] + b"early")
    o = w.dialer.accept()
    assert o.recv(4096) == raw + b"early"
    w.sup.wait(lambda: w.dialer.seen)
    assert w.dialer.seen[0][2:4] == (b"pass.example", 443)
    o.sendall(b"server hello")
    assert s.recv(100) == b"server hello"
    o.close()
    assert lib.everything(s) == b""
    s.close()
    w.sup.expect_codes(["flow/denied/sni_not_flow_name", "flow/closed/ok"])
    end = w.sup.events[-1]
    assert (end["bytes_out"], end["bytes_in"]) == (len(raw) + 5, 12) and end["flow"] == w.dialer.seen[0][1]


@case
def each_direction_closes_for_itself(build):
    w = World(build)
    s = w.flow()
    o = w.dialer.accept()
    s.sendall(b"all I have to say")
    s.shutdown(socket.SHUT_WR)
    assert lib.everything(o) == b"all I have to say"
    o.sendall(b"long after")
    assert s.recv(100) == b"long after"
    assert "flow/closed/ok" not in w.sup.codes_of()
    o.close()
    assert lib.everything(s) == b""
    w.sup.expect_codes(["flow/closed/ok"])


@case
def a_reset_of_one_side_is_a_reset_for_the_other(build):
    w = World(build)
    for first in ("guest", "host"):
        s = w.flow()
        o = w.dialer.accept()
        a, b = (s, o) if first == "guest" else (o, s)
        b.sendall(b"x")
        assert a.recv(1) == b"x"
        a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        a.close()
        assert lib.everything(b) == b"reset"
    w.sup.expect_codes(["flow/closed/ok"] * 2)


@case
def bulk_passes_unchanged_both_ways_at_once_with_slow_readers(build):
    w = World(build)
    size = 48 * 1024 * 1024
    block = os.urandom(1 << 20)
    s = w.flow()
    o = w.dialer.accept()
    sums = {}

    def push(sock):
        for i in range(size >> 20):
            sock.sendall(block[i:] + block[:i])
        sock.shutdown(socket.SHUT_WR)

    def pull(sock, name):
        h, step = hashlib.sha256(), 1
        while data := sock.recv(step):
            h.update(data)
            step = step % 70001 + 997  # odd and changing: pipes run full and empty in every phase
        sums[name] = h.digest()

    threads = [threading.Thread(target=f, args=a) for f, a in ((push, (s,)), (push, (o,)), (pull, (s, "s")), (pull, (o, "o")))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    want = hashlib.sha256(b"".join(block[i:] + block[:i] for i in range(size >> 20))).digest()
    assert sums == {"s": want, "o": want}
    w.sup.expect_codes(["flow/closed/ok"])
    assert w.sup.events[-1]["bytes_in"] == w.sup.events[-1]["bytes_out"] == size


@case
def a_refusal_of_dialer_is_not_recorded_twice(build):
    w = World(build)
    w.dialer.mode = "address_not_permitted"
    assert lib.everything(w.flow()) == b"reset"
    s = w.flow("pass.example", 443)
    s.sendall(lib.hello("pass.example"))
    assert lib.everything(s) == b"\x15\3\3\0\2\2\x31"
    assert lib.resolve("pass.example")[0] == 0
    assert w.sup.codes_of() == []


@case
def a_lost_dialer_ends_what_it_had_not_answered_and_the_next_one_serves(build):
    w = World(build)
    w.dialer.mode = "silent"
    waiting = [w.flow() for _ in range(3)]
    w.sup.wait(lambda: len(w.dialer.seen) == 3)
    w.dialer.channel.sock.shutdown(socket.SHUT_RDWR)
    assert [lib.everything(s) for s in waiting] == [b"reset"] * 3
    assert lib.everything(w.flow()) == b"reset"
    w.sup.expect_codes(["flow/denied/gateway_role_down"] * 4)
    w.dialer = w.sup.peer()
    s = w.flow()
    w.dialer.accept().sendall(b"hello")
    assert s.recv(5) == b"hello"


@case
def a_dialer_that_breaks_the_protocol_is_lost(build):
    w = World(build)
    for bad in (("MSG_DIAL_REFUSED", 1, 0), ("MSG_DIALED", 1, b"abc"), ("MSG_EVENT_DONE", 1, 1), ("MSG_DIAL_REFUSED", 1, 60000)):
        w.dialer.mode = "silent"
        s = w.flow()
        w.sup.wait(lambda: w.dialer.seen)
        w.dialer.channel.send(*bad)
        assert lib.everything(s) == b"reset"
        w.sup.wait(lambda: ("end",) in w.dialer.seen)
        w.dialer = w.sup.peer()
    w.sup.expect_codes(["flow/denied/gateway_role_down"] * 4)
    assert w.sup.process.poll() is None


@case
def more_flows_at_once_than_dialer_takes_wait_for_their_turn(build):
    w = World(build)
    w.dialer.mode = "silent"
    dialed = lambda: [x[1] for x in w.dialer.seen if x[0] == "MSG_DIAL"]
    waiting = [w.flow() for _ in range(200)]
    w.sup.wait(lambda: len(dialed()) == 120)
    for s in waiting[150:]:  # their turn never comes, and they take none of the others'
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    w.sup.wait(lambda: len(w.sup.codes_of()) == 50)
    assert len(dialed()) == 120 and not [x for x in w.dialer.seen if x[0] == "MSG_DIAL_CANCEL"]
    w.dialer.mode = "connect"
    for number in dialed():  # the fake answers what comes from now on by itself
        o = socket.create_connection(w.dialer.origin.getsockname())
        o.setblocking(False)
        w.dialer.channel.send("MSG_DIALED", number, b"\x7f\0\0\x0a", fds=[o.fileno()])
        o.close()
    for _ in range(150):
        w.dialer.accept().sendall(b"hello")
    assert all(s.recv(5) == b"hello" for s in waiting[:150]) and len(set(dialed())) == 150


@case
def a_guest_that_goes_away_cancels_its_dial(build):
    w = World(build)
    w.dialer.mode = "silent"
    s = w.flow()
    w.sup.wait(lambda: w.dialer.seen)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    w.sup.wait(lambda: [x for x in w.dialer.seen if x[0] == "MSG_DIAL_CANCEL"])
    w.sup.expect_codes(["flow/closed/guest_closed"])
    o = socket.create_connection(w.dialer.origin.getsockname())
    late = w.dialer.accept()
    w.dialer.channel.send("MSG_DIALED", w.dialer.seen[0][1], b"\x7f\0\0\x0a", fds=[o.fileno()])
    o.close()
    assert lib.everything(late) == b""


@case
def a_policy_that_no_longer_allows_a_tunnel_closes_it_and_leaves_the_others(build):
    w = World(build)
    kept = w.flow("pass.example", 443)
    kept.sendall(lib.hello("pass.example"))
    kept_origin = w.dialer.accept()
    kept_origin.recv(4096)
    waiting = w.flow("two.example", 443)
    for policy, n in ((WITHOUT_RAW, 1), (POLICY, 0), (NARROWER, 1)):
        before = len(w.sup.codes_of())
        if n:
            cut = w.flow()
            origin = w.dialer.accept()
            cut.sendall(b"x")
            assert origin.recv(1) == b"x"
        w.sup.policy(policy)
        if n:
            assert lib.everything(cut) == b"reset" and lib.everything(origin) == b"reset"
        w.sup.wait(lambda: len(w.sup.codes_of()) == before + n)
        assert w.sup.codes_of()[before:] == ["flow/closed/policy_changed"] * n
        kept_origin.sendall(b"still here")
        assert kept.recv(100) == b"still here"
    waiting.sendall(lib.hello("two.example"))
    w.dialer.accept()


@case
def an_address_that_dialer_was_told_of_sooner_than_inlet_is_withdrawn_all_the_same(build):
    w = World(build, policy=NARROWER)
    s = w.flow()
    origin = w.dialer.accept()
    w.sup.policy(POLICY)
    origin.sendall(b"still here")
    assert s.recv(100) == b"still here"
    w.sup.policy(NARROWER)
    assert lib.everything(s) == b"reset" and lib.everything(origin) == b"reset"
    assert w.sup.codes_of() == ["flow/closed/policy_changed"]


@case
def what_was_connected_under_the_policy_before_is_asked_for_again(build):
    w = World(build)
    w.dialer.mode = "silent"
    s = w.flow()
    w.sup.wait(lambda: w.dialer.seen)
    w.sup.policy(NARROWER)
    w.dialer.mode = "address_not_permitted"
    with socket.create_connection(w.dialer.origin.getsockname()) as old:
        w.dialer.channel.send("MSG_DIALED", w.dialer.seen[0][1], bytes([127, 0, 0, 10]), fds=[old.fileno()])
    w.sup.wait(lambda: len(w.dialer.seen) == 2)
    assert w.dialer.seen[0][1] == w.dialer.seen[1][1] and lib.everything(s) == b"reset"
    assert lib.everything(w.dialer.accept()) == b""


@case
def a_refusal_of_dialer_that_comes_when_the_name_is_gone_ends_that_request_alone(build):
    w = World(build, policy=WITH_ONE_MORE)
    w.sup.listen(8080)
    w.dialer.mode = "silent"
    s = w.flow("more.example", 8080)
    s.sendall(b"GET / HTTP/1.1\r\nHost: more.example:8080\r\n\r\n")
    w.sup.wait(lambda: w.dialer.seen)
    w.sup.policy(POLICY)
    refused = next(n for n, code in w.sup.codes.items() if code == "name_not_listed")
    w.dialer.channel.send("MSG_DIAL_REFUSED", w.dialer.seen[0][1], refused)
    assert lib.everything(s).startswith(b"HTTP/1.1 403 "), w.sup.process.poll()
    assert w.sup.codes_of() == [] and w.sup.codes_of("http") == []  # dialer wrote the event
    assert lib.resolve("pass.example")[0] == 0


@case
def what_comes_behind_a_stop_begins_nothing_and_ends_in_order(build):
    w = World(build)
    w.sup.stopping = True
    w.sup.process.send_signal(signal.SIGSTOP)  # all of it lies there when it looks
    w.sup.channel.send("MSG_STOP")
    for _ in range(100):  # more than one turn of its loop takes
        w.sup.channel.send("MSG_UNLISTEN", 8080)
    w.sup.process.send_signal(signal.SIGCONT)
    assert w.sup.process.wait(20) == 0


@case
def a_policy_that_is_refused_leaves_the_last_good_one_in_force(build):
    w = World(build)
    w.sup.generation += 1
    w.sup.send_blob(b"not a policy" * 100)
    assert w.sup.policies[-1][1] == 0 and w.sup.policies[-1][2]
    assert lib.resolve("pass.example")[0] == 0


@case
def names_keep_their_addresses_through_crashes_and_policies(build):
    w = World(build)
    names = ["pass.example", "two.example", "db.example", "a.wild.example", "b.wild.example", "c.wild.example"]
    first = {n: lib.resolve(n)[1] for n in names}
    assert len(set(first.values())) == len(names)
    for _ in range(3):
        w.sup.kill()
        w.sup.again(POLICY, 443, 5432)
        assert {n: lib.resolve(n)[1] for n in reversed(names)} == first
        assert lib.resolve("d.wild.example") == (3, None)
    w.sup.policy(WITHOUT_RAW)
    assert lib.resolve("db.example") == (3, None)
    assert lib.everything(lib.guest(first["db.example"], 5432)) == b"reset"
    assert w.sup.codes_of()[-1] == "flow/denied/address_of_no_name"
    w.sup.policy(POLICY)
    assert lib.resolve("db.example") == (0, first["db.example"])


@case
def the_number_of_flows_is_bounded_and_descriptors_come_back(build):
    w = World(build, max_fds=512)
    limit = (512 - 128) // 6
    rest = w.sup.fds_at_rest()
    flows = [w.flow() for _ in range(limit)]
    origins = [w.dialer.accept() for _ in flows]
    assert lib.everything(w.flow()) == b"reset"
    w.sup.expect_codes(["flow/denied/too_many_flows"])
    w.sup.wait(lambda: w.sup.fds() == rest + 2 * limit)  # an idle flow holds its two sockets and nothing else
    for s in flows + origins:
        s.close()
    w.sup.wait(lambda: len(w.sup.codes_of()) == limit + 1)
    assert w.sup.fds() <= rest + 32
    s = w.flow()
    w.dialer.accept().sendall(b"x")
    assert s.recv(1) == b"x"


@case
def an_idle_flow_costs_little_memory(build):
    w = World(build)

    def anonymous():
        return sum(int(l.split()[1]) for l in open(f"/proc/{w.sup.process.pid}/smaps_rollup") if l.startswith(("Anonymous:", "Shmem")))

    n, before = 400, anonymous()
    flows = []
    for _ in range(n):
        s = w.flow("pass.example", 443)
        s.sendall(lib.hello("pass.example"))
        o = w.dialer.accept()
        assert o.recv(4096) and not o.sendall(b"x" * 100000)
        flows += [s, o]
        left = 100000
        while left:
            left -= len(s.recv(left))
    per_flow = (anonymous() - before) / n
    assert per_flow <= 4, f"{per_flow:.1f} KiB for each idle flow"


@case
def a_flood_of_refusals_is_recorded_one_by_one_and_survived(build):
    w = World(build)
    w.sup.write = "hold"
    flows = [lib.guest("198.18.50.1", 443) for _ in range(600)]
    w.sup.wait(lambda: len(w.sup.held) >= 256)
    assert len(w.sup.held) == 256, "the rest waits in the backlog"
    w.sup.release()
    assert all(lib.everything(s) == b"reset" for s in flows)
    w.sup.wait(lambda: len(w.sup.codes_of()) == 600)
    assert set(w.sup.codes_of()) == {"flow/denied/address_of_no_name"}


@case
def a_flood_of_questions_waits_in_the_kernel(build):
    w = World(build)
    w.sup.write = "hold"
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.bind((lib.GUEST, 0))
    for i in range(2000):
        s.sendto(lib.question("evil.example", ident=i), (lib.GATEWAY, 53))
    w.sup.wait(lambda: len(w.sup.held) >= 256)
    assert len(w.sup.held) == 256
    w.sup.release()
    assert lib.answer(s.recv(512)) == (3, None)
    assert lib.resolve("pass.example", timeout=1, tries=10)[0] == 0


@case
def dns_connections_over_the_limit_wait_for_their_turn(build):
    w = World(build)
    idle = [lib.guest(lib.GATEWAY, 53) for _ in range(32)]
    q = lib.question("pass.example")
    for s in idle:
        s.sendall(struct.pack("!H", len(q)) + q)
        assert s.recv(512)
    late = lib.guest(lib.GATEWAY, 53)
    late.sendall(struct.pack("!H", len(q)) + q)
    late.settimeout(0.3)
    with pytest.raises(TimeoutError):
        late.recv(512)
    late.settimeout(5)
    idle[7].close()
    assert late.recv(512)
    assert len(w.sup.codes_of("dns")) == 33


@case
def noise_on_every_door_leaves_it_healthy(build):
    w = World(build)
    addresses = {n: lib.resolve(n)[1] for n in ("pass.example", "db.example")}
    dice = random.Random(4711)
    rest = w.sup.fds_at_rest()
    whole = lib.hello("pass.example")
    for _ in range(400):
        raw = bytearray(whole)
        for _ in range(dice.randrange(4)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        if not dice.randrange(3):
            raw = bytearray(dice.randbytes(dice.randrange(1, 3000)))
        s = lib.guest(*dice.choice([(addresses["pass.example"], 443), (addresses["db.example"], 443), (lib.GATEWAY, 53)]))
        try:
            s.sendall(raw[:dice.randrange(len(raw) + 1)])
            if dice.randrange(2):
                s.shutdown(socket.SHUT_WR)
        except (OSError, AttributeError):
            pass  # refused already
        s.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            u.bind((lib.GUEST, 0))
            q = bytearray(lib.question("pass.example"))
            q[dice.randrange(len(q))] = dice.randrange(256)
            u.sendto(q[:dice.randrange(len(q) + 1)], (lib.GATEWAY, 53))
    assert lib.resolve("db.example", timeout=1, tries=10)[1] == addresses["db.example"]
    s = lib.guest(addresses["db.example"], 5432)
    for _ in range(400):  # flows of whole hellos that were closed at once may have come before
        o = w.dialer.accept()
        s.sendall(b"mine")
        if lib.first(o) == b"mine":
            break
    else:
        raise AssertionError("the flow did not arrive")
    s.close()
    o.close()
    w.sup.wait(lambda: w.sup.fds() <= rest + 40)
    assert w.sup.process.poll() is None


@case
def what_no_socket_sees_is_observed(build):
    w = World(build)
    _, address = lib.resolve("pass.example")
    w.sup.observe()
    assert lib.resolve("pass.example")[1] == address
    for port in (22, 25):
        with pytest.raises(ConnectionRefusedError):
            lib.guest(address, port)
    with pytest.raises(ConnectionRefusedError):
        lib.guest("198.18.44.4", 22)

    def attempts():  # on a loopback link the observer sees our own packets too
        return [(e.code, e["dst_port"], e["name"]) for e in w.sup.events
                if e["kind"] == 4 and e["proto"] == 6 and e["src"] == socket.inet_aton(lib.GUEST)]

    w.sup.wait(lambda: len(attempts()) >= 3)
    assert attempts() == [("flow/denied/port_not_listed", 22, b"pass.example"), ("flow/denied/port_not_listed", 25, b"pass.example"),
                          ("flow/denied/address_of_no_name", 22, b"")]


@case
def bad_messages_of_the_supervisor_end_inlet(build):
    for bad in (("MSG_READY",), ("MSG_EVENT_DONE", 99, 1), ("MSG_LISTENER", 9, 1), ("MSG_UNLISTEN",)):
        w = World(build)
        w.sup.channel.send(*bad)
        assert w.sup.process.wait(10) == 1
        w.close()


@case
def it_is_jailed_when_it_says_ready(build):
    w = World(build, policy=None)
    pid = w.sup.process.pid
    status = dict(l.split(":\t", 1) for l in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in l)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert {int(status[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    for ns in ("net", "user", "ipc", "uts"):
        assert os.readlink(f"/proc/{pid}/ns/{ns}") != os.readlink(f"/proc/self/ns/{ns}"), ns
    devices = [l.split(":")[0].strip() for l in open(f"/proc/{pid}/net/dev").read().splitlines()[2:]]
    assert devices == ["lo"] or not devices, devices


@case
def inlet_stops_when_told_and_when_its_parent_goes(build):
    w = World(build)
    s = w.flow()
    o = w.dialer.accept()
    o.sendall(b"x")
    assert s.recv(1) == b"x"
    w.sup.stop()
    w.sup.expect_codes(["flow/closed/gateway_role_down"])
    assert lib.everything(s) == lib.everything(o) == b"reset"
    w.close()
    w = World(build)
    w.sup.stopping = True
    w.sup.channel.sock.shutdown(socket.SHUT_RDWR)
    assert w.sup.process.wait(10) == 1


@pytest.mark.parametrize("name", [f.__name__ for f in CASES])
def test_inlet(build, sanitized, name):
    if sanitized and name in ("an_idle_flow_costs_little_memory", "it_is_jailed_when_it_says_ready"):
        pytest.skip("a sanitized build has another memory and a weaker jail")
    unshare = ["unshare", "-rn", "/usr/bin/python3", "-B"]
    probe = subprocess.run([*unshare, "-c", ""], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no user and network namespaces here: {probe.stderr.strip()}")
    done = subprocess.run([*unshare, __file__, str(build), name], capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


if __name__ == "__main__":
    lib.network()
    next(f for f in CASES if f.__name__ == sys.argv[2])(pathlib.Path(sys.argv[1]))
