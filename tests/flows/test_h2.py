"""The HTTP/2 edge of net/h2 against clients that others wrote: curl, nghttp2's h2load, node, Python's h2, each in its own way of reading RFC 9113."""
import contextlib
import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess

import pytest

NAME = "good.example"
FLAT = 8 * 1024 * 1024


class Peer:
    """test-h2-peer with a certificate of its own."""

    def __init__(self, build, folder):
        self.folder = folder
        self.cert = folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem",
                        "-out", "cert.pem", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-days", "2"],
                       cwd=folder, check=True, capture_output=True)
        self.process = subprocess.Popen([build / "src/net/test-h2-peer", NAME, "cert.pem", "key.pem"], cwd=folder, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def url(self, path):
        return f"https://{NAME}:{self.port}{path}"

    def curl(self, *args, **kw):
        return subprocess.run(["curl", "-sS", "--http2", "--max-time", "60", "--cacert", self.cert, "--connect-to", f"::127.0.0.1:{self.port}", *args],
                              cwd=self.folder, capture_output=True, check=False, **kw)

    def connect(self):
        ctx = ssl.create_default_context(cafile=self.cert)
        ctx.set_alpn_protocols(["h2"])
        return ctx.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=20), server_hostname=NAME)

    def stop(self):
        """What it said, and the most memory that a connection held."""
        out, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        lines = out.splitlines()
        return lines[:-1], int(lines[-1].removeprefix("most "))


@pytest.fixture
def peer(build, tmp_path):
    p = Peer(build, tmp_path)
    yield p
    with contextlib.suppress(ValueError):
        p.process.kill()
        p.process.communicate()


def test_curl_downloads_100_mb_and_memory_stays_flat(peer):
    r = peer.curl("-o", "out", "-w", "%{http_version} %{http_code} %{size_download}", peer.url("/size/100000000"))
    assert r.stdout == b"2 200 100000000", r.stderr
    assert peer.stop()[1] < FLAT


def test_curl_uploads_50_mb_and_gets_it_back(peer):
    data = os.urandom(1 << 20) * 50
    (peer.folder / "big").write_bytes(data)
    r = peer.curl("-H", "Expect: 100-continue", "--data-binary", "@big", peer.url("/echo"))
    assert hashlib.sha256(r.stdout).digest() == hashlib.sha256(data).digest(), r.stderr
    assert peer.stop()[1] < FLAT


@pytest.mark.parametrize("size", [0, 1, 1000, 65535, 65536, 200_000, 5_000_000])
def test_curl_reads_an_answer_that_came_before_the_end_of_its_upload(peer, size):
    (peer.folder / "body").write_bytes(b"x" * size)
    r = peer.curl("-w", " %{http_code}", "--data-binary", "@body", peer.url("/late"))
    assert r.stdout == b"no 403", r.stderr
    assert peer.stop()[0] == []


def test_curl_head_is_answered_with_a_length_and_no_body(peer):
    r = peer.curl("-I", peer.url("/x"))
    assert b"content-length: 1024" in r.stdout and r.stdout.startswith(b"HTTP/2 200"), r.stderr


@pytest.mark.parametrize("streams", [1, 100])
def test_h2load_gets_every_answer(peer, streams):
    if not shutil.which("h2load"):
        pytest.skip("no h2load here")
    r = subprocess.run(["h2load", "-n", "3000", "-c", "3", "-m", str(streams), f"--connect-to=127.0.0.1:{peer.port}", peer.url("/x")],
                       capture_output=True, text=True, check=True)
    assert re.search(r"3000 succeeded, 0 failed, 0 errored", r.stdout), r.stdout
    lines, most = peer.stop()
    assert lines == [] and most < FLAT


NODE = r"""
const http2 = require('http2'), fs = require('fs');
const [url, port] = process.argv.slice(-2);
const c = http2.connect(url, { ca: fs.readFileSync('cert.pem'), createConnection: () => require('tls').connect({ host: '127.0.0.1', port,
  servername: 'good.example', ca: fs.readFileSync('cert.pem'), ALPNProtocols: ['h2'] }) });
let left = 100;
for (let i = 0; i < 100; i++) {
  const r = c.request({ ':method': 'POST', ':path': '/echo', cookie: ['a=b', 'c=d'] });
  let data = '', end = null;
  r.on('trailers', t => { end = t['x-end']; });
  r.on('data', d => { data += d; });
  r.on('end', () => {
    if (data !== 'hello' + i || end !== 'yes') { console.log('wrong', i, data, end); process.exit(1); }
    if (--left === 0) { console.log('all right'); c.close(); }
  });
  r.write('hel');
  setImmediate(() => r.end('lo' + i));
}
"""


def test_node_has_100_streams_and_their_trailers(peer):
    if not shutil.which("node"):
        pytest.skip("no node here")
    r = subprocess.run(["node", "-e", NODE, peer.url("/"), str(peer.port)], cwd=peer.folder, capture_output=True, text=True, check=False, timeout=60)
    assert r.stdout == "all right\n", r.stderr
    assert peer.stop()[0] == []


def drain(sock, conn, until):
    """Events until one satisfies `until` or the connection ends."""
    events = []
    while not any(until(e) for e in events):
        data = sock.recv(65536)
        if not data:
            break
        events += conn.receive_data(data)
        answer = conn.data_to_send()
        with contextlib.suppress(OSError):  # it may have hung up on what we sent
            if answer:
                sock.sendall(answer)
    return events


def test_a_hostile_client_of_pythons_h2_loses_its_stream_and_keeps_the_others(peer):
    h2 = pytest.importorskip("h2.connection", reason="python3-h2 is not installed")
    import h2.config
    import h2.events
    config = h2.config.H2Configuration(client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False)
    conn = h2.connection.H2Connection(config)
    head = [(":method", "GET"), (":scheme", "https"), (":authority", NAME), (":path", "/x")]
    bad = [("X-Y", "z"), ("x", "a\r\nhost: evil.example"), ("connection", "x"), ("transfer-encoding", "chunked"), ("host", "evil.example"),
           ("x", " y"), ("content-length", "5")]
    with peer.connect() as sock:
        conn.initiate_connection()
        for field in bad:
            stream = conn.get_next_available_stream_id()
            conn.send_headers(stream, [*head, field], end_stream=True)
            sock.sendall(conn.data_to_send())
            reset = drain(sock, conn, lambda e, s=stream: isinstance(e, h2.events.StreamReset) and e.stream_id == s)[-1]
            assert reset.error_code == 1, field
        stream = conn.get_next_available_stream_id()
        conn.send_headers(stream, head, end_stream=True)
        sock.sendall(conn.data_to_send())
        events = drain(sock, conn, lambda e: isinstance(e, h2.events.StreamEnded))
        assert any(isinstance(e, h2.events.ResponseReceived) and (b":status", b"200") in e.headers for e in events)
    assert [line.split(":")[0] for line in peer.stop()[0]] == [f"malformed {2 * i + 1}" for i in range(len(bad))]


def test_rapid_reset_ends_in_goaway_and_the_next_client_is_served(peer):
    h2 = pytest.importorskip("h2.connection", reason="python3-h2 is not installed")
    import h2.config
    import h2.events
    conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    conn.initiate_connection()
    with peer.connect() as sock:
        for _ in range(250):  # few enough to be read at once: a socket closed on unread bytes would take the GOAWAY with it
            stream = conn.get_next_available_stream_id()
            conn.send_headers(stream, [(":method", "POST"), (":scheme", "https"), (":authority", NAME), (":path", "/echo")])
            conn.reset_stream(stream)
        with contextlib.suppress(OSError):
            sock.sendall(conn.data_to_send())
        events = drain(sock, conn, lambda e: isinstance(e, h2.events.ConnectionTerminated))
        assert events[-1].error_code == 11
    assert peer.curl("-o", "/dev/null", "-w", "%{http_code}", peer.url("/x")).stdout == b"200"
    lines, most = peer.stop()
    assert lines == ["fault: too many streams opened and given up"] and most < FLAT
