"""The command `outbox`."""

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import psycopg
import typer

from outbox import connector_cli, topics_cli
from outbox.canary import send_canary
from outbox.console import broker, clear_errors, connect_api, database, out, settings, table
from outbox.errors import (
    ConnectorError,
    MigrationError,
    OutboxError,
    RetentionError,
    UnreadPartitionError,
)
from outbox.grants import grant_publish, grant_replication
from outbox.kafka_settings import KafkaSettings
from outbox.log import configure_logging
from outbox.migrate import MIGRATIONS, SCHEMA, migrate, pending
from outbox.replication import prepare_replication, require_publication, require_slot
from outbox.retention import Policy, partitions, plan
from outbox.revisions import HIGHEST_FLOOR, MARGIN, plan_advance, raise_floor
from outbox.routes import registered_routes
from outbox.settings import find_file, load_settings
from outbox.topics import (
    HEARTBEAT_PREFIX,
    read_topics,
    require_topics,
    require_topics_of_routes,
)
from outbox.upkeep import round_of_upkeep, run, stop_on_signals

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The transactional outbox: schema, topics, connector and upkeep. Settings come from the "
    "environment: OUTBOX_DSN, OUTBOX_*, CONNECT_URL and KAFKA_* (see .env.example).",
)
app.add_typer(topics_cli.app, name="topics")
app.add_typer(connector_cli.app, name="connector")


@app.command("migrate")
def migrate_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Name what is missing only.")] = False,
    replication: Annotated[
        bool, typer.Option(help="Make the publication and the replication slot too.")
    ] = True,
    recreate_slot: Annotated[
        bool,
        typer.Option(
            "--recreate-slot",
            help="Make a lost slot anew. Events of the gap are gone: publish them again.",
        ),
    ] = False,
) -> None:
    """Bring schema outbox up to date: tables, rights, publication, replication slot.

    Twice is harmless. The publication and the slot come before the first event, so none is missed.
    """
    with clear_errors(), database() as conn:
        chosen = settings()
        if dry_run:
            _show_lines(pending(conn, MIGRATIONS, schema=SCHEMA), "would apply", "up to date")
            return
        _show_lines(migrate(conn, MIGRATIONS, schema=SCHEMA), "applied", "schema is up to date")
        grant_publish(conn, chosen.publisher_role)
        grant_replication(conn, chosen.replication_role)
        if replication:
            made = prepare_replication(
                conn,
                publication=chosen.publication,
                slot=chosen.slot,
                recreate_slot=recreate_slot,
            )
            _show_lines(made, "made", "publication and slot are in order")


@app.command()
def status(
    canary: Annotated[bool, typer.Option(help="Send an event through as well.")] = True,
) -> None:
    """Every part of the way from Postgres to Kafka; exits with 1 unless all is well."""
    with clear_errors(), database() as conn:
        checks: dict[str, Callable[[], str]] = {
            "schema": lambda: _schema_state(conn),
            "publication": lambda: _publication_state(conn),
            "slot": lambda: _slot_state(conn),
            "partitions": lambda: _partition_state(conn),
            "topics": lambda: _topic_state(conn),
            "connector": _connector_state,
        }
        if canary:
            checks["canary"] = lambda: f"came through in {_canary(conn) * 1000:.0f} ms"
        shown = table("part", "", "state")
        failed = []
        for part, check in checks.items():
            try:
                shown.add_row(part, "[green]ok[/]", check())
            except (OutboxError, psycopg.Error) as exc:
                failed.append(part)
                shown.add_row(part, "[red]failed[/]", str(exc).strip())
        out.print(shown)
        if failed:
            raise typer.Exit(1)


@app.command()
def canary(
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many, one after another.")] = 1,
) -> None:
    """Send an event from Postgres to Kafka and time it; exits with 1 when it doesn't come."""
    with clear_errors(), database() as conn:
        for _ in range(count):
            out.print(f"came through in {_canary(conn) * 1000:.1f} ms")


@app.command()
def maintain(
    once: Annotated[bool, typer.Option("--once", help="One round, for a scheduler.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what a round would do.")] = False,
    drop_unread: Annotated[
        bool,
        typer.Option(
            "--drop-unread", help="Drop old days although the slot has not passed them (once only)."
        ),
    ] = False,
) -> None:
    """Make days ahead and drop old ones, until SIGTERM; no product write waits for it."""
    with clear_errors():
        chosen = settings()
        policy = Policy(chosen.keep_days, chosen.days_ahead, chosen.slot, drop_unread)
        if dry_run:
            with database() as conn:
                shown = table("step", "partitions")
                for step, names in asdict(plan(conn, policy)).items():
                    shown.add_row(step, ", ".join(names) or "-")
                out.print(shown)
            return
        configure_logging()
        if once:
            _one_round(chosen.require_dsn(), policy)
            return
        if drop_unread:
            raise RetentionError("--drop-unread goes with --once: it is no standing order")
        stop = threading.Event()
        restore = stop_on_signals(stop)
        try:
            run(chosen.require_dsn(), policy, chosen.maintain_interval_seconds, stop)
        finally:
            restore()


@app.command("advance-revisions")
def advance_revisions(
    execute: Annotated[
        bool, typer.Option("--execute", help="Raise the floor; else only tell what would be done.")
    ] = False,
    to: Annotated[
        int | None,
        typer.Option(min=1, max=HIGHEST_FLOOR, help="The new floor; default: the highest + margin"),
    ] = None,
    margin: Annotated[
        int,
        typer.Option(
            min=1,
            max=10**12,
            help="How far above the highest known revision: more than one product was written "
            "since the backup was made.",
        ),
    ] = MARGIN,
) -> None:
    """Let every publish jump over all revisions given out. A dry run by default.

    For a database that was restored from a backup: its counters stand where they stood then, and
    consumers ignore revisions that they have seen. Then publish every product (a bulk sync).
    """
    with clear_errors(), database() as conn:
        advance = plan_advance(conn, to, margin)
        if execute:
            raise_floor(conn, advance)
        verb = "raised" if execute else "would raise"
        out.print(
            f"{verb} the floor of revisions from {advance.floor:,} to {advance.to:,}; the highest "
            f"that this database knows is {advance.highest:,}",
            soft_wrap=True,
        )
        follow = "now publish every product (a bulk sync)" if execute else "--execute does it"
        out.print(follow)


@app.command("partitions")
def partitions_command() -> None:
    """The days of the outbox, oldest first, with their sizes."""
    with clear_errors(), database() as conn:
        shown = table("partition", "state", "from", "to", "bytes")
        for part in partitions(conn):
            bounds = [str(bound or "-") for bound in (part.lower, part.upper)]
            shown.add_row(part.name, part.state, *bounds, f"{part.bytes:,}")
        out.print(shown)


def _one_round(dsn: str, policy: Policy) -> None:
    report = round_of_upkeep(dsn, policy)
    if report.unread:
        raise UnreadPartitionError(
            f"kept, since slot {policy.slot} has not passed them: {', '.join(report.unread)}"
        )
    if report.postponed:
        raise RetentionError(f"left for the next round: {', '.join(report.postponed)}")


def _canary(conn: psycopg.Connection[Any]) -> float:
    kafka = load_settings(KafkaSettings)
    return send_canary(
        conn,
        kafka.bootstrap_servers,
        timeout_seconds=settings().canary_timeout_seconds,
        settings=kafka.client_options(),
    )


def _schema_state(conn: psycopg.Connection[Any]) -> str:
    missing = pending(conn, MIGRATIONS, schema=SCHEMA)
    if missing:
        raise MigrationError(f"not applied: {', '.join(missing)}; run `outbox migrate`")
    return "up to date"


def _publication_state(conn: psycopg.Connection[Any]) -> str:
    require_publication(conn, settings().publication)
    return "publishes through the partition root"


def _slot_state(conn: psycopg.Connection[Any]) -> str:
    slot = require_slot(conn, settings().slot)
    reader = "being read" if slot.active else "nobody reads it"
    room = f", {slot.safe_wal_size:,} bytes until it is lost" if slot.safe_wal_size else ""
    return f"{reader}, {slot.unread_bytes or 0:,} bytes unread{room}"


def _partition_state(conn: psycopg.Connection[Any]) -> str:
    wanted = plan(conn, Policy(settings().keep_days, settings().days_ahead, settings().slot))
    if wanted.made or wanted.unread:
        raise RetentionError(
            f"missing: {', '.join(wanted.made) or '-'}; old and unread: "
            f"{', '.join(wanted.unread) or '-'}; does `outbox maintain` run?"
        )
    days = [part for part in partitions(conn) if part.state == "attached"]
    return f"{len(days)}, the last is {days[-1].name}"


def _topic_state(conn: psycopg.Connection[Any]) -> str:
    chosen = settings()
    wanted = read_topics(find_file(chosen.topics_file)).with_heartbeat_of(chosen.topic_prefix)
    with broker() as kafka:
        found = kafka.topics(wanted.topics)
    require_topics([HEARTBEAT_PREFIX + chosen.topic_prefix], found)
    require_topics_of_routes(registered_routes(conn), wanted, found)
    return f"{len(found)} of {len(wanted.topics)}, one for each registered route"


def _connector_state() -> str:
    name = settings().connector
    with connect_api() as connect:
        found = connect.status(name)
    if not found.is_running:
        raise ConnectorError(f"connector {found.connector}, task {', '.join(found.tasks)}")
    return "running, which a canary has to prove"


def _show_lines(names: list[str], done: str, nothing: str) -> None:
    for name in names:
        out.print(f"{done} {name}")
    if not names:
        out.print(nothing)
