"""`make bench`: latency from write to document, and what a product costs in requests."""

import shutil
from typing import Annotated, Final

import typer
from rich.console import Console

from deploy.local.addresses import addresses
from deploy.local.cli import interruptible, reported
from deploy.local.install import ROOT
from deploy.local.ports import free_base
from deploy.local.progress import Shown
from deploy.local.stack import Stack
from tests.bench.latency import measure

FIRST_BASE: Final = 16000

app = typer.Typer(add_completion=False)
console = Console(soft_wrap=True)


@app.command()
def bench(
    *,
    events: Annotated[int, typer.Option(min=10, max=10_000, help="Measured events.")] = 120,
    every_ms: Annotated[int, typer.Option(min=1, max=60_000, help="Pause between them.")] = 500,
) -> None:
    """Write one event at a time, on a stack of its own, and time it until its document is there."""
    with reported(), free_base(FIRST_BASE) as ports:
        progress = Shown(console)
        directory = ROOT / ".local" / f"bench-{ports.base}"
        stack = Stack(directory, ports.base, progress)
        try:
            with interruptible() as cancel, progress.live():
                stack.up(cancel=cancel)
            figures = measure(addresses(stack.instance), events=events, every_ms=every_ms)
            console.print(figures.told(), highlight=False)
        finally:
            with interruptible():
                stack.down(wipe=True)
                shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    app()
