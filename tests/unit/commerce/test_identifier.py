import pytest

from commerce.identifier import PREFIXES, Ulids, encode
from outbox.event import is_aggregate_id


def test_ids_are_prefix_and_ulid_and_the_outbox_takes_them() -> None:
    new_id = Ulids()

    for kind, prefix in PREFIXES.items():
        made = new_id(kind)
        assert made.startswith(f"{prefix}_")
        assert len(made) == len(prefix) + 1 + 26
        assert is_aggregate_id(made)


def test_ids_of_one_millisecond_sort_by_creation_and_differ() -> None:
    new_id = Ulids(milliseconds=lambda: 1_700_000_000_000)

    made = [new_id("product") for _ in range(1000)]

    assert made == sorted(set(made))


def test_ids_keep_their_order_when_the_clock_is_set_back() -> None:
    times = iter([2_000, 1_000, 3_000])
    new_id = Ulids(milliseconds=lambda: next(times))

    made = [new_id("product") for _ in range(3)]

    assert made == sorted(made)


def test_the_encoding_is_crockfords() -> None:
    assert encode(0) == "0" * 26
    assert encode(31) == "0" * 25 + "Z"
    assert encode(2**128 - 1) == "7" + "Z" * 25


def test_an_unknown_kind_has_no_ids() -> None:
    with pytest.raises(KeyError):
        Ulids()("potato")
