"""The command `commerce`: the service itself, its schema, its first user, products to try it on."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Annotated, Any, Final

import psycopg
import typer
from psycopg_pool import PoolTimeout
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from commerce import log
from commerce.account import Accounts
from commerce.app import create_app
from commerce.catalog import Catalog
from commerce.command import CreateProduct
from commerce.database import Pool, new_pool
from commerce.errors import CommerceError, DuplicateError
from commerce.publisher import Origin
from commerce.sample import load_commands
from commerce.seed import plausible_products
from commerce.server import server
from commerce.settings import Settings, load_settings
from commerce.sql import MIGRATIONS
from outbox.errors import OutboxError
from outbox.migrate import migrate as migrate_schema
from outbox.migrate import pending

BATCH: Final = 50  # small transactions let live writes through between them

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False
)
out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


@app.command()
def serve() -> None:
    """Serve the Admin API until SIGTERM or Ctrl-C; requests under way are finished first."""
    with _told():
        settings = load_settings()
        log.configure(settings.log_format, settings.log_level)
        server(create_app(settings), settings).run()


@app.command()
def migrate(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Name the files that would run, and stop.")
    ] = False,
) -> None:
    """Bring schema `commerce` up to date; harmless when it is.

    Connects with COMMERCE_MIGRATION_DSN, the role that owns the schema, else with
    COMMERCE_POSTGRES_DSN.
    """
    with _told():
        dsn = load_settings().owner_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True, application_name="commerce migrate") as conn:
            act = pending if dry_run else migrate_schema
            names = act(conn, MIGRATIONS, schema="commerce")
    verb = "would apply" if dry_run else "applied"
    for name in names:
        out.print(f"{verb} {name}")
    if not names:
        out.print("schema commerce is up to date")


@app.command()
def create_admin(
    email: Annotated[
        str, typer.Option(envvar="COMMERCE_ADMIN_EMAIL", prompt=True, help="Log-in address.")
    ],
    password: Annotated[
        str,
        typer.Option(
            envvar="COMMERCE_ADMIN_PASSWORD",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
            help="8 characters or more; better by the variable than on the command line.",
        ),
    ],
    *,
    reset_password: Annotated[
        bool, typer.Option("--reset-password", help="Set it anew where the user exists.")
    ] = False,
) -> None:
    """Make a user who may log in to the Admin API; one who exists is left as they are."""

    async def work(pool: Pool, _: Settings) -> str:
        accounts = Accounts(pool)
        try:
            await accounts.create(email, SecretStr(password))
        except DuplicateError:
            if not reset_password:
                return f"{email} exists; --reset-password would set another password"
            await accounts.set_password(email, SecretStr(password))
            return f"{email} has the new password"
        return f"{email} may log in"

    with _told():
        out.print(_with_pool(work))


@app.command()
def seed(
    products: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="How many products there shall be.")
    ],
    *,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="The same seed makes the same products.")
    ] = 1,
    rate: Annotated[
        int,
        typer.Option(min=0, max=100_000, help="Products a second at most; 0: as fast as it goes."),
    ] = 1500,
    route: Annotated[
        str, typer.Option(help="Lane of the events: product.bulk lets live ones pass.")
    ] = "product.bulk",
) -> None:
    """Fill the catalogue with plausible products, each with its event.

    Products of the same seed that are there already are left out, so an interrupted run can be
    started again.
    """

    async def work(pool: Pool, settings: Settings) -> str:
        wanted = plausible_products(products, seed, settings.base_url)
        origin = Origin(source="seed", route=route)
        started = time.monotonic()
        made = await _create(Catalog(pool), wanted, products, origin, rate)
        seconds = time.monotonic() - started
        return f"{made} products made, {products - made} were there, in {seconds:.1f} s"

    with _told():
        out.print(_with_pool(work))


@app.command()
def sample() -> None:
    """Load the sample catalogue; products that are there already are left out."""

    async def work(pool: Pool, settings: Settings) -> str:
        commands = load_commands(settings.base_url)
        made = await _create(Catalog(pool), iter(commands), len(commands), Origin(source="seed"), 0)
        return f"{made} sample products made, {len(commands) - made} were there"

    with _told():
        out.print(_with_pool(work))


@app.command()
def restore(
    product_id: Annotated[str, typer.Argument(help="Id of a deleted product.")],
) -> None:
    """Bring a deleted product back under its id, as it was when it was deleted."""

    async def work(pool: Pool, _: Settings) -> str:
        product = await Catalog(pool).restore(product_id, Origin(source="admin"))
        return f"{product.id} is back: {product.title}"

    with _told():
        out.print(_with_pool(work))


async def _create(
    catalog: Catalog, wanted: Iterator[CreateProduct], total: int, origin: Origin, rate: int
) -> int:
    made = 0
    with _progress() as progress:
        task = progress.add_task("products", total=total)
        started = time.monotonic()
        while batch := list(islice(wanted, BATCH)):
            made += len(await catalog.create_many(batch, origin))
            progress.advance(task, len(batch))
            if rate:
                due = started + progress.tasks[task].completed / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
    return made


def _progress() -> Progress:
    columns: Sequence[Any] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=err)


def _with_pool(work: Callable[[Pool, Settings], Coroutine[Any, Any, str]]) -> str:
    settings = load_settings()
    log.configure(settings.log_format, "warning")

    async def run() -> str:
        async with new_pool(settings) as pool:
            await pool.wait(timeout=settings.pool_timeout_seconds)
            return await work(pool, settings)

    return asyncio.run(run())


@contextmanager
def _told() -> Iterator[None]:
    """Errors that a person can act on, as one sentence and exit code 1."""
    try:
        yield
    except (CommerceError, OutboxError) as exc:
        err.print(f"[red]error:[/red] {exc}", highlight=False)
        raise typer.Exit(1) from exc
    except (psycopg.OperationalError, PoolTimeout) as exc:
        err.print(f"[red]error:[/red] Postgres can't be reached: {exc}", highlight=False)
        raise typer.Exit(1) from exc
    except psycopg.errors.UndefinedTable as exc:
        err.print("[red]error:[/red] the schema is missing: run `commerce migrate` first")
        raise typer.Exit(1) from exc
