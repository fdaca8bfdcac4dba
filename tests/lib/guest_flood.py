"""Many connections at a time, for tests of what they make the gateway hold."""
import resource
import select
import socket
import ssl
import time

BATCH = 64
WINDOW = 8192  # what the guest's own kernel takes of an answer that nobody reads


def _many():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _status(s, until):
    """Without taking anything off the socket: "200", "503", or "" for none."""
    while time.monotonic() < until:
        s.settimeout(max(0.01, until - time.monotonic()))
        try:
            got = s.recv(16, socket.MSG_PEEK)
        except socket.timeout:
            break
        except OSError:
            return "reset"
        if len(got) >= 12:
            return got[9:12].decode("latin-1")
        if not got:
            return "closed"
        select.select([], [], [], 0.01)
    return ""


def pile_up(held, address, host, path, most):
    """`held` gets them all."""
    _many()
    where, got = address(), {}
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    for _ in range(0, most, BATCH):
        batch = []
        for _ in range(BATCH):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
            s.settimeout(20)
            s.connect((where, 80))
            s.sendall(request)
            batch.append(s)
        held.extend(batch)
        until = time.monotonic() + 10
        for s in batch:
            answer = _status(s, until)
            got[answer] = got.get(answer, 0) + 1
        if "503" in got:
            break
    return got


def dribble(held, tls, host, n, size):
    """Each connection stands between two requests when the head begins of which the end never comes: its ten seconds begin for all together."""
    _many()
    text = f"GET /d HTTP/1.1\r\nHost: {host}\r\n".encode()
    for _ in range(n):
        s = tls(host)
        s.sendall(text + b"\r\n")
        got = b""
        while not got.endswith(b"}"):
            got += s.recv(65536)
        held.append(s)
    for s in held[-n:]:
        s.sendall(text + size // 1004 * (b"X: " + 999 * b"x" + b"\r\n"))
    return len(held)


def ask_many(held, address, host, text, n):
    """Opens so many connections of TLS and asks on each; `held` gets them."""
    _many()
    where, context = address(), ssl.create_default_context()
    for _ in range(n):
        s = context.wrap_socket(socket.create_connection((where, 443), 20), server_hostname=host)
        s.sendall(text)
        held.append(s)


def answers(held, known):
    """How often which status was answered on these connections; "": no answer is here. `known`: what was read of them before."""
    for s in held:
        if s not in known:
            s.settimeout(0)
            try:
                known[s] = s.recv(12)[9:].decode("latin-1") or "closed"
            except ssl.SSLWantReadError:
                pass
            except OSError:
                known[s] = "reset"
    got = [known.get(s, "") for s in held]
    return {status: got.count(status) for status in got}
