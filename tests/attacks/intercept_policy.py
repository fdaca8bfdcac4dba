"""The policy of the tests about intercepted hosts: good.example with rules, cred.example the same with a credential."""
SECRET = "s3cr3t-Value.of_the-tests"
TEXT = """\
version: 1
name: intercepted
lab: true
verdicts: {read: allow, write: allow, draft: allow, secret: deny}
network:
  - name: good
    hosts: [good.example]
    ports: [443]
    mode: intercept
    protocol: rest
    addresses: [127.0.0.10/32]
    ca: |
      CA
    rules:
      - {class: read, methods: [GET, HEAD], paths: ["/**"]}
      - {class: write, methods: [POST, PUT, DELETE], paths: ["/data/**"]}
      - {class: write, methods: [POST], paths: ["/dry/**"], query: {dry_run: ["true"]}}
      - {deny: true, methods: ["*"], paths: ["/admin/**"]}
  - name: cred
    hosts: [cred.example]
    ports: [443]
    mode: intercept
    protocol: rest
    credential: token
    addresses: [127.0.0.10/32]
    ca: |
      CA
    rules:
      - {class: read, methods: [GET, HEAD], paths: ["/**"]}
      - {class: write, methods: [POST, PUT], paths: ["/data/**"]}
      - {class: write, methods: [POST], paths: ["/dry/**"], query: {dry_run: ["true"]}}
      - {deny: true, methods: ["*"], paths: ["/admin/**"]}
  - name: json
    hosts: [json.example]
    ports: [443]
    mode: intercept
    protocol: rest
    addresses: [127.0.0.10/32]
    ca: |
      CA
    rules:
      - {class: draft, methods: [POST], paths: ["/pulls"], json: {/draft: [true]}}
      - {class: secret, methods: [POST], paths: ["/**"]}
  - name: strangers
    hosts: [wrong.example, expired.example, self.example]
    ports: [443]
    mode: intercept
    protocol: rest
    access: read-only
    addresses: [127.0.0.10/32]
    ca: |
      CA
  - name: downgraded
    hosts: [down.example]
    ports: [25]
    mode: intercept
    protocol: rest
    access: read-only
    addresses: [127.0.0.10/32]
    ca: |
      CA
  - name: unknown-issuer
    hosts: [evil.example]
    ports: [443]
    mode: intercept
    protocol: rest
    access: read-only
    addresses: [127.0.0.10/32]
  - name: pinned
    hosts: [pass.example]
    ports: [443]
    mode: passthrough
    reason: "test host with a certificate of its own"
    addresses: [127.0.0.10/32]
credentials:
  token: {inject: {header: Authorization, format: "Bearer {}"}, hosts: [cred.example], paths: ["/**"]}
"""
GOOD = [{"a": "127.0.0.10"}]
ZONE = {name: GOOD for name in ("good.example", "json.example", "cred.example", "wrong.example", "expired.example", "self.example", "down.example",
                                "evil.example", "pass.example")}


def policy(ca):
    """`ca`: path of the PEM that the tests' origin is signed by."""
    return TEXT.replace("      CA\n", "".join(f"      {line}\n" for line in open(ca, encoding="ascii").read().splitlines()))
