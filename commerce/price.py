"""What a variant costs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from commerce.command import PriceInput
from commerce.errors import InvalidDataError
from commerce.identifier import NewId

PriceKey = tuple[str, int | None, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """An exact amount in major units (29.99 is $29.99), for a quantity within the bounds."""

    id: str
    currency_code: str
    amount: Decimal
    min_quantity: int | None
    max_quantity: int | None
    created_at: datetime
    updated_at: datetime

    @property
    def key(self) -> PriceKey:
        """What a variant has one price for."""
        return (self.currency_code, self.min_quantity, self.max_quantity)


def replace_prices(
    current: Sequence[Price], wanted: Sequence[PriceInput], now: datetime, new_id: NewId
) -> tuple[Price, ...]:
    """The wanted set of prices by currency. One for the same currency and quantities keeps its id.

    The same currency and quantities twice is `InvalidDataError`.
    """
    known = {price.key: price for price in current}
    prices: dict[PriceKey, Price] = {}
    for entry in wanted:
        key = (entry.currency_code, entry.min_quantity, entry.max_quantity)
        if key in prices:
            raise InvalidDataError(
                f"Price for currency {entry.currency_code} is given more than once"
            )
        prices[key] = _price(known.get(key), entry, now, new_id)
    return tuple(sorted(prices.values(), key=_place))


def _place(price: Price) -> tuple[str, int, int]:
    return (price.currency_code, price.min_quantity or 0, price.max_quantity or 0)


def _price(current: Price | None, entry: PriceInput, now: datetime, new_id: NewId) -> Price:
    if current is None:
        return Price(
            id=new_id("price"),
            currency_code=entry.currency_code,
            amount=entry.amount,
            min_quantity=entry.min_quantity,
            max_quantity=entry.max_quantity,
            created_at=now,
            updated_at=now,
        )
    if current.amount == entry.amount:
        return current
    return replace(current, amount=entry.amount, updated_at=now)
