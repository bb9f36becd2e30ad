"""`python -m deploy.local`: start, stop and look at the stack."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.errors import LocalStackError
from deploy.local.install import Packages, packages_directory
from deploy.local.instance import DEFAULT_DIRECTORY
from deploy.local.process import TAIL_LINES, Cancel, run
from deploy.local.progress import Shown
from deploy.local.stack import OWN_FILES, OWN_FOLDERS, PartState, Stack

app = typer.Typer(
    help="The whole stack as ordinary processes on this machine: no Docker needed.",
    no_args_is_help=True,
    add_completion=False,
)
console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)

Directory = Annotated[
    Path,
    typer.Option(envvar="LOCAL_DIRECTORY", help="Data, logs and secrets of this instance."),
]
PortBase = Annotated[
    int | None,
    typer.Option(
        envvar="LOCAL_PORT_BASE",
        min=1024,
        max=31000,
        help="First port of the block; 8000, or the one this directory was last started with.",
    ),
]
Parts = Annotated[list[str] | None, typer.Argument(help="Parts by name; all when none is named.")]


@app.command()
def up(
    parts: Parts = None, directory: Directory = DEFAULT_DIRECTORY, port_base: PortBase = None
) -> None:
    """Start whatever is not running, with all it needs, and wait until it is ready.

    Twice is harmless. When it fails or is interrupted, what it started is stopped again.
    """
    progress = Shown(console)
    with reported(), interruptible() as cancel, progress.live():
        stack = Stack(directory, port_base, progress)
        stack.up(parts or (), cancel)
    console.print(f"ready; addresses and logins: {stack.instance.environment_file}")


@app.command()
def down(
    parts: Parts = None,
    directory: Directory = DEFAULT_DIRECTORY,
    port_base: PortBase = None,
    wipe: Annotated[bool, typer.Option(help="Also remove data, logs and secrets.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Wipe without asking.")] = False,
) -> None:
    """Stop the stack; data is kept unless --wipe is given."""
    with reported():
        stack = Stack(directory, port_base)
        if wipe:
            names = ", ".join((*OWN_FOLDERS, *OWN_FILES))
            console.print(f"--wipe removes from {stack.instance.directory}: {names}")
            if not yes:
                typer.confirm("All data of this instance will be lost. Go on?", abort=True)
        stopped = stack.down(parts or (), wipe=wipe)
    console.print(f"stopped: {', '.join(stopped) if stopped else 'nothing was running'}")


@app.command()
def status(directory: Directory = DEFAULT_DIRECTORY, port_base: PortBase = None) -> None:
    """Show every server and the connector; exit code 0 only when all of them are ready."""
    with reported():
        states = Stack(directory, port_base).status()
    console.print(_table(states))
    if any(state.state != "ready" for state in states):
        raise typer.Exit(1)


@app.command()
def logs(
    part: Annotated[str, typer.Argument(help="A server by name.")],
    lines: Annotated[int, typer.Option(min=1, max=10_000)] = TAIL_LINES,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Print the end of a server's log."""
    with reported():
        daemon = Stack(directory).server(part).daemon
    console.print(daemon.tail(lines), markup=False, highlight=False)


@app.command()
def check_emulator() -> None:
    """Type-check the emulator's TypeScript with the packages of its lock file."""
    packages = Packages(packages_directory())
    with reported(), interruptible() as cancel:
        packages.ensure_emulator(console.print, cancel)
        console.print(run("check of the emulator", packages.npm("run", "check"), cancel).strip())


@contextmanager
def reported() -> Iterator[None]:
    """Turn an error of the stack, or of the disk below it, into its sentence and exit code 1."""
    try:
        yield
    except PermissionError as exc:
        _fail(f"{exc}: it belongs to another user; run this as that user, or use --directory", exc)
    except OSError as exc:
        _fail(str(exc), exc)
    except LocalStackError as exc:
        _fail(str(exc), exc)


def _fail(message: str, cause: Exception) -> NoReturn:
    errors.print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(1) from cause


@contextmanager
def interruptible() -> Iterator[Cancel]:
    """An event that SIGINT, SIGTERM and SIGHUP set; once set, further ones change nothing."""
    cancel = threading.Event()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        cancel.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _table(states: list[PartState]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("part", "state", "pid", "port", "uptime"):
        table.add_column(heading, no_wrap=True)
    table.add_column("log", overflow="fold")
    for state in states:
        style = "green" if state.state == "ready" else "red"
        table.add_row(
            state.part,
            f"[{style}]{state.state}[/{style}]",
            str(state.pid or "-"),
            str(state.port or "-"),
            "-" if state.uptime_seconds is None else f"{state.uptime_seconds:.0f} s",
            str(state.log or "-"),
        )
    return table
