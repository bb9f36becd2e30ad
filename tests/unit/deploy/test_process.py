"""Detached processes: started, found again, ended; never a foreign one, never one left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.errors import JobError, StartCancelledError, StartError
from deploy.local.process import Birth, Command, Daemon, run

SLEEPER = "import time; print('awake', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
PARENT = (
    "import subprocess, sys; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "print(child.pid, flush=True); child.wait()"
)


def python(code: str, folder: Path) -> Command:
    return Command((sys.executable, "-c", code), {"PATH": os.environ["PATH"]}, folder)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon("sleeper", tmp_path / "run" / "sleeper.pid", tmp_path / "logs" / "sleeper.log")
    yield daemon
    daemon.stop(signal.SIGKILL, grace_seconds=5)


def is_alive(process: psutil.Process) -> bool:
    return Birth.of(process.pid) is not None


def wait_awake(daemon: Daemon) -> None:
    daemon.wait_ready(lambda: bool(daemon.tail().strip()), 10, threading.Event())


def test_a_started_process_is_found_again_by_its_pid_file(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(python(SLEEPER, tmp_path))

    again = Daemon(daemon.name, daemon.pid_file, daemon.log)

    assert again.pid == daemon.pid is not None
    assert not again.started_here
    assert daemon.started_here


def test_a_process_leads_a_session_of_its_own(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(python(SLEEPER, tmp_path))

    assert daemon.pid is not None
    assert os.getsid(daemon.pid) == daemon.pid


def test_a_process_sees_no_more_than_its_own_environment(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(python("import os; print(sorted(os.environ)); " + SLEEPER, tmp_path))

    wait_awake(daemon)

    assert "HOME" not in daemon.tail()


def test_stop_ends_the_process_and_removes_the_pid_file(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(python(SLEEPER, tmp_path))
    pid = daemon.pid

    daemon.stop(signal.SIGTERM, grace_seconds=5)

    assert pid is not None
    assert Birth.of(pid) is None
    assert not daemon.pid_file.exists()


def test_stop_kills_a_process_that_ignores_the_request(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(python(STUBBORN, tmp_path))
    wait_awake(daemon)
    birth = daemon.birth

    daemon.stop(signal.SIGTERM, grace_seconds=0.2)

    assert birth is not None
    assert not birth.is_alive


def test_stop_ends_a_suspended_process(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(python(SLEEPER, tmp_path))
    birth = daemon.birth
    daemon.send(signal.SIGSTOP)

    daemon.stop(signal.SIGTERM, grace_seconds=5)

    assert birth is not None
    assert not birth.is_alive


def test_kill_ends_the_children_too(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(python(PARENT, tmp_path))
    wait_awake(daemon)
    child = Birth.of(int(daemon.tail().strip()))
    assert child is not None

    daemon.kill()

    assert not child.is_alive
    assert daemon.birth is None
    assert daemon.pid_file.exists()


def test_a_reused_pid_is_not_taken_for_the_daemon_and_never_signalled(daemon: Daemon) -> None:
    foreign = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL)
    try:
        daemon.pid_file.parent.mkdir()
        daemon.pid_file.write_text(json.dumps({"pid": foreign.pid, "born": "another boot:1"}))

        assert daemon.birth is None
        daemon.kill()
        daemon.stop(signal.SIGKILL, grace_seconds=1)

        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


@pytest.mark.parametrize("content", ["", "17", "{}", '{"pid": 1}', "[]"])
def test_a_damaged_pid_file_counts_as_none(daemon: Daemon, content: str) -> None:
    daemon.pid_file.parent.mkdir(parents=True)
    daemon.pid_file.write_text(content)

    assert daemon.birth is None


def test_a_process_that_ends_before_it_is_ready_is_told_with_its_log(
    daemon: Daemon, tmp_path: Path
) -> None:
    daemon.start(python("import time; time.sleep(0.2); raise SystemExit('no such disk')", tmp_path))

    with pytest.raises(StartError, match="no such disk"):
        daemon.wait_ready(lambda: False, 10, threading.Event())


def test_a_process_that_is_never_ready_is_told_with_the_time(
    daemon: Daemon, tmp_path: Path
) -> None:
    daemon.start(python(SLEEPER, tmp_path))

    with pytest.raises(StartError, match=r"not ready within 0\.3 s"):
        daemon.wait_ready(lambda: False, 0.3, threading.Event())


def test_waiting_ends_when_the_start_is_cancelled(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(python(SLEEPER, tmp_path))
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(StartCancelledError):
        daemon.wait_ready(lambda: False, 10, cancel)


def test_run_returns_the_output_and_hands_text_over(tmp_path: Path) -> None:
    code = "import sys; print(sys.stdin.read().upper())"

    assert run("shout", python(code, tmp_path), threading.Event(), text="hello") == "HELLO\n"


def test_run_tells_a_failure_with_its_output(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="no luck"):
        run("luckless", python("raise SystemExit('no luck')", tmp_path), threading.Event())


@pytest.mark.parametrize("cancelled", [True, False])
def test_run_leaves_nothing_behind_when_it_is_cut_short(tmp_path: Path, cancelled: bool) -> None:
    cancel = threading.Event()
    if cancelled:
        cancel.set()

    before = set(psutil.Process().children(recursive=True))  # servers of other tests

    with pytest.raises(StartCancelledError if cancelled else JobError):
        run("parent", python(PARENT, tmp_path), cancel, seconds=0.5)

    after = {child for child in psutil.Process().children(recursive=True) if is_alive(child)}
    assert after - before == set()
