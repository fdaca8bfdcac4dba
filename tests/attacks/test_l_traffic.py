"""Group L: traffic that must work, beside all of the attacks."""
import hashlib
import subprocess

import pytest

BLOCK = bytes(range(256)) * 256


def digest(n):
    h = hashlib.sha256()
    while n:
        h.update(BLOCK[:min(n, len(BLOCK))])
        n -= min(n, len(BLOCK))
    return h.hexdigest()


def curl(gw, *args, timeout=120):
    return gw.do("command", ["curl", "-sS", "--cacert", str(gw.arena.ca), *args], timeout=timeout, wait=timeout + 10)


@pytest.mark.parametrize("url", ["https://pass.example", "http://plain.example"])
def test_l3_a_download_of_100_mb_arrives_whole(gw, url):
    n = 100 * 1000 * 1000
    done = gw.do("command", ["sh", "-c", f"curl -sS --cacert {gw.arena.ca} {url}/bytes/{n} | sha256sum"], timeout=180, wait=200)
    assert done["out"].split()[0] == digest(n), done


@pytest.mark.parametrize("url", ["https://pass.example/data/up", "http://plain.example/data/up"])
def test_l3_an_upload_of_50_mb_arrives_whole(gw, url):
    with gw.attack() as a:
        done = gw.do("command", ["sh", "-c", f"head -c 50000000 /dev/zero | curl -sS --cacert {gw.arena.ca} -T - -X POST -H 'Content-Length: 50000000' "
                                 f"-H 'Transfer-Encoding:' {url}"], timeout=180, wait=200)
        assert '"path"' in done["out"], done
        want = hashlib.sha256(bytes(50000000)).hexdigest()
        assert want in [c.get("body_sha256") for c in a.seen()["connections"]]


@pytest.mark.parametrize("url", ["https://pass.example/events", "http://plain.example/events"])
def test_l3_server_sent_events_arrive_one_by_one(gw, url):
    done = gw.do("command", ["sh", "-c", f"curl -sSN --cacert {gw.arena.ca} {url} | while read -r l; do echo \"$(date +%s%N) $l\"; done"])
    times = [int(l.split()[0]) / 1e9 for l in done["out"].splitlines() if "data:" in l]
    assert len(times) == 5, done
    assert times[-1] - times[0] > 0.5, "the events came all at once"


def test_l3_expect_100_continue_as_curl_sends_it(gw):
    done = curl(gw, "-H", "Expect: 100-continue", "--data-binary", "x" * 3000, "http://plain.example/data/e")
    assert '"path"' in done["out"], done


@pytest.mark.parametrize("request_line", ["GET /x HTTP/1.1\r\nHost: plain.example:80\r\n\r\n", "GET /x HTTP/1.1\r\nHost: PLAIN.EXAMPLE\r\n\r\n",
                                          "GET http://plain.example/x HTTP/1.1\r\nHost: plain.example\r\n\r\n",
                                          "GET http://PLAIN.example:80/x HTTP/1.1\r\nHost: plain.example\r\n\r\n"])
def test_l7_other_spellings_of_the_same_authority_are_canonical_upstream(gw, request_line):
    with gw.attack() as a:
        got = gw.do("http", "plain.example", request_line, want=1)
        assert got["statuses"] == [200], got
        r = [r for c in a.seen()["connections"] for r in c["http"]][-1]
        assert r["line"] == "GET /x HTTP/1.1" and dict(r["fields"])["host"] == "plain.example"


def test_l9_a_dead_address_and_ipv6_only_and_cname_are_reached_in_time(gw, zone):
    zone({"pass.example": [{"cname": "edge.cdn.example"}], "edge.cdn.example": [{"a": "127.0.0.10"}]})
    gw.healthy()


def test_l10_an_idle_upstream_that_closes_costs_a_safe_request_nothing(gw, arena):
    arena.script({"/bye": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True)})
    got = gw.do("http", "plain.example", "GET /bye HTTP/1.1\r\nHost: plain.example\r\n\r\nGET /again HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=2)
    assert got["statuses"] == [200, 200], got
    arena.script({})


def test_saw_internal_says_who_and_what_can_be_reached(gw):
    who = gw.do("http", "saw.internal", "GET /v1/whoami HTTP/1.1\r\nHost: saw.internal\r\n\r\n", want=1)
    assert who["statuses"] == [200] and "ws-" in who["text"], who
    reach = gw.do("http", "saw.internal", "GET /v1/reach HTTP/1.1\r\nHost: saw.internal\r\n\r\n", want=1)
    assert "pass.example" in reach["text"] and "plain.example" in reach["text"], reach
    with gw.attack() as a:
        assert gw.do("http", "saw.internal", "POST /v1/reach HTTP/1.1\r\nHost: saw.internal\r\nContent-Length: 0\r\n\r\n", want=1)["statuses"] == [405]
        a.denied("read_only_service")


def test_saw_internal_answers_whatever_policy_lists(gateway):
    gw = gateway("version: 1\nname: nothing\nnetwork: []\n")
    who = gw.do("http", "saw.internal", "GET /v1/whoami HTTP/1.1\r\nHost: saw.internal\r\n\r\n", want=1)
    assert who["statuses"] == [200], who


def test_every_audit_line_is_valid_ocsf(gw, root):
    validator = root.parent / "shared" / "data" / "ocsf_validate.py"
    if not validator.exists():
        pytest.skip("the OCSF schema lies outside this clone: ../shared/data is not here")
    gw.healthy()
    done = subprocess.run(["/usr/bin/python3", str(validator), "-n", str(len(gw.events())), str(gw.audit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
