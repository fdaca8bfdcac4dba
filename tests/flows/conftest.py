"""A control plane for a test, or for a whole file."""
import os
import subprocess

import pytest

from sawd import Sawd


@pytest.fixture(scope="session")
def userns():
    """Skips where the host does not let us make user namespaces: no workspace can start there."""
    if subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host does not let this user make user namespaces")
    if os.getuid() != 0 and not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun is not for this user")


@pytest.fixture
def sawd(build):
    s = Sawd(build)
    s.start()
    yield s
    s.close()


@pytest.fixture(scope="module")
def shared_sawd(build):
    s = Sawd(build)
    s.start()
    yield s
    s.close()
