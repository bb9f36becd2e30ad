"""Handles: the part of a product's address that names it."""

import re
import unicodedata
from typing import Final

from commerce.errors import InvalidDataError

MAX_LENGTH: Final = 200  # leaves room for whoever has to add something to make it unique

_APOSTROPHES = re.compile(r"['\u2019]")
_SEPARATORS = re.compile(r"[\W_]+")
_HANDLE = re.compile(r"[^\W_]+(?:[-_.~][^\W_]+)*")


def to_handle(title: str) -> str:
    """The title in kebab-case; letters outside ASCII stay ("Café Crème" is "café-crème").

    Empty when the title has neither letter nor digit.
    """
    text = _APOSTROPHES.sub("", unicodedata.normalize("NFC", title).lower())
    return _SEPARATORS.sub("-", text).strip("-")[:MAX_LENGTH].rstrip("-")


def checked_handle(handle: str) -> str:
    """The handle, or `InvalidDataError` where it could not stand in an address as it is."""
    if _HANDLE.fullmatch(handle) is None:
        raise InvalidDataError(
            f"Invalid product handle '{handle}'. It must contain URL safe characters"
        )
    return handle
