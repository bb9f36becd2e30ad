from typing import Any

import pytest

from tests.integration.commerce.conftest import Shop, plain


@pytest.fixture(scope="module")
def stocked(shared_shop: Shop) -> Shop:
    for number, (title, status) in enumerate(
        [("Cup", "draft"), ("Apron", "published"), ("Bowl", "published"), ("Ähre", "rejected")]
    ):
        variant = {"title": "One", "sku": f"SKU-{number}", "prices": []}
        body = plain(title, status=status, description=f"About {number}%_", variants=[variant])
        shared_shop.create(**body)
    return shared_shop


def titles(shop: Shop, query: str = "") -> list[str]:
    return [p["title"] for p in shop.call("GET", f"/admin/products{query}")["products"]]


def test_a_list_is_a_page_in_the_order_of_creation(stocked: Shop) -> None:
    page = stocked.call("GET", "/admin/products")

    assert [product["title"] for product in page["products"]] == ["Cup", "Apron", "Bowl", "Ähre"]
    assert (page["count"], page["offset"], page["limit"]) == (4, 0, 50)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?limit=2&offset=1", ["Apron", "Bowl"]),
        ("?limit=0", []),
        ("?order=title", ["Apron", "Bowl", "Cup", "Ähre"]),
        ("?order=-title&limit=2", ["Ähre", "Cup"]),
        ("?order=-created_at", ["Ähre", "Bowl", "Apron", "Cup"]),
        ("?status[]=draft&status[]=rejected", ["Cup", "Ähre"]),
        ("?status=published", ["Apron", "Bowl"]),
        ("?handle=bowl", ["Bowl"]),
        ("?title=Cup", ["Cup"]),
        ("?q=CUP", ["Cup"]),
        ("?q=sku-2", ["Bowl"]),
        ("?q=1%25_", ["Apron"]),
        ("?q=%C3%84", ["Ähre"]),
        ("?q=bowl&status=draft", []),
        ("?id=nope", []),
        ("?is_giftcard=true", []),
        ("?collection_id[]=pcol_1", []),
        ("?created_at[$gte]=2020-01-01T00:00:00Z&limit=1", ["Cup"]),
        ("?created_at[$lt]=2020-01-01", []),
        ("?unknown=1&limit=1", ["Cup"]),
    ],
)
def test_a_list_is_narrowed_ordered_and_paged(
    stocked: Shop, query: str, expected: list[str]
) -> None:
    assert titles(stocked, query) == expected


def test_the_count_is_that_of_all_matches(stocked: Shop) -> None:
    assert stocked.call("GET", "/admin/products?limit=0&status=published")["count"] == 2
    assert stocked.call("GET", "/admin/products?offset=100")["count"] == 4


def test_products_are_found_by_ids_in_every_notation(stocked: Shop) -> None:
    products: list[dict[str, Any]] = stocked.call("GET", "/admin/products")["products"]
    cup, apron = products[0]["id"], products[1]["id"]

    assert titles(stocked, f"?id[0]={cup}&id[1]={apron}") == ["Cup", "Apron"]
    assert titles(stocked, f"?id={cup}") == ["Cup"]
    assert titles(stocked, f"?id[]={cup}") == ["Cup"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "?limit=abc",
            "Invalid request: Expected type: 'number' for field 'limit', got: 'abc'",
        ),
        ("?order=nope", "Order field nope is not valid"),
        ("?q=%00", "Invalid request: a query can't hold the character NUL"),
    ],
)
def test_a_wrong_query_is_400(stocked: Shop, query: str, message: str) -> None:
    assert stocked.refusal("GET", f"/admin/products{query}") == (
        400,
        {"type": "invalid_data", "message": message},
    )


def test_fields_narrow_every_entry(stocked: Shop) -> None:
    products = stocked.call("GET", "/admin/products?fields=handle&limit=100")["products"]

    assert all(product.keys() == {"id", "handle"} for product in products)
