"""Days of the outbox: made ahead, and dropped when they are old and read.

A product write never fails for this and never waits for long: whatever locks `outbox.event` gives
up after a millisecond (later after a few) and is tried again, changes nothing but the catalogue
while it holds the lock, and doesn't wait for the disk. ADR 0010 has the measurements.
"""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import psycopg
import structlog
from psycopg import errors as pg
from psycopg.rows import class_row, tuple_row

from outbox.errors import OutboxNotReadyError, ReplicationError, RetentionError
from outbox.replication import SLOT, has_passed, require_slot
from outbox.sql import statements

DAYS_AHEAD: Final = 14
KEEP_DAYS: Final = 7
# How long each try may stand in the queue of a lock, and so hold up writers behind it.
LOCK_TIMEOUTS_MS: Final = (1,) * 60 + (5,) * 20 + (20,) * 10
PAUSE_SECONDS: Final = 0.03
# ATTACH reads the default partition, which may have grown while its events were adopted.
STATEMENT_TIMEOUT_MS: Final = 100
COUNTING: Final = frozenset({"seal", "detach_day"})  # read a day before they lock
EVERYTHING: Final = "everything"

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Partition:
    """A table below `outbox.event`, or one that was taken out of it; see `outbox.partitions`."""

    name: str
    state: str
    lower: datetime | None
    upper: datetime | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """A day older than the retention; `lsn` and `events` as it was sealed, if it was."""

    name: str
    lsn: str | None
    events: int | None


@dataclass(frozen=True, slots=True)
class Policy:
    """How many days stay, how many are made ahead, and whose slot has to have read them.

    `drop_unread` drops days that the slot has not passed, or that have no slot at all: events
    that Debezium never read may then be gone for good.
    """

    keep_days: int = KEEP_DAYS
    days_ahead: int = DAYS_AHEAD
    slot: str = SLOT
    drop_unread: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.keep_days <= 3650:  # noqa: PLR2004
            raise RetentionError(f"keep_days is 1 to 3650, not {self.keep_days}")
        if not 1 <= self.days_ahead <= 366:  # noqa: PLR2004
            raise RetentionError(f"days_ahead is 1 to 366, not {self.days_ahead}")


@dataclass(slots=True)
class Report:
    """What one round did; `postponed` and `unread` are left for a later one."""

    made: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left for a later round."""
        return not self.unread and not self.postponed


class BusyError(RetentionError):
    """The tables were in use at each try."""


def partitions(conn: psycopg.Connection[Any]) -> list[Partition]:
    """Every partition of `outbox.event`, oldest first, the default and leftovers last."""
    with conn.transaction(), conn.cursor(row_factory=class_row(Partition)) as cursor:
        return cursor.execute(statements("retention")["partitions"]).fetchall()


def plan(conn: psycopg.Connection[Any], policy: Policy) -> Report:
    """What `maintain` would do now, without doing it."""
    report = Report(made=[f"event_{day:%Y%m%d}" for day in _missing_days(conn, policy)])
    report.adopted = [part.name for part in _in_state(conn, "aside") + _in_state(conn, "adopting")]
    if _is_due(_default_is_settled(conn), _missing_days(conn, policy)):
        report.adopted.append("event_default")
    for part in _overdue(conn, policy):
        is_dropped = policy.drop_unread or _is_read(conn, policy, part)
        (report.dropped if is_dropped else report.unread).append(part.name)
    return report


def maintain(conn: psycopg.Connection[Any], policy: Policy) -> Report:
    """One round of upkeep; safe to stop at any point and to run again.

    Of two rounds at once one does the work, and the other reports that it left everything.
    `conn` autocommits, belongs to the owner of schema outbox and is not inside a transaction.
    Days that the slot has not passed stay, and are told in the report and the log. Raises
    `OutboxNotReadyError` when the schema is missing.
    """
    if not conn.autocommit:
        raise RetentionError("upkeep needs a connection that autocommits")
    report = Report()
    with _alone(conn) as is_alone:
        if not is_alone:
            log.info("upkeep_postponed", partition=EVERYTHING, reason="another round is running")
            return Report(postponed=[EVERYTHING])
        try:
            for step in (_clear, _adopt_default, _make_days, _seal_past_days, _drop_overdue):
                step(conn, policy, report)
        except (pg.UndefinedTable, pg.UndefinedFunction, pg.InvalidSchemaName) as exc:
            raise OutboxNotReadyError(f"run `outbox migrate` on this database: {exc}") from exc
    return report


@contextmanager
def _alone(conn: psycopg.Connection[Any]) -> Iterator[bool]:
    is_alone = _column(conn, "begin_round", {}) == [True]
    try:
        yield is_alone
    finally:
        if is_alone and not conn.broken:
            _execute(conn, "end_round", {})


def _clear(conn: psycopg.Connection[Any], policy: Policy, report: Report) -> None:
    """Drop the days that an earlier round detached and did not come to drop."""
    del policy
    for part in _in_state(conn, "detached"):
        _drop(conn, part.name)
        report.dropped.append(part.name.removeprefix("detached_"))


def _adopt_default(conn: psycopg.Connection[Any], policy: Policy, report: Report) -> None:
    """Give the events of the default partition days of their own.

    While today's events still go there it is left alone, unless its events are in the way of a
    day that has to be made: attaching a day reads the whole default.
    """
    if _is_due(_default_is_settled(conn), _missing_days(conn, policy)):
        with _postponing(report, "event_default"):
            _execute(conn, "create_part", {"name": "event_default_next"})
            log.warning("default_set_aside", table=_patiently(conn, "set_default_aside", {}))
    for part in _in_state(conn, "aside"):
        while _move_oldest_day(conn, part.name):
            pass
        _drop(conn, part.name)
    for part in _in_state(conn, "adopting"):
        with _postponing(report, part.name):
            report.adopted.append(_patiently(conn, "adopt", {"name": part.name}))
            log.info("day_adopted", partition=report.adopted[-1], bytes=part.bytes)


def _make_days(conn: psycopg.Connection[Any], policy: Policy, report: Report) -> None:
    """Attach the missing days, today among them unless its events wait to be adopted."""
    is_waiting = bool(_in_state(conn, "aside") + _in_state(conn, "adopting"))
    for day in _missing_days(conn, policy)[1 if is_waiting else 0 :]:
        name = f"event_{day:%Y%m%d}"
        with _postponing(report, name):
            _execute(conn, "create_part", {"name": name})
            report.made.append(_patiently(conn, "add_day", {"day": day}))
            log.info("partition_made", partition=report.made[-1])


def _seal_past_days(conn: psycopg.Connection[Any], policy: Policy, report: Report) -> None:
    """Note for each past day a place in the WAL that lies behind all of its events."""
    del policy
    for name in _column(conn, "unsealed", {}):
        with _postponing(report, name):
            events = _patiently(conn, "seal", {"name": name})
            log.info("partition_sealed", partition=name, events=events)


def _drop_overdue(conn: psycopg.Connection[Any], policy: Policy, report: Report) -> None:
    """Detach the days that are old and read, each in a short transaction; then drop them."""
    overdue = _overdue(conn, policy)
    reason = _why_unread(conn, policy) if overdue else None
    for part in overdue:
        if not (policy.drop_unread or _is_read(conn, policy, part)):
            report.unread.append(part.name)
            why = reason or f"slot {policy.slot} has not confirmed all of the day's events"
            log.warning("partition_kept_unread", partition=part.name, reason=why)
            continue
        with _postponing(report, part.name):
            if part.lsn is None or not _patiently(conn, "detach_day", {"name": part.name}):
                _execute(conn, "reseal", {"name": part.name})  # sealed anew in the next round
                report.postponed.append(part.name)
                continue
            _drop(conn, f"detached_{part.name}")
            report.dropped.append(part.name)
            log.info("partition_dropped", partition=part.name, events=part.events)


def _is_read(conn: psycopg.Connection[Any], policy: Policy, part: Overdue) -> bool:
    return part.lsn is not None and has_passed(conn, policy.slot, part.lsn)


def _why_unread(conn: psycopg.Connection[Any], policy: Policy) -> str | None:
    try:
        require_slot(conn, policy.slot)
    except ReplicationError as exc:
        return str(exc)
    return None


def _is_due(default_is_settled: bool | None, missing: list[date]) -> bool:
    return default_is_settled is not None and (default_is_settled or bool(missing))


def _patiently(conn: psycopg.Connection[Any], statement: str, parameters: Mapping[str, Any]) -> Any:
    """Run a statement that locks `outbox.event` until it gets its locks, or raise `BusyError`."""
    for lock_timeout_ms in LOCK_TIMEOUTS_MS:
        try:
            return _locking(conn, statement, parameters, lock_timeout_ms)
        except (pg.LockNotAvailable, pg.DeadlockDetected):
            time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
    raise BusyError(f"{statement} {dict(parameters)}: the tables were in use at every try")


def _locking(
    conn: psycopg.Connection[Any],
    statement: str,
    parameters: Mapping[str, Any],
    lock_timeout_ms: int,
) -> Any:
    limits = {
        "lock_timeout": str(lock_timeout_ms),
        "statement_timeout": str(0 if statement in COUNTING else STATEMENT_TIMEOUT_MS),
    }
    with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(statements("retention")["limit_locks"], limits)
        ((value,),) = cursor.execute(statements("retention")[statement], parameters).fetchall()
    return value


@contextmanager
def _postponing(report: Report, name: str) -> Iterator[None]:
    """Leave for a later round what Postgres does not let us do now; nothing is half done."""
    try:
        yield
    except (BusyError, pg.QueryCanceled) as exc:
        report.postponed.append(name)
        log.warning("upkeep_postponed", partition=name, reason=str(exc))
    except (pg.CheckViolation, pg.InvalidObjectDefinition, pg.DuplicateTable) as exc:
        report.postponed.append(name)
        log.exception("upkeep_refused", partition=name, reason=str(exc))


def _in_state(conn: psycopg.Connection[Any], state: str) -> list[Partition]:
    return [part for part in partitions(conn) if part.state == state]


def _overdue(conn: psycopg.Connection[Any], policy: Policy) -> list[Overdue]:
    with conn.transaction(), conn.cursor(row_factory=class_row(Overdue)) as cursor:
        parameters = {"keep_days": policy.keep_days}
        return cursor.execute(statements("retention")["overdue"], parameters).fetchall()


def _missing_days(conn: psycopg.Connection[Any], policy: Policy) -> list[date]:
    return _column(conn, "missing_days", {"ahead": policy.days_ahead})


def _default_is_settled(conn: psycopg.Connection[Any]) -> bool | None:
    (is_settled,) = _column(conn, "default_is_settled", {})
    return bool(is_settled) if is_settled is not None else None


def _move_oldest_day(conn: psycopg.Connection[Any], aside: str) -> bool:
    return bool(_column(conn, "move_oldest_day", {"aside": aside}))


def _drop(conn: psycopg.Connection[Any], name: str) -> None:
    _execute(conn, "drop_part", {"name": name})


def _execute(conn: psycopg.Connection[Any], name: str, parameters: Mapping[str, Any]) -> None:
    with conn.transaction():
        conn.execute(statements("retention")[name], parameters)


def _column(conn: psycopg.Connection[Any], name: str, parameters: Mapping[str, Any]) -> list[Any]:
    with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(statements("retention")[name], parameters)
        return [row[0] for row in cursor.fetchall()]
