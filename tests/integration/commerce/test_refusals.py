from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from commerce.database import Connection
from commerce.product import Change
from commerce.publisher import Origin
from outbox.event import MAX_PAYLOAD_BYTES
from tests.integration.commerce.conftest import Shop, plain, t_shirt


def invalid(message: str) -> tuple[int, dict[str, str]]:
    return 400, {"type": "invalid_data", "message": message}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "Invalid request: Field 'title' is required"),
        ({"title": "x", "nope": 1}, "Invalid request: Unrecognized fields: 'nope'"),
        ({"title": 5}, "Invalid request: Expected type: 'string' for field 'title', got: '5'"),
        (
            plain("x", status="live"),
            (
                "Invalid request: Expected: 'draft, proposed, published, rejected' "
                "for field 'status', but got: 'live'"
            ),
        ),
        (
            plain(
                "x", variants=[{"title": "v", "prices": [{"currency_code": "usd", "amount": "1"}]}]
            ),
            (
                "Invalid request: Expected type: 'number' for field "
                "'variants, 0, prices, 0, amount', got: '1'"
            ),
        ),
        ({"title": "x"}, "Product options are not provided for: [x]."),
        (
            plain("x", variants=[{"title": "v", "options": {"Size": "XXL"}, "prices": []}]),
            "Option value XXL does not exist for option Size",
        ),
        (
            [],
            "Invalid request: The body must be a JSON object, with content-type application/json",
        ),
    ],
)
def test_a_wrong_body_is_400_in_medusas_words(
    shared_shop: Shop, body: object, expected: str
) -> None:
    assert shared_shop.refusal("POST", "/admin/products", body) == invalid(expected)
    assert shared_shop.database.events() == []


@pytest.mark.parametrize(
    "content",
    [b"{broken", b"\xff", b'{"title": "a\\u0000"}', b'{"title": "\\ud800"}', b'{"a": NaN}'],
)
def test_broken_json_is_400_with_the_parsers_text(shared_shop: Shop, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = shared_shop.http.post("/admin/products", content=content, headers=headers)

    assert response.status_code == 400
    assert response.json()["type"] == "invalid_data"
    assert response.json().keys() == {"type", "message"}


def test_a_taken_handle_is_400(shop: Shop) -> None:
    shop.create(**plain("Coffee Mug"))

    assert shop.refusal("POST", "/admin/products", plain("Coffee mug!")) == invalid(
        "Product with handle: coffee-mug, already exists."
    )
    assert len(shop.database.events()) == 1


@pytest.mark.parametrize("code", ["sku", "barcode", "ean", "upc"])
def test_a_taken_code_is_400(shop: Shop, code: str) -> None:
    variant = {"title": "One", "prices": [], code: "A (1)"}
    shop.create(**plain("First", variants=[variant]))

    assert shop.refusal("POST", "/admin/products", plain("Second", variants=[variant])) == invalid(
        f"Product variant with {code}: A (1), already exists."
    )
    assert shop.call("GET", "/admin/products")["count"] == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("product_id", ["prod_nope", "a.b", "x%00y", "%C3%A9"])
def test_an_unknown_product_is_404(shared_shop: Shop, method: str, product_id: str) -> None:
    body = None if method == "GET" else {"title": "x"}

    status, answer = shared_shop.refusal(method, f"/admin/products/{product_id}", body)

    assert (status, answer["type"]) == (404, "not_found")
    assert answer["message"].startswith("Product with id: ")


def test_options_can_not_be_updated(shared_shop: Shop) -> None:
    product_id = shared_shop.create(**plain("Mug"))["id"]

    assert shared_shop.refusal("POST", f"/admin/products/{product_id}", {"options": []}) == invalid(
        "Invalid request: Unrecognized fields: 'options'"
    )


def test_a_path_that_is_nothing_is_404_and_a_wrong_method_405(shared_shop: Shop) -> None:
    assert shared_shop.refusal("GET", "/admin/nothing") == (
        404,
        {"type": "not_found", "message": "There is nothing at /admin/nothing"},
    )
    assert shared_shop.refusal("PUT", "/admin/products") == (
        405,
        {"type": "not_allowed", "message": "Method Not Allowed"},
    )


def test_a_product_too_large_for_an_event_is_400_and_nothing_is_kept(shop: Shop) -> None:
    body = plain("Mug", metadata={"text": "x" * MAX_PAYLOAD_BYTES})

    status, answer = shop.refusal("POST", "/admin/products", body)

    assert (status, answer["type"]) == (400, "invalid_data")
    assert f"at most {MAX_PAYLOAD_BYTES} are possible" in answer["message"]
    assert shop.call("GET", "/admin/products")["count"] == 0
    assert shop.database.events() == []


def test_a_merge_that_grows_too_large_leaves_the_product_as_it_was(shop: Shop) -> None:
    half = "x" * (MAX_PAYLOAD_BYTES // 2)
    product = shop.create(**plain("Mug", metadata={"a": half}))

    status, _ = shop.refusal("POST", f"/admin/products/{product['id']}", {"metadata": {"b": half}})

    assert status == 400
    assert shop.get(product["id"]) == product
    assert len(shop.database.events()) == 1


class BrokenPublisher:
    """Fails when everything else of the write is done."""

    async def publish(
        self, conn: Connection, changes: Sequence[Change], origin: Origin
    ) -> Mapping[str, int]:
        raise ConnectionResetError(f"{conn}, {changes}, {origin}")


UNKNOWN = {
    "code": "unknown_error",
    "type": "unknown_error",
    "message": "An unknown error occurred.",
}


def test_when_the_event_fails_the_write_is_undone(shop: Shop, serve: Callable[..., Shop]) -> None:
    product = shop.create(**t_shirt())
    broken = serve(BrokenPublisher())

    assert broken.refusal("POST", "/admin/products", plain("Mug")) == (500, UNKNOWN)
    assert broken.refusal("POST", f"/admin/products/{product['id']}", {"title": "x"})[0] == 500
    assert broken.refusal("DELETE", f"/admin/products/{product['id']}")[0] == 500

    assert shop.call("GET", "/admin/products")["products"] == [product]
    assert len(shop.database.events()) == 1


def test_when_the_outbox_refuses_the_write_is_undone(shop: Shop) -> None:
    product = shop.create(**t_shirt())
    shop.database.run("revoke usage on schema outbox from commerce_app")

    status, answer = shop.refusal("POST", f"/admin/products/{product['id']}", {"title": "x"})

    assert (status, answer) == (500, UNKNOWN)
    assert shop.get(product["id"]) == product


def test_without_a_database_the_answer_is_503(serve: Callable[..., Shop]) -> None:
    shop = serve(postgres_dsn="postgresql://127.0.0.1:1/shop", pool_timeout_seconds=0.2)

    status, answer = shop.refusal("GET", "/admin/products")

    assert (status, answer["type"]) == (503, "unexpected_state")
    assert "Try again" in answer["message"]


LONG: Any = "x" * 300


@pytest.mark.parametrize(
    "body",
    [
        plain("x", handle=LONG),
        plain("x", variants=[{"title": "v", "prices": [], "sku": LONG}]),
        plain("x", variants=[{"title": "v", "prices": [], "inventory_quantity": 2**31}]),
        plain("x", variants=[{"title": "v", "prices": [], "variant_rank": 10**30}]),
        plain("x", weight=10**400),
    ],
)
def test_what_postgres_could_not_keep_is_400(shared_shop: Shop, body: object) -> None:
    status, answer = shared_shop.refusal("POST", "/admin/products", body)

    assert (status, answer["type"]) == (400, "invalid_data"), answer
