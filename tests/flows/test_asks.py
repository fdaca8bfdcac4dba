"""Roles of sawd are trusted with what they were asked, and with nothing else: a compiler that somebody else has taken over."""
import json
import os
import pathlib
import shutil
import signal
import time

import pytest

from sawd import ROLES, Sawd
from workspace import wait_for

pytestmark = pytest.mark.usefixtures("userns")
LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
REFUSED = ["MSG_SAWD_REFUSED", 1, 3, 1, "no"]
ROWS = [1, "forged", 7, 1000, 0, ""]


class Taken(Sawd):
    """A sawd whose compiler is tests/lib/fake_compiler.py."""

    def __init__(self, build):
        super().__init__(build)
        self.bin = self.home / "bin"
        self.bin.mkdir()
        for role in ROLES:
            shutil.copy(build / f"src/sawd/{role}/sawd-{role}", self.bin)
        shutil.copy(self.binary, self.bin)
        shutil.copy(LIB / "fake_compiler.py", self.bin / "sawd-compiler")
        (self.bin / "lib").write_text(str(LIB))
        self.binary = self.bin / "sawd"
        self.answers(REFUSED)

    def answers(self, what):
        self.put("answer", what)

    def put(self, name, what):
        made = self.bin / "new"
        made.write_text(json.dumps(what))
        made.rename(self.bin / name)

    def is_ended(self):
        wait_for("the compiler's channel to end", (self.bin / "ended").exists, 15)

    def check_logs(self):
        """One channel was ended, the compiler's; nothing else is wrong."""
        log = self.home / "stderr.log"
        lines = log.read_text().splitlines()
        ends = [l for l in lines if "not permitted or malformed" in l]
        assert len(ends) == 1 and "channel to role 4" in ends[0], ends
        log.write_text("\n".join(l for l in lines if l not in ends))
        super().check_logs()


@pytest.fixture(name="sawd")
def fixture_sawd(build):
    s = Taken(build)
    s.start()
    try:
        yield s
    finally:
        s.close()


@pytest.mark.parametrize("kind", ["MSG_SAWD_COMPILED", "MSG_SAWD_REFUSED", "MSG_SAWD_CHECKED", "MSG_SAWD_UNSOUND"])
def test_an_answer_to_what_another_role_was_asked_ends_the_channel_and_changes_nothing(sawd, kind):
    put = sawd.call("PUT", "/v1/secrets/real?mode=put", raw="value-of-it", headers={"Content-Type": "application/octet-stream"})
    assert put.status == 200, put
    assert sawd.create("dev").status == 422  # now it knows the number of the next question
    keeper = sawd.roles()["keeper"]
    os.kill(keeper, signal.SIGSTOP)
    try:
        listing = sawd.later("GET", "/v1/secrets", {})
        sawd.put("forged", [kind, *ROWS])
        sawd.is_ended()
    finally:
        os.kill(keeper, signal.SIGCONT)
    got = listing()
    assert got.status == 200 and [s["id"] for s in got.json["secrets"]] == ["real"], "keeper's own answer came, and that one only"


@pytest.mark.parametrize("answer", [["MSG_SAWD_CHECKED", *ROWS], ["MSG_SAWD_REFUSED", 2, 3, 1, "the second is missing"], ["MSG_SAWD_COMPILED", "name"]])
def test_a_call_whose_answer_is_malformed_or_of_another_kind_is_told_at_once(sawd, answer):
    sawd.answers(answer)
    before = time.monotonic()
    got = sawd.create("dev")
    assert got.status == 503 and got.json["type"] == "urn:saw:problem:unavailable", got
    assert time.monotonic() - before < 15
    sawd.is_ended()
    assert sawd.call("GET", "/v1/workspaces").json["workspaces"] == []
