"""What every server of the stack can do: start, readiness, stop."""

import http
import http.client
import signal
import threading
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from deploy.local.install import Report
from deploy.local.instance import Instance
from deploy.local.ports import HOST, require_free
from deploy.local.process import Cancel, Command, Daemon

READY_SECONDS: Final = 90  # on a loaded machine with 2 cores; calm, it is 2 to 6


class Server(ABC):
    """One long-running process of an instance, controlled through its pid file.

    `start` and `wait_ready` are two steps, so that a test can look at what lies between.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()  # parts (servers or jobs) that come first
    ports: ClassVar[tuple[str, ...]] = ()  # names in `ports.OFFSETS`, the main one first
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    grace_seconds: ClassVar[float] = 20

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.daemon = Daemon(
            self.name, instance.pids / f"{self.name}.pid", instance.logs / f"{self.name}.log"
        )

    @abstractmethod
    def command(self) -> Command:
        """What to run."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server does its work now."""

    def install(self, report: Report, cancel: Cancel) -> None:  # noqa: B027
        """Fetch what this server needs; nothing by default."""

    def prepare(self, cancel: Cancel) -> None:  # noqa: B027
        """Bring data and configuration into a state to start from; nothing by default."""

    @property
    def port(self) -> int | None:
        """The main port, for those who listen."""
        return self.instance.ports.of(self.ports[0]) if self.ports else None

    @property
    def pid(self) -> int | None:
        """Pid of the running process."""
        return self.daemon.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there, ready or not, suspended or not."""
        return self.daemon.birth is not None

    def start(self, cancel: Cancel | None = None) -> bool:
        """Start the process unless it runs; whether it had to be started.

        Raises `PortTakenError` when somebody else listens on a port of this server.
        """
        if self.is_running:
            return False
        self.prepare(cancel or threading.Event())
        if self.pid is not None:  # `prepare` found it again
            return False
        require_free(self.instance.ports, self.ports)
        self.daemon.start(self.command())
        return True

    def wait_ready(self, seconds: float = READY_SECONDS, cancel: Cancel | None = None) -> None:
        """Wait until the server is ready; `StartError` with the log's tail when it can't be."""
        self.daemon.wait_ready(self.is_ready, seconds, cancel or threading.Event())

    def wait_answering(self, seconds: float = READY_SECONDS, cancel: Cancel | None = None) -> None:
        """As `wait_ready`, for a server that somebody else runs."""
        self.daemon.wait_until(self.is_ready, seconds, cancel or threading.Event())

    def stop(self) -> None:
        """Ask the server to end; kill it when it takes too long. Keeps its data."""
        self.daemon.stop(self.stop_signal, self.grace_seconds)

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL to it and its children)."""
        self.daemon.kill()

    def suspend(self) -> None:
        """Freeze it (SIGSTOP): its connections stay open and nothing answers."""
        self.daemon.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended server go on."""
        self.daemon.send(signal.SIGCONT)

    def restart(self) -> None:
        """Stop, start, and wait until it is ready."""
        self.stop()
        self.start()
        self.wait_ready()


def answers(port: int, path: str) -> bool:
    """Whether a GET on this loopback port is answered with 200 within a second."""
    status, _ = get(port, path)
    return status == http.HTTPStatus.OK


def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET on this loopback port; status 0 when nobody answers.

    The standard library's client: the start polls, and building an httpx client takes 30 ms of a
    processor that the servers need.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
