"""Interception as a machine sees it: its root certificate is in the guest's store, the credential is nowhere in it."""
import json

import pytest

from intercept_policy import SECRET, ZONE, policy
from vm import ControlPlane, VmGateway, missing

pytestmark = pytest.mark.slow

CLIENTS = {
    "curl": ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}"],
    "python": ["python3", "-c", "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status, end='')"],
    "git": ["sh", "-c", 'git ls-remote "$0" 2>&1 | grep -c "not valid: is this a git repository\\|not found" >/dev/null; '
            'curl -sS -o /dev/null -w "%{http_code}" "$0"'],
}


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
    g = VmGateway(plane, arena, "mitm", policy(arena.ca), tmp_path_factory.mktemp("mitm"))
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def own_zone(arena):
    arena.zone(ZONE)


@pytest.mark.parametrize("client", list(CLIENTS))
def test_stock_clients_trust_the_workspaces_certificate(vm, client):
    with vm.attack() as a:
        got = vm.do("command", [*CLIENTS[client], "https://good.example/hello"])
        assert got["out"].endswith("200"), got
        assert a.seen()["requests"]


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
