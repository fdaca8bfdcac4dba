"""Runs in the guest: uses the gateway without pause and tries what is forbidden; one line for each success of a listed name.

An argument is its pace in seconds: an emulated guest has better things to do than fifty handshakes a second."""
import os
import select
import socket
import ssl
import sys
import threading

PACE = float(sys.argv[1]) if len(sys.argv) > 1 else 0.02
CONTEXT = ssl._create_unverified_context()  # the arena's own certificate; who answers is seen by the origin


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())  # one write a line: there are several threads


def use():
    while True:
        try:
            with socket.create_connection(("pass.example", 443), 3) as s, CONTEXT.wrap_socket(s, server_hostname="pass.example") as t:
                t.sendall(b"GET /load HTTP/1.1\r\nHost: pass.example\r\n\r\n")
                if t.recv(64).startswith(b"HTTP/1.1 200"):
                    say("ok", socket.gethostbyname("pass.example"))
        except OSError:
            pass
        select.select([], [], [], PACE)  # paces the load; nothing waits for it


def attack():
    """Never a gap: what is forbidden is tried all the time, also while a part of the gateway is missing."""
    while True:
        for to in (("198.51.100.66", 443), ("198.51.100.66", 80), ("198.18.0.200", 443), ("127.0.0.10", 443)):
            try:
                with socket.create_connection(to, 0.3) as s:
                    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    got = s.recv(16)
                    if got and not got.startswith(b"HTTP/1.1 4"):  # the gateway's own refusal, in what the guest speaks
                        say("REACHED", to)
            except OSError:
                pass
        try:
            u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            u.sendto(b"x", ("198.51.100.66", 53))
            u.close()
        except OSError:
            pass
        select.select([], [], [], PACE / 2)


for work in (use, use, attack):
    threading.Thread(target=work, daemon=True).start()
sys.stdin.read()
