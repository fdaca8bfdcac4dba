"""A control plane for a test, or for a whole file."""
import os
import subprocess

import pytest

from sawd import Sawd


@pytest.fixture(scope="session")
def userns():
    """Skips where the host does not let us make user namespaces: no workspace can start there.

    Driver `try` needs no tap, so /dev/net/tun may be closed to this user."""
    if subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host does not let this user make user namespaces")


@pytest.fixture(scope="session")
def netns():
    """Skips where this user can make no network namespace, by itself or below a user namespace of its own."""
    how = ["-n"] if os.geteuid() == 0 else ["-Urn"]
    if subprocess.run(["unshare", *how, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host does not let this user make network namespaces")


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
