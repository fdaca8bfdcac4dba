"""`saw image`: what is made, what is refused, and that nothing half-made is ever left. mmdebstrap, sqfstar and npm are played by scripts."""
import hashlib
import json
import os
import signal
import subprocess
import tarfile

import pytest

from ipc import N, pack

RECIPE = "saw-recipe 1\nsuite bookworm\nkernel amd64 linux-x\nkernel arm64 linux-x\npackage git\nmodule virtio_blk\nuser agent\n"

# Plays the tree's side: reads the tar that goes in, puts the archive that comes out where the real one's `download` hook would.
FAKE_MMDEBSTRAP = """#!/usr/bin/python3
import io, os, select, shutil, sys, tarfile
print("I: installing essential packages...", file=sys.stderr, flush=True)
open(os.environ["FAKE_SAID"], "w").write("\\n".join(sys.argv[1:]))
if os.environ.get("FAKE_MMDEBSTRAP") == "fail":
    print("E: the mirror is on fire", *[f"I: step {n}" for n in range(9)], "E: mmdebstrap failed to run", sep="\\n", file=sys.stderr)
    sys.exit(25)
if os.environ.get("FAKE_MMDEBSTRAP") == "fail late":
    print("E: the mirror is on fire", file=sys.stderr, flush=True)
    os.close(1)
    other = open(os.environ["FAKE_READY"]).read().strip()
    while os.path.exists("/proc/" + other):  # until it was seen to have ended
        select.select([], [], [], 0.01)
    os._exit(25)
if os.environ.get("FAKE_MMDEBSTRAP") == "wait":
    print("I: waiting", file=sys.stderr, flush=True)
    open(os.environ["FAKE_READY"], "w").close()
    sys.stdin = None
    import signal
    signal.pause()
shutil.copyfile("tree.tar", os.environ["FAKE_SAID"] + ".tree")
with tarfile.open("out.tar", "w") as t:
    def add(name, text):
        i = tarfile.TarInfo(name); i.size = len(text); t.addfile(i, io.BytesIO(text))
    for d in ("modules",):
        i = tarfile.TarInfo(d); i.type = tarfile.DIRTYPE; i.mode = 0o755; t.addfile(i)
    add("kernel", b"KERNEL"); add("modules/order", b"virtio_blk.ko\\n"); add("modules/virtio_blk.ko", b"MODULE")
    add("packages", b"git 1:2.39\\nbase 1\\n"); add("kernel-package", b"linux-x 6.1\\n"); add("roots", b"CN=Corp Test CA\\n")
sys.stdout.buffer.write(b"TREE")
"""
FAKE_SQFSTAR = """#!/bin/sh
[ "$FAKE_MMDEBSTRAP" != "fail late" ] || echo $$ >"$FAKE_READY"
for last; do :; done
cat >"$last"
[ -s "$last" ] || { printf 'torn\\n%.0s' 1 2 3 4 5 6 7 8 >&2; exit 1; }
"""


class Images:
    def __init__(self, build, folder):
        self.saw = next(p for p in (build / "src/cli/saw", build / "saw") if p.exists())
        self.state, self.bin, self.folder = folder / "state", folder / "bin", folder
        self.bin.mkdir()
        self.state.mkdir(mode=0o700)
        self.tool("mmdebstrap", FAKE_MMDEBSTRAP)
        self.tool("sqfstar", FAKE_SQFSTAR)
        self.said = folder / "said"
        recipes = folder / "recipes"
        recipes.mkdir()
        (recipes / "setup").write_text("#!/bin/sh\n")
        self.recipe = recipes / "small.recipe"
        self.recipe.write_text(RECIPE)
        self.env = {**os.environ, "SAW_STATE": str(self.state), "SAW_RUN": str(folder / "run"), "SAW_IMAGES": str(recipes), "FAKE_SAID": str(self.said),
                    "PATH": f"{self.bin}:/usr/bin:/bin:/usr/sbin:/sbin"}

    def tool(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *args, **env):
        return subprocess.run([str(self.saw), "image", *map(str, args)], env={**self.env, **env}, capture_output=True, text=True, check=False,
                              timeout=60, stdin=subprocess.DEVNULL)

    def build(self, *args, **env):
        return self.run("build", "small", "--mirror", "http://mirror.test/debian", *args, **env)

    def left(self):
        folder = self.state / "images"
        return sorted(p.name for p in folder.iterdir() if p.name != ".lock") if folder.exists() else []


@pytest.fixture
def images(build, tmp_path):
    return Images(build, tmp_path)


def only(images):
    listed = json.loads(images.run("ls", "--json").stdout)
    assert len(listed) == 1, listed
    return listed[0]


def test_names_alone_are_listed_for_completion(images):
    assert images.run("ls", "--names").stdout == ""
    assert images.build().returncode == 0
    assert images.run("ls", "--names").stdout == "small\n"


def test_an_image_is_named_by_the_digest_of_its_manifest_and_the_manifest_by_its_files(images):
    done = images.build()
    assert done.returncode == 0 and "root certificate: CN=Corp Test CA" in done.stdout, done
    assert done.stderr == "", "quiet where nobody looks"
    image = only(images)
    folder = images.state / "images" / image["digest"]
    assert sorted(p.name for p in folder.iterdir()) == ["base.img", "initrd", "kernel", "manifest.json", "seen"]
    assert hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest() == image["digest"]
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, f in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == f["sha256"] and len(data) == f["bytes"], name
    assert (folder / "base.img").read_bytes() == b"TREE"
    assert manifest["packages"] == ["git 1:2.39", "base 1"] and manifest["host_root_certificates"] == ["CN=Corp Test CA"]
    assert manifest["sources"] == ["deb http://mirror.test/debian bookworm main"]
    assert os.readlink(images.state / "images/small") == image["digest"]
    assert oct(folder.stat().st_mode & 0o777) == "0o700"


def test_the_initramfs_holds_the_first_program_and_the_modules_in_order(images):
    assert images.build().returncode == 0
    initrd = images.state / "images/small/initrd"
    listed = subprocess.run(["cpio", "-it", "--quiet"], stdin=initrd.open("rb"), capture_output=True, text=True, check=True).stdout.split()
    assert listed == ["init", "modules", "modules/order", "modules/virtio_blk.ko"]
    with initrd.open("rb") as f:
        taken = subprocess.run(["cpio", "-i", "--quiet", "--to-stdout", "init"], stdin=f, capture_output=True, check=True).stdout
    assert taken[:4] == b"\x7fELF"


def test_files_of_the_recipe_go_into_the_tree_as_root_with_their_modes(images):
    (images.recipe.parent / "motd").write_text("hello\n")
    images.recipe.write_text(RECIPE + "file /etc/motd 0640 motd\nlink /etc/x /dev/null\nmask getty.target\n")
    assert images.build().returncode == 0
    with tarfile.open(f"{images.said}.tree") as t:
        motd = t.getmember("./etc/motd")
        assert (motd.uid, motd.gid, motd.mode) == (0, 0, 0o640) and t.extractfile(motd).read() == b"hello\n"
        assert t.getmember("./etc/x").linkname == "/dev/null"
        assert t.getmember("./etc/systemd/system/getty.target").linkname == "/dev/null"
        assert t.getmember("./usr/lib/saw/saw-guest").mode == 0o755
        assert b"virtio_blk" in t.extractfile("./var/cache/saw/modules").read()


def test_a_recipe_of_ones_own_is_named_by_its_path_and_gives_its_name(images, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.recipe").write_text(RECIPE + "file /etc/motd 0644 motd\n")
    (own / "motd").write_text("mine\n")
    for word in ("mine.recipe", str(own / "mine.recipe")):
        done = subprocess.run([str(images.saw), "image", "build", word, "--mirror", "http://mirror.test/"], cwd=own, env=images.env, capture_output=True,
                              text=True, check=False, timeout=60)
        assert done.returncode == 0 and done.stdout.startswith("mine "), done
    assert images.run("build", "./nowhere.recipe").returncode == 4


def test_a_recipe_may_include_another_and_not_for_ever(images):
    (images.recipe.parent / "more.recipe").write_text("saw-recipe 1\ninclude small\npackage gcc\n")
    done = images.run("build", "more", "--mirror", "http://mirror.test/")
    assert done.returncode == 0, done
    assert "--include=git,gcc" in images.said.read_text().split("\n")
    (images.recipe.parent / "ring.recipe").write_text("saw-recipe 1\ninclude ring\n")
    done = images.run("build", "ring", "--mirror", "http://mirror.test/")
    assert done.returncode == 1 and "include each other" in done.stderr, done


@pytest.mark.parametrize("text, want", [
    (RECIPE + "package --allow\n", "line 8: a package's name"),
    (RECIPE + "file /etc/../x 0644 y\n", "line 8: a path is absolute"),
    (RECIPE.replace("suite bookworm\n", ""), "has no line `suite`"),
    ("", "begins with the line"),
    ("saw-recipe 2\n", "version 1 only"),
])
def test_a_faulty_recipe_is_named_with_its_line_and_leaves_nothing(images, text, want):
    images.recipe.write_text(text)
    done = images.build()
    assert done.returncode == 2 and want in done.stderr and "small.recipe" in done.stderr, done
    assert images.left() == [] and not images.said.exists()


def test_a_file_that_the_recipe_names_and_is_not_there_is_named(images):
    images.recipe.write_text(RECIPE + "file /etc/motd 0644 nowhere\n")
    done = images.build()
    assert done.returncode == 1 and "nowhere" in done.stderr and "line 8" in done.stderr, done
    assert images.left() == []


@pytest.mark.parametrize("mirror", ["ftp://x.test/", "http://user:pass@x.test/", "http://x.test/ [trusted=yes]", "file:///etc"])
def test_a_mirror_that_is_no_plain_address_is_refused(images, mirror):
    done = images.run("build", "small", "--mirror", mirror)
    assert done.returncode == 2 and "--mirror" in done.stderr, done
    assert images.left() == []


def test_a_build_that_fails_says_the_last_words_and_leaves_the_old_image(images):
    assert images.build().returncode == 0
    before = images.left()
    done = images.build(FAKE_MMDEBSTRAP="fail")
    assert done.returncode == 1 and "the mirror is on fire" in done.stderr and "exit status 25" in done.stderr, done
    assert "step" not in done.stderr and "torn" not in done.stderr, done
    assert images.left() == before
    assert images.run("verify", "small").returncode == 0


def test_a_build_that_fails_says_why_also_when_its_second_program_is_seen_to_fail_first(images):
    os.mkfifo(images.folder / "ended")
    done = images.build(FAKE_MMDEBSTRAP="fail late", FAKE_READY=str(images.folder / "ended"))
    assert done.returncode == 1 and "mmdebstrap failed with exit status 25" in done.stderr and "the mirror is on fire" in done.stderr and "torn" not in done.stderr, done


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing(images, sig):
    ready = images.folder / "ready"
    os.mkfifo(ready)
    with subprocess.Popen([str(images.saw), "image", "build", "small", "--mirror", "http://mirror.test/"], stderr=subprocess.PIPE, text=True,
                          env={**images.env, "FAKE_MMDEBSTRAP": "wait", "FAKE_READY": str(ready)}) as p:
        ready.open().close()
        p.send_signal(sig)
        said = p.communicate(timeout=30)[1]
    assert p.returncode == 1 and "interrupted" in said, said
    assert images.left() == []


def test_what_a_killed_build_left_goes_with_the_next(images):
    ready = images.folder / "ready"
    os.mkfifo(ready)
    with subprocess.Popen([str(images.saw), "image", "build", "small", "--mirror", "http://mirror.test/"], stderr=subprocess.DEVNULL,
                          env={**images.env, "FAKE_MMDEBSTRAP": "wait", "FAKE_READY": str(ready)}) as p:
        ready.open().close()
        p.kill()
        p.wait(timeout=30)
    assert images.left() == [".new"]
    assert images.build().returncode == 0
    assert ".new" not in images.left()


def test_two_builds_do_not_meet(images):
    ready = images.folder / "ready"
    os.mkfifo(ready)
    with subprocess.Popen([str(images.saw), "image", "build", "small", "--mirror", "http://mirror.test/"], stderr=subprocess.DEVNULL,
                          env={**images.env, "FAKE_MMDEBSTRAP": "wait", "FAKE_READY": str(ready)}) as p:
        ready.open().close()
        done = images.build()
        assert done.returncode == 1 and "another build is running" in done.stderr, done
        done = images.run("build", "small", "--mirror", "nonsense")
        assert done.returncode == 2 and "--mirror nonsense" in done.stderr, "what is wrong is said without waiting for the other"
        p.terminate()
        p.wait(timeout=30)


def test_a_packer_that_fails_is_named_and_not_the_one_before_it(images):
    images.tool("sqfstar", "#!/bin/sh\necho no space left >&2\nexit 1\n")
    done = images.build()
    assert done.returncode == 1 and "sqfstar failed" in done.stderr and "no space left" in done.stderr, done
    assert images.left() == []


def test_a_damaged_image_is_found_and_named(images):
    assert images.build().returncode == 0
    base = images.state / "images/small/base.img"
    base.chmod(0o644)
    base.write_bytes(b"TREF")
    shown = images.run("show", "small")
    assert "saw image verify" in shown.stdout, shown
    done = images.run("verify", "small")
    assert done.returncode == 1 and "base.img is damaged" in done.stderr and "saw image build" in done.stderr, done


def spec(image_dir, name):
    """Fields in the order of src/ipc/spec.c."""
    return pack(N.get("MSG_SPEC", 900), 1, 1, "ws-0123456789ab", name, "root", 1, 1 << 30, 0, 0, str(image_dir), "", "", "", 1)


def test_an_image_that_a_workspace_starts_from_is_not_removed(images):
    assert images.build().returncode == 0
    image = only(images)
    folder = images.state / "workspaces/ws-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "spec").write_bytes(spec(images.state / "images" / image["digest"], "dev"))
    done = images.run("rm", "small")
    assert done.returncode == 1 and "workspace dev starts from it" in done.stderr, done
    assert only(images) == image
    (folder / "spec").unlink()
    assert images.run("rm", "small").returncode == 0
    assert images.left() == []


@pytest.mark.parametrize("verb", ["show", "verify", "rm"])
def test_an_unknown_image_is_not_found_and_the_remedy_is_said(images, verb):
    done = images.run(verb, "nothing")
    assert done.returncode == 4 and "saw image build nothing" in done.stderr, done
    assert "saw image build" not in images.run(verb, "../x").stderr


def test_an_unknown_recipe_is_not_found_and_the_remedy_is_said(images):
    done = images.run("build", "nothing")
    assert done.returncode == 4 and "./nothing" in done.stderr, done
    assert images.left() == []


@pytest.mark.parametrize("args", [["frobnicate"], ["build"], ["build", "a", "b"], ["build", "small", "--name", "../x"], ["show"], ["ls", "--what"]])
def test_wrong_use_is_said_and_changes_nothing(images, args):
    done = images.run(*args)
    assert done.returncode == 2 and done.stderr, done
    assert images.left() == []
