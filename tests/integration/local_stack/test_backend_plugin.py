"""`tests.fix_backend`: which servers a test run takes, and that it leaves none behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.install import ROOT
from tests.fix_backend import ASKED_FOR, clear_abandoned
from tests.integration.local_stack.conftest import processes_of

BASE = 16_000
PROBE = """
import os, time
from pathlib import Path

def test_probe(postgres_dsn):
    Path(os.environ["PROBE"]).write_text(postgres_dsn)
    time.sleep(float(os.environ["PROBE_SECONDS"]))
"""


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a test run of its own: one test that asks for Postgres and then waits."""
    (tmp_path / "test_probe.py").write_text(PROBE)
    started: list[subprocess.Popen[str]] = []

    def start(seconds: float, **environment: str) -> subprocess.Popen[str]:
        clean = {name: text for name, text in os.environ.items() if name not in ASKED_FOR}
        settings = {
            "LOCAL_TEST_PORT_BASE": str(BASE),
            "PROBE": str(tmp_path / "dsn"),
            "PROBE_SECONDS": str(seconds),
            "PYTHONPATH": str(ROOT),
        }
        run = subprocess.Popen(
            [
                # A job in the background of a shell ignores SIGINT, and so would its children.
                *("env", "--default-signal=INT"),
                *(sys.executable, "-m", "pytest", "-p", "tests.fix_backend"),
                *("-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(tmp_path)),
                str(tmp_path / "test_probe.py"),
            ],
            cwd=tmp_path,
            env=clean | settings | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(run)
        return run

    yield start
    for run in started:
        with run:
            run.kill()
    clear_abandoned()


def wait_for(file: Path) -> str:
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return file.read_text()


def servers_left() -> list[str]:
    return processes_of(ROOT / ".local" / f"test-{BASE // 1000}")


def test_a_run_starts_just_what_is_asked_for_and_leaves_nothing(
    probe: Callable[..., subprocess.Popen[str]],
) -> None:
    output, _ = probe(0, TEST_BACKEND="local").communicate(timeout=120)

    assert "1 passed" in output
    assert "servers: local stack (PostgreSQL 18" in output
    assert servers_left() == []
    assert not list((ROOT / ".local").glob(f"test-{BASE // 1000}*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(
    probe: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    run = probe(60, TEST_BACKEND="local")
    wait_for(tmp_path / "dsn")
    assert servers_left() != []

    run.send_signal(number)
    run.communicate(timeout=60)

    assert servers_left() == []


def test_the_servers_of_a_killed_run_are_removed_by_the_next(
    probe: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    run = probe(60, TEST_BACKEND="local")
    wait_for(tmp_path / "dsn")
    run.kill()
    run.wait()
    assert servers_left() != []

    clear_abandoned()

    assert servers_left() == []


def test_addresses_in_the_environment_come_first(
    probe: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    dsn = "postgresql://somebody@192.0.2.1/shop"

    output, _ = probe(0, POSTGRES_DSN=dsn).communicate(timeout=60)

    assert "servers: addresses in the environment" in output
    assert wait_for(tmp_path / "dsn") == dsn


def test_a_missing_address_is_told(probe: Callable[..., subprocess.Popen[str]]) -> None:
    output, _ = probe(0, CONNECT_URL="http://127.0.0.1:1").communicate(timeout=60)

    assert "POSTGRES_DSN is missing: name it in the environment" in output


def test_an_unknown_backend_is_refused_with_the_known_ones(
    probe: Callable[..., subprocess.Popen[str]],
) -> None:
    output, _ = probe(0, TEST_BACKEND="cloud").communicate(timeout=60)

    assert "environment, containers, local" in output
