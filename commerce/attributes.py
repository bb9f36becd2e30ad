"""Measures and customs data, which products and variants both have."""

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Weight in grams and lengths in millimetres by convention; nothing here computes with them."""

    weight: float | None = None
    length: float | None = None
    height: float | None = None
    width: float | None = None
    hs_code: str | None = None
    origin_country: str | None = None
    mid_code: str | None = None
    material: str | None = None


ATTRIBUTE_NAMES: Final = tuple(field.name for field in fields(Attributes))
