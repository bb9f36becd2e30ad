"""A deleted product is taken out of the add-ons that hold it strongly; nothing else is touched."""

from collections.abc import Iterable, Mapping
from typing import Any

from consumer.decide import Park
from consumer.document import Document, FieldMapping
from consumer.mutation import Mutation

ADDONS_PATH = "addons.products"


def unlink(
    documents: Iterable[Document], product_document_id: str, mapping: FieldMapping
) -> list[Mutation] | Park:
    """One guarded patch per referencing document; `Park` names those that we may not touch."""
    referencing = [d for d in documents if _holds(d.body, product_document_id)]
    untouchable = [
        d.id
        for d in referencing
        if d.type != mapping.type
        or _holds(_taken_out(d.body, product_document_id), product_document_id)
    ]
    if untouchable:
        return Park(
            f"{product_document_id} can't be deleted: {', '.join(untouchable)} hold it by strong "
            "references outside of add-ons; remove these, or make them weak"
        )
    return [_take_out(document, product_document_id) for document in referencing]


def _take_out(document: Document, product_document_id: str) -> Mutation:
    path = f'{ADDONS_PATH}[_ref=="{product_document_id}"]'
    return {"patch": {"id": document.id, "ifRevisionID": document.rev, "unset": [path]}}


def _taken_out(body: Mapping[str, Any], document_id: str) -> dict[str, Any]:
    """The body as `_take_out` leaves it; references nested deeper stay where they are."""
    addons = body.get("addons")
    products = addons.get("products") if isinstance(addons, dict) else None
    if not isinstance(addons, dict) or not isinstance(products, list):
        return dict(body)
    left = [
        each
        for each in products
        if not (isinstance(each, dict) and each.get("_ref") == document_id)
    ]
    return {**body, "addons": {**addons, "products": left}}


def _holds(value: Any, document_id: str) -> bool:
    """Whether a strong reference to `document_id` stands anywhere in `value`."""
    if isinstance(value, Mapping):
        is_strong = value.get("_ref") == document_id and value.get("_weak") is not True
        return is_strong or any(_holds(each, document_id) for each in value.values())
    return isinstance(value, list) and any(_holds(each, document_id) for each in value)
