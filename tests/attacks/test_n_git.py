"""L2, I18: git over https as it is installed, against git's own server: clone, fetch and push, large and small, the short way and through outlet.

SAW_GIT_MB: how large the repository is, in megabytes."""
import os
import pathlib
import select
import subprocess
import threading

import pytest

from client_world import clients, own_zone  # noqa: F401  pylint: disable=unused-import
from processes import roles

SIZE = int(os.environ.get("SAW_GIT_MB", "20"))
HOSTS = ("git.example", "gitvault.example")
NAME = ("-c", "user.name=a", "-c", "user.email=a@client.example")


def git(*args, cwd):
    return subprocess.run(["git", *NAME, *args], cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def repository(clients):  # noqa: F811
    """`SIZE` megabytes that do not compress, in files of one."""
    top = clients.origin.folder / "git" / "team"
    work = clients.origin.folder / "work"
    for folder in (top, work):
        folder.mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=work)
    for i in range(SIZE):
        (work / f"blob{i}").write_bytes(os.urandom(1 << 20))
    git("add", ".", cwd=work)
    git("commit", "-qm", "large", cwd=work)
    git("clone", "-q", "--bare", str(work), str(top / "large.git"), cwd=top)
    git("config", "core.bigFileThreshold", "64k", cwd=top / "large.git")
    git("config", "pack.compression", "0", cwd=top / "large.git")
    git("remote", "add", "up", str(top / "large.git"), cwd=work)
    return work


@pytest.fixture
def small(clients, tmp_path):  # noqa: F811
    """A repository of this test's own with one commit on main, and the clients' copy of it."""
    name = tmp_path.name.replace("_", "-")
    bare, seed = clients.origin.folder / "git" / "team" / f"{name}.git", tmp_path / "seed"
    seed.mkdir()
    bare.parent.mkdir(parents=True, exist_ok=True)
    git("init", "-q", "-b", "main", cwd=seed)
    (seed / "readme").write_text("one\n")
    git("add", ".", cwd=seed)
    git("commit", "-qm", "one", cwd=seed)
    git("branch", "agent/old", cwd=seed)
    git("clone", "-q", "--bare", str(seed), str(bare), cwd=tmp_path)
    done = run(clients, "clone", "-q", f"https://git.example/team/{name}.git", name)
    assert done["code"] == 0, done
    copy = clients.home / name
    (copy / "more").write_text("two\n")
    git("add", ".", cwd=copy)
    git("commit", "-qm", "two", cwd=copy)
    return bare, copy


def run(clients, *args, wait=60, **env):  # noqa: F811
    return clients.run("git", *NAME, *args, wait=wait, GIT_TERMINAL_PROMPT=0, **env)


def refs(bare):
    return git("for-each-ref", "--format=%(objectname) %(refname)", cwd=bare)


class Memory:
    """The largest proportional set size of inlet and outlet while something is done, in kilobytes."""

    def __init__(self, gateway):
        self.pids = {n: p for n, p in roles(gateway).items() if n in ("saw-inlet", "saw-outlet")}
        self.most, (self.ended, self.end) = dict.fromkeys(self.pids, 0), os.pipe()

    def look(self):
        while True:
            for name, pid in self.pids.items():
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                self.most[name] = max(self.most[name], int(next(l for l in text.splitlines() if l.startswith("Pss:")).split()[1]))
            if select.select([self.ended], [], [], 0.1)[0]:
                return

    def __enter__(self):
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.close(self.end)
        self.thread.join()
        os.close(self.ended)


BOUND_KB = 24 * 1024


@pytest.mark.release  # memory figures, and megabytes through git
@pytest.mark.parametrize("host", HOSTS)
def test_l2_a_large_repository_is_cloned_fetched_and_pushed_in_bounded_memory(clients, repository, host):  # noqa: F811
    memory = None if os.geteuid() else Memory(clients.gw)  # a role is not dumpable: only root may look
    here, url, bare = clients.home / host, f"https://{host}/team/large.git", clients.origin.folder / "git" / "team" / "large.git"

    def all_of_it():
        assert run(clients, "clone", "-q", url, host, wait=300)["code"] == 0
        assert run(clients, "-C", host, "fsck", "--connectivity-only")["code"] == 0
        git("commit", "-qm", f"later, for {host}", "--allow-empty", cwd=repository)
        git("push", "-q", "up", "main", cwd=repository)
        fetched = run(clients, "-C", host, "fetch", "-q", wait=120)
        assert fetched["code"] == 0 and git("rev-parse", "origin/main", cwd=here) == git("rev-parse", "main", cwd=bare), fetched
        for i in range(SIZE):
            (here / f"own{i}").write_bytes(os.urandom(1 << 20))
        git("checkout", "-q", "-b", "agent/large", cwd=here)
        git("add", ".", cwd=here)
        git("commit", "-qm", "own", cwd=here)
        pushed = run(clients, "-C", host, "push", "-q", "origin", f"agent/large:agent/{host}", wait=300)
        assert pushed["code"] == 0 and git("rev-parse", f"agent/{host}", cwd=bare) == git("rev-parse", "HEAD", cwd=here), pushed

    before = len(clients.origin.requests())
    if memory:
        with memory:
            all_of_it()
        assert max(memory.most.values()) < BOUND_KB, memory.most
    else:
        all_of_it()
    asked = clients.origin.requests()[before:]
    assert all(r["fields"].get("git-protocol", "version=2") == "version=2" for r in asked)
    assert [r for r in asked if r["target"].endswith("/git-upload-pack") and "git-protocol" in r["fields"]], "protocol v2"
    assert [r for r in asked if r["target"].endswith("/git-receive-pack") and r["bytes"] > SIZE << 20], "the push"
    assert git("fsck", "--connectivity-only", cwd=bare) == ""


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_l2_a_compressed_request_reaches_the_host_whole(clients, small, version):  # noqa: F811
    """git compresses a fetch whose haves are many."""
    bare, copy = small
    stream = "".join(f"commit refs/heads/main\ncommitter a <a@client.example> {2000000000 + i} +0000\ndata 4\nmine\n" + ("from refs/heads/main^0\n" if not i else "")
                     for i in range(300))
    subprocess.run(["git", "fast-import", "--quiet"], input=stream, text=True, cwd=copy, check=True)
    other = copy.parent / (copy.name + "-other")
    git("clone", "-q", str(bare), str(other), cwd=copy.parent)
    git("commit", "-qm", "theirs", "--allow-empty", cwd=other)
    git("push", "-q", "origin", "main", cwd=other)
    before = len(clients.origin.requests())
    done = run(clients, "-c", f"http.version={version}", "-C", copy, "fetch", "-q")
    assert done["code"] == 0 and git("rev-parse", "origin/main", cwd=copy) == git("rev-parse", "main", cwd=bare), done
    assert [r for r in clients.origin.requests()[before:] if r["fields"].get("content-encoding") == "gzip"]


OPERATION, REF = "git_operation_not_listed", "ref_not_listed"
DENIED = {
    "main": (["HEAD:main"], "main", OPERATION),
    "delete": ([":agent/old"], "agent/old", OPERATION),
    "force": (["+HEAD:agent/old"], "agent/old", OPERATION),
    "tag": (["HEAD:refs/tags/v1"], "v1", REF),
    "for-review": (["HEAD:refs/for/main"], "refs/for/main", REF),
    "one-of-many": (["HEAD:agent/new", "HEAD:main"], "main", OPERATION),
}


@pytest.mark.parametrize("what", list(DENIED))
def test_i18_a_denied_push_reaches_nobody_and_git_says_why(clients, small, what):  # noqa: F811
    bare, copy = small
    specs, ref, reason = DENIED[what]
    before, had = len(clients.origin.requests()), refs(bare)
    with clients.gw.attack() as a:
        done = run(clients, "-C", copy, "push", "origin", *specs)
        blocked = a.denied(reason, touched=True)
    assert done["code"] != 0 and refs(bare) == had
    assert not [r for r in clients.origin.requests()[before:] if r["method"] == "POST"]
    assert ref in done["err"] and blocked[0]["status_detail"][:20] in done["err"], done
    assert blocked[0]["unmapped"]["policy_change"] in done["err"], (blocked[0], done)


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_i18_a_denied_push_of_megabytes_ends_and_says_why(clients, small, version):  # noqa: F811
    bare, copy = small
    (copy / "blob").write_bytes(os.urandom(5 << 20))
    git("add", ".", cwd=copy)
    git("commit", "-qm", "large", cwd=copy)
    had = refs(bare)
    done = run(clients, "-c", f"http.version={version}", "-C", copy, "push", "origin", "HEAD:main")
    assert done["code"] != 0 and refs(bare) == had
    assert "git_operation_not_listed" in done["err"], done


@pytest.mark.parametrize("host", HOSTS)
def test_i18_a_push_whose_framing_fills_what_is_held_before_its_commands_end_is_denied(clients, small, host):  # noqa: F811
    """Six bytes of framing for each of content; the deletion stands behind what can be held."""
    bare, _ = small
    had, before = refs(bare), len(clients.origin.requests())
    old = git("rev-parse", "agent/old", cwd=bare)
    lines = [f"shallow {'1' * 40}"] * 7000 + [f"{old} {'0' * 40} refs/heads/agent/old\0report-status"]
    body = "".join(f"1\r\n{c}\r\n" for line in lines for c in f"{len(line) + 4:04x}{line}") + "4\r\n0000\r\n0\r\n\r\n"
    head = f"POST /team/{bare.name}/git-receive-pack HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-git-receive-pack-request\r\n"
    with clients.gw.attack() as a:
        got = clients.gw.do("http", host, f"{head}Transfer-Encoding: chunked\r\n\r\n{body}", port=443, tls=True, want=1, timeout=20)
        a.denied("body_too_large_to_judge", touched=True)
    assert got["statuses"][:1] in ([403], []), got
    assert refs(bare) == had and not [r for r in clients.origin.requests()[before:] if r["method"] == "POST"]


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("host", HOSTS)
def test_l2_a_listed_push_arrives(clients, small, host, version):  # noqa: F811
    bare, copy = small
    done = run(clients, "-c", f"http.version={version}", "-C", copy, "push", "-q", f"https://{host}/team/{bare.name}", "HEAD:agent/new")
    assert done["code"] == 0 and git("rev-parse", "agent/new", cwd=bare) == git("rev-parse", "HEAD", cwd=copy), done


def test_i18_a_push_to_a_repository_that_no_rule_names_is_refused_at_its_announcement(clients, small):  # noqa: F811
    _, copy = small
    before = len(clients.origin.requests())
    done = run(clients, "-C", copy, "push", "-q", "https://git.example/others/work.git", "HEAD:agent/new")
    assert done["code"] != 0 and len(clients.origin.requests()) == before
    assert "403" in done["err"], done
