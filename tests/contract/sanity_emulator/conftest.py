"""One emulator for the session, one dataset for each test."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.install import Packages, packages_directory
from tests.contract.sanity_emulator.emulator_process import EmulatorProcess
from tests.contract.sanity_emulator.lake import Lake


@pytest.fixture(scope="session")
def node() -> Path:
    """The Node launcher; the emulator's npm packages are installed if they are not."""
    packages = Packages(packages_directory())
    packages.ensure_emulator(lambda _: None, threading.Event())
    return packages.node


@pytest.fixture(scope="session")
def emulator(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """A running emulator."""
    process = EmulatorProcess(node, tmp_path_factory.mktemp("emulator"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def lake(emulator: EmulatorProcess) -> Iterator[Lake]:
    """A dataset of the test's own, with an editor's token."""
    lake = Lake.fresh(emulator.address)
    yield lake
    lake.close()


@pytest.fixture
def own_emulator(node: Path, tmp_path: Path) -> Iterator[EmulatorProcess]:
    """An emulator of the test's own, not started yet: one that may be killed."""
    process = EmulatorProcess(node, tmp_path)
    yield process
    if process.is_running:
        process.kill()


@pytest.fixture
def calm(lake: Lake) -> Iterator[Lake]:
    """A dataset whose weather the test may change; it clears up afterwards."""
    yield lake
    lake.admin("DELETE", "weather")
