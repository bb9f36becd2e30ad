from datetime import UTC, datetime

import pytest
from fastapi.exceptions import RequestValidationError

from commerce.api.query import ProductQuery, documented, parse, read
from commerce.api.validation import message
from commerce.errors import InvalidDataError


@pytest.mark.parametrize("key", ["id", "id[]", "id[0]"])
def test_one_value_in_any_notation_is_a_list(key: str) -> None:
    assert parse([(key, "a")]) == {"id": ["a"]}


def test_many_values_keep_their_order() -> None:
    assert parse([("id[0]", "a"), ("id[1]", "b")]) == {"id": ["a", "b"]}


def test_operators_nest() -> None:
    assert parse([("created_at[$gte]", "2026"), ("created_at[$lt]", "2027")]) == {
        "created_at": {"$gte": "2026", "$lt": "2027"}
    }


def test_keys_that_mix_notations_or_go_deeper_do_no_harm() -> None:
    assert parse([("id", "a"), ("id[x]", "b"), ("a[b][c]", "d"), ("[", "e")]) == {"id": ["a"]}


def test_a_page_has_defaults() -> None:
    search = read(ProductQuery, []).search()

    assert (search.limit, search.offset, search.order) == (50, 0, "id")


def test_filters_become_a_search() -> None:
    search = read(
        ProductQuery,
        [
            ("q", "Shirt"),
            ("status[]", "draft"),
            ("status[]", "published"),
            ("handle", "mug"),
            ("created_at[$gte]", "2026-01-01T00:00:00Z"),
            ("is_giftcard", "false"),
            ("order", "-title"),
            ("unknown", "ignored"),
        ],
    ).search()

    assert search.parameters()["q"] == "shirt"
    assert search.statuses == ["draft", "published"]
    assert search.handles == ["mug"]
    assert search.created.since == datetime(2026, 1, 1, tzinfo=UTC)
    assert search.is_giftcard is False
    assert search.order == "-title"


def test_a_collection_matches_nothing_while_the_shop_keeps_none() -> None:
    assert read(ProductQuery, [("collection_id[]", "pcol_1")]).search().ids == []


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("limit", "abc"), "Expected type: 'number' for field 'limit', got: 'abc'"),
        (("limit", "-1"), "Value for field 'limit' too small, expected at least: '0'"),
        (("limit", "1001"), "Value for field 'limit' too big, expected at most: '1000'"),
        (("is_giftcard", "2"), "Expected type: 'boolean' for field 'is_giftcard', got: '2'"),
        (
            ("status", "live"),
            (
                "Expected: 'draft, proposed, published, rejected' for field 'status, 0', "
                "but got: 'live'"
            ),
        ),
        (
            ("created_at[$gte]", "soon"),
            "Expected type: 'date' for field 'created_at, $gte', got: 'soon'",
        ),
    ],
)
def test_a_wrong_value_is_refused(pair: tuple[str, str], expected: str) -> None:
    with pytest.raises(RequestValidationError) as error:
        read(ProductQuery, [pair])

    assert message(error.value.errors()) == f"Invalid request: {expected}"


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(InvalidDataError, match="Order field nope is not valid"):
        read(ProductQuery, [("order", "-nope")]).search()


def test_nul_is_refused() -> None:
    with pytest.raises(InvalidDataError, match="NUL"):
        parse([("q", "a\x00")])


def test_every_key_is_documented() -> None:
    names = {parameter["name"] for parameter in documented(ProductQuery)["parameters"]}

    assert names == set(ProductQuery.model_fields)
