"""`saw policy test` and the gateway, asked the same: a request drawn at random has one verdict and one reason in both."""
import itertools
import json
import random
import subprocess

import pytest

from gateway import Gateway
from intercept_policy import GOOD, SECRET

RULES = """\
    rules:
      - {class: read, methods: [GET], paths: [/q], query: {kind: [a, "b*"]}}
      - {class: read, methods: [GET], paths: [/code], query: {code: ["*"]}}
      - {class: read, methods: [GET], paths: [/auth], headers: [authorization]}
      - {class: read, methods: [GET], paths: [/fwd], headers: [x-forwarded-for]}
      - {class: read, methods: [GET], paths: [/host], headers: [host, accept]}
      - {class: read, methods: [GET], paths: [/live], websocket: opaque}
      - {class: draft, methods: [POST], paths: [/json], json: {/draft: [true, 1]}}
      - {class: hold, methods: [POST, PUT], paths: [/json]}
      - {class: all, methods: ["*"], paths: ["/any/**"]}
      - {deny: true, methods: [DELETE], paths: ["/any/**"]}
      - {deny: true, methods: [GET], paths: [/any/h], headers: [x-kind]}
      - {deny: true, methods: [GET], paths: [/any/t], query: {token: ["*"]}}
      - {deny: true, methods: ["*"], paths: [/any/a/b, "/any/c+d"]}
"""
ENTRY = """\
  - name: %s
    hosts: [%s.example]
    ports: [%d]
    mode: %s
    protocol: %s
    addresses: [127.0.0.10/32]
"""
GIT = """\
    rules:
      - {class: read, git: fetch, paths: ["/o/**"]}
      - {class: all, git: push, paths: ["/o/**"], refs: ["refs/heads/agent/**"], change: [create, delete]}
      - {deny: true, git: push, paths: [/o/shut], refs: ["refs/heads/agent/x"], change: [create, update, force, delete]}
      - {class: hold, git: push, paths: [/o/held], refs: ["refs/heads/agent/**"], change: [create, delete]}
"""


def policy(ca):
    pem = "    ca: |\n" + "".join(f"      {line}\n" for line in open(ca, encoding="ascii").read().splitlines())
    return ("version: 1\nname: asked\nlab: true\nverdicts: {read: allow, draft: allow, all: allow, hold: deny}\n"
            "credentials:\n  c: {inject: {bearer: true}, hosts: [cred.example, git.example], paths: [/q, /code, /auth, /fwd, /json, \"/any/**\", \"/o/**\"]}\nnetwork:\n"
            + ENTRY % ("good", "good", 443, "intercept", "rest") + pem + "    encoded_slash: true\n" + RULES
            + ENTRY % ("cred", "cred", 443, "intercept", "rest") + pem + "    credential: c\n"
            + "".join(line + "\n" for line in RULES.splitlines() if "websocket" not in line and "/host" not in line)
            + ENTRY % ("git", "git", 443, "intercept", "git") + pem + "    credential: c\n" + GIT
            + ENTRY % ("watched", "plain", 80, "http", "rest") + "    observe: true\n" + RULES)


METHODS = ["GET"] * 6 + ["HEAD", "POST", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE", "get", "Delete", "post", "trace"]
PATHS = ["/q", "/code", "/auth", "/fwd", "/host", "/live", "/json", "/json", "/any/x", "/any/h", "/any/t", "/any/a/b", "/any/a%2Fb", "/any/c%2Bd", "/any/c+d",
         "/any/%68", "/any/../q", "//q", "/q;x", "/any/a%5Cb", "/nowhere", "/"]
QUERIES = [""] * 4 + ["?", "?kind=a", "?kind=bc", "?kind=c", "?kind=a&kind=a", "?Kind=a", "?kind=%61", "?kind=a;x=1", "?kind=a+", "?code=1", "?token=1&kind=a", "?kind=a&token=1",
                      "?code=1&a=1", "?_method=PUT", "?x=_method", "?%zz"]
FIELDS = [""] * 4 + ["x-kind", "X_Kind", "x.kind", "authorization", "Authorization,x-kind", "x-forwarded-for", "X_Forwarded_For", "accept", "range", "te", "cookie", "x-api-key",
                     "x_http_method", "X-HTTP-Method-Override", "content_length", "transfer.encoding", "saw-stripped", "via,accept", "upgrade", "if-range"]
BODIES = [None] * 2 + ['{"draft": true}', '{"draft": 1.0}', '{"draft": false}', '{"draft": true, "Draft": false}', '{"draft": true, "draft": true}', "[]", "draft", "",
                       '{"draft": true, "_method": "DELETE"}', '{"x": {"_method": 1}, "draft": true}']
REPOSITORIES = ["/o/r", "/o/r.git", "/o/shut", "/o/shut/.git", "/o/held", "/p/r"]
SERVICES = ["/info/refs?service=git-upload-pack", "/info/refs?service=git-receive-pack", "/info/refs?service=git-receive-pack&private_token=x", "/info/refs?service=Git-upload-pack",
            "/info/refs?service=git-upload-pack&service=git-receive-pack", "/info/refs", "/HEAD", "/git-upload-pack", "/git-upload-pack?key=1", "/git-upload-archive"]
PUSHES = ["create:refs/heads/agent/x", "create:refs/heads/agent/y", "delete:refs/heads/agent/y", "update:refs/heads/agent/y", "create:refs/heads/main",
          "create:refs/heads/agent/y,create:refs/heads/agent/z", "create:refs/heads/agent/y,update:refs/heads/main", "create:refs/heads/agent/y,delete:refs/heads/agent/y"]


@pytest.fixture(scope="module")
def gate(arena, build, tmp_path_factory):
    arena.zone({f"{n}.example": GOOD for n in ("good", "cred", "git", "plain")})
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("asked"), secrets={"c": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def zone(arena):
    arena.zone({f"{n}.example": GOOD for n in ("good", "cred", "git", "plain")})


def offline(gate, method, url, fields, body, push):
    """(disposition, reason), as the audit log calls them."""
    names = ",".join(f for f in (fields, "content-type,content-length" if body is not None else "") if f)
    body_file = gate.folder / "body"
    body_file.write_text(body or "")
    words = [str(gate.saw), "policy", "test", str(gate.policy), method, url, "--json"] + (["--headers", names] if names else []) + (["--push", push] if push else [])
    done = subprocess.run(words + (["--body", str(body_file)] if body is not None else []), capture_output=True, text=True, timeout=30, check=False)
    if done.returncode == 2 and "reads the body" in done.stderr:  # and there is none
        done = subprocess.run(words + ["--body", str(body_file)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (0, 3), (words, done)
    told = json.loads(done.stdout)
    return {"allowed": "Allowed", "observed": "Logged", "denied": "Blocked"}[told["decision"]], told["reason"]


def pack(push):
    """A push of these changes, with what looks like a pack behind them."""
    zero, one, lines = "0" * 40, "1" * 40, ""
    for i, change in enumerate(push.split(",")):
        kind, _, ref = change.partition(":")
        line = f"{zero if kind == 'create' else one} {zero if kind == 'delete' else one} {ref}" + ("\0report-status" if i == 0 else "")
        lines += f"{len(line) + 4:04x}{line}"
    return lines + "0000" + ("" if all(c.startswith("delete") for c in push.split(",")) else "PACK")


def online(gate, method, host, target, fields, body, tls):
    text = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n" + "".join(f"{f}: 1\r\n" for f in fields.split(",") if f)
    if body is not None:
        text += f"Content-Type: {'application/x-git-receive-pack-request' if host.startswith('git') else 'application/json'}\r\nContent-Length: {len(body)}\r\n"
    with gate.attack() as a:
        gate.do("http", host, text + "\r\n" + (body or ""), port=443 if tls else 80, tls=tls, timeout=10)
        events = a.wait_events(lambda es: any(e["class_uid"] == 4002 for e in es), dns=False)
        event, = [e for e in events if e["class_uid"] == 4002]
        return event["disposition"], event["status_code"]


def compare_socket(gate, method, host, path):
    tls = host != "plain.example"
    told = offline(gate, method, f"ws{'s' if tls else ''}://{host}{path}", "", None, None)
    text = (f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    with gate.attack() as a:
        gate.do("http", host, text, port=443 if tls else 80, tls=tls, timeout=3, want=1)  # one that opens has no end
        events = a.wait_events(lambda es: any(e["class_uid"] == 4002 for e in es), dns=False)
        event, = [e for e in events if e["class_uid"] == 4002]
        did = event["disposition"], event["status_code"]
    return [] if told == did else [(method, host, path, "policy test", told, "gateway", did)]


def compare(gate, method, host, target, fields="", body=None, push=None):
    tls = host != "plain.example"
    told = offline(gate, method, f"http{'s' if tls else ''}://{host}{target}", fields, None if push else body, push)
    did = online(gate, method, host, target, fields, pack(push) if push else body, tls)
    return [] if told == did else [(method, host, target, fields, body, push, "policy test", told, "gateway", did)]


@pytest.mark.parametrize("seed", range(4))
def test_what_policy_test_says_of_a_request_the_gateway_does(gate, seed):
    dice, differ = random.Random(seed), []
    for _ in range(80):
        method = dice.choice(METHODS)
        body = dice.choice(BODIES) if method in ("POST", "PUT", "PATCH", "DELETE", "PURGE") else None
        differ += compare(gate, method, dice.choice(["good.example", "cred.example", "plain.example"]), dice.choice(PATHS) + dice.choice(QUERIES), dice.choice(FIELDS), body)
    assert not differ, "\n".join(map(repr, differ))


def test_what_policy_test_says_of_a_fetch_and_of_a_push_the_gateway_does(gate):
    differ = []
    for repository, service in itertools.product(REPOSITORIES, SERVICES):
        differ += compare(gate, "POST" if service.startswith("/git-") else "GET", "git.example", repository + service)
    for repository, push in itertools.product(REPOSITORIES, PUSHES):
        differ += compare(gate, "POST", "git.example", repository + "/git-receive-pack", push=push)
    assert not differ, "\n".join(map(repr, differ))


def test_what_policy_test_says_of_a_websocket_the_gateway_does(gate):
    differ = []
    for method, host, path in itertools.product(["GET", "POST", "get"], ["good.example", "cred.example", "plain.example"], ["/live", "/any/x", "/q?kind=a"]):
        differ += compare_socket(gate, method, host, path)
    assert not differ, "\n".join(map(repr, differ))
