"""Group E (and the rows of G that plain http shows): framing. A canary request hidden in the bytes must never be seen as a request."""
import pytest

CANARY = "GET /canary HTTP/1.1\r\nHost: plain.example\r\n\r\n"


def send(gw, text, want=None, timeout=8, host="plain.example"):
    return gw.do("http", host, text, want=want, timeout=timeout)


def requests(a):
    return a.seen()["requests"]


def no_canary(a):
    assert not [r for r in requests(a) if "canary" in r["target"]], requests(a)


def refused(gw, text, reason, statuses=(400,)):
    """The attack is refused behind a legitimate request on the same connection, which alone is seen by the origin."""
    with gw.attack() as a:
        got = send(gw, text, want=1)
        assert got["statuses"][:1] and got["statuses"][0] in statuses and len(got["statuses"]) == 1, got
        a.denied(reason)
    with gw.attack() as a:
        got = send(gw, "GET /first HTTP/1.1\r\nHost: plain.example\r\n\r\n" + text, want=2)
        assert got["statuses"][0] == 200 and got["statuses"][1] in statuses and len(got["statuses"]) == 2, got
        a.denied(reason, touched=True)
        assert [r["target"] for r in requests(a)] == ["/first"]
        no_canary(a)


def post(fields, body="", path="/data/x"):
    return f"POST {path} HTTP/1.1\r\nHost: plain.example\r\n{fields}\r\n{body}"


@pytest.mark.parametrize("fields", ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                                    "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n"])
def test_e1_e2_two_body_lengths(gw, fields):
    refused(gw, post(fields, "0\r\n\r\n" + CANARY), "two_body_lengths")


@pytest.mark.parametrize("value", ["+5", "-5", "0x5", "5_0", "5,5", "", "0000000000000000000000005", "99999999999999999999", "5 5", "five"])
def test_e3_malformed_content_length(gw, value):
    refused(gw, post(f"Content-Length: {value}\r\n", "hello" + CANARY), "malformed_content_length", (400, 413))


@pytest.mark.parametrize("fields", ["Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: ,chunked\r\n", "Transfer-Encoding: xchunked\r\n",
                                    "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                                    "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\r\n"])
def test_e4_unsupported_transfer_encoding(gw, fields):
    refused(gw, post(fields, "0\r\n\r\n" + CANARY), "unsupported_transfer_encoding", (400, 501))


def test_e4_a_control_byte_in_transfer_encoding(gw):
    refused(gw, post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n" + CANARY), "malformed_header", (400,))


@pytest.mark.parametrize("size", ["0x5", "+5", "5 ", "5_0", "", "00000000000000005", "-1", "g"])
def test_e6_malformed_chunk_size(gw, size):
    with gw.attack() as a:
        got = send(gw, post("Transfer-Encoding: chunked\r\n", f"{size}\r\nhello\r\n0\r\n\r\n" + CANARY), want=1)
        assert got["statuses"][:1] == [400] or (got["closed"] and not got["statuses"]), got
        events = a.wait_events(lambda e: [x for x in e if x.get("disposition") == "Blocked"])
        assert [e["status_code"] for e in events if e["disposition"] == "Blocked"] == ["malformed_chunk"], events
        no_canary(a)
        assert not [r for r in requests(a) if r["method"] == "POST"], "a broken body was completed for the origin"


@pytest.mark.parametrize("ext", [";a=b\nX", ";a=b\rX", ";" + "x" * 9000, ';a="\r\n"', ";a=\"unterminated"])
def test_e7_bad_chunk_extensions(gw, ext):
    with gw.attack() as a:
        got = send(gw, post("Transfer-Encoding: chunked\r\n", f"5{ext}\r\nhello\r\n0\r\n\r\n" + CANARY), want=1)
        assert got["statuses"][:1] == [400] or (got["closed"] and not got["statuses"]), got
        a.denied("malformed_chunk" if ext == ";a=b\rX" else "malformed_chunk_extension")


def test_e7_short_chunk_extensions_are_dropped(gw):
    with gw.attack() as a:
        got = send(gw, post("Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n"), want=1)
        assert got["statuses"] == [200], got
        r = requests(a)[-1]
        assert r["body"] == "hello" and "a=b" not in r["line"]


def test_e9_trailers_never_reach_the_origin(gw):
    with gw.attack() as a:
        got = send(gw, post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nHost: evil.example\r\nX-T: 1\r\nContent-Length: 3\r\n\r\n"), want=1)
        assert got["statuses"][0] in (200, 400), got
        for c in a.seen()["connections"]:
            assert b"evil.example" not in bytes.fromhex(c["raw"]) and b"X-T" not in bytes.fromhex(c["raw"])


@pytest.mark.parametrize("text", ["GET / HTTP/1.1\nHost: plain.example\n\n", "GET / HTTP/1.1\r\nHost: plain.example\nX: y\r\n\r\n",
                                  "GET / HTTP/1.1\r\nHost: plain.example\r\nX: a\rb\r\n\r\n", "GET / HTTP/1.1\r\r\nHost: plain.example\r\n\r\n"])
def test_e10_malformed_line_end(gw, text):
    refused(gw, text, "malformed_line_end")


@pytest.mark.parametrize("line", ["X: a\r\n b", "X : a", "no colon", ": empty", "X\t: a", "X Y: a", "(X): a"])
def test_e11_malformed_header(gw, line):
    refused(gw, f"GET / HTTP/1.1\r\nHost: plain.example\r\n{line}\r\n\r\n", "malformed_header")


def test_e11_first_header_line_that_begins_with_a_blank(gw):
    refused(gw, "GET / HTTP/1.1\r\n Host: plain.example\r\nHost: plain.example\r\n\r\n", "malformed_header")


@pytest.mark.parametrize("line", ["X: a\x00b", "X: a\x01b", "X: a\x7fb", "X\x00Y: a", "X\xe9: a", "X\x1f: a"])
def test_e12_control_bytes_in_headers(gw, line):
    refused(gw, f"GET / HTTP/1.1\r\nHost: plain.example\r\n{line}\r\n\r\n", "malformed_header")


@pytest.mark.parametrize("method,path", [("GET", "/x"), ("DELETE", "/data/x"), ("HEAD", "/x")])
def test_e14_a_body_on_any_method_is_framed_and_hides_nothing(gw, method, path):
    with gw.attack() as a:
        text = f"{method} {path} HTTP/1.1\r\nHost: plain.example\r\nContent-Length: {len(CANARY)}\r\n\r\n{CANARY}"
        got = send(gw, text, want=1)
        assert got["statuses"][0] in (200, 400, 403, 413), got
        no_canary(a)


def test_e15_expect_is_answered_by_us_and_never_forwarded(gw):
    with gw.attack() as a:
        got = send(gw, post("Content-Length: 5\r\nExpect: 100-continue\r\n", "hello"), want=2)
        assert got["statuses"] in ([100, 200], [200]), got
        assert "expect" not in dict(requests(a)[-1]["fields"]) and requests(a)[-1]["body"] == "hello"


@pytest.mark.parametrize("value", ["200-ok", "100-continue, x", "x"])
def test_e15_an_unknown_expectation_is_refused(gw, value):
    refused(gw, post(f"Content-Length: 5\r\nExpect: {value}\r\n", "hello"), "unsupported_expect", (417,))


def test_e16_pipelined_requests_are_judged_one_by_one(gw):
    with gw.attack() as a:
        got = send(gw, "GET /one HTTP/1.1\r\nHost: plain.example\r\n\r\nGET /two HTTP/1.1\r\nHost: plain.example\r\n\r\n"
                       "GET /admin/x HTTP/1.1\r\nHost: plain.example\r\n\r\n" + CANARY, want=3)
        assert got["statuses"] == [200, 200, 403], got
        assert [r["target"] for r in requests(a)] == ["/one", "/two"]
        a.denied("denied_by_rule", touched=True)


def test_e17_nothing_is_read_after_a_deny(gw):
    with gw.attack() as a:
        got = send(gw, "GET /admin/x HTTP/1.1\r\nHost: plain.example\r\n\r\n" + CANARY)
        assert got["statuses"] == [403] and got["closed"], got
        a.denied("denied_by_rule")


@pytest.mark.parametrize("fields,reason", [("", "malformed_host"), ("Host: plain.example\r\nHost: plain.example\r\n", "malformed_host"),
                                           ("Host: plain.example, evil.example\r\n", "malformed_host"), ("Host: plain.example/x\r\n", "malformed_host"),
                                           ("Host:\r\n", "malformed_host"), ("Host: plain.example:99999\r\n", "malformed_host"),
                                           ("Host: plain.example:+80\r\n", "malformed_host"), ("Host: evil.example\r\n", "authority_not_flow_name"),
                                           ("Host: plain.example:8080\r\n", "authority_not_flow_name")])
def test_e19_host(gw, fields, reason):
    refused(gw, f"GET / HTTP/1.1\r\n{fields}\r\n", reason, (400, 421))


@pytest.mark.parametrize("target,reason,statuses", [("http://evil.example/", "authority_not_flow_name", (421,)), ("https://plain.example/", "authority_not_flow_name", (421, 400)),
                                                    ("http://plain.example:8080/", "authority_not_flow_name", (421,)), ("ftp://plain.example/", "authority_not_flow_name", (421,))])
def test_e20_absolute_form(gw, target, reason, statuses):
    with gw.attack() as a:
        got = send(gw, f"GET {target} HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)
        assert got["statuses"] and got["statuses"][0] in statuses, got
        events = a.wait_events(lambda e: [x for x in e if x.get("disposition") == "Blocked"])
        assert [e["status_code"] for e in events if e["disposition"] == "Blocked"][0] in (reason, "authority_not_flow_name"), events
        a.untouched()


@pytest.mark.parametrize("line", ["GET /", "GET / HTTP/1.32", "GET / HTTP/2.0", "GET / http/1.1", "GET / HTTP/1.2", "GET / HTTP/0.9", "GET / HTTP/1.1 x", "GET  / HTTP/1.1"])
def test_e22_versions(gw, line):
    with gw.attack() as a:
        got = send(gw, f"{line}\r\nHost: plain.example\r\n\r\n", want=1)
        assert got["statuses"] and got["statuses"][0] in (400, 505), got
        blocked = [e for e in a.wait_events(lambda e: [x for x in e if x.get("disposition") == "Blocked"]) if e["disposition"] == "Blocked"]
        assert len(blocked) == 1 and blocked[0]["status_code"] in ("http_version", "malformed_target", "malformed_request_line"), blocked
        a.untouched()


@pytest.mark.parametrize("text", ["GET / HTTP/1.1\r\nHost: plain.example\r\n" + "".join(f"X{i}: y\r\n" for i in range(10000)) + "\r\n",
                                  "GET / HTTP/1.1\r\nHost: plain.example\r\nX: " + "y" * 70000 + "\r\n\r\n"])
def test_e23_headers_over_the_limit(gw, text):
    with gw.attack() as a:
        got = send(gw, text, want=1)
        assert got["statuses"][:1] == [431] or got["closed"], got
        a.denied("headers_too_large")


def test_e24_framing_names_cannot_be_nominated(gw):
    with gw.attack() as a:
        got = send(gw, post("Content-Length: 5\r\nX-Keep: 1\r\nX-Drop: 1\r\nConnection: host, content-length, x-drop\r\n", "hello"), want=1)
        if got["statuses"] == [200]:
            fields = dict(requests(a)[-1]["fields"])
            assert fields["host"] == "plain.example" and requests(a)[-1]["body"] == "hello" and "x-drop" not in fields and "connection" not in fields
        else:
            assert got["statuses"] == [400], got


def test_e25_h2c_upgrade_is_removed(gw):
    with gw.attack() as a:
        got = send(gw, "GET /x HTTP/1.1\r\nHost: plain.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", want=1)
        assert got["statuses"][0] in (200, 400, 403, 501), got
        for r in requests(a):
            assert not {"upgrade", "http2-settings", "connection"} & set(dict(r["fields"]))


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", b"garbage\r\n\r\n", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
                                    OK + b"Bad Name: x\r\nContent-Length: 0\r\n\r\n", OK + b"Content-Length: x\r\n\r\n", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
                                    OK + b"Transfer-Encoding: gzip\r\n\r\nabc", b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
                                    OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n"])
def test_e27_a_malformed_answer_becomes_502(gw, arena, answer):
    arena.script({"/bad": (answer, True)})
    with gw.attack() as a:
        got = send(gw, "GET /bad HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)
        assert got["statuses"] == [502], got
        failed = lambda events: [e["status_code"] for e in events if e.get("disposition") == "Error"]
        assert failed(a.wait_events(failed)) == ["malformed_upstream"]
    arena.script({})


def test_e27_bytes_behind_an_answer_are_never_a_second_answer(gw, arena):
    arena.script({"/double": (OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", False)})
    got = send(gw, "GET /double HTTP/1.1\r\nHost: plain.example\r\n\r\nGET /next HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=2)
    assert "poison" not in got["text"] and got["statuses"][0] == 200, got
    arena.script({})


def test_e28_answers_are_reframed_and_the_next_request_gets_its_own(gw, arena):
    arena.script({"/until-close": (OK + b"\r\nall of it", True), "/no-content": (b"HTTP/1.1 204 No Content\r\n\r\n", False),
                  "/not-modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", False),
                  "/both": (OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", True)})
    for path, first in (("/until-close", 200), ("/no-content", 204), ("/not-modified", 304), ("/both", None)):
        got = send(gw, f"GET {path} HTTP/1.1\r\nHost: plain.example\r\n\r\nGET /own HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=2)
        assert got["statuses"][0] == first or (first is None and got["statuses"][0] in (200, 502)), (path, got)
        if len(got["statuses"]) > 1:
            assert got["statuses"][1] == 200 and '"/own"' in got["text"], (path, got)
    arena.script({})


@pytest.mark.parametrize("path", ["/public/../admin", "/./x", "/%2e%2e/x", "/.%2e/x", "/x/%2E%2E%2Fy", "/x/.."])
def test_g1_dot_segments_are_refused(gw, path):
    with gw.attack() as a:
        assert send(gw, f"GET {path} HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)["statuses"] == [400]
        blocked = [e for e in a.wait_events(lambda e: e) if e["disposition"] == "Blocked"]
        assert len(blocked) == 1 and blocked[0]["status_code"] in ("dot_segment", "encoded_slash"), blocked
        a.untouched()


def test_g2_double_encoding_is_literal(gw):
    with gw.attack() as a:
        assert send(gw, "GET /x/%252e%252e/y HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)["statuses"] == [200]
        assert requests(a)[-1]["target"] == "/x/%252e%252e/y"


@pytest.mark.parametrize("path", ["/%c0%ae", "/%ff", "/%00", "/%0a", "/%", "/%zz", "/%u002e", "/a b", "/a\\b", "/\xe9"])
def test_g6_malformed_escapes_are_refused(gw, path):
    with gw.attack() as a:
        assert send(gw, f"GET {path} HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)["statuses"] == [400]
        blocked = [e for e in a.wait_events(lambda e: e) if e["disposition"] == "Blocked"]
        assert len(blocked) == 1 and blocked[0]["status_code"] in ("malformed_target", "http_version"), blocked
        a.untouched()


def test_g7_an_escaped_letter_cannot_dodge_a_deny(gw):
    with gw.attack() as a:
        got = send(gw, "GET /%61dmin/x HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)
        assert got["statuses"][0] in (400, 403), got
        a.untouched()


@pytest.mark.parametrize("method", ["delete", "Delete", "post", "get", "trace"])
def test_a_method_in_other_letters_is_refused(gw, method):
    with gw.attack() as a:
        assert send(gw, f"{method} /data/x HTTP/1.1\r\nHost: any.example\r\n\r\n", host="any.example", want=1)["statuses"] == [403]
        a.denied("method_not_listed")


@pytest.mark.parametrize("path", ["//admin/x", "/a//b"])
def test_g4_empty_segments(gw, path):
    with gw.attack() as a:
        assert send(gw, f"GET {path} HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)["statuses"][0] in (400, 403)
        a.untouched()


@pytest.mark.parametrize("field", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_g11_a_method_override_is_refused(gw, field):
    with gw.attack() as a:
        got = send(gw, f"GET /x HTTP/1.1\r\nHost: plain.example\r\n{field}: DELETE\r\n\r\n", want=1)
        assert got["statuses"] == [403], got
        a.denied("method_override")


FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
PART = '--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\nDELETE\r\n--x--\r\n'
HIDDEN = {
    "query": ("/data/x?a=1&_method=DELETE", "", ""),
    "query, a field's name": ("/data/x?X-HTTP-Method-Override=DELETE", "", ""),
    "form": ("/data/x", FORM, "a=1&_method=DELETE"),
    "form, a field's name": ("/data/x", FORM, "x-http-method-override=DELETE"),
    "form, upper case": ("/data/x", FORM, "_METHOD=DELETE"),
    "query, a bracket": ("/data/x?%5B_method=DELETE", "", ""),
    "form, brackets": ("/data/x", FORM, "a=1&[_method]=DELETE"),
    "form, a bracket behind": ("/data/x", FORM, "_method%5D=DELETE"),
    "multipart/form-data, brackets": ("/data/x", "Content-Type: multipart/form-data; boundary=x\r\n", PART % "[_method]"),
    "no type": ("/data/x", "", "_method=DELETE"),
    "empty type": ("/data/x", "Content-Type:\r\n", "a=1&_method=DELETE"),
    "no type, JSON": ("/data/x", "", '{"draft":true,"x":"&draft=false&_method=DELETE&"}'),
    "multipart/form-data": ("/data/x", "Content-Type: multipart/form-data; boundary=x\r\n", PART % "_method"),
    "multipart/form-data, an encoded word": ("/data/x", "Content-Type: multipart/form-data; boundary=x\r\n", PART % "=?UTF-8?B?X21ldGhvZA==?="),
    "multipart/form-data, an extended name": ("/data/x", "Content-Type: multipart/form-data; boundary=x\r\n", (PART % "UTF-8''%5Fmethod").replace("name=", "name*=")),
    "multipart/mixed": ("/data/x", "Content-Type: multipart/mixed; boundary=x\r\n", PART % "_method"),
    "multipart/related, a field's name": ("/data/x", "Content-Type: multipart/related; boundary=x\r\n", PART % "X-Method-Override"),
    "multipart/related, by its ID": ("/data/x", "Content-Type: multipart/related; boundary=x\r\n", "--x\r\nContent-ID: <_method>\r\n\r\nDELETE\r\n--x--\r\n"),
    "JSON": ("/data/x", "Content-Type: application/json\r\n", '{"_method":"DELETE"}'),
    "JSON, escaped": ("/data/x", "Content-Type: application/problem+json\r\n", '{"a":{},"\\u005fmethod":"DELETE"}'),
}


@pytest.mark.parametrize("target,fields,body", HIDDEN.values(), ids=HIDDEN)
def test_g11_a_method_override_in_query_or_body_is_refused(gw, target, fields, body):
    with gw.attack() as a:
        got = send(gw, f"POST {target} HTTP/1.1\r\nHost: plain.example\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}", want=1)
        assert got["statuses"] == [403], got
        a.denied("method_override")


@pytest.mark.parametrize("fields,reason,status", [
    ("Content-Type: multipart/form-data; boundary=x\r\n" + FORM, "malformed_header", 400), ("Content_Type: multipart/mixed; boundary=x\r\n", "malformed_header", 400),
    ("Content-Type: application/x-www-form-urlencoded; charset=IBM037\r\n", "form_charset", 403),
    ("Content-Type: multipart/form-data; boundary=x; charset=utf-16be\r\n", "form_charset", 403),
    ("Content-Encoding: gzip\r\n", "coded_form", 403), ("Content-Type: multipart/form-data; boundary=x\r\nContent-Encoding: gzip\r\n", "coded_form", 403)])
def test_g11_a_form_in_which_nobody_can_look_is_refused(gw, fields, reason, status):
    with gw.attack() as a:
        got = send(gw, f"POST /data/x HTTP/1.1\r\nHost: plain.example\r\n{fields}Content-Length: 14\r\n\r\n_method=DELETE", want=1)
        assert got["statuses"] == [status], got
        a.denied(reason)


@pytest.mark.parametrize("fields,body", [("", ""), ("", '{"draft": true}'), ("Content-Type: multipart/related; boundary=x\r\nContent-Encoding: gzip\r\n", "coded"), ("Content-Type: application/octet-stream\r\n", "_method=DELETE"), (FORM, "x_method=CC&method=DELETE"),
                                         (FORM, "filter[status]=x&ids[]=1&page[size]=2&[method]=DELETE"),
                                         ("Content-Type: application/json\r\n", '{"query": "&_method=", "variables": {"_method": 1}}')])
def test_g11_what_only_looks_like_one_arrives(gw, fields, body):
    got = send(gw, f"POST /data/x HTTP/1.1\r\nHost: plain.example\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}", want=1)
    assert got["statuses"] == [200], got


DRY = "/dry/x?dry_run=true"
UNCLEAR = {
    "form": (DRY, FORM, "dry_run=false"),
    "no type": (DRY, "", "dry_run=false"),
    "multipart": (DRY, "Content-Type: multipart/form-data; boundary=x\r\n", PART % "dry_run"),
    "brackets": (DRY + "&[dry_run]=false", "", ""),
    "a bracket behind": (DRY + "&dry_run%5D=false", "", ""),
    "an unclosed bracket": (DRY + "&dry%5Brun=false", "", ""),
    "behind what hosts read": ("/dry/x?" + "a&" * 1000 + "dry_run=true", "", ""),
}


@pytest.mark.parametrize("target,fields,body", UNCLEAR.values(), ids=UNCLEAR)
def test_g10_a_parameter_that_hosts_read_otherwise_is_refused(gw, target, fields, body):
    with gw.attack() as a:
        got = send(gw, f"POST {target} HTTP/1.1\r\nHost: plain.example\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}", want=1)
        assert got["statuses"] == [403], got
        a.denied("condition_not_met")


@pytest.mark.parametrize("fields,body", [("", ""), ("Content-Type: application/json\r\n", "{}")])
def test_g10_a_clear_parameter_passes(gw, fields, body):
    target = DRY + "&ids%5B%5D=1&page%5Bsize%5D=2"
    with gw.attack() as a:
        got = send(gw, f"POST {target} HTTP/1.1\r\nHost: plain.example\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}", want=1)
        assert got["statuses"] == [200], got
        assert [r["target"] for r in requests(a)] == [target]


def test_g14_head_is_get_and_options_is_not(gw):
    assert gw.do("http", "plain.example", "HEAD /x HTTP/1.1\r\nHost: plain.example\r\nConnection: close\r\n\r\n")["statuses"] == [200]
    with gw.attack() as a:
        assert send(gw, "OPTIONS /x HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)["statuses"] == [403]
        a.denied("method_not_listed")


@pytest.mark.parametrize("request_line,reason", [("GET /private HTTP/1.1", "path_not_listed"), ("POST /public/x HTTP/1.1", "method_not_listed")])
def test_what_no_rule_lists_is_refused_with_a_problem_document(gw, request_line, reason):
    with gw.attack() as a:
        got = gw.do("http", "narrow.example", f"{request_line}\r\nHost: narrow.example\r\n\r\n", want=1)
        assert got["statuses"] == [403] and "application/problem+json" in got["text"] and '"narrow' in got["text"], got
        a.denied(reason)
