"""Policy bundles made by other hands: openssl, ssh-keygen and Python, so that our own code is checked against theirs."""
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess

import ipc

POLICY = """version: 1
name: corporate
network:
  - {{name: host, hosts: [{host}], ports: [443], mode: passthrough, reason: "a test"}}
"""


def run(*args, text=None, stdin=None, code=0):
    done = subprocess.run([str(a) for a in args], input=text, stdin=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == code, (args, done)
    return done


class Key:
    """An Ed25519 key file of `openssl` or `ssh`."""

    def __init__(self, folder, name, kind="openssl"):
        self.kind, self.private = kind, pathlib.Path(folder) / name
        self.public = self.private.with_name(name + ".pub")
        if kind == "openssl":
            run("openssl", "genpkey", "-algorithm", "ed25519", "-out", self.private)
            run("openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public)
            self.private.chmod(0o600)
        else:
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.private)

    def sign(self, manifest):
        """The signature over this file."""
        if self.kind == "openssl":
            out = manifest.with_name("by-openssl")
            run("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in", manifest, "-out", out)
            data = out.read_bytes()
            out.unlink()
            return data
        with open(manifest, "rb") as f:
            return run("ssh-keygen", "-q", "-Y", "sign", "-n", "saw-policy", "-f", self.private, stdin=f).stdout

    def verify(self, manifest, signature):
        """Whether the other tool takes our signature."""
        if self.kind == "openssl":
            done = subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", self.public, "-in", manifest, "-sigfile", signature],
                                  capture_output=True, timeout=60, check=False)
            return done.returncode == 0
        allowed = self.private.with_name("allowed")
        allowed.write_text("security " + self.public.read_text())
        with open(manifest, "rb") as f:
            done = subprocess.run(["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "security", "-n", "saw-policy", "-s", signature],
                                  stdin=f, capture_output=True, timeout=60, check=False)
        return done.returncode == 0


def make(folder, key, serial, text=None, host="good.example", **more):
    """A bundle's folder, its manifest written here and signed by the key's own tool. `key` None: unsigned. `more`: members of the manifest."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    name = re.search(r"^name: (\w+)$", text or "", re.M)
    text = (text or POLICY.format(host=host)).encode()
    manifest = {"format": 1, "serial": serial, "policy": name[1] if name else "corporate", "sha256": hashlib.sha256(text).hexdigest(), "compiler": "test",
                "created": "2026-11-24T17:00:00Z", **more}
    (folder / "policy.yaml").write_bytes(text)
    (folder / "manifest.json").write_text(json.dumps(manifest) + "\n")
    if key:
        (folder / "signature.sig").write_bytes(key.sign(folder / "manifest.json"))
    return folder


def parts(folder):
    """Manifest, signature, policy."""
    signature = folder / "signature.sig"
    return (folder / "manifest.json").read_bytes(), signature.read_bytes() if signature.exists() else b"", (folder / "policy.yaml").read_bytes()


def container(manifest, signature, policy):
    """The three as one run of bytes (src/wire/bundle.h)."""
    return b"saw-bundle-1\n" + b"".join(struct.pack(">I", len(p)) + p for p in (manifest, signature, policy))


def kept(workspace_folder):
    """What a supervisor keeps of the bundle that it loaded last: (serial, the bundle's bytes)."""
    raw = (workspace_folder / "loaded").read_bytes()
    at = raw.index(b"saw-bundle-1\n")
    _, (version, serial, _, _, length) = ipc.unpack(raw[:at])
    assert version == 2 and length == len(raw) - at
    return serial, raw[at:]


def release(folder):
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def sealed(raw):
    """A bundle's folder, or any bytes, as a descriptor that nobody can change."""
    fd = os.memfd_create("bundle", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.write(fd, raw if isinstance(raw, bytes) else container(*parts(raw)))
    fcntl.fcntl(fd, 1033, 0x1 | 0x2 | 0x4 | 0x8)  # F_ADD_SEALS: seal, shrink, grow, write
    return fd


def hand_over(control, raw, generation, channel="", rollback=0):
    """To a supervisor, as core does it: gives (ok, why)."""
    return ask(control, raw, generation, channel, rollback)[:2]


def ask(control, raw, generation, channel="", rollback=0):
    """The same, and whether it is worth sending again: (ok, why, again)."""
    fd = sealed(raw)
    control.send("MSG_BUNDLE", generation, rollback, channel, fds=[fd])
    os.close(fd)
    fields, _ = control.expect("MSG_POLICY_DONE")
    assert fields[0] == generation
    return fields[1], fields[2].decode(), fields[3]
