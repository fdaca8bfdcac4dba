"""What the control plane lays down for a machine: disks, seed, image. No machine is started here."""
import hashlib
import json
import os
import select
import signal
import stat
import subprocess

import pytest

from sawd import Sawd, children, title
from workspace import wait_for


def make_image(sawd, build):
    files = {"kernel": b"k" * 1000, "initrd": b"i" * 2000, "base.img": b"b" * 4096}
    manifest = json.dumps({"version": 1, "name": "debian", "created": "2026-11-24T18:59:37.174Z", "files": {
        n: {"sha256": hashlib.sha256(d).hexdigest(), "bytes": len(d)} for n, d in files.items()}}).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    folder = sawd.state / "images" / digest
    folder.mkdir(mode=0o700)
    for name, data in {**files, "manifest.json": manifest}.items():
        (folder / name).write_bytes(data)
    (sawd.state / "images/debian").symlink_to(digest)
    subprocess.run([build / "src/cli/saw", "image", "verify", "debian"], env=sawd.env, check=True, capture_output=True)
    return digest


@pytest.fixture
def image(sawd, build):
    """A whole image by its digests, of files that no machine could boot; its digest."""
    return make_image(sawd, build)


def machine(sawd, name="dev", **more):
    return sawd.create(name, driver="machine", start=False, **more)


def test_a_machine_gets_sparse_disks_a_seed_and_the_image_by_digest(sawd, image):
    answer = machine(sawd, disk="3GiB")
    assert answer.status == 201 and answer.json["image_digest"] == image, answer
    sawd.wait("dev", "stopped", but_not=("failed",))
    folder = sawd.state / "workspaces" / answer.json["id"]
    for disk, label in (("overlay.img", b"saw-system"), ("home.img", b"saw-home")):
        st = (folder / disk).stat()
        assert st.st_size == 3 << 30 and st.st_blocks * 512 < 32 << 20 and stat.S_IMODE(st.st_mode) == 0o600
        with open(folder / disk, "rb") as f:
            f.seek(1024)
            block = f.read(1024)
        assert block[56:58] == b"\x53\xef" and block[120:136].rstrip(b"\0") == label
    seed = (folder / "seed.img").read_bytes()
    assert b"dev" in seed and b"OPENSSH PRIVATE KEY" in seed and answer.json["id"].encode() in seed
    assert stat.S_IMODE((folder / "seed.img").stat().st_mode) == 0o600
    assert seed.count(b"BEGIN CERTIFICATE") == 1 and (sawd.state / "keys/ca" / answer.json["id"]).exists()
    sawd.rm("dev")
    assert not folder.exists()
    until(lambda: not (sawd.state / "keys/ca" / answer.json["id"]).exists())


def test_the_image_of_a_workspace_that_never_started_is_in_use(sawd, image, build):
    assert machine(sawd).status == 201
    sawd.wait("dev", "stopped", but_not=("failed",))
    remove = [build / "src/cli/saw", "image", "rm", "debian"]
    done = subprocess.run(remove, env=sawd.env, check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "workspace dev starts from it" in done.stderr, done
    sawd.rm("dev")
    subprocess.run(remove, env=sawd.env, check=True, capture_output=True)


def until(done):
    for _ in range(100):
        if done():
            return
        select.select([], [], [], 0.05)
    raise AssertionError("it does not come")


@pytest.mark.parametrize("how", ["without a root", "damaged", "missing"])
def test_a_seed_of_a_time_before_workspaces_had_a_root_is_made_anew_at_the_next_start(sawd, image, how):
    record = machine(sawd).json
    sawd.wait("dev", "stopped", but_not=("failed",))
    path = sawd.state / "workspaces" / record["id"] / "seed.img"
    good = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "damaged":
        path.write_bytes(good[:-512])
    else:
        path.write_bytes(good.replace(b'"ca_certs"', b'"ca_cert_"'))
    # the image is no system: what is started then fails, with its seed whole
    sawd.call("POST", "/v1/workspaces/dev/start")
    until(lambda: path.exists() and path.read_bytes() == good)
    sawd.call("POST", "/v1/workspaces/dev/stop", {"grace_seconds": 0})


@pytest.mark.parametrize("how", ["start", "rebuild"])
def test_no_empty_home_takes_the_place_of_one_that_is_gone(sawd, image, how):
    """As where the file system that has the workspaces is not mounted."""
    record = machine(sawd).json
    sawd.wait("dev", "stopped", but_not=("failed",))
    folder = sawd.state / "workspaces" / record["id"]
    away = folder.with_name("away")
    folder.rename(away)
    sawd.call("POST", f"/v1/workspaces/dev/{how}")
    if how == "start":
        assert "home disk is gone" in sawd.wait("dev", "failed", but_not=("running",))["detail"]
        sawd.call("POST", "/v1/workspaces/dev/stop", {"grace_seconds": 0})
    wait_for("the refusal", lambda: "home disk is gone" in sawd.log())
    sawd.wait("dev", "stopped")
    assert not (folder / "home.img").exists()


@pytest.mark.parametrize("asked", ["debian", "digest", "beginning"])
def test_an_image_is_named_or_meant_by_its_digest(sawd, image, asked):
    answer = machine(sawd, image={"debian": "debian", "digest": image, "beginning": image[:8]}[asked])
    assert answer.status == 201 and answer.json["image_digest"] == image
    listed = sawd.call("GET", "/v1/images").json["images"]
    assert [(i["digest"], i["name"], i["created_at"]) for i in listed] == [(image, "debian", "2026-11-24T18:59:37.174Z")]


@pytest.mark.parametrize("asked", ["", "debia", "../images/debian", "0123456789abcdef", "DEBIAN"])
def test_other_words_are_no_image(sawd, image, asked):
    answer = machine(sawd, image=asked)
    assert answer.status == 404 and answer.json["field"] == "image", answer


def test_a_changed_image_starts_nothing(sawd, image):
    machine(sawd)
    sawd.wait("dev", "stopped", but_not=("failed",))
    (sawd.state / "images" / image / "base.img").write_bytes(b"c" * 4096)
    sawd.call("POST", "/v1/workspaces/dev/start")
    event = sawd.wait("dev", "failed", but_not=("running",))
    assert "image" in event["detail"] and "saw image verify" in event["detail"] and not sawd.supervisors()


def test_rebuild_makes_the_system_anew_and_keeps_home_and_keys(sawd, image):
    record = machine(sawd).json
    sawd.wait("dev", "stopped", but_not=("failed",))
    folder = sawd.state / "workspaces" / record["id"]
    before = {n: (folder / n).stat().st_ino for n in ("overlay.img", "home.img")}
    seed = (folder / "seed.img").read_bytes()
    with open(folder / "overlay.img", "r+b") as f:
        f.write(b"of the guest")
    sawd.change("dev", "rebuild", "rebuilding", "stopped")
    assert (folder / "home.img").stat().st_ino == before["home.img"]
    with open(folder / "overlay.img", "rb") as f:
        assert f.read(12) == b"\0" * 12
    assert (folder / "seed.img").read_bytes() == seed


def test_a_crash_in_the_middle_of_setting_up_is_gone_over_again(sawd, image):
    record = machine(sawd).json
    os.kill(sawd.roles()["core"], 9)
    sawd.until_served()
    sawd.wait("dev", "stopped", but_not=("failed",))
    folder = sawd.state / "workspaces" / record["id"]
    assert {"overlay.img", "home.img", "seed.img"} <= set(os.listdir(folder)) and not list(folder.glob("*.new"))


def test_disks_are_made_by_one_at_a_time(sawd, image):
    """Core dies while they are being made, and the next one asks for them again."""
    makers = lambda: [p for p in children(sawd.process.pid) if title(p) == "sawd: making disks"]
    record = machine(sawd, disk="1TiB").json
    first, = wait_for("who makes them", makers)
    os.kill(first, signal.SIGSTOP)
    core = sawd.roles()["core"]
    os.kill(core, signal.SIGKILL)
    wait_for("another", lambda: [p for p in makers() if p != first])
    assert first not in makers()
    sawd.until_served()
    sawd.wait("dev", "stopped", but_not=("failed",))
    assert not list((sawd.state / "workspaces" / record["id"]).glob("*.new"))


def test_a_full_disk_is_said_and_the_workspace_comes_once_there_is_room(build):
    if os.getuid() != 0:
        pytest.skip("needs root to mount a small file system")
    s = Sawd(build)
    s.start()
    small = s.state / "workspaces"
    s.stop()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", small], check=True)
    try:
        s.start()
        make_image(s, build)
        assert machine(s).status == 201
        event = s.wait("dev", "failed", but_not=("running",))
        assert "mke2fs" in event["detail"] or "No space" in event["detail"], event
        subprocess.run(["mount", "-o", "remount,size=200m", small], check=True)
        s.wait("dev", "stopped", timeout=30)
        s.rm("dev")
        assert not os.listdir(small)
        s.call("POST", "/v1/shutdown", {"workspaces": True})
        s.process.wait(30)
    finally:
        if s.process and s.process.poll() is None:
            s.process.kill()
            s.process.wait(20)
        subprocess.run(["umount", "-l", small], check=True)
        s.close()


def test_a_home_without_a_record_is_kept_and_said(sawd):
    stray = sawd.state / "workspaces/ws-0123456789ab"
    other = sawd.state / "workspaces/ws-0123456789ac"
    sawd.stop()
    for folder in (stray, other):
        folder.mkdir(mode=0o700)
        (folder / "spec").write_bytes(b"x")
    (stray / "home.img").write_bytes(b"somebody's")
    sawd.start()
    assert (stray / "home.img").read_bytes() == b"somebody's" and not other.exists()
    assert "ws-0123456789ab belongs to no workspace but holds somebody's home" in sawd.log()


def test_a_keeper_that_dies_in_the_middle_of_setting_up_is_waited_for(sawd, image):
    machine(sawd)
    sawd.wait("dev", "stopped", but_not=("failed",))
    keeper = sawd.roles()["keeper"]
    os.kill(keeper, signal.SIGSTOP)
    sawd.call("POST", "/v1/workspaces/dev/rebuild")
    sawd.wait("dev", "rebuilding", but_not=("failed",))
    os.kill(keeper, signal.SIGKILL)
    sawd.wait("dev", "stopped", but_not=("failed",))
