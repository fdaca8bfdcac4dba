"""L1, L6: what Debian and npm offer trusts the workspace's authority by the system's store and the image's variables, and still nobody else."""
import json
import pathlib
import shutil

import pytest

import client_world
from client_world import clients, own_zone  # noqa: F401  pylint: disable=unused-import

PYTHON = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
REQUESTS = "import sys, requests; print(requests.get(sys.argv[1]).text)"
FETCH = "fetch(process.argv[1]).then(r => r.text()).then(t => console.log(t))"
HTTPS = 'require("https").get(process.argv[1], r => r.pipe(process.stdout))'
HTTP2 = """const u = new URL(process.argv[1]), c = require("http2").connect(u), q = c.request({":path": u.pathname});
q.pipe(process.stdout); q.on("close", () => c.close())"""
JAVA = """import java.net.*; import java.net.http.*;
class Get {
  public static void main(String[] a) throws Exception {
    System.out.println(HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(a[0])).build(), HttpResponse.BodyHandlers.ofString()).body());
    new URL(a[0]).openStream().transferTo(System.out);
  }
}
"""
GO = """package main
import ("io"; "net/http"; "os")
func main() {
	r, err := http.Get(os.Args[1])
	if err != nil { os.Stderr.WriteString(err.Error()); os.Exit(1) }
	io.Copy(os.Stdout, r.Body)
}
"""
DENO = shutil.which("deno") or str(pathlib.Path(__file__).resolve().parents[2] / "build/clients/deno")  # tools/setup
CLIENTS = {
    "curl-http1": ["curl", "-sS", "--http1.1"],
    "curl-h2": ["curl", "-sS", "--http2"],
    "wget": ["wget", "-qO-"],
    "python-urllib": ["/usr/bin/python3", "-c", PYTHON],
    "python-requests": ["/usr/bin/python3", "-c", REQUESTS],
    "node-fetch": ["node", "-e", FETCH],
    "node-https": ["node", "-e", HTTPS],
    "node-http2": ["node", "-e", HTTP2],
    "php": ["php", "-r", "$t = file_get_contents($argv[1]); echo $t; exit($t === false ? 1 : 0);"],
    "ruby": ["ruby", "-ropen-uri", "-e", "print URI.open(ARGV[0]).read"],
    "perl-tiny": ["perl", "-MHTTP::Tiny", "-e", '$r = HTTP::Tiny->new(verify_SSL => 1)->get($ARGV[0]); print $r->{content}; exit !$r->{success}'],
    "perl-lwp": ["perl", "-MLWP::UserAgent", "-e", '$r = LWP::UserAgent->new->get($ARGV[0]); print $r->content; exit !$r->is_success'],
    "java": ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "Get"],
    "java-runtime": ["keytool", "-J-XX:TieredStopAtLevel=1", "-printcrl", "-file"],
    "go": ["./get-go"],
    "deno": [DENO, "eval", "console.log(await (await fetch(Deno.args[0])).text())"],
}
NEEDS = {"python-requests": ["/usr/bin/python3", "-c", "import requests"], "perl-lwp": ["perl", "-MLWP::Protocol::https", "-e", "1"],
         "perl-tiny": ["perl", "-MIO::Socket::SSL", "-e", "1"], "java": ["javac", "-version"]}


@pytest.fixture(scope="module")
def programs(clients):
    """What has to be made before it can run."""
    if shutil.which("javac"):
        (clients.home / "Get.java").write_text(JAVA)
        assert clients.run("javac", "Get.java", wait=120)["code"] == 0
    if shutil.which("go"):
        (clients.home / "get.go").write_text(GO)
        done = clients.run("go", "build", "-o", "get-go", "get.go", wait=120)
        assert done["code"] == 0, done


def needed(clients, client):
    command = CLIENTS[client]
    if client == "go":
        command = ["go"]
    if not shutil.which(command[0]):
        pytest.skip(f"{client} is not installed: tools/setup check, tools/setup clients")
    if client in NEEDS and (not shutil.which(NEEDS[client][0]) or clients.run(*NEEDS[client])["code"]):
        pytest.skip(f"{' '.join(NEEDS[client])} fails here: tools/setup check, tools/setup clients")


@pytest.mark.parametrize("client, host", [(c, "client.example") for c in CLIENTS] + [(c, "vault.example") for c in ("curl-h2", "python-requests", "node-http2", "go")])
def test_l6_a_stock_client_is_served_with_the_images_settings(clients, programs, client, host):  # pylint: disable=unused-argument
    needed(clients, client)
    path = "/echo/" + client
    before = len(clients.origin.requests())
    done = clients.run(*CLIENTS[client], f"https://{host}{path}")
    got = [r for r in clients.origin.requests()[before:] if r["target"] == path and r["host"] == host]
    assert got, done
    if client != "java-runtime":
        assert done["code"] == 0 and json.loads(done["out"].splitlines()[0])["path"] == path, done
    sent = got[-1]["fields"].get("authorization")
    assert sent == ("Bearer " + client_world.SECRET if host == "vault.example" else None)


@pytest.mark.release  # of ours only the relay of bytes is run
@pytest.mark.parametrize("client", list(CLIENTS))
def test_l6_the_same_client_refuses_a_certificate_of_a_stranger(clients, programs, client):  # pylint: disable=unused-argument
    """Passthrough: the gateway does not look, so that the client has to. The variables add one authority, and take no care away."""
    needed(clients, client)
    before = len(clients.origin.requests())
    done = clients.run(*CLIENTS[client], "https://stranger.example/echo/" + client)
    assert done["code"] != 0, done
    assert not [r for r in clients.origin.requests()[before:] if r["host"] == "stranger.example"]


def test_saw_try_sets_each_trust_variable_of_the_image(clients):
    for name in client_world.trust_variables():
        done = clients.gw.do("command", ["sh", "-c", f'test -e "${name}" && echo yes'])
        assert done["out"] == "yes\n", name


EVENTS = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1] + "/events/" + sys.argv[2]) as r:
    for line in r:
        if line.startswith(b"data:"):
            print(line.decode().strip(), flush=True)
            urllib.request.urlopen(sys.argv[1] + "/seen/" + sys.argv[2]).read()
"""
NODE_EVENTS = """
const [base, who] = process.argv.slice(1);
(async () => {
  const r = await fetch(base + "/events/" + who);
  for await (const piece of r.body.pipeThrough(new TextDecoderStream()))
    for (const line of piece.split("\\n")) if (line.startsWith("data:")) { console.log(line); await (await fetch(base + "/seen/" + who)).text(); }
})();
"""
CURL_EVENTS = """curl -sSN $0 "$1/events/$2" | while read -r l; do case $l in data:*) echo "$l"; curl -sS "$1/seen/$2" >/dev/null;; esac; done"""
READERS = {"curl-http1": ["sh", "-c", CURL_EVENTS, "--http1.1"], "curl-h2": ["sh", "-c", CURL_EVENTS, "--http2"],
           "python": ["/usr/bin/python3", "-c", EVENTS], "node": ["node", "-e", NODE_EVENTS]}


@pytest.mark.parametrize("host", ["client.example", "vault.example"])
@pytest.mark.parametrize("reader", list(READERS))
def test_l3_events_arrive_one_by_one(clients, reader, host):
    """The origin sends an event when it was told that the one before was read."""
    if not shutil.which(READERS[reader][0]):
        pytest.skip(f"{READERS[reader][0]} is not installed: tools/setup check")
    done = clients.run(*READERS[reader], f"https://{host}", f"{reader}.{host}")
    assert done["out"].splitlines() == [f"data: {i}" for i in range(1, 6)], done
