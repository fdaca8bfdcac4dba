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
      - {class: draft, methods: [POST, PUT], paths: [/typed], headers: [content-type]}
      - {class: draft, methods: [POST], paths: [/asked], query: {kind: [a]}}
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
      - {class: all, git: push, paths: [/o/opts], refs: ["refs/heads/agent/**"], change: [create, delete], push_options: true}
"""


def policy(ca):
    pem = "    ca: |\n" + "".join(f"      {line}\n" for line in open(ca, encoding="ascii").read().splitlines())
    return ("version: 1\nname: asked\nlab: true\nverdicts: {read: allow, draft: allow, all: allow, hold: deny}\n"
            "credentials:\n  c: {inject: {bearer: true}, hosts: [cred.example, git.example], paths: [/q, /code, /auth, /fwd, /json, /typed, /asked, \"/any/**\", \"/o/**\"]}\nnetwork:\n"
            + ENTRY % ("good", "good", 443, "intercept", "rest") + pem + "    encoded_slash: true\n" + RULES
            + ENTRY % ("cred", "cred", 443, "intercept", "rest") + pem + "    credential: c\n"
            + "".join(line + "\n" for line in RULES.splitlines() if "websocket" not in line and "/host" not in line)
            + ENTRY % ("git", "git", 443, "intercept", "git") + pem + "    credential: c\n" + GIT
            + ENTRY % ("watched", "plain", 80, "http", "rest") + "    observe: true\n" + RULES)


METHODS = ["GET"] * 6 + ["HEAD", "POST", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE", "get", "Delete", "post", "trace"]
PATHS = ["/q", "/typed", "/asked?kind=a", "/code", "/auth", "/fwd", "/host", "/live", "/json", "/json", "/any/x", "/any/h", "/any/t", "/any/a/b", "/any/a%2Fb", "/any/c%2Bd", "/any/c+d",
         "/any/%68", "/any/../q", "//q", "/q;x", "/any/a%5Cb", "/nowhere", "/"]
QUERIES = [""] * 4 + ["?", "?kind=a", "?kind=bc", "?kind=c", "?kind=a&kind=a", "?Kind=a", "?kind=%61", "?kind=a;x=1", "?kind=a+", "?code=1", "?token=1&kind=a", "?kind=a&token=1",
                      "?code=1&a=1", "?_method=PUT", "?x=_method", "?%zz"]
FIELDS = [""] * 4 + ["x-kind", "X_Kind", "x.kind", "authorization", "Authorization,x-kind", "x-forwarded-for", "X_Forwarded_For", "accept", "range", "te", "cookie", "x-api-key",
                     "x_http_method", "X-HTTP-Method-Override", "content_length", "transfer.encoding", "saw-stripped", "via,accept", "upgrade", "if-range", "content-encoding"]
BODIES = [None] * 2 + ['{"draft": true}', '{"draft": 1.0}', '{"draft": false}', '{"draft": true, "Draft": false}', '{"draft": true, "draft": true}', "[]", "draft", "",
                       '{"draft": true, "_method": "DELETE"}', '{"x": {"_method": 1}, "draft": true}', '{"draft": true, "a": "&"}', "a=1&b=2", "a=1&_method=DELETE", "_metho%64",
          '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--', '--x\r\nContent-Disposition: form-data; name="_method"\r\n\r\nPUT\r\n--x--']
# What a body is said to be; none: nothing is said.
TYPES = ["application/json"] * 4 + ["none", "application/x-www-form-urlencoded", "Application/X-WWW-Form-URLencoded; x=y", "multipart/form-data; boundary=x", "multipart/mixed; boundary=x",
                                    "text/plain", "application/vnd.api+json", "application/json; charset=utf-16", "application/json; charset=UTF-8",
                                    "application/x-www-form-urlencoded; charset=utf-7", "multipart/form-data; charset=utf-16; boundary=x"]
REPOSITORIES = ["/o/r", "/o/opts", "/o/r.git", "/o/shut", "/o/shut/.git", "/o/held", "/p/r"]
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


def offline(gate, method, url, fields, body, push, kind="application/json", option=None):
    """(disposition, reason), as the audit log calls them."""
    names = ",".join(f for f in (fields, "content-length" if body is not None else "") if f)
    body_file = gate.folder / "body"
    body_file.write_bytes((body or "").encode())
    words = [str(gate.saw), "policy", "test", str(gate.policy), method, url, "--json"] + (["--headers", names] if names else []) + (["--push", push] if push else [])
    words += ["--push-option", option] if option else []
    done = subprocess.run(words + (["--body", str(body_file), "--type", kind] if body is not None else []), capture_output=True, text=True, timeout=30, check=False)
    if done.returncode == 2 and "reads the body" in done.stderr:  # and there is none
        done = subprocess.run(words + ["--body", str(body_file)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (0, 3), (words, done)
    told = json.loads(done.stdout)
    return {"allowed": "Allowed", "observed": "Logged", "denied": "Blocked"}[told["decision"]], told["reason"]


def with_ids(push):
    """The same changes, as git's hooks are told of them."""
    zero, one, changes = "0" * 40, "1" * 40, []
    for change in push.split(","):
        kind, _, ref = change.partition(":")
        changes.append(f"{zero if kind == 'create' else one} {zero if kind == 'delete' else one} {ref}")
    return ",".join(changes)


def pack(push, option=None):
    """A push of these changes, with what looks like a pack behind them."""
    lines = ""
    for i, line in enumerate(with_ids(push).split(",")):
        line += ("\0report-status" + (" push-options" if option else "")) if i == 0 else ""
        lines += f"{len(line) + 4:04x}{line}"
    lines += f"0000{len(option) + 4:04x}{option}" if option else ""
    return lines + "0000" + ("" if all(c.startswith("delete") for c in push.split(",")) else "PACK")


def online(gate, method, host, target, fields, body, tls, kind="application/json"):
    text = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n" + "".join(f"{f}: 1\r\n" for f in fields.split(",") if f)
    if body is not None:
        text += ("" if kind == "none" else f"Content-Type: {kind}\r\n") + f"Content-Length: {len(body)}\r\n"
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


def compare(gate, method, host, target, fields="", body=None, push=None, kind="application/json", option=None):
    tls = host != "plain.example"
    url = f"http{'s' if tls else ''}://{host}{target}"
    told = offline(gate, method, url, fields, None if push else body, push, kind, option)
    did = online(gate, method, host, target, fields, pack(push, option) if push else body, tls, "application/x-git-receive-pack-request" if push else kind)
    told_ids = offline(gate, method, url, fields, None, with_ids(push), option=option) if push else told
    return [] if told == did == told_ids else [(method, host, target, fields, body, kind, push, option, "policy test", told, told_ids, "gateway", did)]


@pytest.mark.parametrize("seed", range(4))
def test_what_policy_test_says_of_a_request_the_gateway_does(gate, seed):
    dice, differ = random.Random(seed), []
    for _ in range(80):
        method = dice.choice(METHODS)
        body = dice.choice(BODIES) if method in ("POST", "PUT", "PATCH", "DELETE", "PURGE") else None
        fields = dice.choice([f for f in FIELDS if body is not None or f != "content-encoding"])
        path = dice.choice(PATHS)
        differ += compare(gate, method, dice.choice(["good.example", "cred.example", "plain.example"]), path + ("" if "?" in path else dice.choice(QUERIES)), fields, body,
                          kind=dice.choice(TYPES))
    assert not differ, "\n".join(map(repr, differ))


def test_what_policy_test_says_of_a_body_the_gateway_does_whatever_it_is_said_to_be(gate):
    dice, differ = random.Random(7), []
    every = list(itertools.product(["/json", "/json", "/any/x", "/typed", "/asked?kind=a"], sorted({b for b in BODIES if b is not None}), sorted(set(TYPES)), ("", "", "content-encoding")))
    for path, body, kind, fields in dice.sample(every, 100):
        differ += compare(gate, "POST", "good.example", path, fields, body, kind=kind)
    assert not differ, "\n".join(map(repr, differ))


def test_a_form_is_asked_about_by_its_text(gate):
    for text, fields in (("a=1&b=2", ""), ("a=1&_method=DELETE", ""), ("a=1", "content-encoding")):
        for path in ("/json", "/any/x"):
            words = [str(gate.saw), "policy", "test", str(gate.policy), "POST", f"https://good.example{path}", "--json", "--form", text]
            done = subprocess.run(words + (["--headers", fields] if fields else []), capture_output=True, text=True, timeout=30, check=False)
            told = json.loads(done.stdout)
            did = online(gate, "POST", "good.example", path, fields, text, True, "application/x-www-form-urlencoded")
            assert ({"allowed": "Allowed", "denied": "Blocked"}[told["decision"]], told["reason"]) == did, (text, path)


def test_what_policy_test_says_of_a_second_path_the_gateway_does(gate):
    for method, second in [*itertools.product(["MOVE"], ["/any/y", "/any/a/b", "/json", "https://good.example/any/y", "https://cred.example/any/y", "//any/y", "/any/%61/b"]),
                           ("PURGE", "/any/a/b"), ("GET", "/any/a/b")]:
        words = [str(gate.saw), "policy", "test", str(gate.policy), method, "https://good.example/any/x", "--json", "--destination", second]
        told = json.loads(subprocess.run(words, capture_output=True, text=True, timeout=30, check=False).stdout)
        with gate.attack() as a:
            gate.do("http", "good.example", f"{method} /any/x HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\nDestination: {second}\r\n\r\n", port=443, tls=True, timeout=10)
            event, = [e for e in a.wait_events(lambda es: any(e["class_uid"] == 4002 for e in es), dns=False) if e["class_uid"] == 4002]
        assert ({"allowed": "Allowed", "denied": "Blocked"}[told["decision"]], told["reason"]) == (event["disposition"], event["status_code"]), (method, second)


def test_what_policy_test_says_of_a_fetch_and_of_a_push_the_gateway_does(gate):
    differ = []
    for repository, service in itertools.product(REPOSITORIES, SERVICES):
        differ += compare(gate, "POST" if service.startswith("/git-") else "GET", "git.example", repository + service)
    for repository, push, option in [*itertools.product(REPOSITORIES, PUSHES, (None,)), *itertools.product(("/o/r", "/o/opts"), PUSHES, ("ci.skip",))]:
        differ += compare(gate, "POST", "git.example", repository + "/git-receive-pack", push=push, option=option)
    assert not differ, "\n".join(map(repr, differ))


def test_what_policy_test_says_of_a_websocket_the_gateway_does(gate):
    differ = []
    for method, host, path in itertools.product(["GET", "POST", "get"], ["good.example", "cred.example", "plain.example"], ["/live", "/any/x", "/q?kind=a"]):
        differ += compare_socket(gate, method, host, path)
    assert not differ, "\n".join(map(repr, differ))
