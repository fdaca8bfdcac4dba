"""A gateway as sawd runs it, with the real keeper of secrets and authorities beside it; the test is its core."""
import pathlib

import bundle
from gateway import SignedGateway
from keeper import Keeper
from workspace import children


class KeptGateway(SignedGateway):
    """`text`: its first policy. `secrets`: {id: value}; `intercepted`: the names that certificates are made for, whatever the policy in
    force. The guest is live_guest.py; `root`: what it may trust."""

    def __init__(self, arena, build, folder, text, secrets, intercepted):
        self.folder, self.serial, self.ids, self.intercepted = pathlib.Path(folder), 1, sorted(secrets), intercepted
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key = bundle.Key(self.folder, "security", "openssl")
        trusted = self.folder / "trusted"
        trusted.mkdir(mode=0o700)
        (trusted / "security.pub").write_bytes(self.key.public.read_bytes())
        (trusted / "security.pub").chmod(0o600)
        self.keeper = Keeper(build)
        assert self.keeper.start() is None
        for name, value in secrets.items():
            self.keeper.set(name, value.encode())
        super().__init__(arena, build, self.folder, trusted, self.bundle(text), guest="live_guest.py")
        self.root = self.folder / "root.pem"
        self.root.write_text(self.keeper.root(self.workspace.id))
        self.control = self.ready()
        self.supply()

    def bundle(self, text):
        return bundle.container(*bundle.parts(bundle.make(self.folder / "next", self.key, self.serial, text=text)))

    def change(self, text):
        """In force in every role when this returns."""
        self.serial += 1
        ok, why = bundle.hand_over(self.control, self.bundle(text), self.serial)
        assert ok == 1, why

    def supply(self):
        """Fresh channels from keeper for outlet and inlet."""
        ws = self.workspace.id
        for kind, end in (("MSG_KEEPER_OUTLET", self.keeper.outlet(ws, self.ids)), ("MSG_KEEPER_INLET", self.keeper.inlet(ws, self.intercepted))):
            self.control.send(kind, fds=[end.sock.fileno()])
            end.close()

    def kill_keeper(self):
        """The next one supplies anew, as core has it do."""
        self.keeper.kill()
        assert self.keeper.start() is None
        self.supply()

    def roles(self):
        """{title: pid} of the gateway alone."""
        found = {t.split(":")[0]: p for p, t in children(self.process.pid) if t.startswith("saw-")} | {"saw-workspace": self.process.pid}
        found.pop("saw-try", None)
        return found

    def stop(self):
        super().stop()
        self.keeper.close()
