"""K10: an observing entry that was left on is seen: in every record of what it judged, in what the guest is told, and nowhere else."""
import json

POLICY = """\
version: 1
name: watching
lab: true
verdicts: {read: allow, write: deny, ask: review}
network:
  - {name: seen, hosts: [plain.example], ports: [80], mode: http, protocol: rest, observe: true, addresses: [127.0.0.10/32], rules: [
      {class: read, methods: [GET], paths: ["/**"]}, {class: write, methods: [POST], paths: ["/data/**"]}]}
  - {name: asked, hosts: [narrow.example], ports: [80], mode: http, protocol: rest, observe: true, addresses: [127.0.0.10/32], rules: [
      {class: read, methods: [GET], paths: ["/**"]}, {class: ask, methods: [POST], paths: ["/data/**"]}]}
  - {name: opened, hosts: [good.example], ports: [443], mode: intercept, protocol: rest, observe: true, addresses: [127.0.0.10/32],
     rules: [{class: read, methods: [GET], paths: ["/public/**"]}], ca: "@CA@"}
  - {name: enforced, hosts: [a.wild.example], ports: [80], mode: http, protocol: rest, access: read-only, addresses: [127.0.0.10/32]}
"""


def policy(ca):
    return POLICY.replace("@CA@", ca.read_text(encoding="ascii").replace("\n", "\\n"))


def request(method, host, path):
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n"


def marks(event):
    """(disposition, reason, says that its entry observes, says that it would have been refused)"""
    return event["disposition"], event["status_code"], event["unmapped"].get("observing", False), event["unmapped"].get("observed", False)


def test_k10_all_that_an_observing_entry_judged_is_marked_and_reaches_the_origin(gateway, arena):
    gw = gateway(policy(arena.ca))
    for host, port, refused in (("plain.example", 80, "class_denied"), ("narrow.example", 80, "review_not_available"), ("good.example", 443, "path_not_listed")):
        tls = port == 443
        fine, bad = ("GET", "/public/a"), ("GET", "/nowhere") if tls else ("POST", "/data/x")
        with gw.attack() as a:
            text = request(fine[0], host, fine[1]) + request(bad[0], host, bad[1])
            got = gw.do("http", host, text, port=port, tls=tls, want=2)
            assert got["statuses"] == [200, 200], got
            events = a.wait_events(lambda events: len([e for e in events if e["class_uid"] == 4002]) >= 2, dns=False)
            assert [marks(e) for e in events if e["class_uid"] == 4002] == \
                [("Allowed", "ok", True, False), ("Logged", refused, True, True)], events
            dialled = [e for e in events if e["class_uid"] == 4001]
            assert dialled and all(marks(e) == ("Allowed", "ok", True, False) for e in dialled), events
            closed = a.ends(class_uid=4001)
            assert closed and all(marks(e) == ("Allowed", "ok", True, False) for e in closed), closed
            assert sorted((r["method"], r["target"]) for r in a.seen()["requests"]) == sorted([fine, bad])
    with gw.attack() as a:  # what never passes is refused there, too, and says where
        assert gw.do("http", "plain.example", "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", want=1)["statuses"] != [200]
        event, = a.denied("authority_not_flow_name")
        assert marks(event)[2:] == (True, False)


def test_k10_what_is_enforced_bears_no_mark(gateway, arena):
    gw = gateway(policy(arena.ca))
    with gw.attack() as a:
        assert gw.do("http", "a.wild.example", request("GET", "a.wild.example", "/"), want=1)["statuses"] == [200]
        assert [marks(e) for e in a.allowed(4002)] == [("Allowed", "ok", False, False)]
    with gw.attack() as a:
        assert gw.do("http", "a.wild.example", request("POST", "a.wild.example", "/"), want=1)["statuses"] == [403]
        assert [marks(e)[2:] for e in a.denied("method_not_listed", touched=True)] == [(False, False)]
        assert not a.seen()["requests"]


def test_k10_the_guest_and_the_reader_of_the_log_are_told(gateway, arena):
    gw = gateway(policy(arena.ca))
    reach = gw.do("http", "saw.internal", "GET /v1/reach HTTP/1.1\r\nHost: saw.internal\r\n\r\n", want=1)["text"]
    reach = json.loads(reach.split("\r\n\r\n", 1)[1])["reach"]
    assert {(r["rule"], r.get("observe", False)) for r in reach} == {("seen", True), ("asked", True), ("opened", True), ("enforced", False)}
