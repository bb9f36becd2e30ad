"""`python -m deploy.local` as a person and a script use it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.install import ROOT
from deploy.local.stack import Stack
from tests.integration.local_stack.conftest import processes_of

Run = Callable[..., subprocess.CompletedProcess[str]]


def command(stack: Stack, *arguments: str) -> list[str]:
    options = ["--directory", str(stack.instance.directory)]
    return [sys.executable, "-m", "deploy.local", *arguments, *options]


@pytest.fixture
def run_command(own_stack: Stack) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"LOCAL_PORT_BASE": str(own_stack.instance.ports.base)}
        return subprocess.run(
            command(own_stack, *arguments),
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


@pytest.fixture
def starting(own_stack: Stack) -> Iterator[subprocess.Popen[str]]:
    """An `up` of two servers that has started one, and waits for the other."""
    environment = os.environ | {"LOCAL_PORT_BASE": str(own_stack.instance.ports.base)}
    with subprocess.Popen(
        command(own_stack, "up", "postgres", "kafka"),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as popen:
        wait_until(lambda: own_stack.running() != [])
        yield popen


def wait_until(is_met: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_up_status_logs_and_down(run_command: Run, own_stack: Stack) -> None:
    up = run_command("up", "postgres")
    assert up.returncode == 0, up.stderr
    assert f"127.0.0.1:{own_stack.instance.ports.of('postgres')}" in up.stdout

    status = run_command("status")
    assert status.returncode == 1  # the rest of the stack is missing
    assert "postgres" in status.stdout
    assert "ready" in status.stdout

    logs = run_command("logs", "postgres")
    assert "ready to accept connections" in logs.stdout

    assert "stopped: postgres" in run_command("down").stdout
    assert "nothing was running" in run_command("down").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_start_leaves_nothing(
    starting: subprocess.Popen[str], own_stack: Stack, number: signal.Signals
) -> None:
    starting.send_signal(number)
    output, _ = starting.communicate(timeout=60)

    assert starting.returncode == 1, output
    assert "interrupted" in output
    assert own_stack.running() == []
    assert processes_of(own_stack.instance.directory) == []


def test_a_second_interrupt_does_not_cut_the_clean_up_short(
    starting: subprocess.Popen[str], own_stack: Stack
) -> None:
    starting.send_signal(signal.SIGINT)
    starting.send_signal(signal.SIGINT)
    starting.send_signal(signal.SIGTERM)
    starting.communicate(timeout=60)

    assert processes_of(own_stack.instance.directory) == []


def test_the_servers_outlive_the_terminal_that_started_them(
    run_command: Run, own_stack: Stack
) -> None:
    run_command("up", "postgres")

    server = own_stack.server("postgres")

    assert server.is_ready()
    assert server.pid is not None
    assert os.getsid(server.pid) == server.pid


def test_down_does_not_wipe_without_a_yes(run_command: Run, own_stack: Stack) -> None:
    run_command("up", "postgres")

    refused = run_command("down", "--wipe")

    assert refused.returncode == 1
    assert "removes from" in refused.stdout
    assert own_stack.server("postgres").is_ready()

    assert run_command("down", "--wipe", "--yes").returncode == 0
    assert not (own_stack.instance.directory / "postgres").exists()


@pytest.mark.parametrize("base", ["80", "31001", "many"])
def test_a_port_base_out_of_bounds_is_refused(base: str, tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "deploy.local", "status", "--directory", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"LOCAL_PORT_BASE": base},
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 2
    assert "LOCAL_PORT_BASE" in refused.stderr or "--port-base" in refused.stderr


@pytest.mark.parametrize("name", ["up", "down", "status", "logs", "check-emulator"])
def test_every_command_has_help(name: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "deploy.local", name, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert shown.returncode == 0
    assert "Usage" in shown.stdout
