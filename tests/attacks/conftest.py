"""One arena and one gateway for the whole folder; tests that need another policy start their own."""
import pytest

import intercept_policy
from arena import Arena
from gateway import Gateway

POLICY = """\
version: 1
name: attacks
lab: true
verdicts: {read: allow, write: allow}
network:
  - name: pinned
    hosts: [pass.example, two.example]
    ports: [443]
    mode: passthrough
    reason: "test host with a certificate of its own"
    addresses: [127.0.0.10/32]
  - name: plain
    hosts: [plain.example]
    ports: [80]
    mode: http
    protocol: rest
    addresses: [127.0.0.10/32]
    rules:
      - {class: read, methods: [GET, HEAD], paths: ["/**"]}
      - {class: write, methods: [POST, PUT, DELETE], paths: ["/data/**"]}
      - {class: write, methods: [POST], paths: ["/dry/**"], query: {dry_run: ["true"]}}
      - {deny: true, methods: ["*"], paths: ["/admin/**"]}
  - name: any
    hosts: [any.example]
    ports: [80]
    mode: http
    protocol: rest
    addresses: [127.0.0.10/32]
    rules:
      - {class: write, methods: ["*"], paths: ["/**"]}
      - {deny: true, methods: [DELETE], paths: ["/**"]}
  - name: wild
    hosts: ["*.wild.example"]
    ports: [80]
    mode: http
    protocol: rest
    access: read-only
    budget: 40
    addresses: [127.0.0.10/32]
  - name: deep
    hosts: ["**.deep.example"]
    ports: [80]
    mode: http
    protocol: rest
    access: read-only
    addresses: [127.0.0.10/32]
  - name: narrow
    hosts: [narrow.example]
    ports: [80]
    mode: http
    protocol: rest
    addresses: [127.0.0.10/32]
    rules:
      - {class: read, methods: [GET], paths: ["/public/**"]}
  - name: database
    hosts: [db.example]
    ports: [5432]
    mode: tcp
    reason: "a database"
    addresses: [127.0.0.10/32]
  - name: public-only
    hosts: [trap.example, xn--bcher-kva.example]
    ports: [443]
    mode: passthrough
    reason: "resolves to whatever a test wants; no private range is listed"
"""
GOOD = [{"a": "127.0.0.10"}]
ZONE = {name: GOOD for name in ("pass.example", "two.example", "plain.example", "narrow.example", "any.example", "db.example", "*.wild.example", "*.deep.example")}
ZONE.update(intercept_policy.ZONE)


@pytest.fixture(scope="session")
def arena(tmp_path_factory):
    a = Arena(tmp_path_factory.mktemp("arena"))
    a.zone(ZONE)
    yield a
    a.stop()


@pytest.fixture(scope="session")
def gw(arena, build, tmp_path_factory):
    """The shared gateway; its guest is root."""
    g = Gateway(arena, build, POLICY, tmp_path_factory.mktemp("gateway"))
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def usual_zone(request):
    """Whatever zone a test before had."""
    if "arena" in request.fixturenames:
        request.getfixturevalue("arena").zone(ZONE)


@pytest.fixture
def zone(arena):
    """Changes the resolver's answers for one test: zone({name: records})."""
    yield lambda more: arena.zone({**ZONE, **more})
    arena.zone(ZONE)


@pytest.fixture
def gateway(arena, build, tmp_path):
    """A gateway of the test's own: gateway(policy text)."""
    made = []

    def make(policy, **kw):
        made.append(Gateway(arena, build, policy, tmp_path / f"gw{len(made)}", **kw))
        return made[-1]
    yield make
    for g in made:
        g.stop()
