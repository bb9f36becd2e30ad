"""Consumers beside, or instead of, the stack's own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.local.server import Server
from deploy.local.stack import Stack
from tests.fix_backend import Backend

SESSION_TIMEOUT_SECONDS = "6"  # the shortest that a broker grants: how long the dead are waited for
PATIENCE_SECONDS = 40.0


@dataclass
class Process:
    """One consumer process of a test."""

    popen: subprocess.Popen[bytes]
    url: str
    log: Path

    def wait_ready(self) -> None:
        """Waits until it holds its partitions."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert self.popen.poll() is None, self.log.read_text()[-3000:]
            if self.partitions():
                return
            time.sleep(0.1)
        pytest.fail(f"not ready: {self.log.read_text()[-3000:]}")

    def partitions(self) -> list[int]:
        """The partitions of the live lane that it holds now."""
        try:
            lanes = httpx.get(f"{self.url}/readyz", timeout=2, trust_env=False).json()["lanes"]
        except httpx.TransportError:
            return []
        return list(lanes["live"]["partitions"])

    def wait_dead(self) -> int:
        """Its exit code: -9 after SIGKILL."""
        return self.popen.wait(PATIENCE_SECONDS)


StartConsumer = Callable[..., Process]


@pytest.fixture
def consumer_server(stack: Stack, backend: Backend) -> Server:
    """The stack's own consumer, to stop and start."""
    del backend
    return stack.server("consumer")


@pytest.fixture
def no_consumer(consumer_server: Server) -> Iterator[None]:
    """The stack's own consumer is stopped for this test, and runs again afterwards."""
    consumer_server.stop()
    yield
    consumer_server.start()
    consumer_server.wait_ready()


@pytest.fixture
def start_consumer(
    consumer_server: Server, tmp_path: Path, unused_port: Callable[[], int]
) -> Iterator[StartConsumer]:
    """Starts further consumers of the same group, with the settings of the stack's own."""
    started: list[Process] = []

    def start(*, dies_after: str | None = None) -> Process:
        command = consumer_server.command()
        port = unused_port()
        environment = {
            **command.environment,
            "CONSUMER_PORT": str(port),
            "CONSUMER_SESSION_TIMEOUT_SECONDS": SESSION_TIMEOUT_SECONDS,
        }
        program = [sys.executable, "-m", "tests.faults.mortal_consumer", dies_after or ""]
        log = tmp_path / f"consumer-{len(started)}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                program if dies_after else command.arguments,
                env=environment,
                cwd=command.directory,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        process = Process(popen, f"http://127.0.0.1:{port}", log)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.popen.poll() is None:
            process.popen.terminate()
            process.popen.wait(PATIENCE_SECONDS)
