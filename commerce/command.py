"""What a caller may ask for, in the words of Medusa's Admin API; these are its request bodies.

Strict: a string is no number, an unknown key is an error. Where a field of an update was not
given it is not in `model_fields_set`, and stays as it is. One addition of ours:
`inventory_quantity` on variants (Medusa keeps stock behind further requests).
"""

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError, PydanticKnownError

from commerce.metadata import Metadata

MAX_AMOUNT: Final = Decimal(10) ** 12
MAX_AMOUNT_DIGITS: Final = 15  # every such decimal survives the way through a JSON number
MAX_INTEGER: Final = 2**31 - 1
CURRENCY_LENGTH: Final = 3
MAX_INDEXED_LENGTH: Final = 255  # characters; Postgres indexes at most 2,704 bytes

ProductStatus = Literal["draft", "proposed", "published", "rejected"]


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise PydanticKnownError("float_type")
    amount = Decimal(str(value))
    if not amount.is_finite():
        raise PydanticKnownError("finite_number")
    if amount < 0:
        raise PydanticKnownError("greater_than_equal", {"ge": 0})
    if amount > MAX_AMOUNT:
        raise PydanticKnownError("less_than_equal", {"le": int(MAX_AMOUNT)})
    if len(amount.normalize().as_tuple().digits) > MAX_AMOUNT_DIGITS:
        raise PydanticKnownError("decimal_max_digits", {"max_digits": MAX_AMOUNT_DIGITS})
    return amount


def _currency_code(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    if len(value) != CURRENCY_LENGTH or not (value.isascii() and value.isalpha()):
        raise PydanticCustomError(
            "currency_code", "Currency code must be three letters, such as usd"
        )
    return value.lower()


Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": int(MAX_AMOUNT)}),
]
CurrencyCode = Annotated[
    str,
    BeforeValidator(_currency_code),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]{3}$"}),
]
Title = Annotated[str, Field(min_length=1)]
Indexed = Annotated[str, Field(max_length=MAX_INDEXED_LENGTH)]
Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]


class Body(BaseModel):
    """A JSON object with known keys only."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    def given(self, name: str) -> bool:
        """Whether the caller sent this key, be it with null."""
        return name in self.model_fields_set


class Reference(Body):
    """Something that exists elsewhere, by id."""

    id: str


class ImageInput(Body):
    """A picture; `id` only in an update, to keep the one that is there."""

    id: str | None = None
    url: str = Field(min_length=1)


class OptionInput(Body):
    """An option with its values."""

    title: Title
    values: list[Title] = Field(min_length=1)


class PriceInput(Body):
    """A price in major units: 29.99 is $29.99. `id` is tolerated: the currency decides."""

    id: str | None = None
    currency_code: CurrencyCode
    amount: Amount
    min_quantity: Count | None = None
    max_quantity: Count | None = None
    rules: dict[str, str] | None = Field(default=None, max_length=0)


class AttributesInput(Body):
    """Measures and customs data."""

    weight: Measure | None = None
    length: Measure | None = None
    height: Measure | None = None
    width: Measure | None = None
    hs_code: str | None = None
    origin_country: str | None = None
    mid_code: str | None = None
    material: str | None = None


class VariantFields(AttributesInput):
    """What creating and updating a variant have in common."""

    sku: Indexed | None = None
    barcode: Indexed | None = None
    ean: Indexed | None = None
    upc: Indexed | None = None
    options: dict[str, str] = Field(default_factory=dict)
    manage_inventory: bool = True
    allow_backorder: bool = False
    variant_rank: Count | None = None
    metadata: Metadata | None = None
    inventory_quantity: Count = 0


class CreateVariant(VariantFields):
    """A new variant."""

    title: Title
    prices: list[PriceInput]


class UpdateVariant(VariantFields):
    """Changes of one variant; within a product's update, without `id`, a new one."""

    id: str | None = None
    title: Title = ""
    prices: list[PriceInput] = Field(default_factory=list)


class ProductFields(AttributesInput):
    """What creating and updating a product have in common."""

    subtitle: str | None = None
    description: str | None = None
    handle: Indexed | None = None
    status: ProductStatus = "draft"
    thumbnail: str | None = None
    images: list[ImageInput] = Field(default_factory=list)
    is_giftcard: bool = False
    discountable: bool = True
    external_id: str | None = None
    metadata: Metadata | None = None
    additional_data: Metadata | None = None  # Medusa's slot for hooks; there are none here
    type_id: str | None = None
    collection_id: str | None = None
    shipping_profile_id: str | None = None
    categories: list[Reference] = Field(default_factory=list)
    tags: list[Reference] = Field(default_factory=list)
    sales_channels: list[Reference] = Field(default_factory=list)

    def relation(self) -> tuple[str, str] | None:
        """The first reference to something this shop doesn't keep yet, as name and id."""
        for name in ("type_id", "collection_id", "shipping_profile_id"):
            if (reference := getattr(self, name)) is not None:
                return name, reference
        for name in ("categories", "tags", "sales_channels"):
            for entry in getattr(self, name):
                return name, entry.id
        return None


class CreateProduct(ProductFields):
    """A new product: a title and at least one option."""

    title: Title
    options: list[OptionInput] = Field(default_factory=list)
    variants: list[CreateVariant] = Field(default_factory=list)


class UpdateProduct(ProductFields):
    """Changes of a product: lists replace what is there, `metadata` merges."""

    title: Title = ""
    variants: list[UpdateVariant] = Field(default_factory=list)


class UpdateProductInBatch(UpdateProduct):
    """Changes of the product with this id."""

    id: str


class BatchProducts(Body):
    """Deletions, changes and creations that happen together or not at all."""

    create: list[CreateProduct] = Field(default_factory=list)
    update: list[UpdateProductInBatch] = Field(default_factory=list)
    delete: list[str] = Field(default_factory=list)


class UpdateVariantInBatch(UpdateVariant):
    """Changes of the variant with this id."""

    id: str


class BatchVariants(Body):
    """Deletions, changes and creations of one product's variants, together or not at all."""

    create: list[CreateVariant] = Field(default_factory=list)
    update: list[UpdateVariantInBatch] = Field(default_factory=list)
    delete: list[str] = Field(default_factory=list)
