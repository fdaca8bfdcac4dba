"""L1: package managers as they are installed, against indexes that lie in the arena."""
import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile

import pytest

from client_world import clients, own_zone  # noqa: F401  pylint: disable=unused-import

HOST = "packages.example"


def needs(*programs):
    for p in programs:
        if not shutil.which(p):
            pytest.skip(f"{p} is not installed: tools/setup check, tools/setup clients")


def tgz(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def packed(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, text in files.items():
            z.writestr(name, text)
    return out.getvalue()


def targets(clients, before):  # noqa: F811
    return [r["target"] for r in clients.origin.requests()[before:]]


@pytest.mark.parametrize("ask", ["npm install", "npm ci"])
def test_l1_npm_installs_a_scoped_package(clients, tmp_path, ask):  # noqa: F811
    needs("npm")
    name, file = "@team/thing", f"https://{HOST}/@team/thing/-/thing-1.0.0.tgz"
    data = tgz({"package/package.json": json.dumps({"name": name, "version": "1.0.0"}), "package/index.js": "module.exports = 7"})
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    version = {"name": name, "version": "1.0.0", "dist": {"tarball": file, "integrity": integrity, "shasum": hashlib.sha1(data).hexdigest()}}
    clients.origin.put(HOST, "@team%2fthing", json.dumps({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}))
    clients.origin.put(HOST, "@team/thing/-/thing-1.0.0.tgz", data)
    at = clients.home / tmp_path.name
    at.mkdir()
    (at / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "dependencies": {name: "1.0.0"}}))
    if ask == "npm ci":
        lock = {"": {"name": "app", "version": "1.0.0", "dependencies": {name: "1.0.0"}},
                "node_modules/" + name: {"version": "1.0.0", "resolved": file, "integrity": integrity}}
        (at / "package-lock.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": lock}))
    before = len(clients.origin.requests())
    done = clients.run(*ask.split(), "--prefix", at, "--cache", at / "cache", "--registry", f"https://{HOST}/", "--no-audit", "--no-fund", "--no-update-notifier",
                       wait=120)
    assert done["code"] == 0 and (at / "node_modules/@team/thing/index.js").read_text() == "module.exports = 7", done
    asked = targets(clients, before)
    assert "/@team/thing/-/thing-1.0.0.tgz" in asked and ("/@team%2fthing" in [t.replace("%2F", "%2f") for t in asked]) == (ask == "npm install"), asked


def test_l1_npm_publishes_nowhere(clients, tmp_path):  # noqa: F811
    """The entry is read-only; npm says so."""
    needs("npm")
    at = clients.home / tmp_path.name
    at.mkdir()
    (at / "package.json").write_text(json.dumps({"name": "@team/mine", "version": "1.0.0"}))
    with clients.gw.attack() as a:
        done = clients.run("npm", "publish", at, "--cache", at / "cache", "--registry", f"https://{HOST}/", "--no-update-notifier", "--ignore-scripts",
                           f"--//{HOST}/:_authToken=none", wait=120)
        assert done["code"] != 0 and "403" in done["err"], done
        a.denied("method_not_listed", touched=True)
    assert not [r for r in clients.origin.requests() if r["method"] == "PUT"]


def test_l1_pip_installs_a_wheel(clients):  # noqa: F811
    if subprocess.run(["/usr/bin/python3", "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("pip is not installed: tools/setup check")
    info, wheel = "saw_thing-1.0.dist-info", "saw_thing-1.0-py3-none-any.whl"
    data = packed({"saw_thing.py": "seven = 7\n", f"{info}/METADATA": "Metadata-Version: 2.1\nName: saw-thing\nVersion: 1.0\n",
                   f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                   f"{info}/RECORD": f"saw_thing.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"})
    clients.origin.put(HOST, f"files/{wheel}", data)
    clients.origin.put(HOST, "simple/saw-thing/index", f'<a href="/files/{wheel}#sha256={hashlib.sha256(data).hexdigest()}">{wheel}</a>')
    done = clients.run("/usr/bin/python3", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--index-url", f"https://{HOST}/simple/",
                       "--target", clients.home / "wheels", "saw-thing", wait=120)
    assert done["code"] == 0 and (clients.home / "wheels/saw_thing.py").read_text() == "seven = 7\n", done


def test_l1_apt_updates_and_downloads(clients, tmp_path):  # noqa: F811
    needs("apt-get", "dpkg-deb")
    top = tmp_path / "thing/DEBIAN"
    top.mkdir(parents=True, mode=0o755)
    control = "Package: saw-thing\nVersion: 1.0\nArchitecture: all\nMaintainer: tests <tests@client.example>\nDescription: a thing\n"
    (top / "control").write_text(control)
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", str(tmp_path / "thing"), str(tmp_path / "thing.deb")], check=True, capture_output=True)
    data = (tmp_path / "thing.deb").read_bytes()
    clients.origin.put(HOST, "debian/saw-thing_1.0_all.deb", data)
    listing = control + f"Filename: saw-thing_1.0_all.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    clients.origin.put(HOST, "debian/Packages", listing)
    clients.origin.put(HOST, "debian/Release", f"Origin: tests\nSuite: tests\nSHA256:\n {hashlib.sha256(listing.encode()).hexdigest()} {len(listing)} Packages\n")
    at = clients.home / "apt"
    for d in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d"):
        (at / d).mkdir(parents=True)
    (at / "status").write_text("")
    (at / "sources.list").write_text(f"deb [trusted=yes] https://{HOST}/debian /\n")
    (at / "conf").write_text(f'Dir::State "{at}/state";\nDir::State::status "{at}/status";\nDir::Cache "{at}/cache";\nDir::Etc "{at}/etc";\n'
                             f'Dir::Etc::sourcelist "{at}/sources.list";\nDir::Etc::sourceparts "-";\nAPT::Sandbox::User "";\nAcquire::Languages "none";\n')
    done = clients.run("sh", "-ec", f"cd {at}; apt-get -q update; apt-get -q download saw-thing; cat saw-thing_1.0_all.deb | sha256sum", APT_CONFIG=at / "conf", wait=120)
    assert done["code"] == 0 and done["out"].split()[-2] == hashlib.sha256(data).hexdigest(), done


def test_l1_go_downloads_a_module(clients):  # noqa: F811
    needs("go")
    module, files = "client.example/thing", {"go.mod": "module client.example/thing\n", "thing.go": "package thing\n\nconst Seven = 7\n"}
    clients.origin.put(HOST, f"go/{module}/@v/list", "v1.0.0\n")
    clients.origin.put(HOST, f"go/{module}/@v/v1.0.0.info", json.dumps({"Version": "v1.0.0", "Time": "2020-01-01T00:00:00Z"}))
    clients.origin.put(HOST, f"go/{module}/@v/v1.0.0.mod", files["go.mod"])
    clients.origin.put(HOST, f"go/{module}/@v/v1.0.0.zip", packed({f"{module}@v1.0.0/{k}": v for k, v in files.items()}))
    done = clients.run("go", "mod", "download", "-json", f"{module}@v1.0.0", GOPROXY=f"https://{HOST}/go", GOSUMDB="off", GOFLAGS="-modcacherw", wait=120)
    assert done["code"] == 0 and (clients.home / f"go/pkg/mod/{module}@v1.0.0/thing.go").read_text() == files["thing.go"], done


def cargo():
    """One that works in any home: a manager of toolchains that stands in its place does not."""
    for path in ("/usr/bin/cargo", shutil.which("cargo")):
        if path and os.path.exists(path) and subprocess.run([path, "--version"], env={"HOME": "/nonexistent"}, capture_output=True, check=False).returncode == 0:
            return path
    return None


def test_l1_cargo_fetches_from_an_index_in_git(clients, tmp_path):  # noqa: F811
    """Its own git: libgit2, with the variables that cargo reads."""
    if not cargo():
        pytest.skip("cargo is not installed: tools/setup clients")
    data = tgz({"thing-1.0.0/Cargo.toml": '[package]\nname = "thing"\nversion = "1.0.0"\n', "thing-1.0.0/src/lib.rs": "pub const SEVEN: u8 = 7;\n"})
    clients.origin.put(HOST, "crates/thing/1.0.0/download", data)
    index = tmp_path / "index"
    (index / "th/in").mkdir(parents=True)
    (index / "config.json").write_text(json.dumps({"dl": f"https://{HOST}/crates"}))
    row = {"name": "thing", "vers": "1.0.0", "deps": [], "cksum": hashlib.sha256(data).hexdigest(), "features": {}, "yanked": False}
    (index / "th/in/thing").write_text(json.dumps(row) + "\n")
    run = lambda *a: subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@client.example", *a], cwd=index, check=True, capture_output=True)
    run("init", "-q", "-b", "main")
    run("add", ".")
    run("commit", "-qm", "index")
    (clients.origin.folder / "git/team").mkdir(parents=True, exist_ok=True)
    run("clone", "-q", "--bare", ".", str(clients.origin.folder / "git/team/index.git"))
    at = clients.home / "crate"
    (at / "src").mkdir(parents=True)
    (at / "src/lib.rs").write_text("")
    (at / "Cargo.toml").write_text('[package]\nname = "app"\nversion = "1.0.0"\n\n[dependencies]\nthing = {version = "1.0.0", registry = "team"}\n')
    (at / ".cargo").mkdir()
    (at / ".cargo/config.toml").write_text('[registries.team]\nindex = "https://git.example/team/index.git"\n')
    done = clients.run("sh", "-ec", f'cd {at}; exec "$0" "$@"', cargo(), "fetch", CARGO_HOME=at / "home", wait=120)
    assert done["code"] == 0 and list(at.glob("home/registry/src/*/thing-1.0.0/src/lib.rs")), done
