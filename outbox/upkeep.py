"""The service `outbox maintain`: rounds of upkeep until it is told to stop."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

import psycopg
import structlog

from outbox.errors import OutboxError, ReplicationError
from outbox.replication import require_slot
from outbox.retention import Policy, Report, maintain

APPLICATION_NAME: Final = "outbox maintain"
# A round that left something over is followed by the next one sooner.
POSTPONED_SECONDS: Final = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def run(dsn: str, policy: Policy, interval_seconds: float, stop: threading.Event) -> None:
    """Do a round every `interval_seconds` until `stop` is set.

    A round that fails (Postgres is away, the schema is not there yet) is logged, and the next one
    opens a new connection.
    """
    log.info("upkeep_started", keep_days=policy.keep_days, days_ahead=policy.days_ahead)
    while not stop.is_set():
        pause = interval_seconds
        try:
            report = round_of_upkeep(dsn, policy)
        except (psycopg.Error, OutboxError) as exc:
            log.error("upkeep_failed", reason=str(exc).strip())  # noqa: TRY400 - it comes again
        else:
            if report.postponed:
                pause = min(pause, POSTPONED_SECONDS)
        stop.wait(pause)
    log.info("upkeep_stopped")


def round_of_upkeep(dsn: str, policy: Policy) -> Report:
    """One round on a connection of its own; says loudly when the slot is missing or lost."""
    with psycopg.connect(dsn, autocommit=True, application_name=APPLICATION_NAME) as conn:
        try:
            require_slot(conn, policy.slot)
        except ReplicationError as exc:
            log.error("slot_unusable", slot=policy.slot, reason=str(exc))  # noqa: TRY400
        return maintain(conn, policy)


def stop_on_signals(stop: threading.Event) -> Callable[[], None]:
    """Set `stop` on SIGTERM and SIGINT; returns what puts the former handlers back."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore
