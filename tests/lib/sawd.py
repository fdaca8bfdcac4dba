"""A control plane under test: sawd in folders of its own, and a client of its API. Workspaces are of driver `try` unless a test says otherwise."""
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

POLICY = """version: 1
name: test
network:
  - name: good
    hosts: [good.example]
    ports: [443]
    mode: passthrough
    reason: "a test"
"""
ROLES = ("front", "core", "keeper", "compiler")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("saw.local", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        kind = headers.get("Content-Type", "")
        self.json = json.loads(raw) if kind in ("application/json", "application/problem+json") else None

    def __repr__(self):
        return f"{self.status} {self.raw[:400]!r}"


class Stream:
    """An answer that goes on: lines as they come."""

    def __init__(self, path, target, timeout=60):
        self.conn = UnixConnection(path, timeout)
        self.conn.request("GET", target)
        self.answer = self.conn.getresponse()
        assert self.answer.status == 200, self.answer.read()

    def line(self):
        return self.answer.readline()

    def close(self):
        self.conn.close()


def parent(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def title(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""


def wait_gone(pid, timeout=20):
    """Until the process has ended; by pidfd, so also for one that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], timeout)[0], f"process {pid} ({title(pid)}) still runs"
    finally:
        os.close(fd)


class Sawd:
    def __init__(self, build, lab=True, options=(), enter=()):
        """`enter`: a command prefix that runs sawd elsewhere, such as an arena's."""
        self.build, self.lab, self.options, self.enter = build, lab, options, enter
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="sawd-", dir="/tmp"))
        self.state, self.run = self.home / "s", self.home / "r"
        self.env = {**os.environ, "SAW_STATE": str(self.state), "SAW_RUN": str(self.run)}
        self.binary = build / "src/sawd/launcher/sawd"
        self.process = None
        self.errors = open(self.home / "stderr.log", "ab")

    # the process

    def start(self, check=True):
        ours, theirs = os.pipe()
        self.process = subprocess.Popen([*self.enter, self.binary, "--foreground", "--ready-fd", str(theirs), *(["--lab"] if self.lab else []),
                                         *self.options], env=self.env, pass_fds=[theirs], stdin=subprocess.DEVNULL, stderr=self.errors)
        os.close(theirs)
        assert select.select([ours], [], [], 60)[0], "sawd says nothing"
        said = os.read(ours, 2000).decode()
        os.close(ours)
        if check:
            assert said == "ready\n", said + self.log()
        return said

    def log(self):
        return (self.home / "stderr.log").read_text(errors="replace")[-6000:]

    def stop(self):
        """sawd alone."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(30) == 0, self.log()
        self.process = None

    def kill(self):
        roles = self.roles()
        self.process.kill()
        self.process.wait(30)
        for pid in roles.values():
            wait_gone(pid)
        self.process = None

    def close(self):
        """Everything, workspaces too; what the test left behind is an error."""
        try:
            if not self.process or self.process.poll() is not None:
                self.start()
            supervisors = self.supervisors()
            answer = self.call("POST", "/v1/shutdown", {"workspaces": True})
            assert answer.status == 202, answer
            self.process.wait(120)
            for pid in supervisors:
                wait_gone(pid)
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
            for pid in self.supervisors():
                os.kill(pid, signal.SIGKILL)
            self.errors.close()
        self.check_logs()
        shutil.rmtree(self.home, ignore_errors=True)

    def check_logs(self):
        """No process of ours was ended by its jail, by a broken invariant, or by a sanitizer."""
        for log in (self.home / "stderr.log", self.state / "sawd.log", *self.state.glob("workspaces/*/supervisor.log")):
            text = log.read_text(errors="replace") if log.exists() else ""
            fault = re.search(r"ERROR: AddressSanitizer|LeakSanitizer: detected|runtime error:|Bad system call|invariant|not permitted or malformed", text)
            assert not fault, f"{log}:\n{text[max(0, fault.start() - 1000):fault.start() + 3000]}"

    def roles(self):
        """Role -> process id."""
        found = {title(p).removeprefix("sawd-"): p for p in children(self.process.pid)}
        return {r: found[r] for r in ROLES if r in found}

    def supervisors(self):
        """Process ids of the workspaces of this state folder."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and alive(int(entry)):
                try:
                    line = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
                except OSError:
                    continue
                if line.startswith(b"saw-workspace:") and str(self.state).encode() in line:
                    found.append(int(entry))
        # A sanitized one looks for leaks at its end, by a process of its own; it would wait for that one for ever if somebody killed it.
        return [pid for pid in found if parent(pid) not in found]

    # the API

    @property
    def socket(self):
        return self.run / "api.sock"

    def call(self, method, target, body=None, headers=None, raw=None, timeout=60):
        conn = UnixConnection(self.socket, timeout)
        try:
            data = raw if raw is not None else json.dumps(body) if body is not None else None
            conn.request(method, target, data, {**({"Content-Type": "application/json"} if data is not None else {}), **(headers or {})})
            answer = conn.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            conn.close()

    def later(self, method, target, body, timeout=60):
        """Asks now; what it gives waits for the answer."""
        conn = UnixConnection(self.socket, timeout)
        conn.request(method, target, json.dumps(body), {"Content-Type": "application/json"})

        def answer():
            got = conn.getresponse()
            try:
                return Answer(got.status, got.headers, got.read())
            finally:
                conn.close()
        return answer

    def trickle(self, method, target, raw):
        """The body comes byte by byte."""
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(str(self.socket))
            c.sendall(f"{method} {target} HTTP/1.1\r\nHost: saw.local\r\nContent-Type: application/octet-stream\r\n"
                      f"Content-Length: {len(raw)}\r\n\r\n".encode())
            for i in range(len(raw)):
                c.sendall(raw[i:i + 1])
                select.select([], [], [], 0.002)
            assert c.recv(65536).startswith(b"HTTP/1.1 20")

    def until_served(self, timeout=30):
        """Core may be restarting: asks until it answers."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                if self.call("GET", "/v1/version").status == 200:
                    return
            except OSError:
                pass
            select.select([], [], [], 0.05)
        raise AssertionError("sawd does not serve: " + self.log())

    def create(self, name, **more):
        body = {"name": name, "driver": "try", "policy": {"text": POLICY, "file": "p.yaml"}, **more}
        return self.call("POST", "/v1/workspaces", body)

    def show(self, name):
        return self.call("GET", f"/v1/workspaces/{name}").json

    def wait(self, name, *states, timeout=60, but_not=(), where=lambda event: True):
        """Until the workspace is in one of these states; the event that says so."""
        stream = Stream(self.socket, f"/v1/events?workspace={name}&follow=1", timeout)
        seen = []
        try:
            while True:
                line = stream.line()
                assert line, f"{name}: the stream ended; seen: {seen}\n{self.log()}"
                event = json.loads(line)
                seen.append(event["state"])
                assert event["state"] not in but_not, f"{name} is {event}\n{self.log()}"
                if event["state"] in states and where(event):
                    return event
        except TimeoutError:
            raise AssertionError(f"{name} did not become {states}; seen: {seen}; {self.show(name)}\n{self.log()}") from None
        finally:
            stream.close()

    def change(self, name, verb, *path, timeout=60):
        """Asks for it, and watches from before that until the states of `path` have come in this order."""
        stream = Stream(self.socket, f"/v1/events?workspace={name}&follow=1", timeout)
        left, seen = list(path), []
        try:
            stream.line()
            answer = self.call("POST", f"/v1/workspaces/{name}/{verb}")
            assert answer.status == 202, answer
            while left:
                line = stream.line()
                assert line, f"{name}: the stream ended; seen: {seen}\n{self.log()}"
                state = json.loads(line)["state"]
                seen.append(state)
                assert state != "failed", f"{name}: {line}\n{self.log()}"
                if state == left[0]:
                    left.pop(0)
        except TimeoutError:
            raise AssertionError(f"{name} did not go through {path}; seen: {seen}\n{self.log()}") from None
        finally:
            stream.close()

    def running(self, name, **more):
        """A new workspace that runs; its record."""
        answer = self.create(name, **more)
        assert answer.status == 201, answer
        self.wait(name, "running", but_not=("failed",))
        return self.show(name)

    def rm(self, name):
        assert self.call("DELETE", f"/v1/workspaces/{name}").status == 202
        if self.call("GET", f"/v1/workspaces/{name}").status == 200:
            try:
                self.wait(name, "deleted")
            except AssertionError as e:
                if "404" not in str(e):
                    raise

    def control_log(self):
        return [json.loads(l) for l in (self.state / "audit/control.jsonl").read_text().splitlines()]
