"""Shared by all Python tests: where the binaries are, and which tree is under test."""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))


@pytest.fixture(scope="session")
def root():
    """The top of the tree."""
    return ROOT


@pytest.fixture(scope="session")
def build():
    """The build folder under test: $SAW_BUILD, else build/ of this tree."""
    return pathlib.Path(os.environ.get("SAW_BUILD", ROOT / "build")).resolve()


@pytest.fixture(scope="session")
def sanitized(build):
    """True when the binaries carry ASan: jails are then weaker by design, and memory figures mean nothing."""
    return "asan" in build.name
