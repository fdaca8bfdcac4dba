"""Speaks the messages between our processes (src/ipc/msg.h, src/ipc/types.h): a test as parent, as child or as control plane."""
import array
import pathlib
import re
import select
import socket
import struct

IPC = pathlib.Path(__file__).resolve().parent.parent.parent / "src/ipc"


def _numbers():
    """Every name of the enums in types.h and sawd_types.h with its number, so that tests never repeat one."""
    text = re.sub(r"/\*.*?\*/", "", (IPC / "types.h").read_text() + (IPC / "sawd_types.h").read_text(), flags=re.S)
    out = {}
    for body in re.findall(r"enum[^{;]*\{(.*?)\}", text, flags=re.S):
        at = 0
        for item in filter(None, (i.strip() for i in body.split(","))):
            name, _, value = (p.strip() for p in item.partition("="))
            at = eval(value, {}, out) if value else at  # pylint: disable=eval-used
            out[name] = at
            at += 1
    return out


N = _numbers()
NAMES = {v: k for k, v in N.items() if k.startswith("MSG_")}


def pack(kind, *fields):
    """A message's bytes; ints become u fields, str and bytes become b fields."""
    out = struct.pack("<H", N[kind] if isinstance(kind, str) else kind)
    for f in fields:
        if isinstance(f, int):
            out += b"u" + struct.pack("<Q", f)
        else:
            f = f.encode() if isinstance(f, str) else f
            out += b"b" + struct.pack("<I", len(f)) + f
    return out


def unpack(raw):
    kind, at, fields = struct.unpack_from("<H", raw)[0], 2, []
    while at < len(raw):
        if raw[at:at + 1] == b"u":
            fields.append(struct.unpack_from("<Q", raw, at + 1)[0])
            at += 9
        else:
            n = struct.unpack_from("<I", raw, at + 1)[0]
            fields.append(raw[at + 5:at + 5 + n])
            at += 5 + n
    return NAMES.get(kind, kind), fields


PACK = 0xFFFF  # several messages in one datagram (src/ipc/pack.h)


def packed(*each):
    """A datagram with several messages."""
    return struct.pack("<H", PACK) + b"".join(struct.pack("<H", len(m)) + m for m in each)


def messages(raw):
    if struct.unpack_from("<H", raw)[0] != PACK:
        return [raw]
    out, at = [], 2
    while at < len(raw):
        n = struct.unpack_from("<H", raw, at)[0]
        out.append(raw[at + 2:at + 2 + n])
        at += 2 + n
    assert out and at == len(raw), "a malformed pack"
    return out


class Channel:
    """One end of a SOCK_SEQPACKET channel."""

    def __init__(self, sock):
        self.sock = sock
        self.ready = []  # messages of a pack that were not asked for yet

    @classmethod
    def connect(cls, path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(str(path))
        return cls(sock)

    @classmethod
    def pair(cls):
        """(our channel, socket for the child)"""
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(a), b

    def send(self, kind, *fields, fds=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([pack(kind, *fields)], ancillary)

    def receive(self, timeout=15):
        """(name, fields, fds), or None when the channel is at its end. Raises TimeoutError."""
        if self.ready:
            return *unpack(self.ready.pop(0)), []
        if not select.select([self.sock], [], [], timeout)[0]:
            raise TimeoutError("no message came")
        try:
            raw, ancillary, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(8 * 4))
        except ConnectionResetError:
            return None
        if not raw:
            return None
        fds = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[:len(data) - len(data) % 4])
        first, *self.ready = messages(raw)
        return *unpack(first), list(fds)

    def waits(self, timeout=0.0):
        """There is something to receive, or the end."""
        return bool(self.ready or select.select([self.sock], [], [], timeout)[0])

    def expect(self, kind, timeout=15):
        """The next message of this kind; others on the way are dropped."""
        while True:
            got = self.receive(timeout)
            if got is None:
                raise EOFError(f"the channel ended before {kind}")
            if got[0] == kind:
                return got[1], got[2]

    def close(self):
        self.sock.close()


EVENT_KINDS = {"lifecycle": 1, "session": 2, "dns": 3, "flow": 4, "http": 5, "policy": 6, "role": 7, "api": 8}
EVENT_ACTIONS = {"allowed": 1, "denied": 2, "observed": 3, "closed": 4, "failed": 5, "note": 6}


def event(kind, action="note", name="", verb="", detail="", actor="", credential=""):
    """The fields of an audit event (src/ipc/audit_msg.c), mostly empty."""
    numbers = [EVENT_KINDS[kind], EVENT_ACTIONS[action]] + [0] * 10
    return numbers + ["", ""] + [0] * 6 + [name, "", verb, "", actor, detail, "", ""] + [credential] * bool(credential)
