"""The stack as a whole: parts, what each needs, and the order that follows from it."""

import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.addresses import write_addresses
from deploy.local.errors import LocalStackError, SettingsError, StartCancelledError
from deploy.local.install import RUN_BYTES, require_room
from deploy.local.instance import DEFAULT_DIRECTORY, Instance, remembered_base
from deploy.local.jobs import JOBS, Job
from deploy.local.lock import exclusive
from deploy.local.ports import DEFAULT_BASE, Ports
from deploy.local.process import Cancel
from deploy.local.progress import Progress, Silent
from deploy.local.server import Server
from deploy.local.servers import SERVERS

# Everything an instance's directory holds besides packages, which are shared.
OWN_FOLDERS: Final = ("postgres", "kafka", "connect", "emulator", "logs", "run")
OWN_FILES: Final = ("credentials", "stack.env", "instance.json", ".lock")


@dataclass(frozen=True)
class PartState:
    """One line of `status`."""

    part: str
    # "ready", "starting", "stopped" or "dead": its pid file is there, it is not. The connector,
    # which is no process, also "missing", "failed" or "paused".
    state: str
    pid: int | None
    port: int | None
    uptime_seconds: float | None
    log: Path | None


class Stack:
    """The real servers of one instance, and the commands that prepare them.

    Usage example::

        stack = Stack(Path(".local"), 8000)
        stack.up(["postgres", "kafka"])
        stack.server("kafka").kill()
        stack.down()
    """

    def __init__(
        self,
        directory: Path = DEFAULT_DIRECTORY,
        port_base: int | None = None,
        progress: Progress | None = None,
        external: Iterable[str] = (),
    ) -> None:
        """Raises `SettingsError` when the directory's servers run on another block of ports.

        `external` names servers that somebody else runs on the ports of this instance (containers
        of docker-compose.yml): they are waited for, and neither started nor stopped.
        """
        self.external = frozenset(external)
        directory = directory.resolve()
        noted = remembered_base(directory)
        base = port_base if port_base is not None else noted
        self.instance = Instance(directory, Ports(DEFAULT_BASE if base is None else base))
        self.servers: dict[str, Server] = {kind.name: kind(self.instance) for kind in SERVERS}
        self.jobs: Mapping[str, Job] = {job.name: job for job in JOBS}
        self._progress = progress or Silent()
        if noted not in {None, self.instance.ports.base} and self.running():
            raise SettingsError(
                f"the stack in {directory} runs with LOCAL_PORT_BASE={noted}: "
                f"stop it first, or leave LOCAL_PORT_BASE out"
            )

    @property
    def parts(self) -> Mapping[str, Sequence[str]]:
        """Every part (server or job) with the parts it needs."""
        return {name: server.needs for name, server in self.servers.items()} | {
            name: job.needs for name, job in self.jobs.items()
        }

    def server(self, name: str) -> Server:
        """One server by its name, to start, stop, kill or suspend it alone."""
        if name not in self.servers:
            raise SettingsError(f"no server {name!r}; there are {', '.join(self.servers)}")
        return self.servers[name]

    def running(self) -> list[str]:
        """The servers whose process is there."""
        return [name for name, server in self.servers.items() if server.is_running]

    def up(self, parts: Iterable[str] = (), cancel: Cancel | None = None) -> list[str]:
        """Start these parts and what they need (all parts when none is named).

        What runs is left alone. Returns the servers that this call started. When anything fails,
        or `cancel` is set, just these are stopped again before the error is raised.
        """
        named = list(parts)
        wanted = self._closure(named or list(self.parts))
        cancel = cancel or threading.Event()
        require_room(self.instance.directory, RUN_BYTES)
        with self._alone(cancel):
            self.instance.remember()
            write_addresses(self.instance)
            return _Start(self, wanted, named, cancel, self._progress).run()

    def down(self, parts: Iterable[str] = (), *, wipe: bool = False) -> list[str]:
        """Stop these servers (all when none is named), dependents first; returns those that ran.

        With `wipe`, the data, logs and secrets of the instance go too; packages stay.
        """
        named = list(parts) or list(self.servers)
        with self._alone(threading.Event()):
            stopped = self._stop(named)
        if wipe:
            self.wipe()
        return stopped

    def _stop(self, named: Sequence[str]) -> list[str]:
        stopped = []
        for layer in reversed(self._layers()):
            names = [name for name in layer if name in named]
            stopped += [name for name in names if self.server(name).is_running]
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda name: self.servers[name].stop(), names))
        return stopped

    def _alone(self, cancel: Cancel) -> AbstractContextManager[None]:
        """Keep other programs from starting or stopping servers of this instance meanwhile."""
        file = self.instance.directory / ".lock"
        return exclusive(
            file, cancel, lambda: self._progress.say("another start or stop is going on")
        )

    def wipe(self) -> None:
        """Remove everything this instance has written. Raises while a server runs."""
        if self.running():
            raise SettingsError(f"still running: {', '.join(self.running())}; stop them first")
        for name in OWN_FOLDERS:
            shutil.rmtree(self.instance.directory / name, ignore_errors=True)
        for name in OWN_FILES:
            (self.instance.directory / name).unlink(missing_ok=True)

    def status(self) -> list[PartState]:
        """The state of every server, and of the connector that runs inside Connect."""
        with ThreadPoolExecutor() as pool:
            servers = list(pool.map(_state, self.servers.values()))
        jobs = [
            PartState(job.name, job.state(self.instance), None, None, None, None)
            for job in self.jobs.values()
            if job.state is not None
        ]
        return servers + jobs

    def _closure(self, named: Sequence[str]) -> list[str]:
        """These parts and all that they need, in the order of `parts`."""
        needed: set[str] = set()
        pending = list(named)
        while pending:
            part = pending.pop()
            if part not in self.parts:
                raise SettingsError(f"no part {part!r}; there are {', '.join(self.parts)}")
            if part not in needed:
                needed.add(part)
                pending += self.parts[part]
        return [part for part in self.parts if part in needed]

    def _layers(self) -> list[list[str]]:
        """The servers, each after all that it needs through any chain of parts."""
        layers: list[list[str]] = []
        left = dict(self.servers)
        while left:
            free = [
                name
                for name in left
                if not (set(self._closure(self.parts[name])) - {name}) & left.keys()
            ]
            layers.append(free)
            for name in free:
                del left[name]
        return layers


class _Start:
    """One call of `up`: a thread for each part, which waits for the parts it needs."""

    def __init__(
        self,
        stack: Stack,
        wanted: Sequence[str],
        named: Sequence[str],
        cancel: Cancel,
        progress: Progress,
    ) -> None:
        self._named = named
        self._stack = stack
        self._wanted = wanted
        self._cancel = cancel
        self._progress = progress
        self._started: list[str] = []
        self._futures: dict[str, Future[None]] = {}

    def run(self) -> list[str]:
        """Start all, or leave everything as it was."""
        pool = ThreadPoolExecutor(max_workers=len(self._wanted))
        try:
            self._install()
            for part in self._ordered():
                self._futures[part] = pool.submit(self._bring_up, part)
            self._wait()
        except BaseException:
            # A worker may be between the start of a process and its note, so it is waited for.
            self._cancel.set()
            pool.shutdown(wait=True, cancel_futures=True)
            self._undo()
            raise
        pool.shutdown()
        return self._started

    def _install(self) -> None:
        """One after the other: they share the network, and a clear progress line."""
        for part in self._wanted:
            if part in self._stack.servers and part not in self._stack.external:
                self._progress.begin(part)
                try:
                    self._stack.servers[part].install(self._note(part), self._cancel)
                finally:
                    self._progress.dropped(part)

    def _note(self, part: str) -> Callable[[str], None]:
        return lambda text: self._progress.note(part, text)

    def _ordered(self) -> list[str]:
        """The wanted parts, each after those it needs: a thread must never wait for a later one."""
        ordered: list[str] = []
        left = list(self._wanted)
        while left:
            ready = [p for p in left if not set(self._stack.parts[p]) & set(left)]
            ordered += ready
            left = [part for part in left if part not in ready]
        return ordered

    def _wait(self) -> None:
        """Wait for all; raise what the first part that failed raised."""
        pending: set[Future[None]] = set(self._futures.values())
        while pending:
            # Short waits, so that a signal handler of the main thread gets its turn.
            done, pending = wait(pending, timeout=0.1)
            for future in done:
                error = future.exception()
                if error is not None and not isinstance(error, _NeedFailedError):
                    raise error
            if self._cancel.is_set():
                raise StartCancelledError

    def _bring_up(self, part: str) -> None:
        for need in self._stack.parts[part]:
            if self._futures[need].exception() is not None:
                raise _NeedFailedError(need)
        if self._cancel.is_set():
            raise StartCancelledError
        self._progress.begin(part)
        try:
            done = self._server(part) if part in self._stack.servers else self._job(part)
        except BaseException:
            self._progress.dropped(part)
            raise
        self._progress.done(part, done)

    def _server(self, part: str) -> str:
        server = self._stack.servers[part]
        if part in self._stack.external:
            server.wait_answering(cancel=self._cancel)
            return f"127.0.0.1:{server.port} (runs elsewhere)"
        before = server.daemon.birth
        started = True
        try:
            started = server.start(self._cancel)
        finally:
            # Also when the start failed half-way; not when a running server was found again.
            if started and server.daemon.birth != before and server.daemon.started_here:
                self._started.append(part)
        server.wait_ready(cancel=self._cancel)
        where = f"127.0.0.1:{server.port}" if server.port else "no port"
        return f"{where}{'' if started else ' (was running)'}"

    def _job(self, part: str) -> str:
        job = self._stack.jobs[part]
        return job.ensure(self._stack.instance, self._cancel, always=part in self._named)

    def _undo(self) -> None:
        for part in reversed(self._started):
            self._stack.servers[part].stop()


class _NeedFailedError(LocalStackError):
    """A part this one needs failed; the need's own error is the one to show."""


def _state(server: Server) -> PartState:
    pid = server.pid
    if pid is None:
        state = "dead" if server.daemon.pid_file.exists() else "stopped"
    else:
        state = "ready" if server.is_ready() else "starting"
    uptime = server.daemon.uptime_seconds
    return PartState(server.name, state, pid, server.port, uptime, server.daemon.log)
