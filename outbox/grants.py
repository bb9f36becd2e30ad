"""Least rights inside schema outbox: who may publish, and what Debezium may read."""

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from outbox.errors import MigrationFailedError
from outbox.sql import statements


def grant_publish(conn: psycopg.Connection[Any], role: str) -> None:
    """Let `role` call publish, publish_many and lock_aggregates, and nothing else."""
    _grant(conn, "grant_publish", role)


def grant_replication(conn: psycopg.Connection[Any], role: str) -> None:
    """Let `role` read events and update the heartbeat. It needs the attribute REPLICATION too."""
    _grant(conn, "grant_replication", role)


def _grant(conn: psycopg.Connection[Any], statement: str, role: str) -> None:
    grant = sql.SQL(statements("grants")[statement]).format(role=sql.Identifier(role))
    try:
        with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(statements("grants")["role_exists"], {"role": role})
            if cursor.fetchall() != [(True,)]:
                raise MigrationFailedError(
                    f"there is no role {role}: make it (see deploy/postgres/roles.sql), "
                    "or name another one"
                )
            cursor.execute(grant)
    except psycopg.Error as exc:
        raise MigrationFailedError(f"rights of role {role}: {exc}") from exc
