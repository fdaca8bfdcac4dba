"""The command line against a control plane that obeys the test: words in, requests out, answers shown, exit codes."""
import fcntl
import json
import os
import pathlib
import pty
import pwd
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

import bundle
from fake_sawd import FakeSawd, problem, secret, workspace

POLICY = "version: 1\nname: p\nnetwork:\n  - {name: a, hosts: [a.example], ports: [443], mode: passthrough, reason: \"pins its certificate\"}\n"


@pytest.fixture
def folder(tmp_path):
    # a socket's name is short
    short = pathlib.Path(os.path.realpath("/tmp")) / f"sawc-{os.getpid()}-{abs(hash(str(tmp_path))) % 10**8}"
    short.mkdir(mode=0o700)
    yield short
    subprocess.run(["rm", "-rf", str(short)], check=True)


@pytest.fixture
def sawd(folder):
    with FakeSawd(folder) as fake:
        yield fake


@pytest.fixture
def env(folder):
    return {**os.environ, "SAW_RUN": str(folder / "run"), "SAW_STATE": str(folder / "state"), "TERM": "xterm"}


@pytest.fixture
def saw(build, env):
    def run(*args, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([str(build / "src/cli/saw"), *args], env=kw.pop("env", env), capture_output=True, text=True, timeout=60,
                              check=False, **kw)
    run.binary, run.env = str(build / "src/cli/saw"), env
    return run


@pytest.fixture
def terminal(build, env):
    """Runs saw on a terminal: gives what it showed, and its exit code. `answers`: text to wait for -> what to type then."""
    def run(*args, answers=None, columns=0):
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests in the background ignores it
            os.execve(str(build / "src/cli/saw"), ["saw", *args], env)
        shown, answers = b"", dict(answers or {})
        while True:
            if not select.select([fd], [], [], 60)[0]:
                os.kill(pid, signal.SIGKILL)
                break
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
            for wait in [w for w in answers if w.encode() in shown]:
                os.write(fd, answers.pop(wait).encode())
        os.close(fd)
        return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return run


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(POLICY)
    return str(path)


def verbs(saw):
    return json.loads(saw("help", "--json").stdout)


# ---- words ---------------------------------------------------------------------------------------------------------

def test_the_overview_lists_every_verb_and_help_says_more(saw):
    overview = saw("help").stdout
    for v in verbs(saw):
        assert f"\n  {v['verb']} " in overview
        done = saw("help", v["verb"])
        assert done.returncode == 0 and v["verb"] in done.stdout
        assert saw(v["verb"], "--help").stdout == done.stdout
        for option in v.get("options", []):
            assert f"--{option['name']}" in done.stdout


def test_help_finds_a_verb_under_a_verb(saw):
    for words in (["policy", "test"], ["secret", "set"], ["image", "build"]):
        done = saw("help", *words)
        assert done.returncode == 0 and done.stdout == saw(*words, "--help").stdout
        assert [v["verb"] for v in json.loads(saw("help", "--json", *words).stdout)] == [" ".join(words)]
    assert saw("help", "policy", "nonsense").returncode == saw("help", "ls", "nonsense").returncode == 2


def test_help_of_a_verb_with_verbs_lists_the_options_of_each(saw):
    several = [v for v in verbs(saw) if "verbs" in v]
    assert {v["verb"] for v in several} >= {"policy", "image"}
    for v in several:
        shown = saw(v["verb"], "--help").stdout
        for u in v["verbs"]:
            part = shown.split(f"\n  {u['verb']} ")[1].split("\n\n")[0]
            assert all(f"--{o['name']} " in part for o in u["options"]), (u["verb"], part)


def test_every_verb_that_prints_data_has_json(saw):
    """cp and ssh print what the other side does; a completion is a script."""
    flat = [u for v in verbs(saw) for u in v.get("verbs", [v])]
    without = [v["verb"] for v in flat if not any(o["name"] == "json" for o in v.get("options", []))]
    assert without == ["ssh", "cp", "completion"]


def test_ssh_config_as_json_is_the_same_text(saw):
    assert json.loads(saw("ssh-config", "dev", "--json").stdout) == {"config": saw("ssh-config", "dev").stdout}


def test_every_verb_is_found_in_the_installed_manual_under_its_own_name(saw, build, tmp_path):
    if not shutil.which("meson"):
        pytest.skip("meson is missing: tools/setup build")
    subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--tags", "man"], env={**os.environ, "DESTDIR": str(tmp_path)},
                   check=True, capture_output=True, timeout=60)
    pages = {p.name: p.read_text() for p in tmp_path.rglob("man1/*.1")}
    for v in verbs(saw):
        assert re.search(rf"(?m)^\.Nm saw-{v['verb']}\b|^\.Cm .*\b{v['verb']}\b", pages[f"saw-{v['verb']}.1"]), v["verb"]


def test_every_verb_has_a_man_page_that_names_each_of_its_options(saw, root):
    pages = {p.stem: p.read_text() for p in (root / "man").glob("saw*.1")}
    for v in verbs(saw):
        for u in v.get("verbs", []):
            assert all(o["name"] in pages[f"saw-{v['verb']}"] for o in u["options"]), u["verb"]
        page = next((t for name, t in pages.items() if name == f"saw-{v['verb']}" or f".Nm saw {v['verb']}\n" in t
                     or f".Nm saw\n.Cm {v['verb']}\n" in t), None)
        assert page, f"no page for saw {v['verb']}"
        for option in v.get("options", []):
            assert option["name"].replace("-", "\\-") in page or option["name"] in page, (v["verb"], option["name"])


@pytest.mark.parametrize("page, begin, end", [("man/saw-policy.5", ".Bd -literal\n", ".Ed\n"), ("docs/guide.md", "```yaml\n", "```\n")])
def test_policies_in_the_documents_are_good(saw, root, tmp_path, page, begin, end):
    example = tmp_path / "example.yaml"
    example.write_text((root / page).read_text().split(begin)[-1].split(end)[0])
    done = saw("policy", "check", str(example))
    assert done.returncode == 0 and not done.stderr


def test_every_verb_that_the_guide_shows_exists_with_its_options(saw, root):
    known = {v["verb"]: {o["name"] for o in v.get("options", [])} for v in verbs(saw)}
    shown = re.findall(r"(?:^|`)saw ([a-z-]+)([^`#|>\n]*)", (root / "docs" / "guide.md").read_text(), re.M)
    assert len(shown) > 20
    for verb, rest in shown:
        assert verb in known, verb
        if verb not in ("policy", "image", "secret"):
            assert set(re.findall(r"--([a-z][a-z-]*)", rest.split(" -- ")[0])) <= known[verb], (verb, rest)


@pytest.mark.parametrize("args, says", [
    ([], "Usage"), (["nonsense"], "no verb `nonsense`"), (["show"], "something is missing"), (["ls", "--colour"], "unknown option --colour"),
    (["ls", "-l"], "two dashes"), (["ls", "x"], "one word too many"), (["ls", "--json", "--json"], "given twice"),
    (["ls", "--json=1"], "takes no value"), (["create", "a", "--policy"], "needs a value"), (["create", "a"], "--policy FILE or --policy CHANNEL is required"),
    (["create", "A_b", "--policy", "p"], "no name"), (["create", "-a", "--policy", "p"], "unknown option -a"),
    (["create", "a", "--policy", "p", "--cpus", "0"], "1 to 256"), (["create", "a", "--policy", "p", "--memory", "2GB"], "--memory 2GB"),
    (["create", "a", "--policy", "p", "--disk", "1.5GiB"], "--disk 1.5GiB"), (["stop", "a", "--grace", "601"], "0 to 600"), (["show", "../x"], "no name"),
    (["log", "a?b"], "no name"), (["ssh", "a/b"], "no name"), (["completion", "csh"], "bash, zsh or fish"),
    (["create", "a", "--policy", "p", "--accel", "gpu"], "--accel gpu: say one of auto|kvm|tcg"), (["audit", "verify"], "of what?"), (["audit", "verify", "control", "--follow"], "leave out --follow"),
    (["audit", "verify", "x.jsonl", "--denied"], "leave out --denied"), (["policy", "sign", "p", "--unsigned", "--key", "k"], "either --key or --unsigned"),
    (["ssh", "a", "--local-forward", "8080:22"], "PORT:HOST:PORT"), (["ssh", "a", "--local-forward", "0:h:22"], "1 to 65535"),
    (["ls", "--json", "--names"], "either --json or --names"), (["secret", "ls", "--json", "--names"], "either"), (["image", "ls", "--json", "--names"], "either"),
    (["policy", "key", "ls", "--name", "x"], "--name belongs to add"), (["policy", "key", "rm", "x", "--name", "x"], "--name belongs to add"),
    (["policy", "sign", "p", "--unsigned", "--form", "ssh"], "leave out --form"), (["policy", "channel", "ls", "--to", "3"], "--to belongs to rollback"),
    (["policy", "test", "p", "https://a/", "b", "--body", "c"], "one body"), (["policy", "test", "p", "https://a/", "--body", "c", "--form", "a=1"], "one body"),
    (["policy", "test", "p", "https://a/", "--push", "create:refs/heads/x", "--form", "a=1"], "a push is the body"), (["policy", "test", "p", "https://a/", "--type", "x/y"], "add --body FILE"),
    (["policy", "test", "p", "https://a/", "--push-option", "x"], "goes with --push"), (["policy", "test", "p", "https://a/", "--form", "a", "--type", "a\nb"], "no value of Content-Type"),
    (["policy", "test", "p", "https://a/", "--push", "force:refs/heads/x"], "OLD NEW refs/heads/x"), (["policy", "test", "p", "https://a/", "--push", "0" * 40 + " " + "0" * 40 + " refs/x"], "OLD NEW"),
    (["ls", "--", "x"], "nothing behind"), (["help", "nonsense"], "no verb"), (["rm", "dev"], "--force"),
])
def test_wrong_words_are_usage_errors_and_ask_for_nothing(saw, sawd, args, says):
    sawd.workspaces["dev"] = workspace("dev")
    done = saw(*args)
    assert done.returncode == 2 and says in done.stdout + done.stderr
    assert not [r for r in sawd.requests if r[0] != "GET"]


def test_without_a_control_plane_every_verb_says_how_to_start_it(saw, policy):
    for args in (["ls"], ["show", "a"], ["start", "a"], ["rm", "--force", "a"], ["log", "a"], ["audit"], ["sessions"],
                 ["create", "a", "--policy", policy], ["set-policy", "a", policy]):
        done = saw(*args)
        assert done.returncode == 5 and "run `saw up`" in done.stderr, args
    assert saw("down").returncode == 0


def test_too_long_a_runtime_folder_is_explained(saw, env, tmp_path):
    done = saw("ls", env={**env, "SAW_RUN": str(tmp_path / ("x" * 120))})
    assert done.returncode == 5 and "SAW_RUN" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_legal_in_their_shell(saw, shell, tmp_path):
    script = saw("completion", shell)
    assert script.returncode == 0 and "set-policy" in script.stdout and "ssh-proxy" not in script.stdout
    path = tmp_path / "script"
    path.write_text(script.stdout)
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", str(path)], check=True, timeout=60)


@pytest.fixture(params=["bash", "zsh", "fish"])
def complete(request, build, env, tmp_path):
    """What the shell offers for a line, as it stands in a folder with the files p.yaml and `my policy.yaml` and the folder dev."""
    shell, here = request.param, tmp_path / "here"
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    here.mkdir()
    (here / "dev").mkdir()
    for name in ("p.yaml", "my policy.yaml"):
        (here / name).touch()

    def ask(*lines):
        """For each what is offered; one that ends in a blank asks for all that may stand there."""
        each = {"bash": lambda words: "COMPREPLY=(); _saw; printf '%s\\n' \"${COMPREPLY[@]}\"", "zsh": lambda words: f"PREFIX='{words[-1]}'; COMPREPLY=(); _saw; print -l -- \"${{COMPREPLY[@]}}\"",
                "fish": lambda words: f"complete -C '{' '.join(words)}'"}[shell]
        set_words = lambda words: "" if shell == "fish" else f"COMP_WORDS=({' '.join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; "
        body = "; ".join(set_words(words) + each(words) + "; echo ==" for words in (line.split(" ") for line in lines))
        text = {"bash": f'eval "$(saw completion bash)"; {body}', "fish": f"saw completion fish | source; {body}",
                "zsh": f'autoload -Uz compinit && compinit -D -u; eval "$(saw completion zsh)"; () {{ emulate -L sh; setopt kshglob noshglob braceexpand; {body}; }}'}[shell]
        done = subprocess.run([shell, *{"zsh": ["-f"], "fish": ["--no-config"]}.get(shell, []), "-c", text], cwd=here, capture_output=True, text=True,
                              env={**env, "HOME": str(tmp_path), "PATH": f"{build}/src/cli:{env['PATH']}"}, check=True, timeout=60)
        assert not done.stderr, done.stderr
        answers = [a.splitlines() for a in done.stdout.split("==\n")[:-1]]
        # zsh chooses among them behind compgen
        return [sorted({w.split("\t")[0].rstrip("/") for w in a if w and (shell != "zsh" or w.startswith(line.split(" ")[-1]))}) for line, a in zip(lines, answers, strict=True)]
    return ask


FILES = ["dev", "my policy.yaml", "p.yaml"]


def test_shells_complete_what_stands_in_each_place(complete, saw, sawd, folder, tmp_path):
    sawd.workspaces["dev"] = workspace("dev")
    sawd.workspaces["other"] = workspace("other")
    sawd.secrets["github"] = secret("github")
    sawd.answers["GET", "/v1/channels"] = (200, {"channels": [{"name": n, "release": r * 64, "credentials": ids} for n, r, ids in (
        ("corporate/beta", "a", ["forge"]), ("corporate/stable", "b", []), ("x/$(touch hit)", "c", []))]})
    sawd.answers["GET", "/v1/sessions"] = (200, {"sessions": [{"session_id": "se-1"}]})
    trusted = folder / "state/keys/security"
    trusted.mkdir(parents=True)
    shutil.copy(bundle.Key(tmp_path, "corp", "ssh").public, trusted / "corp.pub")
    channels, releases = ["corporate/beta", "corporate/stable"], ["a" * 64, "b" * 64, "c" * 64]
    wanted = {
            "saw sto": ["stop"], "saw stop d": ["dev"], "saw stop dev o": ["other"], "saw start --no-wait ": ["dev", "other"], "saw show dev ": [],
            "saw policy channel ": ["ls", "rollback", "set"], "saw policy channel set ": channels, "saw policy channel rollback corporate/s": ["corporate/stable"],
            "saw policy channel rollback --to 7 ": channels, "saw policy channel set corporate/stable ": releases, "saw policy channel rollback x/y ": [],
            "saw policy push --channel ": channels, "saw policy sign --channel ": channels, "saw policy verify --channel ": channels, "saw policy push b --force --channel c": channels,
            "saw policy push ": FILES, "saw policy push --channel x/y ": FILES, "saw policy key ": ["add", "ls", "rm"], "saw policy key rm ": ["corp"], "saw policy key add ": FILES,
            "saw policy import ": ["openshell"], "saw policy import openshell ": FILES, "saw policy test p.yaml P": ["PATCH", "POST", "PUT"],
            "saw create --policy ": sorted(channels + FILES), "saw create --policy corporate/s": ["corporate/stable"], "saw create new --policy m": ["my policy.yaml"],
            "saw set-policy d": ["dev"], "saw set-policy dev ": sorted(channels + FILES), "saw audit ": sorted(["verify", "dev", "other"] + FILES[1:]),
            "saw audit verify c": ["control"], "saw audit dev ": [], "saw sessions --end ": ["se-1"], "saw cp o": ["other:"], "saw ssh o": ["other"], "saw ssh other ": [],
            "saw ssh dev -- ": [], "saw secret set ": ["forge", "github"], "saw secret rm ": ["github"], "saw secret rotate --file p.yaml ": ["github"],
            "saw help sec": ["secret"], "saw help secret r": ["rm", "rotate"], "saw create a --accel ": ["auto", "kvm", "tcg"], "saw image build d": ["debian", "debian-build", "dev"],
            "saw completion ": ["bash", "fish", "zsh"]}
    for line, got in zip(wanted, complete(*wanted)):
        assert got == sorted(wanted[line]), line
    assert not (tmp_path / "here/hit").exists()


def test_the_first_key_in_zsh_completes(saw, env, build, tmp_path):
    """The script as it is installed: found by its name, and run when it is asked for the first time."""
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    (tmp_path / "_saw").write_text(saw("completion", "zsh").stdout)
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execvpe("zsh", ["zsh", "-f"], {**env, "HOME": str(tmp_path), "PATH": f"{build}/src/cli:{env['PATH']}", "PS1": "ready> "})

    def until(word):
        shown = b""
        while word not in shown:
            assert select.select([fd], [], [], 20)[0], shown
            shown += os.read(fd, 4096)
    try:
        os.write(fd, f"fpath=({tmp_path} $fpath); autoload -Uz compinit && compinit -u -D; PS1='lo''aded> '\n".encode())
        until(b"loaded> ")
        os.write(fd, b"saw sto\t")
        until(b"saw stop")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(fd)
        os.waitpid(pid, 0)


def test_an_option_takes_a_value_with_every_verb_or_with_none(saw):
    """By that the scripts tell words from the values of options."""
    options = [(o["name"], "value" in o) for v in verbs(saw) for u in v.get("verbs", [v]) for o in u.get("options", [])]
    assert {name for name, valued in options if valued}.isdisjoint(name for name, valued in options if not valued)


def test_where_nobody_answers_completion_is_quick_and_silent(complete, saw, env, folder, build):
    assert complete("saw policy channel set ", "saw stop ", "saw create a --policy ") == [[], [], FILES]
    with socket.socket(socket.AF_UNIX) as hangs:
        (folder / "run").mkdir(mode=0o700, exist_ok=True)
        hangs.bind(str(folder / "run/api.sock"))
        hangs.listen()
        begin = time.monotonic()
        assert complete("saw policy channel set ") == [[]]
        assert time.monotonic() - begin < 15


def test_bash_completes_verbs_options_choices_and_workspaces(saw, sawd, build, env):
    sawd.workspaces["dev"] = workspace("dev")
    sawd.secrets["github"] = secret("github")

    def complete(line):
        words = line.split(" ")
        quoted = " ".join(f"'{w}'" for w in words)
        text = (f'eval "$(saw completion bash)"; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _saw; printf "%s\\n" "${{COMPREPLY[@]}}"')
        return subprocess.run(["bash", "-c", text], env={**env, "PATH": f"{build}/src/cli:{env['PATH']}"}, capture_output=True, text=True,
                              check=True, timeout=60).stdout.split()
    assert complete("saw sto") == ["stop"]
    assert complete("saw create a --accel = k") == complete("saw create a --accel k") == ["kvm"]
    sawd.answers["GET", "/v1/channels"] = (200, {"channels": [{"name": "corporate/stable"}]})
    assert complete("saw policy channel rollback --to = 7 c") == ["corporate/stable"]
    assert complete("saw create a --acc") == ["--accel"]
    assert complete("saw create a --accel ") == ["auto", "kvm", "tcg"]
    assert complete("saw stop d") == ["dev"]
    assert complete("saw policy ch") == ["check", "channel"]
    assert complete("saw policy check --prod") == ["--production"]
    assert complete("saw image ") == ["--help", "build", "ls", "show", "verify", "rm"]
    assert complete("saw secret ") == ["--help", "set", "ls", "rotate", "rm"]
    assert complete("saw secret rm ") == ["github"]


@pytest.mark.parametrize("words", [["help"], ["help", "--json"], ["policy", "--help"], ["version"], ["completion", "bash"], ["doctor"],
                                   ["policy", "check", "POLICY"]])
def test_an_answer_that_did_not_arrive_is_no_success(saw, policy, words):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([saw.binary, *[policy if w == "POLICY" else w for w in words]], env=saw.env, stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == "saw: standard output: No space left on device", done


@pytest.mark.parametrize("words", [["audit", "dev"], ["log", "dev"], ["ls"], ["version"]])
def test_what_is_printed_goes_nowhere_else_when_standard_output_is_closed(saw, sawd, words):
    sawd.workspaces["dev"] = workspace("dev")
    sawd.streams["/v1/audit"] = sawd.streams["/v1/workspaces/dev/log"] = (audit_line() * 3).encode()
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', saw.binary, *words], env=saw.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stderr == "saw: standard output: Bad file descriptor\n", done


# ---- answers -------------------------------------------------------------------------------------------------------

def test_pages_are_joined_in_order(saw, sawd):
    for i in range(250):
        sawd.workspaces[f"w{i:03}"] = workspace(f"w{i:03}")
    assert saw("ls", "--names").stdout.split() == [f"w{i:03}" for i in range(250)]
    assert [w["name"] for w in json.loads(saw("ls", "--json").stdout)["workspaces"]] == [f"w{i:03}" for i in range(250)]
    assert len(saw("ls").stdout.splitlines()) == 251


def test_an_emulated_workspace_is_called_so(saw, sawd):
    sawd.workspaces["dev"] = workspace("dev", accel_in_use="tcg")
    assert "emulated" in saw("ls").stdout and "EMULATED" in saw("show", "dev").stdout


def test_show_says_what_a_workspace_follows_and_that_it_is_no_machine(saw, sawd):
    sawd.workspaces["dev"] = workspace("dev")
    assert "corporate (p.yaml), generation 1" in saw("show", "dev").stdout and "NO MACHINE" not in saw("show", "dev").stdout
    follows = {"file": "", "channel": "corporate/stable", "name": "corporate", "release": "ef" * 32, "serial": 7, "rolled_back": True,
               "generation": 2, "loaded_generation": 1}
    sawd.workspaces["dev"] = workspace("dev", driver="try", policy=follows)
    shown = saw("show", "dev").stdout
    assert "corporate (channel corporate/stable, serial 7, release efefefefefef, rolled back), generation 2, not loaded yet\n" in shown
    assert "try: NO MACHINE, isolates nothing" in shown


def test_what_a_policy_does_not_enforce_stands_behind_its_name(saw, sawd):
    sawd.workspaces["dev"] = workspace("dev")
    sawd.workspaces["dev"]["policy"] |= {"lab": True, "observes": "mirror"}
    assert "corporate (lab, observes: mirror)\n" in saw("ls").stdout


def test_text_of_the_server_never_moves_the_cursor(saw, sawd):
    sawd.workspaces["dev"] = workspace("dev", detail="a\033[2Jb\u202ec\u009b")
    sawd.streams["/v1/workspaces/dev/log"] = b"ok\r\n\033]0;title\7evil\r\n\xff\xfe\ttab\n"
    for args in (["show", "dev"], ["log", "dev"]):
        out = saw(*args).stdout
        assert not [c for c in out if ord(c) < 32 and c not in "\n\t"] and "\u202e" not in out and "\x9b" not in out
    assert [json.loads(l)["line"] for l in saw("log", "dev", "--json").stdout.splitlines()][0] == "ok\r"


def test_problems_are_said_with_remedy_places_and_their_exit_code(saw, sawd, policy):
    sawd.answers["POST", "/v1/workspaces"] = problem(422, "policy_refused", "the policy was refused", 1, remedy="mend it", problems=[
        {"line": 3, "column": 7, "message": "unknown key `netwrk`; did you mean `network`?"}])
    done = saw("create", "a", "--policy", policy)
    assert done.returncode == 1 and "the policy was refused: mend it" in done.stderr and "line 3, column 7: unknown key" in done.stderr
    for code in range(1, 6):
        sawd.answers["GET", "/v1/workspaces/dev"] = problem(409, "conflict", "no", code)
        assert saw("show", "dev").returncode == code


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"a":1,"a":2}', b"\xff", b"[" * 100, b'{"policy":3,"name":[]}', b" " * 1200000],
                         ids=range(8))
def test_an_answer_that_is_not_what_was_promised_ends_in_an_error_or_blanks(saw, sawd, raw):
    sawd.streams["/v1/workspaces/dev"] = raw
    assert saw("show", "dev").returncode in (0, 1, 5)
    sawd.streams["/v1/workspaces"] = raw
    assert saw("ls").returncode in (1, 5)


# ---- changes -------------------------------------------------------------------------------------------------------

def test_create_sends_what_was_asked_and_waits_until_it_runs(saw, sawd, policy):
    sawd.changes["POST", "/v1/workspaces"] = ["provisioning", "starting", "running"]
    done = saw("create", "dev", "--policy", policy, "--image", "deb", "--cpus", "3", "--memory", "3GiB", "--disk", "9GiB", "--accel", "kvm",
               "--upstream-proxy", "p.example:3128", "--kernel-args", "quiet", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["state"] == "running"
    body = next(b for m, t, b in sawd.requests if m == "POST")
    assert body == {"name": "dev", "image": "deb", "memory": "3GiB", "disk": "9GiB", "accel": "kvm", "upstream_proxy": "p.example:3128",
                    "kernel_args": "quiet", "cpus": 3, "policy": {"file": policy, "text": POLICY}}


BINDS = """version: 1
name: binds
verdicts: {read: allow}
credentials: {forge: {inject: {bearer: true}, hosts: [a.example], paths: ["/**"]}, mail: {inject: {bearer: true}, hosts: [b.example], paths: ["/**"]}}
network:
  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, access: read-only, credential: forge}
  - {name: b, hosts: [b.example], ports: [443], mode: intercept, protocol: rest, access: read-only, credential: mail}
"""


def test_a_credential_without_a_value_is_named_when_a_policy_is_given(saw, sawd, policy, tmp_path):
    (tmp_path / "binds.yaml").write_text(BINDS)
    binds = str(tmp_path / "binds.yaml")
    sawd.secrets["mail"] = secret("mail")
    sawd.workspaces["dev"] = workspace("dev")
    for words in (["create", "new", "--policy", binds, "--no-wait"], ["set-policy", "dev", binds]):
        done = saw(*words)
        assert done.returncode == 0 and done.stderr.count("has no value yet") == 1 and "`saw secret set forge`" in done.stderr, done
    sawd.secrets["forge"] = secret("forge")
    assert "value" not in saw("set-policy", "dev", binds).stderr and "value" not in saw("set-policy", "dev", policy).stderr


def test_a_credential_without_a_value_is_named_when_a_channel_is_given(saw, sawd):
    sawd.answers["GET", "/v1/channels"] = (200, {"channels": [{"name": "corporate/beta", "credentials": ["other"]}, {"name": "corporate/stable", "credentials": ["forge", "mail"]}]})
    sawd.secrets["mail"] = secret("mail")
    sawd.workspaces["dev"] = workspace("dev")
    for words in (["create", "new", "--policy", "corporate/stable", "--no-wait"], ["set-policy", "dev", "corporate/stable"]):
        done = saw(*words)
        assert done.returncode == 0 and done.stderr.count("has no value yet") == 1 and "`saw secret set forge`" in done.stderr, done
    sawd.secrets["forge"] = secret("forge")
    assert "value" not in saw("set-policy", "dev", "corporate/stable").stderr


class Meanwhile:
    """An answer, and what happens before it is given."""

    def __init__(self, do, answer):
        self.do, self.answer = do, answer

    def __iter__(self):
        self.do()
        return iter(self.answer)


def test_a_key_never_takes_the_place_of_one_that_came_under_its_name_meanwhile(saw, sawd, folder, tmp_path):
    trusted = folder / "state/keys/security"
    trusted.mkdir(parents=True)
    first, second = bundle.Key(tmp_path, "first", "ssh"), bundle.Key(tmp_path, "second", "ssh")
    sawd.answers["POST", "/v1/keys"] = Meanwhile(lambda: shutil.copy(first.public, trusted / "corp.pub"), (200, {}))
    done = saw("policy", "key", "add", str(second.public), "--name", "corp")
    assert done.returncode == 1 and "a key corp is trusted already" in done.stderr, done
    assert (trusted / "corp.pub").read_text() == first.public.read_text() and os.listdir(trusted) == ["corp.pub"]
    sawd.answers["POST", "/v1/keys"] = (200, {})
    assert saw("policy", "key", "add", str(second.public), "--name", "other").returncode == 0
    assert sorted(os.listdir(trusted)) == ["corp.pub", "other.pub"]


def test_channels_say_when_their_release_expires(saw, sawd):
    channel = {"name": "corporate/stable", "release": "ef" * 32, "serial": 7, "rolled_back": False, "policy": {"name": "corporate"}, "moved_at": "2026-11-24T16:00:00.000Z",
               "workspaces": 2}
    ends = ["2999-01-31T00:00:00.000Z", "2026-01-31T00:00:00.000Z", None]
    sawd.answers["GET", "/v1/channels"] = (200, {"channels": [{**channel, "expires_at": end} for end in ends]})
    lines = [line.split() for line in saw("policy", "channel").stdout.splitlines()]
    at = lines[0].index("EXPIRES")
    assert [line[at] for line in lines[1:]] == ["2999-01-31", "EXPIRED", "never"]


@pytest.mark.parametrize("args", [["create", "dev", "--policy"], ["set-policy", "dev"]], ids=["create", "set-policy"])
def test_a_faulty_policy_is_refused_here_with_its_place_and_nothing_is_asked_for(saw, sawd, tmp_path, args):
    bad = tmp_path / "bad.yaml"
    bad.write_text(POLICY + "netwrk: []\n")
    done = saw(*args, str(bad))
    assert done.returncode == 1 and f"{bad}:5:1: " in done.stderr and "did you mean `network`" in done.stderr
    assert not sawd.requests


def test_create_says_why_it_failed_and_where_to_look(saw, sawd, policy):
    sawd.changes["POST", "/v1/workspaces"] = ["provisioning", {"state": "failed", "detail": "the disk is full"}]
    done = saw("create", "dev", "--policy", policy)
    assert done.returncode == 1 and "dev" in done.stderr and "the disk is full" in done.stderr and "saw log" in done.stderr


def test_no_wait_returns_at_once(saw, sawd, policy):
    assert saw("create", "dev", "--policy", policy, "--no-wait").stdout == "dev: requested\n"
    assert saw("create", "off", "--policy", policy, "--no-start").returncode == 0
    assert sawd.requests[-1][2]["start"] is False


def test_who_does_not_wait_hears_what_it_is_and_what_it_will_be(saw, sawd):
    sawd.workspaces["dev"] = workspace("dev")
    assert saw("stop", "dev", "--no-wait").stdout == "dev: running, wanted: stopped\n"
    assert saw("start", "dev", "--no-wait").stdout == "dev: running\n"
    assert json.loads(saw("rm", "dev", "--force", "--no-wait", "--json").stdout)["desired"] == "deleted"
    sawd.answers["DELETE", "/v1/workspaces/dev"] = Meanwhile(lambda: sawd.workspaces.clear(), (202, {"desired": "deleted"}))
    done = saw("rm", "dev", "--force", "--no-wait", "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == {"name": "dev", "state": "deleted"} and not done.stderr


def test_create_is_loud_about_emulation_and_shows_progress_on_a_terminal(terminal, sawd, policy):
    sawd.changes["POST", "/v1/workspaces"] = ["provisioning", {"state": "running", "accel_in_use": "tcg"}]
    shown, code = terminal("create", "dev", "--policy", policy)
    assert code == 0 and "EMULATED" in shown and "running" in shown and "\r\033[K" in shown


def test_who_interrupts_a_wait_hears_that_the_work_goes_on(terminal, sawd, policy):
    sawd.changes["POST", "/v1/workspaces"] = ["provisioning"]
    shown, code = terminal("create", "dev", "--policy", policy, answers={"dev: provisioning": "\x03"})
    assert code == -signal.SIGINT and "goes on: see `saw show ws-" in shown


def test_progress_stays_on_one_row_of_the_terminal(terminal, sawd, policy):
    sawd.changes["POST", "/v1/workspaces"] = [{"state": "starting", "detail": "\u00e4" * 30 + " cgroup v2 has no usable controllers" * 9}, "running"]
    shown, code = terminal("create", "dev", "--policy", policy, columns=50)
    rows = [row.split("\r")[0] for row in shown.split("\r\033[K")[1:]]
    assert code == 0 and any(row.startswith("dev: running (0 s): \u00e4\u00e4") for row in rows), shown
    assert max(map(len, rows)) == 49, rows


def test_restart_waits_for_the_new_start_and_not_the_old_one(saw, sawd):
    sawd.workspaces["dev"] = workspace("dev")
    sawd.changes["POST", "/v1/workspaces/dev/restart"] = ["stopping", "stopped", "starting", "running"]
    assert saw("restart", "dev").returncode == 0
    sawd.changes["POST", "/v1/workspaces/dev/restart"] = ["stopping", {"state": "failed", "detail": "no disk"}]
    assert saw("restart", "dev").returncode == 1


def test_starting_what_failed_before_waits_past_the_old_failure(saw, sawd):
    sawd.workspaces["dev"] = workspace("dev", state="failed", desired="stopped", detail="old")
    sawd.changes["POST", "/v1/workspaces/dev/start"] = [{"detail": "old"}, "starting", {"state": "running", "detail": ""}]
    assert saw("start", "dev").returncode == 0


def test_a_control_plane_that_goes_away_meanwhile_is_said(saw, sawd, policy):
    sawd.changes["POST", "/v1/workspaces/dev/stop"] = ["stopping"]
    sawd.workspaces["dev"] = workspace("dev")
    route = sawd.go_through

    def gone(*args):
        route(*args)
        for q in sawd.followers:
            q.put(None)
    sawd.go_through = gone
    done = saw("stop", "dev")
    assert done.returncode == 5 and "went away" in done.stderr


def test_several_names_are_done_each_and_the_worst_code_wins(saw, sawd):
    for name in ("a", "b"):
        sawd.workspaces[name] = workspace(name, id=f"ws-00000000000{name}")
        sawd.changes["POST", f"/v1/workspaces/{name}/stop"] = ["stopping", "stopped"]
    done = saw("stop", "a", "nope", "b", "--grace", "0")
    assert done.returncode == 4 and done.stdout == "a: stopped\nb: stopped\n"
    assert [b for m, t, b in sawd.requests if m == "POST"] == [{"grace_seconds": 0}] * 2


def test_removal_asks_on_a_terminal_and_needs_force_elsewhere(saw, terminal, sawd):
    sawd.workspaces["dev"] = workspace("dev")
    sawd.changes["DELETE", "/v1/workspaces/dev"] = ["deleting", "deleted"]
    shown, code = terminal("rm", "dev", answers={"[y/N]": "n\n"})
    assert code == 2 and "left alone" in shown and "dev" in sawd.workspaces
    assert saw("rm", "dev").returncode == 2 and "dev" in sawd.workspaces
    shown, code = terminal("rm", "dev", answers={"[y/N]": "y\n"})
    assert code == 0 and "dev" not in sawd.workspaces
    assert saw("rm", "dev").returncode == saw("rebuild", "dev").returncode == 4, "nobody is asked about what is not there"
    sawd.workspaces["dev"] = workspace("dev")
    assert saw("rm", "--force", "dev", "--json").stdout == '{"name":"dev","state":"deleted"}\n'


@pytest.mark.parametrize("words", [["create", "dev", "--policy", "no.yaml"], ["set-policy", "dev", "no.yaml"]])
def test_a_policy_that_is_not_there_is_not_found_and_nothing_is_asked(saw, sawd, words):
    done = saw(*words)
    assert done.returncode == 4 and done.stderr.count("no.yaml: No such file") == 1 and not sawd.requests
    done = saw(*[w.replace("no.yaml", "/") for w in words])
    assert done.returncode == 1 and "Is a directory: of a bundle give" in done.stderr and not sawd.requests


def test_set_policy_sends_the_file_and_shows_the_generation(saw, sawd, policy):
    sawd.workspaces["dev"] = workspace("dev")
    assert saw("set-policy", "dev", policy).stdout == "dev: policy corporate, generation 2\n"
    assert sawd.requests[-1][2] == {"file": policy, "text": POLICY}


def test_a_session_is_ended_by_its_id(saw, sawd):
    sawd.answers["DELETE", "/v1/sessions/se-0123456789ab"] = (204, None)
    assert saw("sessions", "--end", "se-0123456789ab").returncode == 0
    told = json.loads(saw("sessions", "--end", "se-0123456789ab", "--json").stdout)
    assert told == {"session_id": "se-0123456789ab", "ended": True}
    wrong = saw("sessions", "--end", "WRONG")
    assert wrong.returncode == 2 and "`saw sessions` lists them" in wrong.stderr
    assert saw("sessions").returncode == 0


# ---- secrets -------------------------------------------------------------------------------------------------------

def sent(sawd):
    """What was stored: target and value of each PUT."""
    return [(t, b) for m, t, b in sawd.requests if m == "PUT"]


def test_a_secret_comes_from_a_file_or_a_pipe_and_its_line_end_is_left_out_with_a_notice(saw, sawd, tmp_path):
    path = tmp_path / "token"
    path.write_text("ghp_0123\n")
    path.chmod(0o600)
    done = saw("secret", "set", "github", "--file", str(path))
    assert done.returncode == 0 and done.stdout == "github: stored, version 1; no workspace's policy binds it yet\n"
    assert done.stderr == "saw: note: the line end behind the value was left out\n"
    done = subprocess.run([saw.binary, "secret", "set", "gitlab"], env=saw.env, input=b"glpat", capture_output=True, check=False)
    assert done.returncode == 0 and not done.stderr
    done = subprocess.run([saw.binary, "secret", "rotate", "gitlab", "--file", "-"], env=saw.env, input=b"new\r\n", capture_output=True, check=False)
    assert done.returncode == 0
    assert sent(sawd) == [("/v1/secrets/github?mode=new", b"ghp_0123"), ("/v1/secrets/gitlab?mode=new", b"glpat"),
                          ("/v1/secrets/gitlab?mode=rotate", b"new")]


def test_a_file_that_others_can_read_is_taken_with_a_warning(saw, sawd, tmp_path):
    path = tmp_path / "token"
    path.write_text("value")
    path.chmod(0o644)
    done = saw("secret", "set", "github", "--file", str(path))
    assert done.returncode == 0 and "can be read by other users" in done.stderr and sent(sawd)


@pytest.mark.parametrize("more", [(), ("--file", "-")])
def test_a_secret_is_typed_twice_and_never_shown(terminal, sawd, more):
    shown, code = terminal("secret", "set", "github", *more, answers={"Value of github": "ghp_typed\n", "Once more": "ghp_typed\n"})
    assert code == 0 and "ghp_typed" not in shown and sent(sawd) == [("/v1/secrets/github?mode=new", b"ghp_typed")]
    shown, code = terminal("secret", "rotate", "github", answers={"Value of github": "one\n", "Once more": "two\n"})
    assert code == 2 and "differ" in shown and len(sent(sawd)) == 1


def test_a_terminal_shows_again_what_is_typed_after_an_interrupt(build, env, sawd):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(str(build / "src/cli/saw"), ["saw", "secret", "set", "github"], env)
    shown = b""
    while b"Value of" not in shown:
        shown += os.read(fd, 4096)
    deadline = time.monotonic() + 20
    while termios.tcgetattr(fd)[3] & termios.ECHO:
        assert time.monotonic() < deadline
        select.select([], [], [], 0.01)
    os.write(fd, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert termios.tcgetattr(fd)[3] & termios.ECHO and not sent(sawd)
    os.close(fd)


def test_what_is_typed_after_a_stop_is_hidden_again_and_the_shell_has_its_terminal_meanwhile(build, env, sawd):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(str(build / "src/cli/saw"), ["saw", "secret", "set", "github"], env)

    def wait_for_echo(on):
        deadline = time.monotonic() + 20
        while bool(termios.tcgetattr(fd)[3] & termios.ECHO) != on:
            assert time.monotonic() < deadline
            select.select([], [], [], 0.01)

    def until(word, shown=b""):
        while word not in shown:
            assert select.select([fd], [], [], 20)[0], shown
            shown += os.read(fd, 4096)
        return shown
    try:
        until(b"Value of")
        wait_for_echo(False)
        os.kill(pid, signal.SIGTSTP)
        wait_for_echo(True)
        assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
        os.kill(pid, signal.SIGCONT)
        wait_for_echo(False)
        os.write(fd, b"tok-123\n")
        shown = until(b"Once more")
        os.write(fd, b"tok-123\n")
        assert b"tok-123" not in until(b"stored", shown) and len(sent(sawd)) == 1
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


@pytest.mark.parametrize("value, says", [(b"", "is empty"), (b"\n", "is empty"), (b"a\nb", "line end inside"), (b"a\rb\n", "line end inside"),
                                         (b"a\0b", "no header field"), (b"caf\xc3\xa9", "no header field"), (b" a", "blank"),
                                         (b"a\n\n", "line end inside"), (b"x" * 16385, "16 KiB")])
def test_a_value_that_no_field_can_carry_is_refused_without_repeating_it(saw, sawd, value, says):
    done = subprocess.run([saw.binary, "secret", "set", "github"], env=saw.env, input=value, capture_output=True, check=False)
    assert done.returncode == 2 and says in done.stderr.decode() and not sent(sawd)
    assert len(done.stderr) < 200


def test_a_value_on_the_command_line_is_refused_without_repeating_it(saw, sawd):
    for words in (["set", "github", "ghp_value"], ["rotate", "github", "Bearer", "ghp_value"], ["set", "github", "--value", "ghp_value"],
                  ["set", "github", "--value=ghp_value"]):
        done = saw("secret", *words)
        assert done.returncode == 2 and done.stderr and "ghp_value" not in done.stdout + done.stderr, done
    assert "--file FILE" in saw("secret", "set", "github", "ghp_value").stderr
    assert saw("secret", "set", "../x", "--file", "/dev/null").returncode == 2
    assert not sawd.requests


def test_one_that_exists_is_replaced_only_when_somebody_says_so(saw, sawd, terminal, tmp_path):
    path = tmp_path / "token"
    path.write_text("value")
    path.chmod(0o600)
    sawd.secrets["github"] = secret("github")
    done = saw("secret", "set", "github", "--file", str(path))
    assert done.returncode == 1 and "already" in done.stderr and "saw secret rotate" in done.stderr
    shown, code = terminal("secret", "set", "github", "--file", str(path), answers={"[y/N]": "n\n"})
    assert code == 1 and sawd.secrets["github"]["version"] == 1
    shown, code = terminal("secret", "set", "github", "--file", str(path), answers={"[y/N]": "y\n"})
    assert code == 0 and "version 2" in shown
    assert saw("secret", "set", "github", "--force", "--file", str(path)).returncode == 0 and sawd.secrets["github"]["version"] == 3
    assert saw("secret", "rotate", "other", "--file", str(path)).returncode == 4


def test_removal_of_a_secret_names_whom_it_is_spent_for(saw, sawd, terminal):
    sawd.secrets["github"] = secret("github", "dev", "prod", "w1", "w2", "w3")
    assert saw("secret", "rm", "github").returncode == 2 and "github" in sawd.secrets
    shown, code = terminal("secret", "rm", "github", answers={"[y/N]": "n\n"})
    assert code == 2 and "spent for dev, prod, w1, w2 and 1 more" in shown and "github" in sawd.secrets
    shown, code = terminal("secret", "rm", "github", answers={"[y/N]": "y\n"})
    assert code == 0 and not sawd.secrets
    assert saw("secret", "rm", "--force", "github").returncode == 4
    gone = saw("secret", "rm", "github")
    assert gone.returncode == 4 and "there is no secret github" in gone.stderr


def test_secrets_are_listed_with_age_and_binding_and_without_values(saw, sawd):
    assert saw("secret", "ls").stdout == "no secret yet: saw secret set ID --file FILE\n"
    sawd.secrets["github"] = secret("github", "dev")
    sawd.secrets["bad"] = {**secret("bad"), "version": 0, "fault": "secrets/ann/bad: was changed\x1b[2J"}
    lines = saw("secret", "ls").stdout.splitlines()
    assert lines[0].split() == ["ID", "VERSION", "AGE", "BOUND", "BY"] and lines[1].split()[:2] == ["github", "1"] and lines[1].endswith(" dev")
    assert "was changed" in lines[2] and "\x1b" not in lines[2]
    assert [s["id"] for s in json.loads(saw("secret", "ls", "--json").stdout)["secrets"]] == ["github", "bad"]
    assert saw("secret", "ls", "--names").stdout.split() == ["github", "bad"]


# ---- audit ---------------------------------------------------------------------------------------------------------

def audit_line(**more):
    return json.dumps({"unmapped": {"prev_sha256": "0" * 64}, "metadata": {"sequence": 1}, "time": 1000, "class_uid": 4003, "activity_id": 1,
                       "query": {"hostname": "exfil.example", "type": "A"}, "action_id": 2, "status_id": 2,
                       "status_code": "name_not_listed", "status_detail": "policy does not list this name", **more}) + "\n"


def test_audit_shows_lines_for_people_and_json_as_it_is(saw, terminal, sawd):
    text = audit_line() + audit_line(action_id=1, status_id=1, status_code="ok")
    sawd.streams["/v1/audit"] = text.encode()
    assert saw("audit", "dev", "--json").stdout == text
    assert saw("audit", "dev", "--json", "--denied").stdout == audit_line()
    out = saw("audit", "dev", "--denied").stdout
    assert out == ("1970-01-01T00:00:01.000Z denied   dns A exfil.example: policy does not list this name [name_not_listed]; "
                   "remedy: ask Security to list the host\n")
    assert sawd.requests[-1][1] == "/v1/audit?follow=0&workspace=dev"
    assert "\033[31m" in terminal("audit", "dev")[0]
    sawd.streams["/v1/audit"] = audit_line(unmapped={"prev_sha256": "0" * 64, "policy_change": 'network[a].rules: add {paths: ["/x"]}'}).encode()
    assert saw("audit", "dev", "--denied", "--follow").stdout == out + '         change: network[a].rules: add {paths: ["/x"]}\n'
    assert "change" not in saw("audit", "dev").stdout and sawd.requests[-2][1] == "/v1/audit?follow=1&workspace=dev"


def test_audit_reads_a_file_without_a_control_plane(saw, tmp_path):
    log = tmp_path / "audit.jsonl"
    log.write_text(audit_line() + audit_line(action_id=1, status_id=1, status_code="ok") + audit_line()[:40])
    assert saw("audit", str(log), "--json").stdout == "".join(log.read_text().splitlines(keepends=True)[:2])
    denied = saw("audit", "audit.jsonl", "--denied", cwd=tmp_path)
    assert denied.returncode == 0 and denied.stdout.count("\n") == 1 and "[name_not_listed]" in denied.stdout
    missing = saw("audit", "./nope")
    assert missing.returncode == 4 and "./nope: No such file" in missing.stderr
    (tmp_path / "other.jsonl").write_text("name: x\x1b[2J\n" + audit_line() + "{}\n")
    for words in ((), ("--json",), ("--denied",)):
        done = saw("audit", str(tmp_path / "other.jsonl"), *words)
        assert done.returncode == 1 and done.stdout.count("\n") == 1 and "2 of its 3 lines are no audit events" in done.stderr
        assert "\x1b" not in done.stdout
    for other in ("/", "/dev/zero"):
        done = saw("audit", other)
        assert done.returncode == 1 and f"{other} is not a file" in done.stderr
    follow = saw("audit", str(log), "--follow")
    assert follow.returncode == 2 and str(log) in follow.stderr


def test_nothing_to_show_is_said(saw, sawd, tmp_path):
    sawd.workspaces["dev"] = workspace("dev")
    sawd.streams["/v1/audit"] = sawd.streams["/v1/workspaces/dev/log"] = b""
    assert saw("audit", "dev").stderr == "saw: note: nothing is on record yet\n"
    assert saw("audit", "dev", "--denied").stderr == "saw: note: nothing was refused\n"
    assert "printed nothing yet" in saw("log", "dev").stderr
    (tmp_path / "log.jsonl").touch()
    assert "nothing was refused" in saw("audit", "--denied", str(tmp_path / "log.jsonl")).stderr
    for words in (["audit", "dev"], ["log", "dev"]):
        assert saw(*words, "--json").stderr == ""
    assert saw("sessions").stdout == "no session is open: saw ssh NAME\n"


def test_no_color_is_respected_on_a_terminal(build, env, sawd, terminal, tmp_path):
    sawd.streams["/v1/audit"] = audit_line().encode()
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 2\n")
    assert f"\033[31m{bad}:1:10:\033[0m version" in terminal("policy", "check", str(bad))[0]
    env["NO_COLOR"] = "1"
    assert "\033[" not in terminal("audit", "dev")[0] and "\033[" not in terminal("policy", "check", str(bad))[0]


# ---- host ----------------------------------------------------------------------------------------------------------

def test_doctor_gives_every_warning_and_failure_a_remedy(saw):
    done = saw("doctor", "--json")
    report = json.loads(done.stdout)
    assert report["ready"] == (done.returncode == 0) == all(c["result"] != "fail" for c in report["checks"])
    assert all(c["result"] == "ok" or c.get("remedy") for c in report["checks"])
    assert {c["check"] for c in report["checks"]} >= {"accel", "namespaces", "tun", "landlock", "seccomp", "qemu", "disk", "clock"}


def test_doctor_fails_with_the_package_to_install_when_a_program_is_missing(saw, env):
    done = saw("doctor", "--json", env={**env, "PATH": "/nonexistent"})
    by = {c["check"]: c for c in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1 and by["qemu"]["result"] == "fail" and "apt-get install" in by["qemu"]["remedy"]


def test_doctor_names_the_setting_when_user_namespaces_are_off(build, env):
    limit = pathlib.Path("/proc/sys/user/max_user_namespaces")
    # inside a fresh user namespace the limit is its own
    done = subprocess.run(["unshare", "-U", "-r", "sh", "-c", f"echo 0 > {limit} && exec {build}/src/cli/saw doctor --json"], env=env,
                          capture_output=True, text=True, timeout=60, check=False)
    by = {c["check"]: c for c in json.loads(done.stdout)["checks"]}
    assert by["namespaces"]["result"] == "fail" and "max_user_namespaces" in by["namespaces"]["found"]


@pytest.mark.skipif(os.getuid() == 0, reason="root needs no ids of others and may write anywhere")
def test_doctor_finds_that_images_cannot_be_built_without_ids(saw):
    user = pwd.getpwuid(os.getuid()).pw_name
    there = all(re.search(rf"^{re.escape(user)}:", pathlib.Path(f).read_text(), re.M) for f in ("/etc/subuid", "/etc/subgid"))
    by = {c["check"]: c for c in json.loads(saw("doctor", "--json").stdout)["checks"]}
    if not by["image-tools"]["found"].startswith("missing: "):
        assert by["image-tools"]["result"] == ("ok" if there else "fail") and (there or "/etc/subuid" in by["image-tools"]["found"])


@pytest.mark.skipif(os.getuid() == 0, reason="root needs no ids of others and may write anywhere")
def test_a_folder_that_cannot_be_written_is_named_by_doctor_and_by_up(saw, env, folder):
    shut = folder / "shut"
    shut.mkdir(mode=0o500)
    by = {c["check"]: c for c in json.loads(saw("doctor", "--json", env={**env, "SAW_RUN": str(shut)}).stdout)["checks"]}
    assert by["folders"]["result"] == "fail" and str(shut) in by["folders"]["found"]
    up = saw("up", env={**env, "SAW_RUN": str(shut)})
    assert up.returncode == 1 and "Permission denied" in up.stderr and "runs already" not in up.stderr


def test_doctor_and_up_warn_where_logging_out_takes_the_sockets_away(build, env):
    """As a user without a login of systemd's, in whose folder nothing can be made."""
    there = {k: v for k, v in env.items() if k != "SAW_RUN"} | {"XDG_RUNTIME_DIR": "/run/user/54321"}
    as_user = ["unshare", "-U", "--map-user=54321", f"{build}/src/cli/saw", "doctor", "--json"]

    def asked(environment):
        done = subprocess.run(as_user, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return {c["check"]: c for c in json.loads(done.stdout)["checks"]}["logout"]
    warned = asked(there)
    assert warned["result"] == "warn" and "/run/user/54321/saw goes" in warned["found"] and "`loginctl enable-linger`" in warned["remedy"]
    assert asked(env)["result"] == asked({**there, "XDG_RUNTIME_DIR": env["SAW_RUN"]})["result"] == "ok"


def test_version_is_the_same_everywhere(saw):
    assert saw("--version").stdout == saw("version").stdout
    assert json.loads(saw("version", "--json").stdout)["version"] in saw("version").stdout
