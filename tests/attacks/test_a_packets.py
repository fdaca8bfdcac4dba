"""Group A: packets and flows. What no socket of ours sees is one aggregated event; what reaches nobody has no route."""
import socket
import struct

import pytest


def no_route(a, reason="no_route"):
    events = a.denied(reason, at_least=True)
    assert all(e["unmapped"]["policy_change"].startswith("no policy allows this: hosts are reached by a listed name") for e in events), events
    return events


@pytest.mark.parametrize("address", ["198.51.100.66", "203.0.113.7"])
def test_a1_tcp_to_an_unknown_address_has_no_route(gw, address):
    with gw.attack() as a:
        got = gw.do("tcp", address, 443, timeout=3)
        assert not got["connected"], got
        no_route(a)


@pytest.mark.parametrize("address", ["10.0.0.1", "172.16.5.5", "192.168.1.1", "100.64.0.3", "100.100.1.1"])
def test_a2_private_ranges_and_other_workspaces_have_no_route(gw, address):
    with gw.attack() as a:
        got = gw.do("tcp", address, 443, timeout=3)
        assert not got["connected"], got
        if address == "100.64.0.3":  # on the guest's own link: nobody answers its ARP, no packet leaves
            a.untouched()
        else:
            no_route(a)


def test_a3_the_metadata_address_has_no_route(gw):
    with gw.attack() as a:
        assert not gw.do("tcp", "169.254.169.254", 80, timeout=3)["connected"]
        no_route(a)


@pytest.mark.parametrize("name", ["metadata.google.internal", "metadata.azure.internal", "instance-data", "metadata"])
def test_a3_metadata_names_are_not_listed(gw, name):
    with gw.attack() as a:
        assert gw.do("dns", name)["rcode"] == 3
        a.denied("name_not_listed")


def test_a4_loopback_as_destination_stays_in_the_guest(gw):
    with gw.attack() as a:
        for address in ("127.0.0.1", "127.0.0.10", "0.0.0.0"):
            assert not gw.do("tcp", address, 443, timeout=2)["connected"]
        a.untouched()


@pytest.mark.parametrize("address", ["127.0.0.66", "0.0.0.0", "169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1",
                                     "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.51.100.66", "192.0.2.1"])
def test_a4_a5_a_listed_name_that_resolves_to_a_forbidden_address_is_refused(gw, zone, address):
    zone({"trap.example": [{"a": address}]})
    with gw.attack() as a:
        got = gw.do("https", "trap.example")
        assert "error" in got
        a.denied("address_not_permitted", touched=True)
        assert not a.seen()["connections"]


@pytest.mark.parametrize("address", ["::", "::1", "::ffff:127.0.0.66", "::ffff:10.0.0.1", "64:ff9b::7f00:42", "64:ff9b:1::7f00:42",
                                     "2002:7f00:42::1", "2001:0:7f00:42::1", "fe80::5efe:7f00:42", "fd00:ec2::254", "fe80::1", "ff02::1",
                                     "fec0::1", "2001:db8::1"])
def test_a9_addresses_inside_addresses_are_unwrapped_and_refused(gw, zone, address):
    zone({"trap.example": [{"aaaa": address}]})
    with gw.attack() as a:
        assert "error" in gw.do("https", "trap.example")
        a.denied("address_not_permitted", touched=True)
        assert not a.seen()["connections"]


@pytest.mark.parametrize("address,port", [("198.18.0.1", 443), ("198.51.100.66", 443), ("203.0.113.9", 123), ("203.0.113.9", 3478),
                                          ("100.64.0.1", 123)])
def test_a6_udp_to_anything_but_our_resolver_is_dropped_and_recorded(gw, address, port):
    with gw.attack() as a:
        assert "error" in gw.do("udp", address, port, send="0a0b0c0d")
        events = a.wait_events(lambda e: e, timeout=8, sightings=True)
        assert events and all(e["status_code"] in ("no_route", "no_listener") for e in events), events
        assert all(e["unmapped"]["policy_change"].startswith("no policy allows this: ") for e in events), events
        a.untouched()


def link_of(gw):
    """The guest's link. Looking at it asks one DNS question, whose event is waited for: it is none of the attack's."""
    with gw.attack() as a:
        link = gw.do("link")
        a.wait_events(lambda e: e)
    return link


def test_a8_ipv6_does_not_exist_on_this_link(gw):
    link = link_of(gw)
    me = bytes.fromhex(link["me"])
    source = b"\xfe\x80" + bytes(6) + bytes([me[0] ^ 2, me[1], me[2], 0xff, 0xfe, me[3], me[4], me[5]])
    solicitation = struct.pack("!IHBB", 0x60000000, 8, 58, 255) + source + socket.inet_pton(socket.AF_INET6, "ff02::2") + b"\x85\0\0\0\0\0\0\0"
    to_global = struct.pack("!IHBB", 0x60000000, 20, 6, 64) + source + socket.inet_pton(socket.AF_INET6, "2001:db8::1") + \
        struct.pack("!HHIIBBHHH", 1234, 443, 1, 0, 0x50, 2, 1000, 0, 0)
    with gw.attack() as a:
        gw.do("raw_ethernet", [(b"\x33\x33\0\0\0\2" + me + b"\x86\xdd" + solicitation).hex(),
                               (bytes.fromhex(link["gw"]) + me + b"\x86\xdd" + to_global).hex()])
        a.denied("no_ipv6", at_least=True)


def ip_packet(source, destination, proto, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0, socket.inet_aton(source), socket.inet_aton(destination))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack("!H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + head[12:] + payload


def syn(port, source_port=4321):
    return struct.pack("!HHIIBBHHH", source_port, port, 1, 0, 0x50, 2, 1000, 0, 0)


def test_a12_spoofed_sources_are_dropped_and_recorded(gw):
    link = link_of(gw)
    me, gateway = bytes.fromhex(link["me"]), bytes.fromhex(link["gw"])
    with gw.attack() as a:
        gw.do("raw_ethernet", [(gateway + me + b"\x08\0" + ip_packet("100.64.0.99", "198.18.0.1", 6, syn(443))).hex(),
                               (gateway + me + b"\x08\0" + ip_packet("8.8.8.8", "198.18.0.1", 6, syn(443))).hex()])
        events = a.wait_events(lambda e: e, timeout=8, dns=False, sightings=True)
        assert events and all(e["status_code"] == "source_spoofed" for e in events), events
        a.untouched()


def test_a12_a_forged_arp_answer_and_a_vlan_tag_change_nothing(gw):
    link = link_of(gw)
    me, gateway = bytes.fromhex(link["me"]), bytes.fromhex(link["gw"])
    arp = gateway + b"\x02\x11\x22\x33\x44\x55" + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + b"\x02\x11\x22\x33\x44\x55" + \
        socket.inet_aton("100.64.0.2") + gateway + socket.inet_aton("100.64.0.1")
    tagged = gateway + me + b"\x81\0\0\x05\x08\0" + ip_packet("100.64.0.2", "198.18.0.1", 6, syn(443))
    with gw.attack() as a:
        gw.do("raw_ethernet", [arp.hex(), tagged.hex()])
        events = a.wait_events(lambda e: e, timeout=8, dns=False, sightings=True)
        assert events and all(e["status_code"] in ("frame_dropped", "source_spoofed") for e in events), events
        a.untouched()
    gw.healthy()


@pytest.mark.parametrize("port", [22, 25, 8080])
def test_a14_a_listed_name_on_an_unlisted_port_is_refused(gw, port):
    gw.do("address", "pass.example")
    with gw.attack() as a:
        assert not gw.do("tcp", "pass.example", port, timeout=3)["connected"]
        a.denied("port_not_listed")


def test_a14_a_listed_port_of_another_name_is_refused(gw):
    gw.do("address", "pass.example")
    with gw.attack() as a:
        got = gw.do("tcp", "pass.example", 80, send=b"GET / HTTP/1.1\r\nHost: pass.example\r\n\r\n".hex())
        assert not got["got"] or b" 403" in bytes.fromhex(got["got"]), got
        a.denied("port_not_listed")


@pytest.mark.parametrize("first", [b"SSH-2.0-OpenSSH_9\r\n", b"\x00" * 64, b"EHLO there\r\n", bytes(range(7, 200)), b"GET / HTTP/1.1\r\n\r\n"])
def test_a15_bytes_on_443_that_are_not_tls_are_refused(gw, first):
    with gw.attack() as a:
        got = gw.do("tcp", "pass.example", 443, send=first.hex(), want=8)
        assert got["closed"] or got.get("got"), got
        a.denied("not_tls")
    gw.healthy()


def test_a15_a_mapped_tcp_rule_carries_any_bytes(gw):
    with gw.attack() as a:
        got = gw.do("tcp", "db.example", 5432, send=b"\0\0\0\x08\x04\xd2\x16\x2f".hex(), want=8)
        assert got["got"] == "0000000804d2162f", got
        a.allowed()


def test_a16_a_hello_of_one_byte_a_segment_is_judged_like_a_whole_one(gw):
    hello = bytes.fromhex(gw.do("client_hello", "pass.example"))
    with gw.attack() as a:
        got = gw.do("tcp", "pass.example", 443, pieces=[hello[i:i + 1].hex() for i in range(len(hello))], want=5)
        assert got["got"].startswith("1603"), got
        a.allowed()


def test_a16_a_hello_that_never_ends_is_closed_at_the_deadline_and_never_passes(gw):
    hello = bytes.fromhex(gw.do("client_hello", "pass.example"))
    with gw.attack() as a:
        got = gw.do("tcp", "pass.example", 443, send=hello[:-1].hex(), want=1000, timeout=25)
        assert got["closed"] and 5 < got["took"] < 20, got
        a.denied("first_bytes_timeout")


def test_a18_no_host_service_listens_for_the_guest(gw):
    with gw.attack() as a:
        for port in (67, 68, 69, 5353, 1900):
            assert "error" in gw.do("udp", "100.64.0.1", port, timeout=0.3)
        for port in (22, 111, 2049, 6443, 10250, 16509):
            assert not gw.do("tcp", "100.64.0.1", port, timeout=1)["connected"]
        a.untouched()
        events = a.wait_events(lambda e: e, timeout=8, sightings=True)
        assert events and not [e for e in events if e.get("disposition") == "Allowed"]
