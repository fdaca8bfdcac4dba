"""A registry of container images, Debian's docker-registry: it asks for the token of a token service, and sends readers of blobs to another host."""
import base64
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile
import time

from client_world import certificate
from workspace import wait_for

SERVICE, ISSUER = "images.test", "tokens.test"
CONFIG = """\
version: 0.1
storage: {filesystem: {rootdirectory: STORE}}
middleware: {storage: [{name: redirect, options: {baseurl: "BLOBS"}}]}
auth: {token: {realm: "REALM", service: images.test, issuer: tokens.test, rootcertbundle: SIGNER}}
http: {addr: "WHERE", secret: of-this-test, tls: {certificate: LEAF, key: KEY}}
"""


class Signer:
    """Who signs tokens, and whom the registries believe."""

    def __init__(self, folder):
        self.key, self.certificate = pathlib.Path(folder) / "signer.key", pathlib.Path(folder) / "signer.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=tokens", "-keyout", self.key,
                        "-out", self.certificate], check=True, capture_output=True)

    def token(self, repository, *actions):
        """A JSON Web Token (RFC 7519) that lets its bearer do this, for an hour."""
        now, coded = int(time.time()), lambda b: base64.urlsafe_b64encode(b).rstrip(b"=")
        der = "".join(self.certificate.read_text().splitlines()[1:-1])
        claims = {"iss": ISSUER, "aud": SERVICE, "sub": "", "nbf": now - 60, "iat": now, "exp": now + 3600, "jti": "1",
                  "access": [{"type": "repository", "name": repository, "actions": actions}]}
        text = b".".join(coded(json.dumps(x).encode()) for x in ({"typ": "JWT", "alg": "RS256", "x5c": [der]}, claims))
        made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text, check=True, capture_output=True).stdout
        return (text + b"." + coded(made)).decode()


class Registry:
    """At https://HOST:PORT; `store`: where its blobs lie, `blobs`: the address that it sends their readers to."""

    def __init__(self, arena, folder, host, where, store, blobs, realm, signer):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        leaf, key = certificate(arena, self.folder, [host])
        text = CONFIG
        for word, value in {"STORE": store, "BLOBS": blobs, "REALM": realm, "SIGNER": signer.certificate, "WHERE": where, "LEAF": leaf, "KEY": key}.items():
            text = text.replace(word, str(value))
        (self.folder / "config.yml").write_text(text)
        self.log = self.folder / "log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([*arena.enter, "docker-registry", "serve", self.folder / "config.yml"], stdout=log, stderr=log)
        wait_for("the registry", self.listens)

    def listens(self):
        if self.process.poll() is not None:
            raise RuntimeError("the registry ended: " + self.log.read_text()[-3000:])
        return "listening on" in self.log.read_text()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def layout(folder):
    """Writes an image of one small layer as an OCI layout; gives its manifest's digest and the digests of its blobs."""
    folder = pathlib.Path(folder)
    (folder / "blobs/sha256").mkdir(parents=True)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("seven")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"7\n"))

    def put(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        (folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest, "size": len(data)}

    layer = put(gzip.compress(out.getvalue(), mtime=0), "layer.v1.tar+gzip")
    unpacked = "sha256:" + hashlib.sha256(out.getvalue()).hexdigest()
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [unpacked]}}
    config = put(json.dumps(config).encode(), "config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer]}
    manifest = put(json.dumps(manifest).encode(), "manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    return manifest["digest"], {config["digest"], layer["digest"]}
