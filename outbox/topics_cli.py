"""The commands `outbox topics`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from outbox.console import broker, clear_errors, database, out, settings, table
from outbox.errors import TopicMismatchError
from outbox.routes import register_route, registered_routes
from outbox.settings import find_file
from outbox.topics import (
    TOPIC_PREFIX,
    Change,
    TopicsFile,
    apply,
    diff,
    read_topics,
    require_topics_of_routes,
)

app = typer.Typer(no_args_is_help=True, help="Topics and configs from one file, made explicitly.")

FileOption = Annotated[
    Path | None, typer.Option("--file", help="Topics file; default: OUTBOX_TOPICS_FILE.")
]


@app.command("apply")
def apply_command(
    file: FileOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference only.")] = False,
    grow: Annotated[
        bool,
        typer.Option("--grow", help="Add partitions; keys then go to other partitions than before"),
    ] = False,
) -> None:
    """Make missing topics and set configs that differ; twice is harmless."""
    with clear_errors(), broker() as kafka:
        wanted = _wanted(file)
        found = diff(wanted, kafka.topics(wanted.topics))
        _show(found)
        if dry_run:
            return
        done = apply(kafka, wanted, found, grow=grow)
        left = [change for change in found if change not in done]
        out.print(f"{len(done)} changes made" if done else "the topics are as the file wants them")
        if left:
            raise TopicMismatchError(
                "left as they are: "
                + ", ".join(f"{change.topic} ({change.item})" for change in left)
                + " (--grow adds partitions, and Kafka can't take any away; a replication factor "
                "is changed with kafka-reassign-partitions, or set OUTBOX_REPLICATION_FACTOR)"
            )


@app.command()
def check(file: FileOption = None) -> None:
    """Compare the file, the broker and the registered routes; exits with 1 when they differ."""
    with clear_errors(), broker() as kafka, database() as conn:
        wanted = _wanted(file)
        found = kafka.topics(wanted.topics)
        changes = diff(wanted, found)
        _show(changes)
        require_topics_of_routes(registered_routes(conn), wanted, found)
        if changes:
            raise TopicMismatchError("the broker differs from the file: run `outbox topics apply`")
        out.print("topics, file and routes agree")


@app.command()
def register(
    route: Annotated[str, typer.Argument(help="Events with it go to outbox.event.<route>.")],
    file: FileOption = None,
) -> None:
    """Let events take a route, once the file and the broker have its topic."""
    with clear_errors(), broker() as kafka, database() as conn:
        wanted = _wanted(file)
        require_topics_of_routes([route], wanted, kafka.topics([TOPIC_PREFIX + route]))
        register_route(conn, route)
        out.print(f"route {route} is registered")


def _wanted(file: Path | None) -> TopicsFile:
    chosen = settings()
    wanted = read_topics(find_file(file or chosen.topics_file))
    wanted = wanted.with_heartbeat_of(chosen.topic_prefix)
    if chosen.replication_factor is None:
        return wanted
    return wanted.model_copy(update={"replication_factor": chosen.replication_factor})


def _show(changes: Sequence[Change]) -> None:
    if not changes:
        return
    shown = table("topic", "change", "setting", "is", "wanted")
    for change in changes:
        shown.add_row(change.topic, change.kind, change.item, change.before, change.after)
    out.print(shown)
