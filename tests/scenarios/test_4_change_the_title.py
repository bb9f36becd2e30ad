from typing import Any

import pytest

from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.demo.trace import Trace
from tests.fix_shop import ProductBody

OLD = "Premium Cotton T-Shirt"
NEW = "Premium Organic Cotton T-Shirt"
CHANGED_BY_A_TITLE = {"title", "sync", "_rev", "_updatedAt"}


@pytest.fixture
def enriched(
    admin: Admin, editor: Editor, trace: Trace, product_body: ProductBody
) -> dict[str, Any]:
    """A published document with texts in three languages and add-ons."""
    product_id = admin.create(product_body(OLD))["id"]
    trace.follow(product_id)
    editor.open_draft(product_id)
    specs = [
        {"_key": lang, "_type": "spec", "lang": lang, "title": title, "content": f"text {lang}"}
        for lang, title in (
            ("en", OLD),
            ("es", "Camiseta de Algodón Premium"),
            ("fr", "T-Shirt en Coton Premium"),
        )
    ]
    editor.edit(product_id, {"specs": specs, "addons": {"title": "Complete Your Look"}})
    editor.publish(product_id)
    document = editor.document(product_id)
    assert document is not None
    return document


def test_only_the_title_is_patched(
    admin: Admin, editor: Editor, trace: Trace, enriched: dict[str, Any]
) -> None:
    product = admin.update(enriched["_id"], {"title": NEW})
    change = trace.follow(enriched["_id"])

    assert change.document is not None
    assert change.document["title"] == NEW
    assert _others(change.document) == _others(enriched)
    assert product["handle"].startswith("premium-cotton-t-shirt")
    assert editor.document(f"drafts.{enriched['_id']}") is None


def test_an_open_draft_published_later_carries_the_new_title(
    admin: Admin, editor: Editor, trace: Trace, enriched: dict[str, Any]
) -> None:
    product_id = enriched["_id"]
    editor.open_draft(product_id)
    editor.edit(product_id, {"specs[0].content": "edited meanwhile"})

    admin.update(product_id, {"title": NEW})
    trace.follow(product_id)
    editor.publish(product_id)

    published = editor.document(product_id)
    assert published is not None
    assert published["title"] == NEW
    assert published["specs"][0]["content"] == "edited meanwhile"


def test_a_release_version_carries_the_new_title(
    admin: Admin, editor: Editor, trace: Trace, enriched: dict[str, Any]
) -> None:
    product_id = enriched["_id"]
    version_id = f"versions.rSummer.{product_id}"
    version = {k: v for k, v in enriched.items() if k != "_rev"} | {"_id": version_id}
    editor.mutate({"create": version})

    admin.update(product_id, {"title": NEW})
    trace.follow(product_id)

    found = editor.document(version_id)
    assert found is not None
    assert found["title"] == NEW
    assert _others(found) | {"_id": product_id} == _others(enriched)


def test_an_unpublished_product_stays_unpublished_and_its_draft_is_renamed(
    admin: Admin, editor: Editor, trace: Trace, enriched: dict[str, Any]
) -> None:
    product_id = enriched["_id"]
    editor.unpublish(product_id)

    admin.update(product_id, {"title": NEW})
    draft_id = f"drafts.{product_id}"
    trace.wait_for(draft_id, lambda draft: draft.get("title") == NEW)

    assert editor.document(product_id) is None
    draft = editor.document(draft_id)
    assert draft is not None
    assert draft["specs"] == enriched["specs"]


def _others(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in CHANGED_BY_A_TITLE}
