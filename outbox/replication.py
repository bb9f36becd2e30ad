"""The publication and the replication slot that Debezium reads."""

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, tuple_row

from outbox.errors import (
    PublicationError,
    ReplicationError,
    SlotLostError,
    SlotMissingError,
    WalLevelError,
)
from outbox.sql import statements

PUBLICATION: Final = "outbox"
SLOT: Final = "outbox"
PUBLISHED_TABLES: Final = ("outbox.event", "outbox.heartbeat")
FAILOVER_SLOTS_SINCE: Final = 170000  # server version
PLUGIN: Final = "pgoutput"
SLOT_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Publication:
    """What a publication publishes, as `pg_publication` tells it."""

    pubinsert: bool
    pubupdate: bool
    pubdelete: bool
    pubtruncate: bool
    pubviaroot: bool
    tables: list[str]
    filtered: list[str]
    narrowed: list[str]

    def faults(self) -> list[str]:
        """Why events could get lost, or the connector stop, with this publication."""
        missing = [table for table in PUBLISHED_TABLES if table not in self.tables]
        checks = {
            "publish_via_partition_root is off: rows written meanwhile are lost in silence": (
                not self.pubviaroot
            ),
            "inserts are not published": not self.pubinsert,
            "updates are not published, so that no heartbeat moves the slot": not self.pubupdate,
            "deletes or truncates are published": self.pubdelete or self.pubtruncate,
            f"it lacks {', '.join(missing)}": bool(missing),
            f"a row filter (WHERE) leaves out rows of {', '.join(self.filtered)}": bool(
                self.filtered
            ),
            f"a column list leaves out columns of {', '.join(self.narrowed)}": bool(self.narrowed),
        }
        return [fault for fault, is_there in checks.items() if is_there]


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot as `pg_replication_slots` tells it; sizes in bytes."""

    plugin: str
    database: str
    here: bool
    active: bool
    wal_status: str | None
    safe_wal_size: int | None
    confirmed_flush_lsn: str | None
    unread_bytes: int | None
    invalidation_reason: str | None
    failover: bool

    @property
    def is_lost(self) -> bool:
        """Whether WAL that nobody had read is gone."""
        return self.wal_status == "lost" or self.invalidation_reason is not None


def prepare_replication(
    conn: psycopg.Connection[Any],
    *,
    publication: str = PUBLICATION,
    slot: str = SLOT,
    recreate_slot: bool = False,
) -> list[str]:
    """Make the publication, and then the slot in a transaction of its own; return what was made.

    Running it again is harmless. A slot that was made before and is gone or lost is refused
    with `SlotMissingError` or `SlotLostError`, since the events of the gap would be missing
    without a word; `recreate_slot` makes it anew all the same. Also raises `WalLevelError` and
    `PublicationError`. `conn` must not be inside a transaction.
    """
    if conn.info.transaction_status is not TransactionStatus.IDLE:
        raise ReplicationError("a slot is made on a connection that is not inside a transaction")
    require_wal_level(conn)
    made = []
    if _ensure_publication(conn, publication):
        made.append(f"publication {publication}")
    if _ensure_slot(conn, slot, recreate=recreate_slot):
        made.append(f"replication slot {slot}")
    return made


def require_wal_level(conn: psycopg.Connection[Any]) -> None:
    """Raise `WalLevelError` unless the server writes logical WAL."""
    with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
        ((level,),) = cursor.execute(statements("replication")["wal_level"]).fetchall()
    if level != "logical":
        raise WalLevelError(
            f"the server runs with wal_level={level}; Debezium needs wal_level=logical: "
            "set it in postgresql.conf and restart the server"
        )


def find_publication(conn: psycopg.Connection[Any], publication: str) -> Publication | None:
    """The publication of this name in this database."""
    with conn.transaction(), conn.cursor(row_factory=class_row(Publication)) as cursor:
        cursor.execute(statements("replication")["publication"], {"publication": publication})
        return cursor.fetchone()


def require_publication(conn: psycopg.Connection[Any], publication: str) -> None:
    """Raise `PublicationError` unless it publishes the events as Debezium has to see them."""
    found = find_publication(conn, publication)
    if found is None:
        raise PublicationError(f"there is no publication {publication}: run `outbox migrate`")
    faults = found.faults()
    if faults:
        raise PublicationError(
            f"publication {publication}: {'; '.join(faults)}. Stop the connector, put it right "
            "with ALTER PUBLICATION, publish again what was written meanwhile, start it again"
        )


def find_slot(conn: psycopg.Connection[Any], slot: str) -> Slot | None:
    """The slot of this name, of whichever database: the name is unique per server."""
    with conn.transaction(), conn.cursor(row_factory=class_row(Slot)) as cursor:
        return cursor.execute(statements("replication")["slot"], {"slot": slot}).fetchone()


def require_slot(conn: psycopg.Connection[Any], slot: str) -> Slot:
    """The slot, when it is there and has lost nothing.

    Raises `SlotMissingError`, `SlotLostError`, or `ReplicationError` when the name is taken by a
    slot of another database or output plugin.
    """
    found = find_slot(conn, slot)
    if found is None:
        raise SlotMissingError(f"there is no replication slot {slot}: run `outbox migrate`")
    if not found.here or found.plugin != PLUGIN:
        raise ReplicationError(
            f"slot {slot} belongs to database {found.database} and plugin {found.plugin}: "
            "a slot's name is unique per server, choose another one"
        )
    if found.is_lost:
        raise SlotLostError(
            f"slot {slot} is lost ({found.invalidation_reason or found.wal_status}): Debezium "
            f"has not read everything, and no longer can. {WAY_OUT}"
        )
    return found


WAY_OUT: Final = (
    "The way out: stop the connector, `outbox migrate --recreate-slot`, `outbox connector "
    "reset-offsets`, start the connector, then publish the current state of every aggregate that "
    "was written since (a bulk sync)"
)


def has_passed(conn: psycopg.Connection[Any], slot: str, lsn: str) -> bool:
    """Whether the reader of `slot` has confirmed everything before `lsn`; false without a slot."""
    with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(statements("replication")["has_passed"], {"slot": slot, "lsn": lsn})
        row = cursor.fetchone()
    return row is not None and row[0] is True


def _ensure_publication(conn: psycopg.Connection[Any], publication: str) -> bool:
    if find_publication(conn, publication) is not None:
        require_publication(conn, publication)
        return False
    create = sql.SQL(statements("replication")["create_publication"])
    try:
        with conn.transaction():
            conn.execute(create.format(publication=sql.Identifier(publication)))
    except pg.DuplicateObject:  # somebody else made it meanwhile
        return False
    except psycopg.Error as exc:
        raise PublicationError(f"publication {publication} could not be made: {exc}") from exc
    return True


def _ensure_slot(conn: psycopg.Connection[Any], slot: str, *, recreate: bool) -> bool:
    found = find_slot(conn, slot)
    if found is not None and not (recreate and found.here and found.is_lost):
        require_slot(conn, slot)
        _record(conn, slot, recreated=False)
        return False
    if found is None and not recreate and _is_recorded(conn, slot):
        raise SlotMissingError(
            f"slot {slot} was made once and is gone: events written since may never reach Kafka. "
            f"{WAY_OUT}"
        )
    if found is not None:
        with conn.transaction():
            conn.execute(statements("replication")["drop_slot"], {"slot": slot})
    made = _create_slot(conn, slot)
    _record(conn, slot, recreated=made)
    return made


def _create_slot(conn: psycopg.Connection[Any], slot: str) -> bool:
    has_failover = conn.info.server_version >= FAILOVER_SLOTS_SINCE
    name = "create_failover_slot" if has_failover else "create_slot"
    try:
        with conn.transaction():
            limit = {"milliseconds": str(round(SLOT_TIMEOUT_SECONDS * 1000))}
            conn.execute(statements("replication")["limit_wait"], limit)
            conn.execute(statements("replication")[name], {"slot": slot})
    except pg.DuplicateObject:  # somebody else made it meanwhile
        return False
    except pg.QueryCanceled as exc:
        raise ReplicationError(
            f"slot {slot} could not be made within {SLOT_TIMEOUT_SECONDS} s: Postgres waits until "
            "every transaction that has written, in any database of the server, has ended; look "
            "for old xact_start in pg_stat_activity, and run this again"
        ) from exc
    except psycopg.Error as exc:
        raise ReplicationError(f"slot {slot} could not be made: {exc}") from exc
    return True


def _is_recorded(conn: psycopg.Connection[Any], slot: str) -> bool:
    with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(statements("replication")["is_recorded"], {"slot": slot})
        return cursor.fetchall() == [(True,)]


def _record(conn: psycopg.Connection[Any], slot: str, *, recreated: bool) -> None:
    with conn.transaction():
        conn.execute(
            statements("replication")["record_slot"], {"slot": slot, "recreated": recreated}
        )
