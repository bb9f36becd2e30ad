import re
from typing import Any

import pytest

from tests.integration.commerce.conftest import Shop, plain, t_shirt

ULID = "[0-9A-HJKMNP-TV-Z]{26}"
PAYLOAD_KEYS = {
    "id",
    "title",
    "subtitle",
    "description",
    "handle",
    "status",
    "thumbnail",
    "images",
    "options",
    "variants",
    "metadata",
    "created_at",
    "updated_at",
}


def test_a_created_product_has_medusas_shape_and_defaults(shop: Shop) -> None:
    product = shop.create(**t_shirt())

    assert re.fullmatch(f"prod_{ULID}", product["id"])
    assert product["handle"] == "premium-cotton-t-shirt"
    assert product["status"] == "draft"
    assert product["thumbnail"] == "https://shop.example/front.jpg"
    assert product["discountable"] is True
    assert product["is_giftcard"] is False
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", product["created_at"])
    small, medium, large = product["variants"]
    assert [small["title"], medium["title"], large["title"]] == ["Small", "Medium", "Large"]
    assert small["manage_inventory"] is True
    assert small["allow_backorder"] is False
    assert small["inventory_quantity"] == 45
    assert small["prices"][0]["amount"] == 29.99
    assert small["prices"][0]["currency_code"] == "usd"
    assert small["options"][0]["value"] == "S"
    assert small["options"][0]["option"]["title"] == "Size"
    assert [value["value"] for value in product["options"][0]["values"]] == ["S", "M", "L"]


def test_what_was_answered_is_what_can_be_read(shop: Shop) -> None:
    created = shop.create(
        **t_shirt(
            subtitle="Heavy jersey",
            status="published",
            metadata={"nested": {"list": [1, None, "é"]}, "price": 1.5},
            weight=190.5,
            origin_country="pt",
            external_id="erp-1",
        )
    )

    assert shop.get(created["id"]) == created


def test_a_creation_leaves_one_event_with_the_whole_state(shop: Shop) -> None:
    product = shop.create(**t_shirt())

    (event,) = shop.database.events()
    assert (event["type"], event["revision"]) == ("product.created", 1)
    assert (event["aggregateid"], event["source"]) == (product["id"], "admin")
    assert event["route"] == "product"
    assert event["payload"].keys() >= PAYLOAD_KEYS
    for same in ("id", "title", "description", "handle", "status", "created_at", "updated_at"):
        assert event["payload"][same] == product[same]
    assert event["payload"]["variants"][0]["options"] == {"Size": "S"}
    assert event["payload"]["variants"][0]["inventory_quantity"] == 45
    assert event["payload"]["variants"][0]["prices"][0]["amount"] == 29.99


def test_an_update_leaves_one_event_with_the_whole_state(shop: Shop) -> None:
    product = shop.create(**t_shirt())

    changed = shop.update(product["id"], title="Premium Organic Cotton T-Shirt")

    assert changed["handle"] == "premium-cotton-t-shirt"
    assert changed["updated_at"] > product["updated_at"]
    _, event = shop.database.events()
    assert (event["type"], event["revision"]) == ("product.updated", 2)
    assert event["payload"]["title"] == "Premium Organic Cotton T-Shirt"
    assert len(event["payload"]["variants"]) == 3
    assert event["payload"]["updated_at"] == changed["updated_at"]


def test_an_update_that_changes_nothing_leaves_no_event(shop: Shop) -> None:
    product = shop.create(**t_shirt())

    same = shop.update(
        product["id"],
        title=product["title"],
        variants=[
            {"id": variant["id"], "prices": [{"currency_code": "usd", "amount": 29.99}]}
            for variant in product["variants"]
        ],
    )

    assert same == product
    assert len(shop.database.events()) == 1


def test_a_deletion_leaves_one_event_and_the_product_is_gone(shop: Shop) -> None:
    product_id = shop.create(**t_shirt())["id"]

    answer = shop.call("DELETE", f"/admin/products/{product_id}")

    assert answer == {"id": product_id, "object": "product", "deleted": True}
    _, event = shop.database.events()
    assert (event["type"], event["revision"]) == ("product.deleted", 2)
    assert event["payload"] == {"id": product_id}
    not_found = {"type": "not_found", "message": f"Product with id: {product_id} was not found"}
    assert shop.refusal("GET", f"/admin/products/{product_id}") == (404, not_found)
    assert shop.refusal("POST", f"/admin/products/{product_id}", {"title": "x"}) == (404, not_found)
    assert shop.call("GET", "/admin/products")["count"] == 0


@pytest.mark.parametrize("product_id", ["prod_nope", "a.b", "%00", "-x"])
def test_deleting_what_is_not_there_is_fine_and_leaves_no_event(
    shared_shop: Shop, product_id: str
) -> None:
    answer = shared_shop.call("DELETE", f"/admin/products/{product_id}")

    assert answer["deleted"] is True
    assert shared_shop.database.events(product_id) == []


def test_a_deleted_products_handle_and_codes_are_free_again(shop: Shop) -> None:
    first = shop.create(**t_shirt())["id"]
    shop.call("DELETE", f"/admin/products/{first}")

    second = shop.create(**t_shirt())

    assert second["id"] != first
    assert second["handle"] == "premium-cotton-t-shirt"


def test_metadata_merges(shop: Shop) -> None:
    product_id = shop.create(**plain("Mug", metadata={"a": 1, "b": 2}))["id"]

    assert shop.update(product_id, metadata={"b": "", "c": [3]})["metadata"] == {"a": 1, "c": [3]}
    assert shop.update(product_id, metadata=None)["metadata"] is None
    assert shop.get(product_id)["metadata"] is None


def test_variants_and_their_prices_are_replaced_as_sets(shop: Shop) -> None:
    product = shop.create(**t_shirt())
    small, medium, _ = product["variants"]

    shop.update(
        product["id"],
        variants=[
            {
                "id": small["id"],
                "prices": [{"currency_code": "EUR", "amount": 28}],
                "inventory_quantity": 3,
                "metadata": {"a": 1},
            },
            {"id": medium["id"], "manage_inventory": False},
            {"title": "Wide", "options": {"Size": "L"}, "prices": []},
        ],
    )

    after = shop.get(product["id"])
    assert [variant["title"] for variant in after["variants"]] == ["Small", "Medium", "Wide"]
    assert [p["currency_code"] for p in after["variants"][0]["prices"]] == ["eur"]
    assert after["variants"][0]["inventory_quantity"] == 3
    assert after["variants"][0]["id"] == small["id"]
    assert "inventory_quantity" not in after["variants"][1]
    assert after["variants"][1]["prices"] == medium["prices"]
    assert shop.database.rows("select count(*) as n from commerce.price") == [{"n": 2}]
    assert shop.database.rows("select count(*) as n from commerce.variant") == [{"n": 3}]


def test_codes_can_move_between_variants(shop: Shop) -> None:
    product = shop.create(**t_shirt())
    small, medium, large = (variant["id"] for variant in product["variants"])

    after = shop.update(
        product["id"],
        variants=[
            {"id": small, "sku": "SHIRT-M"},
            {"id": medium, "sku": "SHIRT-S"},
            {"id": large, "sku": ""},
        ],
    )

    assert [variant["sku"] for variant in after["variants"]] == ["SHIRT-M", "SHIRT-S", None]


def test_images_are_replaced(shop: Shop) -> None:
    product = shop.create(**t_shirt())

    after = shop.update(
        product["id"],
        images=[{"url": "https://shop.example/back.jpg"}, {"url": product["images"][0]["url"]}],
    )

    assert [image["rank"] for image in after["images"]] == [0, 1]
    assert after["images"][1]["id"] == product["images"][0]["id"]
    assert shop.get(product["id"])["images"] == after["images"]
    assert shop.update(product["id"], images=[])["images"] == []


@pytest.mark.parametrize("amount", [0, 10, 29.99, 0.1, 1234.5, 999_999_999.99])
def test_amounts_come_back_as_they_went_in(shared_shop: Shop, amount: float) -> None:
    variant = {"title": "One", "prices": [{"currency_code": "usd", "amount": amount}]}

    product = shared_shop.create(**plain(f"Mug for {amount}", variants=[variant]))

    assert shared_shop.get(product["id"])["variants"][0]["prices"][0]["amount"] == amount
    query = "select amount::text from commerce.price where id = %s"
    price_id = product["variants"][0]["prices"][0]["id"]
    assert float(shared_shop.database.rows(query, price_id)[0]["amount"]) == amount


def test_the_callers_trace_travels_with_the_event(shop: Shop) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    shop.call("POST", "/admin/products", plain("Mug"), headers={"traceparent": traceparent})
    shop.call("POST", "/admin/products", plain("Cup"), headers={"traceparent": "nonsense"})

    assert [event["traceparent"] for event in shop.database.events()] == [traceparent, None]


def test_fields_narrow_an_answer(shop: Shop) -> None:
    product_id = shop.create(**t_shirt())["id"]

    path = f"/admin/products/{product_id}?fields=title,variants.sku"
    product = shop.call("GET", path)["product"]

    assert product.keys() == {"id", "title", "variants"}
    assert product["variants"][0].keys() == {"id", "sku"}


def test_a_request_without_a_body_is_an_update_of_nothing(shop: Shop) -> None:
    product = shop.create(**t_shirt())
    headers = {"content-type": "application/json"}

    response = shop.http.post(f"/admin/products/{product['id']}", content=b"", headers=headers)

    assert response.json() == {"product": product}


def test_additional_data_is_accepted_and_kept_nowhere(shop: Shop) -> None:
    body: dict[str, Any] = plain("Mug", additional_data={"brand": "x"}, tags=[], collection_id=None)

    assert "additional_data" not in shop.create(**body)
