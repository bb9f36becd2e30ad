"""Plausible products in any number, the same ones for the same seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

from commerce.command import (
    CreateProduct,
    CreateVariant,
    ImageInput,
    OptionInput,
    PriceInput,
    ProductStatus,
)
from commerce.handle import to_handle

# What one US dollar's worth is sold at elsewhere; yen have no smaller unit.
RATES: Final = {"eur": Decimal("0.95"), "gbp": Decimal("0.82"), "jpy": Decimal(150)}
CENT: Final = Decimal("0.01")
QUALITIES: Final = (
    "Classic", "Everyday", "Heritage", "Washed", "Relaxed", "Slim", "Oversized", "Essential",
    "Coastal", "Alpine", "Urban", "Vintage", "Lightweight", "Quilted", "Ribbed", "Textured",
)  # fmt: skip
COLORS: Final = ("Black", "White", "Navy", "Sand", "Olive", "Rust", "Charcoal", "Sky", "Berry")
FIT: Final = ("S", "M", "L", "XL")
SHOE: Final = ("38", "39", "40", "41", "42", "43")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of product: its name, what it is made of, its option, and prices in whole dollars."""

    name: str
    picture: str
    materials: tuple[str, ...]
    option: str
    values: tuple[str, ...]
    dollars: tuple[int, int]
    purpose: str


KINDS: Final = (
    Kind("T-Shirt", "t-shirt", ("Cotton", "Organic Cotton", "Linen"), "Size", FIT, (15, 40),
         "A shirt to wear on its own or under a layer"),
    Kind("Jeans", "jeans", ("Denim", "Stretch Denim", "Raw Denim"), "Size", FIT, (50, 120),
         "Trousers that get better with every wear"),
    Kind("Sneakers", "sneakers", ("Canvas", "Leather", "Recycled Mesh"), "Size", SHOE, (60, 140),
         "Shoes for the way to work and the way back"),
    Kind("Cap", "cap", ("Cotton", "Wool", "Corduroy"), "Color", COLORS[:4], (15, 35),
         "A cap that keeps the sun out of your eyes"),
    Kind("Hoodie", "hoodie", ("Fleece", "Organic Cotton", "French Terry"), "Size", FIT, (40, 90),
         "A hoodie for cool evenings"),
    Kind("Backpack", "backpack", ("Canvas", "Recycled Nylon", "Waxed Cotton"), "Color",
         COLORS[:5], (45, 160), "A pack for a laptop, a jacket and lunch"),
    Kind("Mug", "mug", ("Stoneware", "Porcelain", "Enamel"), "Color", COLORS[4:8], (9, 28),
         "A mug that feels right in the hand"),
    Kind("Scarf", "scarf", ("Merino", "Cashmere", "Lambswool"), "Color", COLORS[2:6], (25, 95),
         "A scarf that is warm and weighs little"),
    Kind("Lamp", "lamp", ("Oak", "Steel", "Ceramic"), "Color", COLORS[:3], (35, 180),
         "A lamp for reading and for quiet corners"),
    Kind("Notebook", "notebook", ("Recycled Paper", "Cotton Paper"), "Ruling",
         ("Plain", "Lined", "Dotted"), (6, 24), "A notebook that lies flat"),
)  # fmt: skip


def plausible_products(count: int, seed: int, base_url: str = "") -> Iterator[CreateProduct]:
    """`count` products of this seed; handles and SKUs carry seed and number, so none collide."""
    random = Random(seed)  # noqa: S311 - nothing here is a secret
    for number in range(count):
        yield _product(random, f"{seed}-{number + 1}", base_url)


def _product(random: Random, mark: str, base_url: str) -> CreateProduct:
    kind = random.choice(KINDS)
    material = random.choice(kind.materials)
    title = f"{random.choice(QUALITIES)} {material} {kind.name}"
    dollars = Decimal(random.randint(*kind.dollars)) - CENT
    picture = f"{base_url}/static/images/{kind.picture}.svg"
    return CreateProduct(
        title=title,
        subtitle=f"{material}, in {len(kind.values)} variants",
        description=f"{kind.purpose}. Made of {material.lower()}.",
        handle=f"{to_handle(title)}-{mark}",
        status=_status(random),
        images=[ImageInput(url=picture)],
        material=material,
        weight=float(random.randint(80, 1500)),
        options=[OptionInput(title=kind.option, values=list(kind.values))],
        variants=[_variant(random, kind, value, mark, dollars) for value in kind.values],
        metadata={"season": random.choice(("spring", "summer", "autumn", "winter"))},
    )


def _variant(random: Random, kind: Kind, value: str, mark: str, dollars: Decimal) -> CreateVariant:
    return CreateVariant(
        title=value,
        sku=f"{kind.picture.upper()}-{mark}-{value.upper()}",
        options={kind.option: value},
        prices=_prices(dollars),
        inventory_quantity=random.choice((0, *range(5, 120))),
    )


def _prices(dollars: Decimal) -> list[PriceInput]:
    amounts = {"usd": dollars}
    for currency, rate in RATES.items():
        unit = Decimal(1) if currency == "jpy" else CENT
        amounts[currency] = (dollars * rate).quantize(unit)
    return [PriceInput(currency_code=code, amount=amount) for code, amount in amounts.items()]


def _status(random: Random) -> ProductStatus:
    return "published" if random.random() < 0.9 else "draft"  # noqa: PLR2004 - nine of ten
