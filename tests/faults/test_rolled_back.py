import uuid

import psycopg

from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.demo.trace import Trace
from outbox import NewEvent, publish
from tests.fix_backend import Backend
from tests.fix_shop import ProductBody
from tests.oracle import wait_until_in_step


def test_a_write_that_is_rolled_back_never_reaches_sanity(
    admin: Admin, editor: Editor, trace: Trace, backend: Backend, product_body: ProductBody
) -> None:
    product_id = f"prod_{uuid.uuid4().hex}"
    payload = {"id": product_id, "title": "never written"}
    with psycopg.connect(backend.commerce_postgres_dsn) as connection:
        publish(connection, NewEvent(product_id, "product.created", payload))
        connection.rollback()

    later = admin.create(product_body("Written later"))["id"]
    trace.follow(later)
    wait_until_in_step(admin, editor)

    assert editor.documents(product_id, f"sync.tombstone.{product_id}") == []
    assert not trace.has_seen(product_id)


def test_a_refused_product_leaves_no_event(
    admin: Admin, trace: Trace, product_body: ProductBody
) -> None:
    body = product_body("Twice the same handle")
    trace.follow(admin.create(body)["id"])
    before = trace.event_count()

    message = admin.refused(body)

    assert "already exists" in message
    assert trace.event_count() == before
