"""The registry of routes: where events may go."""

from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg.rows import tuple_row

from outbox.errors import InvalidEventError, OutboxNotReadyError
from outbox.sql import statements


def registered_routes(conn: psycopg.Connection[Any]) -> list[str]:
    """The names in `outbox.route`. Raises `OutboxNotReadyError` without a schema."""
    try:
        with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(statements("routes")["routes"]).fetchall()
    except (pg.UndefinedTable, pg.InvalidSchemaName) as exc:
        raise OutboxNotReadyError(f"run `outbox migrate` on this database: {exc}") from exc
    return [name for (name,) in rows]


def register_route(conn: psycopg.Connection[Any], name: str) -> None:
    """Let events take this route. Its topic has to exist before; twice is harmless."""
    try:
        with conn.transaction():
            conn.execute(statements("routes")["register"], {"name": name})
    except pg.CheckViolation as exc:
        raise InvalidEventError(
            f"route {name!r} is not like 'product.bulk'", constraint=exc.diag.constraint_name
        ) from exc
