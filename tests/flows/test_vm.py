"""A real machine's own life: clean power-off, what stays and what goes, a full disk of the host, a damaged one. Boots a real guest several times."""
import hashlib
import json
import os
import pathlib
import re
import select
import subprocess

import pytest

from vm import ControlPlane, missing

pytestmark = pytest.mark.slow
POLICY = "version: 1\nname: vm\nnetwork: []\n"
NAME = "life"


class Machine:
    def __init__(self, plane, folder):
        self.plane, self.policy = plane, folder / "policy.yaml"
        self.policy.write_text(POLICY)
        self.remove()
        plane.cli("create", NAME, "--policy", self.policy, "--cpus", 2, "--memory", "768MiB", "--disk", "2GiB", timeout=400)
        self.dir = plane.state / "workspaces" / plane.json("show", NAME)["id"]

    def remove(self):
        self.plane.cli("rm", "--force", NAME, check=False, timeout=120)

    def ssh(self, command, check=True, timeout=180):
        return self.plane.cli("ssh", NAME, "--", command, check=check, timeout=timeout)

    def do(self, verb, *args, check=True):
        return self.plane.cli(verb, NAME, *args, timeout=400, check=check)

    def show(self):
        return self.plane.json("show", NAME)

    def until(self, done, tries=240, step=0.25):
        for _ in range(tries):
            if done():
                return True
            select.select([], [], [], step)
        return False


@pytest.fixture(scope="module")
def plane(build):
    why = missing()
    if why:
        pytest.skip(why)
    p = ControlPlane(build)
    p.image()
    p.up()
    yield p
    p.down()


@pytest.fixture(scope="module")
def vm(plane, tmp_path_factory):
    m = Machine(plane, tmp_path_factory.mktemp("vm"))
    yield m
    m.remove()


def fsck(path):
    """A look without a change: what the product never does, a test may."""
    done = subprocess.run(["/usr/sbin/e2fsck", "-fn", str(path)], capture_output=True, text=True, check=False)
    return done.returncode


def test_the_user_may_become_root_and_the_tools_of_an_agent_are_there(vm):
    said = vm.ssh("id -un; sudo id -un; hostname; for t in git curl python3 node npm; do command -v $t || echo no $t; done; npm --version").stdout.split("\n")
    assert said[:3] == ["agent", "root", NAME] and not [s for s in said if s.startswith("no ")], said


def test_nothing_failed_in_the_guest(vm):
    assert vm.until(lambda: "starting" not in vm.ssh("sudo systemctl is-system-running", check=False).stdout, tries=40, step=1)
    assert vm.ssh("sudo systemctl --failed --plain --no-legend", check=False).stdout == ""


def test_trust_for_stock_tools_and_names_is_set(vm):
    said = vm.ssh("cat /etc/resolv.conf; env; cat /sys/class/net/eth0/mtu; cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6; ls /sys/class/net").stdout
    assert "nameserver 100.64.0.1\noptions no-aaaa" in said
    for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "CURL_CA_BUNDLE"):
        assert f"{name}=/etc/ssl/certs/ca-certificates.crt" in said, name
    assert said.endswith("65520\n1\neth0\nlo\n"), said[-60:]


def test_sshd_takes_nothing_but_certificates(vm):
    said = vm.ssh("sudo sshd -T").stdout
    for line in ("passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin no", "authorizedkeysfile none",
                 "trustedusercakeys /etc/ssh/saw_user_ca", "authenticationmethods publickey"):
        assert line in said, line


def test_only_virtio_devices_exist(vm):
    said = vm.ssh("for d in /sys/bus/pci/devices/*; do cat $d/vendor $d/class | tr '\\n' ' '; echo; done").stdout.split("\n")
    others = [s for s in said if s and not s.startswith("0x1af4")]
    assert all(s.split()[1].startswith("0x06") for s in others), f"bridges of the board only: {others}"


def test_qemu_has_a_uid_of_its_own_no_network_and_no_descriptor_of_anything_else(vm, sanitized):
    if os.geteuid() != 0:
        pytest.skip("QEMU is not dumpable: only root may look at its descriptors")
    pid, = [p.parent.name for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if re.match(rb"qemu-system-\w+: life\0", _read(p))]
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines() if ":\t" in line)
    assert "0" not in status["Uid"].split() + status["Gid"].split(), status["Uid"]
    assert status["NoNewPrivs"] == "1" and {int(status[c], 16) for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert sanitized or status["Seccomp"] == "2", "by its own -sandbox"
    devices = pathlib.Path(f"/proc/{pid}/net/dev").read_text(encoding="ascii").splitlines()[2:]
    assert [d.split()[:2] for d in devices] == [["lo:", "0"]], "an empty network"
    kept = {os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
    files = {k for k in kept if k.startswith("/") and not k.startswith(("/memfd:", "/dev/"))}
    image = vm.plane.state / "images"
    assert files and all(f.startswith((f"{vm.dir}/", f"{image}/")) for f in files), files
    assert {k for k in kept if k.startswith("/dev/")} <= {"/dev/net/tun", "/dev/kvm", "/dev/null"}, kept


def test_an_emulated_machine_is_called_so_in_status_and_audit(vm):
    if vm.show()["accel_in_use"] != "tcg":
        pytest.skip("this host has KVM")
    assert "EMULATED" in vm.plane.cli("show", NAME).stdout
    started = [e for e in map(json.loads, vm.plane.cli("audit", NAME, "--json").stdout.splitlines()) if e["class_uid"] == 6002]
    assert [e for e in started if e.get("status_detail", "").endswith("emulated, slow, for trying out")], started


def test_the_seed_is_a_volume_that_stock_tools_read(vm):
    seed = vm.dir / "seed.img"
    for tool in ("/usr/sbin/fsck.fat", "/usr/bin/mtype"):
        if not os.path.exists(tool):
            pytest.skip(f"{tool} is missing: tools/setup check")
    assert subprocess.run(["/usr/sbin/fsck.fat", "-n", str(seed)], capture_output=True, check=False).returncode == 0
    label = subprocess.run(["/usr/sbin/blkid", "-o", "value", "-s", "LABEL", str(seed)], capture_output=True, text=True, check=False).stdout
    assert label.strip() == "CIDATA"
    user = subprocess.run(["mtype", "-i", str(seed), "::/user-data"], capture_output=True, text=True, check=True).stdout
    assert user.startswith("#cloud-config\n{") and "write_files" in user


def test_a_stop_is_a_clean_power_off_and_files_stay(vm):
    vm.ssh("echo home > keep; echo system | sudo tee /opt/mark")
    vm.do("stop")
    for disk in ("overlay.img", "home.img"):
        assert fsck(vm.dir / disk) == 0, f"{disk} was not closed cleanly"
    vm.do("start")
    assert vm.ssh("cat keep /opt/mark").stdout == "home\nsystem\n"


def test_what_an_early_session_writes_into_tmp_is_not_swept_away_by_the_start(vm):
    vm.do("restart")
    vm.ssh("echo x > /tmp/early")
    assert vm.until(lambda: "starting" not in vm.ssh("sudo systemctl is-system-running", check=False).stdout, tries=40, step=1)
    assert vm.ssh("cat /tmp/early").stdout == "x\n"


def test_the_base_is_never_written(vm, plane):
    before = hashlib.sha256((plane.state / "images/debian/base.img").read_bytes()).hexdigest()
    vm.ssh("sudo rm -f /usr/bin/less; echo x | sudo tee /usr/bin/saw-was-here")
    assert vm.ssh("test -e /usr/bin/less", check=False).returncode != 0
    vm.do("restart")
    assert vm.ssh("test -e /usr/bin/less", check=False).returncode != 0
    assert hashlib.sha256((plane.state / "images/debian/base.img").read_bytes()).hexdigest() == before


def test_a_restart_from_inside_comes_back(vm):
    ident = "cat /proc/sys/kernel/random/boot_id"
    before = vm.ssh(ident).stdout
    vm.ssh("sudo systemctl reboot", check=False)

    def back():
        now = vm.ssh(ident, check=False).stdout
        return now and now != before
    assert vm.until(back, tries=60, step=1)


def test_a_home_disk_that_grew_is_used(vm):
    vm.do("stop")
    os.truncate(vm.dir / "home.img", 3 << 30)
    vm.do("start")
    assert int(vm.ssh("df --output=size -k /home | tail -1").stdout) > 2800000


def test_a_rebuild_drops_the_system_and_keeps_the_home(vm):
    vm.do("rebuild", "--force")
    assert vm.ssh("cat keep; ls /opt; command -v less").stdout == "home\n/usr/bin/less\n"


def test_a_damaged_system_disk_is_said_with_the_remedy_and_a_rebuild_mends_it(vm, plane):
    vm.do("stop")
    with open(vm.dir / "overlay.img", "r+b") as f:
        f.write(os.urandom(4 << 20))
    done = vm.do("start", check=False)
    assert done.returncode == 1 and "powered off before it answered" in done.stderr, done
    assert "`saw rebuild` gives the workspace a new system disk" in plane.cli("log", NAME).stdout
    vm.do("rebuild", "--force")
    assert vm.ssh("cat keep").stdout == "home\n"


def test_errors_that_the_superblock_tells_are_mended_at_the_start(vm):
    vm.do("stop")
    subprocess.run(["/usr/sbin/debugfs", "-w", "-R", "ssv state 2", str(vm.dir / "overlay.img")], capture_output=True, check=True)
    vm.do("start")
    assert 'disk "overlay" has errors: checking it' in (vm.dir / "console.log").read_text(errors="replace")
    assert vm.ssh("cat keep").stdout == "home\n"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: a small file system is mounted under one disk")
def test_a_full_disk_of_the_host_holds_the_machine_and_nothing_is_lost(vm, tmp_path):
    vm.do("stop")
    home = vm.dir / "home.img"
    # Room for what a guest writes by and by (ext4 initialises its tables behind everybody's back), not for what it is told to write.
    room = home.stat().st_blocks // 2048 + 60
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}m", "tmpfs", str(tmp_path)], check=True)
    subprocess.run(["cp", "--sparse=always", str(home), str(tmp_path)], check=True)
    subprocess.run(["mount", "--bind", str(tmp_path / "home.img"), str(home)], check=True)
    try:
        vm.do("start")
        with subprocess.Popen([*vm.plane.enter, str(vm.plane.saw), "ssh", NAME, "--", "sudo dd if=/dev/urandom bs=1M count=80 conv=fsync of=/home/big 2>&1"],
                              env=vm.plane.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as p:
            full = vm.until(lambda: "disk is full" in vm.show()["detail"])
            subprocess.run(["mount", "-o", f"remount,size={room + 400}m", str(tmp_path)], check=True)
            said = p.communicate(timeout=120)[0]
        assert full and p.returncode == 0 and "83886080 bytes" in said, said
        assert vm.until(lambda: "disk is full" not in vm.show()["detail"])
        vm.ssh("sudo rm /home/big")
        vm.do("stop")
    finally:
        vm.plane.cli("stop", NAME, "--grace", 0, check=False)
        subprocess.run(["umount", str(home)], check=False)
        subprocess.run(["umount", str(tmp_path)], check=False)


def test_a_workspace_that_is_removed_leaves_no_process_and_no_disk(vm):
    vm.remove()
    assert not vm.dir.exists()
    assert not [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if re.search(rb"(saw-[a-z]+|qemu-system-\w+): life\0", _read(p))]


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""
