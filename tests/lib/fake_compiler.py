#!/usr/bin/python3 -BI
"""A sawd-compiler that somebody else has taken over, for tests of core. Beside it lie `lib` (the path of this folder), and how it shall behave:
`answer`, JSON [kind, field...]: what it says to every question; and `forged`, if the test wants that: the same, said again and again for the
question after the last one, from when the file appears until its channel ends. `ended` tells that it did. It starts anew with both forgotten."""
import json
import os
import pathlib
import select
import socket
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, (HERE / "lib").read_text())
from ipc import Channel  # noqa: E402  pylint: disable=wrong-import-position


def core_of(parent):
    """Its channel to core, once the launcher gave it."""
    while True:
        got = parent.receive(60)
        if got is None or got[0] == "MSG_STOP":
            sys.exit(0)
        if got[0] == "MSG_SAWD_COMPILER_CONFIG":
            parent.send("MSG_READY")
        if got[0] == "MSG_SAWD_PEER":
            return Channel(socket.socket(fileno=got[2][0]))


def say(core, path, req):
    kind, *fields = json.loads(path.read_text())
    core.send(kind, req, *fields)


def main():
    parent = Channel(socket.socket(fileno=3))
    core, last = core_of(parent), 0
    while True:
        ready = select.select([parent.sock, core.sock], [], [], 0.02)[0]
        if parent.sock in ready:
            sys.exit(0)
        try:
            if core.sock in ready:
                got = core.receive()
                if got is None:
                    break
                for fd in got[2]:
                    os.close(fd)
                last = got[1][0]
                say(core, HERE / "answer", last)
            elif (HERE / "forged").exists():
                say(core, HERE / "forged", last + 1)
        except OSError:
            break
    for name in ("forged", "answer"):
        (HERE / name).unlink(missing_ok=True)
    (HERE / "ended").touch()
    sys.exit(1)


main()
