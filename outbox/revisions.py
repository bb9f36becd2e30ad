"""The floor under all revisions, raised when revisions were given out twice.

A restored backup sets the counters back. What is published then gets a revision that consumers
have seen already, and they keep the older state. Above the floor every publish is newer again.
"""

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import errors as pg
from psycopg.rows import tuple_row

from outbox.errors import OutboxNotReadyError, RevisionError
from outbox.sql import statements

MARGIN: Final = 1_000_000  # writes of one aggregate that the backup may not know of
HIGHEST_FLOOR: Final = 2**52  # documents hold a revision as a double: exact up to 2**53


@dataclass(frozen=True, slots=True)
class Advance:
    """The floor as it is, the highest revision that this database knows, and the floor to be."""

    floor: int
    highest: int
    to: int


def plan_advance(
    conn: psycopg.Connection[Any], to: int | None = None, margin: int = MARGIN
) -> Advance:
    """Where the floor would go: `to`, or `margin` above all that was given out here.

    Reads the whole of `outbox.event`. Raises `RevisionError` for a floor that is not above the
    present one and every known revision; `OutboxNotReadyError` without a schema.
    """
    try:
        with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
            query = statements("revisions")["highest"]
            ((floor, highest),) = cursor.execute(query).fetchall()
    except (pg.UndefinedTable, pg.InvalidSchemaName) as exc:
        raise OutboxNotReadyError(f"run `outbox migrate` on this database: {exc}") from exc
    taken = max(floor, highest)
    advance = Advance(floor, highest, taken + margin if to is None else to)
    if advance.to <= taken:
        raise RevisionError(
            f"the floor is {floor} and revisions up to {highest} were given out: a floor of "
            f"{advance.to} would change nothing or lower it; choose {taken + 1} or higher"
        )
    if advance.to > HIGHEST_FLOOR:
        raise RevisionError(f"a floor is at most {HIGHEST_FLOOR}, not {advance.to}")
    return advance


def raise_floor(conn: psycopg.Connection[Any], advance: Advance) -> None:
    """Raise the floor; whatever commits its read of it from now on publishes above it.

    Raises `RevisionError` when somebody has raised it as far, or further, meanwhile.
    """
    with conn.transaction():
        done = conn.execute(statements("revisions")["raise_floor"], {"to": advance.to})
    if done.rowcount != 1:
        raise RevisionError("somebody else has raised the floor meanwhile: look at it again")
