"""The product: a value, whose methods return its next state and the event that says so.

Nothing here reads a clock, makes an id or touches a database; all of that is handed in.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from commerce.attributes import ATTRIBUTE_NAMES, Attributes
from commerce.command import (
    CreateProduct,
    CreateVariant,
    ProductFields,
    ProductStatus,
    UpdateProduct,
    UpdateVariant,
)
from commerce.errors import InvalidDataError, NotFoundError
from commerce.handle import checked_handle, to_handle
from commerce.identifier import NewId
from commerce.image import Image, replace_images
from commerce.metadata import Metadata, merged
from commerce.option import Option, new_options
from commerce.variant import Variant, changed_variant, in_order, new_variant, refuse_same_options
from outbox.event import EventType

PLAIN_FIELDS: Final = (
    "title",
    "subtitle",
    "description",
    "status",
    "thumbnail",
    "is_giftcard",
    "discountable",
    "external_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product with all that belongs to it: the unit of a write, of a lock and of an event."""

    id: str
    title: str
    subtitle: str | None
    description: str | None
    handle: str
    status: ProductStatus
    thumbnail: str | None
    is_giftcard: bool
    discountable: bool
    external_id: str | None
    attributes: Attributes
    images: tuple[Image, ...]
    options: tuple[Option, ...]
    variants: tuple[Variant, ...]
    metadata: Metadata | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    def find_variant(self, variant_id: str) -> Variant:
        """The variant with this id, or `NotFoundError`."""
        for variant in self.variants:
            if variant.id == variant_id:
                return variant
        raise NotFoundError(f"Variant with id: {variant_id} was not found")

    def update(self, command: UpdateProduct, now: datetime, new_id: NewId) -> "Change | None":
        """What the caller gave; None when nothing differs, and then nobody needs an event.

        `images` and `variants` replace the set (a variant that is not named goes), `metadata`
        merges, all else replaces what it names.
        """
        _refuse_relations(command)
        changes: dict[str, Any] = {
            name: getattr(command, name) for name in PLAIN_FIELDS if command.given(name)
        }
        if command.given("handle") and command.handle is not None:
            changes["handle"] = checked_handle(command.handle)
        if command.given("images"):
            changes["images"] = replace_images(self.images, command.images, now, new_id)
        if command.given("metadata"):
            changes["metadata"] = merged(self.metadata, command.metadata)
        if command.given("variants"):
            changes["variants"] = self._replaced_variants(command.variants, now, new_id)
        changes["attributes"] = replace(
            self.attributes,
            **{name: getattr(command, name) for name in ATTRIBUTE_NAMES if command.given(name)},
        )
        return self._changed(now, **changes)

    def change_variants(
        self, wanted: "VariantChanges", now: datetime, new_id: NewId
    ) -> "Change | None":
        """Variants added, changed and removed at once; unknown ids to remove are ignored."""
        for variant_id in wanted.update:
            self.find_variant(variant_id)
        kept = [variant for variant in self.variants if variant.id not in wanted.delete]
        variants = [
            changed_variant(variant, wanted.update[variant.id], self.options, now, new_id)
            if variant.id in wanted.update
            else variant
            for variant in kept
        ]
        variants += _new_variants(wanted.create, self.options, _next_rank(kept), now, new_id)
        refuse_same_options(variants)
        return self._changed(now, variants=in_order(variants))

    def delete(self, now: datetime) -> "Change":
        """The product is gone for everybody; its row stays, so that it can be restored."""
        return Change(replace(self, deleted_at=now, updated_at=now), EventType.DELETED)

    def restore(self, now: datetime) -> "Change":
        """The deleted product is back under its id, as it was."""
        return Change(replace(self, deleted_at=None, updated_at=now), EventType.CREATED)

    def _replaced_variants(
        self, wanted: Sequence[UpdateVariant], now: datetime, new_id: NewId
    ) -> tuple[Variant, ...]:
        variants = [
            self._wanted_variant(place, entry, now, new_id) for place, entry in enumerate(wanted)
        ]
        ids = [variant.id for variant in variants]
        if len(set(ids)) < len(ids):
            raise InvalidDataError("A variant is given more than once")
        refuse_same_options(variants)
        return in_order(variants)

    def _wanted_variant(
        self, place: int, entry: UpdateVariant, now: datetime, new_id: NewId
    ) -> Variant:
        if entry.id is not None:
            return changed_variant(self.find_variant(entry.id), entry, self.options, now, new_id)
        if not entry.given("title"):
            raise InvalidDataError(f"Invalid request: Field 'variants, {place}, title' is required")
        return new_variant(entry, self.options, place, now, new_id)

    def _changed(self, now: datetime, **changes: Any) -> "Change | None":
        changed = replace(self, **changes)
        if changed == self:
            return None
        return Change(replace(changed, updated_at=now), EventType.UPDATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantChanges:
    """Variants to add, to change (by id) and to remove (ids)."""

    create: Sequence[CreateVariant] = ()
    update: Mapping[str, UpdateVariant] = field(default_factory=dict)
    delete: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A product after a write, and what happened to it."""

    product: Product
    event: EventType


def create(command: CreateProduct, now: datetime, new_id: NewId) -> Change:
    """A new product: a draft unless said otherwise, its handle made from its title."""
    _refuse_relations(command)
    product_id = new_id("product")
    options = new_options(command.title, command.options, new_id)
    variants = _new_variants(command.variants, options, 0, now, new_id)
    refuse_same_options(variants)
    images = replace_images((), command.images, now, new_id)
    product = Product(
        id=product_id,
        title=command.title,
        subtitle=command.subtitle,
        description=command.description,
        handle=_new_handle(command, product_id),
        status=command.status,
        thumbnail=command.thumbnail or (images[0].url if images else None),
        is_giftcard=command.is_giftcard,
        discountable=command.discountable,
        external_id=command.external_id,
        attributes=Attributes(**{name: getattr(command, name) for name in ATTRIBUTE_NAMES}),
        images=images,
        options=options,
        variants=in_order(variants),
        metadata=command.metadata,
        created_at=now,
        updated_at=now,
    )
    return Change(product, EventType.CREATED)


def _new_handle(command: CreateProduct, product_id: str) -> str:
    if command.handle:
        return checked_handle(command.handle)
    # A title without a letter still needs an address of its own.
    return to_handle(command.title) or to_handle(product_id)


def _new_variants(
    commands: Iterable[CreateVariant],
    options: Sequence[Option],
    first_rank: int,
    now: datetime,
    new_id: NewId,
) -> list[Variant]:
    return [
        new_variant(command, options, first_rank + place, now, new_id)
        for place, command in enumerate(commands)
    ]


def _next_rank(variants: Sequence[Variant]) -> int:
    return max((variant.variant_rank for variant in variants), default=-1) + 1


def _refuse_relations(command: ProductFields) -> None:
    relation = command.relation()
    if relation is not None:
        name, reference = relation
        raise NotFoundError(
            f"You tried to set relationship {name}: {reference}, but such entity does not exist"
        )
