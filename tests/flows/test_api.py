"""The API: the server does what docs/openapi.yaml says, and nothing else."""
import contextlib
import json
import os
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import time

import pytest
import yaml

from sawd import POLICY, Stream

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQXx0O/fAQn0TLmaVXz6xG1MpEGKdZsJF+9vCttjlte me"


@pytest.fixture(scope="module")
def spec(root):
    return yaml.safe_load((root / "docs/openapi.yaml").read_text())


class Schemas:
    """The part of JSON Schema that the file uses."""

    def __init__(self, spec):
        self.spec = spec

    def resolve(self, node):
        while "$ref" in node:
            at = self.spec
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            node = at
        return node

    def faults(self, value, schema, where="$"):
        schema = self.resolve(schema)
        if value is None:
            return [] if schema.get("nullable") else [f"{where}: null"]
        kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
        kind = schema.get("type")
        if kind and (not isinstance(value, kinds[kind]) or (kind == "integer" and isinstance(value, bool))):
            return [f"{where}: {value!r} is no {kind}"]
        found = []
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{where}: {value!r} is not one of {schema['enum']}")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{where}: {value!r} does not match {schema['pattern']}")
        if schema.get("format") == "date-time" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value):
            found.append(f"{where}: {value!r} is no time")
        if kind == "object":
            known = schema.get("properties", {})
            found += [f"{where}.{k}: missing" for k in schema.get("required", []) if k not in value]
            found += [f"{where}.{k}: not documented" for k in value if known and k not in known]
            for k, v in value.items():
                if k in known:
                    found += self.faults(v, known[k], f"{where}.{k}")
        if kind == "array":
            for i, v in enumerate(value):
                found += self.faults(v, schema["items"], f"{where}[{i}]")
        return found


def operations(spec):
    for path, item in spec["paths"].items():
        for method in ("get", "post", "put", "delete"):
            if method in item:
                yield method.upper(), path, item[method]


BODIES = {
    "createWorkspace": {"name": "walked", "driver": "try", "start": False, "policy": {"text": POLICY}},
    "putPolicy": {"text": POLICY.replace("name: test", "name: other"), "file": "q.yaml"},
    "createSession": {"public_key": KEY},
    "stopWorkspace": {"grace_seconds": 5},
    "shutdown": {"workspaces": "all"},
    "setChannel": {"channel": "corporate/stable", "release": "0" * 64},
    "rollbackChannel": {"channel": "corporate/stable"},
    "noteKey": {"name": "corp", "fingerprint": "SHA256:x"},
}
VALUES = {"putSecret": b"a value", "pushBundle": b"no bundle"}
# what these do when all is well is in test_bundle.py
OTHERWISE = ("openTunnel", "endSession", "shutdown", "pushBundle", "setChannel", "rollbackChannel")
QUERIES = {"putSecret": "?mode=put", "pushBundle": "?channel=corporate/stable", "openTunnel": "?session=se-000000000000", "getAudit": "?workspace=dev", "getEvents": "?workspace=dev"}


@pytest.fixture(scope="module")
def dev(shared_sawd, userns):
    return shared_sawd.running("dev")


def check_documented(spec, op, answer):
    """The status is documented, and the body has the documented type and shape."""
    responses = {str(k): v for k, v in op["responses"].items()}
    assert str(answer.status) in responses, f"{op['operationId']}: {answer} is not documented"
    schemas = Schemas(spec)
    content = schemas.resolve(responses[str(answer.status)]).get("content", {})
    if not content:
        assert answer.raw == b""
        return
    kind = answer.headers["Content-Type"]
    assert kind in content, f"{op['operationId']}: {kind}"
    if kind.endswith("json"):
        assert not schemas.faults(answer.json, content[kind]["schema"])
    elif kind == "application/jsonl" and op["operationId"] == "getEvents":
        for line in answer.raw.splitlines():
            assert not schemas.faults(json.loads(line), content[kind]["schema"])


@pytest.mark.parametrize("good", [True, False], ids=["existing", "missing"])
def test_every_documented_call_answers_as_documented(spec, shared_sawd, dev, good):
    order = {"restartWorkspace": 1, "stopWorkspace": 2, "startWorkspace": 3, "rebuildWorkspace": 4, "deleteWorkspace": 9}
    for method, path, op in sorted(operations(spec), key=lambda o: order.get(o[2]["operationId"], 0)):
        name = op["operationId"]
        target = path.replace("{name}", "dev" if good else "nobody").replace("{id}", "se-000000000000") + QUERIES.get(name, "")
        if name == "deleteWorkspace" and good:
            target = "/v1/workspaces/walked"
        headers = {"Connection": "Upgrade", "Upgrade": "saw-tunnel"} if name == "openTunnel" else None
        if name in VALUES:
            headers = {"Content-Type": "application/octet-stream"}
        answer = shared_sawd.call(method, target, BODIES.get(name), headers, VALUES.get(name))
        check_documented(spec, op, answer)
        wanted_2xx = good and name not in OTHERWISE
        if wanted_2xx:
            assert 200 <= answer.status < 300, f"{name}: {answer}"
    if good:
        shared_sawd.wait("dev", "running", where=lambda e: e["desired"] == "running")


def test_the_table_of_routes_has_nothing_that_is_not_documented(spec, root):
    table = set(re.findall(r'\{ "([A-Z]+)", "(/v1/[^"]+)"', (root / "src/sawd/front/route.c").read_text()))
    assert table == {(m, re.sub(r"\{\w+\}", "*", p)) for m, p, _ in operations(spec)}


@pytest.mark.parametrize("target", ["/", "/v1", "/v2/workspaces", "/v1/workspaces/", "/v1/workspaces/dev/", "/v1/workspaces/dev/x",
                                    "/v1/workspaces/dev/start/x", "/v1/version/x", "/V1/version"])
def test_other_paths_are_not_found(shared_sawd, target):
    answer = shared_sawd.call("GET", target)
    assert answer.status == 404 and answer.json["exit"] == 4


@pytest.mark.parametrize("method,target,allow", [("POST", "/v1/version", "GET"), ("DELETE", "/v1/workspaces", "GET, POST"),
                                                 ("PUT", "/v1/workspaces/dev", "GET, DELETE"), ("GET", "/v1/shutdown", "POST")])
def test_other_methods_are_not_allowed(shared_sawd, method, target, allow):
    answer = shared_sawd.call(method, target)
    assert answer.status == 405 and answer.headers["Allow"] == allow


def new(**change):
    body = {"name": "x", "driver": "try", "policy": {"text": POLICY}}
    body.update(change)
    return {k: v for k, v in body.items() if v is not ...}


@pytest.mark.parametrize("body,field", [
    (new(name="A"), "name"), (new(name=""), "name"), (new(name="a" * 41), "name"), (new(name="a.b"), "name"), (new(name="../x"), "name"),
    (new(name=7), "name"), (new(name=...), "name"), (new(name="ws-0123456789ab"), "name"), (new(name="-a"), "name"),
    (new(cpus=0), "cpus"), (new(cpus=257), "cpus"), (new(cpus="2"), "cpus"), (new(cpus=1.5), "cpus"),
    (new(memory="1MiB"), "memory"), (new(memory="2 GiB"), "memory"), (new(memory="2GB"), "memory"), (new(memory=-1), "memory"),
    (new(memory="99999999999999999999TiB"), "memory"), (new(disk="1KiB"), "disk"), (new(disk="17TiB"), "disk"), (new(disk="x"), "disk"),
    (new(accel="fast"), "accel"), (new(driver="docker"), "driver"), (new(start="yes"), "start"),
    (new(upstream_proxy="http://p"), "upstream_proxy"), (new(upstream_proxy="p:"), "upstream_proxy"),
    (new(upstream_proxy="p:0"), "upstream_proxy"), (new(upstream_proxy="p:65536"), "upstream_proxy"),
    (new(upstream_proxy="p:3128\n"), "upstream_proxy"), (new(kernel_args="a\nb"), "kernel_args"), (new(kernel_args="x" * 2001), "kernel_args"),
    (new(policy=...), "policy"), (new(policy="p"), "policy"), (new(policy={}), "text"), (new(policy={"text": ""}), "policy.text"),
    (new(policy={"text": POLICY, "sign": 1}), "sign"), (new(colour="red"), "colour"), (new(image="x" * 129), "image"),
])
def test_a_wrong_field_is_named_and_nothing_is_created(shared_sawd, body, field):
    before = sorted(os.listdir(shared_sawd.state / "workspaces"))
    answer = shared_sawd.call("POST", "/v1/workspaces", body)
    assert answer.status == 422 and answer.json["field"] == field and answer.json["remedy"] and answer.json["exit"] == 2, answer
    assert "openapi" not in answer.json["remedy"] or field in ("sign", "colour", "policy"), "a sentence for people"
    assert shared_sawd.call("GET", "/v1/workspaces/x").status == 404
    assert sorted(os.listdir(shared_sawd.state / "workspaces")) == before


@pytest.mark.parametrize("raw", [b"{", b"[]", b"7", b'{"name":"x","name":"y"}', b'{"name":"\xff"}', b'{"name":"x"} x', b"{\"name\":\"\\u0000\"}"])
def test_a_body_that_is_no_object_is_refused(shared_sawd, raw):
    answer = shared_sawd.call("POST", "/v1/workspaces", raw=raw)
    assert answer.status == 422 and answer.json["field"] == "body"


def test_a_body_of_another_type_is_refused(shared_sawd):
    answer = shared_sawd.call("POST", "/v1/workspaces", new(), {"Content-Type": "text/yaml"})
    assert answer.status == 422 and answer.json["field"] == "Content-Type"


def test_a_body_over_the_limit_is_refused(shared_sawd):
    conn = socket.socket(socket.AF_UNIX)
    conn.connect(str(shared_sawd.socket))
    conn.sendall(b"POST /v1/workspaces HTTP/1.1\r\nHost: saw.local\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n")
    assert conn.recv(100).startswith(b"HTTP/1.1 413 ")
    conn.close()


def test_a_policy_of_megabytes_is_taken_and_one_over_the_limit_is_not(shared_sawd):
    text = POLICY + "".join(f"  # {'x' * 1000}\n" for _ in range(3000))
    assert shared_sawd.create("large", start=False, policy={"text": text}).status == 201
    shared_sawd.rm("large")
    answer = shared_sawd.create("large", start=False, policy={"text": POLICY + "# " + "x" * (8 * 1024 * 1024)})
    assert answer.status == 422 and answer.json["field"] == "text"


@pytest.mark.parametrize("query,field", [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("state=up", "state"),
                                         ("page_token=A", "page_token"), ("colour=red", "colour"), ("limit=1&limit=2", "limit")])
def test_a_wrong_query_is_named(shared_sawd, query, field):
    answer = shared_sawd.call("GET", "/v1/workspaces?" + query)
    assert answer.status == 422 and answer.json["field"] == field


def test_a_refused_policy_lists_its_places_and_creates_nothing(shared_sawd):
    answer = shared_sawd.create("x", policy={"text": POLICY.replace("passthrough", "passthru"), "file": "corp.yaml"})
    assert answer.status == 422 and answer.json["type"] == "urn:saw:problem:policy_refused" and "corp.yaml" in answer.json["detail"]
    place = answer.json["problems"][0]
    assert place["line"] == 7 and place["column"] == 11 and "passthrough" in place["message"]
    assert shared_sawd.call("GET", "/v1/workspaces/x").status == 404


def test_a_name_can_be_given_once(shared_sawd):
    assert shared_sawd.create("twice", start=False).status == 201
    answer = shared_sawd.create("twice", start=False)
    assert answer.status == 409 and answer.json["field"] == "name"
    shared_sawd.rm("twice")
    assert shared_sawd.create("twice", start=False).status == 201
    shared_sawd.rm("twice")


def test_an_image_that_is_not_there_is_not_found(shared_sawd):
    answer = shared_sawd.create("x", driver="machine", image="nothing")
    assert answer.status == 404 and answer.json["field"] == "image" and answer.json["exit"] == 4
    assert answer.json["detail"] == 'there is no image "nothing"' and "saw image build" in answer.json["remedy"]
    assert shared_sawd.call("GET", "/v1/workspaces/x").status == 404


def test_a_machine_larger_than_the_host_is_refused_with_what_it_has(shared_sawd):
    has = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    if has >= 1 << 20:
        pytest.skip("this host has more memory than any workspace may")
    answer = shared_sawd.create("x", driver="machine", memory=f"{has + 1}MiB")
    assert answer.status == 422 and answer.json["field"] == "memory" and f"use at most {has}MiB" in answer.json["remedy"], answer
    assert shared_sawd.create("x", driver="machine", image="nothing", memory=f"{has}MiB").status == 404


def test_driver_try_needs_the_lab(build):
    from sawd import Sawd
    s = Sawd(build, lab=False)
    s.start()
    try:
        answer = s.create("x")
        assert answer.status == 422 and answer.json["field"] == "driver"
    finally:
        s.close()


@pytest.mark.parametrize("key", ["ssh-rsa AAAAB3NzaC1yc2E= x", "ssh-ed25519 AAAA", "command=\"x\" " + KEY, KEY + "\n" + KEY, "", 5])
def test_only_an_ed25519_line_gets_a_session(shared_sawd, dev, key):
    answer = shared_sawd.call("POST", "/v1/workspaces/dev/sessions", {"public_key": key})
    assert answer.status == 422 and answer.json["field"] == "public_key"


def test_other_users_are_refused(build):
    if os.getuid() != 0:
        pytest.skip("needs root to become another user")
    from sawd import Sawd
    s = Sawd(build)
    s.start()
    try:
        for path in (s.home, s.run):
            os.chmod(path, 0o755)
        os.chmod(s.socket, 0o666)
        script = ("import socket,sys; c=socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]);"
                  "c.sendall(b'GET /v1/version HTTP/1.1\\r\\nHost: saw.local\\r\\n\\r\\n'); print(c.recv(500).decode())")
        done = subprocess.run(["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", sys.executable, "-c", script, str(s.socket)],
                              capture_output=True, text=True, check=True)
        assert done.stdout.startswith("HTTP/1.1 403 ") and "not_allowed" in done.stdout
    finally:
        s.close()


def test_an_open_stream_gets_each_change_once_and_in_order(shared_sawd):
    stream = Stream(shared_sawd.socket, "/v1/events?follow=1")
    shared_sawd.create("seen", start=False)
    shared_sawd.call("DELETE", "/v1/workspaces/seen")
    states = []
    while "deleted" not in states:
        event = json.loads(stream.line())
        if event["workspace"] == "seen":
            states.append(event["state"])
    stream.close()
    assert [s for i, s in enumerate(states) if i == 0 or states[i - 1] != s][-2:] == ["deleting", "deleted"]
    assert states[0] == "requested"


def test_a_followed_log_goes_on_and_ends_with_its_workspace(shared_sawd, userns):
    shared_sawd.running("logged")
    stream = Stream(shared_sawd.socket, "/v1/audit?workspace=logged&follow=1")
    first = json.loads(stream.line())
    assert first["metadata"]["sequence"] == 1
    shared_sawd.call("DELETE", "/v1/workspaces/logged")
    lines = [json.loads(l) for l in iter(stream.line, b"")]
    assert [l["metadata"]["sequence"] for l in lines] == list(range(2, len(lines) + 2))
    stream.close()


def pages(s):
    """Every name, and how many ms each page took."""
    names, token, took = [], "", []
    while token is not None:
        began = time.perf_counter()
        page = s.call("GET", "/v1/workspaces?limit=100" + (f"&page_token={token}" if token else "")).json
        took.append((time.perf_counter() - began) * 1000)
        names += [w["name"] for w in page["workspaces"]]
        token = page["next_page_token"]
    return names, took


def test_a_log_that_is_not_there_yet_can_be_followed(shared_sawd, userns):
    shared_sawd.create("early", start=False)
    stream = Stream(shared_sawd.socket, "/v1/audit?workspace=early&follow=1")
    assert shared_sawd.call("POST", "/v1/workspaces/early/start").status == 202
    assert json.loads(stream.line())["metadata"]["sequence"] == 1
    stream.close()
    assert shared_sawd.call("GET", "/v1/workspaces/early/log?stream=console").raw == b""
    shared_sawd.rm("early")


@contextlib.contextmanager
def followed_log(sawd, name, lines):
    """The audit log of these lines of a stopped workspace, and who follows it."""
    path = sawd.state / "workspaces" / sawd.create(name, start=False).json["id"] / "audit.jsonl"
    sawd.wait(name, "stopped")
    path.write_bytes(lines)
    path.chmod(0o600)
    stream = Stream(sawd.socket, f"/v1/audit?workspace={name}&follow=1")
    yield path, stream
    stream.close()
    path.write_bytes(b"")
    sawd.rm(name)


def test_a_followed_audit_log_that_is_cut_back_is_not_said_again(shared_sawd):
    lines = [b'{"n":%d}\n' % i for i in range(3)]
    lost = [b'{"n":3,"lost":"%s"}\n' % (b"x" * 100), b'{"n":4,"lost":"too"}\n']
    with followed_log(shared_sawd, "cut", b"".join(lines)) as (path, stream):
        assert [stream.line() for _ in lines] == lines
        with open(path, "ab", buffering=0) as f:
            f.write(b"".join(lost))
        assert [stream.line() for _ in lost] == lost
        os.truncate(path, len(b"".join(lines)))
        with open(path, "ab", buffering=0) as f:
            f.write(b'{"n":3}\n')
        assert stream.line() == b'{"n":3}\n'


def test_a_line_of_the_audit_log_that_has_no_end_yet_is_not_sent(shared_sawd):
    with followed_log(shared_sawd, "torn", b'{"n":0}\n{"n":') as (path, stream):
        assert stream.line() == b'{"n":0}\n'
        assert shared_sawd.call("GET", "/v1/audit?workspace=torn").raw == b'{"n":0}\n'
        with open(path, "ab", buffering=0) as f:
            f.write(b'1}\n{"n"')
        assert stream.line() == b'{"n":1}\n'


def test_a_followed_console_goes_on_when_its_older_half_was_dropped(shared_sawd):
    ident = shared_sawd.create("full", start=False).json["id"]
    shared_sawd.wait("full", "stopped", but_not=("failed",))  # its folder is there
    path, half = shared_sawd.state / "workspaces" / ident / "console.log", 4 << 20
    text = b"".join(b"%06d %s\n" % (i, b"x" * 1016) for i in range(2 * half // 1024))
    path.write_bytes(text)
    stream = Stream(shared_sawd.socket, "/v1/workspaces/full/log?stream=console&follow=1")
    assert [stream.line()[:6] for _ in range(2 * half // 1024)] == [b"%06d" % i for i in range(2 * half // 1024)]
    with open(path, "r+b", buffering=0) as f:
        os.pwrite(f.fileno(), text[half:], 0)
        f.truncate(half)
        os.pwrite(f.fileno(), b"new\n", half)
    assert stream.line().strip() == b"new"
    stream.close()
    shared_sawd.rm("full")


def test_a_page_of_ten_thousand_workspaces_is_quick(build, sanitized):
    from sawd import Sawd
    s = Sawd(build)
    s.start()
    s.create("w00000", start=False)
    s.stop()
    db = sqlite3.connect(s.state / "sawd.db")
    columns = [c[1] for c in db.execute("PRAGMA table_info(workspaces)")]
    row = dict(zip(columns, db.execute("SELECT * FROM workspaces").fetchone()))
    for i in range(1, 10000):
        row.update(id=f"ws-{i:012x}", name=f"w{i:05d}", uid_base=0)
        db.execute(f"INSERT INTO workspaces ({','.join(row)}) VALUES ({','.join('?' * len(row))})", list(row.values()))
    db.commit()
    db.close()
    s.start()
    try:
        # Others use this machine too: the best of a few rounds tells what the program costs.
        best = 1e9
        for _ in range(1 if sanitized else 5):
            names, took = pages(s)
            assert names == [f"w{i:05d}" for i in range(10000)]
            best = min(best, statistics.quantiles(took, n=100)[98])
        assert len(s.call("GET", "/v1/workspaces?limit=1000").json["workspaces"]) == 1000
        assert len(s.call("GET", "/v1/events").raw.splitlines()) == 10000
        print(f"p99 of a page of 100: {best:.1f} ms (bar: 20)")
        assert sanitized or best <= 100  # the bar is read, not asserted: tests share the machine. This one finds what is quadratic
    finally:
        s.close()
