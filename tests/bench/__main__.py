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
from tests.bench import commerce_write, outbox_cost
from tests.bench.latency import measure

FIRST_BASE: Final = 16000
PAIRS: Final = 500

app = typer.Typer(add_completion=False)
console = Console(soft_wrap=True)


@app.command()
def bench(
    *,
    events: Annotated[int, typer.Option(min=10, max=10_000, help="Measured events.")] = 120,
    every_ms: Annotated[int, typer.Option(min=1, max=60_000, help="Pause between them.")] = 500,
) -> None:
    """Latency from write to document, and what an event costs its writer; on a stack of its own."""
    with reported(), free_base(FIRST_BASE) as ports:
        progress = Shown(console)
        directory = ROOT / ".local" / f"bench-{ports.base}"
        stack = Stack(directory, ports.base, progress)
        try:
            with interruptible() as cancel, progress.live():
                stack.up(cancel=cancel)
            values = addresses(stack.instance)
            figures = measure(values, events=events, every_ms=every_ms)
            console.print(figures.told(), highlight=False)
            console.print("\nan UPDATE of a title in Postgres, without and with its event")
            outbox_cost.main(values["POSTGRES_DSN"], rounds=PAIRS)
            console.print("\na title changed over the Admin API, without and with its event")
            commerce_write.main(values["POSTGRES_DSN"], pairs=PAIRS)
        finally:
            with interruptible():
                stack.down(wipe=True)
                shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    app()
