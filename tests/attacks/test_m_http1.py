"""Groups E and G on intercepted hosts: every attack of test_e_http1.py inside TLS, the short way (good.example) and the long way, through
outlet (cred.example). The names and the scheme in the requests are exchanged, and exchanged back in the recordings."""
import re

import pytest

import test_e_http1 as plain
from gateway import Attack, Gateway
from intercept_policy import SECRET, policy


@pytest.fixture(scope="module")
def mitm(arena, build, tmp_path_factory):
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("intercept"), secrets={"token": SECRET})
    yield g
    g.stop()


class Recordings(Attack):
    """What the origin saw, under the name that the reused tests expect."""

    def __init__(self, gateway, host):
        super().__init__(gateway)
        self.host = host

    def seen(self):
        seen = super().seen()
        for request in seen["requests"]:
            request["fields"] = [(k, v.replace(self.host, "plain.example")) for k, v in request["fields"]]
        return seen


class Inside:
    """A gateway as the tests of plain http hold it, whose requests go inside TLS to `host`."""

    def __init__(self, gateway, host):
        self.gateway, self.host = gateway, host

    def do(self, fn, host, text, **kw):
        assert fn == "http" and host == "plain.example"
        canary = plain.CANARY.replace("plain.example", self.host)
        text = text.replace(f"Content-Length: {len(plain.CANARY)}\r\n", f"Content-Length: {len(canary)}\r\n")
        text = re.sub("https?://", lambda m: {"http://": "https://", "https://": "http://"}[m.group()], text)
        text = text.replace("plain.example", self.host)
        return self.gateway.do("http", self.host, text, port=443, tls=True, **kw)

    def attack(self):
        return Recordings(self.gateway, self.host)


@pytest.fixture(params=["good.example", "cred.example"])
def gw(request, mitm, arena):
    return Inside(mitm, request.param)


for _name in dir(plain):
    # those left out are about other entries of the plain policy
    if _name.startswith("test_") and _name not in ("test_what_no_rule_lists_is_refused_with_a_problem_document", "test_a_method_in_other_letters_is_refused"):
        globals()[_name] = getattr(plain, _name)
