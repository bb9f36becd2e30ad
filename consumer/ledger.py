"""What was applied to which product: a read model beside Sanity, never the guard.

When its database is down, replication goes on, and what was not recorded is counted.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Protocol
from uuid import UUID

import psycopg
import structlog
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from consumer.decide import Change
from outbox.migrate import migrate

CONNECT_TIMEOUT_SECONDS: Final = 2
STATEMENT_TIMEOUT_MS: Final = 2_000
PAUSE_AFTER_FAILURE_SECONDS: Final = 5.0  # a ledger that is down must not slow replication
SCHEMA: Final = "sync"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one change; `before` and `after` are the owned fields."""

    change: Change
    document_id: str
    outcome: str
    error: str | None = None
    transaction_id: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Ledger(Protocol):
    """Where entries are kept."""

    def applied_revisions(self, product_ids: Sequence[str]) -> dict[str, int]:
        """The highest revision applied to each of these products, as far as known."""

    def record(self, entries: Sequence[Entry]) -> bool:
        """Keeps `entries`; says whether that worked."""

    def close(self) -> None:
        """Lets go of the database."""


class NullLedger:
    """Keeps nothing: for a consumer without `CONSUMER_LEDGER_DSN`."""

    def applied_revisions(self, product_ids: Sequence[str]) -> dict[str, int]:
        """Nothing is known."""
        del product_ids
        return {}

    def record(self, entries: Sequence[Entry]) -> bool:
        """Nothing is kept, and nothing was lost by it."""
        del entries
        return True

    def close(self) -> None:
        """There is nothing to let go of."""


class PostgresLedger:
    """The ledger in Postgres (schema `sync`), for one project and dataset."""

    def __init__(self, dsn: str, *, project_id: str, dataset: str) -> None:
        self._scope = {"project_id": project_id, "dataset": dataset}
        self._sql = _load_statements()
        self._down_until = 0.0
        self._pool = ConnectionPool(
            dsn,
            min_size=1,
            max_size=4,
            timeout=CONNECT_TIMEOUT_SECONDS,
            open=True,
            kwargs={
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
                "application_name": "consumer-ledger",
            },
        )

    def applied_revisions(self, product_ids: Sequence[str]) -> dict[str, int]:
        """As `Ledger`; empty while the database is down (it is only a hint)."""
        rows = self._run("applied_revisions", {**self._scope, "product_ids": list(product_ids)})
        return {str(product_id): int(revision) for product_id, revision in rows or ()}

    def record(self, entries: Sequence[Entry]) -> bool:
        """As `Ledger`; one statement for all entries, in one transaction."""
        rows = [_row(entry) for entry in entries]
        parameters = {**self._scope, "entries": Jsonb(rows, dumps=_dumps)}
        return not rows or self._run("record", parameters) is not None

    def prune(self, days: int) -> int:
        """Removes changes older than `days`; returns how many."""
        rows = self._run("prune", {**self._scope, "days": days})
        return len(rows or ())

    def close(self) -> None:
        """Closes the pool."""
        self._pool.close()

    def _run(self, name: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]] | None:
        """The rows of a statement; None when the database did not take it."""
        if time.monotonic() < self._down_until:
            return None
        try:
            with self._pool.connection() as connection:
                return connection.execute(self._sql[name], parameters).fetchall()
        except psycopg.DataError as exc:  # this batch is at fault, not the database
            log.warning("ledger_refused", error=str(exc).strip(), statement=name)
            return None
        except (psycopg.Error, PoolTimeout) as exc:
            self._down_until = time.monotonic() + PAUSE_AFTER_FAILURE_SECONDS
            log.warning("ledger_unavailable", error=str(exc).strip(), statement=name)
            return None


def migrate_ledger(dsn: str) -> list[str]:
    """Brings the schema up to date; returns the migrations that were applied."""
    migrations = resources.files("consumer").joinpath("sql/migrations")
    with psycopg.connect(dsn) as connection:
        return migrate(connection, migrations, schema=SCHEMA)


def _row(entry: Entry) -> dict[str, Any]:
    event = entry.change.event
    run_id: UUID | None = event.run_id
    return {
        "product_id": event.aggregate_id,
        "document_id": entry.document_id,
        "revision": event.revision,
        "event_id": str(event.id),
        "event_type": event.type,
        "outcome": entry.outcome,
        "error": entry.error,
        "transaction_id": entry.transaction_id,
        "run_id": None if run_id is None else str(run_id),
        "before": entry.before,
        "after": entry.after,
        "occurred_at": event.occurred_at.isoformat(),
    }


def _dumps(value: Any) -> str:
    """JSON that Postgres takes: its text holds no NUL, which the replacement character stands for.

    Written without escapes, so that the six characters backslash, u, 0000 stay what they are.
    """
    text = json.dumps(_without_nul(value), ensure_ascii=False)
    return text.encode(errors="replace").decode()


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case dict():
            return {_without_nul(name): _without_nul(each) for name, each in value.items()}
        case list():
            return [_without_nul(each) for each in value]
        case _:
            return value


def _load_statements() -> dict[str, bytes]:
    """The statements of `sql/queries.sql`, each under its `-- name:` line."""
    text = resources.files("consumer").joinpath("sql/queries.sql").read_text()
    blocks = (block.partition("\n") for block in text.split("-- name: ")[1:])
    return {name.strip(): statement.encode() for name, _, statement in blocks}
