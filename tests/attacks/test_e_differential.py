"""Group E, seen by others: whatever real servers refuse, we refuse. Requests are mutated byte by byte and shown to nginx (in front of
node) and to node itself; each one that either of them refuses must not be forwarded by the gateway."""
import random
import shutil
import socket
import subprocess

import pytest

NODE = """
const http = require('http');
const s = http.createServer((q, a) => { q.resume(); q.on('end', () => a.end('ok')); q.on('error', () => {}); });
s.listen(process.argv[1], () => console.log('ready'));
"""
NGINX = """
pid {d}/pid; error_log {d}/error.log; worker_processes 1; user root;
events {{}}
http {{
  access_log off;
  client_body_temp_path {d}/1; proxy_temp_path {d}/2; fastcgi_temp_path {d}/3; uwsgi_temp_path {d}/4; scgi_temp_path {d}/5;
  server {{ listen unix:{d}/nginx.sock; location / {{ proxy_pass http://unix:{d}/node.sock:; }} }}
}}
"""
BASES = ["GET /x?a=b HTTP/1.1\r\nHost: plain.example\r\nAccept: */*\r\n\r\n",
         "POST /data/x HTTP/1.1\r\nHost: plain.example\r\nContent-Length: 5\r\n\r\nhello",
         "POST /data/x HTTP/1.1\r\nHost: plain.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
WHOLE = ["GET /x HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1\r\nHost: plain.example\r\nHost: plain.example\r\n\r\n",
         "POST /data/x HTTP/1.1\r\nHost: plain.example\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
         "POST /data/x HTTP/1.1\r\nHost: plain.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "POST /data/x HTTP/1.1\r\nHost: plain.example\r\nTransfer-Encoding: identity\r\n\r\n",
         "POST /data/x HTTP/1.1\r\nHost: plain.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "GET /x HTTP/1.1\r\nHost: plain.example\r\nX: a\r\n b\r\n\r\n", "GET /../x HTTP/1.1\r\nHost: plain.example\r\n\r\n",
         "GET /x HTTP/2.0\r\nHost: plain.example\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n"]
ODD = "\0\t\n\r\x0b \"#%,/:;@[\\\x7f\x80\xff09AGZ_-+"


def mutants(n):
    """The same ones in every run."""
    dice = random.Random(9112)
    out = list(WHOLE)
    for base in BASES:
        for _ in range(n):
            at, odd = dice.randrange(len(base)), dice.choice(ODD)
            out.append(dice.choice([base[:at] + odd + base[at:], base[:at] + odd + base[at + 1:], base[:at] + base[at + 1:],
                                    base[:at] + base[at] + base[at:]]))
    return out


def verdict(path, request):
    """The status, 'closed', or None while it waits for more."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.3)
    got = b""
    try:
        s.connect(str(path))
        s.sendall(request.encode("latin-1"))
        while b"\r\n" not in got:
            part = s.recv(65536)
            if not part:
                return "closed"
            got += part
    except socket.timeout:
        return None
    except OSError:
        return "closed"
    finally:
        s.close()
    return int(got.split(b" ")[1][:3]) if got.startswith(b"HTTP/1.") else "closed"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Sockets of nginx and of node."""
    nginx, node = shutil.which("nginx") or "/usr/sbin/nginx", shutil.which("node")
    if not shutil.which(nginx) or not node:
        pytest.skip("nginx or node is not installed (tools/setup check installs both)")
    d = tmp_path_factory.mktemp("servers")
    js = subprocess.Popen([node, "-e", NODE, str(d / "node.sock")], stdout=subprocess.PIPE, text=True)
    assert js.stdout.readline() == "ready\n"
    (d / "conf").write_text(NGINX.format(d=d))
    # Returns once its sockets listen.
    subprocess.run([nginx, "-p", str(d), "-c", str(d / "conf")], check=True, capture_output=True)
    yield d / "nginx.sock", d / "node.sock"
    subprocess.run([nginx, "-p", str(d), "-c", str(d / "conf"), "-s", "stop"], check=True, capture_output=True)
    js.kill()
    js.wait()


def test_what_real_servers_refuse_is_refused(gw, servers):
    for path in servers:
        assert [verdict(path, base) for base in BASES] == [200] * 3
    refused, let_through = 0, []
    for request in mutants(150):
        request += "\r\n\r\n"  # whatever the mutation left over is a whole line for everybody
        theirs = [verdict(path, request) for path in servers]
        if all(v is None or v == "closed" or v < 400 for v in theirs) and "closed" not in theirs:
            continue
        refused += 1
        # A refusal may concern the bytes behind a good request; the gateway then answers that one first.
        got = gw.do("http", "plain.example", request, want=2, timeout=1)
        if got["statuses"] and max(got["statuses"]) < 400:
            let_through.append((theirs, got["statuses"], request))
    assert refused > 100
    assert not let_through, "\n".join(map(repr, let_through))
