"""`saw policy`: its verbs, their exit codes and their JSON."""
import json
import os
import stat
import subprocess

import pytest

GOOD = """\
version: 1
name: flow
verdicts: {read: allow, write: review}
network:
  - {name: web, hosts: [web.example], ports: [80], mode: http, protocol: rest, access: read-write, addresses: [10.0.0.0/8]}
  - {name: pinned, hosts: [pass.example], ports: [443], mode: passthrough, reason: "pins its certificate"}
  - {name: db, hosts: [db.example], ports: [5432], mode: tcp, reason: "a database"}
"""


@pytest.fixture
def saw(build, tmp_path):
    def run(*args, text=None, code=0):
        done = subprocess.run([str(build / "src/cli/saw"), "policy", *map(str, args)], capture_output=True, text=True, timeout=60, check=False,
                              input=text, cwd=tmp_path)
        assert done.returncode == code, (args, done)
        return done
    return run


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_a_good_file_is_summed_up_with_its_digest(saw, good):
    assert "policy flow is good: 3 hosts, 3 ports" in saw("check", good).stdout
    told = json.loads(saw("check", good, "--json").stdout)
    assert told["ok"] and told["policy"] == "flow" and len(told["sha256"]) == 64 and told["hosts"] == 3
    assert [p["severity"] for p in told["problems"]] == ["warning"]


def test_compile_writes_a_private_file_at_once_or_nothing(saw, good, tmp_path):
    saw("compile", good, "-o", "p.blob")
    blob = tmp_path / "p.blob"
    assert blob.read_bytes()[:8] == b"SAWPOLCY" and stat.S_IMODE(blob.stat().st_mode) == 0o600
    before = blob.read_bytes()
    (tmp_path / "bad.yaml").write_text("version: 2\n")
    saw("compile", "bad.yaml", "--output", "p.blob", code=1)
    assert blob.read_bytes() == before and sorted(os.listdir(tmp_path)) == ["bad.yaml", "good.yaml", "p.blob"]
    assert "beside no/such/folder/p.blob: No such file" in saw("compile", good, "-o", "no/such/folder/p.blob", code=1).stderr


def test_a_pipe_or_a_device_is_written_to_and_never_replaced(saw, good, tmp_path):
    saw("compile", good, "-o", "p.blob")
    os.mkfifo(tmp_path / "pipe")
    fd = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    saw("compile", good, "-o", "pipe")
    assert os.read(fd, 1 << 16) == (tmp_path / "p.blob").read_bytes() and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    os.close(fd)
    (tmp_path / "full").symlink_to("/dev/full")
    assert "write full: No space left" in saw("compile", good, "-o", "full", code=1).stderr and (tmp_path / "full").is_symlink()


@pytest.mark.parametrize("words,decision,reason,rule", [
    (["GET http://web.example/x"], "allowed", "ok", "web: read GET,HEAD /**"),
    (["http://web.example"], "allowed", "ok", "web: read GET,HEAD /**"),
    (["POST", "http://web.example/x?y=1"], "denied", "review_not_available", "web: write POST,PUT,PATCH /**"),
    (["DELETE", "http://web.example/x"], "denied", "method_not_listed", "web"),
    (["http://WEB.example./x"], "allowed", "ok", "web: read GET,HEAD /**"),
    (["http://web.example:81/"], "denied", "port_not_listed", None),
    (["http://evil.example/"], "denied", "name_not_listed", None),
    (["http://127.1/"], "denied", "not_a_host_name", None),
    (["http://web.example@evil.example/"], "denied", "userinfo_in_target", None),
    (["http://web.example/a/../b"], "denied", "dot_segment", "web"),
    (["http://web.example/a//b"], "denied", "empty_segment", "web"),
    (["http://web.example/a%2Fb"], "denied", "encoded_slash", "web"),
    (["http://web.example/a;b"], "denied", "path_parameter", "web"),
    (["https://pass.example/any/path"], "allowed", "ok", "pinned"),
    (["https://web.example:80/"], "denied", "not_http", "web"),
    (["http://pass.example:443/"], "denied", "not_tls", "pinned"),
    (["tcp://db.example:5432"], "allowed", "ok", "db"),
    (["tcp://pass.example:443"], "denied", "not_tls", "pinned"),
])
def test_a_request_has_the_gateways_verdict_from_text_and_from_blob_alike(saw, good, words, decision, reason, rule):
    saw("compile", good, "-o", "p.blob")
    code = 3 if decision == "denied" else 0
    told = json.loads(saw("test", good, *words, "--json", code=code).stdout)
    assert (told["decision"], told["reason"], told.get("rule")) == (decision, reason, rule)
    told.pop("line", None)  # which only the text has
    assert told == json.loads(saw("test", "p.blob", *words, "--json", code=code).stdout)
    shown = saw("test", good, *words, code=code).stdout
    assert shown.startswith(f"{decision}: ") and f"({reason})" in shown
    assert (f"remedy  {told['remedy']}" in shown) == (decision == "denied")


def test_header_conditions_can_be_asked(saw, tmp_path):
    (tmp_path / "p.yaml").write_text("version: 1\nverdicts: {read: allow}\nnetwork:\n  - {name: a, hosts: [a.example], ports: [80], mode: http, "
                                     "protocol: rest, rules: [{class: read, methods: [GET], paths: [/x], headers: [x-kind]}]}\n")
    assert json.loads(saw("test", "p.yaml", "http://a.example/x", "--json", code=3).stdout)["reason"] == "condition_not_met"
    saw("test", "p.yaml", "http://a.example/x", "--headers", "accept,X-Kind")


@pytest.mark.parametrize("words", [[], ["check"], ["nosuch"], ["test", "f.yaml"], ["compile", "f.yaml"], ["check", "f.yaml", "--nosuch"],
                                   ["test", "f.yaml", "no url"], ["test", "f.yaml", "ftp://a.example/"], ["test", "f.yaml", "G@T http://a.example/"],
                                   ["import", "other", "f.yaml"], ["diff", "f.yaml"], ["pack", "f.yaml", "nonsense"], ["pack", "f.yaml", "a=\"b"]])
def test_wrong_use_ends_with_2_and_says_how(saw, words):
    assert saw(*words, code=2).stderr


def test_help_is_no_error(saw):
    assert "policy import openshell FILE" in saw("help").stdout
    assert "--production" in saw("check", "--help").stdout
    assert "--any-process" in saw("--help").stdout


@pytest.mark.parametrize("content", ["", "version: 2\n", "\0", "[1, 2", "SAWPOLCY and then nonsense"])
def test_a_file_that_is_no_policy_is_refused_by_every_verb(saw, good, tmp_path, content):
    (tmp_path / "bad").write_text(content)
    for words in (["check", "bad"], ["test", "bad", "https://a.example"], ["diff", good, "bad"], ["import", "openshell", "bad"]):
        assert "bad" in saw(*words, code=1).stderr


@pytest.mark.parametrize("words", [["check", "no.yaml"], ["compile", "no.yaml", "-o", "x"], ["test", "no.yaml", "https://a.example"],
                                   ["diff", "no.yaml", "no.yaml"], ["import", "openshell", "no.yaml"], ["pack", "no.yaml"]])
def test_a_file_that_is_not_there_is_not_found_and_said_once(saw, words):
    assert saw(*words, code=4).stderr.count("no.yaml: No such file") == 1


@pytest.mark.parametrize("url", ["tcp://db.example:0", "tcp://db.example", "tcp://", "tcp://db.example:65536", "https://pass.example:0"])
def test_a_request_without_a_place_is_no_question(saw, good, url):
    """Nothing is said of a Host that such a request does not have."""
    said = saw("test", good, url, code=2).stderr
    assert "from 1 to 65535" in said and "Host" not in said


def test_standard_input_is_a_file_too(saw):
    assert saw("check", "-", text=GOOD).stdout.startswith("-: policy flow")
    assert "-:1:10: " in saw("check", "-", text="version: 3\n", code=1).stderr


def test_diff_tells_what_becomes_allowed_and_what_no_longer_is(saw, good, tmp_path):
    (tmp_path / "new.yaml").write_text(GOOD.replace("write: review", "write: allow").replace("[db.example]", "[db2.example]"))
    lines = saw("diff", good, "new.yaml").stdout.splitlines()
    assert lines == ["+ tcp db2.example:5432 (entry db)", "+ writes POST,PUT,PATCH /** (entry web)", "+ credentials of the workspace's own to web.example",
                     "- tcp db.example:5432 (entry db)"]
    told = json.loads(saw("diff", "new.yaml", good, "--json").stdout)
    assert told["removed"] == [l[2:] for l in lines if l[0] == "+"] and told["added"] == [l[2:] for l in lines if l[0] == "-"] and not told["same"]
    assert saw("diff", good, good).stdout == "the same policy\n"
    (tmp_path / "renamed.yaml").write_text(GOOD.replace("pins its certificate", "another reason").replace("name: flow", "name: other"))
    assert "nothing becomes reachable" in saw("diff", good, "renamed.yaml").stdout


def test_an_import_is_written_where_it_is_wanted_in_json_too(saw, root, tmp_path):
    words = ["import", "openshell", root / "tests/corpus/openshell_import/rest", "--any-process", "--network-only"]
    assert saw(*words, "-o", "a.yaml").stdout.startswith("a.yaml: ")
    told = json.loads(saw(*words, "--json", "-o", "b.yaml").stdout)
    assert told["ok"] and (tmp_path / "b.yaml").read_text() == told["policy"] == (tmp_path / "a.yaml").read_text()


@pytest.mark.parametrize("pack", ["package-mirror-http", "package-mirror-https", "git-hosting", "git-reading", "model-endpoint",
                                  "model-endpoint-anthropic"])
def test_a_pack_filled_in_is_a_policy_without_problems(saw, root, tmp_path, pack):
    template = root / "packs" / f"{pack}.yaml"
    words = ["host=service.example"] + (["path=debian"] if "${path}" in template.read_text() else [])
    assert "p.yaml: " in saw("pack", template, *words, "-o", "p.yaml").stdout
    told = json.loads(saw("check", "p.yaml", "--production", "--json").stdout)
    assert told["ok"] and not told["problems"] and "${" not in (tmp_path / "p.yaml").read_text()
    assert "service.example" in saw("pack", template, *words).stdout
    assert "saw/packs" in saw("pack", pack, *words, code=4).stderr
    assert "needs host=VALUE" in saw("pack", template, *words[1:], code=2).stderr
    assert "no ${extra}" in saw("pack", template, *words, "extra=1", code=2).stderr
    assert "write `service.example`" in saw("pack", template, "host=Service.example", *words[1:], code=1).stderr


def test_a_pack_that_becomes_too_large_says_so(saw, tmp_path):
    (tmp_path / "big.yaml").write_text("# ${a}\n" * 1000)
    assert "larger than any policy" in saw("pack", "big.yaml", "a=" + "x" * 10000, code=1).stderr


def test_the_mirror_pack_opens_nothing_but_the_mirrors_path(saw, root):
    saw("pack", root / "packs/package-mirror-http.yaml", "host=mirror.example", "path=debian", "-o", "p.yaml")
    assert ": 1 host, 1 port, " in saw("check", "p.yaml").stdout
    saw("test", "p.yaml", "http://mirror.example/debian/pool/a.deb")
    for words in (["http://mirror.example/other"], ["PUT", "http://mirror.example/debian/x"], ["https://mirror.example/debian/x"]):
        saw("test", "p.yaml", *words, code=3)


@pytest.mark.parametrize("pack,allowed,denied", [
    ("package-mirror-https", ["https://h.example/@scope%2fname"], ["POST https://h.example/-/npm/v1/security/audits", "http://h.example/x"]),
    ("git-reading", ["https://h.example/o/r/info/refs?service=git-upload-pack"], ["https://h.example/o/r/info/refs?service=git-receive-pack"]),
    ("git-hosting", ["https://h.example/o/r/info/refs?service=git-receive-pack"], ["https://h.example/api/v1/user"]),
    ("model-endpoint", ["POST https://h.example/v1/chat/completions"], ["POST https://h.example/v1/files", "POST https://h.example/v1/batches"]),
    ("model-endpoint-anthropic", ["POST https://inference.internal/v1/messages"], ["POST https://h.example/v1/messages", "POST https://inference.internal/v1/files"]),
])
def test_i26_packs_grant_what_they_name_and_nothing_beside(saw, root, pack, allowed, denied):
    saw("pack", root / f"packs/{pack}.yaml", "host=h.example", "-o", "p.yaml")
    for request in allowed:
        saw("test", "p.yaml", request)
    for request in denied:
        saw("test", "p.yaml", request, code=3)


HTTPS = """\
version: 1
name: https
verdicts: {read: allow, draft: allow, write: review, publish: deny}
credentials:
  github: {inject: {header: Authorization, format: "Bearer {}"}, hosts: [api.example], paths: ["/**"]}
network:
  - name: api
    hosts: [api.example]
    ports: [443]
    mode: intercept
    protocol: rest
    credential: github
    rules:
      - {class: read, methods: [GET], paths: ["/**"]}
      - {class: draft, methods: [POST], paths: ["/repos/*/*/pulls"], json: {/draft: [true]}}
      - {class: write, methods: [POST, PUT], paths: ["/repos/**"]}
      - {class: publish, methods: [POST], paths: ["/releases"]}
  - name: src
    hosts: [git.example]
    ports: [443]
    mode: intercept
    protocol: git
    rules:
      - {class: read, git: fetch, paths: ["/**"]}
      - {class: draft, git: push, paths: [/o/r], refs: ["refs/heads/agent/**"], change: [create, update, force]}
  - name: live
    hosts: [live.example]
    ports: [443]
    mode: intercept
    protocol: rest
    rules:
      - {class: read, methods: [GET], paths: [/feed], websocket: opaque}
"""


@pytest.fixture
def https(tmp_path):
    path = tmp_path / "https.yaml"
    path.write_text(HTTPS)
    return path


@pytest.mark.parametrize("words,body,want", [
    (["GET https://api.example/user"], None, ("allow", "ok", "read", "api: read GET,HEAD /**", "github")),
    (["POST https://api.example/repos/o/r/pulls"], '{"draft": true}', ("allow", "ok", "draft", "api: draft POST /repos/*/*/pulls json /draft", "github")),
    (["POST https://api.example/repos/o/r/pulls"], '{"draft": false}', ("review", "review_not_available", "write", "api: write POST,PUT /repos/**", None)),
    (["POST https://api.example/repos/o/r/pulls"], '{"draft": true, "draft": false}', ("deny", "ambiguous_body", "draft", None, None)),
    (["POST https://api.example/repos/o/r/pulls"], "draft=true", ("deny", "body_not_parsable", "draft", None, None)),
    (["POST", "https://api.example/releases"], None, ("deny", "class_denied", "publish", "api: publish POST /releases", None)),
    (["https://git.example/o/r.git/info/refs?service=git-receive-pack"], None, ("allow", "ok", "draft", None, None)),
    (["https://git.example/o/x.git/info/refs?service=git-receive-pack"], None, ("deny", "git_operation_not_listed", None, "src", None)),
    (["https://git.example/o/x/info/refs?service=git-upload-pack"], None, ("allow", "ok", "read", "src: read fetch /**", None)),
    (["POST https://git.example/o/r/info/lfs/objects/batch"], None, ("deny", "not_git", None, "src", None)),
    (["POST https://git.example/o/r/git-receive-pack", "--push", "create:refs/heads/agent/x"], None, ("allow", "ok", "draft", None, None)),
    (["POST https://git.example/o/r/git-receive-pack", "--push", "create:refs/heads/agent/x,update:refs/heads/main"], None,
     ("deny", "ref_not_listed", None, "src", None)),
    (["wss://live.example/feed"], None, ("allow", "ok", "read", "live: read websocket /feed", None)),
    (["https://live.example/feed"], None, ("deny", "method_not_listed", None, "live", None)),
    (["wss://api.example/user"], None, ("deny", "upgrade_not_listed", None, "api", None)),
    (["GET http://api.example:443/user"], None, ("deny", "not_tls", None, "api", None)),
])
def test_requests_of_intercepted_entries_are_judged_with_class_rule_and_credential(saw, https, tmp_path, words, body, want):
    if body is not None:
        (tmp_path / "body.json").write_text(body)
        words = [*words, "--json", "body.json"]  # the body may stand behind the URL
    else:
        words = [*words, "--json"]
    verdict, reason, klass, rule, credential = want
    told = json.loads(saw("test", https, *words, code=0 if verdict == "allow" else 3).stdout)
    assert (told["verdict"], told["reason"], told.get("class"), told.get("credential")) == (verdict, reason, klass, credential)
    assert rule is None or told["rule"] == rule


def test_a_verdict_that_needs_the_body_asks_for_it(saw, https, tmp_path):
    assert "--body FILE" in saw("test", https, "POST https://api.example/repos/o/r/pulls", code=2).stderr
    assert "--push" in saw("test", https, "POST https://git.example/o/r/git-receive-pack", code=2).stderr
    assert "no list of changes" in saw("test", https, "POST https://git.example/o/r/git-receive-pack", "--push", "main", code=2).stderr
    for other in ("https://git.example/o/r.git", "https://api.example/x"):
        assert "git-receive-pack" in saw("test", https, other, "--push", "create:refs/heads/agent/x", code=2).stderr
    saw("test", https, "https://unlisted.example/o/r.git", "--push", "create:refs/heads/agent/x", code=3)
    (tmp_path / "b").write_text('{"draft": true}')
    out = saw("test", https, "POST https://api.example/repos/o/r/pulls", "--body", "b").stdout
    assert "class   draft" in out and "credential github" in out and "verdict allow" in out, out
    assert saw("test", https, "POST https://api.example/repos/o/r/pulls", "--body", "none", code=4).stderr
    err = saw("test", https, "POST https://api.example/repos/o/r/pulls", "--body", ".", code=1).stderr
    assert "body .: Is a directory" in err and "bundle" not in err, err


SAME_NAME = """\
version: 1
name: same
verdicts: {read: allow}
network:
  - name: b
    hosts: [b.example]
    ports: [443]
    mode: intercept
    protocol: rest
    rules:
      - {class: read, methods: [GET], paths: ["/**"]}
      - {deny: true, methods: ["*"], paths: ["/admin/x", "/a+b"]}
      - {deny: true, methods: ["*"], paths: ["/root/x", "/a+b"]}
  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, access: read-only}
"""


@pytest.mark.parametrize("url, at", [("https://b.example/admin/x", 12), ("https://b.example/root/x", 13), ("https://b.example/x", 11), ("https://a.example/x", 14)])
def test_the_deciding_rule_is_named_with_its_line_too(saw, tmp_path, url, at):
    (tmp_path / "same.yaml").write_text(SAME_NAME)
    code = 3 if at in (12, 13) else 0
    told = json.loads(saw("test", "same.yaml", url, "--json", code=code).stdout)
    assert told["line"] == at and (at not in (12, 13) or told["rule"] == f"b: deny any /a+b (+1) (line {at})"), told
    assert f"  line    {at}\n" in saw("test", "same.yaml", url, code=code).stdout
    saw("compile", "same.yaml", "-o", "same.blob")
    assert "line" not in json.loads(saw("test", "same.blob", url, "--json", code=code).stdout)
    assert "line" not in json.loads(saw("test", "same.yaml", "DELETE https://b.example/x", "--json", code=3).stdout)


def test_names_of_fields_with_anything_beside_them_are_no_question(saw, good):
    """`x-a, x-b` would ask about a field ` x-b`, which no rule has."""
    for names in ("x-a, x-b", "x-a,", "x-a:1", " "):
        assert "is no list of field names" in saw("test", good, "GET http://web.example/", "--headers", names, code=2).stderr
    saw("test", good, "GET http://web.example/", "--headers", "x-a,x-b")


def test_what_a_policy_file_says_never_moves_the_cursor(saw, tmp_path):
    rule = '{"class": "write", "methods": ["POST"], "paths": ["/x"], "json": {"/a\\u001b[2J\\u202e": [true]}}'
    hidden = GOOD.replace("write: review", "write: allow").replace("access: read-write", "rules: [{class: read, methods: [GET], paths: ['/**']}, %s]" % rule)
    (tmp_path / "hidden.yaml").write_text(hidden)
    (tmp_path / "bad.yaml").write_text(hidden.replace("pass.example", '"b\\u202e.example"'))
    (tmp_path / "none.yaml").write_text("version: 1\nname: flow\nnetwork: []\n")
    told = saw("diff", "none.yaml", "hidden.yaml").stdout + saw("check", "bad.yaml", code=1).stderr
    assert "json /a\ufffd[2J\ufffd=[true]" in told and "is no host name" in told
    assert not any(c in told for c in "\x1b\u202e"), told


def test_diff_tells_what_becomes_reachable_spendable_and_writable(saw, https, tmp_path):
    (tmp_path / "old.yaml").write_text("version: 1\nname: old\nverdicts: {read: allow}\nnetwork:\n"
                                       "  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, access: read-only}\n")
    told = json.loads(saw("diff", "old.yaml", https, "--json").stdout)
    assert "spends github on api.example:443 /** (entry api)" in told["added"]
    assert "writes POST /repos/*/*/pulls json /draft=[true] with github (entry api)" in told["added"]
    assert "intercept git.example:443 (entry src)" in told["added"]
    assert "writes push create,update,force /o/r refs/heads/agent/** (entry src)" in told["added"]
    assert told["removed"] == ["cookies from api.example:443 (entry api)", "credentials of the workspace's own to api.example"]


def test_a_ref_with_commas_is_one_change_of_a_push(saw, https, tmp_path):
    zero, one = "0" * 40, "1" * 40
    text = (tmp_path / https).read_text()
    (tmp_path / "gerrit.yaml").write_text(text.replace("refs/heads/agent/**", "refs/for/*"))
    push = ["POST https://git.example/o/r/git-receive-pack", "--json", "--push"]
    for changes, reason in [("create:refs/for/main%topic=a,wip", "ok"), ("create:refs/for/main%topic=a,submit", "push_options_not_listed"), ("create:refs/for/a,update:refs/for/b", "ok"),
                            (f"{zero} {one} refs/for/a%topic=x,wip,{one} {one} refs/for/b,create:refs/for/c%topic=y,r=d,", "ok"), (f"create:refs/for/a,{zero} {one} refs/heads/b", "ref_not_listed")]:
        assert json.loads(saw("test", "gerrit.yaml", *push, changes, code=0 if reason == "ok" else 3).stdout)["reason"] == reason, changes
    assert "no list of changes" in saw("test", "gerrit.yaml", *push, "create:refs/for/a,refs/for/b", code=2).stderr


def test_a_move_is_asked_about_with_both_of_its_paths(saw, tmp_path):
    (tmp_path / "move.yaml").write_text("version: 1\nverdicts: {write: allow}\nnetwork:\n  - {name: a, hosts: [a.example], ports: [443], mode: intercept, "
                                        "protocol: rest, rules: [{class: write, methods: [MOVE, POST], paths: [/x, /y]}]}\n")
    assert "--destination URL" in saw("test", "move.yaml", "MOVE https://a.example/x", "--headers", "accept,Destination", code=2).stderr
    assert "destination /y" in saw("test", "move.yaml", "MOVE https://a.example/x", "--destination", "https://a.example/y").stdout
    told = json.loads(saw("test", "move.yaml", "MOVE https://a.example/x", "--destination", "/z", "--json", code=3).stdout)
    assert (told["reason"], told["target"], told["destination"]) == ("path_not_listed", "/x", "/z") and "/z" in told["policy_change"], told
    saw("test", "move.yaml", "POST https://a.example/x", "--headers", "destination")
