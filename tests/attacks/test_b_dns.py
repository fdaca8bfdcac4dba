"""Group B: DNS. The guest's questions never leave; what dialer asks upstream is vetted."""
import struct

import pytest

from guest import dns_packet, qname

A, NS, CNAME, NULL, PTR, MX, TXT, AAAA, SRV, SVCB, HTTPS, ANY = 1, 2, 5, 10, 12, 15, 16, 28, 33, 64, 65, 255


def test_b1_an_unlisted_name_is_nxdomain_with_ede_blocked(gw):
    with gw.attack() as a:
        got = gw.do("dns", "secret-data.evil.example")
        assert (got["rcode"], got["ede"], got["addresses"]) == (3, 15, [])
        a.denied("name_not_listed")


def test_b1_without_edns_there_is_no_extended_error(gw):
    with gw.attack() as a:
        got = gw.do("dns", "secret-data.evil.example", edns=False)
        assert (got["rcode"], got["ede"]) == (3, None)
        a.denied("name_not_listed")


def test_b2_b15_a_wildcard_has_a_budget_of_names_and_exact_names_still_resolve(gateway):
    gw = gateway(BUDGET)
    with gw.attack() as a:
        answers = [gw.do("dns", f"d{i:02}.wild.example") for i in range(25)]
        assert all(x["addresses"] for x in answers[:20]) and not any(x["addresses"] for x in answers[20:])
        assert len({x["addresses"][0] for x in answers[:20]}) == 20
        a.denied("name_budget_spent", n=5)
        assert gw.do("dns", "d00.wild.example")["addresses"] == answers[0]["addresses"]
        assert gw.do("dns", "pass.example")["addresses"]
        a.untouched()


BUDGET = """\
version: 1
name: budget
lab: true
verdicts: {read: allow}
network:
  - {name: wild, hosts: ["*.wild.example"], ports: [80], mode: http, protocol: rest, access: read-only, budget: 20}
  - {name: pinned, hosts: [pass.example], ports: [443], mode: passthrough, reason: "test", addresses: [127.0.0.10/32]}
"""


@pytest.mark.parametrize("qtype", [NS, CNAME, NULL, PTR, MX, TXT, SRV, ANY, AAAA])
def test_b3_other_types_of_a_listed_name_have_no_data(gw, qtype):
    with gw.attack() as a:
        got = gw.do("dns", "pass.example", qtype)
        assert got["rcode"] in (0, 4) and got["answers"] == 0, got
        a.untouched()


@pytest.mark.parametrize("qtype", [NS, CNAME, NULL, PTR, MX, TXT, SRV, ANY, AAAA, HTTPS])
def test_b3_other_types_of_an_unlisted_name_are_denied(gw, qtype):
    with gw.attack() as a:
        assert gw.do("dns", "exfil.evil.example", qtype)["rcode"] == 3
        a.denied("name_not_listed")


@pytest.mark.parametrize("qtype", [HTTPS, SVCB])
def test_b4_no_ech_key_and_no_http3_hint_can_be_had(gw, qtype):
    got = gw.do("dns", "pass.example", qtype)
    assert got["rcode"] == 0 and got["answers"] == 0


def test_b5_dns_over_tcp_gives_the_same_answers(gw):
    assert gw.do("dns", "pass.example", proto="tcp")["addresses"] == gw.do("dns", "pass.example")["addresses"]
    with gw.attack() as a:
        assert gw.do("dns", "tunnel.evil.example", proto="tcp")["rcode"] == 3
        a.denied("name_not_listed")


def test_b5_dot_and_doh_are_refused(gw):
    with gw.attack() as a:
        assert not gw.do("tcp", "100.64.0.1", 853, timeout=2)["connected"]
        assert not gw.do("tcp", "198.51.100.66", 443, timeout=2)["connected"]
        events = a.wait_events(lambda events: {"no_listener", "no_route"} <= {e["status_code"] for e in events}, sightings=True)
        assert {e["status_code"] for e in events} == {"no_listener", "no_route"}, events
        a.untouched()
    with gw.attack() as a:
        assert "error" in gw.do("https", "dns.evil.example", "/dns-query")
        a.denied("name_not_listed", at_least=True)


def test_b6_another_resolver_has_no_route(gw):
    with gw.attack() as a:
        assert "error" in gw.do("dns", "pass.example", server="198.51.100.66", timeout=1)
        a.denied("no_route", at_least=True)


def malformed():
    ok = dns_packet("pass.example", edns=False)
    long_label = b"\x40" + b"a" * 64 + b"\x07example\0"
    long_name = b"".join(b"\x3f" + b"a" * 63 for _ in range(4)) + b"\x03abc\0"
    head = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0)
    tail = struct.pack("!HH", 1, 1)
    yield "two questions", dns_packet("pass.example", edns=False, qdcount=2)
    yield "no question", struct.pack("!HHHHHH", 7, 0x100, 0, 0, 0, 0)
    yield "pointer to itself", head + b"\xc0\x0c" + tail
    yield "pointer forward", head + b"\xc0\x20" + tail + bytes(32)
    yield "label over 63", head + long_label + tail
    yield "name over 255", head + long_name + tail
    yield "cut in the name", ok[:18]
    yield "cut in the type", ok[:-3]


@pytest.mark.parametrize("what,raw", list(malformed()), ids=[w for w, _ in malformed()])
def test_b7_malformed_questions_are_formerr_with_one_event(gw, what, raw):
    with gw.attack() as a:
        got = gw.do("dns", "", raw=raw.hex(), timeout=3)
        assert got.get("rcode") == 1, (what, got)
        events = a.wait_events(lambda e: e)
        assert len(events) == 1 and events[0]["status_code"] in ("malformed_dns", "malformed_name"), events
        a.untouched()
    gw.healthy()


def test_b7_the_root_is_refused(gw):
    with gw.attack() as a:
        got = gw.do("dns", {"hex": "00"})
        assert got["rcode"] in (3, 5) and not got["addresses"]
        assert len(a.wait_events(lambda e: e)) == 1


def test_b9_only_the_vetted_literal_is_dialled_when_the_answer_changes(gw, zone):
    zone({"pass.example": [{"a": "127.0.0.10", "ttl": 0}]})
    gw.healthy()
    zone({"pass.example": [{"a": "127.0.0.66", "ttl": 0}]})
    with gw.attack() as a:
        assert "error" in gw.do("https", "pass.example")
        a.denied("address_not_permitted", touched=True)
        assert a.seen()["queries"] and not a.seen()["connections"]


def test_b10_of_a_mixed_answer_only_permitted_addresses_are_tried(gw, zone, arena):
    zone({"two.example": [{"a": "127.0.0.66"}, {"a": "198.51.100.66"}, {"a": "127.0.0.10"}, {"aaaa": "::1"}]})
    with gw.attack() as a:
        hello = gw.do("client_hello", "two.example")
        gw.do("tcp", "two.example", 443, send=hello, want=5)
        a.allowed()
        assert {c["local"] for c in a.seen()["connections"]} == {"127.0.0.10"}


def test_b11_the_asked_name_decides_and_the_final_address_is_vetted(gw, zone):
    zone({"two.example": [{"cname": "cdn.evil.example"}], "cdn.evil.example": [{"a": "127.0.0.10"}]})
    with gw.attack() as a:
        gw.do("tcp", "two.example", 443, send=gw.do("client_hello", "two.example"), want=5)
        a.allowed()
    zone({"trap.example": [{"cname": "inner.evil.example"}], "inner.evil.example": [{"a": "127.0.0.66"}]})
    with gw.attack() as a:
        gw.do("https", "trap.example")
        a.denied("address_not_permitted", touched=True)
        assert not a.seen()["connections"]


def test_b11_a_chain_without_end_is_refused(gw, zone):
    chain = {f"c{i}.evil.example": [{"cname": f"c{i + 1}.evil.example"}] for i in range(20)}
    zone({"trap.example": [{"cname": "c0.evil.example"}], **chain})
    with gw.attack() as a:
        gw.do("https", "trap.example")
        a.denied("cname_chain_too_long", touched=True)
        assert not a.seen()["connections"]


@pytest.mark.parametrize("lie", ["wrong_id", "wrong_question", "cut", "garbage", "silent", "servfail", "truncated_always"])
def test_b16_a_dishonest_resolver_gets_nothing_dialled(gw, zone, lie):
    zone({"trap.example": [{"lie": lie}, {"a": "127.0.0.10"}]})
    with gw.attack() as a:
        gw.do("https", "trap.example", timeout=20)
        events = a.wait_events(lambda events: [e for e in events if e["class_uid"] != 4003], timeout=15)
        assert [e["status_code"] for e in events if e["class_uid"] != 4003] == ["resolution_failed"], events
        assert not a.seen()["connections"]


def test_b16_a_truncated_answer_is_asked_again_over_tcp(gw, zone):
    zone({"two.example": [{"lie": "truncated"}, {"a": "127.0.0.10"}]})
    with gw.attack() as a:
        gw.do("tcp", "two.example", 443, send=gw.do("client_hello", "two.example"), want=5)
        a.allowed()
        assert {q["proto"] for q in a.seen()["queries"]} >= {"udp", "tcp"}


def test_b13_an_address_is_never_given_to_another_name(gw):
    first = gw.do("address", "pass.example")
    others = {gw.do("address", n) for n in ("two.example", "plain.example", "db.example", "a1.wild.example", "x.deep.example")}
    assert first not in others and gw.do("address", "pass.example") == first
    assert qname("pass.example")  # the codec the guest used
