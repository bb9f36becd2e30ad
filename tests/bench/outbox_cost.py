"""What an event costs: a title UPDATE with publish against one without, as paired medians.

    python -m tests.bench.outbox_cost --rounds 2000

The two kinds alternate on one connection, so that both meet the same load of the machine. Times
are those of the client, on loopback: with one commit each (what a product write pays), and without
(the statements alone). Uses schema outbox of POSTGRES_DSN's database and a schema of its own.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from outbox import EventType, NewEvent, publish

BUDGET_MS: Final = 0.3
WARM_UP: Final = 200
PRODUCT: Final[dict[str, Any]] = {
    "id": "bench",
    "title": "Premium Cotton T-Shirt",
    "subtitle": None,
    "description": "A comfortable t-shirt",
    "handle": "premium-cotton-t-shirt",
    "status": "published",
    "thumbnail": None,
    "images": [{"id": "img_1", "url": "https://example.test/1.jpg", "rank": 0}],
    "options": [{"id": "opt_1", "title": "Size", "values": ["Small", "Medium", "Large"]}],
    "variants": [
        {
            "id": f"variant_{size}",
            "title": size,
            "sku": f"SHIRT-{size}",
            "variant_rank": rank,
            "manage_inventory": True,
            "allow_backorder": False,
            "inventory_quantity": 45,
            "options": {"Size": size},
            "prices": [{"currency_code": "usd", "amount": 29.99}],
        }
        for rank, size in enumerate(("Small", "Medium", "Large"))
    ],
    "metadata": {},
    "created_at": "2026-11-23T04:00:00.000Z",
    "updated_at": "2026-11-23T04:00:00.000Z",
}
Connection = psycopg.Connection[Any]


def main(
    dsn: Annotated[
        str, typer.Option(envvar="POSTGRES_DSN", help="A superuser's, with the outbox migrated.")
    ],
    *,
    rounds: Annotated[int, typer.Option(min=10, max=100_000, help="Pairs per line.")] = 2000,
) -> None:
    """Print median and p95 of both kinds and of their difference, in milliseconds."""
    shown = Table("what is timed", "without", "with", "more (median)", "more (p95)", "budget")
    with psycopg.connect(dsn) as conn:
        conn.execute("drop schema if exists outbox_cost cascade")
        conn.execute("create schema outbox_cost")
        conn.execute("create table outbox_cost.product (id text primary key, title text)")
        conn.execute("insert into outbox_cost.product values ('bench', 'before')")
        conn.commit()
        for name, commits in (("statements alone", False), ("with commit", True)):
            without, with_event = measure(conn, rounds, commits=commits)
            more = sorted(b - a for a, b in zip(without, with_event, strict=True))
            shown.add_row(
                name,
                f"{statistics.median(without):.3f} ms",
                f"{statistics.median(with_event):.3f} ms",
                f"{statistics.median(more):.3f} ms",
                f"{more[int(len(more) * 0.95)]:.3f} ms",
                f"{BUDGET_MS} ms",
            )
        conn.execute("drop schema outbox_cost cascade")
    Console().print(shown)


def measure(conn: Connection, rounds: int, *, commits: bool) -> tuple[list[float], list[float]]:
    """Milliseconds of each write without and with its event, alternating."""
    event = NewEvent("bench", EventType.UPDATED, PRODUCT)
    without: list[float] = []
    with_event: list[float] = []
    for number in range(rounds + WARM_UP):
        a = timed(partial(update, conn, number, commits=commits))
        b = timed(partial(update, conn, number, event=event, commits=commits))
        if number >= WARM_UP:
            without.append(a)
            with_event.append(b)
        if not commits:
            conn.commit()
    return without, with_event


def update(conn: Connection, number: int, *, event: NewEvent | None = None, commits: bool) -> None:
    """One title UPDATE, with an event or without."""
    conn.execute(
        "update outbox_cost.product set title = %s where id = 'bench'", [f"Title {number}"]
    )
    if event is not None:
        publish(conn, event)
    if commits:
        conn.commit()


def timed(action: Callable[[], None]) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    typer.run(main)
