"""The keeper of secrets by itself: what it stores, what it refuses, whom it tells, and what it issues."""
import fcntl
import os
import pathlib
import random
import re
import resource
import shutil
import stat
import subprocess

import pytest

from ipc import N
from keeper import Keeper, sealed
from workspace import wait_for

WS, OTHER = "ws-0123456789ab", "ws-ba9876543210"
VALUE = b"ghp_0123456789abcdefghij"


@pytest.fixture
def keeper(build):
    k = Keeper(build)
    assert k.start() is None
    yield k
    k.close()
    assert "not permitted or malformed" not in k.log()


def file_of(k, name, owner="ann"):
    return k.folder / "secrets" / owner / name


def test_as_many_workspaces_as_may_run_have_their_channels(build):
    many = 300
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    k = Keeper(build)
    assert k.start(running=many) is None
    k.set("github", VALUE)
    ends = []
    try:
        for i in range(many):
            ws = f"ws-{i:012x}"
            ends += [k.outlet(ws, ["github"]), k.inlet(ws, ["a.example"])]
        assert ends[0].take() == "github" and len(ends[-1].issue()[3]) == 1
        k.set("github", VALUE + b"2")
        assert ends[-2].take_all(2) == ["github", "github"] and ends[-2].values["github"] == VALUE + b"2"
        assert k.prepare("github", "ROTATE", VALUE)[0] == N["SAWD_SECRET_OK"], "and files can be opened still"
    finally:
        for end in ends:
            end.close()
        k.close()


# ---- stored --------------------------------------------------------------------------------------------------------

def test_a_value_is_sealed_on_disk_and_its_versions_are_counted(keeper):
    assert keeper.set("github", VALUE, "NEW") == 1
    assert keeper.set("github", VALUE + b"2", "ROTATE") == 2
    version, created, rotated, fault = keeper.rows()["github"]
    assert version == 2 and rotated > created > 0 and fault == ""
    for path in keeper.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        assert path.is_dir() or VALUE not in path.read_bytes(), path


@pytest.mark.parametrize("op, name, answer", [("NEW", "there", "EXISTS"), ("ROTATE", "missing", "MISSING"), ("REMOVE", "missing", "MISSING")])
def test_what_is_there_decides_what_may_be_asked(keeper, op, name, answer):
    keeper.set("there", VALUE)
    assert keeper.prepare(name, op, None if op == "REMOVE" else b"other")[0] == N["SAWD_SECRET_" + answer]
    assert list(keeper.rows()) == ["there"] and keeper.rows()["there"][0] == 1


@pytest.mark.parametrize("value", [b"", b"a\n", b"a\r\nb", b"a\0b", b"caf\xc3\xa9", b" a", b"a\tb", b"x" * 16385], ids=repr)
def test_a_value_that_no_field_carries_is_refused_when_it_is_stored(keeper, value):
    answer, _, why = keeper.prepare("github", "NEW", value)
    assert answer == N["SAWD_SECRET_BAD"] and why.startswith(b"the value ") and not keeper.rows()


@pytest.mark.parametrize("missing", [fcntl.F_SEAL_WRITE, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, 0xf])
def test_memory_that_can_still_change_is_refused(keeper, missing):
    fd = os.memfd_create("open", os.MFD_ALLOW_SEALING)
    os.write(fd, VALUE)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 0xf & ~missing)
    assert keeper.prepare("github", "NEW", fd)[0] == N["SAWD_SECRET_BAD"]


@pytest.mark.parametrize("name", ["..", "a/b", ".a", "A", "a b", "a" * 64 + "b"])
def test_a_name_that_could_leave_its_folder_is_no_id(keeper, name):
    """Core checks the same; one that does not is cut off or refused, and nothing appears on disk."""
    try:
        assert keeper.prepare(name, "NEW", VALUE)[0] == N["SAWD_SECRET_BAD"]
    except EOFError:
        keeper.folder.with_suffix(".log").write_text("")
        keeper.connect()
    assert not [p for p in (keeper.folder / "secrets").rglob("*") if p.is_file()]


def test_owners_do_not_share_and_do_not_leave_the_folder(keeper):
    for owner in ("ann", "a%6En", "../x", ".", "CORP\\ann"):
        keeper.set("github", VALUE + owner.encode().hex().encode(), owner=owner)
    assert len(list((keeper.folder / "secrets").iterdir())) == 5 and not (keeper.folder / "x").exists()
    assert keeper.rows("ann")["github"][0] == keeper.rows("../x")["github"][0] == 1
    keeper.remove("github", "ann")
    assert not keeper.rows("ann") and keeper.rows("../x")


def test_an_owner_has_a_bounded_number_of_secrets(keeper):
    for i in range(N["SAWD_SECRETS_MAX"]):
        keeper.set(f"s{i}", VALUE)
    assert keeper.prepare("more", "NEW", VALUE)[0] == N["SAWD_SECRET_FULL"]
    assert len(keeper.rows()) == 256 and keeper.set("s0", VALUE, "ROTATE") == 2
    keeper.remove("s1")
    assert keeper.set("more", VALUE, "NEW") == 1


def test_a_change_is_made_when_core_says_go_and_not_before(keeper):
    keeper.prepare("github", "NEW", VALUE)
    change = keeper.req
    assert not keeper.rows()
    assert keeper.commit(change, 0)[0] == 1 and not keeper.rows()
    assert keeper.commit(change)[0] == N["SAWD_SECRET_FAILED"] and not keeper.rows()
    keeper.prepare("github", "NEW", VALUE)
    change = keeper.req
    keeper.connect()  # core died in between
    assert keeper.commit(change)[0] == N["SAWD_SECRET_FAILED"] and not keeper.rows()


def test_of_two_changes_at_once_one_is_told_that_it_came_too_late(keeper):
    keeper.set("github", VALUE)
    keeper.prepare("github", "ROTATE", b"one")
    first = keeper.req
    keeper.prepare("github", "ROTATE", b"two")
    assert keeper.commit(keeper.req - 0)[0] == 1
    done = keeper.commit(first)
    assert done[0] == N["SAWD_SECRET_RACED"] and b"somebody else" in done[4] and keeper.rows()["github"][0] == 2


def test_a_value_that_came_between_is_not_removed(keeper):
    """Who removes means the value that was there when it was asked for."""
    keeper.set("github", VALUE)
    keeper.prepare("github", "REMOVE")
    removal = keeper.req
    keeper.set("github", b"another", "ROTATE")
    assert keeper.commit(removal)[0] == N["SAWD_SECRET_RACED"] and keeper.rows()["github"][0] == 2
    keeper.remove("github")
    assert not keeper.rows()


def limit_descriptors(k, soft):
    subprocess.run(["prlimit", "--pid", str(k.process.pid), f"--nofile={soft}:"], check=True)


def test_a_value_that_could_not_be_read_for_want_of_descriptors_is_told_later(keeper):
    keeper.set("github", VALUE)
    outlet = keeper.outlet(WS, ["github"])
    assert outlet.take() == "github" and outlet.values
    limit_descriptors(keeper, 3)
    outlet.send("MSG_KEEPER_WANTED")
    assert outlet.take(5) == "github" and not outlet.values, "nothing is spent that nobody vouches for"
    limit_descriptors(keeper, 300)
    assert outlet.take(20) == "github" and outlet.values == {"github": VALUE}
    assert outlet.quiet()
    outlet.close()


def test_more_changes_than_are_held_at_once_are_refused(keeper):
    held = []
    for i in range(8):
        assert keeper.prepare(f"s{i}", "NEW", VALUE)[0] == N["SAWD_SECRET_OK"]
        held.append(keeper.req)
    assert keeper.prepare("more", "NEW", VALUE)[0] == N["SAWD_SECRET_FULL"]
    assert keeper.commit(held[0])[0] == 1
    assert keeper.prepare("more", "NEW", VALUE)[0] == N["SAWD_SECRET_OK"]


# ---- damage --------------------------------------------------------------------------------------------------------

def harm(path, how, k):
    data = path.read_bytes()
    if how == "bit":
        at = random.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
    elif how == "cut":
        path.write_bytes(data[:-1])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "newer":
        path.write_bytes(data[:7] + b"\x02" + data[8:])
    elif how == "renamed":
        k.set("gitlab", b"another")
        shutil.copy(file_of(k, "gitlab"), path)
    elif how == "link":
        path.rename(path.with_name("moved"))
        path.symlink_to("moved")


@pytest.mark.parametrize("how", ["bit", "cut", "empty", "newer", "renamed", "link"])
def test_a_damaged_file_is_named_and_its_value_is_gone_and_can_be_set_again(keeper, how):
    keeper.set("github", VALUE)
    harm(file_of(keeper, "github"), how, keeper)
    fault = keeper.rows()["github"][3]
    assert fault.startswith("secrets/ann/github") and ("newer" in fault) == (how == "newer")
    outlet = keeper.outlet(WS, ["github"])
    assert outlet.take() == "github" and not outlet.values
    assert "secrets/ann/github" in keeper.log()
    assert keeper.prepare("github", "NEW", VALUE)[0] == N["SAWD_SECRET_EXISTS"]
    keeper.set("github", VALUE + b"2", "ROTATE")
    assert outlet.take() == "github" and outlet.values == {"github": VALUE + b"2"} and keeper.rows()["github"][3] == ""


def test_files_of_another_key_do_not_open(keeper, build):
    keeper.set("github", VALUE)
    other = Keeper(build)
    assert other.start() is None
    other.kill()
    shutil.copytree(keeper.folder / "secrets", other.folder / "secrets", dirs_exist_ok=True)
    assert other.start() is None
    assert "another key" in other.rows()["github"][3]
    other.close()


def test_killed_at_any_moment_the_old_value_is_there_or_the_new_one(keeper):
    values = {1: b"value-1"}
    keeper.set("github", values[1])
    for i in range(2, 42):
        values[i] = b"value-%d" % i
        answer, version, why = keeper.prepare("github", "ROTATE", values[i])
        assert answer == N["SAWD_SECRET_OK"], why
        values[version] = values[i]
        keeper.core.send("MSG_SAWD_SECRET_COMMIT", 10 ** 9 + i, keeper.req, 1)
        wait_for("a moment", lambda: random.random() < 0.3)
        keeper.kill()
        assert keeper.start() is None
        found, _, _, fault = keeper.rows()["github"]
        assert fault == "" and found in (version, version - 1)
        outlet = keeper.outlet(WS, ["github"])
        outlet.take()
        assert outlet.values["github"] == values[found]
        outlet.close()
    assert not [p for p in keeper.folder.rglob("*.new")]


# ---- the key -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how, sentence", [("open", "mode 0600"), ("short", "exactly 32 bytes"), ("link", "open seal.key")])
def test_a_bad_key_is_a_refusal_to_start_that_says_why(build, how, sentence):
    k = Keeper(build)
    path = k.folder / "seal.key"
    path.write_bytes(b"k" * (31 if how == "short" else 32))
    path.chmod(0o644 if how == "open" else 0o600)
    if how == "link":
        path.rename(k.folder / "x")
        path.symlink_to("x")
    assert sentence in k.start()


def test_the_key_may_be_a_systemd_credential(build, tmp_path):
    credential = tmp_path / "saw-seal-key"
    credential.write_bytes(bytes(range(32)))
    credential.chmod(0o400)
    k = Keeper(build, credential)
    assert k.start() is None
    k.set("github", VALUE)
    assert not (k.folder / "seal.key").exists()
    k.close()
    k.credential = ""
    k.errors = open(os.devnull, "ab")
    (k.folder / "seal.key").write_bytes(bytes(range(32)))
    (k.folder / "seal.key").chmod(0o600)
    assert k.start() is None and k.rows()["github"][3] == ""
    k.close()


@pytest.mark.parametrize("what", ["secrets", "ca"])
def test_no_fresh_key_is_made_beside_what_another_one_sealed(keeper, what):
    """The credential is missing: it was started by hand."""
    if what == "ca":
        assert keeper.root(WS).startswith("-----BEGIN")
    else:
        keeper.set("github", VALUE)
    keeper.kill()
    key = keeper.folder / "seal.key"
    aside = key.rename(keeper.folder / "aside")
    assert "start sawd as the service that has the credential" in keeper.start() and not key.exists()
    aside.rename(key)
    assert keeper.start() is None


def test_two_keys_that_differ_are_not_guessed_between(build, tmp_path):
    credential = tmp_path / "saw-seal-key"
    credential.write_bytes(b"c" * 32)
    credential.chmod(0o400)
    k = Keeper(build, credential)
    (k.folder / "seal.key").write_bytes(b"d" * 32)
    (k.folder / "seal.key").chmod(0o600)
    assert "differ" in k.start()


# ---- outlets -------------------------------------------------------------------------------------------------------

def test_an_outlet_hears_what_its_policy_binds_and_nothing_else(keeper):
    keeper.set("github", VALUE)
    keeper.set("gitlab", b"other")
    keeper.set("github", b"of bob", owner="bob")
    outlet = keeper.outlet(WS, ["github", "missing"])
    assert outlet.take_all(2) == ["github", "missing"] and outlet.values == {"github": VALUE} and outlet.quiet()


def test_a_rotated_or_removed_value_stops_within_a_second_everywhere(keeper):
    keeper.set("github", VALUE)
    outlets = [keeper.outlet(w, ["github"]) for w in (WS, OTHER)]
    stranger = keeper.outlet("ws-000000000000", ["gitlab"])
    assert stranger.take() == "gitlab"
    for o in outlets:
        o.take()
    for step in (lambda: keeper.set("github", b"new", "ROTATE"), lambda: keeper.remove("github"), lambda: keeper.set("github", b"again", "NEW")):
        step()
        for o in outlets:
            assert o.take(1) == "github"
    assert [o.values for o in outlets] == [{"github": b"again"}] * 2 and stranger.quiet()


def test_a_new_policy_adds_and_takes_away(keeper):
    keeper.set("a", b"1")
    keeper.set("b", b"2")
    outlet = keeper.outlet(WS, ["a"])
    outlet.take()
    keeper.bind(WS, ["a", "b"])
    assert outlet.take() == "b" and outlet.values == {"a": b"1", "b": b"2"} and outlet.quiet()
    keeper.bind(WS, ["b"])
    assert outlet.take() == "a" and outlet.values == {"b": b"2"}
    keeper.set("a", b"3")
    assert outlet.quiet()
    keeper.bind(WS, ["b"], owner="bob")
    keeper.bind("ws-000000000000", ["b"])
    assert outlet.quiet()


def test_a_fresh_outlet_on_the_same_channel_asks_and_hears_everything(keeper):
    keeper.set("github", VALUE)
    outlet = keeper.outlet(WS, ["github"])
    outlet.take()
    for _ in range(50):
        outlet.send("MSG_KEEPER_WANTED")
    said = 0
    while not outlet.quiet(0.5):
        said += outlet.take() == "github"
    assert 1 <= said <= 2, "asking often is not answered as often"
    outlet.send("MSG_KEEPER_WANTED")
    assert outlet.take() == "github" and outlet.values == {"github": VALUE}


def test_a_channel_opened_anew_ends_the_one_before(keeper):
    first = keeper.outlet(WS, [])
    second = keeper.outlet(WS, [])
    assert first.receive() is None and second.quiet()


@pytest.mark.parametrize("message", [("MSG_SECRET", "github", 1, b"x"), ("MSG_KEEPER_WANTED", 1), ("MSG_POLICY", 1)])
def test_an_outlet_that_says_more_is_cut_off_and_core_hears_of_it(keeper, message):
    outlet = keeper.outlet(WS, [])
    outlet.send(*message)
    assert outlet.receive() is None
    assert keeper.core.expect("MSG_SAWD_CHANNEL_ENDED")[0] == [WS.encode(), 0]
    keeper.folder.with_suffix(".log").write_text("")


def test_an_outlet_that_reads_nothing_holds_nobody_up(keeper):
    keeper.set("github", b"v" * 16000)
    deaf, other = keeper.outlet(WS, ["github"]), keeper.outlet(OTHER, ["github"])
    other.take()
    for i in range(400):
        keeper.set("github", b"%06d" % i + b"v" * 15000, "ROTATE")
        assert other.take(1) == "github"
    assert other.values["github"].startswith(b"000399") and f"{WS}: channel to its outlet: the peer does not read" in keeper.log()
    deaf.close()


def test_a_deleted_workspace_loses_its_channels_and_its_root(keeper):
    outlet, inlet = keeper.outlet(WS, []), keeper.inlet(WS, [])
    inlet.issue()
    before = keeper.root(WS)
    assert keeper.ask("MSG_SAWD_FORGET", "MSG_SAWD_FORGOTTEN", WS)[0] == [b""]
    assert outlet.receive() is None and inlet.receive() is None and not keeper.rows() and not (keeper.folder / "ca" / WS).exists()
    assert keeper.root(WS) != before


# ---- certificates --------------------------------------------------------------------------------------------------

def openssl(*args, data=b""):
    done = subprocess.run(["openssl", *args], input=data, capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def test_a_root_is_made_once_and_its_key_is_sealed(keeper):
    pem = keeper.root(WS)
    code, text = openssl("x509", "-noout", "-subject", "-ext", "basicConstraints", data=pem.encode())
    assert code == 0 and "saw workspace dev" in text and WS in text and "CA:TRUE, pathlen:1" in text
    assert keeper.root(WS) == pem and keeper.root(OTHER) != pem
    keeper.kill()
    assert keeper.start() is None and keeper.root(WS) == pem
    assert stat.S_IMODE((keeper.folder / "ca" / WS).stat().st_mode) == 0o600
    harm(keeper.folder / "ca" / WS, "bit", keeper)
    assert keeper.root(WS).startswith(f"ca/{WS}")


def test_an_inlet_gets_intermediates_for_its_names_that_chain_to_the_root(keeper, tmp_path):
    names = [f"h{i}.example" for i in range(70)] + ["**.wild.example"]
    _, root, key, certs = keeper.inlet(WS, names).issue()
    (tmp_path / "root").write_text(openssl("x509", "-inform", "der", data=root)[1])
    assert (tmp_path / "root").read_text() == keeper.root(WS) and len(certs) == 2
    (tmp_path / "key").write_bytes(key)
    assert openssl("pkey", "-inform", "der", "-in", str(tmp_path / "key"), "-noout")[0] == 0
    public = openssl("pkey", "-inform", "der", "-in", str(tmp_path / "key"), "-pubout")[1]
    found = ""
    for cert in certs:
        (tmp_path / "c").write_text(openssl("x509", "-inform", "der", data=cert)[1])
        assert openssl("verify", "-CAfile", str(tmp_path / "root"), str(tmp_path / "c"))[0] == 0
        assert openssl("x509", "-in", str(tmp_path / "c"), "-noout", "-pubkey")[1] == public
        found += openssl("x509", "-in", str(tmp_path / "c"), "-noout", "-ext", "nameConstraints")[1]
    assert set(re.findall(r"DNS:(\S+)", found)) >= {f"h{i}.example" for i in range(70)} | {"wild.example"}


def test_other_names_bring_another_issue_and_the_same_names_none(keeper):
    inlet = keeper.inlet(WS, ["a.example"])
    first = inlet.issue()
    keeper.ca_bind(WS, ["a.example"])
    keeper.ca_bind(WS, ["b.example"])
    second = inlet.issue()
    assert second[0] == first[0] + 1 and second[1] == first[1] and second[2] != first[2]
    inlet.send("MSG_KEEPER_WANTED")
    assert inlet.issue()[0] == second[0] + 1


def test_an_issue_that_failed_is_tried_again(keeper):
    """Nobody asks for it: the names are those that were bound last."""
    inlet = keeper.inlet(WS, ["a.example"])
    first = inlet.issue()
    root = keeper.folder / "ca" / WS
    whole = root.read_bytes()
    root.write_bytes(whole[:-1])
    keeper.ca_bind(WS, ["b.example"])
    wait_for("a sentence", lambda: "no certificates for its inlet" in keeper.log())
    root.write_bytes(whole)
    keeper.ca_bind(WS, ["b.example"])
    assert inlet.issue(20)[1] == first[1]


def test_a_policy_that_opens_no_name_needs_no_key(keeper):
    number, root, key, certs = keeper.inlet(WS, []).issue()
    assert number == 1 and root and key == b"" and certs == []


def test_names_that_are_no_names_issue_nothing_and_keep_nobody_waiting(keeper):
    inlet = keeper.inlet(WS, ["not a name"])
    assert inlet.expect("MSG_CA_KEY") and "no certificates for its inlet" in wait_for("a sentence", keeper.log)
    assert keeper.root(WS).startswith("-----BEGIN")


@pytest.mark.parametrize("seconds, granted", [(300, True), (420, True), (421, False), (86400, False), (0, False), (-300, False)])
def test_a_certificate_of_a_user_lives_for_minutes_whatever_core_asks(keeper, seconds, granted):
    now = 1_800_000_000
    asked = (b"ann of dev", WS, bytes(range(32)), 1, now, now + seconds)
    (certificate, host), _ = keeper.ask("MSG_SAWD_CERT", "MSG_SAWD_CERT_DONE", *asked)
    assert (len(certificate) > 0) == granted and len(host) == 32


# ---- where values are not ------------------------------------------------------------------------------------------

def test_what_was_dropped_is_not_in_memory_any_more(keeper, sanitized):
    """Only the value that waits for its commit is there; afterwards none is: the file has it, sealed."""
    if os.geteuid() != 0 or sanitized:
        pytest.skip("reads another process's memory; a sanitizer keeps what was freed")
    keeper.set("github", b"canary-one-0123456789")
    outlet = keeper.outlet(WS, ["github"])
    outlet.take()
    keeper.set("github", b"canary-two-0123456789", "ROTATE")
    outlet.take()
    keeper.rows()
    assert outlet.values["github"].startswith(b"canary-two")
    found = memory_has(keeper.process.pid, [b"canary-one-0123456789", b"canary-two-0123456789"])
    assert not found


def memory_has(pid, needles):
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if rights[0] != "r" or "[v" in line:
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            try:
                mem.seek(start)
                data = mem.read(end - start)
            except OSError:
                continue
            found += [(n, line) for n in needles if n in data]
    return found


def test_the_jail_lets_it_open_its_two_folders_and_nothing_else(keeper, sanitized):
    if sanitized:
        pytest.skip("sanitized builds leave the filter out")
    lines = pathlib.Path(f"/proc/{keeper.process.pid}/status").read_text()
    assert "Seccomp:\t2" in lines and "NoNewPrivs:\t1" in lines
    assert sealed(b"x") > 0 and sorted(p.name for p in keeper.folder.iterdir() if p.is_dir()) == ["ca", "secrets", "security"]
