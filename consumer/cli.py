"""The command `consumer`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import psycopg
import typer
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress

from consumer.content_lake import ContentLake
from consumer.errors import ConsumerError
from consumer.ledger import PostgresLedger, migrate_ledger
from consumer.log import configure_logging
from consumer.operations.prune import old_tombstones, remove_tombstones
from consumer.service import Service, open_ledger
from consumer.settings import ConsumerSettings, SanitySettings, load_settings
from outbox.kafka_settings import KafkaSettings

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Keeps Sanity in step with the product events on Kafka. Settings come from the "
    "environment: SANITY_*, KAFKA_* and CONSUMER_* (see .env.example).",
)
errors = Console(stderr=True)
out = Console()


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Shows an expected error as one sentence, and exits with 1."""
    try:
        yield
    except (ConsumerError, KafkaError, psycopg.Error) as exc:
        errors.print(f"consumer: {exc}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from exc


@app.command()
def run() -> None:
    """Apply events until SIGTERM: the batch in hand is finished, then the group is left."""
    with _clear_errors():
        consumer = load_settings(ConsumerSettings)
        configure_logging(consumer.log_level)
        Service(consumer, load_settings(KafkaSettings), load_settings(SanitySettings)).run()


@app.command()
def migrate() -> None:
    """Bring the ledger's schema up to date (CONSUMER_LEDGER_DSN); twice is harmless."""
    with _clear_errors():
        consumer = load_settings(ConsumerSettings)
        if consumer.ledger_dsn is None:
            errors.print("consumer: set CONSUMER_LEDGER_DSN to the ledger's database", style="red")
            raise typer.Exit(1)
        applied = migrate_ledger(consumer.ledger_dsn.get_secret_value())
        out.print("\n".join(f"applied {name}" for name in applied) or "the ledger is up to date")


@app.command()
def prune(
    *,
    execute: Annotated[bool, typer.Option("--execute", help="Delete; else only count.")] = False,
    days: Annotated[
        int | None,
        typer.Option(min=15, max=3_650, help="Age in days; default CONSUMER_TOMBSTONE_DAYS."),
    ] = None,
) -> None:
    """Remove old tombstones (with what they kept) and old ledger entries. A dry run by default."""
    with _clear_errors():
        consumer, sanity = load_settings(ConsumerSettings), load_settings(SanitySettings)
        before = datetime.now(UTC) - timedelta(days=days or consumer.tombstone_days)
        lake = ContentLake(sanity)
        count = 0
        with Progress(console=errors) as progress:
            task = progress.add_task("tombstones", total=None)
            for page in old_tombstones(lake, before):
                if execute:
                    remove_tombstones(lake, page)
                count += len(page)
                progress.update(task, completed=count)
        verb = "removed" if execute else "would remove"
        out.print(f"{verb} {count} tombstones made before {before:%Y-%m-%d %H:%M} UTC")
        ledger = open_ledger(consumer, sanity)
        if execute and isinstance(ledger, PostgresLedger):
            out.print(f"removed {ledger.prune(consumer.ledger_days)} ledger entries")
        ledger.close()
