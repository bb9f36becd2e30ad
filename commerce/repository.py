"""Products in Postgres: whole products in, whole products out, on the caller's transaction.

Statements whose rows nobody needs are sent without waiting for their answer, where the caller's
connection is in pipeline mode.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from psycopg import errors
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from commerce.attributes import ATTRIBUTE_NAMES, Attributes
from commerce.database import Connection
from commerce.errors import DuplicateError, NotFoundError
from commerce.image import Image
from commerce.option import Option, OptionValue
from commerce.price import Price
from commerce.product import Product
from commerce.search import ProductSearch
from commerce.sql import queries
from commerce.variant import Variant

_TAKEN: Final = re.compile(r"\((?P<field>\w+)\)=\((?P<value>.*)\) ", re.DOTALL)
_CODES: Final = ("sku", "barcode", "ean", "upc")


@dataclass(frozen=True, slots=True)
class Page:
    """Ids of one page, and how many products match in all."""

    ids: list[str]
    count: int


async def lock(conn: Connection, product_id: str) -> Product:
    """The living product under its row lock, or `NotFoundError`."""
    products = await lock_many(conn, [product_id])
    if not products:
        raise NotFoundError(f"Product with id: {product_id} was not found")
    return products[0]


async def lock_many(conn: Connection, product_ids: Iterable[str]) -> list[Product]:
    """The living ones of these products under their row locks, taken in the order of the ids."""
    ids = sorted(set(product_ids))
    if not ids:
        return []
    cursor = await conn.execute(queries()["lock"], {"ids": ids})
    products = await find(conn, ids)
    locked = {row["id"] for row in await cursor.fetchall()}
    return [product for product in products if product.id in locked]


async def lock_deleted(conn: Connection, product_id: str) -> Product:
    """The deleted product under its row lock, or `NotFoundError`."""
    cursor = await conn.execute(queries()["lock_deleted"], {"id": product_id})
    if await cursor.fetchone() is None:
        raise NotFoundError(f"Deleted product with id: {product_id} was not found")
    return (await find(conn, [product_id]))[0]


async def get(conn: Connection, product_id: str) -> Product:
    """The living product, or `NotFoundError`."""
    for product in await find(conn, [product_id]):
        if product.deleted_at is None:
            return product
    raise NotFoundError(f"Product with id: {product_id} was not found")


async def find(conn: Connection, product_ids: Sequence[str]) -> list[Product]:
    """These products in this order, deleted ones too; unknown ids are left out."""
    cursor = await conn.execute(queries()["products"], {"ids": list(product_ids)})
    return [_product(row) for row in await cursor.fetchall()]


async def search(conn: Connection, wanted: ProductSearch) -> Page:
    """The ids of the living products that match."""
    cursor = await conn.execute(queries()["search"], wanted.parameters())
    row = await cursor.fetchone()
    return Page(row["ids"], row["count"]) if row is not None else Page([], 0)


async def existing_handles(conn: Connection, handles: Iterable[str]) -> set[str]:
    """Which of these handles living products have."""
    cursor = await conn.execute(queries()["existing_handles"], {"handles": list(handles)})
    return {row["handle"] for row in await cursor.fetchall()}


async def insert(conn: Connection, products: Sequence[Product]) -> None:
    """New products, any number at once."""
    if not products:
        return
    await conn.execute(
        queries()["insert_products"], {"products": Jsonb([_product_row(p) for p in products])}
    )
    await conn.execute(
        queries()["insert_options"],
        {
            "options": Jsonb([row for p in products for row in _option_rows(p)]),
            "option_values": Jsonb([row for p in products for row in _value_rows(p)]),
        },
    )
    images = [row for p in products for row in _image_rows(p)]
    if images:
        await conn.execute(queries()["write_images"], {"images": Jsonb(images)})
    await _write_variants(conn, [(v, p) for p in products for v in p.variants])


async def update(conn: Connection, before: Product, after: Product) -> None:
    """What differs between two states of a product; the caller holds its row lock."""
    await _update_variants(conn, before, after)
    if after.images != before.images:
        await _update_images(conn, after)
    row = _product_row(after)
    row["metadata"] = None if after.metadata is None else Jsonb(after.metadata)
    await conn.execute(queries()["update_product"], row)


async def mark_deleted(conn: Connection, product_ids: Sequence[str], now: datetime) -> None:
    """The products are gone; the caller holds their row locks."""
    if not product_ids:
        return
    await conn.execute(queries()["mark_deleted"], {"ids": list(product_ids), "deleted_at": now})


async def mark_restored(conn: Connection, product: Product) -> None:
    """The product is back; the caller holds its row lock."""
    await conn.execute(
        queries()["mark_restored"], {"id": product.id, "updated_at": product.updated_at}
    )


async def _update_images(conn: Connection, product: Product) -> None:
    ids = [image.id for image in product.images]
    await conn.execute(queries()["delete_images"], {"product_id": product.id, "ids": ids})
    if ids:
        await conn.execute(queries()["write_images"], {"images": Jsonb(_image_rows(product))})


async def _update_variants(conn: Connection, before: Product, after: Product) -> None:
    known = {variant.id: variant for variant in before.variants}
    kept = [variant.id for variant in after.variants]
    if not known.keys() <= set(kept):
        await conn.execute(queries()["delete_variants"], {"product_id": after.id, "ids": kept})
    changed = [variant for variant in after.variants if known.get(variant.id) != variant]
    moved = [v.id for v in changed if v.id in known and _codes(v) != _codes(known[v.id])]
    if moved:
        await conn.execute(queries()["release_codes"], {"ids": moved})
    existing = [variant for variant in changed if variant.id in known]
    if existing:
        price_ids = [price.id for variant in existing for price in variant.prices]
        await conn.execute(
            queries()["clear_variant_parts"],
            {"variant_ids": [variant.id for variant in existing], "price_ids": price_ids},
        )
    await _write_variants(conn, [(variant, after) for variant in changed])


async def _write_variants(conn: Connection, variants: Sequence[tuple[Variant, Product]]) -> None:
    if not variants:
        return
    rows = [_variant_row(variant, product) for variant, product in variants]
    await conn.execute(queries()["write_variants"], {"variants": Jsonb(rows)})
    await conn.execute(
        queries()["write_variant_parts"],
        {
            "prices": Jsonb([row for variant, _ in variants for row in _price_rows(variant)]),
            "chosen": Jsonb(
                [
                    {"variant_id": variant.id, "option_value_id": value_id}
                    for variant, _ in variants
                    for value_id in variant.option_value_ids
                ]
            ),
            "stock": Jsonb(
                [
                    {"variant_id": v.id, "stocked_quantity": v.inventory_quantity}
                    for v, _ in variants
                ]
            ),
        },
    )


def _codes(variant: Variant) -> tuple[str | None, ...]:
    return tuple(getattr(variant, code) for code in _CODES)


def _product_row(product: Product) -> dict[str, Any]:
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
        "metadata": product.metadata,
        "created_at": product.created_at.isoformat(),
        "updated_at": product.updated_at.isoformat(),
    }


def _image_rows(product: Product) -> list[dict[str, Any]]:
    return [
        {
            "id": image.id,
            "product_id": product.id,
            "url": image.url,
            "rank": image.rank,
            "created_at": image.created_at.isoformat(),
        }
        for image in product.images
    ]


def _option_rows(product: Product) -> list[dict[str, Any]]:
    return [
        {"id": option.id, "product_id": product.id, "title": option.title, "rank": rank}
        for rank, option in enumerate(product.options)
    ]


def _value_rows(product: Product) -> list[dict[str, Any]]:
    return [
        {"id": choice.id, "option_id": option.id, "value": choice.value, "rank": rank}
        for option in product.options
        for rank, choice in enumerate(option.values)
    ]


def _variant_row(variant: Variant, product: Product) -> dict[str, Any]:
    return {
        "id": variant.id,
        "product_id": product.id,
        "title": variant.title,
        **{code: getattr(variant, code) for code in _CODES},
        "manage_inventory": variant.manage_inventory,
        "allow_backorder": variant.allow_backorder,
        "variant_rank": variant.variant_rank,
        **asdict(variant.attributes),
        "metadata": variant.metadata,
        "created_at": variant.created_at.isoformat(),
        "updated_at": variant.updated_at.isoformat(),
    }


def _price_rows(variant: Variant) -> list[dict[str, Any]]:
    return [
        {
            "id": price.id,
            "variant_id": variant.id,
            "currency_code": price.currency_code,
            "amount": str(price.amount),
            "min_quantity": price.min_quantity,
            "max_quantity": price.max_quantity,
            "created_at": price.created_at.isoformat(),
            "updated_at": price.updated_at.isoformat(),
        }
        for price in variant.prices
    ]


def _product(row: DictRow) -> Product:
    attributes = Attributes(**{name: row.pop(name) for name in ATTRIBUTE_NAMES})
    images = tuple(_image(entry) for entry in row.pop("images"))
    options = tuple(_option(entry) for entry in row.pop("options"))
    variants = tuple(_variant(entry) for entry in row.pop("variants"))
    return Product(**row, attributes=attributes, images=images, options=options, variants=variants)


def _image(entry: dict[str, Any]) -> Image:
    return Image(**{**entry, "created_at": datetime.fromisoformat(entry["created_at"])})


def _option(entry: dict[str, Any]) -> Option:
    values = tuple(OptionValue(**value) for value in entry["values"])
    return Option(id=entry["id"], title=entry["title"], values=values)


def _variant(entry: dict[str, Any]) -> Variant:
    attributes = Attributes(**{name: entry.pop(name) for name in ATTRIBUTE_NAMES})
    return Variant(
        **{
            **entry,
            "option_value_ids": tuple(entry["option_value_ids"]),
            "prices": tuple(_price(price) for price in entry["prices"]),
            "created_at": datetime.fromisoformat(entry["created_at"]),
            "updated_at": datetime.fromisoformat(entry["updated_at"]),
        },
        attributes=attributes,
    )


def _price(entry: dict[str, Any]) -> Price:
    return Price(
        **{
            **entry,
            "amount": Decimal(entry["amount"]),
            "created_at": datetime.fromisoformat(entry["created_at"]),
            "updated_at": datetime.fromisoformat(entry["updated_at"]),
        }
    )


@contextmanager
def translated_duplicates() -> Iterator[None]:
    """Unique violations as `DuplicateError`: the one seam for what the driver calls them.

    Around the whole transaction, because in a pipeline an error shows up late.
    """
    try:
        yield
    except errors.UniqueViolation as exc:
        noun = "Product variant" if exc.diag.table_name == "variant" else "Product"
        taken = _TAKEN.search(exc.diag.message_detail or "")
        if taken is None:
            raise
        raise DuplicateError(noun, taken["field"], taken["value"]) from exc
