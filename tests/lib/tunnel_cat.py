"""ProxyCommand of a test's ssh: tunnel_cat.py SOCKET WORKSPACE SESSION. Standard input and output are the guest's sshd."""
import os
import select
import socket
import sys

path, name, session = sys.argv[1:]
c = socket.socket(socket.AF_UNIX)
c.connect(path)
c.sendall(f"GET /v1/workspaces/{name}/tunnel?session={session} HTTP/1.1\r\nHost: saw.local\r\n"
          "Connection: Upgrade\r\nUpgrade: saw-tunnel\r\n\r\n".encode())
head = b""
while b"\r\n\r\n" not in head:
    head += c.recv(1) or sys.exit(f"no answer: {head!r}")
if head.split()[1] != b"101":
    sys.exit(head.decode())
todo = {0: lambda: os.read(0, 65536), c.fileno(): lambda: c.recv(65536)}
while c.fileno() in todo:
    for fd in select.select(list(todo), [], [])[0]:
        data = todo[fd]()
        if data:
            c.sendall(data) if fd == 0 else os.write(1, data)
        elif fd == 0:
            c.shutdown(socket.SHUT_WR)
            del todo[0]
        else:
            del todo[fd]
