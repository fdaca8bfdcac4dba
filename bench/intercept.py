"""Interception beside nginx, HAProxy and Squid: TLS in, verified TLS out, one header set, kept connections; the same origin and the same client.

saw is measured with policy and audit on, every request on disk before it is forwarded, once on the short way (inlet) and once on the long way
(outlet, with a credential); and once on the short way with the log on a file system in memory, which shows what the disk costs. One worker or thread each; all keys are P-256. The CPU of a proxy is that of all its processes."""
import json
import os
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time

from lab import BUILD, ORIGIN, Gateway, Net, cpu_ns, descendants, pss, run

CLIENT = BUILD / "bench" / "bench-tls-client"
ROUNDS = int(os.environ.get("SAW_BENCH_ROUNDS", "5"))
# so many requests that the handshakes of the connections they are kept on do not count
REQUESTS, CONNECTIONS, ONE, NEW, IDLE, SYNCS = 16000, 64, 300, 60, 200, 100
LINE, PAUSE = 1000, 0.0005  # of the log: bytes of a request's line; seconds between two requests of one connection
BIG = 32 << 20
MEMORY = "/dev/shm"  # a file system whose sync costs nothing
NAMES = ("bench.example", "cred.example")
POLICY = """\
version: 1
name: bench
lab: true
verdicts: {read: allow, write: deny}
network:
"""
RULE = """\
  - name: %s
    hosts: [%s]
    ports: [443]
    mode: intercept
    protocol: rest
    addresses: [%s/32]
%s    ca: |
%s    rules:
      - {class: read, methods: [GET, HEAD], paths: ["/**"]}
      - {class: write, methods: [POST], paths: ["/data/**"]}
"""
CREDENTIALS = """\
credentials:
  token: {inject: {header: X-Bench, format: "{}"}, hosts: [cred.example], paths: ["/**"]}
"""
NGINX = """\
daemon off;
worker_processes 1;
error_log stderr crit;
pid %(folder)s/%(role)s.pid;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    types { }
    client_body_temp_path %(folder)s/%(role)s-body;
    proxy_temp_path %(folder)s/%(role)s-proxy;
    fastcgi_temp_path %(folder)s/%(role)s-fcgi;
    uwsgi_temp_path %(folder)s/%(role)s-uwsgi;
    scgi_temp_path %(folder)s/%(role)s-scgi;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache off;
%(body)s
}
"""
ORIGIN_BODY = """\
    server {
        listen %(origin)s:443 ssl backlog=1024;
        ssl_certificate %(folder)s/origin.pem;
        ssl_certificate_key %(folder)s/origin.key;
        root %(folder)s/www;
    }
"""
PROXY_BODY = """\
    upstream origin { server %(origin)s:443; keepalive 64; keepalive_requests 100000000; keepalive_timeout 600s; }
    server {
        listen 10.99.0.1:443 ssl http2 backlog=1024;
        ssl_certificate %(folder)s/peer.pem;
        ssl_certificate_key %(folder)s/peer.key;
        location / {
            proxy_pass https://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host bench.example;
            proxy_set_header X-Bench value;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate %(folder)s/ca.pem;
            proxy_ssl_name bench.example;
            proxy_ssl_server_name on;
            proxy_ssl_protocols TLSv1.2 TLSv1.3;
            proxy_max_temp_file_size 0;
        }
    }
"""
HAPROXY = """\
global
    nbthread 1
    maxconn 8192
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
frontend f
    bind 10.99.0.1:444 ssl crt %(folder)s/peer.both.pem
    http-request set-header X-Bench value
    default_backend b
backend b
    server o %(origin)s:443 ssl verify required ca-file %(folder)s/ca.pem sni str(bench.example) verifyhost bench.example
"""
SQUID = """\
http_port 10.99.0.1:3128 ssl-bump tls-cert=%(folder)s/squid-ca.both.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program /usr/lib/squid/security_file_certgen -s %(folder)s/squid-db -M 4MB
sslcrtd_children 1 startup=1 idle=1
acl step1 at_step SslBump1
ssl_bump peek step1
ssl_bump bump all
tls_outgoing_options cafile=%(folder)s/ca.pem default-ca=off
hosts_file %(folder)s/hosts
dns_nameservers 127.0.0.53
request_header_add X-Bench value all
http_access allow all
cache deny all
access_log none
cache_log %(folder)s/squid.log
cache_store_log none
pid_filename %(folder)s/squid.pid
coredump_dir %(folder)s
client_persistent_connections on
server_persistent_connections on
pconn_timeout 600 seconds
client_idle_pconn_timeout 600 seconds
max_filedescriptors 8192
workers 1
shutdown_lifetime 0 seconds
"""


def certificates(folder):
    def key(name):
        run("openssl", "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", folder / f"{name}.key")

    def root(name):
        key(name)
        run("openssl", "req", "-x509", "-new", "-key", folder / f"{name}.key", "-subj", f"/CN={name}", "-days", "2", "-out", folder / f"{name}.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def leaf(name, ca):
        key(name)
        run("openssl", "req", "-new", "-key", folder / f"{name}.key", "-subj", "/CN=leaf", "-out", folder / "csr")
        (folder / "ext").write_text("basicConstraints=CA:FALSE\nsubjectAltName=" + ",".join(f"DNS:{n}" for n in NAMES) + "\n")
        run("openssl", "x509", "-req", "-in", folder / "csr", "-CA", folder / f"{ca}.pem", "-CAkey", folder / f"{ca}.key", "-CAcreateserial",
            "-days", "2", "-extfile", folder / "ext", "-out", folder / f"{name}.pem")

    root("ca")
    root("squid-ca")
    leaf("origin", "ca")
    leaf("peer", "ca")
    for name in ("peer", "squid-ca"):
        (folder / f"{name}.both.pem").write_text((folder / f"{name}.pem").read_text() + (folder / f"{name}.key").read_text())
    os.chmod(folder, 0o755)  # Squid gives up root
    for f in folder.iterdir():
        os.chmod(f, 0o644)


class Proxy:
    """A peer: one process tree behind 10.99.0.1."""

    client_options = ""
    port = 443
    target = "bench.example"

    def __init__(self, net, command):
        self.net = net
        self.process = subprocess.Popen([*net.enter_proxy, *command], stdout=subprocess.DEVNULL)
        probe = [*net.enter_client, "bash", "-c", f"</dev/tcp/10.99.0.1/{self.port}"]
        for _ in range(200):
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                break
            assert self.process.poll() is None, f"{command[0]} does not start"
            select.select([], [], [], 0.05)

    @property
    def pids(self):
        return descendants(self.process.pid)

    def command(self, mode, path, n, connections):
        return [str(CLIENT), mode, "10.99.0.1", self.port, self.target, path, n, connections]

    def shell(self, *args):
        return run(*self.net.enter_client, *args)

    def client(self, *args):
        return json.loads(self.shell(*self.command(*args)))

    def hold(self, n):
        """The client that holds n idle connections: its stdin ends them."""
        p = subprocess.Popen([*self.net.enter_client, *map(str, self.command("idle", "/1k", n, 1))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline()
        return p

    def h2(self, n, connections, streams):
        return self.shell("h2load", "-t1", "-n", n, "-c", connections, "-m", streams, "--connect-to", f"10.99.0.1:{self.port}", "https://bench.example/1k")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Nginx(Proxy):
    name = "nginx"

    def __init__(self, net, folder):
        conf = folder / "nginx.conf"
        values = {"origin": ORIGIN, "folder": folder}
        conf.write_text(NGINX % {"folder": folder, "role": "proxy", "body": PROXY_BODY % values})
        super().__init__(net, ["nginx", "-c", str(conf)])


class Haproxy(Proxy):
    name, port = "haproxy", 444

    def __init__(self, net, folder):
        conf = folder / "haproxy.cfg"
        conf.write_text(HAPROXY % {"origin": ORIGIN, "folder": folder})
        super().__init__(net, ["haproxy", "-q", "-db", "-f", str(conf)])


class Squid(Proxy):
    name, port = "squid", 3128

    def __init__(self, net, folder):
        conf = folder / "squid.conf"
        conf.write_text(SQUID % {"folder": folder})
        (folder / "hosts").write_text(f"{ORIGIN} bench.example\n")
        run("/usr/lib/squid/security_file_certgen", "-c", "-s", folder / "squid-db", "-M", "4MB")
        run("chown", "-R", "proxy:proxy", folder / "squid-db")
        (folder / "squid.log").touch()
        run("chown", "proxy:proxy", folder / "squid.log", folder / "squid-ca.both.pem")
        super().__init__(net, ["squid", "-N", "-f", str(conf)])

    def command(self, mode, path, n, connections):
        return [*super().command(mode, path, n, connections), "connect"]


class Saw:
    """One way through a gateway that both share."""

    def __init__(self, gateway, name, target):
        self.gateway, self.name, self.target, self.pids = gateway, name, target, gateway.pids

    def line(self, *args):
        return " ".join(map(str, (CLIENT, args[0], self.gateway.address[self.target], 443, self.target, *args[1:])))

    def client(self, *args):
        return json.loads(self.gateway.shell(self.line(*args)))

    def hold(self, n):
        fifo = self.gateway.folder / "hold"
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
        out = self.gateway.folder / "held"
        out.unlink(missing_ok=True)
        self.gateway.process.stdin.write(f"{self.line('idle', '/1k', n, 1)} <{fifo} >{out} &\n")
        self.gateway.process.stdin.flush()
        held = Held(open(fifo, "w", encoding="ascii"))
        deadline = time.monotonic() + 60
        while not out.exists() or not out.read_text():
            assert time.monotonic() < deadline, "the idle connections are not made"
            select.select([], [], [], 0.05)
        return held

    def h2(self, n, connections, streams):
        return self.gateway.shell(f"h2load -t1 -n {n} -c {connections} -m {streams} --connect-to {self.gateway.address[self.target]}:443 https://{self.target}/1k")

    def stop(self):
        pass


class Held:
    def __init__(self, stdin):
        self.stdin = stdin

    def wait(self):
        pass


def gateway(net, folder, audit=None, resolver=None):
    ca = "".join(f"      {line}\n" for line in (folder / "ca.pem").read_text().splitlines())
    (folder / "token").write_text("value\n")
    policy = POLICY + RULE % ("short", NAMES[0], ORIGIN, "", ca) + RULE % ("long", NAMES[1], ORIGIN, "    credential: token\n", ca) + CREDENTIALS
    g = Gateway(net, folder, policy, NAMES, ["--root", "--secret", f"token={folder / 'token'}"], audit, resolver)
    g.folder = folder
    return g


def origin(folder):
    (folder / "www").mkdir()
    (folder / "www" / "1k").write_bytes(b"x" * 1024)
    with open(folder / "www" / "big", "wb") as f:
        f.write(os.urandom(1 << 20) * (BIG >> 20))
    conf = folder / "origin.conf"
    conf.write_text(NGINX % {"folder": folder, "role": "origin", "body": ORIGIN_BODY % {"origin": ORIGIN, "folder": folder}})
    return ["sh", "-c", f"(until [ -s {folder}/origin.pid ]; do sleep 0.05; done; echo ready) & exec nginx -c {conf}"]


def cost(p, n, *args):
    """CPU of the proxy for one of n, in microseconds, and what the client says."""
    before = cpu_ns(p.pids)
    got = p.client(*args)
    return (cpu_ns(p.pids) - before) / n / 1000, got


def h2_round(p, r):
    before = cpu_ns(p.pids)
    text = p.h2(REQUESTS, 1, 32)
    r["h2_cpu_us"].append((cpu_ns(p.pids) - before) / REQUESTS / 1000)
    assert re.search(rf"{REQUESTS} succeeded, 0 failed", text), text
    r["h2_per_second"].append(float(re.search(r"([\d.]+) req/s", text).group(1)))


def one_round(p, r):
    us, got = cost(p, REQUESTS, "load", "/1k", REQUESTS, CONNECTIONS)
    r["request_cpu_us"].append(us)
    r["per_second"].append(got["per_second"])
    us, got = cost(p, ONE, "load", "/1k", ONE, 1)
    r["one_cpu_us"].append(us)
    r["one_p50_us"].append(got["p50_us"])
    us, got = cost(p, NEW, "open", "/1k", NEW, 1)
    r["new_cpu_us"].append(us)
    r["new_p50_us"].append(got["p50_us"])
    us, got = cost(p, 1, "load", "/big", 4, 2)
    r["bulk_mb_per_cpu_s"].append(got["bytes"] / us)
    if p.name not in ("haproxy", "squid"):
        h2_round(p, r)


def idle_kib(p):
    before = pss(p.pids)
    held = p.hold(IDLE)
    after = pss(p.pids)
    held.stdin.close()
    held.wait()
    return round((after - before) * 1024 / IDLE, 1)


def disk(folder):
    """What the disk alone takes until one line of the audit log is on it, for a process that waited for the line as the supervisor does:
    appended, and written over what the file had already (what a file made beforehand could gain at best)."""
    out = {}
    for how in ("appended", "overwritten"):
        times, cpu = [], 0
        with open(folder / "sync", "wb", buffering=0) as f:
            if how == "overwritten":
                f.write(b"\n" * SYNCS * LINE)
                os.fsync(f.fileno())
                f.seek(0)
            for _ in range(SYNCS):
                select.select([], [], [], PAUSE)
                at, began = time.monotonic(), time.process_time()
                f.write(b"x" * LINE)
                os.fdatasync(f.fileno())
                times.append(time.monotonic() - at)
                cpu += time.process_time() - began
        out[how] = {"p50_us": round(statistics.median(times) * 1e6), "cpu_us": round(cpu / SYNCS * 1e6)}
    return out


def spread(values):
    m = statistics.median(values)
    return f"{m:.4g} ({min(values):.4g}-{max(values):.4g})"


def ratio(a, b):
    """Of rounds side by side: the median, and the spread."""
    return spread([x / y for x, y in zip(a, b)])


def table(rounds, direct):
    s, o, m, n, h, q = (rounds[k] for k in ("saw", "outlet", "memory", "nginx", "haproxy", "squid"))
    added = lambda r: [x - y for x, y in zip(r["one_p50_us"], direct)]  # noqa: E731
    return {
        f"CPU of a request of 1 KiB, {CONNECTIONS} kept connections: saw / nginx (bar <= 1.2)": ratio(s["request_cpu_us"], n["request_cpu_us"]),
        "the same: saw / Squid (bar <= 0.25)": ratio(s["request_cpu_us"], q["request_cpu_us"]),
        "the same: nginx / Squid": ratio(n["request_cpu_us"], q["request_cpu_us"]),
        "the same: saw / HAProxy": ratio(s["request_cpu_us"], h["request_cpu_us"]),
        "the same with the log in memory: saw / nginx, saw / Squid": f"{ratio(m['request_cpu_us'], n['request_cpu_us'])}, "
                                                                     f"{ratio(m['request_cpu_us'], q['request_cpu_us'])}",
        "the same on one connection: saw / nginx": ratio(s["one_cpu_us"], n["one_cpu_us"]),
        "the long way / the short way (bar <= 1.6)": ratio(o["request_cpu_us"], s["request_cpu_us"]),
        "CPU of a new flow with one request: saw / HAProxy (bar <= 1.0)": ratio(s["new_cpu_us"], h["new_cpu_us"]),
        "the same, new flow: saw / nginx": ratio(s["new_cpu_us"], n["new_cpu_us"]),
        "bulk, bytes per CPU second: saw / HAProxy (bar >= 1.0)": ratio(s["bulk_mb_per_cpu_s"], h["bulk_mb_per_cpu_s"]),
        "the same, bulk: saw / nginx": ratio(s["bulk_mb_per_cpu_s"], n["bulk_mb_per_cpu_s"]),
        "added p50 at one connection: saw / nginx (bar <= 1.0)": ratio(added(s), added(n)),
        "the same with the log in memory": ratio(added(m), added(n)),
        "HTTP/2, one connection, 32 streams, requests per second: saw / nginx (bar >= 0.8)": ratio(s["h2_per_second"], n["h2_per_second"]),
        "the same with the log in memory, HTTP/2": ratio(m["h2_per_second"], n["h2_per_second"]),
        "the same, CPU of a request: saw / nginx": ratio(s["h2_cpu_us"], n["h2_cpu_us"]),
    }


def versions():
    def first(*args):
        return subprocess.run(args, capture_output=True, text=True, check=False)
    out = {}
    for name, args in (("nginx", ["nginx", "-v"]), ("haproxy", ["haproxy", "-v"]), ("squid", ["squid", "-v"]), ("openssl", ["openssl", "version"])):
        got = first(*args)
        out[name] = (got.stdout + got.stderr).splitlines()[0].strip()
    return out


class Direct(Proxy):
    """No proxy: the client beside the origin."""

    name, pids = "direct", []

    def __init__(self, net, _):  # pylint: disable=super-init-not-called
        self.net = net

    def client(self, mode, path, n, connections):
        return json.loads(run(*self.net.enter_proxy, CLIENT, mode, ORIGIN, 443, "bench.example", path, n, connections))

    def stop(self):
        pass


FIGURES = ("request_cpu_us", "per_second", "one_cpu_us", "one_p50_us", "new_cpu_us", "new_p50_us", "bulk_mb_per_cpu_s", "h2_cpu_us", "h2_per_second")


def intercept(folder):
    certificates(folder)
    net, proxies, gateways = Net(origin(folder)), [], []
    memory = tempfile.TemporaryDirectory(dir=MEMORY)
    try:
        proxies = [kind(net, folder) for kind in (Nginx, Haproxy, Squid, Direct)]
        gateways.append(gateway(net, folder))
        gateways.append(gateway(net, folder, f"{memory.name}/audit.jsonl", gateways[0].resolver))
        direct = proxies.pop()
        proxies += [Saw(gateways[0], "saw", NAMES[0]), Saw(gateways[0], "outlet", NAMES[1]), Saw(gateways[1], "memory", NAMES[0])]
        idle = {p.name: idle_kib(p) for p in proxies}  # before anything else has left memory free that they could use
        for p in proxies:
            p.client("load", "/1k", 500, CONNECTIONS)  # warm
        rounds = {p.name: {n: [] for n in FIGURES} for p in proxies}
        alone = []
        for _ in range(ROUNDS):
            alone.append(direct.client("load", "/1k", ONE, 1)["p50_us"])
            for p in proxies:  # interleaved: a slow moment of the machine hits all of them
                one_round(p, rounds[p.name])
            print(f"round {len(alone)} of {ROUNDS}", file=sys.stderr)
        return {"versions": versions(),
                "one line synced to disk, without any proxy": disk(folder),
                "figures": {n: {k: spread(v) for k, v in r.items() if v} for n, r in rounds.items()} | {"direct": {"one_p50_us": spread(alone)}},
                **table(rounds, alone),
                "memory of an idle flow, PSS, KiB (bar <= 64)": idle}
    finally:
        for p in proxies:
            p.stop()
        for g in gateways:
            g.stop()
        net.stop()
        memory.cleanup()
