from typing import Any

import pytest

from consumer.decide import Park
from consumer.unlink import unlink
from tests.unit.consumer.samples import MAPPING, PRODUCT, document

STRONG = {"_type": "reference", "_ref": PRODUCT}
WEAK = {**STRONG, "_weak": True}
OTHER = {"_type": "reference", "_ref": "prod_9"}
PATH = f'addons.products[_ref=="{PRODUCT}"]'


def holder(products: list[Any], **fields: Any) -> Any:
    addons = {"title": "Complete", "products": products}
    return document(1, id_="prod_2", rev="r2", **{"addons": addons, **fields})


def test_a_strong_add_on_is_taken_out_under_guard() -> None:
    assert unlink([holder([OTHER, STRONG])], PRODUCT, MAPPING) == [
        {"patch": {"id": "prod_2", "ifRevisionID": "r2", "unset": [PATH]}}
    ]


def test_drafts_and_versions_that_hold_it_are_patched_too() -> None:
    addons = {"products": [STRONG]}
    documents = [
        document(1, id_="drafts.prod_2", addons=addons),
        document(1, id_="versions.spring.prod_2", addons=addons),
    ]

    patches = unlink(documents, PRODUCT, MAPPING)

    assert isinstance(patches, list)
    assert [each["patch"]["id"] for each in patches] == ["drafts.prod_2", "versions.spring.prod_2"]


@pytest.mark.parametrize(
    "products",
    [
        [],
        [OTHER],  # holds another product
        [WEAK],  # a weak reference holds nothing
    ],
)
def test_a_document_that_does_not_hold_it_strongly_stays_untouched(products: list[Any]) -> None:
    assert unlink([holder(products)], PRODUCT, MAPPING) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"_type": "landingPage"},  # another type's add-ons are not ours
        {"related": STRONG},
        {"specs": [{"content": [{"markDefs": [STRONG]}]}]},
        {"addons": {"hero": STRONG, "products": [STRONG]}},  # beside the list
        {"addons": {"products": [{"product": STRONG}]}},  # deeper than the patch reaches
        {"addons": [STRONG]},
    ],
)
def test_any_other_strong_reference_parks_the_delete_with_the_holders_id(
    fields: dict[str, Any],
) -> None:
    decision = unlink([holder([STRONG]), holder([STRONG], **fields)], PRODUCT, MAPPING)

    assert isinstance(decision, Park)
    assert "prod_2" in decision.reason
    assert PRODUCT in decision.reason


def test_one_untouchable_holder_parks_even_where_others_could_be_unlinked() -> None:
    page = document(id_="page", _type="landingPage", hero=STRONG)

    decision = unlink([holder([STRONG]), page], PRODUCT, MAPPING)

    assert isinstance(decision, Park)
    assert "page hold it" in decision.reason
