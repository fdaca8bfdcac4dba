"""Chromium as Debian packs it, on an intercepted page: HTTP/2, fetch, uploads, server-sent events, a WebSocket."""
import json
import shutil
import urllib.parse

import pytest

from client_world import clients, own_zone  # noqa: F401  pylint: disable=unused-import

HOST = "client.example"
PAGE = """<!doctype html><meta charset="utf-8"><title>page</title><script>
const events = () => new Promise((good, bad) => {
  const all = [], s = new EventSource("/events/browser");
  s.onmessage = async e => {
    if (all.push(e.data) == 5) s.close();  // before the host ends, which would be an error
    await fetch("/seen/browser");
    if (s.readyState == s.CLOSED) good(all.join(""));
  };
  s.onerror = () => bad(new Error("event source"));
});
const socket = () => new Promise((good, bad) => {
  const s = new WebSocket("wss://client.example/live"), all = [];
  s.binaryType = "arraybuffer";
  s.onopen = () => { s.send("héllo"); s.send(new Uint8Array(70000)); };
  s.onmessage = m => { all.push(typeof m.data == "string" ? m.data : m.data.byteLength); if (all.length == 2) s.close(4001, "bye"); };
  s.onclose = e => good([...all, e.code]);
  s.onerror = () => bad(new Error("web socket"));
});
const attempt = f => f().catch(e => String(e));
(async () => {
  const out = {};
  out.protocol = performance.getEntriesByType("navigation")[0].nextHopProtocol;
  out.many = await attempt(async () => (await Promise.all([...Array(50).keys()].map(i => fetch("/echo/" + i).then(r => r.json())))).every((r, i) => r.path == "/echo/" + i));
  out.upload = await attempt(async () => (await (await fetch("/data/up", {method: "PUT", body: new Uint8Array(3000000)})).json()).bytes);
  out.denied = await attempt(async () => (await fetch("/echo/x", {method: "DELETE"})).status);
  out.events = await attempt(events);
  out.socket = await attempt(socket);
  await fetch("/data/outcome", {method: "POST", body: "", headers: {"X-Outcome": encodeURIComponent(JSON.stringify(out))}});
  for (let i = 0; i < 5; i++) await fetch("/seen/finished");
})();
</script>"""


@pytest.mark.release
def test_l6_chromium_loads_an_intercepted_page_and_all_that_it_does_there_works(clients):  # noqa: F811
    for program in ("chromium", "certutil"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: tools/setup clients")
    clients.origin.put(HOST, "page.html", PAGE)
    # Chromium has roots of its own; beside them it takes a user's store, not the system's bundle.
    store = clients.home / ".pki/nssdb"
    text = f"""set -e; cd {clients.home}; mkdir -p {store}; certutil -N -d sql:{store} --empty-password
awk '/BEGIN CERT/ {{ t = "" }} {{ t = t $0 "\\n" }} END {{ printf "%s", t }}' $SSL_CERT_FILE >own.pem; certutil -A -d sql:{store} -n saw -t C,, -i own.pem"""
    done = clients.run("sh", "-c", text)
    assert done["code"] == 0, done
    # The page's last act lets the stream of events end on which the shell waits.
    browser = f"""set +m; chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking \\
  --user-data-dir={clients.home}/chromium https://{HOST}/page.html >chromium.log 2>&1 & p=$!
curl -sSN -m 100 https://{HOST}/events/finished >/dev/null; kill $p; wait $p; tail -n 20 chromium.log"""
    with clients.gw.attack() as a:
        done = clients.run("sh", "-c", browser, wait=120)
        got = [r for r in clients.origin.requests() if r["target"] == "/data/outcome"]
        assert got, done
        # beside it Chromium asks for names of its makers, and begins handshakes that it does not end
        assert [e["status_code"] for e in a.events() if e["class_uid"] == 4002 and e["disposition"] == "Blocked"] == ["method_not_listed"]
    assert json.loads(urllib.parse.unquote(got[0]["fields"]["x-outcome"])) == {
        "protocol": "h2", "many": True, "upload": 3000000, "denied": 403, "events": "12345", "socket": ["héllo", 70000, 4001]}
