"""Answers of the Admin API: their shapes, and products put into them."""

from collections.abc import Sequence
from typing import Any, NotRequired

from typing_extensions import TypedDict

from commerce.account import User
from commerce.image import Image
from commerce.metadata import Metadata
from commerce.option import Option, OptionValue
from commerce.price import Price
from commerce.product import Product
from commerce.variant import Variant
from commerce.wire import amount, optional_timestamp, timestamp


class Dates(TypedDict):
    """When something was made, changed and deleted."""

    created_at: str
    updated_at: str
    deleted_at: str | None


class Measures(TypedDict):
    """Measures and customs data."""

    weight: float | None
    length: float | None
    height: float | None
    width: float | None
    hs_code: str | None
    origin_country: str | None
    mid_code: str | None
    material: str | None


class ImageAnswer(Dates):
    """A picture."""

    id: str
    url: str
    rank: int
    product_id: str
    metadata: Metadata | None


class OptionValueAnswer(Dates):
    """A choice of an option."""

    id: str
    value: str
    rank: int
    metadata: Metadata | None
    option_id: str


class OptionAnswer(Dates):
    """An option with its choices."""

    id: str
    title: str
    is_exclusive: bool
    metadata: Metadata | None
    product_id: str
    values: list[OptionValueAnswer]


class ChosenOption(TypedDict):
    """The option of a chosen value."""

    id: str
    title: str


class ChosenValue(TypedDict):
    """What a variant chose."""

    id: str
    value: str
    option_id: str
    rank: int
    metadata: Metadata | None
    option: ChosenOption


class PriceAnswer(Dates):
    """A price in major units."""

    id: str
    amount: float
    currency_code: str
    min_quantity: int | None
    max_quantity: int | None
    variant_id: str
    rules: dict[str, str]


class VariantImage(TypedDict):
    """A picture of a variant; all of the product's."""

    id: str
    url: str


class VariantAnswer(Dates, Measures):
    """A variant; `inventory_quantity` is absent where stock is not managed."""

    id: str
    title: str
    sku: str | None
    barcode: str | None
    ean: str | None
    upc: str | None
    allow_backorder: bool
    manage_inventory: bool
    variant_rank: int
    thumbnail: str | None
    product_id: str
    metadata: Metadata | None
    images: list[VariantImage]
    options: list[ChosenValue]
    prices: list[PriceAnswer]
    inventory_quantity: NotRequired[int]


class ProductAnswer(Dates, Measures):
    """A product as an admin sees it."""

    id: str
    title: str
    subtitle: str | None
    description: str | None
    handle: str
    status: str
    thumbnail: str | None
    is_giftcard: bool
    discountable: bool
    external_id: str | None
    metadata: Metadata | None
    collection_id: str | None
    collection: None
    type_id: str | None
    type: None
    tags: list[Any]
    sales_channels: list[Any]
    images: list[ImageAnswer]
    options: list[OptionAnswer]
    variants: list[VariantAnswer]


class OneProduct(TypedDict):
    """One product."""

    product: ProductAnswer


class ProductPage(TypedDict):
    """A page of products; `count` is how many match in all."""

    products: list[ProductAnswer]
    count: int
    offset: int
    limit: int


class OneVariant(TypedDict):
    """One variant."""

    variant: VariantAnswer


class VariantPage(TypedDict):
    """A page of variants; `count` is how many there are in all."""

    variants: list[VariantAnswer]
    count: int
    offset: int
    limit: int


class Deleted(TypedDict):
    """Something that is gone."""

    id: str
    object: str
    deleted: bool


class DeletedVariant(Deleted):
    """A variant that is gone, and the product it belonged to."""

    parent: ProductAnswer


class DeletedMany(TypedDict):
    """Things that are gone."""

    ids: list[str]
    object: str
    deleted: bool


class ProductBatch(TypedDict):
    """What a batch of products did."""

    created: list[ProductAnswer]
    updated: list[ProductAnswer]
    deleted: DeletedMany


class VariantBatch(TypedDict):
    """What a batch of variants did."""

    created: list[VariantAnswer]
    updated: list[VariantAnswer]
    deleted: DeletedMany


class UserAnswer(TypedDict):
    """An admin user."""

    id: str
    email: str
    first_name: str | None
    last_name: str | None
    avatar_url: str | None
    metadata: Metadata | None
    created_at: str
    updated_at: str
    deleted_at: str | None


class OneUser(TypedDict):
    """One admin user."""

    user: UserAnswer


class Token(TypedDict):
    """A token for the header `Authorization: Bearer …`."""

    token: str


def product_answer(product: Product) -> ProductAnswer:
    """The product as an admin sees it."""
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
        "weight": product.attributes.weight,
        "length": product.attributes.length,
        "height": product.attributes.height,
        "width": product.attributes.width,
        "hs_code": product.attributes.hs_code,
        "origin_country": product.attributes.origin_country,
        "mid_code": product.attributes.mid_code,
        "material": product.attributes.material,
        "metadata": product.metadata,
        "collection_id": None,
        "collection": None,
        "type_id": None,
        "type": None,
        "tags": [],
        "sales_channels": [],
        "images": [_image(image, product) for image in product.images],
        "options": [_option(option, product) for option in product.options],
        "variants": [variant_answer(variant, product) for variant in product.variants],
        "created_at": timestamp(product.created_at),
        "updated_at": timestamp(product.updated_at),
        "deleted_at": optional_timestamp(product.deleted_at),
    }


def variant_answer(variant: Variant, product: Product) -> VariantAnswer:
    """The variant as an admin sees it."""
    shape: VariantAnswer = {
        "id": variant.id,
        "title": variant.title,
        "sku": variant.sku,
        "barcode": variant.barcode,
        "ean": variant.ean,
        "upc": variant.upc,
        "allow_backorder": variant.allow_backorder,
        "manage_inventory": variant.manage_inventory,
        "variant_rank": variant.variant_rank,
        "thumbnail": None,
        "product_id": product.id,
        "weight": variant.attributes.weight,
        "length": variant.attributes.length,
        "height": variant.attributes.height,
        "width": variant.attributes.width,
        "hs_code": variant.attributes.hs_code,
        "origin_country": variant.attributes.origin_country,
        "mid_code": variant.attributes.mid_code,
        "material": variant.attributes.material,
        "metadata": variant.metadata,
        "images": [{"id": image.id, "url": image.url} for image in product.images],
        "options": _chosen(variant, product.options),
        "prices": [_price(price, variant) for price in variant.prices],
        "created_at": timestamp(variant.created_at),
        "updated_at": timestamp(variant.updated_at),
        "deleted_at": None,
    }
    if variant.manage_inventory:
        shape["inventory_quantity"] = variant.inventory_quantity
    return shape


def user_answer(user: User) -> UserAnswer:
    """An admin user."""
    return {
        "id": user.id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "avatar_url": None,
        "metadata": user.metadata,
        "created_at": timestamp(user.created_at),
        "updated_at": timestamp(user.updated_at),
        "deleted_at": None,
    }


def _image(image: Image, product: Product) -> ImageAnswer:
    return {
        "id": image.id,
        "url": image.url,
        "rank": image.rank,
        "product_id": product.id,
        "metadata": None,
        "created_at": timestamp(image.created_at),
        "updated_at": timestamp(image.created_at),
        "deleted_at": None,
    }


def _option(option: Option, product: Product) -> OptionAnswer:
    made = timestamp(product.created_at)  # options come with their product and stay as they are
    return {
        "id": option.id,
        "title": option.title,
        "is_exclusive": True,
        "metadata": None,
        "product_id": product.id,
        "values": [
            _option_value(value, rank, option, made) for rank, value in enumerate(option.values)
        ],
        "created_at": made,
        "updated_at": made,
        "deleted_at": None,
    }


def _option_value(value: OptionValue, rank: int, option: Option, made: str) -> OptionValueAnswer:
    return {
        "id": value.id,
        "value": value.value,
        "rank": rank,
        "metadata": None,
        "option_id": option.id,
        "created_at": made,
        "updated_at": made,
        "deleted_at": None,
    }


def _chosen(variant: Variant, options: Sequence[Option]) -> list[ChosenValue]:
    return [
        {
            "id": value.id,
            "value": value.value,
            "option_id": option.id,
            "rank": rank,
            "metadata": None,
            "option": {"id": option.id, "title": option.title},
        }
        for option in options
        for rank, value in enumerate(option.values)
        if value.id in variant.option_value_ids
    ]


def _price(price: Price, variant: Variant) -> PriceAnswer:
    return {
        "id": price.id,
        "amount": amount(price.amount),
        "currency_code": price.currency_code,
        "min_quantity": price.min_quantity,
        "max_quantity": price.max_quantity,
        "variant_id": variant.id,
        "rules": {},
        "created_at": timestamp(price.created_at),
        "updated_at": timestamp(price.updated_at),
        "deleted_at": None,
    }
