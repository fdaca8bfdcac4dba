"""What a denial says that Security would have to change: made, it allows what was refused, and of all its neighbours only those in the table."""
import json
import re
import subprocess

import pytest
import yaml

HTTPS = {"ports": [443], "mode": "intercept"}


def rest(*rules, **more):
    return {"name": "a", "hosts": ["a.example"], **HTTPS, "protocol": "rest", "rules": list(rules), **more}


def git(*rules):
    return {"name": "a", "hosts": ["a.example"], **HTTPS, "protocol": "git", "rules": list(rules)}


def rule(cls, *methods, paths, **more):
    return {"class": cls, "methods": list(methods), "paths": paths, **more}


def policy(*network, **more):
    return {"version": 1, "name": "t", "network": list(network), **more}


READ = policy(rest(rule("read", "GET", "HEAD", paths=["/pub/**"])), verdicts={"read": "allow"})
REVIEWED = policy(rest(rule("read", "GET", paths=["/**"]), rule("write", "POST", "PUT", paths=["/repos/**"])), verdicts={"read": "allow", "write": "review"})
EXACT = policy(rest(rule("write", "POST", paths=["/one"]), rule("read", "GET", paths=["/**"])), verdicts={"read": "allow", "write": "deny"})
HELD = policy(rest(rule("write", "GET", paths=["/one"]), rule("write", "GET", paths=["/two"]), rule("draft", "POST", paths=["/x"])),
              verdicts={"draft": "allow", "write": "deny"})
JSON = policy(rest(rule("draft", "POST", paths=["/pulls"], json={"/draft": [True], "/kind": ["a", "b"]})), verdicts={"draft": "allow"})
QUERY = policy(rest(rule("read", "GET", paths=["/q"], query={"kind": ["a"]})), verdicts={"read": "allow"})
TIGHT = policy(rest(rule("draft", "POST", paths=["/repos/*/pulls"], json={"/draft": [True]}), rule("write", "POST", paths=["/repos/**"])),
               verdicts={"draft": "allow", "write": "deny"})
SHUT = policy(rest(rule("read", "GET", paths=["/**"]), {"deny": True, "methods": ["*"], "paths": ["/admin"]}), verdicts={"read": "allow"})
SHUT_TWICE = policy(rest(rule("read", "GET", paths=["/**"]), rule("write", "POST", paths=["/admin", "/x"]), {"deny": True, "methods": ["*"], "paths": ["/admin"]}),
                    verdicts={"read": "allow", "write": "review"})
PRESET = policy({"name": "a", "hosts": ["a.example"], **HTTPS, "protocol": "rest", "access": "read-write"}, verdicts={"read": "allow", "write": "review"})
FULL = policy({"name": "a", "hosts": ["a.example"], **HTTPS, "protocol": "rest", "access": "full"}, verdicts={"read": "allow", "write": "deny"})
FULL_HELD = policy({"name": "a", "hosts": ["a.example"], **HTTPS, "protocol": "rest", "access": "full"}, verdicts={"read": "review", "write": "review"})
FULL_ALLOWED = policy({"name": "a", "hosts": ["a.example"], **HTTPS, "protocol": "rest", "access": "full"}, verdicts={"read": "allow", "write": "allow"})
HELD_JSON = policy(rest(rule("write", "POST", paths=["/x"], json={"/kind": ["a"]})), verdicts={"write": "review"})
TWO_JSON = policy(rest(rule("write", "POST", paths=["/x"], json={"/kind": ["a"]}), rule("draft", "POST", paths=["/x"], json={"/kind": ["b"]})),
                  verdicts={"write": "review", "draft": "allow"})
BOUND = policy(rest(rule("read", "GET", paths=["/**"]), credential="c"), verdicts={"read": "allow"},
               credentials={"c": {"inject": {"bearer": True}, "hosts": ["a.example"], "paths": ["/repos/**"]}})
SPENT = policy(rest(rule("read", "GET", paths=["/repos/**"]), credential="c"), verdicts={"read": "allow"},
               credentials={"c": {"inject": {"bearer": True}, "hosts": ["a.example"], "ports": [443], "paths": ["/repos/**"]}})
MODELS = policy(rest(rule("draft", "POST", paths=["/chat"]), rule("draft", "POST", paths=["/text"]), models=["small-*"]), verdicts={"draft": "allow"})
FETCH = policy(git({"class": "read", "git": "fetch", "paths": ["/o/r"]}), verdicts={"read": "allow"})
PUSH = policy(git({"class": "read", "git": "fetch", "paths": ["/o/*"]},
                  {"class": "write", "git": "push", "paths": ["/o/r"], "refs": ["refs/heads/agent/**"], "change": ["create"]}),
              verdicts={"read": "allow", "write": "allow"})
PUSH_HELD = policy(git({"class": "write", "git": "push", "paths": ["/o/r"], "refs": ["refs/**"], "change": ["create", "update", "force", "delete"]}),
                   verdicts={"write": "review"})
PUSH_SHUT = policy(git({"class": "write", "git": "push", "paths": ["/o/*"], "refs": ["refs/**"], "change": ["create", "delete"]},
                       {"deny": True, "git": "push", "paths": ["/o/x"], "refs": ["refs/**"], "change": ["create"]}), verdicts={"write": "deny"})
GIT_PRESET = policy({"name": "a", "hosts": ["a.example"], **HTTPS, "protocol": "git", "access": "read-only"}, verdicts={"read": "allow"})
SLASH = policy(rest(rule("read", "GET", paths=["/**"])), verdicts={"read": "allow"})
SPELT = policy(rest(rule("read", "GET", paths=["/**"]), rule("write", "GET", "HEAD", paths=["/held/**"]), {"deny": True, "methods": ["*"], "paths": ["/admin/x"]},
                    encoded_slash=True), verdicts={"read": "allow", "write": "deny"})
LETTERS = policy(rest(rule("write", "*", paths=["/any/**"]), {"deny": True, "methods": ["*"], "paths": ["/any/c+d"]}), verdicts={"write": "allow"})
GRPC = policy({"name": "a", "hosts": ["a.example"], **HTTPS, "protocol": "grpc", "rules": [{"class": "read", "paths": ["/pkg.S/Get"]}]}, verdicts={"read": "allow"})

U = "https://a.example"
PACK = f"POST {U}/o/r/git-receive-pack"
# name: policy, question, neighbours that stay as they were, neighbours that the change allows too
CASES = {
    "name": (READ, ["GET https://b.example/x"], [["GET https://b.example/y"], ["GET http://b.example/x"], ["GET https://c.example/x"]], [["HEAD https://b.example/x"]]),
    "name-of-an-entry": (policy(rest(rule("read", "GET", paths=["/**"]), name="b-example"), verdicts={"read": "allow"}), ["GET https://b.example/x"],
                         [["GET https://b.example/"]], []),
    "name-to-write": (READ, ["POST https://b.example/x"], [["GET https://b.example/x"], ["PUT https://b.example/x"], [f"POST {U}/pub/x"]], []),
    "name-in-clear": (READ, ["GET http://b.example/x"], [["GET https://b.example/x"], ["GET http://b.example/"]], []),
    "name-raw": (READ, ["tcp://b.example:22"], [["tcp://b.example:23"], ["GET https://b.example/"]], []),
    "port": (READ, [f"GET {U}:8443/pub/x"], [[f"GET {U}:8444/pub/x"], [f"POST {U}:8443/pub/x"], ["GET http://a.example/pub/x"]], [[f"GET {U}:8443/pub/y"]]),
    "port-and-path": (READ, [f"GET {U}:8443/x"], [[f"GET {U}:8443/y"], [f"GET {U}:8444/x"]], [[f"GET {U}/x"], [f"GET {U}:8443/pub/x"]]),
    "port-in-clear": (READ, ["GET http://a.example/pub/x"], [["GET http://a.example/pub/y"], [f"GET {U}/x"]], []),
    "port-in-clear-beside-a-credential": (SPENT, ["GET http://a.example/repos/x"], [["GET http://a.example/repos/y"], [f"GET {U}/x"]], []),
    "models-and-rule": (MODELS, [f"POST {U}/embed", {"model": "large"}], [[f"POST {U}/embed", {"model": "huge"}], [f"PUT {U}/embed", {"model": "large"}]],
                        [[f"POST {U}/embed", {"model": "small-1"}], [f"POST {U}/chat", {"model": "large"}]]),
    "models-met-and-rule": (MODELS, [f"POST {U}/embed", {"model": "small-1"}], [[f"POST {U}/embed", {"model": "large"}], [f"POST {U}/chat", {"model": "large"}]], []),
    "models-and-rule-without-a-body": (MODELS, [f"GET {U}/embed"], [[f"GET {U}/chat"]], []),
    "models": (MODELS, [f"POST {U}/chat", {"model": "large"}], [[f"POST {U}/chat", {"model": "huge"}], [f"POST {U}/chat", {}]], [[f"POST {U}/text", {"model": "large"}]]),
    "port-with-a-credential": (SPENT, [f"GET {U}:8443/repos/x"], [[f"GET {U}:8444/repos/x"], [f"GET {U}:8443/x"]], [[f"GET {U}:8443/repos/y"]]),
    "path": (READ, [f"GET {U}/x"], [[f"GET {U}/x/y"], [f"GET {U}/"], [f"POST {U}/x"]], [[f"HEAD {U}/x"]]),
    "method": (READ, [f"POST {U}/pub/x"], [[f"POST {U}/pub/y"], [f"PUT {U}/pub/x"], [f"DELETE {U}/pub/x"]], []),
    "delete": (REVIEWED, [f"DELETE {U}/repos/x"], [[f"POST {U}/repos/x"], [f"DELETE {U}/repos/y"]], []),
    "websocket": (READ, ["wss://a.example/pub/live"], [["wss://a.example/pub/other"], [f"POST {U}/pub/live"]], []),
    "grpc": (GRPC, [f"POST {U}/pkg.S/Set"], [[f"POST {U}/pkg.S/Del"]], []),
    "review": (REVIEWED, [f"POST {U}/repos/o/r/pulls"], [[f"POST {U}/repos/o/r"], [f"PUT {U}/repos/o/r/pulls"], [f"POST {U}/x"]], []),
    "class": (EXACT, [f"POST {U}/one"], [[f"PUT {U}/one"], [f"POST {U}/two"]], []),
    "class-of-two": (HELD, [f"GET {U}/one"], [[f"GET {U}/two"]], [[f"HEAD {U}/one"]]),
    "preset": (PRESET, [f"POST {U}/x"], [[f"POST {U}/y"], [f"PUT {U}/x"], [f"DELETE {U}/x"]], []),
    "preset-delete": (PRESET, [f"DELETE {U}/x"], [[f"POST {U}/x"], [f"DELETE {U}/y"]], []),
    "preset-full": (FULL, [f"DELETE {U}/x"], [[f"DELETE {U}/y"], [f"POST {U}/x"], [f"FOO {U}/x"]], []),
    "preset-full-held": (FULL_HELD, [f"GET {U}/x"], [[f"GET {U}/y"], [f"POST {U}/x"]], [[f"HEAD {U}/x"]]),
    "preset-full-websocket": (FULL_ALLOWED, ["wss://a.example/x"], [["wss://a.example/y"], [f"TRACE {U}/x"]], []),
    "json-of-a-class-held-back": (HELD_JSON, [f"POST {U}/x", {"kind": "b"}], [[f"POST {U}/x", {"kind": "c"}], [f"POST {U}/y", {"kind": "b"}]], [[f"POST {U}/x", {"kind": "a"}]]),
    "json-beside-a-class-held-back": (TWO_JSON, [f"POST {U}/x", {"kind": "c"}], [[f"POST {U}/x", {"kind": "a"}]], []),
    "json": (JSON, [f"POST {U}/pulls", {"draft": False, "kind": "a"}], [[f"POST {U}/pulls", {"draft": False, "kind": "c"}], [f"POST {U}/pulls", {"kind": "a"}]],
             [[f"POST {U}/pulls", {"draft": False, "kind": "b"}]]),
    "json-both": (JSON, [f"POST {U}/pulls", {"draft": 7, "kind": "c"}], [[f"POST {U}/pulls", {"draft": False, "kind": "c"}]],
                  [[f"POST {U}/pulls", {"draft": True, "kind": "c"}]]),
    "json-held": (TIGHT, [f"POST {U}/repos/r/pulls", {"draft": False}], [], [[f"POST {U}/repos/r", {}]]),
    "query": (QUERY, [f"GET {U}/q?kind=b%22"], [[f"GET {U}/q?kind=c"], [f"GET {U}/q"]], []),
    "deny": (SHUT, [f"GET {U}/admin"], [[f"POST {U}/admin"]], []),
    "deny-and-class": (SHUT_TWICE, [f"POST {U}/admin"], [[f"POST {U}/x"], [f"GET {U}/admin"]], []),
    "binding": (BOUND, [f"GET {U}/user"], [[f"GET {U}/orgs"]], []),
    "rule-and-binding": (SPENT, [f"GET {U}/user"], [[f"GET {U}/orgs"], [f"POST {U}/user"]], []),
    "encoded-slash": (SLASH, [f"GET {U}/@s%2fp"], [[f"POST {U}/@s%2fp"]], [[f"GET {U}/a%2Fb"]]),
    "encoded-slash-and-path": (READ, [f"GET {U}/@s%2fp"], [[f"GET {U}/@s%2fq"], [f"GET {U}/@s/p"], [f"POST {U}/@s%2fp"]], [[f"HEAD {U}/@s%2Fp"]]),
    "encoded-slash-and-name": (READ, ["GET https://b.example/@s%2fp"], [["GET https://b.example/@s%2fq"], ["GET https://b.example/@s/p"]], []),
    "encoded-slash-and-port": (READ, [f"GET {U}:8443/pub%2fx"], [[f"GET {U}:8443/x"], [f"GET {U}:8444/pub%2fx"]], [[f"GET {U}:8443/pub/x"]]),
    "deny-of-another-spelling": (SPELT, [f"GET {U}/admin%2Fx"], [[f"GET {U}/held/x"]], [[f"GET {U}/admin/x"]]),
    "class-of-another-spelling": (SPELT, [f"GET {U}/held%2Fx"], [[f"GET {U}/held/y"], [f"GET {U}/held%2Fy"], [f"HEAD {U}/held/y"]], [[f"GET {U}/held/x"]]),
    "websocket-beside-a-deny-of-another-spelling": (LETTERS, ["wss://a.example/any/c%2Bd"], [["wss://a.example/any/c+d"], [f"POST {U}/any/c+d"]], [[f"GET {U}/any/c+d"]]),
    "git-fetch": (FETCH, [f"GET {U}/o/other/info/refs?service=git-upload-pack"],
                  [[f"GET {U}/o/third/info/refs?service=git-upload-pack"], [f"GET {U}/o/other/info/refs?service=git-receive-pack"]],
                  [[f"POST {U}/o/other.git/git-upload-pack"]]),
    "git-preset": (GIT_PRESET, [f"GET {U}/o/r/info/refs?service=git-receive-pack"], [[f"GET {U}/o/x/info/refs?service=git-receive-pack"],
                                                                                  [PACK, "--push=create:refs/heads/main"]], [[PACK, "--push=create:refs/heads/agent/x"]]),
    "git-announced": (FETCH, [f"GET {U}/o/r/info/refs?service=git-receive-pack"], [[PACK, "--push=create:refs/heads/main"], [PACK, "--push=delete:refs/heads/agent/x"]],
                      [[PACK, "--push=update:refs/heads/agent/x"]]),
    "git-ref": (PUSH, [PACK, "--push=create:refs/heads/main"], [[PACK, "--push=update:refs/heads/main"], [PACK, "--push=create:refs/heads/x"]], []),
    "git-change": (PUSH, [PACK, "--push=update:refs/heads/agent/x,delete:refs/heads/old"], [[PACK, "--push=update:refs/heads/agent/y"], [PACK, "--push=create:refs/heads/old"]],
                   [[PACK, "--push=create:refs/heads/agent/z,update:refs/heads/agent/x"]]),
    "git-beside-a-deny": (PUSH_SHUT, [f"POST {U}/o/x/git-receive-pack", "--push=delete:refs/heads/x"],
                          [[f"POST {U}/o/x/git-receive-pack", "--push=create:refs/heads/x"], [f"POST {U}/o/x/git-receive-pack", "--push=delete:refs/heads/y"],
                           [f"POST {U}/o/y/git-receive-pack", "--push=delete:refs/heads/x"]], []),
    "git-review": (PUSH_HELD, [PACK, "--push=create:refs/heads/x"], [[PACK, "--push=update:refs/heads/x"], [PACK, "--push=create:refs/heads/y"]], []),
}
NEVER = {
    "metadata": [READ, "GET http://metadata.google.internal/"], "address": [READ, "GET http://169.254.169.254/"], "dots": [READ, f"GET {U}/pub/../x"],
    "scheme": [READ, "GET http://a.example:443/pub/x"], "trace": [READ, f"TRACE {U}/pub/x"], "not-git": [FETCH, f"GET {U}/o/r/HEAD"],
    "slashes": [SPELT, f"GET {U}/a" + "%2Fa" * 9],
    "gateway": [READ, "GET http://saw.internal/v1/reach"], "gateways-names": [READ, "GET https://x.saw.internal/"], "dns": [READ, "tcp://a.example:53"],
    "dns-of-another": [READ, "tcp://b.example:53"], "raw-beside-a-secret": [SPENT, "tcp://a.example:22"], "letters": [READ, f"get {U}/pub/x"],
    "letters-beside-any": [FULL_ALLOWED, f"delete {U}/pub/x"],
    "websocket-with-a-secret": [SPENT, "wss://a.example/repos/x"], "backslash": [SPELT, f"GET {U}/a%5Cb"], "backslash-without-a-flag": [READ, f"GET {U}/pub/a%5Cb"],
    "websocket-of-another": [READ, "POST wss://b.example/x"], "websocket-of-a-port": [READ, "POST wss://a.example:8443/pub/x"], "dots-of-another": [READ, "GET https://b.example/../x"],
    "override-of-another": [READ, "GET https://b.example/x?_method=PUT"], "connect-to-another": [READ, "CONNECT https://b.example/"], "repeated-key": [QUERY, f"GET {U}/q?kind=a&kind=a"],
}


def split(change):
    """The edits, apart at semicolons outside of quotes."""
    return re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^";])+', change)


def rule_at(entry, name):
    """By its name, as far as one rule's class, or deny, and a path tell it."""
    word, acts, path = re.match(r"[^:]+: (\S+) (?:push )?(\S+) (\S+)", name).groups()
    found = [r for r in entry["rules"] if (r.get("class") == word or (word == "deny" and r.get("deny"))) and
             any(p.removesuffix(".git") == path for p in r["paths"]) and (acts == "any" or acts.split(",")[0] in r.get("methods", r.get("change", ["fetch"])) + ["websocket"])]
    assert len(found) == 1, (name, entry)
    return found[0]


def make(document, change):
    """The document with the edits made, as a person who reads them would."""
    for edit in split(change):
        place, verb = re.match(r'\s*((?:"(?:[^"\\]|\\.)*"|[^":])+): (.*)', edit).groups()
        entry = re.match(r"network\[(.*?)\]", place)
        entry = next(e for e in document["network"] if e["name"] == entry[1]) if entry else None
        rest_of = place[place.index("]") + 1:] if entry else place
        word, value = re.match(r"(add|set|remove, or narrow|write out as rules|where it has them, add) ?(.*)", verb).groups()
        named = re.match(r'\.rules\[("(?:[^"\\]|\\.)*")\](.*)', rest_of)
        if named:
            at, inside = rule_at(entry, json.loads(named[1])), named[2]
            if word == "remove, or narrow":
                left = re.match(r"it so that (\S+) (\S+) is left out", value)
                other = [m for m in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE") if m != left[1]]
                at["methods"] = other if at["paths"] == [left[2]] else at["methods"]
            elif word == "set":
                at[inside[1:]] = yaml.safe_load(value)
            else:
                kind, key = re.match(r'\.(json|query)\[(".*")\]', inside).groups()
                at[kind][json.loads(key)].append(yaml.safe_load(value))
        elif word == "write out as rules":
            if entry.pop("access", None):
                entry["rules"] = yaml.safe_load(re.sub(r" \(.*\)$", "", value))
        elif place == "verdicts":
            document.setdefault("verdicts", {}).update(yaml.safe_load("{%s}" % value))
        elif place == "network":
            document["network"].append(yaml.safe_load(value))
        elif place.startswith("credentials"):
            binding = document["credentials"][re.match(r"credentials\[(.*?)\]", place)[1]]
            if word == "add" or "ports" in binding:
                binding[place.rsplit(".", 1)[1]].append(yaml.safe_load(value))
        elif rest_of == ".models" and word == "where it has them, add":
            entry.get("models", []).append(yaml.safe_load(value))
        elif rest_of.startswith(".models (or "):
            entry["models"].append(yaml.safe_load(value))
        elif word == "set":
            entry[rest_of[1:]] = yaml.safe_load(value)
        else:
            entry[rest_of[1:]].append(yaml.safe_load(re.sub(r" with the refs that it needs$", "", value)))
    return document


@pytest.fixture
def ask(build, tmp_path):
    def run(document, words):
        (tmp_path / "p.yaml").write_text(json.dumps(document))
        (tmp_path / "body.json").write_text(json.dumps(words[1]) if len(words) > 1 and isinstance(words[1], dict) else "{}")
        more = [w for w in words[1:] if isinstance(w, str)]
        more += [] if any(w.startswith("--push") for w in more) else ["--body", "body.json"]  # a push is the body
        done = subprocess.run([str(build / "src/cli/saw"), "policy", "test", "p.yaml", words[0], *more, "--json"], capture_output=True, text=True, timeout=60,
                              check=False, cwd=tmp_path)
        assert done.returncode in (0, 3), (document, words, done)
        return json.loads(done.stdout)
    return run


@pytest.mark.parametrize("name", CASES)
def test_a_change_once_made_allows_what_was_refused_and_nothing_beside_it(ask, name):
    document, question, still, too = CASES[name]
    told = ask(document, question)
    assert told["decision"] == "denied", told
    before = [ask(document, q)["decision"] for q in still + too]
    assert set(before) <= {"denied"}, (before, still + too)
    change = told["policy_change"]
    changed = make(json.loads(json.dumps(document)), change)
    now = ask(changed, question)
    assert now["decision"] == "allowed" and "policy_change" not in now, (change, now)
    assert [(q, ask(changed, q)["decision"]) for q in still] == [(q, "denied") for q in still], change
    assert [(q, ask(changed, q)["decision"]) for q in too] == [(q, "allowed") for q in too], change


@pytest.mark.parametrize("push, reason, rule", [("create", "denied_by_rule", "a: deny push create /o/x"), ("delete", "class_denied", "a: write push create,delete /o/*"),
                                                ("update", "git_operation_not_listed", "a")])
def test_a_push_is_refused_by_the_rule_that_decides_its_change_where_none_could_pass(ask, push, reason, rule):
    told = ask(PUSH_SHUT, [f"POST {U}/o/x/git-receive-pack", f"--push={push}:refs/heads/x"])
    assert (told["reason"], told["rule"]) == (reason, rule), told


@pytest.mark.parametrize("name", NEVER)
def test_what_no_policy_allows_says_so(ask, name):
    told = ask(NEVER[name][0], NEVER[name][1:])
    assert told["decision"] == "denied" and told["policy_change"].startswith("no policy allows this: "), told
