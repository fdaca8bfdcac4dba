"""Stock clients behind a gateway: their origin (client_origin.py) in the arena, the policy, and programs that have no settings but the image's."""
import json
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from gateway import Gateway

HERE = pathlib.Path(__file__).resolve().parent
ADDRESS = "127.0.0.11"
HOSTS = ("client.example", "vault.example", "packages.example", "git.example", "gitvault.example", "stranger.example")
SECRET = "t0ken-of.the-clients"
POLICY = """\
version: 1
name: clients
lab: true
verdicts: {read: allow, write: allow, draft: allow}
network:
  - name: client
    hosts: [client.example]
    RULES
      - {class: write, methods: [GET], paths: ["/live"], websocket: opaque}
  - name: vault
    hosts: [vault.example]
    credential: token
    RULES
  - name: packages
    hosts: [packages.example]
    ports: [443]
    mode: intercept
    protocol: rest
    access: read-only
    encoded_slash: true
    WHERE
  - name: git
    hosts: [git.example]
    GIT
  - name: gitvault
    hosts: [gitvault.example]
    credential: git
    GIT
  - name: stranger
    hosts: [stranger.example]
    ports: [443]
    mode: passthrough
    reason: "its certificate is signed by nobody whom a client knows"
    addresses: [127.0.0.11/32]
credentials:
  token: {inject: {bearer: true}, hosts: [vault.example], paths: ["/**"]}
  git: {inject: {basic: {user: token}}, hosts: [gitvault.example], paths: ["/team/*"]}
"""
REST = """ports: [443]
    mode: intercept
    protocol: rest
    WHERE
    rules:
      - {class: read, methods: [GET, HEAD], paths: ["/**"]}
      - {class: write, methods: [POST, PUT, DELETE], paths: ["/data/**"]}"""
GIT = """ports: [443]
    mode: intercept
    protocol: git
    WHERE
    rules:
      - {class: read, git: fetch, paths: ["/team/*"]}
      - {class: draft, git: push, paths: ["/team/*"], refs: ["refs/heads/agent/**"], change: [create]}"""


def policy(ca):
    pem = "".join(f"      {line}\n" for line in open(ca, encoding="ascii").read().splitlines())
    where = f"addresses: [{ADDRESS}/32]\n    ca: |\n{pem}".rstrip()
    return POLICY.replace("RULES", REST).replace("GIT\n", GIT + "\n").replace("WHERE", where)


def zone():
    return {h: [{"a": ADDRESS}] for h in HOSTS}


def trust_variables():
    """What the guest image tells programs about certificates; the folder is as the host has it."""
    text = (HERE.parent.parent / "images" / "debian" / "environment").read_text()
    return re.findall(r"^((?!PATH|SSL_CERT_DIR)\w+)=", text, re.M)


def certificate(arena, folder, names):
    """A leaf of the arena's CA."""
    run = lambda *a: subprocess.run(a, check=True, capture_output=True)
    ext = folder / "ext"
    ext.write_text("subjectAltName=" + ",".join("DNS:" + n for n in names) + "\n")
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + names[0], "-keyout",
        str(folder / "key"), "-out", str(folder / "csr"))
    run("openssl", "x509", "-req", "-in", str(folder / "csr"), "-CA", str(arena.folder / "ca.pem"), "-CAkey", str(arena.folder / "ca.key"), "-days", "30",
        "-extfile", str(ext), "-out", str(folder / "leaf"), "-set_serial", "77")
    return folder / "leaf", folder / "key"


class Origin:
    def __init__(self, arena, folder, hosts=HOSTS):
        self.folder = pathlib.Path(folder)
        leaf, key = certificate(arena, self.folder, hosts)
        at = arena.enter[:arena.enter.index("unshare")] if "unshare" in arena.enter else arena.enter
        self.process = subprocess.Popen([*at, sys.executable, "-B", str(HERE / "client_origin.py"), ADDRESS, "443", str(leaf), str(key), str(self.folder)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the clients' origin did not start")

    def put(self, host, path, data):
        at = self.folder / "www" / host / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(data if isinstance(data, bytes) else data.encode())
        return at

    def requests(self):
        return [json.loads(line) for line in open(self.folder / "record", encoding="utf-8")]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Clients:
    """Runs programs in the guest's place with a home of their own and no variable but the image's."""

    def __init__(self, gw, origin, home):
        self.gw, self.origin, self.home = gw, origin, pathlib.Path(home)

    def run(self, *command, wait=60, **more):
        keep = " ".join(f'{v}="${v}"' for v in trust_variables())
        more = " ".join(f"{k}={shlex.quote(str(v))}" for k, v in more.items())
        text = f'cd {self.home} && exec env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin HOME={self.home} TMPDIR={self.home} LC_ALL=C.UTF-8 {keep} {more} "$@"'
        return self.gw.do("command", ["sh", "-c", text, "sh", *map(str, command)], timeout=wait, wait=wait + 10)


@pytest.fixture(scope="module")
def clients(arena, build, tmp_path_factory):
    """For test files that import it."""
    home = tmp_path_factory.mktemp("home")
    arena.zone(zone())
    origin = Origin(arena, tmp_path_factory.mktemp("origin"))
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("clients"), root=False, secrets={"token": SECRET, "git": SECRET})
    yield Clients(g, origin, home)
    g.stop()
    origin.stop()


@pytest.fixture(autouse=True)
def own_zone(arena, usual_zone):  # pylint: disable=unused-argument
    arena.zone(zone())
