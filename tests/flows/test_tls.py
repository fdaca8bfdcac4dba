"""net/tls in the jail of inlet, against openssl's own programs and Python's ssl: hosts that must not be believed, guests that try."""
import contextlib
import re
import socket
import ssl
import subprocess

import pytest

WAIT = 20
BOTH = ["TLSv1_2", "TLSv1_3"]


class Certs:
    """Made once: root, intermediate, and leaves that are good or wrong in one way each."""

    def __init__(self, folder):
        self.dir = folder
        (folder / "index").touch()
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\nnew_certs_dir={folder}\nrand_serial=yes\ndefault_md=sha256\n"
            "policy=p\nunique_subject=no\ncopy_extensions=copy\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\n[i]\nbasicConstraints=critical,CA:TRUE\n"
            "[req]\ndistinguished_name=n\n[n]\n")
        for root in ("root", "stranger"):
            self.run("req", "-x509", *self.key(root), "-out", self / f"{root}.pem", "-subj", f"/CN={root}", "-days", "9",
                     "-addext", "basicConstraints=critical,CA:TRUE")
        self.issue("middle", "root", ca=True)
        self.issue("leaf", "middle", "a.example,DNS:b.example")
        self.issue("wrong", "middle", "c.example")
        self.issue("expired", "middle", "a.example", dates=("20200101000000Z", "20200201000000Z"))
        self.issue("unknown", "stranger", "a.example")
        self.run("req", "-x509", *self.key("self"), "-out", self / "self.pem", "-subj", "/CN=self", "-days", "9",
                 "-addext", "subjectAltName=DNS:a.example")

    def __truediv__(self, name):
        return str(self.dir / name)

    def run(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=WAIT)

    def key(self, name):
        return ["-config", self / "ca.cnf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self / f"{name}.key"]

    def issue(self, name, by, names=None, ca=False, dates=None):
        san = ["-addext", f"subjectAltName=DNS:{names}"] if names else []
        self.run("req", *self.key(name), "-out", self / f"{name}.csr", "-subj", f"/CN={name}", *san)
        when = ["-startdate", dates[0], "-enddate", dates[1]] if dates else ["-days", "9"]
        self.run("ca", "-batch", "-notext", "-config", self / "ca.cnf", "-cert", self / f"{by}.pem", "-keyfile", self / f"{by}.key",
                 "-in", self / f"{name}.csr", "-out", self / f"{name}.pem", *when, *(["-extensions", "i"] if ca else []))
        chain = (self.dir / "middle.pem").read_text() if by == "middle" else ""
        (self.dir / f"{name}.chain").write_text((self.dir / f"{name}.pem").read_text() + chain)


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return Certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def peer(build):
    """Starts our end on these sockets; they are ours no more."""
    running = []

    def start(role, *args, socks, env=None):
        fds = [s.fileno() for s in socks]
        p = subprocess.Popen([build / "src/net/test-tls-peer", role, *args, ",".join(map(str, fds))], pass_fds=fds,
                             env=env, stdout=subprocess.PIPE, text=True)
        for s in socks:
            s.close()
        running.append(p)
        return p

    yield start
    for p in running:
        p.kill()
        p.wait()


def client(peer, certs, sock, alpn="both", roots="root.pem"):
    return peer("client", "a.example", alpn, certs / roots, "-", socks=[sock])


def server(peer, certs, *socks, names="a.example"):
    return peer("server", names, "both", certs / "leaf.pem", certs / "middle.pem", certs / "leaf.key", socks=list(socks))


def rest(p):
    """What it still prints until its end: it has time limits of its own."""
    return p.stdout.read().splitlines()


def host_context(certs, leaf):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(certs / (f"{leaf}.pem" if leaf == "self" else f"{leaf}.chain"), certs / f"{leaf}.key")
    return c


def guest_context(certs, version=None, alpn=("h2", "http/1.1")):
    c = ssl.create_default_context(cafile=certs / "root.pem")
    if alpn:
        c.set_alpn_protocols(list(alpn))
    if version:
        c.minimum_version = c.maximum_version = ssl.TLSVersion[version]
    return c


@contextlib.contextmanager
def s_server(certs, *options):
    p = subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certs / "leaf.pem", "-key", certs / "leaf.key",
                          "-cert_chain", certs / "middle.pem", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True, bufsize=1)
    try:
        for line in p.stdout:
            if m := re.match(r"ACCEPT .*:(\d+)", line):
                break
        yield p, socket.create_connection(("127.0.0.1", int(m[1])), timeout=WAIT)
    finally:
        p.kill()
        p.communicate()


@contextlib.contextmanager
def s_client(*options):
    """openssl s_client, and the connection that it made."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WAIT)
        p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{listener.getsockname()[1]}", *options], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        try:
            yield p, listener.accept()[0]
        finally:
            p.kill()
            p.communicate()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_host_of_openssl_is_verified_and_its_death_is_no_end(peer, certs, version):
    with s_server(certs, "-rev", version) as (host, sock):
        p = client(peer, certs, sock, alpn="none")
        assert p.stdout.readline() == "open alpn=none resumed=0\n"
        assert p.stdout.readline() == "olleh\n"
        host.kill()
        assert rest(p) == ["truncated"]


@pytest.mark.parametrize("leaf, why", [
    ("wrong", "the certificate is for another name"), ("expired", "the certificate has expired"),
    ("self", "the certificate is signed by itself or by a root that is not trusted"), ("unknown", "the certificate's issuer is not known")])
def test_d16_a_host_that_does_not_verify_gets_no_byte(peer, certs, leaf, why):
    ours, theirs = socket.socketpair()
    p = client(peer, certs, theirs)
    ours.settimeout(WAIT)
    with pytest.raises((ssl.SSLError, OSError)):
        with host_context(certs, leaf).wrap_socket(ours, server_side=True) as s:
            pytest.fail(f"the host read {s.recv(100)}")
    assert [line.split(": ")[:2] for line in rest(p)] == [["failed", why]]


def test_a_rules_own_bundle_stands_for_the_systems(peer, certs):
    for ca, opens in (("stranger.pem", True), ("root.pem", False)):
        ours, theirs = socket.socketpair()
        p = peer("client", "a.example", "both", certs / "root.pem", certs / ca, socks=[theirs])
        with contextlib.suppress(ssl.SSLError, OSError), host_context(certs, "unknown").wrap_socket(ours, server_side=True) as s:
            s.recv(100)
            s.unwrap()
        assert rest(p)[0].startswith("open" if opens else "failed: the certificate's issuer is not known")


def test_an_old_host_is_refused(peer, certs):
    with s_server(certs, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") as (_, sock):
        assert rest(client(peer, certs, sock))[0].startswith("failed: no TLS version or cipher in common")


def test_a_host_that_renegotiates_is_left(peer, certs):
    with s_server(certs, "-tls1_2") as (host, sock):
        p = client(peer, certs, sock)
        assert p.stdout.readline().startswith("open")
        host.stdin.write("R\n")
        assert rest(p) == ["failed: the peer does not keep to TLS: renegotiation"]


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("bare", [False, True])
def test_the_end_of_a_host_and_a_cut_are_told_apart(peer, certs, version, bare):
    ours, theirs = socket.socketpair()
    p = client(peer, certs, theirs)
    context = host_context(certs, "leaf")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with context.wrap_socket(ours, server_side=True) as s:
        assert s.recv(100) == b"hello\n"
        s.sendall(b"x\n")
        if not bare:
            s.unwrap()
    assert rest(p) == ["open alpn=none resumed=0", "x", "truncated" if bare else "eof"]


@pytest.mark.parametrize("version", BOTH)
def test_a_guest_verifies_us_and_gets_its_bytes_back(peer, certs, version):
    ours, theirs = socket.socketpair()
    p = server(peer, certs, theirs)
    with guest_context(certs, version).wrap_socket(ours, server_hostname="a.example") as s:
        assert s.version() == version.replace("_", ".")
        assert s.selected_alpn_protocol() == "h2"
        big = bytes(range(256)) * 400
        for at in range(0, len(big), 10000):
            s.sendall(big[at:at + 10000])
            got = b""
            while len(got) < len(big[at:at + 10000]):
                got += s.recv(65536)
            assert got == big[at:at + 10000]
        s.unwrap()
    assert rest(p) == ["open alpn=h2 resumed=0", "eof"]


def test_d2_a_guest_that_names_another_host_gets_an_alert(peer, certs):
    for name in ("b.example", None):
        ours, theirs = socket.socketpair()
        p = server(peer, certs, theirs)
        context = guest_context(certs)
        context.check_hostname = False
        with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
            context.wrap_socket(ours, server_hostname=name)
        assert rest(p)[0].startswith("failed: the hello does not name this host")


def test_a_guest_without_our_root_is_told_apart(peer, certs):
    ours, theirs = socket.socketpair()
    p = server(peer, certs, theirs)
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context(cafile=certs / "stranger.pem").wrap_socket(ours, server_hostname="a.example")
    assert rest(p)[0].endswith("tlsv1 alert unknown ca")


def test_settings_of_the_systems_libssl_are_not_ours(peer, certs, tmp_path):
    (tmp_path / "cnf").write_text("openssl_conf=o\n[o]\nproviders=p\n[p]\nbase=b\n[b]\nactivate=1\n")  # no cipher at all
    ours, theirs = socket.socketpair()
    p = peer("server", "a.example", "both", certs / "leaf.pem", certs / "middle.pem", certs / "leaf.key", socks=[theirs],
             env={"OPENSSL_CONF": str(tmp_path / "cnf")})
    with guest_context(certs).wrap_socket(ours, server_hostname="a.example") as s:
        s.unwrap()
    assert rest(p) == ["open alpn=h2 resumed=0", "eof"]


def test_no_protocol_in_common_is_an_alert(peer, certs):
    ours, theirs = socket.socketpair()
    p = server(peer, certs, theirs)
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        guest_context(certs, alpn=["spdy/3"]).wrap_socket(ours, server_hostname="a.example")
    assert rest(p)[0].startswith("failed: no application protocol in common")


def test_an_old_guest_is_refused(peer, certs):
    with s_client("-servername", "a.example", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") as (_, sock):
        assert rest(server(peer, certs, sock))[0].startswith("failed: no TLS version or cipher in common")


def test_d12_a_guest_that_renegotiates_is_left(peer, certs):
    with s_client("-servername", "a.example", "-tls1_2") as (guest, sock):
        p = server(peer, certs, sock)
        assert p.stdout.readline().startswith("open")
        guest.stdin.write("R\n")
        assert rest(p) == ["failed: the peer does not keep to TLS: renegotiation"]


@pytest.mark.parametrize("version", BOTH)
def test_d14_a_ticket_of_one_name_is_not_resumed_for_another(peer, certs, version):
    pairs = [socket.socketpair() for _ in range(3)]
    names = ["a.example", "b.example", "a.example"]
    p = server(peer, certs, *[theirs for _, theirs in pairs], names=",".join(names))
    context = guest_context(certs, version)
    first, reused = None, []
    for name, (ours, _) in zip(names, pairs):
        with context.wrap_socket(ours, server_hostname=name, session=first) as s:
            s.sendall(b"x")
            assert s.recv(1) == b"x"
            reused.append(s.session_reused)
            first = first or s.session
            s.unwrap()
    assert reused == [False, False, True]
    assert rest(p) == [line for r in (0, 0, 1) for line in (f"open alpn=h2 resumed={r}", "eof")]


def test_an_idle_flow_is_small(build, certs, sanitized):
    if sanitized:
        pytest.skip("memory figures mean nothing in a sanitized build")
    out = subprocess.run([build / "src/net/test-tls-peer", "memory", certs / "root.pem", certs / "leaf.pem", certs / "middle.pem",
                          certs / "leaf.key", "100"], check=True, capture_output=True, text=True, timeout=4 * WAIT).stdout
    print(out)
    assert float(out.split()[0]) <= 44  # of the 64 KiB for a whole flow
