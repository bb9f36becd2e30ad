"""The people around a running stack: an admin, an editor, and somebody who watches the log."""

import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.demo.trace import Trace
from tests.fix_backend import Backend

ProductBody = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def admin(backend: Backend) -> Iterator[Admin]:
    """Logged in to the Admin API."""
    client = Admin(
        backend.commerce_url, backend.commerce_admin_email, backend.commerce_admin_password
    )
    with closing(client):
        yield client


@pytest.fixture(scope="session")
def editor(backend: Backend) -> Iterator[Editor]:
    """Writes content with an editor's own token."""
    client = Editor(
        backend.sanity_api_host,
        project_id=backend.sanity_project_id,
        dataset=backend.sanity_dataset,
        token=backend.sanity_editor_token,
    )
    with closing(client):
        yield client


@pytest.fixture
def trace(backend: Backend, editor: Editor) -> Iterator[Trace]:
    """Follows changes through Postgres, Kafka and Sanity."""
    with Trace(
        postgres_dsn=backend.postgres_dsn,
        bootstrap_servers=backend.kafka_bootstrap_servers,
        editor=editor,
    ) as watching:
        yield watching


@pytest.fixture
def product_body() -> ProductBody:
    """The body of `POST /admin/products`, with a handle that no other test uses."""

    def body(title: str) -> dict[str, Any]:
        return {
            "title": title,
            "handle": f"{title.lower().replace(' ', '-')}-{uuid.uuid4().hex[:8]}",
            "options": [{"title": "Size", "values": ["Small", "Medium", "Large"]}],
            "variants": [
                {
                    "title": size,
                    "options": {"Size": size},
                    "prices": [{"currency_code": "usd", "amount": 29.99}],
                }
                for size in ("Small", "Medium", "Large")
            ],
        }

    return body


@pytest.fixture
def unused_port() -> Callable[[], int]:
    """Finds ports that nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find
