"""Interception as a machine sees it: its root certificate is in the guest's store, the credential is nowhere in it."""
import json
import os
import pathlib
import re
import ssl
import types

import pytest

from ca_keys import issued_key, key_spellings, root_key
from intercept_policy import SECRET, ZONE, policy
from processes import in_bytes, in_file, in_memory, memory, spellings
from vm import ControlPlane, VmGateway, missing

pytestmark = pytest.mark.slow
BOOTED = 256 << 20  # bytes: what a machine has touched by then is more
WAYS = ("--http1.1 /hello", "--http2 /hello", "--http1.1 -d body /data/x", "--http2 -X DELETE /admin/x", "--http1.1 /echo", "--http2 /echo")

TIP = "5ee1a0c0ffee" + "0" * 28
REFS = b"001e# service=git-upload-pack\n00000033" + TIP.encode() + b" HEAD\0\n0000"
REPOSITORY = {"/repo.git/info/refs?service=git-upload-pack": b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
              b"Content-Length: %d\r\n\r\n%s" % (len(REFS), REFS)}
# What each runs in a session of the guest's user, and what only an answer of the host makes it say.
CLIENTS = {
    "curl": ("curl -sS -o /dev/null -w '%{http_code}' https://good.example/hello", "200"),
    "python": ("python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).status)' https://good.example/hello", "200"),
    "git": ("git ls-remote https://good.example/repo.git", TIP + "\tHEAD"),
    "node": ("node -e 'require(\"https\").get(process.argv[1], r => console.log(r.statusCode))' https://good.example/hello", "200"),
}
# npm's cafile stands in the place of what node trusts: what NODE_EXTRA_CA_CERTS names, and, as Debian builds it, OpenSSL's own store
# (`node --help`: --use-openssl-ca is the default), for which npm once worked whatever else was taken away.
NO_STORE, NO_EXTRA, NO_CAFILE = "SSL_CERT_FILE=/dev/null SSL_CERT_DIR=/nowhere", "-u NODE_EXTRA_CA_CERTS", "--globalconfig=/dev/null"
NPM_TRUSTS_BY = {"the variable": (NO_STORE, NO_CAFILE), "its cafile": (f"{NO_EXTRA} {NO_STORE}", ""), "nothing": (f"{NO_EXTRA} {NO_STORE}", NO_CAFILE)}


@pytest.fixture(scope="module")
def plane(arena, build, tmp_path_factory):
    why = missing()
    if why:
        pytest.skip(why)
    p = ControlPlane(build, arena)
    p.image()
    p.up()
    value = tmp_path_factory.mktemp("secret") / "token"
    value.write_text(SECRET + "\n")
    p.cli("secret", "set", "token", "--file", value)
    yield p
    p.cli("secret", "rm", "token", "--force", check=False)
    p.down()


@pytest.fixture(scope="module")
def vm(plane, arena, tmp_path_factory):
    arena.zone(ZONE)
    text = policy(arena.ca).replace("    credential: token\n", "    credential: token\n    reflective: true\n")
    g = VmGateway(plane, arena, "mitm", text, tmp_path_factory.mktemp("mitm"))
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def own_world(arena):
    arena.zone(ZONE)
    arena.script(REPOSITORY)
    yield
    arena.script({})


@pytest.mark.parametrize("client", list(CLIENTS))
def test_stock_clients_trust_the_workspaces_certificate(plane, vm, client):
    command, says = CLIENTS[client]
    with vm.attack() as a:
        got = plane.cli("ssh", vm.name, "--", command, check=False, timeout=120)
        assert got.returncode == 0 and says in got.stdout, got
        assert a.seen()["requests"], "nothing came to the host"


@pytest.mark.parametrize("by", list(NPM_TRUSTS_BY))
def test_npm_trusts_the_workspaces_certificate_by_either_way_alone_and_by_no_other(plane, vm, by):
    env, option = NPM_TRUSTS_BY[by]
    command = f"env {env} npm ping --json --registry https://good.example/ --fetch-retries=0 {option}"
    with vm.attack() as a:
        got = plane.cli("ssh", vm.name, "--", command, check=False, timeout=120)
        asked = a.seen()["requests"]
    if by == "nothing":
        assert got.returncode != 0 and "issuer certificate" in got.stderr and not asked, got
    else:
        assert got.returncode == 0 and '"path": "/-/ping"' in got.stdout and asked, got


def test_java_and_chromium_find_the_authority_where_they_look(vm):
    """Debian's Java takes what is linked in this folder when it is installed, Chromium what its policies name."""
    said = vm.do("command", ["sh", "-c", "cat /etc/ssl/certs/saw-workspace.pem /etc/chromium/policies/managed/saw-workspace.json; readlink /etc/ssl/certs/saw-workspace.pem"])
    pem, _, rest = said["out"].partition("-----END CERTIFICATE-----\n")
    policy_text, target = rest.split("\n")[:2]
    assert json.loads(policy_text)["CACertificates"] == ["".join(pem.splitlines()[1:])], said
    assert target == "/usr/local/share/ca-certificates/saw-workspace.crt"


def test_the_credential_is_added_outside_and_is_nowhere_inside(vm):
    with vm.attack() as a:
        got = vm.do("command", ["curl", "-sS", "-w", "%{http_code}", "https://cred.example/hello"])
        assert got["out"].endswith("200"), got
        sent = a.seen()["requests"]
        assert dict(sent[-1]["fields"]).get("authorization") == "Bearer " + SECRET
        assert SECRET not in json.dumps(a.events())
    found = vm.do("command", ["sh", "-c", f"grep -rl {SECRET[:12]} /etc /home /root /run /var 2>/dev/null | head"])
    assert not found["out"].strip(), found


def test_what_is_denied_says_what_to_do(vm):
    with vm.attack() as a:
        got = vm.do("command", ["curl", "-sS", "-w", "%{http_code}", "https://good.example/admin/x"])
        assert got["out"].endswith("403") and "denied_by_rule" in got["out"], got
        a.denied("denied_by_rule")


EVERYONE = {"sawd", "sawd-front", "sawd-core", "sawd-keeper", "sawd-compiler", "saw-workspace", "saw-front", "saw-dialer", "saw-inlet",
            "saw-outlet", "saw-machine", "qemu-system-x86_64"}


def spend(vm):
    """By both versions, with a body, beside a refusal, and to a host that says it back: what outlet got right and what it refused."""
    vm.arena.script({"/echo": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nyou sent %s" % (len(SECRET) + 9, SECRET.encode())})
    said = {}
    with vm.attack() as a:
        for how in WAYS:
            *options, path = how.split()
            got = vm.do("command", ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *options, "https://cred.example" + path])
            said[how] = got["out"] if got["code"] == 0 else "cut"
        sent = [dict(r["fields"]).get("authorization") for r in a.seen()["requests"]]
    vm.arena.script({})
    *usual, echo1, echo2 = said.values()
    assert usual == ["200", "200", "200", "403"] and {echo1, echo2} <= {"502", "cut"}, said
    assert sent == ["Bearer " + SECRET] * 5, "each came to the host with the value"


def shown_certificates(vm):
    """DER of what the guest is shown in a handshake."""
    where = vm.do("address", "cred.example")
    got = vm.do("command", ["openssl", "s_client", "-connect", f"{where}:443", "-servername", "cred.example", "-showcerts"])
    return [ssl.PEM_cert_to_DER_cert(c) for c in re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", got["out"], re.S)]


@pytest.fixture(scope="module")
def looked(plane, vm, sanitized):
    """After the machine has spent its credential: where the value, the keys of its authority, and a word that the guest itself has
    written into its memory and onto its disk were found. {where: ({what}, bytes looked at)}, for the memory of processes, their
    arguments and environments, and files."""
    if os.geteuid() != 0 or sanitized:
        pytest.skip("only root sees the memory of other processes; a sanitizer keeps what was freed")
    spend(vm)
    titles = {p: t.split(": ")[0] for p, t in plane.processes().items()}
    inlet, = (p for p, t in titles.items() if t == "saw-inlet")
    root, certificate = root_key(plane.state / "keys", vm.audit.parent.name)
    trusted = vm.do("command", ["cat", "/etc/ssl/certs/saw-workspace.pem"])["out"]
    assert ssl.PEM_cert_to_DER_cert(trusted) == certificate, "this is the root that the machine trusts"
    issued = issued_key(inlet, shown_certificates(vm))
    assert issued, "the key of what the guest was shown is not in inlet"
    word = os.urandom(16).hex()
    vm.do("command", ["sh", "-c", f"echo {word} >/dev/shm/word; echo {word} >/home/agent/word; sync"])
    values = {**spellings("secret", SECRET.encode()), **key_spellings("root", root), **key_spellings("issued", issued),
              "word": word.encode()}
    out = types.SimpleNamespace(memory={}, shown={}, files={})
    for pid, title in titles.items():
        before, resident = out.memory.get(title, (set(), 0)), memory(pid) * 1024
        found, n = in_memory(pid, values)
        out.memory[title] = found | before[0], n + before[1]
        for what in ("cmdline", "environ"):
            out.shown[f"{title} {pid} {what}"] = in_bytes(pathlib.Path(f"/proc/{pid}/{what}").read_bytes(), values)
        if title.startswith("qemu-system"):
            assert n >= resident > BOOTED, "not all of the machine's memory was read"
    for folder in (plane.state, pathlib.Path(plane.run)):
        files = [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
        out.files.update({p.relative_to(folder).as_posix(): in_file(p, values) for p in files})
    return out


def holders(found, what):
    """{where: [spelling]} of those that hold it."""
    return {k: names for k, (v, _) in found.items() if (names := sorted(n for n in v if n.split(",")[0] == what))}


def test_h13_the_look_finds_what_the_guest_wrote_down(looked):
    """Else it would find no secret either."""
    assert "qemu-system-x86_64" in holders(looked.memory, "word")
    assert {pathlib.Path(f).name for f in holders(looked.files, "word")} == {"home.img"}
    names = {pathlib.Path(f).name for f in looked.files}
    assert {"overlay.img", "home.img", "seed.img", "base.img", "audit.jsonl", "control.jsonl", "supervisor.log", "console.log", "sawd.log",
            "sawd.db", "spec", "seal.key"} <= names, names


def test_h13_a_value_that_a_machine_spent_is_in_outlet_and_nowhere_else(looked):
    assert EVERYONE <= set(looked.memory), looked.memory
    assert set(holders(looked.memory, "secret")) == {"saw-outlet"}, holders(looked.memory, "secret")
    assert not holders(looked.files, "secret") and not holders(looked.shown, "secret")


def test_d20_the_keys_of_the_authority_are_in_inlet_and_keeper_and_nowhere_in_the_machine(looked):
    """What signs for the guest is inlet's; the root's key is opened by keeper for as long as it signs what inlet gets."""
    assert EVERYONE <= set(looked.memory), looked.memory
    assert set(holders(looked.memory, "issued")) == {"saw-inlet"}, holders(looked.memory, "issued")
    assert set(holders(looked.memory, "root")) <= {"sawd-keeper"}, holders(looked.memory, "root")
    for key in ("issued", "root"):
        assert not holders(looked.files, key) and not holders(looked.shown, key), key
