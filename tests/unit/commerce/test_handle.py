import pytest

from commerce.errors import InvalidDataError
from commerce.handle import MAX_LENGTH, checked_handle, to_handle


@pytest.mark.parametrize(
    ("title", "handle"),
    [
        ("Premium Cotton T-Shirt", "premium-cotton-t-shirt"),
        ("  Men's   Café Crème  ", "mens-café-crème"),
        ("Snow_Boots (2026) / 42", "snow-boots-2026-42"),
        ("緑茶", "緑茶"),
        ("100% Wool", "100-wool"),
        ("!!!", ""),
    ],
)
def test_a_title_becomes_kebab_case_and_letters_outside_ascii_stay(title: str, handle: str) -> None:
    assert to_handle(title) == handle


def test_a_long_title_gives_a_handle_that_postgres_can_index() -> None:
    handle = to_handle("word " * 1000)

    assert len(handle) <= MAX_LENGTH
    assert not handle.endswith("-")


@pytest.mark.parametrize("handle", ["mug", "coffee-mug", "café", "mug_2", "v1.2"])
def test_a_handle_that_can_stand_in_an_address_is_kept(handle: str) -> None:
    assert checked_handle(handle) == handle


@pytest.mark.parametrize("handle", ["", "a b", "a/b", "a?b", "-a", "a-", "a--b", "../x", "a%20b"])
def test_a_handle_that_would_break_an_address_is_refused(handle: str) -> None:
    with pytest.raises(InvalidDataError, match="URL safe"):
        checked_handle(handle)
