"""Group L and the answers of G on intercepted hosts: what ordinary clients do, the short way and through outlet."""
import hashlib
import json
import shutil
import subprocess

import pytest

from gateway import Gateway
from intercept_policy import SECRET, policy
from test_l_traffic import digest

HOSTS = ("good.example", "cred.example")


@pytest.fixture(scope="module")
def mitm(arena, build, tmp_path_factory):
    g = Gateway(arena, build, policy(arena.ca), tmp_path_factory.mktemp("traffic"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def own_answers(arena):
    yield
    arena.script({})


def requests(a):
    return a.seen()["requests"]


def sh(gw, text, timeout=120):
    return gw.do("command", ["sh", "-c", text], timeout=timeout, wait=timeout + 10)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_l3_a_download_of_100_mb_arrives_whole(mitm, host, version):
    n = 100 * 1000 * 1000
    assert sh(mitm, f"curl -sS {version} https://{host}/bytes/{n} | sha256sum", 180)["out"].split()[0] == digest(n)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_l3_an_upload_of_50_mb_arrives_whole(mitm, host, version):
    with mitm.attack() as a:
        done = sh(mitm, f"head -c 50000000 /dev/zero > /tmp/up.$$; curl -sS {version} -T /tmp/up.$$ https://{host}/data/up; rm /tmp/up.$$", 180)
        assert '"path"' in done["out"], done
        assert hashlib.sha256(bytes(50000000)).hexdigest() in [r.get("body_sha256") for r in a.seen()["requests"]]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_l3_expect_100_continue_as_curl_sends_it(mitm, host, version):
    with mitm.attack() as a:
        done = sh(mitm, f"curl -sS {version} -H 'Expect: 100-continue' --data-binary {'x' * 3000} https://{host}/data/e")
        assert '"path"' in done["out"], done
        assert requests(a)[0]["body"] == "x" * 3000 and "expect" not in dict(requests(a)[0]["fields"])


PYTHON = """
import json, ssl, sys, urllib.request
out = []
for path in ("/a", "/b"):
    with urllib.request.urlopen("https://%s" + path) as r:
        out.append([r.status, json.load(r)["path"]])
q = urllib.request.Request("https://%s/data/x", data=b"hello", method="PUT")
out.append([urllib.request.urlopen(q).status, "put"])
print(json.dumps(out))
"""
REQUESTS = """
import json, requests
with requests.Session() as s:
    print(json.dumps([s.get("https://%s/a").json()["path"], s.post("https://%s/data/x", json={"a": 1}).status_code, s.head("https://%s/h").status_code]))
"""
NODE = """
const https = require("https"), http2 = require("http2");
https.get("https://%s/a", r => { let t = ""; r.on("data", d => t += d); r.on("end", () => {
  const c = http2.connect("https://%s"), q = c.request({":path": "/b"}); let u = "", status;
  q.on("response", h => status = h[":status"]); q.on("data", d => u += d);
  q.on("end", () => { console.log(JSON.stringify([r.statusCode, JSON.parse(t).path, status, JSON.parse(u).path])); c.close(); });
}); });
"""


@pytest.mark.parametrize("host", HOSTS)
def test_l6_python_is_served(mitm, host):
    done = mitm.do("command", ["/usr/bin/python3", "-c", PYTHON.replace("%s", host)])
    assert json.loads(done["out"] or "null") == [[200, "/a"], [200, "/b"], [200, "put"]], done


@pytest.mark.parametrize("host", HOSTS)
def test_l6_python_requests_is_served(mitm, host):
    if mitm.do("command", ["/usr/bin/python3", "-c", "import requests"])["code"]:
        pytest.skip("python3-requests is not installed")
    done = mitm.do("command", ["/usr/bin/python3", "-c", REQUESTS.replace("%s", host)])
    assert json.loads(done["out"] or "null") == ["/a", 200, 200], done


@pytest.mark.parametrize("host", HOSTS)
def test_l6_node_is_served_over_http1_and_h2(mitm, host):
    if not shutil.which("node"):
        pytest.skip("node is not installed (tools/setup check installs it)")
    done = mitm.do("command", ["node", "-e", NODE.replace("%s", host)])
    assert json.loads(done["out"] or "null") == [200, "/a", 200, "/b"], done


@pytest.mark.parametrize("host", HOSTS)
def test_l5_a_hundred_streams_in_parallel_are_all_answered(mitm, host):
    with mitm.attack() as a:
        where = mitm.do("address", host)
        done = mitm.do("command", ["h2load", "-n", "300", "-c", "1", "-m", "100", "--connect-to", f"{where}:443", f"https://{host}/p"])
        assert "300 succeeded, 0 failed, 0 errored" in done["out"] and "2xx" in done["out"], done
        assert len(requests(a)) == 300


def test_l2_git_clones_over_the_workspaces_certificate(mitm, arena, tmp_path):
    """The dumb protocol: all its files are answers that the arena's origin is told."""
    run = ["sh", "-ec", "git init -q -b main w; cd w; git config user.email a@b; git config user.name a; for i in 1 2 3; do echo $i > f$i; git add .; "
           "git commit -qm $i; done; cd ..; git clone -q --bare w r; cd r; git repack -adq; git update-server-info; git rev-parse main"]
    head = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()
    files = {}
    for f in (tmp_path / "r").rglob("*"):
        if f.is_file():
            raw = f.read_bytes()
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw
            files["/repo.git/" + str(f.relative_to(tmp_path / "r"))] = answer
    files["/repo.git/info/refs?service=git-upload-pack"] = files["/repo.git/info/refs"]
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    files["/repo.git/objects/info/http-alternates"] = files["/repo.git/objects/info/alternates"] = missing
    arena.script(files)
    done = sh(mitm, f"rm -rf {tmp_path}/c; git clone -q https://good.example/repo.git {tmp_path}/c && git -C {tmp_path}/c fsck && git -C {tmp_path}/c rev-parse main")
    assert done["code"] == 0 and done["out"].strip().endswith(head), done


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_g18_alt_svc_is_stripped_and_link_is_not(mitm, arena, host, version):
    arena.script({"/alt": OK + b"Alt-Svc: h3=\":443\"; ma=86400\r\nLink: <https://stranger.example/>; rel=next\r\nX-Keep: 1\r\n\r\nok"})
    done = sh(mitm, f"curl -sSi {version} https://{host}/alt")
    assert "alt-svc" not in done["out"].lower() and "x-keep" in done["out"].lower() and "stranger.example" in done["out"], done


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("to", ["https://stranger.example/", "http://good.example/", "ftp://stranger.example/", "http://127.0.0.66/"])
def test_g17_a_redirect_is_the_guests_business_and_its_next_flow_is_judged(mitm, arena, host, to):
    arena.script({"/go": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + to.encode() + b"\r\n\r\n"})
    with mitm.attack() as a:
        done = sh(mitm, f"curl -sS -m 10 -L -w '%{{http_code}}' https://{host}/go")
        # port 80 of a listed name is answered by the gateway itself
        assert done["code"] != 0 or (to == "http://good.example/" and done["out"].endswith("403")), done
        assert [r["target"] for r in requests(a)] == ["/go"], "somebody followed the redirect"
        fresh = a.seen()["connections"]  # none where one was kept from before
        assert {c["local"] for c in fresh} <= {"127.0.0.10"} and {c["port"] for c in fresh} <= {443}
        assert SECRET not in done["out"] + done["err"]


@pytest.mark.parametrize("host", HOSTS)
def test_l10_an_idle_upstream_that_closes_costs_a_safe_request_nothing(mitm, arena, host):
    arena.script({"/bye": (OK + b"\r\nok", True)})
    got = mitm.do("http", host, f"GET /bye HTTP/1.1\r\nHost: {host}\r\n\r\nGET /again HTTP/1.1\r\nHost: {host}\r\n\r\n", port=443, tls=True, want=2)
    assert got["statuses"] == [200, 200], got
