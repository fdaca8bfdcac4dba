"""A dozen of the rows from inside a real virtual machine, as root, and what only a machine can show. Boots once."""
import json
import os
import re
import signal
import socket
import struct
import subprocess

import pytest

from conftest import POLICY
from vm import ControlPlane, VmGateway, missing

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plane(arena, build):
    why = missing()
    if why:
        pytest.skip(why)
    p = ControlPlane(build, arena)
    p.image()
    p.up()
    yield p
    p.down()


@pytest.fixture(scope="module")
def vm(plane, arena, tmp_path_factory):
    g = VmGateway(plane, arena, "red", POLICY, tmp_path_factory.mktemp("red"))
    yield g
    g.stop()


def test_the_guest_is_root_in_a_machine_of_its_own(vm):
    done = vm.do("command", ["sh", "-c", "id -u; uname -r; cat /proc/1/comm"])
    assert done["out"].split()[0] == "0" and done["out"].split()[-1] == "systemd", done


def test_listed_names_work_from_the_machine(vm):
    with vm.attack() as a:
        got = vm.do("http", "plain.example", "GET /x HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1, timeout=20)
        assert got["statuses"] == [200], got
        a.allowed(4002)


def test_passthrough_works_from_the_machine(vm):
    with vm.attack() as a:
        hello = vm.do("client_hello", "pass.example")
        assert vm.do("tcp", "pass.example", 443, send=hello, want=5, timeout=20)["got"].startswith("1603")
        a.allowed()


@pytest.mark.parametrize("address", ["198.51.100.66", "10.0.0.1", "192.168.1.1", "169.254.169.254"])
def test_a1_a2_a3_raw_addresses_have_no_route(vm, address):
    with vm.attack() as a:
        assert not vm.do("tcp", address, 443, timeout=5)["connected"]
        a.denied("no_route", at_least=True)


@pytest.mark.parametrize("name", ["metadata.google.internal", "exfil.evil.example"])
def test_b1_unlisted_names_do_not_resolve(vm, name):
    with vm.attack() as a:
        got = vm.do("dns", name)
        assert (got["rcode"], got["ede"]) == (3, 15)
        a.denied("name_not_listed")


def test_a6_udp_is_dropped(vm):
    with vm.attack() as a:
        assert "error" in vm.do("udp", "203.0.113.9", 443)
        events = a.wait_events(lambda e: e, timeout=10, sightings=True)
        assert events and {e["status_code"] for e in events} <= {"no_route", "no_listener"}
        a.untouched()


def test_a8_ipv6_frames_of_the_machine_go_nowhere(vm):
    link = vm.do("link")
    to_global = struct.pack("!IHBB", 0x60000000, 20, 6, 64) + socket.inet_pton(socket.AF_INET6, "2001:db8::2") + \
        socket.inet_pton(socket.AF_INET6, "2001:db8::1") + struct.pack("!HHIIBBHHH", 1234, 443, 1, 0, 0x50, 2, 1000, 0, 0)
    with vm.attack() as a:
        vm.do("raw_ethernet", [link["gw"] + link["me"] + "86dd" + to_global.hex()])
        a.denied("no_ipv6", at_least=True)


def test_a12_a_changed_address_and_mac_reach_nothing(vm):
    link = vm.do("link")
    me, gateway = bytes.fromhex(link["me"]), bytes.fromhex(link["gw"])
    from test_a_packets import ip_packet, syn
    with vm.attack() as a:
        vm.do("raw_ethernet", [(gateway + me + b"\x08\0" + ip_packet("100.64.0.77", "198.18.0.1", 6, syn(443))).hex(),
                               (gateway + b"\x02\x99\x99\x99\x99\x99" + b"\x08\0" + ip_packet("100.64.0.2", "198.18.0.1", 6, syn(443))).hex()])
        events = a.wait_events(lambda e: e, timeout=10, sightings=True)
        assert events and {e["status_code"] for e in events} <= {"source_spoofed", "frame_dropped"}, events
        a.untouched()


def test_a14_an_unlisted_port_is_refused(vm):
    vm.do("address", "pass.example")
    with vm.attack() as a:
        assert not vm.do("tcp", "pass.example", 22, timeout=5)["connected"]
        a.denied("port_not_listed")


def test_a15_no_tls_on_443(vm):
    with vm.attack() as a:
        assert vm.do("tcp", "pass.example", 443, send=b"SSH-2.0-x\r\n".hex(), want=100, timeout=15)["closed"]
        a.denied("not_tls")


def test_a18_there_is_no_vsock_no_virtio_serial_and_no_host_service(vm):
    done = vm.do("command", ["sh", "-c", "ls /dev/vsock /dev/vport* /dev/virtio-ports 2>/dev/null; cat /proc/bus/pci/devices 2>/dev/null | wc -l;"
                             " grep -l . /sys/bus/virtio/devices/*/device 2>/dev/null | xargs cat"])
    kinds = set(re.findall(r"0x00([0-9a-f]{2})\b", done["out"]))
    assert kinds <= {"01", "02", "04", "03"}, f"virtio devices beside net, block, entropy (and console): {done}"
    assert "vsock" not in done["out"] and "vport" not in done["out"]


def test_d2_sni_of_another_name_is_refused(vm):
    hello = vm.do("client_hello", "two.example")
    with vm.attack() as a:
        assert vm.do("tcp", "pass.example", 443, send=hello, want=10000, timeout=15)["closed"]
        a.denied("sni_not_flow_name")


def test_e1_a_smuggled_request_is_refused(vm):
    with vm.attack() as a:
        got = vm.do("http", "plain.example", "POST /data/x HTTP/1.1\r\nHost: plain.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                    "GET /canary HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1, timeout=20)
        assert got["statuses"] == [400], got
        a.denied("two_body_lengths")


def test_the_exit_code_of_a_command_comes_back(plane, vm):
    for code in (0, 7, 42):
        assert plane.cli("ssh", vm.name, "--", f"exit {code}", check=False).returncode == code


def test_no_secret_of_the_host_is_in_the_guest(plane, vm):
    done = vm.do("command", ["sh", "-c", "grep -rlE 'PRIVATE KEY' /etc /run /home /root 2>/dev/null"], timeout=120, wait=150)
    files = [f for f in done["out"].split() if not re.match(r"/etc/ssh/ssh_host_|/run/.*ssh_host_|/etc/ssl/private/ssl-cert", f)]
    for f in files:  # the CA of the control plane must not be among them
        text = vm.do("command", ["cat", f])["out"]
        for key in (plane.state / "keys").glob("*"):
            assert key.read_text(errors="replace").strip() not in text, f


def test_two_machines_never_see_each_other(plane, arena, vm, tmp_path):
    other = VmGateway(plane, arena, "blue", POLICY, tmp_path / "blue")
    try:
        for mine, name in ((vm, "red"), (other, "blue")):
            with mine.attack() as a:
                for port in (22, 80, 443):
                    assert not mine.do("tcp", "100.64.0.3", port, timeout=2)["connected"]
                got = mine.do("command", ["sh", "-c", "ip neigh; ip route"])
                assert "100.64.0.1" in got["out"]
                a.untouched()
            assert name
        # the same synthetic network, two namespaces: what one holds open does not exist for the other
        n = vm.do("hold", "db.example", 5432)
        assert vm.do("held_step", n, send=b"red".hex(), timeout=10)["got"] == b"red".hex()
        assert plane.json("ls")["workspaces"] if isinstance(plane.json("ls"), dict) else plane.json("ls")
    finally:
        other.stop()


def test_a_killed_machine_comes_back_with_its_home_and_a_rebuild_keeps_it(plane, vm, arena, tmp_path):
    g = VmGateway(plane, arena, "green", POLICY, tmp_path / "green")
    try:
        g.do("command", ["sh", "-c", "echo kept > /home/agent/kept; echo gone > /opt/gone; sync"])
        pids = subprocess.run(["pgrep", "-f", "qemu-system.*green"], capture_output=True, text=True, check=False).stdout.split()
        assert pids, "no QEMU process names the workspace"
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)
        g.process.wait(60)
        plane.cli("start", "green", timeout=400)
        assert plane.cli("ssh", "green", "--", "cat kept /opt/gone", timeout=120).stdout.split() == ["kept", "gone"]
        plane.cli("rebuild", "--force", "green", timeout=400)
        assert plane.cli("ssh", "green", "--", "cat kept; test ! -e /opt/gone", timeout=120).stdout.split() == ["kept"]
    finally:
        g.stop()


def test_every_line_of_the_machines_audit_log_is_whole(vm):
    events = [json.loads(l) for l in vm.audit.read_text().splitlines()]
    assert len(events) > 20
