"""What the parts of the benchmark share: namespaces, processes and their CPU and memory, saw's gateway."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
BUILD = pathlib.Path(os.environ.get("SAW_BUILD", ROOT / "build"))
PEER = BUILD / "bench" / "bench-peer"
ORIGIN, RESOLVER = "127.0.0.10", "127.0.0.53"
TICK = os.sysconf("SC_CLK_TCK")


def run(*args, **kw):
    return subprocess.run([str(a) for a in args], check=True, text=True, capture_output=True, **kw).stdout


def descendants(pid):
    todo, found = [pid], []
    while todo:
        p = todo.pop()
        found.append(p)
        try:
            todo += [int(k) for t in os.listdir(f"/proc/{p}/task")
                     for k in open(f"/proc/{p}/task/{t}/children").read().split()]
        except OSError:
            pass
    return found


def cpu(pids):
    total = 0
    for p in pids:
        try:
            f = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
            total += int(f[11]) + int(f[12])
        except OSError:
            pass
    return total / TICK


def cpu_ns(pids):
    """As the scheduler counts it, which is finer than ticks."""
    total = 0
    for p in pids:
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                total += int(open(f"/proc/{p}/task/{t}/schedstat").read().split()[0])
        except OSError:
            pass
    return total


def title(pid):
    try:
        return os.path.basename(open(f"/proc/{pid}/cmdline").read().split("\0")[0])
    except OSError:
        return ""


def pss(pids):
    total = 0
    for p in pids:
        for line in open(f"/proc/{p}/smaps_rollup"):
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return round(total / 1024, 2)


class Net:
    """A proxy namespace with the origin, and a client namespace behind a veth pair: the shape of a workspace."""

    def __init__(self, origin=(str(PEER), "origin", ORIGIN, "443")):
        self.keep = []
        self.proxy, self.client = self.namespace(), self.namespace()
        self.enter_proxy = ["nsenter", "-t", str(self.proxy), "-n"]
        self.enter_client = ["nsenter", "-t", str(self.client), "-n"]
        run(*self.enter_proxy, "ip", "link", "set", "lo", "up")
        run(*self.enter_client, "ip", "link", "set", "lo", "up")
        run(*self.enter_proxy, "ip", "link", "add", "b0", "mtu", "65520", "type", "veth", "peer", "name", "b1", "mtu", "65520",
            "netns", str(self.client))
        for enter, dev, ip in ((self.enter_proxy, "b0", "10.99.0.1/24"), (self.enter_client, "b1", "10.99.0.2/24")):
            run(*enter, "ip", "addr", "add", ip, "dev", dev)
            run(*enter, "ip", "link", "set", dev, "up")
        self.origin = subprocess.Popen([*self.enter_proxy, *origin], stdout=subprocess.PIPE, text=True)
        assert self.origin.stdout.readline() == "ready\n"

    def namespace(self):
        p = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo ready; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline() == "ready\n"
        self.keep.append(p)
        return p.pid

    def stop(self):
        self.origin.terminate()
        self.origin.wait()
        for p in self.keep:
            p.stdin.close()
            p.wait()


class Resolver:
    def __init__(self, net, names):
        zone = {name: [{"a": ORIGIN}] for name in names}
        code = (f"import sys;sys.path.insert(0,{str(ROOT / 'tests/lib')!r});import asyncio,arena;r=arena.Resolver();"
                f"r.zone={zone!r};l=asyncio.new_event_loop();l.run_until_complete(r.start());"
                "print('ready',flush=True);l.run_forever()")
        self.process = subprocess.Popen([*net.enter_proxy, sys.executable, "-B", "-c", code], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        self.process.kill()
        self.process.wait()


class Gateway:
    """`saw try` with a shell inside that runs clients."""

    def __init__(self, net, folder, policy, names, options=(), audit=None, resolver=None):
        (folder / "policy.yaml").write_text(policy)
        (folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        self.resolver = resolver or Resolver(net, names)
        self.process = subprocess.Popen(
            [*net.enter_proxy, str(BUILD / "src/cli/saw"), "try", "--quiet", "--policy", str(folder / "policy.yaml"), "--resolv-conf",
             str(folder / "resolv.conf"), "--audit", str(audit or folder / "audit.jsonl"), *options, "--", "/bin/sh"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = {name: self.shell(f"getent ahostsv4 {name} | head -1 | cut -d' ' -f1").strip() for name in names}
        assert all(self.address.values()), f"{names} do not resolve in the gateway"
        self.pids = [p for p in descendants(self.process.pid) if re.match(r"saw-(inlet|outlet|dialer|workspace|front)", title(p))]

    def shell(self, line):
        self.process.stdin.write(line + "; echo END\n")
        self.process.stdin.flush()
        out = ""
        while (got := self.process.stdout.readline()) not in ("END\n", ""):
            out += got
        return out

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.resolver.stop()
