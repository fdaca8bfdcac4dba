"""L8: harmless requests as clients of real APIs write them, each by several real clients: none is refused, none comes twice, none comes changed."""
import json
import re
import shutil

import pytest

from gateway import Gateway
from intercept_policy import ZONE

POLICY = """\
version: 1
name: harmless
lab: true
verdicts: {read: allow, write: allow}
network:
  - name: api
    hosts: [good.example]
    ENTRY
  - name: registry
    hosts: [cred.example]
    encoded_slash: true
    ENTRY
"""
ENTRY = """ports: [443]
    mode: intercept
    protocol: rest
    addresses: [127.0.0.10/32]
    ca: |
PEM
    rules:
      - {class: read, methods: [GET, HEAD, OPTIONS], paths: ["/**"]}
      - {class: write, methods: [POST, PUT, PATCH, DELETE], paths: ["/**"]}"""
SHA = "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"
TARGETS = [  # as each of them stands in the documentation of its API, or in the log of a client
    "/repos/o/r/contents/docs/%C3%BCber%20uns.md?ref=feature%2Fx", "/repos/o/r/compare/main...agent:fix-1", "/repos/o/r/git/ref/heads/a+b",
    "/search/code?q=addClass+in:file+language:js+repo:o/r&per_page=100&page=1", "/repos/o/r/issues?labels=bug,ui&state=all&since=2026-01-01T00:00:00Z",
    "/repos/o/r/issues?assignee=*&creator=@me", "/users/%E6%97%A5%E6%9C%AC", "/repos/o/.github/contents/.github/workflows/ci.yml", "/graphql",
    "/api/v4/projects/42/merge_requests?iids[]=1&iids[]=2&with_labels_details=true", "/api/v4/projects?search=&order_by=id", "/-/user/org.couchdb.user:ann",
    "/@scope/name/-/name-1.2.3-beta.4+build.5.tgz", "/-/v1/search?text=keywords:a%20b&size=20", "/simple/zope-interface/", "/pypi/a.b_c/1.0.post1/json",
    f"/v2/library/debian/manifests/sha256:{SHA}", "/v2/library/debian/tags/list?n=100&last=", "/token?service=r.example&scope=repository:a/b:pull,push",
    "/bucket/photos/2026/(1)%20a~b_c-d.e!f*g.jpg", "/bucket?list-type=2&prefix=a%2Fb%2F&delimiter=%2F&encoding-type=url", "/bucket/k?uploads", "/bucket/k?acl=",
    "/bucket/k?X-Amz-Credential=AKIA%2F20260101%2Fr%2Fs3%2Faws4_request&X-Amz-SignedHeaders=host%3Brange&X-Amz-Signature=" + SHA,
    "/drive/v3/files?q=name%20contains%20%27a%27%20and%20trashed%3Dfalse&fields=files(id,name),nextPageToken", "/v1/projects/p:setIamPolicy",
    "/v1/projects/p/topics/t:publish?alt=json&prettyPrint=false", "/calendar/v3/calendars/ann@good.example/events?singleEvents=true",
    "/People?$filter=Name%20eq%20%27a%27&$top=5&$select=Id,Name", "/People(1)/Orders?$expand=Lines($select=Id)", "/People(Id='a',No=2)/Name/$value",
    "/articles?include=author&fields[articles]=title,body&page[number]=3&page[size]=1", "/articles?sort=-created,title&filter[a]=1&filter[a]=2",
    "/rest/api/3/search?jql=project%20%3D%20A%20AND%20status%20!%3D%20%22Done%22&maxResults=50", "/wiki/rest/api/content/search?cql=type=page",
    "/v3/a?callback=https%3A%2F%2Fgood.example%2Fcb%3Fx%3D1%26y%3D2", "/v3/a?a&b&c", "/v3/a?a=1&a=2&a=1", "/v3/a?q=100%25", "/v3/a?q=%F0%9F%99%82", "/v3/a?t=a==",
    "/v3/a/~ann/b_c-d.e", "/v3/a?x=" + "0123456789" * 300, "/v3/a?q=a;b&r=/x/../y?z", "/v3/$metadata", "/v3/a?date=2026-01-01T00:00:00%2B01:00",
]
FIELDS = [{"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}, {"If-None-Match": 'W/"abc-1", "d"'}, {"Range": "bytes=0-99, 200-"},
          {"Prefer": "return=minimal, respond-async; wait=5"}, {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b,c=d"},
          {"Cookie": "a=b; theme=\"x y\"; empty="}, {"Accept-Language": "de-AT,de;q=0.8,*;q=0.1", "Cache-Control": "no-cache"},
          {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT", "X-Empty": "x"}]
BODIES = [("POST", "application/json", '{"query":"{ a(b: \\"c\\") { d } }","variables":{}}'), ("POST", "application/x-www-form-urlencoded", "a=b+c&d=%C3%A9&e="),
          ("POST", "multipart/form-data; boundary=x-1", '--x-1\r\nContent-Disposition: form-data; name="f"; filename="a b.txt"\r\n\r\nhello\r\n--x-1--\r\n'),
          ("POST", None, ""), ("PUT", "application/octet-stream", "\0\1\2"), ("PUT", "text/plain; charset=utf-8", "caf\u00e9"), ("PATCH", "application/merge-patch+json", '{"a":null}'),
          ("PATCH", "application/json-patch+json", '[{"op":"test","path":"/a","value":1}]'), ("DELETE", None, None), ("DELETE", "application/json", '{"reason":"x"}'),
          ("OPTIONS", None, None), ("HEAD", None, None)]
SLASHES = ["/@scope%2fname", "/@scope%2Fname/latest", "/api/v4/projects/group%2Fsub%2Fproject/repository/files/src%2Fa.c/raw?ref=main", "/storage/v1/b/x/o/a%2Fb?alt=media"]

PYTHON = """
import json, sys, requests
s = requests.Session()
for q in json.load(open(sys.argv[1])):
    body = None if q["body"] is None else q["body"].encode()
    print(s.request(q["method"], q["url"], headers=q["fields"], data=iter([body]) if q["chunked"] else body).status_code)
"""
NODE = """
(async () => {
  for (const q of JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))) {
    const r = await fetch(q.url, {method: q.method, headers: q.fields, body: q.body === null ? undefined : q.chunked ? new Blob([q.body]).stream() : q.body, duplex: "half"});
    await r.arrayBuffer(); console.log(r.status);
  }
})();
"""
WGET = "while read -r u; do wget -qO/dev/null -S \"$u\" 2>&1 | awk '/HTTP\\/1/ {print $2}'; done <$0"


def corpus(client):
    """What each asks, with a path of its own."""
    asked = [("good.example", "GET", t, {}, None) for t in TARGETS] + [("cred.example", "GET", t, {}, None) for t in SLASHES]
    if client != "wget":
        asked += [("good.example", "GET", "/v3/a", f, None) for f in FIELDS]
        asked += [("good.example", m, "/v3/b", {"Content-Type": kind} if kind else {}, body) for m, kind, body in BODIES]
        asked += [("good.example", "POST", "/v3/chunked", {"Content-Type": "application/json"}, '{"a":[1,2]}')]
    return [{"url": f"https://{host}/{client}/{i}{target}", "method": method, "fields": fields, "body": body, "chunked": target == "/v3/chunked"}
            for i, (host, method, target, fields, body) in enumerate(asked)]


def curl_config(asked):
    quoted = lambda s: '"' + s.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n") + '"'
    out = []
    for i, q in enumerate(asked):
        fields = dict(q["fields"], **({"Transfer-Encoding": "chunked"} if q["chunked"] else {}))
        out += ["next"] if out else []
        out += ["url = " + quoted(q["url"]), "globoff", "path-as-is", "silent", 'output = "/dev/null"', 'write-out = "%{http_code}\\n"']
        out += [f'header = {quoted(k + ": " + v)}' for k, v in fields.items()]
        out += ["head"] if q["method"] == "HEAD" else ["request = " + q["method"]]
        if q["body"] is not None:
            out += [f'data-binary = "@BODY{i}"'] + ([] if "Content-Type" in q["fields"] else ['header = "Content-Type:"'])
    return "\n".join(out) + "\n"


def canonical(target):
    """Which clients write the same in different ways: digits of an escape, and what needs none."""
    target = re.sub("%[0-9a-fA-F]{2}", lambda m: m.group().upper(), target)
    return re.sub("%(2D|2E|5F|7E|27|28|29|21|2A|24|5B|5D|3[0-9]|[46][1-9A-F]|[57][0-9A])", lambda m: chr(int(m.group(1), 16)), target)


@pytest.fixture(scope="module")
def api(arena, build, tmp_path_factory):
    pem = "".join(f"      {line}\n" for line in open(arena.ca, encoding="ascii").read().splitlines())
    arena.zone(ZONE)
    g = Gateway(arena, build, POLICY.replace("ENTRY", ENTRY.replace("PEM\n", pem)), tmp_path_factory.mktemp("harmless"))
    yield g
    g.stop()


def command(client, asked, folder):
    (folder / "asked").write_text("\n".join(q["url"] for q in asked) + "\n" if client == "wget" else json.dumps(asked))
    if client.startswith("curl"):
        text = curl_config(asked)
        for i, q in enumerate(asked):
            if q["body"] is not None:
                (folder / f"body{i}").write_bytes(q["body"].encode())
            text = text.replace(f"@BODY{i}\"", f"@{folder}/body{i}\"")
        (folder / "config").write_text(text)
        return ["curl", "-K", str(folder / "config"), "--http2" if client == "curl-h2" else "--http1.1"]
    return {"python": ["/usr/bin/python3", "-c", PYTHON], "node": ["node", "-e", NODE], "wget": ["sh", "-c", WGET]}[client] + [str(folder / "asked")]


@pytest.mark.parametrize("client", ["curl-http1", "curl-h2", "python", "node", "wget"])
def test_l8_no_harmless_request_is_refused(api, tmp_path, client):
    program = command(client, [], tmp_path)[0]
    if client not in ("python", "wget") and not shutil.which(program) or client == "wget" and not shutil.which("wget"):
        pytest.skip(f"{program} is not installed: tools/setup check")
    if client == "python":
        pytest.importorskip("requests", reason="python3-requests is not installed: tools/setup check")
    asked = corpus(client)
    with api.attack() as a:
        done = api.do("command", command(client, asked, tmp_path), timeout=60, wait=70)
        assert done["out"].split() == ["200"] * len(asked), \
            ([(q["method"], q["url"], s) for q, s in zip(asked, done["out"].split()) if s != "200"], done["err"], len(done["out"].split()), len(asked))
        got = a.seen()["requests"]
        assert [r["method"] for r in got] == [q["method"] for q in asked]
        for q, r in zip(asked, got):
            fields = dict(r["fields"])
            assert canonical(r["target"]) == canonical("/" + q["url"].split("/", 3)[3]), (q, r)
            assert all(fields.get(k.lower()) == v for k, v in q["fields"].items()), (q, r)
            assert r["body"].encode("latin-1") == (q["body"] or "").encode(), (q, r)
        events = a.wait_events(lambda events: len([e for e in events if e["class_uid"] == 4002]) >= len(asked))
        assert not [e for e in events if e["disposition"] == "Blocked"], events
        assert len([e for e in events if e["class_uid"] == 4002]) == len(asked)


def test_l8_the_corpus_is_large_enough():
    """That of wget is a part of the others'."""
    assert sum(len(corpus(c)) for c in ("curl-http1", "curl-h2", "python", "node", "wget")) >= 200 and len(corpus("python")) > 65
