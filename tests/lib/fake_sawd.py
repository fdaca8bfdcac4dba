"""A control plane that obeys a test: the API of docs/openapi.yaml as far as the command line uses it, on a unix socket, with a real sshd
behind its tunnels."""
import json
import os
import pathlib
import pwd
import queue
import shutil
import socketserver
import subprocess
import threading
import time
import urllib.parse

WORKSPACE_ID = "ws-0123456789ab"


def workspace(name, **changes):
    w = {"id": WORKSPACE_ID, "name": name, "owner": "ann", "driver": "machine", "state": "running", "desired": "running", "detail": "",
         "since": "2026-11-24T17:00:00.000Z", "created_at": "2026-11-24T16:00:00.000Z", "image": "debian", "image_digest": "ab" * 32,
         "cpus": 2, "memory_bytes": 2 << 30, "disk_bytes": 10 << 30, "accel": "auto", "accel_in_use": "kvm",
         "policy": {"file": "p.yaml", "name": "corporate", "sha256": "cd" * 32, "generation": 1, "loaded_generation": 1, "lab": False, "observes": ""},
         "upstream_proxy": "", "kernel_args": "", "restarts": 0, "sessions": 0}
    w.update(changes)
    return w


def secret(name, *workspaces):
    return {"id": name, "version": 1, "created_at": "2026-11-24T17:00:00.000Z", "rotated_at": None, "fault": "",
            "n_workspaces": len(workspaces), "workspaces": list(workspaces)}


def problem(status, kind, detail, code, **more):
    return status, {"type": f"urn:saw:problem:{kind}", "title": kind, "status": status, "detail": detail, "exit": code, **more}


class FakeSawd:
    """`with FakeSawd(folder) as sawd`: listens at sawd.run/api.sock."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.run = self.folder / "run"
        self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.requests = []      # (method, target, body)
        self.answers = {}       # (method, path) -> (status, object): what a test wants instead
        self.workspaces = {}
        self.secrets = {}
        self.streams = {}       # path -> bytes of a body
        self.changes = {}       # (method, path) -> states that the workspace then goes through
        self.followers = []
        self.sessions = 0
        self.cut = set()        # session ids that are gone
        self.tunnel_sessions = []
        self.life = 300         # seconds of a certificate
        self.lock = threading.Lock()

    def __enter__(self):
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                Connection(fake, self.rfile, self.wfile, self.connection).serve()

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

        path = self.run / "api.sock"
        path.unlink(missing_ok=True)
        self.server = Server(str(path), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        for q in self.followers:
            q.put(None)
        self.server.shutdown()
        self.server.server_close()
        (self.run / "api.sock").unlink(missing_ok=True)

    def event(self, w):
        return {"at": "2026-11-24T17:00:01.000Z", "workspace": w["name"], "id": w["id"], "state": w["state"], "desired": w["desired"],
                "detail": w["detail"], "accel_in_use": w["accel_in_use"]}

    def change(self, name, **changes):
        with self.lock:
            w = self.workspaces[name]
            w.update(changes)
            if w["state"] == "deleted":
                del self.workspaces[name]
            for q in self.followers:
                q.put(self.event(w))

    def go_through(self, method, path, name):
        for state in self.changes.get((method, path), []):
            self.change(name, **(state if isinstance(state, dict) else {"state": state}))

    def find(self, name):
        return next((w for w in self.workspaces.values() if name in (w["name"], w["id"])), None)

    # ---- SSH -----------------------------------------------------------------------------------------------------

    def prepare_ssh(self):
        d = self.folder / "ssh"
        d.mkdir(mode=0o700, exist_ok=True)
        for key in ("ca", "host", "other_host"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", str(d / key)], check=True)
        (d / "principals").write_text(WORKSPACE_ID + "\n")
        self.user = pwd.getpwuid(os.getuid()).pw_name
        (d / "config").write_text(f"""\
HostKey {d}/host
TrustedUserCAKeys {d}/ca.pub
AuthorizedPrincipalsFile {d}/principals
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PidFile none
AllowAgentForwarding no
Subsystem sftp internal-sftp
""")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        self.host_key = "host"

    def issue(self, asked):
        d = self.folder / "ssh"
        with self.lock:
            self.sessions += 1
            number = self.sessions
        pub = d / f"user{number}.pub"
        pub.write_text(asked["public_key"] + "\n")
        options = ["-O", "clear", "-O", "permit-pty"] + (["-O", "permit-port-forwarding"] if asked.get("port_forwarding") else [])
        subprocess.run(["ssh-keygen", "-q", "-s", str(d / "ca"), "-I", f"session {number}", "-n", WORKSPACE_ID, "-z", str(number),
                        "-V", "-60:+300", *options, str(pub)], check=True)
        key = " ".join((d / f"{self.host_key}.pub").read_text().split()[:2])
        at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + self.life))
        return {"session_id": f"se-{number:012x}", "workspace_id": WORKSPACE_ID, "user": self.user, "principal": WORKSPACE_ID,
                "certificate": (d / f"user{number}-cert.pub").read_text().strip(), "host_key": f"{WORKSPACE_ID} {key}",
                "expires_at": at, "session_expires_at": at}


class Connection:
    def __init__(self, fake, rfile, wfile, sock):
        self.fake, self.rfile, self.wfile, self.sock = fake, rfile, wfile, sock

    def serve(self):
        try:
            while self.one():
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass

    def one(self):
        line = self.rfile.readline().decode("latin-1").split()
        if len(line) != 3:
            return False
        headers = {}
        while (h := self.rfile.readline().decode("latin-1").strip()):
            k, _, v = h.partition(":")
            headers[k.lower()] = v.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        method, target = line[0], line[1]
        path, _, query = target.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        if body and headers.get("content-type") == "application/json":
            body = json.loads(body)
        self.fake.requests.append((method, target, body or None))
        self.route(method, path, query, body or None, headers)
        return headers.get("upgrade") is None and path != "/v1/events"

    def send(self, status, obj=None, kind="application/json", raw=None):
        data = raw if raw is not None else json.dumps(obj).encode() if obj is not None else b""
        if status >= 400:
            kind = "application/problem+json"
        self.wfile.write(f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)

    def route(self, method, path, query, body, headers):
        fake = self.fake
        if (method, path) in fake.answers:
            return self.send(*fake.answers[method, path])
        if path in fake.streams:
            return self.send(200, kind="text/plain", raw=fake.streams[path])
        parts = path.strip("/").split("/")[1:]
        if parts == ["version"]:
            return self.send(200, {"version": "0.1.0", "api": 1, "pid": os.getpid(), "uid": os.getuid(), "state_dir": "/s",
                                   "run_dir": str(fake.run), "audit_writable": True, "lab": False})
        if parts == ["events"]:
            return self.events(query)
        if parts[0] == "secrets":
            return self.secrets(method, parts[1:], query)
        if parts == ["sessions"] and method == "GET":
            return self.send(200, {"sessions": []})
        if parts == ["workspaces"] and method == "GET":
            return self.page(query)
        if parts == ["workspaces"] and method == "POST":
            w = fake.workspaces[body["name"]] = workspace(body["name"], state="requested")
            self.send(201, w)
            return fake.go_through(method, path, w["name"])
        w = fake.find(parts[1]) if len(parts) > 1 and parts[0] == "workspaces" else None
        if not w:
            return self.send(*problem(404, "not_found", f"there is no workspace {parts[-1]}", 4, remedy="saw ls lists them"))
        what = parts[2] if len(parts) > 2 else ""
        if what == "sessions":
            return self.send(201, fake.issue(body))
        if what == "tunnel":
            return self.tunnel(query, headers)
        if what == "policy":
            w["policy"]["generation"] += 1
            return self.send(200, w)
        if method == "GET":
            return self.send(200, w)
        if what in ("stop", ""):
            w["desired"] = "stopped" if what else "deleted"
        elif what in ("start", "restart"):
            w["desired"] = "running"
        self.send(202, w)
        return fake.go_through(method, path, w["name"])

    def secrets(self, method, rest, query):
        have = self.fake.secrets
        if not rest:
            return self.send(200, {"secrets": list(have.values())})
        name = rest[0]
        if method == "DELETE":
            return self.send(204) if have.pop(name, None) else self.send(*problem(404, "not_found", f"there is no secret {name}", 4))
        if name in have and query.get("mode") == "new":
            return self.send(*problem(409, "exists", f"there is a secret {name} already", 1, remedy="`saw secret rotate`"))
        if name not in have and query.get("mode") == "rotate":
            return self.send(*problem(404, "not_found", f"there is no secret {name}", 4))
        was = have.get(name)
        have[name] = {**(was or secret(name)), "version": was["version"] + 1 if was else 1}
        return self.send(200 if was else 201, have[name])

    def page(self, query):
        names = sorted(self.fake.workspaces)
        start = int(query.get("page_token", 0))
        end = start + int(query["limit"])
        self.send(200, {"workspaces": [self.fake.workspaces[n] for n in names[start:end]],
                        "next_page_token": str(end) if end < len(names) else None})

    def events(self, query):
        fake, q = self.fake, queue.Queue()
        with fake.lock:
            w = fake.find(query["workspace"])
            if not w:
                return self.send(*problem(404, "not_found", f"there is no workspace {query['workspace']}", 4))
            fake.followers.append(q)
            q.put(fake.event(w))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/jsonl\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (event := q.get()) is not None:
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")
        return None

    def tunnel(self, query, headers):
        fake = self.fake
        if headers.get("upgrade") != "saw-tunnel":
            return self.send(*problem(426, "upgrade_required", "send Upgrade: saw-tunnel", 1))
        if query["session"] in fake.cut:
            return self.send(*problem(404, "no_such_session", "the session is over", 4))
        fake.tunnel_sessions.append(query["session"])
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: saw-tunnel\r\n\r\n")
        self.wfile.flush()
        with open(fake.folder / "sshd.log", "ab") as log:
            subprocess.run([fake.sshd, "-i", "-e", "-f", str(fake.folder / "ssh" / "config")], stdin=self.sock, stdout=self.sock,
                           stderr=log, check=False)
        return None
