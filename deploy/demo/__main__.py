"""`python -m deploy.demo`: starts real servers of its own, plays the story, cleans up."""

import shutil
import signal
import time
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from commerce.sample import load_catalogue, load_content
from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.demo.story import Story
from deploy.demo.trace import Trace
from deploy.local.addresses import addresses
from deploy.local.cli import interruptible, reported
from deploy.local.install import ROOT
from deploy.local.ports import free_base
from deploy.local.progress import Shown
from deploy.local.stack import Stack

FIRST_BASE: Final = 10000

app = typer.Typer(add_completion=False)
console = Console(soft_wrap=True)


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option(help="Leave the servers running, to look around.")] = False,
) -> None:
    """Create, rename, enrich and delete products on real servers, and show what happens where."""
    started = time.monotonic()
    with reported(), free_base(FIRST_BASE) as ports:
        progress = Shown(console)
        directory = ROOT / ".local" / f"demo-{ports.base}"
        stack = Stack(directory, ports.base, progress)
        try:
            console.print(
                "Starting Postgres, Kafka, Connect with Debezium, the Sanity emulator ..."
            )
            with interruptible() as cancel, progress.live():
                stack.up(cancel=cancel)
            console.print(f"all ready after {time.monotonic() - started:.0f} s")
            signal.signal(signal.SIGTERM, _interrupt)
            is_equal = _play(addresses(stack.instance))
        finally:
            with interruptible():  # a second Ctrl-C must not leave servers behind
                _leave(stack, directory, keep=keep)
    console.print(f"\ndone in {time.monotonic() - started:.0f} s")
    raise typer.Exit(0 if is_equal else 1)


def _play(values: dict[str, str]) -> bool:
    editor = Editor(
        values["SANITY_API_HOST"],
        project_id=values["SANITY_PROJECT_ID"],
        dataset=values["SANITY_DATASET"],
        token=values["SANITY_EDITOR_TOKEN"],
    )
    admin = Admin(
        values["COMMERCE_URL"], values["COMMERCE_ADMIN_EMAIL"], values["COMMERCE_ADMIN_PASSWORD"]
    )
    with (
        closing(editor),
        closing(admin),
        Trace(
            postgres_dsn=values["POSTGRES_DSN"],
            bootstrap_servers=values["KAFKA_BOOTSTRAP_SERVERS"],
            editor=editor,
        ) as trace,
    ):
        story = Story(
            console=console,
            admin=admin,
            editor=editor,
            trace=trace,
            products=load_catalogue(values["COMMERCE_URL"]),
            content=load_content(),
        )
        return story.play()


def _leave(stack: Stack, directory: Path, *, keep: bool) -> None:
    if keep:
        console.print(
            f"\nstill running; python -m deploy.local down --wipe --directory {directory}"
        )
        return
    stack.down(wipe=True)
    shutil.rmtree(directory, ignore_errors=True)
    console.print("\nstopped, and removed what it wrote")


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    app()
