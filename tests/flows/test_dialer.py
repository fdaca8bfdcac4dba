"""saw-dialer alone, driven over its channels: what it asks, what it believes, what it dials. Verdicts are read from what the name servers
and origins of the test's namespace saw."""
import contextlib
import os
import select
import signal
import socket
import time

import pytest

import dial_world as dw
from dial_world import A, AAAA, FORBIDDEN, GOOD, GOOD6, HOLE, OTHER, REFUSING, Dialer, World, a, aaaa, cname

POLICY = f"""\
version: 1
name: dialer-test
lab: true
network:
  - {{name: good, hosts: [good.example], ports: [443], mode: passthrough, reason: "test",
     addresses: [{GOOD}/32, {OTHER}/32, {REFUSING}/32, "{GOOD6}/128", {HOLE}/32]}}
  - {{name: strict, hosts: [strict.example], ports: [443], mode: passthrough, reason: "test"}}
"""


@pytest.fixture(scope="module")
def world(netns):
    w = World()
    yield w
    w.stop()


@pytest.fixture(scope="module")
def one(world, build):
    d = Dialer(world, build, POLICY)
    d.refused("unlisted.example")  # it has taken its inlet
    yield d
    assert d.stop() == 0


@pytest.fixture
def dialer(world, one):
    """Every test ends as it began: no open descriptor more, no event more."""
    world.queries.clear()
    world.connections.clear()
    before = one.fds()
    yield one
    end = time.monotonic() + 3
    while one.fds() != before and time.monotonic() < end:
        select.select([], [], [], 0.02)
    assert one.fds() == before
    assert one.late_events() == []


def zone(**names):
    """Answers by name (dots written as _): addresses, or a function of the query."""
    table = {k.replace("_", "."): v for k, v in names.items()}

    def resolve(q):
        v = table.get(q.name)
        if v is None:
            return [q.answer(rcode=3)]
        return v(q) if callable(v) else [q.plain(*v)]
    return resolve


def settled(world):
    """What the origins saw, after a moment in which late packets would have come."""
    select.select([], [], [], 0.1)
    return list(world.connections)


def untouched(world):
    assert settled(world) == []


def test_a_listed_name_is_resolved_reported_and_then_connected(world, dialer):
    world.resolve = zone(good_example=[GOOD])
    flow = dialer.dial("good.example")
    fields, _ = dialer.parent.expect("MSG_EVENT")
    ev = dw.ipc_event(fields)
    untouched(world)  # not before the event is on disk
    dialer.parent.send("MSG_EVENT_DONE", ev["id"], 1)
    kind, fields, fds = dialer.peer.receive()
    assert (kind, fields) == ("MSG_DIALED", [flow, socket.inet_aton(GOOD)])
    assert (ev["action"], ev["code"], ev["name"], ev["dst"], ev["dst_port"], ev["flow"], ev["rule"]) == (
        "allowed", "ok", "good.example", GOOD, 443, flow, "good")
    assert settled(world) == [GOOD]
    s = socket.socket(fileno=fds[0])
    assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert s.getblocking() is False or s.gettimeout() is None
    assert os.get_blocking(s.fileno()) is False
    s.close()
    assert {(q.name, q.type, q.proto) for q in world.queries} == {("good.example", A, "udp"), ("good.example", AAAA, "udp")}
    assert all(q.edns for q in world.queries)


def test_ids_and_ports_of_questions_are_drawn_afresh(world, dialer):
    seen = []
    world.resolve = lambda q: seen.append(q.data[:2]) or [q.plain(GOOD)]
    for _ in range(8):
        dialer.dialed("good.example")[2].close()
    assert len(set(seen)) > 12


def test_an_event_that_cannot_be_written_forbids_the_connection(world, dialer):
    world.resolve = zone(good_example=[GOOD])
    flow = dialer.dial("good.example")
    dialer.event(written=False)
    kind, fields, _ = dialer.peer.receive()
    assert kind == "MSG_DIAL_REFUSED" and fields[0] == flow and dw.REASONS[fields[1]] == "audit_not_writable"
    untouched(world)


def test_an_unlisted_name_or_port_is_refused_without_a_question(world, dialer):
    world.resolve = zone(evil_example=[GOOD], good_example=[GOOD])
    ev = dialer.refused("evil.example")
    assert (ev["action"], ev["code"]) == ("denied", "name_not_listed")
    ev = dialer.refused("good.example", 22)
    assert (ev["action"], ev["code"]) == ("denied", "port_not_listed")
    assert world.queries == []
    untouched(world)


@pytest.mark.parametrize("address", ["127.0.0.66", "127.0.0.1", "0.0.0.0", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
                                     "198.18.0.7", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00:ec2::254",
                                     "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd20:ce::254", "::ffff:168.63.129.16",
                                     "::ffff:10.0.0.1", "::ffff:127.0.0.66", "64:ff9b::7f00:42", "64:ff9b:1::a00:1", "2002:7f00:42::1",
                                     "2001:0:1::80ff:ffbd", "ff02::1"])
def test_a_name_with_a_forbidden_address_only_is_refused(world, dialer, address):  # A4, A5, A9, B10
    world.resolve = zone(good_example=[address], strict_example=[address])
    for name in ("good.example", "strict.example"):
        ev = dialer.refused(name)
        assert (ev["action"], ev["code"]) == ("denied", "address_not_permitted")
        assert ev["detail"] == str(__import__("ipaddress").ip_address(address)) or "." in ev["detail"]
    untouched(world)


OURS = (dw.OWN, dw.OWN_SECOND, dw.OWN_ROUTED, dw.OWN6, dw.OWN6_SECOND, dw.OWN6_ROUTED)
LISTING_OURS = f"""\
version: 1
name: dialer-test
LABnetwork:
  - {{name: own, hosts: [own.example], ports: [443], mode: passthrough, reason: "test", addresses: [9.9.9.0/24, 9.9.8.0/24, "2a00:8::/31"]}}
  - {{name: own6, hosts: [own6.example], ports: [443], mode: passthrough, reason: "test", addresses: ["{dw.GOOD6}/128"]}}
"""


@pytest.mark.parametrize("address", OURS)
def test_a_public_address_of_the_gateways_own_host_is_as_loopback(world, dialer, address):
    world.resolve = zone(strict_example=[address], own_example=[address])
    ev = dialer.refused("strict.example")
    assert (ev["action"], ev["code"], ev["detail"]) == ("denied", "address_not_permitted", f"{address}, an address of the gateway's own host")
    assert ev["change"] == f'network[strict].addresses: add "{address}/{128 if ":" in address else 32}"'
    assert dialer.policy(LISTING_OURS.replace("LAB", ""), 30)[1] == 1
    ev = dialer.refused("own.example")
    assert ev["code"] == "address_not_permitted" and ev["change"].startswith("no policy allows this: the gateway host's own addresses"), ev
    untouched(world)
    assert dialer.policy(LISTING_OURS.replace("LAB", "lab: true\n"), 31)[1] == 1
    _, ip, s = dialer.dialed("own.example")
    s.close()
    assert ip == address and settled(world) == [address]
    assert dialer.policy(POLICY, 32)[1] == 1


def test_a_private_address_of_the_gateways_own_host_is_as_loopback_where_it_is_listed(world, dialer):
    world.resolve = zone(own6_example=[GOOD6])
    assert dialer.policy(LISTING_OURS.replace("LAB", ""), 33)[1] == 1
    assert dialer.refused("own6.example")["detail"] == f"{GOOD6}, an address of the gateway's own host"
    untouched(world)
    assert dialer.policy(POLICY, 34)[1] == 1


@pytest.mark.parametrize("address", [dw.NEAR, dw.NEAR6, dw.FAR, dw.FAR6])
def test_a_public_address_that_is_not_the_hosts_own_is_dialled(world, dialer, address):
    world.resolve = zone(strict_example=[address, *OURS])
    flow = dialer.dial("strict.example")
    ev = dialer.event()
    assert (ev["action"], ev["dst"], ev["detail"]) == ("allowed", address, f"{len(OURS)} addresses of the answer are not permitted and were left out"), ev
    dialer.peer.send("MSG_DIAL_CANCEL", flow)
    untouched(world)


def test_an_address_that_became_the_hosts_own_meanwhile_is_not_connected_to(world, dialer):
    world.resolve = zone(strict_example=[dw.NEAR])
    flow = dialer.dial("strict.example")
    allowed = dw.ipc_event(dialer.parent.expect("MSG_EVENT")[0])
    world.ip("addr", "add", f"{dw.NEAR}/24", "dev", "hole")
    try:
        dialer.parent.send("MSG_EVENT_DONE", allowed["id"], 1)
        ev = dialer.event()
        assert (ev["flow"], ev["action"], ev["code"]) == (flow, "failed", "policy_changed")
        assert dialer.peer.receive()[0] == "MSG_DIAL_REFUSED"
    finally:
        world.ip("addr", "del", f"{dw.NEAR}/24", "dev", "hole")


def test_of_a_mixed_answer_only_permitted_addresses_are_tried(world, dialer):  # B10
    world.resolve = zone(good_example=[FORBIDDEN, REFUSING, GOOD, "10.0.0.1", "::1"])
    ev, ip, s = dialer.dialed("good.example")
    s.close()
    other, = {GOOD, REFUSING} - {ev["dst"]}
    assert ip == GOOD and f"or {other}, whichever answers first; 3 addresses" in ev["detail"], ev
    assert settled(world) == [GOOD]


def test_rebinding_changes_nothing_after_the_check(world, dialer):  # B9
    answers = iter([[GOOD]] * 2 + [[FORBIDDEN]] * 100)
    world.resolve = lambda q: [q.plain(*next(answers))]
    _, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == GOOD and settled(world) == [GOOD]
    assert len(world.queries) == 2  # one look-up: what was vetted is what is dialled
    assert dialer.refused("good.example")["code"] == "address_not_permitted"
    assert settled(world) == [GOOD]


def test_an_alias_is_decided_by_the_asked_name_and_its_end_is_vetted(world, dialer):  # B11
    chain = lambda ip: lambda q: [q.answer([cname(q.name, "evil.example"), a("evil.example", ip)] if q.type == A else
                                           [cname(q.name, "evil.example")], authority=[dw.record("example", dw.SOA, b"x")])]
    world.resolve = zone(good_example=chain(GOOD))
    _, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == GOOD
    world.resolve = zone(good_example=chain(FORBIDDEN))
    assert dialer.refused("good.example")["code"] == "address_not_permitted"
    assert settled(world) == [GOOD]


def test_a_chain_that_leaves_its_answer_is_followed_at_the_same_server(world, dialer):
    world.resolve = zone(good_example=lambda q: [q.answer([cname(q.name, "cdn.example")])], cdn_example=[GOOD])
    _, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == GOOD
    assert {q.name for q in world.queries} == {"good.example", "cdn.example"}


def test_a_chain_without_end_is_refused(world, dialer):  # B11
    long = lambda q: [q.answer([cname("good.example" if i == 0 else f"n{i}.example", f"n{i + 1}.example") for i in range(20)])]
    world.resolve = zone(good_example=long)
    assert dialer.refused("good.example")["code"] == "cname_chain_too_long"
    world.resolve = zone(good_example=lambda q: [q.answer([cname(q.name, "b.example"), cname("b.example", q.name)])])
    assert dialer.refused("good.example")["code"] == "cname_chain_too_long"
    step = lambda q: [q.answer([cname(q.name, f"n{len(world.queries)}.example")])]
    world.resolve = step
    assert dialer.refused("good.example")["code"] == "cname_chain_too_long"
    assert len(world.queries) < 30
    untouched(world)


LIES = {
    "wrong id": lambda q: [q.answer([a(q.name, GOOD)], ident=bytes([q.data[0] ^ 1, q.data[1]]))],
    "wrong question": lambda q: [q.answer([a("evil.example", GOOD)], question=dw.wire_name("evil.example") + q.question[-4:])],
    "other case of the question": lambda q: [q.answer([a(q.name, GOOD)], question=dw.wire_name(q.name.upper()) + q.question[-4:])],
    "truncated": lambda q: [q.answer([a(q.name, GOOD)], tc=True)],
    "oversize": lambda q: [q.answer([a(q.name, GOOD)] * 60)],
    "cut short": lambda q: [q.answer([a(q.name, GOOD)])[:-1]],
    "bytes behind the end": lambda q: [q.answer([a(q.name, GOOD)]) + b"\0"],
    "a question, not an answer": lambda q: [q.data],
    "garbage": lambda q: [os.urandom(60)],
    "empty": lambda q: [b""],
}


@pytest.mark.parametrize("lie", LIES)
def test_a_dishonest_answer_over_udp_is_asked_again_over_tcp(world, dialer, lie):  # B16
    world.resolve = zone(good_example=lambda q: LIES[lie](q) if q.proto == "udp" else [q.plain(OTHER)])
    _, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == OTHER and settled(world) == [OTHER]


@pytest.mark.parametrize("lie", [l for l in LIES if l != "oversize"])
def test_an_always_dishonest_server_leads_to_no_connection(world, dialer, lie):  # B16
    world.resolve = zone(good_example=LIES[lie])
    ev = dialer.refused("good.example")
    assert (ev["action"], ev["code"]) == ("denied", "resolution_failed")
    assert {q.proto for q in world.queries} == {"udp", "tcp"}
    assert {q.server for q in world.queries} == set(dw.SERVERS)
    untouched(world)


def test_an_oversize_answer_over_tcp_is_not_read(world, dialer):  # B16
    world.resolve = zone(good_example=lambda q: [q.answer(tc=True)] if q.proto == "udp" else [bytearray(b"\xff\xff" + b"x" * 70000)])
    assert dialer.refused("good.example")["code"] == "resolution_failed"
    untouched(world)


def test_a_spoofed_datagram_before_the_true_one_does_not_win(world, dialer):
    world.resolve = zone(good_example=lambda q: [*LIES["wrong id"](q), q.plain(FORBIDDEN)] if q.proto == "udp" else [q.plain(GOOD)])
    _, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == GOOD


def test_the_next_server_is_asked_when_one_fails_or_is_silent(world, dialer):
    first = lambda bad: lambda q: (bad(q) if q.server == dw.SERVERS[0] else [q.plain(GOOD)])
    for bad in (lambda q: [q.answer(rcode=2)], lambda q: [q.answer(rcode=5)], lambda q: []):
        world.resolve = zone(good_example=first(bad))
        began = time.monotonic()
        _, ip, s = dialer.dialed("good.example")
        s.close()
        assert ip == GOOD and time.monotonic() - began < 4


def test_silence_is_a_failure_within_its_time(world, dialer):
    world.resolve = lambda q: []
    began = time.monotonic()
    assert dialer.refused("good.example")["code"] == "resolution_failed"
    assert 1.5 < time.monotonic() - began < 6


def test_a_server_without_edns_is_asked_without(world, dialer):
    world.resolve = zone(good_example=lambda q: [q.data[:2] + b"\x81\x81" + bytes(8)] if q.edns else [q.plain(GOOD)])
    _, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == GOOD and all(q.server == dw.SERVERS[0] for q in world.queries)


def test_a_name_without_address_is_told_apart_from_a_failure(world, dialer):
    world.resolve = zone()
    ev = dialer.refused("good.example")
    assert (ev["action"], ev["code"]) == ("denied", "no_such_host")
    world.resolve = zone(good_example=[])
    assert dialer.refused("good.example")["code"] == "no_such_host"


def test_search_domains_are_never_used(world, dialer):
    world.resolve = zone()
    dialer.resolv(f"nameserver {dw.SERVERS[0]}\nsearch corp.example\noptions ndots:5 timeout:1 attempts:1\n")
    dialer.refused("good.example")
    assert {q.name for q in world.queries} == {"good.example"}
    dialer.resolv("")
    ev = dialer.refused("good.example")
    assert ev["code"] == "resolution_failed" and "no name server" in ev["detail"]
    dialer.resolv("".join(f"nameserver {s}\n" for s in dw.SERVERS) + "options timeout:1 attempts:1\n")


def test_a_servers_port_is_asked_and_no_other(world, dialer):
    world.resolve = zone(good_example=[GOOD])
    dialer.resolv(f"nameserver [{dw.SERVERS[0]}]:54\noptions timeout:1 attempts:1\n")
    assert dialer.refused("good.example")["code"] == "resolution_failed" and not world.queries
    dialer.resolv(f"nameserver [{dw.SERVERS[0]}]:54\nnameserver [{dw.SERVERS[1]}]:53\noptions timeout:1 attempts:1\n")
    dialer.dialed("good.example")[2].close()
    assert {q.server for q in world.queries} == {dw.SERVERS[1]}
    dialer.resolv("".join(f"nameserver {s}\n" for s in dw.SERVERS) + "options timeout:1 attempts:1\n")


def test_an_origin_with_ipv6_only_is_reached(world, dialer):  # L9
    world.resolve = zone(good_example=[GOOD6])
    ev, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == ev["dst"] == GOOD6 and settled(world) == [GOOD6]


def test_ipv6_is_tried_first_where_there_is_a_route(world, dialer):
    world.resolve = zone(good_example=[GOOD, GOOD6])
    ev, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == ev["dst"] == GOOD6


def test_a_slow_answer_for_the_other_family_is_not_waited_for(world, dialer):
    world.resolve = zone(good_example=lambda q: [q.plain(GOOD)] if q.type == A else [])
    began = time.monotonic()
    dialer.dialed("good.example")[2].close()
    assert time.monotonic() - began < 0.9


def test_a_forbidden_answer_waits_for_the_other_family(world, dialer):
    def late(q):
        if q.type == AAAA:
            select.select([], [], [], 0.3)
        return [q.plain(FORBIDDEN, GOOD6)]
    world.resolve = zone(good_example=late)
    _, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == GOOD6


def test_a_dead_address_costs_a_quarter_of_a_second(world, dialer):  # L9
    world.resolve = zone(good_example=[HOLE, REFUSING, GOOD])
    began = time.monotonic()
    _, ip, s = dialer.dialed("good.example")
    s.close()
    assert ip == GOOD and time.monotonic() - began < 2


def test_a_host_that_refuses_is_a_failure_after_the_allow_event(world, dialer):
    world.resolve = zone(good_example=[REFUSING])
    flow = dialer.dial("good.example")
    assert dialer.event()["action"] == "allowed"
    ev = dialer.event()
    assert (ev["action"], ev["code"], ev["flow"], ev["detail"]) == ("failed", "connection_failed", flow, "Connection refused")
    kind, fields, _ = dialer.peer.receive()
    assert (kind, fields) == ("MSG_DIAL_REFUSED", [flow, ev["reason"]])


def test_a_host_that_is_silent_is_given_up_after_ten_seconds(world, dialer):
    world.resolve = zone(good_example=[HOLE])
    dialer.dial("good.example")
    dialer.event()
    began = time.monotonic()
    assert dialer.event(timeout=15)["code"] == "connection_failed"
    assert 9 < time.monotonic() - began < 12
    dialer.peer.receive()


def test_a_cancelled_dial_leaves_nothing(world, dialer):
    world.resolve = lambda q: []
    flow = dialer.dial("good.example")
    dialer.peer.send("MSG_DIAL_CANCEL", flow)
    dialer.peer.send("MSG_DIAL_CANCEL", 999999)
    world.resolve = zone(good_example=[HOLE])
    flow = dialer.dial("good.example")
    dialer.event()
    dialer.peer.send("MSG_DIAL_CANCEL", flow)
    assert dialer.late_events() == []


def test_the_number_of_dials_under_way_is_capped(world, dialer):
    world.resolve = lambda q: []
    flows = [dialer.dial("good.example") for _ in range(257)]
    ev = dialer.event()
    assert (ev["flow"], ev["code"], ev["id"]) == (flows[-1], "too_many_flows", 0)
    kind, fields, _ = dialer.peer.receive()
    assert (kind, fields[0]) == ("MSG_DIAL_REFUSED", flows[-1])
    for f in flows:
        dialer.peer.send("MSG_DIAL_CANCEL", f)


def test_a_new_policy_decides_dials_that_are_still_resolving(world, dialer):
    answers = []
    world.resolve = lambda q: answers.append(q) or (select.select([], [], [], 0.4) and [q.plain(GOOD)])
    flow = dialer.dial("good.example")
    while not answers:
        select.select([], [], [], 0.01)
    assert dialer.policy(POLICY.replace("good.example", "better.example"), 2) == [2, 1, b""]
    ev = dialer.event()
    assert (ev["flow"], ev["code"], ev["generation"]) == (flow, "name_not_listed", 2)
    dialer.peer.receive()
    assert dialer.policy(POLICY, 3)[1] == 1
    untouched(world)


WITHOUT = {"the name": POLICY.replace("good.example", "better.example"),
           "the address": POLICY.replace(f"{GOOD}/32, ", "").replace(f", {HOLE}/32", "")}


@pytest.mark.parametrize("what", WITHOUT)
def test_a_dial_whose_event_is_being_written_is_judged_by_the_policy_in_force(world, dialer, what):
    world.resolve = zone(good_example=[GOOD])
    flow = dialer.dial("good.example")
    allowed = dw.ipc_event(dialer.parent.expect("MSG_EVENT")[0])
    assert dialer.policy(WITHOUT[what], 4)[1] == 1
    dialer.parent.send("MSG_EVENT_DONE", allowed["id"], 1)
    ev = dialer.event()
    assert (ev["flow"], ev["action"], ev["code"]) == (flow, "failed", "policy_changed")
    assert dialer.peer.receive()[0] == "MSG_DIAL_REFUSED"
    assert dialer.policy(POLICY, 5)[1] == 1
    untouched(world)


ROUTED = POLICY.replace("network:\n", f"""verdicts: {{read: allow}}
network:
  - {{name: routed, hosts: [inference.internal], ports: [8443], mode: intercept, protocol: rest, access: read-only, addresses: [{GOOD}/32, {OTHER}/32],
     upstream: {{host: api.model.test, port: 443}}}}
""")
REROUTED = ROUTED.replace("api.model.test", "next.model.test")


def test_the_host_behind_a_name_is_asked_for_vetted_and_connected_to_on_its_port(world, dialer):
    assert dialer.policy(ROUTED, 20)[1] == 1
    world.resolve = zone(api_model_test=[GOOD], inference_internal=[FORBIDDEN])
    ev, ip, sock = dialer.dialed("inference.internal", 8443)
    sock.close()
    assert (ev["name"], ev["dst_port"], ev["code"], ip) == ("inference.internal", 8443, "ok", GOOD) and ev["detail"] == "the host behind it is api.model.test:443"
    assert {q.name for q in world.queries} == {"api.model.test"} and settled(world) == [GOOD]
    world.resolve = zone(api_model_test=[FORBIDDEN], inference_internal=[GOOD])
    ev = dialer.refused("inference.internal", 8443)
    assert ev["code"] == "address_not_permitted" and ev["change"] == 'network[routed].addresses: add "127.0.0.66/32"'
    assert ev["detail"] == f"the host behind it is api.model.test:443; {FORBIDDEN}"
    assert dialer.refused("api.model.test")["code"] == "name_not_listed"
    assert dialer.policy(POLICY, 21)[1] == 1


def test_another_host_behind_a_name_holds_from_the_next_dial_and_ends_the_one_under_way(world, dialer):
    assert dialer.policy(ROUTED, 22)[1] == 1
    world.resolve = zone(api_model_test=[GOOD], next_model_test=[OTHER])
    flow = dialer.dial("inference.internal", 8443)
    allowed = dw.ipc_event(dialer.parent.expect("MSG_EVENT")[0])
    assert dialer.policy(REROUTED, 23)[1] == 1
    dialer.parent.send("MSG_EVENT_DONE", allowed["id"], 1)
    ev = dialer.event()
    assert (ev["flow"], ev["action"], ev["code"]) == (flow, "failed", "policy_changed")
    assert dialer.peer.receive()[0] == "MSG_DIAL_REFUSED"
    untouched(world)
    ev, ip, sock = dialer.dialed("inference.internal", 8443)
    sock.close()
    assert ip == OTHER and "next.model.test:443" in ev["detail"]
    assert dialer.policy(POLICY, 24)[1] == 1


@pytest.mark.parametrize("what", WITHOUT)
def test_a_connection_under_way_ends_with_the_policy_that_allowed_it(world, dialer, what):
    world.resolve = zone(good_example=[HOLE])
    flow = dialer.dial("good.example")
    assert dialer.event()["action"] == "allowed"
    assert dialer.policy(POLICY.replace("dialer-test", "still-the-same"), 6)[1] == 1
    assert dialer.late_events() == []
    assert dialer.policy(WITHOUT[what], 7)[1] == 1
    ev = dialer.event(timeout=3)
    assert (ev["flow"], ev["action"], ev["code"]) == (flow, "failed", "policy_changed")
    assert dialer.peer.receive()[0] == "MSG_DIAL_REFUSED"
    assert dialer.policy(POLICY, 8)[1] == 1


def test_ten_thousand_wishes_of_a_broken_inlet_leave_it_well(world, dialer, sanitized):
    world.resolve = zone(good_example=[GOOD])
    size = lambda: int(open(f"/proc/{dialer.process.pid}/statm", encoding="ascii").read().split()[1])
    before, asked = size(), 10_000
    for i in range(asked):
        dialer.dial("evil.example", 443 if i % 2 else 22)
        if i % 50 == 49:
            for _ in range(50):
                assert dialer.event()["code"] == "name_not_listed"
                assert dialer.peer.receive()[0] == "MSG_DIAL_REFUSED"
    assert not world.queries and (sanitized or size() < before + 256)  # pages; ASan keeps what is freed
    for flow in (2**63, 2**64 - 1):
        dialer.flow = flow - 1
        dialer.dialed("good.example")[2].close()
    dialer.flow = asked * 2
    untouched_by_evil = [c for c in settled(world) if c]
    assert len(untouched_by_evil) == 2


def test_a_broken_policy_leaves_the_last_good_one(world, dialer):
    world.resolve = zone(good_example=[GOOD])
    generation, ok, why = dialer.blob(b"SAWPOLCY" + os.urandom(400), 9)
    assert (generation, ok) == (9, 0) and why
    ev, _, s = dialer.dialed("good.example")
    s.close()
    assert ev["generation"] != 9


@pytest.mark.parametrize("message", [("MSG_DIAL", 5, "GOOD.example", 443, 1), ("MSG_DIAL", 5, "good.example.", 443, 1),
                                     ("MSG_DIAL", 5, "127.0.0.1", 443, 1), ("MSG_DIAL", 5, "good.example", 0, 1),
                                     ("MSG_DIAL", 0, "good.example", 443, 1), ("MSG_DIAL", 5, "good.example", 443),
                                     ("MSG_DIAL", 5, "a" * 300, 443, 1), ("MSG_EVENT", 1), ("MSG_STOP",), ("MSG_POLICY", 3)],
                         ids=lambda m: f"{m[0]}-{str(m[1:])[:40]}")
def test_a_broken_inlet_loses_its_channel_and_a_fresh_one_is_served(world, build, message):
    d = Dialer(world, build, POLICY)
    world.resolve = zone(good_example=[GOOD])
    world.connections.clear()
    d.peer.send(*message)
    assert d.peer.receive() is None
    untouched(world)
    d.peer, theirs = dw.ipc.Channel.pair()
    d.parent.send("MSG_PEER", fds=[theirs.fileno()])
    theirs.close()
    d.dialed("good.example")[2].close()
    assert d.stop() == 0


def test_dials_of_an_inlet_that_is_gone_are_dropped(world, build):
    d = Dialer(world, build, POLICY)
    d.refused("unlisted.example")  # it has taken its inlet
    before = d.fds()
    world.resolve = zone(good_example=[HOLE])
    d.dial("good.example")
    d.event()  # connecting
    world.resolve = lambda q: []
    d.dial("good.example")  # resolving
    d.peer.close()
    d.peer, theirs = dw.ipc.Channel.pair()
    d.parent.send("MSG_PEER", fds=[theirs.fileno()])
    theirs.close()
    d.flow = 0  # a fresh inlet may count anew
    world.resolve = zone(good_example=[GOOD])
    d.dialed("good.example")[2].close()
    assert d.fds_back_to(before) and d.late_events() == []
    assert d.stop() == 0


def test_what_a_replaced_inlet_has_still_sent_is_not_answered_to_its_successor(world, build):
    d = Dialer(world, build, POLICY)
    world.resolve = zone(good_example=[GOOD])
    os.kill(d.process.pid, signal.SIGSTOP)  # so that both messages wait for it
    old, (d.peer, theirs) = d.peer, dw.ipc.Channel.pair()
    d.parent.send("MSG_PEER", fds=[theirs.fileno()])
    theirs.close()
    old.send("MSG_DIAL", 7, "good.example", 443, 1)
    os.kill(d.process.pid, signal.SIGCONT)
    with contextlib.suppress(TimeoutError):
        d.event(timeout=0.3)
    d.flow = 100
    assert d.dialed("good.example")[0]["flow"] == 101
    old.close()
    assert d.stop() == 0


def test_a_flow_that_is_dialled_twice_at_once_is_a_broken_inlet(world, build):
    d = Dialer(world, build, POLICY)
    world.resolve = lambda q: []
    d.dial("good.example")
    d.flow -= 1
    d.dial("good.example")
    assert d.peer.receive() is None
    assert d.stop() == 0


def test_its_jail_is_closed(world, build, sanitized, one):
    if sanitized:
        pytest.skip("sanitizers cannot live in the whole jail")
    status = dict(l.split(":\t", 1) for l in open(f"/proc/{one.process.pid}/status").read().splitlines() if ":\t" in l)
    assert [status[k].strip() for k in ("Seccomp", "NoNewPrivs", "CapEff", "CapPrm", "CapBnd")] == ["2", "1"] + ["0" * 16] * 3


def test_a_proxy_setting_that_is_none_is_a_refusal_to_start(world, build):
    for proxy in ("proxy", "http://proxy.example:80", "127.1:80", "169.254.169.254:80", "proxy.example:0", "Proxy\n.example:80"):
        with pytest.raises(EOFError):
            Dialer(world, build, POLICY, proxy=proxy)


def test_it_ends_with_its_parent(world, build):
    d = Dialer(world, build, POLICY)
    d.parent.close()
    assert d.process.wait(10) == 1


# ---- upstream proxy ----

@pytest.fixture
def proxied(world, build):
    world.queries.clear()
    world.connections.clear()
    world.proxy_heads.clear()
    d = Dialer(world, build, POLICY, proxy="127.0.0.90:3128")
    yield d
    assert d.late_events() == []
    assert d.stop() == 0


def test_behind_a_proxy_the_name_goes_to_the_proxy_and_the_event_says_so(world, proxied):
    world.proxy = lambda head: b"HTTP/1.1 200 Connection established\r\nVia: 1.1 p\r\n\r\nSSH-2.0-early"
    ev, ip, s = proxied.dialed("good.example")
    assert ip == ev["dst"] == "127.0.0.90" and "not vetted here" in ev["detail"]
    assert world.proxy_heads == ["CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\n\r\n"]
    assert world.queries == []
    s.setblocking(True)
    assert s.recv(100) == b"SSH-2.0-early"  # what the host said at once is still there
    s.close()


def test_a_proxy_s_answer_may_come_in_pieces(world, proxied):
    world.proxy = lambda head: [b"HTTP/1.1 2", b"00 OK\r\nA: b\r", b"\n\r", b"\nhello"]
    _, _, s = proxied.dialed("good.example")
    s.setblocking(True)
    assert s.recv(100) == b"hello"
    s.close()


@pytest.mark.parametrize("answer,why", [(b"HTTP/1.1 403 Forbidden\r\n\r\n", "answered 403"), (b"HTTP/1.1 200 OK\n\n", "malformed"),
                                        (b"SSH-2.0-x\r\n", "malformed"), (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 3000, "malformed")],
                         ids=["403", "bare LF", "not HTTP", "over the cap"])
def test_a_proxy_that_refuses_or_talks_nonsense_is_a_failure(world, proxied, answer, why):
    world.proxy = lambda head: answer
    flow = proxied.dial("good.example")
    assert proxied.event()["action"] == "allowed"
    ev = proxied.event()
    assert (ev["action"], ev["code"], ev["flow"]) == ("failed", "upstream_proxy_refused", flow) and why in ev["detail"]
    assert proxied.peer.receive()[:2] == ("MSG_DIAL_REFUSED", [flow, ev["reason"]])


def test_a_proxy_that_ends_amid_its_answer_is_a_failure_at_once(world, proxied):
    world.proxy = lambda head: [b"HTTP/1.1 200 OK\r\nA: b\r\n", None]
    flow = proxied.dial("good.example")
    assert proxied.event()["action"] == "allowed"
    began, cpu = time.monotonic(), proxied.cpu()
    ev = proxied.event()
    assert (ev["action"], ev["code"]) == ("failed", "upstream_proxy_refused") and "closed the connection" in ev["detail"]
    assert time.monotonic() - began < 5 and proxied.cpu() - cpu < 0.5  # it neither waited for its deadline nor span until then
    assert proxied.peer.receive()[:2] == ("MSG_DIAL_REFUSED", [flow, ev["reason"]])


def test_behind_a_proxy_unlisted_names_are_still_refused_here(world, proxied):
    assert proxied.refused("evil.example")["code"] == "name_not_listed"
    assert world.proxy_heads == []


def test_a_proxy_that_is_a_name_is_resolved(world, build):
    d = Dialer(world, build, POLICY, proxy="proxy.corp.example:3128")
    world.queries.clear()
    world.proxy = lambda head: b"HTTP/1.1 200 OK\r\n\r\n"
    world.resolve = zone(proxy_corp_example=["127.0.0.90"])
    _, ip, s = d.dialed("good.example")
    s.close()
    assert ip == "127.0.0.90" and {q.name for q in world.queries} == {"proxy.corp.example"}
    assert d.stop() == 0


@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "::ffff:169.254.169.254"])
def test_a_proxy_whose_name_leads_to_where_nothing_is_ever_dialled_is_not_asked(world, build, address):
    d = Dialer(world, build, POLICY, proxy="proxy.corp.example:3128")
    world.resolve = zone(proxy_corp_example=[address])
    assert d.refused("good.example")["code"] == "address_not_permitted"
    assert d.stop() == 0
