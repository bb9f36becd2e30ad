import json
import subprocess
import sys

import httpx
import pytest

from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.demo.trace import Trace
from tests.fix_backend import Backend
from tests.fix_shop import ProductBody
from tests.oracle import falls, past, wait_until_in_step


def test_document_draft_and_version_go_and_the_tombstone_keeps_what_editors_wrote(
    admin: Admin, editor: Editor, trace: Trace, product_body: ProductBody
) -> None:
    product_id = admin.create(product_body("Canvas Tote"))["id"]
    document = trace.follow(product_id).document
    assert document is not None
    editor.open_draft(product_id)
    editor.edit(product_id, {"specs[0].content": "kept"})
    version_id = f"versions.rSummer.{product_id}"
    editor.mutate(
        {"create": {k: v for k, v in document.items() if k != "_rev"} | {"_id": version_id}}
    )

    admin.delete(product_id)
    change = trace.follow(product_id)

    assert change.event_type == "product.deleted"
    assert change.document is None
    assert editor.documents(product_id, f"drafts.{product_id}", version_id) == []
    tombstone = editor.document(f"sync.tombstone.{product_id}")
    assert tombstone is not None
    assert tombstone["sync"]["revision"] == change.revision == 2
    kept = {body["_id"]: body for body in json.loads(tombstone["kept"])}
    assert set(kept) == {product_id, f"drafts.{product_id}", version_id}
    assert kept[f"drafts.{product_id}"]["specs"][0]["content"] == "kept"


def test_it_stays_gone_when_its_old_records_come_once_more(
    admin: Admin, editor: Editor, trace: Trace, backend: Backend, product_body: ProductBody
) -> None:
    product_id = admin.create(product_body("Canvas Tote"))["id"]
    trace.follow(product_id)
    admin.update(product_id, {"title": "Canvas Tote, Large"})
    trace.follow(product_id)
    admin.delete(product_id)
    trace.follow(product_id)

    trace.send_again(product_id)
    other = admin.create(product_body("Canvas Tote"))["id"]
    trace.follow(other)
    wait_until_in_step(admin, editor)

    assert editor.document(product_id) is None
    assert editor.document(f"sync.tombstone.{product_id}") is not None
    assert falls(past(backend)) == []


def test_a_reader_without_a_token_never_sees_the_tombstone(
    admin: Admin, trace: Trace, backend: Backend, product_body: ProductBody
) -> None:
    product_id = admin.create(product_body("Canvas Tote"))["id"]
    trace.follow(product_id)
    admin.delete(product_id)
    trace.follow(product_id)

    answer = httpx.get(
        f"{backend.sanity_api_host}/v2025-02-19/data/doc/production/sync.tombstone.{product_id}",
        headers={"X-Sanity-Project-ID": backend.sanity_project_id},
        trust_env=False,
    )

    assert answer.json().get("documents", []) == []


def test_commerce_no_longer_knows_it(admin: Admin, trace: Trace, product_body: ProductBody) -> None:
    product_id = admin.create(product_body("Canvas Tote"))["id"]
    trace.follow(product_id)

    admin.delete(product_id)

    with pytest.raises(httpx.HTTPStatusError, match="404"):
        admin.update(product_id, {"title": "gone"})


def test_restored_under_its_id_it_has_what_editors_wrote(
    admin: Admin, editor: Editor, trace: Trace, backend: Backend, product_body: ProductBody
) -> None:
    product_id = admin.create(product_body("Canvas Tote"))["id"]
    trace.follow(product_id)
    editor.open_draft(product_id)
    editor.edit(product_id, {"specs[0].content": "published text"})
    editor.publish(product_id)
    editor.open_draft(product_id)
    editor.edit(product_id, {"specs[0].content": "draft text"})
    admin.delete(product_id)
    trace.follow(product_id)

    restore = "from commerce.cli import app; app()"
    environment = {"COMMERCE_POSTGRES_DSN": backend.commerce_postgres_dsn}
    subprocess.run(
        [sys.executable, "-c", restore, "restore", product_id], env=environment, check=True
    )
    change = trace.follow(product_id)

    assert change.revision == 3
    assert change.document is not None
    assert change.document["title"] == "Canvas Tote"
    assert change.document["specs"][0]["content"] == "published text"
    draft = editor.document(f"drafts.{product_id}")
    assert draft is not None
    assert draft["specs"][0]["content"] == "draft text"
    assert draft["sync"]["revision"] == 3
    assert editor.document(f"sync.tombstone.{product_id}") is None
