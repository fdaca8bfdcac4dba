"""Group A: frames that no ordinary stack sends. Nothing of them reaches anybody, and each leaves its mark in the audit log."""
import os
import socket
import struct
import subprocess

import pytest

from test_a_packets import ip_packet, link_of, syn
from workspace import children

GUEST, SERVER = "100.64.0.2", "100.64.0.1"
OTHER_MAC = b"\x02\xde\xad\xbe\xef\x01"
LOOSE_ROUTE = bytes([131, 7, 4]) + socket.inet_aton("198.51.100.66") + b"\0"
STRICT_ROUTE = bytes([137, 7, 4]) + socket.inet_aton("198.51.100.66") + b"\0"
FIN, RST, ACK = 1, 4, 16


def segment(flags, port):
    return struct.pack("!HHIIBBHHH", 5555, port, 1, 1, 0x50, flags, 1000, 0, 0)


def question(name="evil.example"):
    return struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0\0\1\0\1"


def udp(port, data):
    return struct.pack("!HHHH", 5555, port, 8 + len(data), 0) + data


def summed(head):
    total = sum(struct.unpack(f"!{len(head) // 2}H", head))
    total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack("!H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + head[12:]


def with_options(destination, proto, payload, options):
    size = 20 + len(options)
    return summed(struct.pack("!BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(payload), 1, 0, 64, proto, 0, socket.inet_aton(GUEST),
                              socket.inet_aton(destination)) + options) + payload


def piece(destination, proto, payload, at, more, ident):
    return summed(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, (0x2000 if more else 0) | at // 8, 64, proto, 0,
                              socket.inet_aton(GUEST), socket.inet_aton(destination))) + payload


def pieces(destination, proto, payload, cut, ident=77):
    return [piece(destination, proto, payload[:cut], 0, True, ident), piece(destination, proto, payload[cut:], cut, False, ident)]


def wrong_sum(packet):
    return packet[:10] + b"\x12\x34" + packet[12:]


def recorded(a, reason):
    """Late counts of earlier kinds may stand beside it."""
    events = a.wait_events(lambda events: [e for e in events if e["status_code"] == reason], timeout=8, sightings=True)
    assert reason in [e["status_code"] for e in events] and not [e for e in events if e["disposition"] == "Allowed"], events
    a.untouched()


# what lies in IP, destination's and source's hardware address: None is the right one, and the reason
VECTORS = {
    "ack_to_nowhere": ([ip_packet(GUEST, "198.51.100.60", 6, segment(ACK, 443))], None, None, "no_route"),
    "fin_to_nowhere": ([ip_packet(GUEST, "198.51.100.61", 6, segment(FIN, 443))], None, None, "no_route"),
    "null_to_nowhere": ([ip_packet(GUEST, "198.51.100.62", 6, segment(0, 443))], None, None, "no_route"),
    "syn_ack_to_nowhere": ([ip_packet(GUEST, "198.51.100.63", 6, segment(2 | ACK, 443))], None, None, "no_route"),
    "syn_to_loopback": ([ip_packet(GUEST, "127.0.0.1", 6, syn(443))], None, None, "no_route"),
    "udp_to_the_hosts_resolver": ([ip_packet(GUEST, "127.0.0.53", 17, udp(53, question()))], None, None, "no_route"),
    "syn_to_zero": ([ip_packet(GUEST, "0.0.0.0", 6, syn(443))], None, None, "no_route"),
    "syn_to_all": ([ip_packet(GUEST, "255.255.255.255", 6, syn(443))], None, None, "no_route"),
    "syn_to_itself": ([ip_packet(GUEST, GUEST, 6, syn(443))], None, None, "no_route"),
    "dns_to_all": ([ip_packet(GUEST, "255.255.255.255", 17, udp(53, question()))], b"\xff" * 6, None, "no_listener"),
    "spoofed_reset": ([ip_packet("100.64.0.77", "198.18.0.1", 6, segment(RST, 8443))], None, None, "source_spoofed"),
    "spoofed_questions": ([ip_packet(s, SERVER, 17, udp(53, question())) for s in ("100.64.0.78", "127.0.0.1", SERVER, "8.8.8.8", "0.0.0.0")],
                          None, None, "source_spoofed"),
    "syn_for_another_machine": ([ip_packet(GUEST, "198.18.0.1", 6, syn(443, 6002))], OTHER_MAC, None, "frame_dropped"),
    "dns_for_another_machine": ([ip_packet(GUEST, SERVER, 17, udp(53, question()))], OTHER_MAC, None, "frame_dropped"),
    "syn_in_a_frame_for_all": ([ip_packet(GUEST, "198.18.0.2", 6, syn(443, 6003))], b"\xff" * 6, None, "frame_dropped"),
    "syn_with_a_loose_source_route": ([with_options("198.18.0.3", 6, syn(443, 6004), LOOSE_ROUTE)], None, None, "frame_dropped"),
    "syn_with_a_strict_source_route": ([with_options("198.18.0.4", 6, syn(443, 6004), STRICT_ROUTE)], None, None, "frame_dropped"),
    "syn_with_a_wrong_checksum": ([wrong_sum(ip_packet(GUEST, "198.18.0.5", 6, syn(443, 6005)))], None, None, "frame_dropped"),
    "syn_in_pieces": (pieces("198.18.0.6", 6, syn(443, 6006) + bytes(12), 8), None, None, "frame_dropped"),
    "datagram_in_pieces": (pieces("198.18.0.7", 17, udp(53, question()), 16), None, None, "frame_dropped"),
    "a_lone_piece": ([piece("198.18.0.8", 6, bytes(64), 64, True, 78)], None, None, "frame_dropped"),
    "ip_in_ip": ([ip_packet(GUEST, "198.18.0.1", 4, ip_packet(GUEST, "198.51.100.66", 6, syn(443)))], None, None, "no_listener"),
    "gre": ([ip_packet(GUEST, "198.18.0.1", 47, b"\0\0\x08\0" + ip_packet(GUEST, "198.51.100.66", 6, syn(443)))], None, None, "no_listener"),
    "ipv6_in_ip": ([ip_packet(GUEST, "198.18.0.1", 41, bytes([0x60]) + bytes(39))], None, None, "no_listener"),
    "esp": ([ip_packet(GUEST, "198.18.0.1", 50, bytes(32))], None, None, "no_listener"),
    "sctp": ([ip_packet(GUEST, "198.18.0.1", 132, bytes(32))], None, None, "no_listener"),
    "icmp_redirect": ([ip_packet(GUEST, "198.18.0.9", 1, b"\x05\x01\0\0" + socket.inet_aton(GUEST) + ip_packet(GUEST, "198.51.100.66", 6, syn(443))[:28])],
                      None, None, "no_listener"),
}


@pytest.mark.parametrize("what", VECTORS)
def test_an_odd_packet_reaches_nobody_and_is_recorded(gw, what):
    packets, to, by, reason = VECTORS[what]
    link = link_of(gw)
    to, by = to or bytes.fromhex(link["gw"]), by or bytes.fromhex(link["me"])
    with gw.attack() as a:
        gw.do("raw_ethernet", [(to + by + b"\x08\0" + p).hex() for p in packets])
        recorded(a, reason)


@pytest.mark.parametrize("ethertype,rest", [(0x88cc, bytes(46)), (0x88a8, b"\0\5\x81\0\0\5\x08\0" + bytes(46)), (0x8847, bytes(46)),
                                            (0x8863, bytes(46)), (0x0800, b"\x45"), (0x0806, b"\0\1")])
def test_a_frame_that_is_no_ipv4_is_dropped_and_recorded(gw, ethertype, rest):
    link = link_of(gw)
    with gw.attack() as a:
        gw.do("raw_ethernet", [(bytes.fromhex(link["gw"] + link["me"]) + struct.pack("!H", ethertype) + rest).hex()])
        recorded(a, "frame_dropped")


def test_a_question_in_pieces_is_not_put_together(gw):
    link = link_of(gw)
    with gw.attack() as a:
        gw.do("raw_ethernet", [(bytes.fromhex(link["gw"] + link["me"]) + b"\x08\0" + p).hex()
                               for p in pieces(SERVER, 17, udp(53, question("pass.example")), 16, 79)])
        recorded(a, "frame_dropped")
    gw.healthy()


@pytest.mark.parametrize("address", ["198.18.0.0", "198.19.255.255"])
def test_the_ends_of_the_pool_stand_for_no_name(gw, address):
    with gw.attack() as a:
        got = gw.do("tcp", address, 443, send="160301", want=8)
        assert got["closed"] and got["got"] == "15030300020231", got  # a TLS alert, access_denied, and nothing more
        a.denied("address_of_no_name")


SETTINGS = {"accept_local": 0, "accept_redirects": 0, "accept_source_route": 0, "arp_accept": 0, "arp_ignore": 1, "bootp_relay": 0,
            "log_martians": 0, "proxy_arp": 0, "route_localnet": 0, "rp_filter": 1, "send_redirects": 0}


def test_the_kernels_settings_in_the_gateways_namespace_are_ours(gw):
    front = next(pid for pid, title in children(gw.process.pid) if title.startswith("saw-front"))
    enter = ["nsenter", "-t", str(front), "-n"] + ([] if os.geteuid() == 0 else ["-U", "--preserve-credentials"])
    paths = {f"net/ipv4/conf/{device}/{key}": value for key, value in SETTINGS.items() for device in ("all", "default", "guest")}
    for device in ("all", "guest"):  # the kernel takes the larger of the two, or both: what the link has may be the stricter
        paths.pop(f"net/ipv4/conf/{device}/rp_filter")
    paths |= {"net/ipv4/conf/all/rp_filter": 1, "net/ipv4/conf/all/forwarding": 0, "net/ipv4/ip_forward": 0,
              "net/ipv4/icmp_echo_ignore_all": 1, "net/ipv4/icmp_echo_ignore_broadcasts": 1, "net/ipv4/tcp_syncookies": 1,
              "net/ipv4/ipfrag_high_thresh": 0, "net/ipv6/conf/all/disable_ipv6": 1, "net/ipv6/conf/guest/disable_ipv6": 1}
    text = subprocess.run([*enter, "head", "-n1", "-v", *[f"/proc/sys/{p}" for p in paths]], capture_output=True, text=True, check=False)
    assert not text.stderr, text.stderr
    read = dict(part.split(" <==\n") for part in text.stdout.replace("\n\n", "\n").split("==> /proc/sys/")[1:])
    assert {p: int(v) for p, v in read.items()} == paths
