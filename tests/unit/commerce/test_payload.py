import json

from commerce.payload import payload
from commerce.product import Change
from outbox.event import EventType
from tests.unit.commerce.factory import LATER, NOON, t_shirt


def test_the_payload_is_the_whole_state() -> None:
    product = t_shirt(metadata={"a": 1})

    document = payload(Change(product, EventType.UPDATED))

    assert document["id"] == product.id
    assert document["title"] == "Premium Cotton T-Shirt"
    assert document["options"] == [
        {"id": "option_0002", "title": "Size", "values": ["S", "M", "L"]}
    ]
    assert document["images"][0]["rank"] == 0
    assert document["created_at"] == "2026-11-23T12:00:00.000Z"
    small = document["variants"][0]
    assert small["options"] == {"Size": "S"}
    assert small["inventory_quantity"] == 45
    assert small["prices"] == [
        {"currency_code": "usd", "amount": 29.99, "min_quantity": None, "max_quantity": None}
    ]
    assert document["metadata"] == {"a": 1}
    assert '"amount": 29.99' in json.dumps(document)


def test_stock_that_nobody_counts_is_null() -> None:
    product = t_shirt(variants=[{"title": "A", "prices": [], "manage_inventory": False}])

    variant = payload(Change(product, EventType.CREATED))["variants"][0]

    assert variant["inventory_quantity"] is None


def test_a_delete_carries_the_id_alone() -> None:
    change = t_shirt().delete(LATER)

    assert payload(change) == {"id": change.product.id}


def test_both_dates_are_in_utc_with_milliseconds() -> None:
    document = payload(Change(t_shirt(), EventType.CREATED))

    assert document["updated_at"] == NOON.isoformat(timespec="milliseconds").replace("+00:00", "Z")
