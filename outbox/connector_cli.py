"""The commands `outbox connector`."""

from pathlib import Path
from typing import Annotated

import typer

from outbox.canary import send_canary
from outbox.connector import changes, read_config, require_destination, require_source
from outbox.connector import register as register_connector
from outbox.console import broker, clear_errors, connect_api, database, out, settings, table
from outbox.errors import ConnectorError, ConnectorMissingError, ConnectorRefusedError
from outbox.kafka_settings import KafkaSettings
from outbox.settings import find_file, load_settings

app = typer.Typer(
    no_args_is_help=True, help="The Debezium connector's life cycle over Kafka Connect."
)

Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


@app.command()
def register(
    file: Annotated[
        Path | None, typer.Option("--file", help="Connector file; default: OUTBOX_CONNECTOR_FILE.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check what it needs and show the difference only.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds to wait until it runs.")
    ] = 60.0,
) -> None:
    """Create or update the connector; refused unless publication, slot and topics are there."""
    with clear_errors(), connect_api() as connect, broker() as kafka, database() as conn:
        chosen = settings()
        config = read_config(find_file(file or chosen.connector_file), chosen.connector_overrides())
        if dry_run:
            require_source(conn, config)
            require_destination(conn, kafka, config)
            try:
                before = connect.config(chosen.connector)
            except ConnectorMissingError:
                before = {}
            shown = table("setting", "is", "wanted")
            for key, (old, new) in changes(before, config).items():
                shown.add_row(key, old, new)
            out.print(shown)
            return
        status = register_connector(
            connect, conn, kafka, config, name=chosen.connector, timeout_seconds=timeout
        )
        out.print(f"connector {chosen.connector} is {status.connector}")


@app.command()
def status(
    canary: Annotated[
        bool, typer.Option(help="Send an event through; without it RUNNING proves nothing.")
    ] = True,
) -> None:
    """State of connector and task, and a canary that came through; exits with 1 unless healthy."""
    with clear_errors(), connect_api() as connect:
        chosen = settings()
        found = connect.status(chosen.connector)
        out.print(f"connector {found.connector}, task {', '.join(found.tasks) or 'none'}")
        if found.trace:
            out.print(found.trace, markup=False, highlight=False)
        if not found.is_running:
            raise ConnectorError(f"connector {chosen.connector} does not run")
        if canary:
            kafka = load_settings(KafkaSettings)
            with database() as conn:
                seconds = send_canary(
                    conn,
                    kafka.bootstrap_servers,
                    timeout_seconds=chosen.canary_timeout_seconds,
                    settings=kafka.client_options(),
                )
            out.print(f"a canary came through in {seconds * 1000:.0f} ms")


@app.command()
def restart(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what runs; default: what has failed.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, max=600)] = 60.0,
) -> None:
    """Start a failed connector or task again, and wait until it runs."""
    with clear_errors(), connect_api() as connect:
        name = settings().connector
        connect.restart(name, only_failed=not everything)
        connect.wait_until_running(name, timeout_seconds=timeout)
        out.print(f"connector {name} runs")


@app.command()
def pause() -> None:
    """Read nothing for a while; the slot holds back WAL meanwhile."""
    with clear_errors(), connect_api() as connect:
        connect.pause(settings().connector)
        out.print("paused; `outbox connector resume` goes on")


@app.command()
def resume() -> None:
    """Go on after pause or stop."""
    with clear_errors(), connect_api() as connect:
        name = settings().connector
        connect.resume(name)
        connect.wait_until_running(name)
        out.print(f"connector {name} runs")


@app.command()
def stop() -> None:
    """End the task; configuration and offsets stay."""
    with clear_errors(), connect_api() as connect:
        connect.stop(settings().connector)
        out.print("stopped; `outbox connector resume` goes on")


@app.command("reset-offsets")
def reset_offsets(yes: Yes = False) -> None:
    """Forget where a stopped connector has read to: it goes on where the slot stands.

    Needed after a lost slot was made anew. Events between are not sent by themselves.
    """
    with clear_errors(), connect_api() as connect:
        name = settings().connector
        if connect.status(name).connector != "STOPPED":
            raise ConnectorRefusedError("run `outbox connector stop` first")
        if not yes:
            typer.confirm(f"Forget the offsets of connector {name}?", abort=True)
        connect.reset_offsets(name)
        out.print("offsets are forgotten; `outbox connector resume` starts at the slot")


@app.command()
def delete(yes: Yes = False) -> None:
    """Remove the connector. The slot stays, and holds back WAL until somebody reads it."""
    with clear_errors(), connect_api() as connect:
        name = settings().connector
        if not yes:
            typer.confirm(f"Delete connector {name}? Its slot stays.", abort=True)
        connect.delete(name)
        out.print(f"connector {name} is deleted; its slot stays")
