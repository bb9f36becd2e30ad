"""The servers that integration tests run against, chosen once for a session.

In this order: the addresses in the environment (`POSTGRES_DSN` and the other names of `stack.env`),
containers where a Docker engine answers, the local stack. `TEST_BACKEND` (`environment`,
`containers`, `local`) overrides the choice. A server is started when the first test asks for it, so
unit tests start nothing; all are stopped and their data removed at the end.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import FrameType
from typing import Final, Literal, NoReturn, Protocol, get_args

import pytest

from deploy.local.addresses import addresses
from deploy.local.compose import compose_values
from deploy.local.credentials import write_values
from deploy.local.install import DEBEZIUM_LIST, KAFKA_LIST, ROOT, version_of
from deploy.local.instance import remembered_base
from deploy.local.ports import PortLease, free_base, lease
from deploy.local.stack import Stack

Kind = Literal["environment", "containers", "local"]
CONTAINERS: Final = ("postgres", "kafka", "connect")
SCRATCH: Final = ROOT / ".local"
FIRST_BASE: Final = int(os.environ.get("LOCAL_TEST_PORT_BASE", "12000"))
ASKED_FOR: Final = ("POSTGRES_DSN", "KAFKA_BOOTSTRAP_SERVERS", "CONNECT_URL", "SANITY_API_HOST")


@dataclass(frozen=True)
class Backend:
    """Addresses and logins of a whole running stack, by the names of `stack.env` in lower case."""

    kind: Kind
    postgres_dsn: str = field(repr=False)
    outbox_dsn: str = field(repr=False)
    commerce_postgres_dsn: str = field(repr=False)
    consumer_ledger_dsn: str = field(repr=False)
    kafka_bootstrap_servers: str
    connect_url: str
    sanity_api_host: str
    sanity_project_id: str
    sanity_dataset: str
    sanity_token: str = field(repr=False)
    sanity_editor_token: str = field(repr=False)
    sanity_read_token: str = field(repr=False)
    commerce_url: str
    commerce_admin_email: str
    commerce_admin_password: str = field(repr=False)
    commerce_publishable_key: str = field(repr=False)
    consumer_url: str
    stack: Stack | None = None


class Servers(Protocol):
    """Where servers come from."""

    kind: Kind

    @property
    def stack(self) -> Stack | None:
        """Control over single servers, where there is any."""

    def need(self, *parts: str) -> Mapping[str, str]:
        """Have these parts of `deploy.local` running; the values of `stack.env`."""

    def close(self) -> None:
        """Stop what was started."""


class EnvironmentServers:
    """Servers that the caller runs and names in the environment; nothing is started."""

    kind: Kind = "environment"
    stack: Final = None

    def need(self, *parts: str) -> Mapping[str, str]:
        """The environment as it is; the parts are taken to be running."""
        del parts
        return os.environ

    def close(self) -> None:
        """Nothing: the servers are the caller's."""


class LocalServers:
    """The local stack, in a directory and on ports of its own."""

    kind: Kind = "local"

    def __init__(self) -> None:
        self._lease: PortLease | None = None
        self._running: Stack | None = None

    @property
    def stack(self) -> Stack | None:
        """Control over single servers."""
        return self._stack()

    def need(self, *parts: str) -> Mapping[str, str]:
        """Start what is missing."""
        stack = self._stack()
        stack.up(parts)
        return addresses(stack.instance)

    def close(self) -> None:
        """Stop all and remove the data."""
        if self._running is not None:
            self._running.down(wipe=True)
            shutil.rmtree(self._running.instance.directory, ignore_errors=True)
            self._running = None
        if self._lease is not None:
            self._lease.release()

    def _stack(self) -> Stack:
        if self._running is None:
            clear_abandoned()
            self._lease = free_base(FIRST_BASE)
            self._running = Stack(_directory(self._lease.base), self._lease.base)
        return self._running


class ContainerServers:
    """Postgres, Kafka and Connect from docker-compose.yml; the rest as local processes."""

    kind: Kind = "containers"

    def __init__(self, containers: Callable[[Stack], AbstractContextManager[object]]) -> None:
        self._start_containers = containers
        self._lease: PortLease | None = None
        self._running: Stack | None = None
        self._containers = contextlib.ExitStack()

    @property
    def stack(self) -> Stack | None:
        """Control over the local processes; `Stack.external` names the containers."""
        return self._stack()

    def need(self, *parts: str) -> Mapping[str, str]:
        """Start the three containers once, then what is missing beside them."""
        stack = self._stack()
        stack.up(parts)
        return addresses(stack.instance)

    def close(self) -> None:
        """Stop processes and containers, remove data and volumes."""
        if self._running is not None:
            self._running.down(wipe=True)
            shutil.rmtree(self._running.instance.directory, ignore_errors=True)
            self._running = None
        self._containers.close()
        if self._lease is not None:
            self._lease.release()

    def _stack(self) -> Stack:
        if self._running is None:
            self._lease = free_base(FIRST_BASE)
            stack = Stack(_directory(self._lease.base), self._lease.base, external=CONTAINERS)
            self._containers.enter_context(self._start_containers(stack))
            self._running = stack
        return self._running


def compose(stack: Stack) -> AbstractContextManager[object]:
    """The containers on the ports and with the secrets of this stack."""
    from testcontainers.compose import DockerCompose  # noqa: PLC0415 - slow, rarely used

    settings = stack.instance.directory / "compose.env"
    project = {"COMPOSE_PROJECT_NAME": f"outbox-test-{stack.instance.ports.base}"}
    write_values(settings, compose_values(stack.instance) | project)
    containers: AbstractContextManager[object] = DockerCompose(
        ROOT, "docker-compose.yml", services=list(CONTAINERS), env_file=str(settings)
    )
    return containers


def clear_abandoned() -> None:
    """Stop and remove test stacks whose test run was killed: nobody holds their ports' lease."""
    for directory in SCRATCH.glob("test-*"):
        base = remembered_base(directory)
        taken = lease(base) if base is not None else None
        if taken is not None:
            with taken:
                Stack(directory, base).down(wipe=True)
                shutil.rmtree(directory, ignore_errors=True)


def choose() -> Kind:
    """The kind of servers of this session."""
    asked = os.environ.get("TEST_BACKEND")
    if asked is not None:
        for kind in get_args(Kind):
            if kind == asked:
                return kind  # type: ignore[no-any-return]
        raise pytest.UsageError(f"TEST_BACKEND is {asked!r}: one of {', '.join(get_args(Kind))}")
    if any(name in os.environ for name in ASKED_FOR):
        return "environment"
    return "containers" if docker_answers() else "local"


def docker_answers() -> bool:
    """Whether `docker compose` is there and reaches an engine."""
    if shutil.which("docker") is None:
        return False
    asked = (["docker", "compose", "version"], ["docker", "info"])
    try:
        return all(
            subprocess.run(each, capture_output=True, check=False, timeout=5).returncode == 0
            for each in asked
        )
    except subprocess.TimeoutExpired:
        return False


def _directory(base: int) -> Path:
    return SCRATCH / f"test-{base}"


def pytest_report_header() -> str:
    """Which servers, and which versions."""
    kinds = {
        "environment": "addresses in the environment",
        "containers": "containers of docker-compose.yml",
        "local": "local stack",
    }
    kafka = version_of(KAFKA_LIST, "kafka_2.13")
    debezium = version_of(DEBEZIUM_LIST, "debezium-connector-postgres")
    return f"servers: {kinds[choose()]} (PostgreSQL 18, Kafka {kafka}, Debezium {debezium})"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Starts what the other fixtures ask for; also on SIGTERM nothing is left running."""
    kinds: dict[Kind, Callable[[], Servers]] = {
        "environment": EnvironmentServers,
        "containers": lambda: ContainerServers(compose),
        "local": LocalServers,
    }
    chosen = kinds[choose()]()
    before = signal.signal(signal.SIGTERM, _end_session)
    try:
        yield chosen
    finally:
        # A second Ctrl-C must not leave servers behind.
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        chosen.close()
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, before)


def _end_session(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _value(values: Mapping[str, str], name: str) -> str:
    if name not in values:
        pytest.fail(
            f"{name} is missing: name it in the environment beside the other addresses "
            "(`stack.env` has them all), or unset them all to start servers here",
            pytrace=False,
        )
    return values[name]


@pytest.fixture(scope="session")
def postgres_dsn(servers: Servers) -> str:
    """Superuser's DSN of database `shop`; roles and databases are there, schemas are not."""
    return _value(servers.need("roles"), "POSTGRES_DSN")


@pytest.fixture(scope="session")
def kafka_bootstrap_servers(servers: Servers) -> str:
    """A broker; topics may be missing."""
    return _value(servers.need("kafka"), "KAFKA_BOOTSTRAP_SERVERS")


@pytest.fixture(scope="session")
def connect_url(servers: Servers) -> str:
    """A Connect worker; the connector may be missing."""
    return _value(servers.need("connect"), "CONNECT_URL")


@pytest.fixture(scope="session")
def sanity_api_host(servers: Servers) -> str:
    """The emulator with project `shop` and dataset `production`."""
    return _value(servers.need("emulator"), "SANITY_API_HOST")


@pytest.fixture(scope="session")
def backend(servers: Servers) -> Backend:
    """The whole stack, running: every part is ready."""
    values = servers.need()
    names = [each.name for each in fields(Backend) if each.name not in {"kind", "stack"}]
    found = {name: _value(values, name.upper()) for name in names}
    return Backend(kind=servers.kind, stack=servers.stack, **found)


@pytest.fixture(scope="session")
def pipeline(servers: Servers) -> Mapping[str, str]:
    """Postgres, Kafka, Connect with the connector, ledger and emulator; none of our services.

    The values of `stack.env`.
    """
    return servers.need("connector", "ledger", "emulator")


@pytest.fixture(scope="session")
def stack(servers: Servers) -> Stack:
    """Control over single servers (kill, suspend, start): emulator and our services at least."""
    if servers.stack is None:
        pytest.skip("kills or suspends real servers, which addresses alone don't allow")
    return servers.stack


@pytest.fixture(scope="session")
def local_stack(stack: Stack) -> Stack:
    """As `stack`, with Postgres, Kafka and Connect as processes too."""
    if stack.external:
        pytest.skip("wants Postgres, Kafka or Connect as a process, and here it is a container")
    return stack
