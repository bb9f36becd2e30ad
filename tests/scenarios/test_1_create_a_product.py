import json
import time
from typing import Any

import httpx

from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.demo.trace import Trace
from deploy.local.stack import Stack
from tests.fix_backend import Backend
from tests.fix_shop import ProductBody

TITLE = "Premium Cotton T-Shirt"


def test_a_new_product_gets_its_document_with_one_empty_spec(
    admin: Admin, trace: Trace, product_body: ProductBody
) -> None:
    body = product_body(TITLE) | {"description": "A comfortable t-shirt"}

    product = admin.create(body)
    change = trace.follow(product["id"])

    assert product["status"] == "draft"
    assert product["id"].startswith("prod_")
    assert change.event_type == "product.created"
    assert change.revision == 1
    assert change.document is not None
    assert _content(change.document) == {
        "_id": product["id"],
        "_type": "product",
        "title": TITLE,
        "specs": [
            {
                "_key": product["id"],
                "_type": "spec",
                "title": TITLE,
                "lang": "en",
                "content": "",
            }
        ],
    }
    assert change.document["sync"]["revision"] == 1


def test_the_event_carries_the_whole_state_and_who_wrote_it(
    admin: Admin, backend: Backend, trace: Trace, product_body: ProductBody
) -> None:
    product = admin.create(product_body(TITLE))
    trace.follow(product["id"])

    row = trace.last_row(product["id"])

    assert row["source"] == "admin"
    assert row["payload"]["title"] == TITLE
    sizes = {variant["title"]: variant["prices"] for variant in row["payload"]["variants"]}
    assert set(sizes) == {"Small", "Medium", "Large"}
    assert sizes["Small"][0] | {"currency_code": "usd", "amount": 29.99} == sizes["Small"][0]
    assert json.dumps(row["payload"]).count(backend.sanity_token) == 0


def test_one_mutation_request_carries_the_bearer_token_and_names_the_revision(
    admin: Admin, backend: Backend, trace: Trace, product_body: ProductBody
) -> None:
    product = admin.create(product_body(TITLE))
    document = trace.follow(product["id"]).document
    assert document is not None

    url = f"{backend.sanity_api_host}/_emulator/requests"
    log = httpx.get(url, params={"since": 0}, trust_env=False).json()

    sent = [r for r in log["requests"] if r["transactionId"] == document["_rev"]]
    assert len(sent) == 1
    assert sent[0]["method"] == "POST"
    assert sent[0]["path"].startswith("/v2025-02-19/data/mutate/production")
    assert sent[0]["status"] == 200


def test_the_admin_never_waits_for_sanity(
    admin: Admin, editor: Editor, trace: Trace, product_body: ProductBody, stack: Stack
) -> None:
    consumer = stack.server("consumer")
    consumer.suspend()
    try:
        started = time.monotonic()
        product = admin.create(product_body(TITLE))
        answered_after = time.monotonic() - started
        assert editor.document(product["id"]) is None
    finally:
        consumer.resume()

    assert trace.follow(product["id"]).document is not None
    assert answered_after < 5


def _content(document: dict[str, Any]) -> dict[str, Any]:
    managed = {"_rev", "_createdAt", "_updatedAt", "sync"}
    return {name: value for name, value in document.items() if name not in managed}
