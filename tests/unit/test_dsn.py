"""A mistyped DSN is named by its variable, and never shown: it holds a password."""

import os

import pytest
import typer
from typer.testing import CliRunner

from commerce.cli import app as commerce
from consumer.cli import app as consumer
from outbox.cli import app as outbox

COMMANDS = [
    (outbox, "partitions", "OUTBOX_DSN"),
    (outbox, "maintain", "OUTBOX_DSN"),
    (consumer, "migrate", "CONSUMER_LEDGER_DSN"),
    (consumer, "run", "CONSUMER_LEDGER_DSN"),
    (commerce, "migrate", "COMMERCE_POSTGRES_DSN"),
    (commerce, "serve", "COMMERCE_POSTGRES_DSN"),
]
MISTYPED = [
    "owner:hunter2@127.0.0.1:1/shop",
    "postgres//owner:hunter2@127.0.0.1:1/shop",
    "host=127.0.0.1 port=1 password hunter2",
    "host=127.0.0.1 port=1 pasword=hunter2",
    "postgresql://owner:pass hunter2@127.0.0.1:1/shop",
    "postgresql://owner:p@hunter2@127.0.0.1:1/shop",
    "postgresql://owner:hunter2/word@127.0.0.1:1/shop",
]


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OUTBOX_", "CONSUMER_", "COMMERCE_", "SANITY_", "KAFKA_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("dsn", MISTYPED)
@pytest.mark.parametrize(("app", "command", "name"), COMMANDS)
def test_a_mistyped_dsn_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, app: typer.Typer, command: str, name: str, dsn: str
) -> None:
    monkeypatch.setenv(name, dsn)

    done = CliRunner().invoke(app, [command])

    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)  # and so no traceback
    assert name in done.output
    assert "hunter2" not in done.output


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://owner:secret@127.0.0.1:1/shop?sslmode=require",
        "postgresql://owner:p%40ss%2Fword@127.0.0.1:1,127.0.0.1:2/shop",
        "postgresql:///shop?host=/nowhere",
        "host=127.0.0.1 port=1 dbname=shop user=owner password='p@ss /word'",
    ],
)
def test_what_libpq_reads_is_taken(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv("OUTBOX_DSN", dsn)

    done = CliRunner().invoke(outbox, ["partitions"])

    assert done.exit_code == 1  # nobody answers there
    assert "OUTBOX_DSN" not in done.output
    assert "connect" in done.output
