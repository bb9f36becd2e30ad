"""Versioned migrations: plain SQL files, applied in order, each in one transaction."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from outbox.errors import (
    MigrationChangedError,
    MigrationError,
    MigrationFailedError,
    MigrationNameError,
    MigrationOrderError,
)
from outbox.sql import statements

MIGRATIONS: Final[Traversable] = files("outbox") / "sql" / "migrations"
SCHEMA: Final = "outbox"
FILE_NAME: Final = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")
LOCK_TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its `name` gives the order, its `checksum` tells whether it was changed."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, the same for both kinds of line ends."""
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()


def migrate(
    conn: psycopg.Connection[Any],
    migrations: Traversable | Path,
    *,
    schema: str,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
) -> list[str]:
    """Apply the files `NNNN_slug.sql` of `migrations` that `schema` lacks; return their names.

    Each file is one transaction under an advisory lock and is recorded with its checksum in
    `<schema>.migration`, so running it twice, or twice at once, is harmless. The files of an
    older release run over a newer database without a change. `conn` must not be inside a
    transaction; a statement waits at most `lock_timeout_seconds` for a lock on a table.

    Raises `MigrationNameError`, `MigrationChangedError`, `MigrationOrderError` before anything of
    a file is run, `MigrationFailedError` when Postgres refuses it.
    """
    if conn.info.transaction_status is not TransactionStatus.IDLE:
        raise MigrationError("migrations need a connection that is not inside a transaction")
    found = read_migrations(migrations)
    _ensure_journal(conn, schema)
    return [m.name for m in found if _apply(conn, m, schema, lock_timeout_seconds)]


def pending(
    conn: psycopg.Connection[Any], migrations: Traversable | Path, *, schema: str
) -> list[str]:
    """Names of the files that `migrate` would apply; changes nothing."""
    found = read_migrations(migrations)
    with conn.transaction(force_rollback=True):
        exists = _is_true(conn, "journal_exists", {"schema": schema})
        applied = _applied(conn, schema) if exists else {}
    return [m.name for m in found if _is_pending(m, applied)]


def read_migrations(migrations: Traversable | Path) -> list[Migration]:
    """All migrations of a folder in order; other files than `*.sql` are left alone."""
    found = sorted(_sql_files(migrations), key=lambda migration: migration.name)
    if not found:
        raise MigrationNameError(f"no migration NNNN_slug.sql in {migrations}")
    numbers = [migration.name[:4] for migration in found]
    twice = {number for number in numbers if numbers.count(number) > 1}
    if twice:
        raise MigrationNameError(f"numbers used twice in {migrations}: {sorted(twice)}")
    return found


def _sql_files(migrations: Traversable | Path) -> Iterator[Migration]:
    for file in migrations.iterdir():
        if not file.name.endswith(".sql"):
            continue
        if FILE_NAME.fullmatch(file.name) is None:
            raise MigrationNameError(f"{file.name}: a migration is called NNNN_slug.sql")
        yield Migration(file.name, file.read_text(encoding="utf-8"))


def _ensure_journal(conn: psycopg.Connection[Any], schema: str) -> None:
    name = {"schema": schema}
    try:
        with conn.transaction():
            conn.execute(_plain("lock"), name)
            if not _is_true(conn, "schema_exists", name):
                conn.execute(_in_schema("create_schema", schema))
            if not _is_true(conn, "journal_exists", name):
                conn.execute(_in_schema("create_journal", schema))
    except psycopg.Error as exc:
        raise MigrationFailedError(f"schema {schema} could not be prepared: {exc}") from exc


def _apply(
    conn: psycopg.Connection[Any], migration: Migration, schema: str, lock_timeout_seconds: float
) -> bool:
    try:
        with conn.transaction():
            conn.execute(_plain("lock"), {"schema": schema})
            if not _is_pending(migration, _applied(conn, schema)):
                return False
            milliseconds = str(round(lock_timeout_seconds * 1000))
            conn.execute(_plain("limit_lock_wait"), {"milliseconds": milliseconds})
            conn.execute(migration.text)
            conn.execute(
                _in_schema("record", schema),
                {"name": migration.name, "checksum": migration.checksum},
            )
    except psycopg.Error as exc:
        raise MigrationFailedError(f"{migration.name}: {exc}") from exc
    return True


def _is_pending(migration: Migration, applied: dict[str, str]) -> bool:
    checksum = applied.get(migration.name)
    if checksum is None:
        _refuse_late_file(migration, applied)
        return True
    if checksum != migration.checksum:
        raise MigrationChangedError(
            f"{migration.name} was changed after it was applied: "
            "put it back as it was and write a new migration"
        )
    return False


def _refuse_late_file(migration: Migration, applied: dict[str, str]) -> None:
    later = max(applied, default="")
    if later > migration.name:
        raise MigrationOrderError(
            f"{migration.name} is new, but {later} was applied already: give it a higher number"
        )


def _applied(conn: psycopg.Connection[Any], schema: str) -> dict[str, str]:
    with conn.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(_in_schema("applied", schema)).fetchall())


def _is_true(conn: psycopg.Connection[Any], statement: str, parameters: dict[str, str]) -> bool:
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_plain(statement), parameters).fetchone()
    return row is not None and row[0] is True


def _plain(name: str) -> sql.SQL:
    return sql.SQL(statements("migrate")[name])


def _in_schema(name: str, schema: str) -> sql.Composed:
    return _plain(name).format(schema=sql.Identifier(schema))
