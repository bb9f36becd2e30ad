from typing import Any

from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.local.server import Server
from tests.fix_backend import Backend
from tests.fix_shop import ProductBody
from tests.oracle import falls, past, wait_until_in_step


def test_a_dataset_in_the_reference_s_own_shape_is_taken_over(
    admin: Admin,
    editor: Editor,
    backend: Backend,
    consumer_server: Server,
    product_body: ProductBody,
) -> None:
    """Documents without `sync`: some with an old title, one opened by an editor, one deleted."""
    consumer_server.stop()
    try:
        products = [admin.create(product_body(f"Taken over {n}")) for n in range(12)]
        for number, product in enumerate(products):
            editor.mutate({"create": _reference_document(product, is_old=number % 2 == 0)})
        opened, deleted = products[0]["id"], products[1]["id"]
        editor.open_draft(opened)
        editor.edit(opened, {"specs[0].content": "written in the draft"})
        admin.delete(deleted)
    finally:
        consumer_server.start()

    wait_until_in_step(admin, editor)

    for product in products[2:]:
        document = editor.document(product["id"])
        assert document is not None
        assert document["title"] == product["title"]
        assert document["specs"] == _reference_document(product, is_old=False)["specs"]
    draft = editor.document(f"drafts.{opened}")
    assert draft is not None
    assert draft["title"] == products[0]["title"]
    assert draft["specs"][0]["content"] == "written in the draft"
    assert editor.document(deleted) is None
    assert falls(past(backend)) == []


def _reference_document(product: dict[str, Any], *, is_old: bool) -> dict[str, Any]:
    """What Medusa's own Sanity sample writes, with an editor's text in it."""
    product_id = product["id"]
    spec = {"_key": product_id, "_type": "spec", "title": "by an editor", "lang": "en"}
    return {
        "_id": product_id,
        "_type": "product",
        "title": "an old title" if is_old else product["title"],
        "specs": [{**spec, "content": "an editor's text"}],
    }
