"""Group C: names and matching, as DNS, SNI and Host see them."""
import pytest

SPELLINGS = ["2130706433", "0177.0.0.1", "0x7f.1", "127.1", "127.0.0.1", "0x7f000001", "1.2.3.4", "10.0.0.1"]


def get(host, path="/", host_field=None):
    return f"GET {path} HTTP/1.1\r\nHost: {host if host_field is None else host_field}\r\n\r\n"


def test_c1_case_folds_to_one_canonical_form_upstream(gw):
    with gw.attack() as a:
        got = gw.do("http", "PLAIN.Example", get("PLAIN.Example"), want=1)
        assert got["statuses"] == [200], got
        a.allowed(4002)
        assert [dict(r["fields"])["host"] for c in a.seen()["connections"] for r in c["http"]] == ["plain.example"]


def test_c1_sni_in_upper_case_is_the_same_name(gw):
    with gw.attack() as a:
        got = gw.do("tcp", "pass.example", 443, send=gw.do("client_hello", "PASS.Example"), want=5)
        assert got["got"].startswith("1603"), got
        a.allowed()


def test_c2_a_trailing_dot_never_changes_the_mode(gw):
    with gw.attack() as a:
        got = gw.do("http", "plain.example.", get("plain.example."), want=1)
        assert got["statuses"] in ([200], [400], [421]), got
        hosts = [dict(r["fields"])["host"] for c in a.seen()["connections"] for r in c["http"]]
        assert hosts in ([], ["plain.example"])


@pytest.mark.parametrize("name", ["good..example", ".pass.example"])
def test_c3_an_empty_label_is_malformed_in_host(gw, name):
    with gw.attack() as a:
        got = gw.do("http", "plain.example", get(name), want=1)
        assert got["statuses"] == [400], got
        a.denied("malformed_name")


@pytest.mark.parametrize("wire", ["0c6576696c0061626364656667" + "07706173732e6578" + "00", "0d70617373002e6578616d706c65" + "00"])
def test_c4_a_nul_byte_in_a_dns_name_is_malformed(gw, wire):
    with gw.attack() as a:
        got = gw.do("dns", {"hex": wire})
        assert got.get("rcode") in (1, 3, 5) and not got.get("addresses"), got
        events = a.wait_events(lambda e: e)
        assert len(events) == 1 and events[0]["status_code"] in ("malformed_name", "malformed_dns"), events
        a.untouched()


@pytest.mark.parametrize("bad", ["plain.example\t", "pla in.example", "user@plain.example", "plain.example#x", "plain.example?x", "plain%2eexample",
                                 "plain.example\\x", "plain.example/x"])
def test_c5_odd_bytes_in_an_authority_are_malformed(gw, bad):
    with gw.attack() as a:
        got = gw.do("http", "plain.example", get(bad.strip("\t") if bad.endswith("\t") else bad, host_field=bad), want=1)
        if bad.endswith("\t"):  # blanks around a field value are legal and no part of it
            assert got["statuses"] == [200]
        else:
            assert got["statuses"] == [400], got
            a.denied("malformed_host" if "/" in bad else "malformed_authority")


@pytest.mark.parametrize("name", ["pass.example.evil.example", "evilpass.example", "a.pass.example", "wild.example", "a.b.wild.example",
                                  "evilwild.example", "deep.example"])
def test_c6_c7_neighbours_of_listed_names_are_not_listed(gw, name):
    with gw.attack() as a:
        assert gw.do("dns", name)["rcode"] == 3
        a.denied("name_not_listed")


def test_c7_two_labels_only_with_two_stars(gw):
    assert gw.do("dns", "x.wild.example")["addresses"]
    assert gw.do("dns", "a.b.deep.example")["addresses"] and gw.do("dns", "a.deep.example")["addresses"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_c10_addresses_are_no_host_names_in_dns(gw, spelling):
    with gw.attack() as a:
        got = gw.do("dns", spelling)
        assert got["rcode"] in (1, 3, 5) and not got["addresses"], got
        a.denied("not_a_host_name")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_c10_addresses_are_no_host_names_in_host(gw, spelling):
    with gw.attack() as a:
        got = gw.do("http", "plain.example", get(spelling), want=1)
        assert got["statuses"] and got["statuses"][0] in (400, 421), got
        a.denied("not_a_host_name")


@pytest.mark.parametrize("label", ["b\xc3\xbccher.example", "xn--a.example", "xn--.example", "xn--pss-.example", "xn--BCHER-kva8.example"])
def test_c11_only_canonical_a_labels_are_names(gw, label):
    with gw.attack() as a:
        got = gw.do("dns", label)
        assert not got["addresses"] and got["rcode"] in (1, 3, 5)
        events = a.wait_events(lambda e: e)
        assert len(events) == 1 and events[0]["status_code"] == "malformed_name", events
        a.untouched()


def test_c11_a_canonical_a_label_is_a_name(gw):
    assert gw.do("dns", "xn--bcher-kva.example")["addresses"]


def test_c13_user_information_in_a_target_is_refused(gw):
    with gw.attack() as a:
        got = gw.do("http", "plain.example", "GET http://plain.example@evil.example/ HTTP/1.1\r\nHost: plain.example\r\n\r\n", want=1)
        assert got["statuses"] == [400], got
        a.denied("userinfo_in_target")


def test_c15_names_and_labels_at_the_limit(gw):
    longest_label = "a" * 63 + ".wild.example"
    assert gw.do("dns", longest_label)["addresses"]
    name = ".".join(["b" * 63, "c" * 63, "d" * 63, "e" * (253 - 3 * 64 - len(".deep.example")), "deep.example"])
    assert len(name) == 253 and gw.do("dns", name)["addresses"]
