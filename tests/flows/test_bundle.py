"""Signed policy bundles: both signing tools, every altered byte, channels, and what a supervisor loads."""
import hashlib
import json
import os
import subprocess

import pytest

import bundle


@pytest.fixture
def saw(build, tmp_path):
    env = {**os.environ, "SAW_STATE": str(tmp_path / "state"), "SAW_RUN": str(tmp_path / "run")}

    def run(*args, code=0):
        done = subprocess.run([str(build / "src/cli/saw"), "policy", *map(str, args)], capture_output=True, text=True, timeout=60, check=False,
                              cwd=tmp_path, env=env, stdin=subprocess.DEVNULL)
        assert done.returncode == code, (args, done)
        return done
    return run


@pytest.fixture(params=["openssl", "ssh"])
def key(request, tmp_path):
    return bundle.Key(tmp_path, "security", request.param)


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "corporate.yaml"
    path.write_text(bundle.POLICY.format(host="good.example"))
    return path


def test_what_saw_signs_the_keys_own_tool_verifies(saw, key, policy, tmp_path):
    told = json.loads(saw("sign", policy, "--key", key.private, "--serial", 7, "--json").stdout)
    folder = tmp_path / "corporate.bundle"
    assert told["bundle"] == str(folder) and told["serial"] == 7 and told["key"].startswith("SHA256:")
    assert sorted(os.listdir(folder)) == ["manifest.json", "policy.yaml", "signature.sig"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["serial"] == 7 and manifest["sha256"] == hashlib.sha256(policy.read_bytes()).hexdigest() and manifest["policy"] == "corporate"
    assert (folder / "policy.yaml").read_bytes() == policy.read_bytes()
    assert key.verify(folder / "manifest.json", folder / "signature.sig")
    assert json.loads(saw("verify", folder, "--key", key.public, "--json").stdout)["release"] == bundle.release(folder)


def test_what_the_keys_own_tool_signs_saw_verifies(saw, key, policy, tmp_path):
    folder = tmp_path / "b"
    assert "ssh-keygen -Y sign -n saw-policy" in saw("sign", policy, "--unsigned", "--out", folder).stdout
    assert "not signed" in saw("verify", folder, "--key", key.public, code=1).stderr
    (folder / "signature.sig").write_bytes(key.sign(folder / "manifest.json"))
    assert "good: policy corporate" in saw("verify", folder, "--key", key.public).stdout


def test_either_kind_of_key_signs_in_either_form(saw, policy, tmp_path):
    for kind in ("openssl", "ssh"):
        made = bundle.Key(tmp_path, "k-" + kind, kind)
        for form in ("raw", "ssh"):
            folder = tmp_path / f"{kind}-{form}"
            saw("sign", policy, "--key", made.private, "--form", form, "--out", folder)
            assert ((folder / "signature.sig").stat().st_size == 64) == (form == "raw")
            saw("verify", folder, "--key", made.public)


def test_no_changed_byte_of_the_three_files_verifies(saw, key, tmp_path):
    folder = bundle.make(tmp_path / "b", key, 7)
    saw("verify", folder, "--key", key.public)
    for name in ("manifest.json", "signature.sig", "policy.yaml"):
        path = folder / name
        whole = path.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 12)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            saw("verify", folder, "--key", key.public, code=1)
        path.write_bytes(whole + b"\n\n")
        saw("verify", folder, "--key", key.public, code=1)
        path.write_bytes(whole[:-1])
        # the last line end of an armoured signature says nothing
        if not (name == "signature.sig" and key.kind == "ssh"):
            saw("verify", folder, "--key", key.public, code=1)
        path.write_bytes(whole)
    saw("verify", folder, "--key", key.public)


@pytest.mark.parametrize("more,reason", [
    ({"expires": "2026-01-01T00:00:00Z"}, "bundle_expired"),
    ({"serial": 0}, "bundle_manifest"),
    ({"serial": "7"}, "bundle_manifest"),
    ({"extra": 1}, "bundle_manifest"),
    ({"format": 2}, "bundle_newer"),
    ({"sha256": "0" * 64}, "bundle_altered"),
])
def test_a_signature_makes_no_bad_manifest_good(saw, key, tmp_path, more, reason):
    folder = bundle.make(tmp_path / "b", key, **{"serial": 7, **more})
    assert json.loads(saw("verify", folder, "--key", key.public, "--json", code=1).stdout)["reason"] == reason


def test_another_key_another_namespace_and_no_trusted_key_are_refused(saw, key, tmp_path):
    other = bundle.Key(tmp_path, "other", key.kind)
    folder = bundle.make(tmp_path / "b", key, 7)
    reason = json.loads(saw("verify", folder, "--key", other.public, "--json", code=1).stdout)["reason"]
    assert reason == ("bundle_signature" if key.kind == "openssl" else "bundle_key_not_trusted")
    assert "not trusted here" in saw("verify", folder, code=1).stderr
    if key.kind == "ssh":
        with open(folder / "manifest.json", "rb") as f:
            (folder / "signature.sig").write_bytes(bundle.run("ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", key.private, stdin=f).stdout)
        assert "namespace" in saw("verify", folder, "--key", key.public, code=1).stderr


def test_keys_that_cannot_sign_are_refused_with_what_to_do(saw, policy, tmp_path):
    bundle.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "locked")
    bundle.run("openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x", "-out", tmp_path / "locked.pem")
    for name in ("locked", "locked.pem"):
        assert "ssh-keygen -Y sign" in saw("sign", policy, "--key", name, "--out", "b", code=1).stderr
    bundle.run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "ecdsa")
    bundle.run("openssl", "genpkey", "-algorithm", "X25519", "-out", tmp_path / "x.pem")
    for name in ("ecdsa", "x.pem"):
        assert "another type than Ed25519" in saw("sign", policy, "--key", name, "--out", "b", code=1).stderr
    assert "takes the private one" in saw("sign", policy, "--key", "locked.pub", "--out", "b", code=1).stderr
    (tmp_path / "junk").write_text("hello\n")
    assert "no private key" in saw("sign", policy, "--key", "junk", "--out", "b", code=1).stderr
    saw("sign", policy, "--key", "nowhere", "--out", "b", code=4)
    assert not (tmp_path / "b").exists()


def test_a_policy_that_is_refused_is_not_signed(saw, key, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nnam: x\n")
    assert "bad.yaml:2:1" in saw("sign", bad, "--key", key.private, code=1).stderr
    lab = tmp_path / "lab.yaml"
    lab.write_text("version: 1\nname: corporate\nlab: true\nnetwork: []\n")
    assert "lab" in saw("sign", lab, "--key", key.private, "--channel", "corporate/stable", code=1).stderr
    saw("sign", lab, "--key", key.private, "--channel", "lab/mine")
    assert sorted(p.name for p in tmp_path.glob("*.bundle")) == ["lab.bundle"]
    assert "lab" in saw("verify", "lab.bundle", "--key", key.public, "--channel", "corporate/stable", code=1).stderr


def test_a_bundle_is_never_changed_in_place(saw, key, policy, tmp_path):
    saw("sign", policy, "--key", key.private, "--serial", 1)
    before = bundle.parts(tmp_path / "corporate.bundle")
    assert "is there already" in saw("sign", policy, "--key", key.private, "--serial", 2, code=1).stderr
    assert bundle.parts(tmp_path / "corporate.bundle") == before


def test_a_bundle_in_one_piece_is_read_too(saw, key, tmp_path):
    folder = bundle.make(tmp_path / "b", key, 7)
    (tmp_path / "one").write_bytes(bundle.container(*bundle.parts(folder)))
    saw("verify", "one", "--key", key.public)
    (tmp_path / "one").write_bytes(bundle.container(*bundle.parts(folder)) + b"x")
    saw("verify", "one", "--key", key.public, code=1)


@pytest.mark.parametrize("args,word", [
    (["--serial", "0"], "--serial"), (["--serial", "-1"], "--serial"), (["--serial", "x"], "--serial"), (["--expires", "tomorrow"], "--expires"),
    (["--expires", "2001-01-01T00:00:00Z"], "--expires"), (["--expires", "0d"], "--expires"), (["--channel", "stable"], "--channel"),
    (["--channel", "a/../b"], "--channel"), (["--form", "pgp"], "--form"),
])
def test_wrong_options_of_sign_are_named(saw, key, policy, args, word):
    assert word in saw("sign", policy, "--key", key.private, *args, code=2).stderr
