"""Holds every document of the dataset against commerce: the oracle of the demo and the tests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, by product id; all empty means that both sides agree."""

    compared: int
    missing: tuple[str, ...]  # commerce has the product, Sanity nothing of it
    differing: tuple[str, ...]  # a copy (published, draft or version) has another title
    orphaned: tuple[str, ...]  # Sanity has a document, commerce no product

    @property
    def is_equal(self) -> bool:
        """Whether every document equals commerce."""
        return not (self.missing or self.differing or self.orphaned)


def compare(
    products: Iterable[Mapping[str, Any]], documents: Iterable[Mapping[str, Any]]
) -> Comparison:
    """Commerce's products against all documents of their type, drafts and versions among them."""
    titles = {product["id"]: product["title"] for product in products}
    copies: dict[str, list[Mapping[str, Any]]] = {}
    for document in documents:
        copies.setdefault(str(document["_id"]).rsplit(".", 1)[-1], []).append(document)
    differing = [
        product_id
        for product_id, title in titles.items()
        if any(copy.get("title") != title for copy in copies.get(product_id, ()))
    ]
    return Comparison(
        compared=len(titles),
        missing=tuple(sorted(titles.keys() - copies.keys())),
        differing=tuple(sorted(differing)),
        orphaned=tuple(sorted(copies.keys() - titles.keys())),
    )
