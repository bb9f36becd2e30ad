"""The Debezium connector's life cycle over Kafka Connect's REST API."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import httpx
import psycopg

from outbox.errors import (
    ConnectorError,
    ConnectorMissingError,
    ConnectorRefusedError,
    ConnectUnavailableError,
)
from outbox.replication import require_publication, require_slot, require_wal_level
from outbox.routes import registered_routes
from outbox.topics import HEARTBEAT_PREFIX, TOPIC_PREFIX, Broker, require_topics

CONNECTOR: Final = "outbox"
ROUTED: Final = "${routedByValue}"
TOPIC_OF_ROUTE: Final = "transforms.outbox.route.topic.replacement"
RETRY_PAUSE_SECONDS: Final = 0.25
REQUEST_TIMEOUT_SECONDS: Final = 30.0  # Connect validates by logging in to Postgres
STALE_SECONDS: Final = 4.0
# A worker that has just started, or whose group is rebalancing, answers these for a second or two.
NOT_YET: Final = frozenset({404, 409, 503})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """What Connect says about the connector: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED.

    A connector that waits for ever for a topic that doesn't exist says RUNNING too: only a canary
    that came through shows that events do.
    """

    connector: str
    tasks: tuple[str, ...]
    trace: str | None

    @property
    def is_running(self) -> bool:
        """Whether connector and task run."""
        return self.connector == "RUNNING" and self.tasks == ("RUNNING",)

    @property
    def has_failed(self) -> bool:
        """Whether a restart is needed."""
        return "FAILED" in {self.connector, *self.tasks}


def read_config(file: Path, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """The connector file with `overrides`, for `Connect.put_config`.

    Raises `ConnectorRefusedError` when it is no flat JSON object of texts, or holds a password in
    clear: everybody who reaches Connect can read a connector's configuration.
    """
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ConnectorRefusedError(f"{file} can't be read: {exc}") from exc
    if not isinstance(config, dict) or not all(isinstance(v, str) for v in config.values()):
        raise ConnectorRefusedError(f"{file} is not one flat object of texts")
    config.update(overrides or {})
    if not config.get("database.password", "").startswith("${"):
        raise ConnectorRefusedError(
            "database.password comes from a config provider, such as ${env:OUTBOX_DB_PASSWORD}"
        )
    return config


def require_source(conn: psycopg.Connection[Any], config: Mapping[str, str]) -> None:
    """Raise a `ReplicationError` unless the database is ready for a connector of this config."""
    require_wal_level(conn)
    require_publication(conn, config["publication.name"])
    require_slot(conn, config["slot.name"])


def written_topics(config: Mapping[str, str], routes: Iterable[str]) -> list[str]:
    """The topics that a connector of this config writes to: each route's, and the heartbeat's."""
    pattern = config.get(TOPIC_OF_ROUTE, TOPIC_PREFIX + ROUTED)
    topics = [pattern.replace(ROUTED, route) for route in routes]
    if int(config.get("heartbeat.interval.ms", "0")) > 0:
        topics.append(HEARTBEAT_PREFIX + config["topic.prefix"])
    return topics


def require_destination(
    conn: psycopg.Connection[Any], broker: Broker, config: Mapping[str, str]
) -> None:
    """Raise `TopicMismatchError` unless the broker has every topic that will be written to."""
    names = written_topics(config, registered_routes(conn))
    require_topics(names, broker.topics(names))


def register(
    connect: "Connect",
    conn: psycopg.Connection[Any],
    broker: Broker,
    config: Mapping[str, str],
    *,
    name: str = CONNECTOR,
    timeout_seconds: float = 60.0,
) -> ConnectorStatus:
    """Create or update the connector and wait until it runs.

    Refused with a `ReplicationError` before Connect is asked for anything, unless the publication
    publishes through the partition root and the slot is there and healthy: Debezium itself would
    make a missing slot anew, and lose in silence what was written before. Refused with a
    `TopicMismatchError` while a topic is missing: the connector would say RUNNING and stand still.
    """
    require_source(conn, config)
    require_destination(conn, broker, config)
    connect.put_config(name, config, timeout_seconds=timeout_seconds)
    return connect.wait_until_running(name, timeout_seconds=timeout_seconds)


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The settings that differ: name to (before, after); an absent one is an empty text."""
    return {
        key: (before.get(key, ""), after.get(key, ""))
        for key in sorted(before.keys() | after.keys())
        if key != "name" and before.get(key) != after.get(key)
    }


class Connect:
    """Kafka Connect's REST API.

    Every method raises `ConnectUnavailableError` when nobody answers, `ConnectorMissingError`
    when there is no such connector and `ConnectorRefusedError` for what Connect refuses.

    Usage example::

        with Connect("http://127.0.0.1:8083") as connect:
            connect.status("outbox")
    """

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=url, timeout=REQUEST_TIMEOUT_SECONDS, transport=transport, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def config(self, name: str) -> dict[str, str]:
        """The configuration as everybody can read it: references to secrets, no secrets."""
        config: dict[str, str] = self._ask("GET", f"/connectors/{name}/config")
        return config

    def put_config(
        self, name: str, config: Mapping[str, str], *, timeout_seconds: float = 60.0
    ) -> None:
        """Create or update the connector; the first answers of a young worker are tried again."""
        _retry(
            lambda: self._ask("PUT", f"/connectors/{name}/config", dict(config)),
            timeout_seconds,
        )

    def status(self, name: str) -> ConnectorStatus:
        """The state of the connector and its task, with the stack trace of a failure."""
        found = self._ask("GET", f"/connectors/{name}/status")
        parts = [found["connector"], *found["tasks"]]
        traces = [part["trace"] for part in parts if part.get("trace")]
        return ConnectorStatus(
            connector=found["connector"]["state"],
            tasks=tuple(task["state"] for task in found["tasks"]),
            trace=traces[0] if traces else None,
        )

    def wait_until_running(self, name: str, *, timeout_seconds: float = 60.0) -> ConnectorStatus:
        """Wait for RUNNING. Raises `ConnectorRefusedError` with the reason when it has failed.

        Connect goes on showing a failure for a moment after it was told to start again.
        """
        believed_from = time.monotonic() + STALE_SECONDS

        def running() -> ConnectorStatus:
            status = self.status(name)
            if status.has_failed and time.monotonic() > believed_from:
                raise ConnectorRefusedError(f"connector {name} failed: {cause(status.trace)}")
            if not status.is_running:
                raise _NotYetError(f"connector {name} is {status.connector}, tasks {status.tasks}")
            return status

        return _retry(running, timeout_seconds)

    def restart(self, name: str, *, only_failed: bool = True) -> None:
        """Start the connector and its task again; by default only what has failed."""
        path = f"/connectors/{name}/restart?includeTasks=true"
        self._ask("POST", f"{path}&onlyFailed={'true' if only_failed else 'false'}")

    def pause(self, name: str) -> None:
        """Read nothing for a while; the slot holds back WAL meanwhile."""
        self._ask("PUT", f"/connectors/{name}/pause")

    def resume(self, name: str) -> None:
        """Go on after `pause` or `stop`."""
        self._ask("PUT", f"/connectors/{name}/resume")

    def stop(self, name: str, *, timeout_seconds: float = 30.0) -> None:
        """End the task but keep the configuration and the offsets; returns when it has ended."""
        self._ask("PUT", f"/connectors/{name}/stop")

        def stopped() -> None:
            status = self.status(name)
            if status.connector != "STOPPED" or status.tasks:
                raise _NotYetError(f"connector {name} is {status.connector}, tasks {status.tasks}")

        _retry(stopped, timeout_seconds)

    def reset_offsets(self, name: str) -> None:
        """Forget where a stopped connector has read to; it starts where the slot stands."""
        self._ask("DELETE", f"/connectors/{name}/offsets")

    def delete(self, name: str) -> None:
        """Remove the connector. The slot stays and holds back WAL until somebody reads it."""
        self._ask("DELETE", f"/connectors/{name}")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as exc:
            raise ConnectUnavailableError(
                f"Kafka Connect does not answer at {self._http.base_url}: {exc}"
            ) from exc
        if response.is_success:
            return response.json() if response.content else None
        raise _refusal(response)


class _NotYetError(ConnectorError):
    """Worth another try in a moment."""


def cause(trace: str | None) -> str:
    """The root cause's line of a Java stack trace, which is the one that says something."""
    lines = (trace or "no reason given").strip().splitlines()
    causes = [line for line in lines if line.startswith("Caused by:")]
    return (causes[-1] if causes else lines[0]).removeprefix("Caused by: ").strip()


def _refusal(response: httpx.Response) -> ConnectorError:
    try:
        message = str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = response.text[:200] or response.reason_phrase
    if response.status_code in NOT_YET and response.request.method in {"PUT", "GET"}:
        kind = _MissingYetError if response.status_code == httpx.codes.NOT_FOUND else _NotYetError
        return kind(f"Connect answers {response.status_code}: {message}")
    if response.status_code == httpx.codes.NOT_FOUND:
        return ConnectorMissingError(f"Connect answers 404: {message}")
    return ConnectorRefusedError(f"Connect answers {response.status_code}: {message}")


class _MissingYetError(ConnectorMissingError, _NotYetError):
    """Missing, or not there yet."""


def _retry(action: Callable[[], T], timeout_seconds: float) -> T:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return action()
        except (_NotYetError, ConnectUnavailableError):
            if time.monotonic() >= deadline:
                raise
            time.sleep(RETRY_PAUSE_SECONDS)
