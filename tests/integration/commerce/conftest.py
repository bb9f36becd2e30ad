"""The service on a real Postgres: a database per test, from a migrated template."""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from pydantic import SecretStr

from commerce import sql as commerce_sql
from commerce.access_token import Identity, Tokens
from commerce.account import Accounts
from commerce.app import create_app
from commerce.database import new_pool
from commerce.publisher import Publisher
from commerce.server import server
from commerce.settings import Settings
from outbox.grants import grant_publish
from outbox.migrate import MIGRATIONS, migrate

SECRET = "only-for-tests-only-for-tests-0123456789"
EVENTS = """
    select type, aggregateid, revision, payload, source, route, traceparent
    from outbox.event order by occurred_at, revision
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Database:
    """A database of its own; the service comes as `commerce_app`, with that role's rights."""

    owner_dsn: str

    @property
    def service_dsn(self) -> str:
        return make_conninfo(self.owner_dsn, options="-c role=commerce_app")

    def rows(self, query: str, *parameters: object) -> list[Row]:
        with psycopg.connect(self.owner_dsn, row_factory=dict_row) as conn:
            return conn.execute(query, parameters).fetchall()

    def run(self, statement: str) -> None:
        with psycopg.connect(self.owner_dsn) as conn:
            conn.execute(statement)

    def events(self, product_id: str | None = None) -> list[Row]:
        """All events, or those of one product, in the order in which they were published."""
        found = self.rows(EVENTS)
        return [row for row in found if product_id in {None, row["aggregateid"]}]


@dataclass(frozen=True)
class Shop:
    """The running service, with an admin's token, and the database behind it."""

    http: httpx.Client
    url: str
    database: Database

    def call(self, method: str, path: str, body: object = None, **more: Any) -> Row:
        response = self.http.request(method, path, json=body, **more)
        assert response.status_code == 200, response.text
        answer: Row = response.json()
        return answer

    def create(self, **body: Any) -> Row:
        product: Row = self.call("POST", "/admin/products", body)["product"]
        return product

    def update(self, product_id: str, **body: Any) -> Row:
        product: Row = self.call("POST", f"/admin/products/{product_id}", body)["product"]
        return product

    def get(self, product_id: str) -> Row:
        product: Row = self.call("GET", f"/admin/products/{product_id}")["product"]
        return product

    def refusal(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, Row]:
        """Status and body of an answer that is an error."""
        response = self.http.request(method, path, json=body, **more)
        assert response.status_code >= 400, response.text
        return response.status_code, response.json()

    def another_client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.http.headers, timeout=30)


@contextmanager
def fresh_database(server_dsn: str, template: str = "template0") -> Iterator[Database]:
    name = f"commerce_{secrets.token_hex(6)}"
    with psycopg.connect(server_dsn, autocommit=True) as server:
        server.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield Database(make_conninfo(server_dsn, dbname=name))
        finally:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """Log lines as the service writes them, so that a failing request is told on one line."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])


@pytest.fixture(scope="session")
def migrated(postgres_dsn: str) -> Iterator[str]:
    """Name of a database with both schemas, to be copied."""
    with fresh_database(postgres_dsn) as template:
        with psycopg.connect(template.owner_dsn, autocommit=True) as conn:
            migrate(conn, MIGRATIONS, schema="outbox")
            migrate(conn, commerce_sql.MIGRATIONS, schema="commerce")
            grant_publish(conn, "commerce_app")
            name = conn.info.dbname
        yield name


@pytest.fixture
def database(postgres_dsn: str, migrated: str) -> Iterator[Database]:
    with fresh_database(postgres_dsn, migrated) as fresh:
        yield fresh


@pytest.fixture
def empty_database(postgres_dsn: str) -> Iterator[Database]:
    with fresh_database(postgres_dsn) as fresh:
        yield fresh


@contextmanager
def served(database: Database, publisher: Publisher | None = None, **values: Any) -> Iterator[Shop]:
    """The service on a port that is free."""
    settings = Settings.model_validate(
        {
            "postgres_dsn": database.service_dsn,
            "jwt_secret": SECRET,
            "pool_max_size": 8,
            "pool_timeout_seconds": 10,
            **values,
        }
    )
    app = create_app(settings, publisher)
    tokens: Tokens = app.state.services.tokens
    running = server(app, settings)
    with listening_socket() as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            wait_until(lambda: running.started or not thread.is_alive())
            bearer = {"authorization": f"Bearer {tokens.issue(Identity('user_1', 'authid_1'))}"}
            with httpx.Client(base_url=url, headers=bearer, timeout=30) as http:
                yield Shop(http, url, database)
        finally:
            running.should_exit = True
            thread.join(timeout=20)


@pytest.fixture
def shop(database: Database) -> Iterator[Shop]:
    with served(database) as running:
        yield running


@pytest.fixture(scope="module")
def shared_shop(postgres_dsn: str, migrated: str) -> Iterator[Shop]:
    """One service for tests that don't mind what others left behind."""
    with fresh_database(postgres_dsn, migrated) as fresh, served(fresh) as running:
        yield running


@pytest.fixture
def serve(database: Database) -> Iterator[Callable[..., Shop]]:
    """Starts the service with other settings, or with another publisher."""
    with ExitStack() as stack:
        yield lambda publisher=None, **values: stack.enter_context(
            served(database, publisher, **values)
        )


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command `commerce` against a database."""

    def commerce(
        database: Database, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        values = {
            "COMMERCE_POSTGRES_DSN": database.service_dsn,
            "COMMERCE_MIGRATION_DSN": database.owner_dsn,
            "COMMERCE_JWT_SECRET": SECRET,
            **environment,
        }
        command: Sequence[str] = [sys.executable, "-c", "from commerce.cli import app; app()"]
        inherited = {name: value for name, value in os.environ.items() if "COMMERCE" not in name}
        return subprocess.run(
            [*command, *arguments],
            env=inherited | values,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return commerce


def listening_socket() -> socket.socket:
    """On a port that is free. asyncio switches Nagle's delay off only where TCP is named."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


def wait_until(condition: Callable[[], object], patience_seconds: float = 20.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        threading.Event().wait(0.01)


def create_admin(database: Database, email: str, password: str) -> None:
    settings = Settings.model_validate({"postgres_dsn": database.service_dsn})

    async def create() -> None:
        async with new_pool(settings) as pool:
            await Accounts(pool).create(email, SecretStr(password))

    asyncio.run(create())


def t_shirt(**changes: Any) -> Row:
    return {
        "title": "Premium Cotton T-Shirt",
        "description": "A comfortable t-shirt",
        "images": [{"url": "https://shop.example/front.jpg"}],
        "options": [{"title": "Size", "values": ["S", "M", "L"]}],
        "variants": [
            {
                "title": title,
                "sku": f"SHIRT-{size}",
                "options": {"Size": size},
                "prices": [{"currency_code": "usd", "amount": 29.99}],
                "inventory_quantity": 45,
            }
            for title, size in (("Small", "S"), ("Medium", "M"), ("Large", "L"))
        ],
        **changes,
    }


def plain(title: str, **changes: Any) -> Row:
    return {"title": title, "options": [{"title": "Size", "values": ["One"]}], **changes}
