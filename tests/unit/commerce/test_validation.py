from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from commerce.api.validation import message
from commerce.command import BatchProducts, CreateProduct, UpdateProduct


def refusal(kind: type[BaseModel], body: Any) -> str:
    with pytest.raises(ValidationError) as error:
        kind.model_validate(body)
    return message(error.value.errors())


def variant(**fields: Any) -> dict[str, Any]:
    return {"title": "x", "variants": [{"title": "v", "prices": [], **fields}]}


def price(**fields: Any) -> dict[str, Any]:
    return variant(prices=[{"currency_code": "usd", "amount": 1, **fields}])


PRICE = "variants, 0, prices, 0"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "Field 'title' is required"),
        ({"title": 5}, "Expected type: 'string' for field 'title', got: '5'"),
        ({"title": None}, "Expected type: 'string' for field 'title', got: 'null'"),
        ({"title": ""}, "Value for field 'title' too small, expected at least: '1'"),
        ({"title": "x", "nope": 1}, "Unrecognized fields: 'nope'"),
        ({"title": "x", "b": 1, "a": 2}, "Unrecognized fields: 'b, a'"),
        ({"title": "x", "id": "prod_mine"}, "Unrecognized fields: 'id'"),
        (
            {"title": "x", "status": "live"},
            "Expected: 'draft, proposed, published, rejected' for field 'status', but got: 'live'",
        ),
        (
            {"title": "x", "is_giftcard": "yes"},
            "Expected type: 'boolean' for field 'is_giftcard', got: 'yes'",
        ),
        (
            {"title": "x", "variants": {}},
            "Expected type: 'array' for field 'variants', got: '{}'",
        ),
        (
            {"title": "x", "weight": "5"},
            "Expected type: 'number' for field 'weight', got: '5'",
        ),
        (
            {"title": "x", "metadata": "a"},
            "Expected type: 'object' for field 'metadata', got: 'a'",
        ),
        (
            {"title": "x", "variants": [{"title": "v"}]},
            "Field 'variants, 0, prices' is required",
        ),
        (
            {"title": "x", "variants": ["v"]},
            "Expected type: 'object' for field 'variants, 0', got: 'v'",
        ),
        (
            variant(inventory_quantity=-1),
            "Value for field 'variants, 0, inventory_quantity' too small, expected at least: '0'",
        ),
        (
            variant(inventory_quantity="2"),
            "Expected type: 'number' for field 'variants, 0, inventory_quantity', got: '2'",
        ),
        (
            variant(inventory_quantity=2.5),
            "Expected type: 'number' for field 'variants, 0, inventory_quantity', got: '2.5'",
        ),
        (
            price(amount="29.99"),
            f"Expected type: 'number' for field '{PRICE}, amount', got: '29.99'",
        ),
        (price(amount=True), f"Expected type: 'number' for field '{PRICE}, amount', got: 'true'"),
        (
            price(amount=-1),
            f"Value for field '{PRICE}, amount' too small, expected at least: '0'",
        ),
        (
            price(amount=10**13),
            f"Value for field '{PRICE}, amount' too big, expected at most: '1000000000000'",
        ),
        (
            price(currency_code="dollar"),
            f"Currency code must be three letters, such as usd, for field '{PRICE}, currency_code'",
        ),
        (
            {"title": 1, "handle": 2, "subtitle": 3, "description": 4},
            (
                "Expected type: 'string' for field 'subtitle', got: '3'; "
                "Expected type: 'string' for field 'description', got: '4'; "
                "Expected type: 'string' for field 'handle', got: '2'"
            ),
        ),
    ],
)
def test_a_wrong_body_is_refused_in_medusas_words(body: Any, expected: str) -> None:
    assert refusal(CreateProduct, body) == f"Invalid request: {expected}"


def test_options_can_not_be_updated() -> None:
    assert refusal(UpdateProduct, {"options": []}) == (
        "Invalid request: Unrecognized fields: 'options'"
    )


def test_an_update_in_a_batch_needs_an_id() -> None:
    assert refusal(BatchProducts, {"update": [{"title": "x"}]}) == (
        "Invalid request: Field 'update, 0, id' is required"
    )


def test_a_long_value_is_not_repeated_in_full() -> None:
    assert len(refusal(CreateProduct, {"title": "x", "status": "y" * 10_000})) < 300


@pytest.mark.parametrize(
    ("amount", "exact"),
    [(29.99, "29.99"), (0, "0"), (10, "10"), (0.1, "0.1"), (123456789.12, "123456789.12")],
)
def test_amounts_are_exact(amount: float, exact: str) -> None:
    command = CreateProduct.model_validate(price(amount=amount))

    assert str(command.variants[0].prices[0].amount) == exact


def test_an_amount_that_a_json_number_can_not_carry_is_refused() -> None:
    assert "15 digits" in refusal(CreateProduct, price(amount=1234567890.1234567))
