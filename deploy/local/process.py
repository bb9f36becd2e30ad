"""One detached process: started in a session of its own, found again by its pid file."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from deploy.local.errors import JobError, StartCancelledError, StartError

POLL_SECONDS: Final = 0.05
TAIL_LINES: Final = 30
LOG_LIMIT_BYTES: Final = 20 * 2**20  # a longer log is set aside at the next start

Cancel = threading.Event


@dataclass(frozen=True)
class Command:
    """What to run. `environment` is the whole of it: nothing is inherited."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    directory: Path


@dataclass(frozen=True)
class Birth:
    """A process that no later process with the same pid can be mistaken for."""

    pid: int
    born: str

    @classmethod
    def of(cls, pid: int) -> "Birth | None":
        """The living process with this pid; None when there is none, or only its corpse."""
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, _born(process))
        except psutil.NoSuchProcess:
            return None

    @property
    def is_alive(self) -> bool:
        """Whether this very process runs (or is suspended) now."""
        return Birth.of(self.pid) == self


def _born(process: psutil.Process) -> str:
    """When a process started, unmoved by changes of the clock where the kernel tells it."""
    stat = Path(f"/proc/{process.pid}/stat")
    try:
        # proc(5): field 22 is the start in ticks since boot; field 2 may hold blanks and brackets.
        ticks = stat.read_text().rpartition(")")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        return f"{process.create_time():.2f}"
    except ProcessLookupError as exc:
        raise psutil.NoSuchProcess(process.pid) from exc
    return f"{boot}:{ticks}"


class _Detached(subprocess.Popen[bytes]):
    """A child that outlives its parent on purpose, so its going unwatched is worth no warning."""

    def __del__(self) -> None:
        """Nothing."""


class Daemon:
    """A background process with a pid file and a log, which outlives the one that started it."""

    def __init__(self, name: str, pid_file: Path, log: Path) -> None:
        self.name = name
        self.pid_file = pid_file
        self.log = log
        self._child: _Detached | None = None

    @property
    def birth(self) -> Birth | None:
        """The running process, or None. A pid file whose process is gone counts as none."""
        if self._child is not None:
            self._child.poll()  # reaps a child that ended, so that it isn't taken for running
        try:
            noted = Birth(**json.loads(self.pid_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return noted if noted.is_alive else None

    @property
    def pid(self) -> int | None:
        """Pid of the running process."""
        birth = self.birth
        return birth.pid if birth else None

    @property
    def uptime_seconds(self) -> float | None:
        """How long the process has been running."""
        birth = self.birth
        if birth is None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            return max(0.0, time.time() - psutil.Process(birth.pid).create_time())
        return None

    @property
    def started_here(self) -> bool:
        """Whether this very value started the process, not an earlier or another program."""
        return self._child is not None and self._child.pid == self.pid

    def start(self, command: Command) -> None:
        """Start the process detached from terminal and session; note it in the pid file."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self._child = _Detached(
                list(command.arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=command.directory,
                env=dict(command.environment),
                start_new_session=True,
            )
        self.adopt(self._child.pid)

    def adopt(self, pid: int) -> None:
        """Note a running process as this daemon's."""
        birth = Birth.of(pid)
        if birth is None:
            raise self.failure("ended at once")
        draft = self.pid_file.with_suffix(".new")
        draft.write_text(json.dumps({"pid": birth.pid, "born": birth.born}))
        draft.replace(self.pid_file)

    def wait_ready(self, is_ready: Callable[[], bool], seconds: float, cancel: Cancel) -> None:
        """Wait until `is_ready`; raise `StartError` with the log's tail when that can't be."""

        def is_settled() -> bool:
            if self.birth is None:
                raise self.failure("ended before it was ready")
            return is_ready()

        self.wait_until(is_settled, seconds, cancel)

    def wait_until(self, is_met: Callable[[], bool], seconds: float, cancel: Cancel) -> None:
        """Wait for a condition; raise `StartError` with the log's tail when it takes too long."""
        deadline = time.monotonic() + seconds
        while not is_met():
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready within {seconds:g} s")
            if cancel.wait(POLL_SECONDS):
                raise StartCancelledError

    def stop(self, stop_signal: signal.Signals, grace_seconds: float) -> None:
        """Ask the process to end; kill it and its children when it doesn't in time."""
        birth = self.birth
        if birth is not None:
            tree = _tree(birth.pid)
            self.send(stop_signal)
            self.send(signal.SIGCONT)  # a suspended process hears nothing before this
            if not self._wait_gone(birth, grace_seconds):
                self.send(signal.SIGKILL)
            _kill_all(tree)
            self._wait_gone(birth, grace_seconds)
        self.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process and its children as a power cut would (SIGKILL); keep its pid file."""
        birth = self.birth
        if birth is None:
            return
        tree = _tree(birth.pid)
        self.send(signal.SIGKILL)
        _kill_all(tree)
        self._wait_gone(birth, seconds=10)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this very process, or to nobody."""
        birth = self.birth
        if birth is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(birth.pid, number)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The end of the log."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 64 * 1024))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])

    def failure(self, reason: str) -> StartError:
        """A `StartError` with the end of this daemon's log."""
        return StartError(self.name, reason, self.log, self.tail())

    def _wait_gone(self, birth: Birth, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.birth == birth:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS / 2)
        return True


def _tree(pid: int) -> list[Birth]:
    """The living children of a process, all generations."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [birth for child in children if (birth := Birth.of(child.pid)) is not None]


def _kill_all(births: Sequence[Birth]) -> None:
    """End each of these processes that is left; none that only has the same pid."""
    for birth in births:
        if birth.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(birth.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(birth.is_alive for birth in births) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS / 2)


def run(
    name: str, command: Command, cancel: Cancel, seconds: float = 120, text: str | None = None
) -> str:
    """Run a command to its end and return what it printed.

    `text` is its standard input. Raises `JobError` with the output when it fails or takes too
    long, and `StartCancelledError` when `cancel` is set; either way nothing of it is left running.
    """
    with subprocess.Popen(
        list(command.arguments),
        stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=command.directory,
        env=dict(command.environment),
        start_new_session=True,
        text=True,
        errors="replace",
    ) as child:
        deadline = time.monotonic() + seconds
        while True:
            try:
                output, _ = child.communicate(text, timeout=POLL_SECONDS * 2)
                break
            except subprocess.TimeoutExpired:
                text = None  # already handed over
                reason = _reason_to_stop(deadline, cancel)
                if reason is None:
                    continue
                _end_group(child)
                if cancel.is_set():
                    raise StartCancelledError from None
                raise JobError(name, reason, child.communicate()[0] or "") from None
            except BaseException:
                _end_group(child)
                raise
    if child.returncode != 0:
        raise JobError(name, f"failed with exit code {child.returncode}", output.strip())
    return output


def _reason_to_stop(deadline: float, cancel: Cancel) -> str | None:
    if cancel.is_set():
        return "was interrupted"
    return "took too long" if time.monotonic() > deadline else None


def _end_group(child: subprocess.Popen[str]) -> None:
    """End a command and what it started (it leads a session of its own)."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
