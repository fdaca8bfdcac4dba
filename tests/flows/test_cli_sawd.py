"""`saw` and the real control plane together, with workspaces of driver `try`."""
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest

POLICY = ("version: 1\nname: p\nlab: true\nnetwork:\n"
          "  - {name: a, hosts: [a.example], ports: [443], mode: passthrough, reason: \"pins its certificate\"}\n")


@pytest.fixture
def folder(tmp_path):
    # a socket's name is short
    short = pathlib.Path(os.path.realpath("/tmp")) / f"saws-{os.getpid()}-{abs(hash(str(tmp_path))) % 10**8}"
    short.mkdir(mode=0o700)
    yield short
    subprocess.run(["rm", "-rf", str(short)], check=True)


@pytest.fixture
def saw(build, folder):
    env = {**os.environ, "SAW_RUN": str(folder / "run"), "SAW_STATE": str(folder / "state")}

    def run(*args, **kw):
        kw.setdefault("env", env)
        return subprocess.run([str(build / "src/cli/saw"), *args], capture_output=True, text=True, timeout=120, check=False,
                              stdin=subprocess.DEVNULL, **kw)
    run.env = env
    yield run
    run("down", "--all")


@pytest.fixture
def policy(folder):
    path = folder / "p.yaml"
    path.write_text(POLICY)
    return str(path)


@pytest.fixture
def up(saw, build, folder):
    done = saw("up", "--lab")
    if done.returncode and ("user namespace" in done.stderr or "tun" in done.stderr):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return saw


def test_up_and_down_are_harmless_when_repeated_and_name_socket_and_identity(saw, folder):
    first = saw("up")
    assert first.returncode == 0, first.stderr
    assert str(folder / "run" / "api.sock") in first.stdout and f"uid {os.getuid()}" in first.stdout
    again = saw("up", "--json")
    assert again.returncode == 0 and json.loads(again.stdout)["uid"] == os.getuid() and again.stderr == ""
    unused = saw("up", "--json", "--lab", "--resolv-conf", "/etc/resolv.conf")
    assert unused.returncode == 0 and all(f"{option} has no effect" in unused.stderr for option in ("--lab", "--resolv-conf"))
    assert saw("down").returncode == 0
    assert saw("ls").returncode == 5
    assert saw("down").stdout == "The control plane was not running.\n"


def test_whoever_says_up_in_the_same_moment_gets_the_one_control_plane(saw, build, folder):
    each = [subprocess.Popen([str(build / "src/cli/saw"), "up", "--json"], env=saw.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [p.communicate(timeout=60) for p in each]
    assert [p.returncode for p in each] == [0] * 4, said
    assert len({json.loads(out)["pid"] for out, _ in said}) == 1
    assert [err for _, err in said] == [""] * 4  # who was second hears nothing of a sawd that was one too many


def test_up_beside_a_control_plane_that_does_not_answer_is_one_sentence_with_a_remedy(saw, folder):
    (folder / "run").mkdir(mode=0o700)
    with open(folder / "run" / "sawd.lock", "w", encoding="ascii") as held:
        (folder / "run" / "sawd.lock").chmod(0o600)
        held.write("4711\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        done = saw("up")
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("saw: up: sawd runs already: ") and "held by process 4711 and does not answer: " in done.stderr and "end that process" in done.stderr


def test_up_beside_a_control_plane_that_goes_down_waits_and_starts_one(saw, folder):
    (folder / "run").mkdir(mode=0o700)
    with open(folder / "run" / "sawd.lock", "w", encoding="ascii") as held:
        (folder / "run" / "sawd.lock").chmod(0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        later = threading.Timer(2, lambda: fcntl.flock(held, fcntl.LOCK_UN))  # if it were too early, nothing would be in the way
        later.start()
        done = saw("up")
        later.join()
    assert done.returncode == 0 and "process" in done.stdout and done.stderr == "", done


def test_one_state_folder_has_one_control_plane_and_the_second_hears_why(saw):
    assert saw("up").returncode == 0
    second = saw("up", env={**saw.env, "SAW_RUN": saw.env["SAW_RUN"] + "2"})
    assert second.returncode == 1 and "XDG_RUNTIME_DIR" in second.stderr and "`saw down`" in second.stderr
    assert second.stderr.startswith("saw: up: the control plane did not start: ") and second.stderr.count("\n") == 1


def test_up_warns_where_the_sockets_go_at_logout(saw, build):
    """As a user who does not linger, under a /run of the test's own."""
    script = ('mount -t tmpfs t /run && mkdir -p -m 700 /run/user/54321 && unset SAW_RUN && export XDG_RUNTIME_DIR=/run/user/54321 SAW_STATE=/run/state && '
              'exec unshare -U --map-user=54321 sh -c \'"$0" up; "$0" up >&2; "$0" down\' "$0"')
    done = subprocess.run(["unshare", "-Um", "--map-root-user", "sh", "-c", script, str(build / "src/cli/saw")], env=saw.env, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode and ("unshare:" in done.stderr or "mount:" in done.stderr):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0 and done.stdout.startswith("The control plane is running (") and done.stdout.endswith("is down; its workspaces go on.\n"), done
    assert done.stderr.count("/run/user/54321/saw goes at your last logout") == done.stderr.count("`loginctl enable-linger`") == 1, done.stderr


def test_gateways_ask_the_name_servers_that_up_names(saw, policy, folder):
    (folder / "resolv.conf").write_text("nameserver [127.0.0.1]:5353\n")
    missing = saw("up", "--lab", "--resolv-conf", str(folder / "none"))
    assert missing.returncode == 4 and str(folder / "none") in missing.stderr
    up = saw("up", "--lab", "--resolv-conf", str(folder / "resolv.conf"))
    if up.returncode and ("user namespace" in up.stderr or "tun" in up.stderr):
        pytest.skip(up.stderr.strip())
    assert up.returncode == 0, up.stderr
    assert saw("create", "dev", "--policy", policy, "--driver", "try").returncode == 0
    spec, = (folder / "state" / "workspaces").glob("*/spec")
    assert str(folder / "resolv.conf").encode() in spec.read_bytes()


def test_the_socket_is_nobody_elses(up, folder):
    assert (folder / "run").stat().st_mode & 0o077 == 0 and (folder / "run" / "api.sock").stat().st_mode & 0o077 == 0


def test_a_workspace_lives_from_create_to_rm(up, policy):
    assert up("create", "dev", "--policy", policy, "--driver", "try").stdout == "dev: running\n"
    assert json.loads(up("show", "dev", "--json").stdout)["state"] == "running"
    assert up("ls", "--names").stdout == "dev\n"
    assert up("stop", "dev").stdout == "dev: stopped\n"
    assert up("start", "dev").stdout == "dev: running\n"
    assert up("restart", "dev").stdout == "dev: running\n"
    assert up("rebuild", "--force", "dev").stdout == "dev: running\n"
    assert up("set-policy", "dev", policy).stdout == "dev: policy p, generation 2\n"
    assert up("create", "dev", "--policy", policy, "--driver", "try").returncode == 1
    assert up("rm", "--force", "dev").stdout == "dev: deleted\n"
    assert up("show", "dev").returncode == 4 and up("rm", "--force", "dev").returncode == 4
    told = up("stop", "dev", "other")
    assert told.returncode == 4 and told.stderr.splitlines() == [f"saw: there is no workspace {n}: `saw ls` lists them" for n in ("dev", "other")]


def test_what_happened_is_in_the_two_logs(up, policy):
    up("create", "dev", "--policy", policy, "--driver", "try")
    control = up("audit").stdout
    assert "workspaces.create" in control and "workspace" in control
    gateway = [json.loads(l) for l in up("audit", "dev", "--json").stdout.splitlines()]
    assert [e["metadata"]["sequence"] for e in gateway] == list(range(1, len(gateway) + 1))
    assert "process Launch inlet" in up("audit", "dev").stdout


def test_followed_audit_shows_what_happens_meanwhile(up, build, policy):
    up("create", "dev", "--policy", policy, "--driver", "try")
    with subprocess.Popen([str(build / "src/cli/saw"), "audit", "dev", "--follow"], env=up.env, stdout=subprocess.PIPE, text=True) as p:
        assert any("dev" in line for line in p.stdout)
        up("set-policy", "dev", policy)
        assert any("generation 2" in line for line in p.stdout)
        p.send_signal(signal.SIGTERM)


def test_who_follows_hears_where_the_control_plane_went(up, build):
    with subprocess.Popen([str(build / "src/cli/saw"), "audit", "--follow"], env=up.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        assert up("policy", "channel").returncode == 0
        up("secret", "set", "x", "--file", "/proc/sys/kernel/ostype")
        assert "secrets.set" in p.stdout.readline()
        up("down")
        assert "`saw up`" in p.communicate(timeout=30)[1] and p.returncode == 5


def test_down_leaves_workspaces_and_down_all_stops_them(up, policy):
    up("create", "dev", "--policy", policy, "--driver", "try")
    before = json.loads(up("show", "dev", "--json").stdout)
    assert up("down").returncode == 0
    assert up("up", "--lab").returncode == 0
    after = json.loads(up("show", "dev", "--json").stdout)
    assert after["state"] == "running" and after["since"] == before["since"]
    assert "stopped" in up("down", "--all").stdout


@pytest.mark.parametrize("args, says", [
    (["--image", "nothing"], "image"), (["--memory", "1KiB", "--driver", "try"], "memory"), (["--disk", "1KiB", "--driver", "try"], "disk"),
    (["--upstream-proxy", "x", "--driver", "try"], "proxy"),
])
def test_bad_values_are_refused_by_name_and_nothing_is_created(up, policy, args, says):
    done = up("create", "dev", "--policy", policy, *args)
    assert done.returncode in (2, 4) and says in done.stderr
    assert up("ls", "--names").stdout == ""


def test_a_stopped_workspace_has_no_ssh_and_says_so(up, policy):
    up("create", "dev", "--policy", policy, "--driver", "try", "--no-start")
    done = up("ssh", "dev", "--", "true")
    assert done.returncode == 5 and "dev" in done.stderr
    assert up("ssh", "nope", "--", "true").returncode == 4


def test_logs_verify_by_name_id_and_file_also_when_the_workspace_is_gone(up, policy, folder):
    up("create", "dev", "--policy", policy, "--driver", "try")
    ident = json.loads(up("show", "dev", "--json").stdout)["id"]
    assert up("audit", "verify", "dev", ident, "control").stdout.count(": whole, ") == 3
    up("rm", "--force", "dev")
    kept = folder / "state" / "audit" / "workspaces" / f"{ident}.jsonl"
    assert up("audit", "verify", "dev").returncode == 4
    assert up("down").returncode == 0
    report = json.loads(up("audit", "verify", ident, "--json").stdout)
    assert report["ok"] and report["events"] == len(kept.read_text().splitlines())
    assert up("audit", "verify", str(kept), "control").returncode == 0
    kept.write_text("".join(kept.read_text().splitlines(keepends=True)[1:]))
    assert up("audit", "verify", ident).returncode == 1
    assert up("audit", "verify", "ws-000000000000").returncode == 4


def test_where_user_namespaces_are_off_create_says_so_with_the_remedy(saw, build, folder, policy):
    # one namespace that allows a single further one, and in it an ordinary user's control plane
    script = (f"saw={build}/src/cli/saw; $saw up --lab >/dev/null && $saw create dev --driver try --policy {policy}; code=$?; "
              "$saw down --all >/dev/null; exit $code")
    done = subprocess.run(["unshare", "-U", "-r", "sh", "-c", "echo 1 > /proc/sys/user/max_user_namespaces && "
                           f"exec unshare -U --map-user=1000 --map-group=1000 sh -c '{script}'"], env=saw.env, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 1 and "user.max_user_namespaces" in done.stderr, done.stderr
