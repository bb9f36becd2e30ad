"""How long product writes wait while days of the outbox are dropped and made (ADR 0010).

    python -m tests.bench.partition_drop

Writers publish and commit without a pause. Beside them days are dropped and made in three ways:
not at all, as `outbox maintain` does it, and with a plain `DROP TABLE` of the partition. Then both
ways once more while another transaction that has published stays open for a while. Uses schema
outbox of OUTBOX_DSN (the owner's); made days lie far in the past and are gone afterwards.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Annotated, Any, Final, Self

import psycopg
import structlog
import typer
from rich.console import Console
from rich.table import Table

from outbox import EventType, NewEvent, publish
from outbox.retention import Policy, maintain

FIRST_DAY: Final = date(2001, 1, 1)
OPEN_SECONDS: Final = 2.0
Connection = psycopg.Connection[Any]


class Writers:
    """Transactions of one event each, one after another, on several connections."""

    def __init__(self, dsn: str, threads: int) -> None:
        self.milliseconds: list[float] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(dsn, number)) for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, dsn: str, number: int) -> None:
        event = NewEvent(f"writer{number}", EventType.UPDATED, {"t": "x" * 1000}, source="seed")
        with psycopg.connect(dsn) as conn:
            while not self._stop.is_set():
                began = time.perf_counter()
                publish(conn, event)
                conn.commit()
                self.milliseconds.append((time.perf_counter() - began) * 1000)


def main(
    writers: Annotated[int, typer.Option(min=1, max=16)] = 4,
    days: Annotated[int, typer.Option(min=1, max=50)] = 10,
    seconds: Annotated[float, typer.Option(min=1, max=60, help="Of each line at least.")] = 4.0,
) -> None:
    """Print the writers' latencies in milliseconds beside each way of dropping days."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    dsn = os.environ["OUTBOX_DSN"]
    shown = Table("beside the writers", "writes", "p50", "p99", "p99.9", "max", "days dropped")
    ways: dict[str, tuple[Callable[[Connection], int], bool]] = {
        "nothing": (lambda _: 0, False),
        "outbox maintain": (by_upkeep, False),
        "DROP TABLE": (by_drop_table, False),
        f"outbox maintain, another transaction open {OPEN_SECONDS} s": (by_upkeep, True),
        f"DROP TABLE, another transaction open {OPEN_SECONDS} s": (by_drop_table, True),
    }
    for name, (drop, with_open) in ways.items():
        with psycopg.connect(dsn, autocommit=True) as conn:
            make_days(conn, days)
            with Writers(dsn, writers) as running:
                ends = time.monotonic() + seconds
                with open_transaction(dsn) if with_open else nothing():
                    dropped = drop(conn)
                while time.monotonic() < ends:
                    time.sleep(0.05)
            clear(conn)
        shown.add_row(name, *figures(running.milliseconds), str(dropped))
    Console().print(shown)


def figures(milliseconds: list[float]) -> list[str]:
    """Count, p50, p99, p99.9 and maximum."""
    ordered = sorted(milliseconds)
    places = [ordered[int(len(ordered) * share)] for share in (0.5, 0.99, 0.999)]
    return [str(len(ordered)), *(f"{place:.1f}" for place in (*places, ordered[-1]))]


def make_days(conn: Connection, days: int) -> None:
    """Attach empty days far in the past, sealed as read."""
    for offset in range(days):
        with conn.transaction():
            conn.execute("set local lock_timeout = '1s'")
            conn.execute("select outbox.add_day(%s)", [FIRST_DAY + timedelta(days=offset)])


def by_upkeep(conn: Connection) -> int:
    """Whatever `outbox maintain --once --drop-unread` drops in a few rounds."""
    policy = Policy(keep_days=3650, drop_unread=True)
    return sum(len(maintain(conn, policy).dropped) for _ in range(3))


def by_drop_table(conn: Connection) -> int:
    """As a cron job with a line of SQL would."""
    names = conn.execute(
        "select name from outbox.partitions() where state = 'attached' and upper < '2010-01-01'"
    ).fetchall()
    for (name,) in names:
        conn.execute(f"drop table outbox.{name}")
    return len(names)


def clear(conn: Connection) -> None:
    """Remove the days that are left."""
    while by_drop_table(conn):
        pass


@contextmanager
def open_transaction(dsn: str) -> Iterator[None]:
    """Another session that has published and takes its time to commit."""
    with psycopg.connect(dsn) as conn:
        publish(conn, NewEvent("slow", EventType.UPDATED, {}, source="seed"))
        timer = threading.Timer(OPEN_SECONDS, conn.rollback)
        timer.start()
        yield
        timer.join()


@contextmanager
def nothing() -> Iterator[None]:
    """No other session."""
    yield


if __name__ == "__main__":
    typer.run(main)
