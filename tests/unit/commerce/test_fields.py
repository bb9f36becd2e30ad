from typing import Any

import pytest

from commerce.api.fields import parse

DOCUMENT: dict[str, Any] = {
    "id": "prod_1",
    "title": "Mug",
    "metadata": {"a": 1},
    "variants": [{"id": "variant_1", "sku": "M", "prices": [{"id": "price_1", "amount": 1}]}],
}


@pytest.mark.parametrize("text", [None, "", ",", "+metadata", " metadata", "*variants,", "+nope"])
def test_signs_that_only_add_leave_the_defaults(text: str | None) -> None:
    assert parse(text).apply(DOCUMENT) == DOCUMENT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title", {"id": "prod_1", "title": "Mug"}),
        ("id", {"id": "prod_1"}),
        ("nope", {"id": "prod_1"}),
        ("variants.sku", {"id": "prod_1", "variants": [{"id": "variant_1", "sku": "M"}]}),
        ("title,*variants", {k: DOCUMENT[k] for k in ("id", "title", "variants")}),
        ("title,variants.*", {k: DOCUMENT[k] for k in ("id", "title", "variants")}),
        ("-variants,-metadata", {"id": "prod_1", "title": "Mug"}),
        ("-id,title", {"id": "prod_1", "title": "Mug"}),
        (
            "variants,-variants.prices",
            {"id": "prod_1", "variants": [{"id": "variant_1", "sku": "M"}]},
        ),
    ],
)
def test_a_name_without_sign_replaces_the_defaults_and_minus_removes(
    text: str, expected: dict[str, Any]
) -> None:
    assert parse(text).apply(DOCUMENT) == expected
