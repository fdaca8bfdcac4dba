"""L1: a container image is pushed and pulled by a stock client, with the registry's token service and with blobs that lie at another host."""
import hashlib
import json
import shutil
import types

import pytest

from client_world import ADDRESS, Clients, Origin
from gateway import Gateway
from image_registry import Registry, Signer, layout

PORT, AT, MIRROR_AT = 5000, "127.0.0.12", "127.0.0.13"
TOKENS, BLOBS, STRANGER = "auth.images.test", "blobs.images.test", "elsewhere.test"
REGISTRY, MIRROR = f"registry.images.test:{PORT}", f"mirror.images.test:{PORT}"
IMAGE = "team/thing"
ZONE = {TOKENS: ADDRESS, BLOBS: ADDRESS, STRANGER: ADDRESS, REGISTRY.split(":")[0]: AT, MIRROR.split(":")[0]: MIRROR_AT}
POLICY = """\
version: 1
name: images
lab: true
verdicts: {read: allow, write: allow}
network:
  - name: registry
    hosts: [registry.images.test]
    ports: [5000]
    WHERE
    rules:
      - {class: read, methods: [GET, HEAD], paths: ["/v2/**"]}
      - {class: write, methods: [POST, PATCH, PUT], paths: ["/v2/team/**"]}
  - name: mirror
    hosts: [mirror.images.test]
    ports: [5000]
    access: read-only
    WHERE
  - name: beside
    hosts: [auth.images.test, blobs.images.test]
    ports: [443]
    access: read-only
    WHERE
"""
WHERE = """mode: intercept
    protocol: rest
    addresses: [127.0.0.11/32, 127.0.0.12/32, 127.0.0.13/32]
    ca: |
"""


@pytest.fixture(autouse=True)
def own_zone(arena, usual_zone):  # pylint: disable=unused-argument
    arena.zone({name: [{"a": a}] for name, a in ZONE.items()})


@pytest.fixture(scope="module")
def images(arena, build, tmp_path_factory):
    """Two registries of one store: `registry` sends readers of blobs to a listed host, `mirror` to one that is not listed. The image is in."""
    for program in ("skopeo", "docker-registry"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: tools/setup clients")
    arena.zone({name: [{"a": a}] for name, a in ZONE.items()})
    top = tmp_path_factory.mktemp("images")
    (top / "store").mkdir()
    (top / "origin").mkdir()
    signer, origin = Signer(top), Origin(arena, top / "origin", (TOKENS, BLOBS, STRANGER))
    origin.put(TOKENS, "token", json.dumps({"token": signer.token(IMAGE, "pull", "push"), "expires_in": 3600}))
    for host in (BLOBS, STRANGER):
        (origin.folder / "www" / host).symlink_to(top / "store")
    made = [Registry(arena, top / name, host.split(":")[0], f"{at}:{PORT}", top / "store", f"https://{blobs}", f"https://{TOKENS}/token", signer)
            for name, host, at, blobs in (("registry", REGISTRY, AT, BLOBS), ("mirror", MIRROR, MIRROR_AT, STRANGER))]
    pem = "".join(f"      {line}\n" for line in open(arena.ca, encoding="ascii").read().splitlines())
    g = Gateway(arena, build, POLICY.replace("WHERE\n", WHERE + pem), top / "gateway", root=False)
    home = top / "home"
    home.mkdir()
    digest, blobs = layout(top / "image")
    clients = Clients(g, origin, home)
    pushed = clients.run("skopeo", "copy", f"oci:{top / 'image'}", f"docker://{REGISTRY}/{IMAGE}:1")
    yield types.SimpleNamespace(clients=clients, gw=g, origin=origin, home=home, digest=digest, blobs=blobs, pushed=pushed)
    g.stop()
    for r in made:
        r.stop()
    origin.stop()


def path_of(blob):
    """Where a registry keeps it."""
    value = blob.removeprefix("sha256:")
    return f"/docker/registry/v2/blobs/sha256/{value[:2]}/{value}/data"


def pull(images, host, name):
    """What skopeo did, and what token service and blob host were asked meanwhile."""
    before = len(images.origin.requests())
    done = images.clients.run("skopeo", "copy", f"docker://{host}/{IMAGE}:1", f"oci:{images.home / name}")
    return done, images.origin.requests()[before:]


def test_l1_an_image_is_pushed(images):
    assert images.pushed["code"] == 0, images.pushed


def test_l1_an_image_is_pulled_with_its_token_and_its_redirects(images):
    with images.gw.attack() as a:
        done, asked = pull(images, REGISTRY, "pulled")
        assert done["code"] == 0, done
        at = images.home / "pulled"
        manifest, = json.loads((at / "index.json").read_text())["manifests"]
        files = {"sha256:" + f.name: f.read_bytes() for f in (at / "blobs/sha256").iterdir()}
        assert manifest["digest"] == images.digest and set(files) == images.blobs | {images.digest}
        assert all("sha256:" + hashlib.sha256(data).hexdigest() == digest for digest, data in files.items())
        blobs = [r for r in asked if r["host"] == BLOBS]
        assert sorted(r["target"] for r in blobs) == sorted(map(path_of, images.blobs)), "each came once, from the other host"
        assert not [r for r in blobs if "authorization" in r["fields"]], "the registry's token is not the other host's"
        assert [r["target"].split("?")[0] for r in asked if r["host"] == TOKENS] == ["/token"]
        assert not [e for e in a.without_sightings(a.events()) if e["disposition"] == "Blocked"], a.events()


def test_l1_a_redirect_to_a_host_that_is_not_listed_ends_the_pull(images):
    with images.gw.attack() as a:
        done, asked = pull(images, MIRROR, "refused")
        assert done["code"] != 0 and STRANGER in done["err"], done
        event, = a.denied("name_not_listed", touched=True)
        assert STRANGER in json.dumps(event), event
        assert {r["host"] for r in asked} == {TOKENS}, asked
        seen = a.seen()
        assert STRANGER not in json.dumps(seen["queries"]) and STRANGER not in json.dumps([c["sni"] for c in seen["connections"]]), seen
