"""Minted leaves before real verifiers: each takes one for a listed name, and refuses what a stolen intermediate would sign beside its list."""
import os
import shutil
import subprocess

import pytest

LISTED = ("a.example", "**.wild.example")
LONG = ".".join(["a" * 49] * 4 + ["b" * 40, "wild", "example"])[-253:]


def curl(root, port, name):
    return ["curl", "-sS", "--noproxy", "*", "--max-time", "20", "--cacert", root, "--resolve", f"{name}:{port}:127.0.0.1", f"https://{name}:{port}/"]


def openssl(root, port, name):
    return ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", root, "-verify_hostname", name, "-servername", name,
            "-connect", f"127.0.0.1:{port}"]


def gnutls(root, port, name):
    return ["gnutls-cli", f"--x509cafile={root}", f"--sni-hostname={name}", f"--verify-hostname={name}", "-p", str(port), "127.0.0.1"]


def node(root, port, name):
    code = ("const [ca, port, name] = process.argv.slice(1);"
            "require('https').get({host: '127.0.0.1', port, servername: name, agent: false, ca: require('fs').readFileSync(ca), path: '/'},"
            "r => r.pipe(process.stdout)).on('error', e => { console.error(e.code); process.exit(1); });")
    return ["node", "-e", code, str(root), str(port), name]


def python(root, port, name):
    code = ("import ssl, socket, sys\n"
            "root, port, name = sys.argv[1:]\n"
            "s = ssl.create_default_context(cafile=root).wrap_socket(socket.create_connection(('127.0.0.1', int(port)), 20), server_hostname=name)\n"
            "s.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
            "sys.stdout.write(s.makefile().read())\n")
    return ["/usr/bin/python3", "-c", code, str(root), str(port), name]


CLIENTS = {f.__name__: f for f in (curl, openssl, gnutls, node, python)}


class Server:
    def __init__(self, build, folder, kind, name, listed=LISTED):
        self.folder, self.name = folder, name
        self.process = subprocess.Popen([str(build / "src/net/test-leaf-server"), str(folder), kind, name, *listed], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, client):
        argv = [str(a) for a in CLIENTS[client](self.folder / "root.pem", self.port, self.name)]
        if not shutil.which(argv[0]):
            pytest.skip(f"{argv[0]} is not installed")
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            os.write(process.stdin.fileno(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        except BrokenPipeError:  # it refused before it read
            pass
        said = process.stdout.read().decode()  # its input stays open: at its end some clients leave before the answer is there
        process.stdin.close()
        process.stdout.close()
        return process.wait(60), said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", ["a.example", "x.y.wild.example", LONG], ids=["exact", "wildcard", "long"])
def test_a_leaf_for_a_listed_name_is_taken(build, tmp_path, client, name):
    with Server(build, tmp_path, "good", name) as server:
        code, said = server.ask(client)
        assert "ok\n" in said, (code, said)
        assert server.process.stdout.readline() == "open\n"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", ["b.example", "example", "a.example.evil.test"])
def test_d20_a_leaf_outside_the_list_is_refused(build, tmp_path, client, name):
    with Server(build, tmp_path, "stolen", name) as server:
        code, said = server.ask(client)
        assert code != 0 and "ok\n" not in said, (code, said)
    # the list alone is what it was refused for
    with Server(build, tmp_path, "stolen", name, listed=(name,)) as server:
        code, said = server.ask(client)
        assert "ok\n" in said, (code, said)


def test_the_chain_verifies_by_certtool_and_is_shown_by_openssl(build, tmp_path):
    with Server(build, tmp_path, "good", "a.example"):
        pass
    (tmp_path / "chain.pem").write_text((tmp_path / "leaf.pem").read_text() + (tmp_path / "intermediate.pem").read_text())
    text = subprocess.run(["openssl", "x509", "-in", str(tmp_path / "leaf.pem"), "-noout", "-text"], capture_output=True, text=True, check=True).stdout
    assert "DNS:a.example\n" in text and "X509v3 Subject Alternative Name: critical" in text and "Subject: \n" in text
    text = subprocess.run(["openssl", "x509", "-in", str(tmp_path / "intermediate.pem"), "-noout", "-text"], capture_output=True, text=True,
                          check=True).stdout
    assert "X509v3 Name Constraints: critical" in text and "DNS:wild.example" in text and "CA:TRUE, pathlen:0" in text
    if not shutil.which("certtool"):
        pytest.skip("certtool is not installed")
    done = subprocess.run(["certtool", "--verify", "--load-ca-certificate", str(tmp_path / "root.pem"), "--infile", str(tmp_path / "chain.pem"),
                           "--verify-hostname", "a.example", "--verify-purpose", "1.3.6.1.5.5.7.3.1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Verified. The certificate is trusted." in done.stdout, done
