"""What the commands share: output, clear errors, connections from settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from outbox.connector import Connect
from outbox.errors import OutboxError
from outbox.kafka_settings import KafkaSettings
from outbox.settings import OutboxSettings, load_settings
from outbox.topics import KafkaBroker

out = Console()
err = Console(stderr=True)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Show an expected error as one sentence and exit with 1."""
    try:
        yield
    except (OutboxError, psycopg.Error) as exc:
        err.print(f"outbox: {str(exc).strip()}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from exc


def settings() -> OutboxSettings:
    """`OUTBOX_*` and `CONNECT_URL`."""
    return load_settings(OutboxSettings)


@contextmanager
def database() -> Iterator[psycopg.Connection[Any]]:
    """An autocommitting connection as `OUTBOX_DSN` says."""
    with psycopg.connect(
        settings().require_dsn(), autocommit=True, connect_timeout=10, application_name="outbox"
    ) as conn:
        yield conn


def connect_api() -> Connect:
    """Kafka Connect at `CONNECT_URL`."""
    return Connect(settings().connect_url)


def broker() -> KafkaBroker:
    """Kafka at `KAFKA_BOOTSTRAP_SERVERS`."""
    kafka = load_settings(KafkaSettings)
    return KafkaBroker(kafka.bootstrap_servers, kafka.client_options())


def table(*columns: str) -> Table:
    """A plain table with these columns."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
