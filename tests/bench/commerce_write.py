"""`python -m tests.bench.commerce_write`: what the event costs a product write, paired in one run.

Two services on one database, one publishing its events and one not, are asked in turn to rename
a product each; the medians of their answers' times are compared. Then the same inside Postgres:
one UPDATE and its commit, with and without `publish`.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from typing import Annotated, Any, Final

import httpx
import psycopg
import structlog
import typer
from rich.progress import track

from commerce import sql
from commerce.access_token import Identity, Tokens
from commerce.app import create_app
from commerce.database import Connection
from commerce.payload import state
from commerce.product import Change
from commerce.publisher import Origin, OutboxPublisher, Publisher
from commerce.server import server
from commerce.settings import Settings
from outbox import NewEvent, publish
from outbox.grants import grant_publish
from outbox.migrate import MIGRATIONS, migrate
from tests.integration.commerce.conftest import (
    SECRET,
    Database,
    fresh_database,
    listening_socket,
    t_shirt,
)
from tests.unit.commerce.factory import t_shirt as whole_product

WARM_UP: Final = 100
BUDGET_RATIO: Final = 1.10
BUDGET_MS: Final = 0.3

Write = Callable[[int], object]


class SilentPublisher:
    """Publishes nothing."""

    async def publish(
        self, conn: Connection, changes: Sequence[Change], origin: Origin
    ) -> Mapping[str, int]:
        """As `Publisher`."""
        del conn, changes, origin
        return {}


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of each write; the entries of both lists are pairs."""

    without: Sequence[float]
    with_event: Sequence[float]

    def told(self, noun: str) -> str:
        """Medians, and the 10th percentile: what is left of it on a machine with other work."""
        pairs = zip(self.without, self.with_event, strict=True)
        difference = statistics.median(late - early for early, late in pairs)
        lines = [f"{noun}: {difference:+.2f} ms in the median pair"]
        for name, place in (("p50", 4), ("p10", 0)):
            without, with_event = (
                statistics.quantiles(times, n=10)[place]
                for times in (self.without, self.with_event)
            )
            lines.append(
                f"  {name}: without event {without:.2f} ms, with {with_event:.2f} ms, "
                f"ratio {with_event / without:.3f}"
            )
        return "\n".join(lines)


def main(
    dsn: Annotated[
        str, typer.Option(envvar="POSTGRES_DSN", help="A superuser's, on a server with our roles.")
    ],
    *,
    pairs: Annotated[int, typer.Option(min=20, max=100_000, help="Measured pairs.")] = 500,
) -> None:
    """Compare writes with and without their event."""
    with fresh_database(dsn) as database:
        with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
            migrate(conn, MIGRATIONS, schema="outbox")
            migrate(conn, sql.MIGRATIONS, schema="commerce")
            grant_publish(conn, "commerce_app")
        with renaming(database, events=False) as quiet, renaming(database, events=True) as loud:
            request = compare(quiet, loud, pairs)
        with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
            inside = compare(*inside_postgres(conn), pairs)
    typer.echo(request.told("Admin API request"))
    typer.echo(inside.told("inside Postgres"))
    typer.echo(f"budgets: ratio {BUDGET_RATIO} of the request, {BUDGET_MS} ms inside Postgres")


def compare(quiet: Write, loud: Write, pairs: int) -> Cost:
    """Run both in turn, so that whatever else the machine does falls on both."""
    for number in range(WARM_UP):
        quiet(-number)
        loud(-number)
    without: list[float] = []
    with_event: list[float] = []
    for number in track(range(1, pairs + 1), "measuring", transient=True):
        # Each goes first as often as the other.
        for write, times in ((quiet, without), (loud, with_event))[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            write(number)
            times.append((time.perf_counter() - started) * 1000)
    return Cost(without, with_event)


@contextmanager
def renaming(database: Database, *, events: bool) -> Iterator[Write]:
    """A service in a process of its own, and the request that renames its product."""
    ours, theirs = get_context("spawn").Pipe()
    arguments = (database.service_dsn, events, theirs)
    process = get_context("spawn").Process(target=serve, args=arguments, daemon=True)
    process.start()
    try:
        url, token = ours.recv()
        bearer = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=bearer, timeout=30) as http:
            body = t_shirt(handle=f"shirt-{events}".lower(), variants=[])
            product_id = http.post("/admin/products", json=body).json()["product"]["id"]

            def rename(number: int) -> None:
                path = f"/admin/products/{product_id}"
                http.post(path, json={"title": f"Shirt {number}"}).raise_for_status()

            yield rename
    finally:
        process.terminate()
        process.join()


def serve(dsn: str, events: bool, pipe: "Pipe[Any, Any]") -> None:
    """Serve until terminated; tells address and token through the pipe."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    publisher: Publisher = OutboxPublisher() if events else SilentPublisher()
    settings = Settings.model_validate({"postgres_dsn": dsn, "jwt_secret": SECRET})
    app = create_app(settings, publisher)
    tokens: Tokens = app.state.services.tokens
    with listening_socket() as listening:
        token = tokens.issue(Identity("user_1", "authid_1"))
        pipe.send((f"http://127.0.0.1:{listening.getsockname()[1]}", token))
        server(app, settings).run(sockets=[listening])


def inside_postgres(conn: psycopg.Connection[Any]) -> tuple[Write, Write]:
    """One UPDATE in a transaction, without and with the event."""
    rename = "update commerce.product set title = %s where id = %s"
    first, second = (row[0] for row in conn.execute("select id from commerce.product").fetchall())
    payload = state(whole_product())

    def quiet(number: int) -> None:
        with conn.transaction():
            conn.execute(rename, [str(number), first])

    def loud(number: int) -> None:
        with conn.transaction():
            conn.execute(rename, [str(number), second])
            publish(conn, NewEvent(second, "product.updated", payload))

    return quiet, loud


if __name__ == "__main__":
    typer.run(main)
