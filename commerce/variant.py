"""What can be bought: one answer to a product's options, with its prices and its stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from commerce.attributes import ATTRIBUTE_NAMES, Attributes
from commerce.command import CreateVariant, UpdateVariant
from commerce.errors import InvalidDataError
from commerce.identifier import NewId
from commerce.metadata import Metadata, merged
from commerce.option import Option, chosen_value_ids
from commerce.price import Price, replace_prices

PLAIN_FIELDS: Final = (
    "title",
    "sku",
    "barcode",
    "ean",
    "upc",
    "manage_inventory",
    "allow_backorder",
    "inventory_quantity",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A variant; `option_value_ids` follow the order of the product's options, or are none."""

    id: str
    title: str
    sku: str | None
    barcode: str | None
    ean: str | None
    upc: str | None
    manage_inventory: bool
    allow_backorder: bool
    variant_rank: int
    inventory_quantity: int
    option_value_ids: tuple[str, ...]
    prices: tuple[Price, ...]
    attributes: Attributes
    metadata: Metadata | None
    created_at: datetime
    updated_at: datetime


def new_variant(
    command: CreateVariant | UpdateVariant,
    options: Sequence[Option],
    rank: int,
    now: datetime,
    new_id: NewId,
) -> Variant:
    """A variant of a product with these options; `rank` counts where the caller gave none."""
    return Variant(
        id=new_id("variant"),
        title=command.title,
        sku=command.sku or None,
        barcode=command.barcode or None,
        ean=command.ean or None,
        upc=command.upc or None,
        manage_inventory=command.manage_inventory,
        allow_backorder=command.allow_backorder,
        variant_rank=rank if command.variant_rank is None else command.variant_rank,
        inventory_quantity=command.inventory_quantity,
        option_value_ids=chosen_value_ids(options, command.options, command.title),
        prices=replace_prices((), command.prices, now, new_id),
        attributes=Attributes(**{name: getattr(command, name) for name in ATTRIBUTE_NAMES}),
        metadata=command.metadata,
        created_at=now,
        updated_at=now,
    )


def changed_variant(
    variant: Variant,
    command: UpdateVariant,
    options: Sequence[Option],
    now: datetime,
    new_id: NewId,
) -> Variant:
    """The variant with what the caller gave; the very same object when that changes nothing."""
    changes: dict[str, Any] = {
        name: getattr(command, name) for name in PLAIN_FIELDS if command.given(name)
    }
    for code in ("sku", "barcode", "ean", "upc"):
        if code in changes:
            changes[code] = changes[code] or None
    if command.given("variant_rank") and command.variant_rank is not None:
        changes["variant_rank"] = command.variant_rank
    if command.given("options"):
        changes["option_value_ids"] = chosen_value_ids(options, command.options, variant.title)
    if command.given("prices"):
        changes["prices"] = replace_prices(variant.prices, command.prices, now, new_id)
    if command.given("metadata"):
        changes["metadata"] = merged(variant.metadata, command.metadata)
    changes["attributes"] = replace(
        variant.attributes,
        **{name: getattr(command, name) for name in ATTRIBUTE_NAMES if command.given(name)},
    )
    changed = replace(variant, **changes)
    return variant if changed == variant else replace(changed, updated_at=now)


def in_order(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """By rank, then by creation."""
    return tuple(sorted(variants, key=lambda variant: (variant.variant_rank, variant.id)))


def refuse_same_options(variants: Sequence[Variant]) -> None:
    """Two variants with the same answers could not be told apart: `InvalidDataError`."""
    seen: dict[tuple[str, ...], str] = {}
    for variant in variants:
        if variant.option_value_ids and variant.option_value_ids in seen:
            raise InvalidDataError(
                f"Variant ({seen[variant.option_value_ids]}) with provided options already exists."
            )
        seen[variant.option_value_ids] = variant.title


def options_by_title(variant: Variant, options: Sequence[Option]) -> Mapping[str, str]:
    """The variant's answers as `{"Size": "S"}`."""
    return {
        option.title: choice.value
        for option in options
        for choice in option.values
        if choice.id in variant.option_value_ids
    }
