"""What a product can be chosen by, such as size and colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commerce.command import OptionInput
from commerce.errors import InvalidDataError
from commerce.identifier import NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionValue:
    """One choice, such as "M"."""

    id: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One question with its choices, such as "Size" with S, M and L, in the given order."""

    id: str
    title: str
    values: tuple[OptionValue, ...]

    def find(self, value: str) -> OptionValue | None:
        """The choice with this text."""
        return next((choice for choice in self.values if choice.value == value), None)


def new_options(
    product_title: str, wanted: Sequence[OptionInput], new_id: NewId
) -> tuple[Option, ...]:
    """Options for a new product; without any, or with one twice, `InvalidDataError`."""
    if not wanted:
        raise InvalidDataError(f"Product options are not provided for: [{product_title}].")
    _refuse_twice("Option", [option.title for option in wanted])
    for option in wanted:
        _refuse_twice(f"Value of option {option.title}", option.values)
    return tuple(
        Option(
            id=new_id("option"),
            title=option.title,
            values=tuple(OptionValue(id=new_id("option_value"), value=v) for v in option.values),
        )
        for option in wanted
    )


def chosen_value_ids(
    options: Sequence[Option], chosen: Mapping[str, str], variant_title: str
) -> tuple[str, ...]:
    """The ids of the chosen values in the order of `options`, from `{"Size": "S"}`.

    A variant answers every question or none; an unknown option or value is `InvalidDataError`.
    """
    if not chosen:
        return ()
    titles = {option.title for option in options}
    for title in chosen:
        if title not in titles:
            raise InvalidDataError(f"Option {title} does not exist for the product")
    if len(chosen) != len(options):
        raise InvalidDataError(
            f"Product has {len(options)} options but {len(chosen)} option values were provided "
            f"for the variant: {variant_title}."
        )
    return tuple(_value_id(option, chosen[option.title]) for option in options)


def _value_id(option: Option, value: str) -> str:
    found = option.find(value)
    if found is None:
        raise InvalidDataError(f"Option value {value} does not exist for option {option.title}")
    return found.id


def _refuse_twice(noun: str, texts: Sequence[str]) -> None:
    for text in texts:
        if texts.count(text) > 1:
            raise InvalidDataError(f"{noun} {text} is given more than once")
