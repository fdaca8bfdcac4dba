"""Floods: memory and descriptors of the gateway stay where they were, the audit log grows no faster than it may, and what is
legitimate is served meanwhile or right after."""
import os
import pathlib
import time

import pytest

from workspace import children

pytestmark = pytest.mark.release  # resident memory means nothing under ASan


@pytest.fixture(autouse=True)
def descriptors_can_be_counted():
    if os.geteuid() != 0:
        pytest.skip("a role is not dumpable: only root may count its descriptors")


POLICY = """\
version: 1
name: floods
lab: true
network:
  - {name: pinned, hosts: [pass.example], ports: [443], mode: passthrough, reason: "test", addresses: [127.0.0.10/32]}
  - {name: database, hosts: [db.example], ports: [5432], mode: tcp, reason: "test", addresses: [127.0.0.10/32]}
"""
BURST, EVENT_MS = 4096, 4  # inlet/gate_main.h
SECONDS = 4

# Each runs in the guest for SECONDS and prints how many it sent.
HEAD = f"""
import random, select, socket, struct, time
end, n = time.monotonic() + {SECONDS}, 0
def question(i):
    return struct.pack("!HHHHHH", i & 65535, 0x100, 1, 0, 0, 0) + b"\\x08%08x\\x04evil\\x07example\\0\\0\\1\\0\\1" % i
def checksum(b):
    t = sum(struct.unpack(f"!{{len(b) // 2}}H", b))
    t = (t & 65535) + (t >> 16)
    return ~((t & 65535) + (t >> 16)) & 65535
"""
DNS_UDP = HEAD + """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("100.64.0.1", 53))
s.setblocking(False)
while time.monotonic() < end:
    try:
        s.send(question(n))
        n += 1
        while True:
            s.recv(600)
    except BlockingIOError:
        pass
print(n)
"""
DNS_TCP = HEAD + """
all = [socket.create_connection(("100.64.0.1", 53)) for _ in range(16)]
for s in all:
    s.setblocking(False)
while time.monotonic() < end:
    for s in select.select(all, all, [], 0.1)[1]:
        try:
            s.send(struct.pack("!H", len(question(n))) + question(n))
            n += 1
            s.recv(65536)
        except BlockingIOError:
            pass
print(n)
"""
REFUSED = HEAD + """
held = []
while time.monotonic() < end:
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(("198.18.0.200", 443))
    held.append(s)
    n += 1
    if len(held) > 500:
        held.pop(0).close()
print(n)
"""
SYNS = HEAD + """
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 6)
ends = socket.inet_aton("100.64.0.2") + socket.inet_aton("198.18.0.1")
while time.monotonic() < end:
    h = struct.pack("!HHIIBBHHH", random.randrange(1024, 65535), 443, n, 0, 0x50, 2, 1000, 0, 0)
    s.sendto(h[:16] + struct.pack("!H", checksum(ends + struct.pack("!HH", 6, 20) + h)) + h[18:], ("198.18.0.1", 0))
    n += 1
print(n)
"""
FRAMES = HEAD + """
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
kinds = [b"\\x88\\xcc", b"\\x86\\xdd\\x60" + bytes(39), b"\\x08\\x06" + bytes(28), b"\\x08\\0\\x45\\0\\0\\x40\\0\\1\\x20\\0\\x40\\x11" + bytes(52)]
while time.monotonic() < end:
    s.send(b"\\xff" * 6 + struct.pack("!HI", 2, n) + kinds[n % 4] + bytes(20))
    n += 1
print(n)
"""
SCAN = HEAD + """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while time.monotonic() < end:
    try:
        s.sendto(b"x", ("203.0.%d.%d" % (n >> 8 & 255, n & 255), 1 + n % 60000))
    except OSError:
        pass
    n += 1
print(n)
"""
# events at most; None: as many as may be in the time that passed
FLOODS = {"dns_udp": (DNS_UDP, None), "dns_tcp": (DNS_TCP, None),
          "refused": (REFUSED, None), "syns": (SYNS, 20), "frames": (FRAMES, 2000), "scan": (SCAN, 2000)}


def holds(gw):
    """Of inlet, dialer and supervisor: resident KiB and descriptors."""
    out = {}
    for pid, title in children(gw.process.pid):
        name = title.split(":")[0]
        if name in ("saw-inlet", "saw-dialer", "saw-workspace"):
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            out[name] = (int(status.split("VmRSS:")[1].split()[0]), len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())), pid)
    return out


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_costs_neither_memory_nor_descriptors_nor_the_disk(gateway, flood):
    code, most = FLOODS[flood]
    gw = gateway(POLICY)
    gw.healthy()
    kept = gw.do("hold", "db.example", 5432)
    before, lines, start = holds(gw), len(gw.events()), time.monotonic()
    done = gw.do("command", ["/usr/bin/python3", "-c", code])
    assert done["code"] == 0 and int(done["out"]) > 1000, done
    assert gw.do("held_step", kept, "616263")["got"] == "616263"  # a flow that was open stays served
    began = time.monotonic()
    gw.healthy()
    assert time.monotonic() - began < 8
    gw.do("held_step", kept, timeout=2)  # lets what lingers end
    after, events = holds(gw), len(gw.events()) - lines
    most = most or BURST + (time.monotonic() - start) * 1000 // EVENT_MS + 600
    assert events <= most, f"{events} events for {done['out']} sent"
    assert events > 0 or flood == "syns", "nothing was recorded"
    lost = [e for e in gw.events()[lines:] if e.get("status_code") == "dns_too_fast"]
    assert flood != "dns_udp" or (1 <= len(lost) <= 2 and lost[0]["count"] > 1), lost
    for role, (size, fds, pid) in after.items():
        assert pid == before[role][2], f"{role} died"
        assert size < before[role][0] + 4096 and fds <= before[role][1] + 2, (role, before[role], after[role])


def test_five_thousand_connections_and_half_open_hellos_leave_others_served(gateway):
    code = HEAD + """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (6000, 6000)) if resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 6000 else None
held, most = [], min(5000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 50)
for n in range(most):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(("198.18.0.1", 443))
    held.append(s)
    if n % 100 == 99:
        for s in held[-100:]:
            try:
                s.send(b"\\x16\\x03\\x01\\x02\\x00")
            except OSError:
                pass
        select.select([], [], [], 0.01)
print(len(held))
"""
    gw = gateway(POLICY)
    gw.healthy()
    kept = gw.do("hold", "db.example", 5432)
    before, lines = holds(gw), len(gw.events())
    done = gw.do("command", ["/usr/bin/python3", "-c", code])
    assert done["code"] == 0 and int(done["out"]) > 900, done
    assert gw.do("held_step", kept, "616263")["got"] == "616263"
    gw.healthy()
    gw.do("held_step", kept, timeout=3)
    after = holds(gw)
    assert len(gw.events()) - lines <= 5200
    for role, (size, fds, pid) in after.items():
        assert pid == before[role][2] and size < before[role][0] + 24 * 1024 and fds <= before[role][1] + 2, (role, before[role], after[role])
