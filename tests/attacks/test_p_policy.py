"""Group P: policy files that must be refused at all four doors alike, or must mean exactly one thing; and the rows of C, D and K about them.

In a vector, @@ stands before the offending value: the problem must name that place."""
import itertools
import json
import os
import subprocess

import pytest

from sawd import Sawd

HEAD = "version: 1\nname: p\n"
READ = HEAD + "verdicts: {read: allow}\nnetwork:\n"
BOTH = HEAD + "verdicts: {read: allow, write: allow}\nnetwork:\n"
NET = HEAD + "network:\n"
HTTP = "{name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, "


def blind(hosts="a.example", ports="443", rest="mode: passthrough, reason: test"):
    return NET + f"  - {{name: a, hosts: [{hosts}], ports: [{ports}], {rest}}}\n"


def rules(*lines, verdicts="read: allow, write: allow"):
    return HEAD + f"verdicts: {{{verdicts}}}\nnetwork:\n  - " + HTTP + "rules: [\n" + ",\n".join("      " + l for l in lines) + "]}\n"


TLS = "{name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, "


def creds(binding, use="x", rules="access: read-only", more=""):
    return (HEAD + "verdicts: {read: allow}\ncredentials:\n  x: {" + binding + "}\n" + more + "network:\n"
            "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, credential: " + use + ", " + rules + "}\n")


R, W, D = "class: read, methods: [GET]", "class: write, methods: [POST]", "deny: true, methods: ['*']"
REFUSED = [
    ("P1", HEAD + "@@netwrk: []\n", "did you mean `network`"),
    ("P1", READ + "  - {name: a, hosts: [a.example], ports: [80], mode: http, @@protocl: rest, access: read-only}\n", "did you mean `protocol`"),
    ("P1", rules(f"{{{R}, @@pathes: [/a]}}", verdicts="read: allow"), "did you mean `paths`"),
    ("P1", rules("{class: read, @@method: GET, paths: [/a]}", verdicts="read: allow"), "did you mean `methods`"),
    ("P1", rules(f"{{{R}, paths: [/a], @@tool: [x]}}", verdicts="read: allow"), "mcp"),
    ("P2", "version: 1\n@@version: 1\n", "twice"),
    ("P2", READ + "  - " + HTTP + "access: read-only, @@access: full}\n", "twice"),
    ("P2", NET + "  - {name: a, hosts: [a.example], ports: [1], mode: tcp, reason: x}\n"
                 "  - {name: @@a, hosts: [b.example], ports: [1], mode: tcp, reason: x}\n", "two entries have the name"),
    ("P3", blind(rest="mode: @@intercpt"), "allowed: passthrough, http, tcp"),
    ("P3", READ + "  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: @@rset, access: read-only}\n", "did you mean `rest`"),
    ("P3", rules("{class: @@wirte, methods: [POST], paths: [/a]}", verdicts="write: allow"), "did you mean `write`"),
    ("P3", READ + "  - " + HTTP + "access: @@readonly}\n", "did you mean `read-only`"),
    ("P3", HEAD + "verdicts: {read: @@alow}\n", "did you mean `allow`"),
    ("P4", READ + "  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: @@MCP, access: read-only}\n", "unknown value"),
    ("P4", blind(rest="mode: @@Intercept"), "unknown value"),
    ("P4", rules("{class: @@Read, methods: [GET], paths: [/a]}", verdicts="read: allow"), "unknown value"),
    ("P4", READ + "  - " + HTTP + "access: @@Full}\n", "unknown value"),
    ("P4", READ + "  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: @@\"rest \", access: read-only}\n", "unknown value"),
    ("P5", READ + "  - @@{name: a, hosts: [a.example], ports: [80], mode: http, access: read-only}\n", "without `protocol`"),
    ("P5", READ + "  - @@{name: a, hosts: [a.example], ports: [80], protocol: rest, access: read-only}\n", "`mode` is missing"),
    ("P6", READ + "  - " + HTTP + f"rules: [{{{R}, paths: [/a]}}], @@access: read-only}}\n", "two ways"),
    ("P6", READ + "  - {name: a, hosts: [a.example], @@port: 80, ports: [80], mode: http, protocol: rest, access: read-only}\n", "`ports`"),
    ("P6", rules(f"{{deny: true, @@{R}, paths: [/a]}}", verdicts="read: allow"), "beside `deny`"),
    ("P8", "@@", "version"),
    ("P8", "@@# nothing but a comment\n", "version"),
    *(("P9", f"version: @@{v}\n", "version") for v in ("0", "2", "7", '"1"', "1.0", "true")),
    ("P9", "@@name: a\n", "version"),
    ("P10", HEAD + "network: @@&x []\n", "anchors"),
    ("P10", HEAD + "network: @@*x\n", "aliases"),
    ("P10", HEAD + "@@<<: {lab: true}\n", "merge"),
    ("P10", HEAD + "network: @@!!seq []\n", "tags"),
    ("P10", HEAD + "@@---\nversion: 1\n", "document"),
    ("P10", "@@%YAML 1.1\n---\nversion: 1\n", "directives"),
    *(("P11", blind(hosts="@@" + v), "wrong type") for v in ("no", "on", "null", "1.5", "2026-01-01")),
    ("P11", rules("{deny: @@yes, methods: [GET], paths: [/a]}", verdicts=""), "booleans"),
    ("P11", rules("{deny: @@\"true\", methods: [GET], paths: [/a]}", verdicts=""), "booleans"),
    ("P11", READ + "  - " + HTTP + "access: read-only, observe: @@on}\n", "booleans"),
    ("P11", blind(ports='@@"443"'), "without quotes"),
    *(("P12", blind(ports="@@" + v), "port") for v in ("0", "65536", "-1", "443.0", "0x1bb", "0443", "1e3", "443-445")),
    ("P12", blind(ports="443, @@443"), "twice"),
    *(("P13", blind(hosts=f"@@'{v}'"), "first label") for v in ("api.example.*", "a.*.example.com", "api.**.com", "*.*.com")),
    *(("P13", blind(hosts=f"@@'{v}'"), "not allowed here") for v in ("*", "**", "*.com")),
    *(("P14", blind(hosts=f"@@'{v}'"), "public suffix") for v in ("*.co.uk", "*.github.io", "**.s3.amazonaws.com", "*.pages.dev")),
    *(("P15", blind(hosts=f"@@'{v}'"), w) for v, w in (("*example.com", "whole label"), ("api-*.example.com", "whole label"),
      ("a?i.example.com", "whole label"), ("[ab].example.com", "whole label"), ("{a,b}.example.com", "no host name has"))),
    *(("P17", blind(hosts=f"@@\"{v}\""), w) for v, w in (("A.example", "`a.example`"), ("a.example.", "`a.example`"),
      ("b\u00fccher.example", "`xn--bcher-kva.example`"), ("10.0.0.1", "address"), ("2130706433", "address"), ("0x7f.1", "address"),
      ("a.example:443", "`a.example`"), ("https://a.example", "`a.example`"), (" a.example", "without them"), ("", "empty"))),
    *(("P18", HEAD + f"verdicts: {{read: allow{v}}}\nnetwork:\n  - {{name: b, hosts: [x.example], ports: [80], mode: http, protocol: rest, access: read-only}}\n"
       f"  - {{name: a, hosts: [@@x.example], ports: [79, 80], {rest}}}\n", f"line 5) share names on port 80, but differ in `{field}`")
      for v, rest, field in (("", "mode: tcp, reason: x", "mode"), (", write: allow", "mode: http, protocol: rest, access: full", "rules"),
                             ("", "mode: http, protocol: rest, access: read-only, addresses: [10.0.0.0/8]", "addresses"))),
    ("P19", BOTH + "  - {name: a, hosts: [x.w.example], ports: [80], mode: http, protocol: rest, access: read-only}\n"
                   "  - {name: b, hosts: [@@'*.w.example'], ports: [80], mode: http, protocol: rest, access: full}\n", "differ in `rules`"),
    ("P19", rules("{class: read, methods: @@[GET, HEAD], paths: ['/admin/**']}", "{class: write, methods: ['*'], paths: ['/**']}"), "stays allowed"),
    ("P20", READ + "  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: @@graphql, access: read-only}\n", "not available"),
    ("P21", READ + "  - {name: a, hosts: ['**.d.example'], ports: [80], mode: http, protocol: rest, access: read-only}\n"
                   "  - {name: b, hosts: [@@x.d.example], ports: [80], mode: passthrough, reason: x}\n", "void the inspection"),
    ("P22", rules(f"{{{R}, paths: ['/a/**']}}", "@@{deny: true, methods: [], paths: [/a]}", verdicts="read: allow"), "never fire"),
    ("P22", rules(f"{{{R}, paths: ['/a/**']}}", "@@{deny: true, methods: [GET], paths: []}", verdicts="read: allow"), "never fire"),
    ("P22", rules(f"{{{R}, paths: ['/a/**']}}", f"@@{{{D}, paths: ['/b/**']}}", verdicts="read: allow"), "never fire"),
    ("P22", NET + "  - {name: a, hosts: [a.example], ports: [443], mode: passthrough, reason: x, @@rules: [{deny: true, methods: ['*'], paths: ['/**']}]}\n",
     "does not apply"),
    ("P23", rules(f"@@{{{R}, paths: ['/a/b']}}", f"{{{W}, paths: [/c]}}", "{deny: true, methods: [GET], paths: ['/a/**']}"), "never match"),
    ("P23", rules(f"{{{R}, paths: [/a], @@json: {{/x: [1]}}}}", verdicts="read: allow"), "methods that have one"),
    *(("P25", rules(f"{{{R}, paths: [@@'{p}']}}", verdicts="read: allow"), w) for p, w in (("/a**", "whole segments"), ("**/x", "slash"),
      ("/a?c", "query"), ("/[", "no wildcards"), ("a/b", "slash"), ("/a/../b", "dot segment"), ("/a//b", "empty segment"),
      ("/a?x=1", "query"), ("/%61", "`/a`"))),
    *(("P26", rules(f"{{class: read, methods: [@@{m}], paths: [/a]}}", verdicts="read: allow"), w) for m, w in (("get", "`GET`"),
      ("GTE", "`GET`"), ("'*'", "class read"))),
    ("P27", READ + "  - " + HTTP + "access: @@full}\n", "class `write` has no verdict"),
    ("P27", HEAD + "verdicts: {read: allow, @@write: allow}\nnetwork:\n  - " + HTTP + "access: read-only}\n", "no rule has class"),
    ("P27", HEAD + "verdicts: {@@unclassified: allow}\n", "always denied"),
    ("P28", READ + "  - " + HTTP + "access: read-only, @@credential: x}\n", "credentials"),
    ("P28", NET + "  - {name: a, hosts: [a.example], ports: [443], mode: passthrough, reason: x, @@credential: x}\n", "does not apply"),
    *(("P28", creds(c), w) for c, w in (
        ("inject: {bearer: true}, hosts: [a.example], paths: ['/**'], @@value: s3cret", "values never stand in a policy"),
        ("inject: {header: Authorization, format: @@'token'}, hosts: [a.example], paths: ['/**']", "`{}` exactly once"),
        ("inject: {header: Authorization, format: @@'{}ghp0123456789abcdefgh'}, hosts: [a.example], paths: ['/**']", "looks like a secret"),
        ("inject: {@@query: key}, hosts: [a.example], paths: ['/**']", "allow_query"),
        ("inject: {bearer: true}, hosts: [a.example, @@b.example], paths: ['/**']", "wider than its entries"),
        ("inject: {bearer: true}, hosts: [a.example], ports: [443, @@80], paths: ['/**']", "wider than its entries"))),
    ("P28", creds("inject: {bearer: true}, hosts: [a.example], paths: [@@'/**']", rules="rules: [{class: read, methods: [GET], paths: [/a]}]"),
     "wider than its entries"),
    ("P28", creds("inject: {bearer: true}, hosts: [a.example], paths: ['/**']", use="@@other"), "no credential `other`"),
    ("P28", creds("inject: {bearer: true}, hosts: [a.example], paths: ['/**']", rules="access: read-only, observe: @@true"), "would send the secret"),
    ("P2", creds("inject: {bearer: true}, hosts: [a.example], paths: ['/**']", more="  @@x: {}\n"), "twice"),
    ("P3", creds("inject: {@@bearr: true}, hosts: [a.example], paths: ['/**']"), "did you mean `bearer`"),
    ("P5", READ + "  - @@{name: a, hosts: [a.example], ports: [443], mode: intercept, access: read-only}\n", "without `protocol`"),
    ("P7", creds("inject: {bearer: true}, hosts: [a.example], paths: @@[]"), "none or more"),
    ("P18", READ + "  - " + TLS + "access: read-only}\n" + "  - " + TLS.replace("name: a", "name: b").replace("[a.", "[@@a.") + "access: read-only, set_cookie: strip}\n",
     "differ in `set_cookie`"),
    ("P18", READ + "  - " + TLS + "access: read-only}\n" + "  - " + TLS.replace("name: a", "name: b").replace("[a.", "[@@a.").replace("rest", "git") + "access: read-only}\n",
     "differ in `protocol`"),
    ("P20", BOTH + "  - " + TLS + "access: full}\n" + "  - " + TLS.replace("name: a", "name: b").replace("[a.", "[@@a.").replace("rest", "git") + "access: full}\n",
     "differ in `protocol`"),
    *(("P20", READ + "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: @@" + p + ", access: read-only}\n", "not available in this version")
      for p in ("mcp", "json-rpc", "graphql", "websocket", "opaque")),
    ("P21", READ + "  - " + TLS.replace("a.example", "'**.a.example'") + "access: read-only}\n"
                   "  - {name: b, hosts: [@@x.a.example], ports: [443], mode: passthrough, reason: x}\n", "void the inspection"),
    ("P23", READ + "  - " + TLS + "rules: [{class: read, methods: [GET], paths: [/a], @@git: fetch}]}\n", "read by protocol git"),
    ("P23", READ + "  - " + TLS.replace("rest", "git") + "rules: [{class: read, git: fetch, paths: [/a], @@json: {/x: [1]}}]}\n", "read by protocol rest"),
    ("P1", READ + "  - " + TLS.replace("rest", "git") + "rules: [{class: read, git: fetch, @@methods: [GET], paths: [/a]}]}\n", "instead"),
    ("P11", READ + "  - " + TLS + "rules: [{class: read, methods: [POST], paths: [/a], json: {/x: [@@yes]}}]}\n", "wrong type"),
    ("P27", HEAD + "verdicts: {@@publish: allow}\nnetwork:\n  - " + TLS + "rules: []}\n", "no rule has class"),
    ("F7", creds("inject: {bearer: true}, hosts: [a.example], paths: ['/**']",
                 rules="rules: [{class: read, methods: [GET], paths: ['/**'], @@websocket: opaque}]"), "nobody reads"),
    ("I18", READ.replace("read", "write") + "  - " + TLS.replace("rest", "git") + "rules: [{class: write, git: push, paths: [/a], refs: ['refs/**'], change: @@[update]}]}\n",
     "write both"),
    *(("P28", READ + "  - " + HTTP + f"access: read-only, addresses: [@@{a}]}}\n", w) for a, w in (("169.254.0.0/16", "link-local"),
      ("224.0.0.0/4", "multicast"), ("0.0.0.0/0", "never dialled"), ("10.20.0.1/16", "host bits"), ("010.0.0.0/8", "leading zeros"),
      ("127.0.0.0/8", "lab"))),
    ("P29", rules(f"{{{R}, paths: [/a, /b, @@'/c[', /d]}}", verdicts="read: allow"), "no wildcards"),
    ("C8", blind(hosts="@@'*.com'"), "not allowed here"),
    ("C8", blind(hosts="@@'*.co.uk'"), "public suffix"),
    ("C8", blind(hosts="@@'*.github.io'"), "public suffix"),
    ("C8", blind(hosts="@@'*'"), "not allowed here"),
    ("D4", blind(hosts="@@'*.a.example'"), "exact names"),
    ("D4", NET + "  - @@{name: a, hosts: [a.example], ports: [443], mode: passthrough}\n", "reason"),
    ("K4", rules(f"{{{R}, paths: ['/a*']}}", "@@{class: write, methods: [GET], paths: ['/*b']}"), "rules disagree"),
    ("K5", READ + "  - {name: a, hosts: [x.example], ports: [80], mode: http, protocol: rest, access: read-only}\n"
                  "  - {name: b, hosts: [@@x.example], ports: [80], mode: tcp, reason: x}\n", "void the inspection"),
]


@pytest.fixture(scope="session")
def saw(build):
    binary = next(p for p in (build / "src/cli/saw", build / "saw") if p.exists())

    def run(*args, text=None):
        return subprocess.run([str(binary), *map(str, args)], capture_output=True, text=True, timeout=60, check=False, input=text)
    return run


@pytest.fixture(scope="module")
def plane(build):
    """The control plane, whose compiler is a process of its own."""
    s = Sawd(build)
    s.start()
    yield s
    s.close()


def place(text):
    before = text.split("@@", 1)[0]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


@pytest.mark.parametrize("row,text,word", REFUSED, ids=[f"{r}-{i}" for i, (r, _, _) in enumerate(REFUSED)])
def test_a_refused_file_is_refused_at_all_doors_with_place_and_remedy(saw, plane, tmp_path, row, text, word):
    line, column = place(text)
    policy, blob = tmp_path / "p.yaml", tmp_path / "p.blob"
    policy.write_text(text.replace("@@", ""))
    told = json.loads((checked := saw("policy", "check", policy, "--json")).stdout)
    errors = [p for p in told["problems"] if p["severity"] == "error"]
    assert checked.returncode == 1 and not told["ok"]
    assert any((p["line"], p["column"]) == (line, column) and word in p["text"] for p in errors), (row, line, column, errors)
    assert all("; " in p["text"] or "? " in p["text"] or p["text"].endswith("?") for p in errors), "a remedy is missing"
    for p in errors:
        assert f"{policy}:{p['line']}:{p['column']}: {p['text']}" in saw("policy", "check", policy).stderr

    compiled = saw("policy", "compile", policy, "-o", blob)
    assert compiled.returncode == 1 and os.listdir(tmp_path) == ["p.yaml"]
    assert f"{policy}:{line}:{column}: " in compiled.stderr

    tried = saw("try", "--policy", policy, "--", "echo", "started")
    assert tried.returncode != 0 and "started" not in tried.stdout and f"{policy}:{line}:{column}: " in tried.stderr, tried

    answer = plane.call("POST", "/v1/workspaces", {"name": "dev", "driver": "try", "policy": {"file": "p.yaml", "text": policy.read_text()}})
    assert answer.status in (400, 422), answer
    if text == "@@":
        assert answer.json["field"], answer  # an empty text is no policy to begin with
        return
    assert [(p["line"], p["column"], p["message"]) for p in answer.json["problems"]] == [(p["line"], p["column"], p["text"]) for p in errors]
    assert plane.call("GET", "/v1/workspaces").json["workspaces"] == []


@pytest.fixture
def verdict(saw, tmp_path):
    """verdict(policy text, url...) -> (decision, reason, rule)"""
    def ask(text, *words):
        policy = tmp_path / "m.yaml"
        policy.write_text(text)
        done = saw("policy", "test", policy, *words, "--json")
        assert done.returncode in (0, 3), done.stderr
        got = json.loads(done.stdout)
        assert (done.returncode == 3) == (got["decision"] == "denied")
        return got["decision"], got["reason"], got.get("rule")
    return ask


@pytest.mark.parametrize("text,url,reason", [
    (blind(hosts=""), "https://a.example", "name_not_listed"),
    (blind(ports=""), "https://a.example", "port_not_listed"),
    (NET + "  - " + HTTP + "rules: []}\n", "http://a.example/", "path_not_listed"),
    (rules("{class: read, methods: [], paths: [/a]}", verdicts="read: allow"), "http://a.example/a", "path_not_listed"),
    (rules("{class: read, methods: [GET], paths: []}", verdicts="read: allow"), "http://a.example/a", "path_not_listed"),
    (rules(f"{{{R}, paths: [/a], query: {{x: []}}}}", verdicts="read: allow"), "http://a.example/a?x=1", "path_not_listed"),
    (HEAD, "https://a.example", "name_not_listed"),
    (HEAD + "network: []\n", "https://a.example", "name_not_listed"),
    (HEAD + "network:\n", "https://a.example", "name_not_listed"),
])
def test_p7_p8_an_empty_list_means_nothing_and_the_compiler_says_so(saw, verdict, tmp_path, text, url, reason):
    assert verdict(text, url)[:2] == ("denied", reason)
    told = json.loads(saw("policy", "check", tmp_path / "m.yaml", "--json").stdout)
    assert told["ok"] and [p for p in told["problems"] if p["severity"] == "warning"]


WILD = BOTH.replace(", write: allow", "") + """\
  - {name: one, hosts: ['*.one.example'], ports: [80], mode: http, protocol: rest, access: read-only}
  - {name: many, hosts: ['**.many.example'], ports: [80], mode: http, protocol: rest, access: read-only}
"""
WILD_NAMES = [("a.one.example", True), ("one.example", False), ("a.b.one.example", False), (".one.example", False),
              ("a.many.example", True), ("many.example", False), ("a.b.many.example", True), (".many.example", False)]


def test_p16_c7_a_wildcard_counts_labels_in_the_tool_and_in_dns(verdict, gateway):
    gw = gateway(WILD)
    for name, listed in WILD_NAMES:
        decision, reason, _ = verdict(WILD, f"http://{name}/")
        assert (decision == "allowed") == listed, name
        assert reason in ("ok", "name_not_listed", "malformed_name"), (name, reason)
        if not name.startswith("."):
            assert bool(gw.do("dns", name)["addresses"]) == listed, name


PATHS = rules(f"{{{R}, paths: ['/one/*', '/many/**', '/lit/x.y']}}", verdicts="read: allow")


@pytest.mark.parametrize("path,listed", [("/one/x", True), ("/one/x/y", False), ("/many/x/y", True), ("/many", False), ("/many/", True),
                                         ("/lit/x.y", True), ("/lit/xzy", False)])
def test_p25_one_matcher_chooses_and_grants(verdict, path, listed):
    assert verdict(PATHS, "http://a.example" + path)[1] == ("ok" if listed else "path_not_listed")


@pytest.mark.parametrize("access,granted", [("read-only", "GET HEAD"), ("read-write", "GET HEAD POST PUT PATCH"),
                                            ("full", "GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND FOO")])
def test_p26_each_preset_has_one_expansion(verdict, access, granted):
    text = (READ if access == "read-only" else BOTH) + "  - " + HTTP + f"access: {access}}}\n"
    for method in "GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND FOO TRACE CONNECT".split():
        want = "ok" if method in granted.split() else "method_not_listed"
        assert verdict(text, method, "http://a.example/x")[1] == want, (access, method)


def test_p19_written_as_a_deny_it_is_accepted_and_the_deny_wins(verdict):
    text = rules(f"{{{R}, paths: ['/**']}}", "{class: write, methods: [POST, PUT], paths: ['/**']}", "{deny: true, methods: [POST, PUT], paths: ['/admin/**']}")
    assert verdict(text, "POST", "http://a.example/admin/x")[:2] == ("denied", "denied_by_rule")
    assert verdict(text, "GET", "http://a.example/admin/x")[0] == "allowed"
    assert verdict(text, "POST", "http://a.example/x")[0] == "allowed"


def test_p24_a_dot_is_an_ordinary_character_of_a_value(verdict):
    text = rules(f"{{{R}, paths: ['/**']}}", "{deny: true, methods: [GET], paths: ['/d'], query: {t: ['fs*', '1.*']}}", verdicts="read: allow")
    for value in ("fs", "fs.read", "fs.read.all", "1.2", "1.2.3"):
        assert verdict(text, f"http://a.example/d?t={value}")[1] == "denied_by_rule", value
    assert verdict(text, "http://a.example/d?t=gs.read")[0] == "allowed"


def test_p27_k10_observing_is_visible_and_refused_in_a_production_channel(saw, verdict, tmp_path):
    text = READ + "  - " + HTTP + "observe: true, access: read-only}\n"
    assert verdict(text, "POST", "http://a.example/")[:2] == ("observed", "method_not_listed")
    done = saw("policy", "check", tmp_path / "m.yaml", "--production")
    assert done.returncode == 1 and "production" in done.stderr
    (tmp_path / "lab.yaml").write_text("version: 1\nlab: true\n")
    assert saw("policy", "check", tmp_path / "lab.yaml", "--production").returncode == 1
    assert saw("policy", "check", tmp_path / "lab.yaml").returncode == 0


def test_p29_order_means_nothing(saw, verdict, tmp_path):
    lines = [f"{{{R}, paths: ['/**']}}", "{class: write, methods: [POST, PUT], paths: ['/x/**', '/y']}", "{class: draft, methods: [POST], paths: ['/x/*/z']}",
             f"{{{D}, paths: ['/admin/**']}}"]
    digests, answers = set(), set()
    for order in itertools.permutations(lines):
        text = rules(*order, verdicts="draft: allow, read: allow, write: deny")
        answers.add((verdict(text, "POST", "http://a.example/x/1/z"), verdict(text, "PUT", "http://a.example/x/1/z"),
                     verdict(text, "GET", "http://a.example/admin/z")))
        digests.add(json.loads(saw("policy", "check", tmp_path / "m.yaml", "--json").stdout)["sha256"])
    assert len(digests) == 1 and answers == {(("allowed", "ok", "a: draft POST /x/*/z"), ("denied", "class_denied", "a: write POST,PUT /x/** (+1)"),
                                              ("denied", "denied_by_rule", "a: deny any /admin/**"))}


@pytest.mark.parametrize("text,word", [
    (READ + "  - " + TLS.replace("a.example", "hooks.corp.example") + "access: read-only}\n", "cannot tell reading from acting"),
    (READ + "  - " + TLS + "rules: [{class: read, methods: [GET], paths: ['/**']}, {deny: true, methods: [GET], paths: [/admin]}]}\n", "with their case")])
def test_g9_g16_what_policy_cannot_see_is_warned_about(saw, tmp_path, text, word):
    (tmp_path / "p.yaml").write_text(text)
    done = saw("policy", "check", tmp_path / "p.yaml")
    assert done.returncode == 0 and word in done.stderr


@pytest.mark.parametrize("text", [READ + "  - " + TLS.replace("a.example", "github.com").replace("rest", "git") + "access: read-only}\n", blind(hosts="github.com"), READ + "  - {name: a, hosts: [github.com], ports: [80], mode: http, protocol: rest, access: read-only}\n"])
def test_c17_d4_a_host_of_many_owners_is_warned_about(saw, tmp_path, text):
    (tmp_path / "p.yaml").write_text(text)
    done = saw("policy", "check", tmp_path / "p.yaml")
    assert done.returncode == 0 and "warning: `github.com` is shared by many owners" in done.stderr


TRAPS = """\
version: 1
network_policies:
  web:
    binaries: [{path: "/**"}]
    endpoints:
      - {host: web.example, port: 80, ENDPOINT}
"""


@pytest.mark.parametrize("endpoint,note,denied", [
    ("access: read-only", "without `protocol`", ("POST", "/")),
    ("protocol: rest, enforcement: Enforce, access: read-only", "only logs there", ("POST", "/")),
    ("protocol: rest, access: full, deny_rules: [{path: '/admin/**'}]", "any method", ("DELETE", "/admin/x")),
    ("protocol: rest, access: full, deny_rules: [{method: DELETE}]", "every path", ("DELETE", "/x")),
])
def test_p30_traps_of_another_runtime_are_settled_and_listed(saw, verdict, tmp_path, endpoint, note, denied):
    (tmp_path / "o.yaml").write_text(TRAPS.replace("ENDPOINT", endpoint))
    done = saw("policy", "import", "openshell", tmp_path / "o.yaml", "-o", tmp_path / "n.yaml")
    assert done.returncode == 0 and note in done.stderr and note in (tmp_path / "n.yaml").read_text(), done
    text = (tmp_path / "n.yaml").read_text()
    assert verdict(text, denied[0], "http://web.example" + denied[1])[0] == "denied"
    assert verdict(text, "GET", "http://web.example/x")[0] == "allowed"


def test_p30_rules_for_https_become_an_intercepted_entry(saw, verdict, tmp_path):
    (tmp_path / "o.yaml").write_text(TRAPS.replace("port: 80", "ports: [443, 80]").replace("ENDPOINT", "protocol: rest, enforcement: enforce, access: read-only"))
    done = saw("policy", "import", "openshell", tmp_path / "o.yaml", "-o", tmp_path / "n.yaml")
    text = (tmp_path / "n.yaml").read_text()
    assert done.returncode == 0 and "mode: intercept" in text and "mode: http" in text, done
    for scheme in ("https", "http"):
        assert verdict(text, "GET", scheme + "://web.example/x")[0] == "allowed"
        assert verdict(text, "POST", scheme + "://web.example/x")[:2] == ("denied", "method_not_listed")


@pytest.mark.parametrize("endpoint,word", [
    ("protocol: rest, enforcement: enfroce, access: read-only", "unknown enforcement"), ("protocol: MCP, access: full", "unknown value"),
    ("protocol: rest, access: readonly", "did you mean `read-only`"), ("protocol: rest, tls: none, access: full", "unknown `tls`"),
    ("protocol: rest, allowed_ips: [10.0.0.0/8], access: full", "by hand"), ("protocol: rest, access: full, zzz: 1", "unknown key")])
def test_p30_what_has_no_equal_is_refused_and_nothing_is_written(saw, tmp_path, endpoint, word):
    (tmp_path / "o.yaml").write_text(TRAPS.replace("ENDPOINT", endpoint))
    done = saw("policy", "import", "openshell", tmp_path / "o.yaml", "-o", tmp_path / "n.yaml")
    assert done.returncode == 1 and word in done.stderr and f"{tmp_path / 'o.yaml'}:6:" in done.stderr and not (tmp_path / "n.yaml").exists(), done


def test_p30_a_list_of_programs_is_never_dropped_silently(saw, tmp_path):
    (tmp_path / "o.yaml").write_text(TRAPS.replace('"/**"', "/usr/bin/curl").replace("port: 80, ENDPOINT", "port: 443"))
    assert "--any-process" in saw("policy", "import", "openshell", tmp_path / "o.yaml").stderr
    done = saw("policy", "import", "openshell", tmp_path / "o.yaml", "--any-process")
    assert done.returncode == 0 and "every process" in done.stdout


def test_two_rules_of_another_runtime_for_one_host_that_disagree_are_refused(saw, tmp_path):
    text = TRAPS.replace("ENDPOINT", "protocol: rest, access: full") + "      - {host: '*.example.com', port: 80, protocol: rest, access: read-only}\n" \
        "      - {host: x.example.com, port: 80, protocol: rest, access: full}\n"
    (tmp_path / "o.yaml").write_text(text)
    done = saw("policy", "import", "openshell", tmp_path / "o.yaml")
    assert done.returncode == 1 and "entries disagree" in done.stderr and not done.stdout
