"""The payload of a change event: the whole state of a product after a write, never a diff."""

from dataclasses import asdict
from typing import Any

from commerce.option import Option
from commerce.price import Price
from commerce.product import Change, Product
from commerce.variant import Variant, options_by_title
from commerce.wire import amount, timestamp
from outbox.event import EventType


def payload(change: Change) -> dict[str, Any]:
    """What the event carries: the whole state, or the id alone where the product is gone."""
    if change.event is EventType.DELETED:
        return {"id": change.product.id}
    return state(change.product)


def state(product: Product) -> dict[str, Any]:
    """The product's whole state. Additive changes only: consumers read what they know."""
    return {
        "id": product.id,
        "title": product.title,
        "subtitle": product.subtitle,
        "description": product.description,
        "handle": product.handle,
        "status": product.status,
        "thumbnail": product.thumbnail,
        "is_giftcard": product.is_giftcard,
        "discountable": product.discountable,
        "external_id": product.external_id,
        **asdict(product.attributes),
        "images": [{"id": i.id, "url": i.url, "rank": i.rank} for i in product.images],
        "options": [_option(option) for option in product.options],
        "variants": [_variant(variant, product) for variant in product.variants],
        "metadata": product.metadata,
        "created_at": timestamp(product.created_at),
        "updated_at": timestamp(product.updated_at),
    }


def _option(option: Option) -> dict[str, Any]:
    return {
        "id": option.id,
        "title": option.title,
        "values": [choice.value for choice in option.values],
    }


def _variant(variant: Variant, product: Product) -> dict[str, Any]:
    return {
        "id": variant.id,
        "title": variant.title,
        "sku": variant.sku,
        "barcode": variant.barcode,
        "ean": variant.ean,
        "upc": variant.upc,
        "variant_rank": variant.variant_rank,
        "manage_inventory": variant.manage_inventory,
        "allow_backorder": variant.allow_backorder,
        "inventory_quantity": variant.inventory_quantity if variant.manage_inventory else None,
        "options": dict(options_by_title(variant, product.options)),
        "prices": [_price(price) for price in variant.prices],
        **asdict(variant.attributes),
        "metadata": variant.metadata,
    }


def _price(price: Price) -> dict[str, Any]:
    return {
        "currency_code": price.currency_code,
        "amount": amount(price.amount),
        "min_quantity": price.min_quantity,
        "max_quantity": price.max_quantity,
    }
