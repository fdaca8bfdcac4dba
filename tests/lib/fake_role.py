#!/usr/bin/python3 -BI
"""A role for the supervisor's tests: says READY, takes every policy, writes down what it is told, and does what the test tells it.

It is copied as saw-inlet, saw-dialer or saw-machine beside a real saw-workspace; its name is the file's. In the workspace's runtime
folder (a supervisor lets its children write nowhere else) lie NAME.jsonl, the messages it received, NAME.sock, which takes one JSON
command a line ({"send": [kind, field...]}, {"exit": code}, {"set": {"policy_ok": false}}), and NAME.json, settings from the start."""
import json
import os
import pathlib
import select
import socket
import sys

LIB, RUN = (pathlib.Path(__file__).resolve().parent / "lib").read_text().split("\n")
ME = pathlib.Path(RUN) / pathlib.Path(__file__).name
sys.path.insert(0, LIB)
from ipc import Channel  # noqa: E402  pylint: disable=wrong-import-position


def main():
    parent = Channel(socket.socket(fileno=3))
    commands = socket.socket(socket.AF_UNIX)
    path = ME.with_suffix(".sock")
    path.unlink(missing_ok=True)
    commands.bind(str(path))
    commands.listen(4)
    how, peers = {"policy_ok": True, "ready": True}, []
    settings = ME.with_suffix(".json")
    if settings.exists():
        how.update(json.loads(settings.read_text()))
    if how.get("exit_at_start") is not None:
        sys.exit(how["exit_at_start"])
    log = open(ME.with_suffix(".jsonl"), "a", encoding="ascii")
    while True:
        ready, _, _ = select.select([parent.sock, commands, *peers], [], [], 0 if parent.ready else None)
        if parent.sock in ready or parent.ready:
            got = parent.receive()
            if got is None:
                sys.exit(1)
            kind, fields, fds = got
            log.write(json.dumps([kind, [f if isinstance(f, int) else f.decode("latin-1") for f in fields], len(fds), os.getpid()]) + "\n")
            log.flush()
            for fd in () if how.get("keep") else fds:
                os.close(fd)
            if kind.endswith("_CONFIG") and how["ready"]:
                parent.send("MSG_READY")
            if kind == "MSG_MACHINE_CONFIG":
                parent.send("MSG_MACHINE_STATE", how.get("machine", 1), 2, "")
            if kind == "MSG_PING" and how.get("keep"):
                parent.send("MSG_PONG")
            if kind == "MSG_POLICY":
                parent.send("MSG_POLICY_DONE", fields[0], int(how["policy_ok"]), "" if how["policy_ok"] else "no")
            if kind in ("MSG_STOP", "MSG_MACHINE_QUIT"):
                sys.exit(0)
        if commands in ready:
            peers.append(commands.accept()[0])
        for peer in [p for p in peers if p in ready]:
            line = peer.recv(65536)
            if not line:
                peers.remove(peer)
                continue
            command = json.loads(line)
            how.update(command.get("set", {}))
            if "send" in command:
                fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(command.get("fds", 0))]
                parent.send(*command["send"], fds=fds)
                for fd in fds:
                    os.close(fd)
            if "raw" in command:  # one datagram as it is, again and again
                try:
                    for _ in range(command.get("times", 1)):
                        parent.sock.send(bytes.fromhex(command["raw"]))
                except OSError:
                    pass  # it was ended meanwhile
            if "exit" in command:
                os._exit(command["exit"])
            peer.send(b"ok\n")


main()
