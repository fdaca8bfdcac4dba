"""The command line against a real machine: OpenSSH of both sides, our agent and tunnel between them."""
import os
import subprocess
import time

import pytest

from vm import ControlPlane, missing

pytestmark = pytest.mark.slow

POLICY = ("version: 1\nname: cli-vm\nnetwork:\n"
          "  - {name: a, hosts: [a.example], ports: [443], mode: passthrough, reason: \"pins its certificate\"}\n")


@pytest.fixture(scope="module")
def plane(build, tmp_path_factory):
    why = missing()
    if why:
        pytest.skip(why)
    policy = tmp_path_factory.mktemp("policy") / "p.yaml"
    policy.write_text(POLICY)
    plane = ControlPlane(build)
    try:
        plane.up()
        plane.image()
        plane.cli("rm", "--force", "cli-vm", check=False)
        plane.cli("create", "cli-vm", "--policy", policy, "--memory", "512MiB", "--disk", "2GiB", timeout=300)
        yield plane
    finally:
        plane.cli("rm", "--force", "cli-vm", check=False)
        plane.down()


def test_exit_codes_words_and_standard_input_arrive(plane):
    assert plane.cli("ssh", "cli-vm", "--", "exit 42", check=False).returncode == 42
    assert plane.cli("ssh", "cli-vm", "--", "printf", "%s|", "a  b", "it's", "$HOME").stdout == "a  b|it's|$HOME|"
    done = subprocess.run([str(plane.saw), "ssh", "cli-vm", "--", "wc -c"], env=plane.env, input=b"x" * 500_000, stdout=subprocess.PIPE,
                          timeout=120, check=True)
    assert done.stdout.strip() == b"500000"


def test_files_go_both_ways_and_stock_clients_find_the_host(plane, tmp_path):
    (tmp_path / "file").write_text("content")
    plane.cli("cp", tmp_path / "file", "cli-vm:")
    plane.cli("cp", "cli-vm:file", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "content"
    config = tmp_path / "config"
    config.write_text(plane.cli("ssh-config").stdout)
    scp = subprocess.run(["scp", "-q", "-F", str(config), "cli-vm.saw:file", str(tmp_path / "stock")], env=plane.env, timeout=120, check=True)
    assert scp.returncode == 0 and (tmp_path / "stock").read_text() == "content"
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "file").write_bytes(os.urandom(100_000))
    rsync = ["rsync", "-a", "-e", f"ssh -F {config}"]
    subprocess.run([*rsync, f"{tree}/", "cli-vm.saw:tree/"], env=plane.env, timeout=120, check=True)
    subprocess.run([*rsync, "cli-vm.saw:tree/", f"{tmp_path}/returned/"], env=plane.env, timeout=120, check=True)
    assert (tmp_path / "returned/deep/file").read_bytes() == (tree / "deep/file").read_bytes()
    banner = subprocess.run(["ssh", "-F", str(config), "-W", "localhost:22", "cli-vm.saw"], env=plane.env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, timeout=120, check=False)
    assert banner.stdout.startswith(b"SSH-2.0-")


def test_a_session_without_leave_to_forward_cannot(plane):
    # the agent of `saw ssh` has a certificate without port forwarding: the machine's sshd refuses
    config = plane.cli("ssh-config", "cli-vm").stdout
    for old, new in (("cli-vm.saw.sock", "cli-vm.sock"), ("ssh-proxy --forward", "ssh-proxy"), ("cli-vm.saw.known", "cli-vm.known")):
        assert old in config
        config = config.replace(old, new)
    path = os.path.join(plane.run, "plain.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(config)
    done = subprocess.run(["ssh", "-F", path, "-W", "localhost:22", "cli-vm.saw"], env=plane.env, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120, check=False)
    assert done.stdout == b"" and b"prohibited" in done.stderr


def test_a_session_that_is_ended_is_cut_within_five_seconds(plane):
    with subprocess.Popen([str(plane.saw), "ssh", "cli-vm", "--", "echo open; sleep 600"], env=plane.env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as p:
        assert p.stdout.readline() == "open\n"
        open_ones = [s for s in plane.json("sessions")["sessions"] if s["tunnels"]]
        began = time.monotonic()
        plane.cli("sessions", "--end", open_ones[0]["session_id"])
        assert p.wait(5) == 255 and time.monotonic() - began < 5
    assert plane.cli("ssh", "cli-vm", "--", "echo again").stdout == "again\n"


def test_stop_cuts_and_start_brings_the_same_home_back(plane):
    plane.cli("ssh", "cli-vm", "--", "echo kept > mark; sudo touch /opt/system; sync")
    plane.cli("stop", "cli-vm", timeout=120)
    assert plane.cli("ssh", "cli-vm", "--", "true", check=False).returncode == 5
    plane.cli("start", "cli-vm", timeout=300)
    assert plane.cli("ssh", "cli-vm", "--", "cat mark; ls /opt").stdout == "kept\nsystem\n"
    plane.cli("rebuild", "--force", "cli-vm", timeout=300)
    assert plane.cli("ssh", "cli-vm", "--", "cat mark; ls /opt").stdout == "kept\n"
