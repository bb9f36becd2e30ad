"""Products for tests: a clock and ids that count."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from commerce.command import CreateProduct, UpdateProduct
from commerce.product import Product, create

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


def counting_ids() -> Callable[[str], str]:
    numbers = count(1)
    return lambda kind: f"{kind}_{next(numbers):04}"


def t_shirt(**changes: Any) -> Product:
    return create(CreateProduct(**(t_shirt_body() | changes)), NOON, counting_ids()).product


def t_shirt_body() -> dict[str, Any]:
    return {
        "title": "Premium Cotton T-Shirt",
        "description": "A comfortable t-shirt",
        "images": [{"url": "https://shop.example/front.jpg"}],
        "options": [{"title": "Size", "values": ["S", "M", "L"]}],
        "variants": [
            {
                "title": title,
                "sku": f"SHIRT-{size}",
                "options": {"Size": size},
                "prices": [{"currency_code": "USD", "amount": 29.99}],
                "inventory_quantity": 45,
            }
            for title, size in (("Small", "S"), ("Medium", "M"), ("Large", "L"))
        ],
    }


def updated(product: Product, **changes: Any) -> Product:
    change = product.update(UpdateProduct(**changes), LATER, counting_ids_from(9000))
    return product if change is None else change.product


def counting_ids_from(first: int) -> Callable[[str], str]:
    numbers = count(first)
    return lambda kind: f"{kind}_{next(numbers):04}"
