from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.batch import EqualRuns, Incoming, Transaction, coalesce, pack
from consumer.decide import Outcome, Write
from consumer.errors import RevisionSetBackError
from consumer.mutation import delete, encoded
from tests.unit.consumer.samples import event


def incoming(revision: int, title: str | None = "A", *, product: str = "p") -> Incoming:
    its_event = event(revision, title, product=product)
    return Incoming(its_event, {} if title is None else {"title": title})


def write(*ids: str) -> Write:
    return Write(Outcome.DELETED, [delete(each) for each in ids])


# coalesce


def test_the_newest_event_of_each_product_stands_for_all() -> None:
    arrived = [incoming(2), incoming(1, product="q"), incoming(1), incoming(3, "B")]

    changes = coalesce(arrived, EqualRuns())

    assert [(each.product_id, each.event.revision) for each in changes] == [("p", 3), ("q", 1)]
    assert changes[0].owned == {"title": "B"}


def test_the_newest_is_the_highest_revision_not_the_last_to_come() -> None:
    changes = coalesce([incoming(3, "B"), incoming(2)], EqualRuns())

    assert [each.event.revision for each in changes] == [3]


def test_no_events_are_no_changes() -> None:
    assert coalesce([], EqualRuns()) == []


# equal runs


def since(*batches: Sequence[Incoming]) -> list[int]:
    """`equal_since` of the one product's change in each of these batches."""
    runs = EqualRuns()
    return [coalesce(batch, runs)[0].equal_since for batch in batches]


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        # one after the other, all equal
        ([[incoming(1)], [incoming(2)], [incoming(3)]], [1, 1, 1]),
        # all in one batch
        ([[incoming(1), incoming(2), incoming(3)]], [1]),
        # another title starts anew
        ([[incoming(1)], [incoming(2, "B")]], [1, 2]),
        # A, B, A: the run was broken in the middle
        ([[incoming(1)], [incoming(2, "B")], [incoming(3)]], [1, 2, 3]),
        # the same within one batch
        ([[incoming(1), incoming(2, "B"), incoming(3)]], [3]),
        # 2 has not been seen: it may have been anything
        ([[incoming(1)], [incoming(3)]], [1, 3]),
        # a delete between two equal states
        ([[incoming(1)], [incoming(2, None)], [incoming(3)]], [1, 2, 3]),
        # two deletes are no run of equal fields
        ([[incoming(1, None)], [incoming(2, None)]], [1, 2]),
        # the same record again
        ([[incoming(1)], [incoming(2)], [incoming(2)]], [1, 1, 1]),
        # an older one of the run comes again
        ([[incoming(2)], [incoming(3)], [incoming(2)]], [2, 2, 2]),
        # one from before the run: nothing is known of it
        ([[incoming(3)], [incoming(1)]], [3, 1]),
        # it does not disturb the run either
        ([[incoming(3)], [incoming(1, "B")], [incoming(4)]], [3, 1, 3]),
        # the missing one comes late, out of order in one batch
        ([[incoming(3), incoming(2), incoming(1)]], [1]),
    ],
)
def test_since_when_the_owned_fields_have_been_equal(
    batches: list[list[Incoming]], expected: list[int]
) -> None:
    assert since(*batches) == expected


def test_products_have_runs_of_their_own() -> None:
    runs = EqualRuns()
    coalesce([incoming(1), incoming(5, product="q")], runs)

    changes = coalesce([incoming(2), incoming(6, product="q")], runs)

    assert [each.equal_since for each in changes] == [1, 5]


def test_forgetting_costs_a_patch_and_nothing_else() -> None:
    runs = EqualRuns(limit=1)
    coalesce([incoming(1), incoming(1, product="q")], runs)

    assert coalesce([incoming(2)], runs)[0].equal_since == 2


histories = st.lists(st.none() | st.sampled_from("AB"), min_size=1, max_size=8)


@given(data=st.data(), history=histories)
def test_a_run_never_claims_more_than_the_history_holds(data: Any, history: list[str]) -> None:
    events = [incoming(revision, title) for revision, title in enumerate(history, start=1)]
    batches = data.draw(
        st.lists(st.lists(st.sampled_from(events), min_size=1, max_size=5), max_size=6)
    )
    runs = EqualRuns()

    for batch in batches:
        (newest,) = coalesce(batch, runs)
        assert newest.event == max((each.event for each in batch), key=lambda e: e.revision)
        claimed = range(newest.equal_since, newest.event.revision + 1)
        assert claimed
        assert {history[revision - 1] for revision in claimed} == {
            history[newest.event.revision - 1]
        }


# pack


def test_as_few_transactions_as_the_limits_allow() -> None:
    writes = {each: write(each) for each in "abcde"}

    packs = pack(writes, max_products=2)

    assert [list(each.writes) for each in packs] == [["a", "b"], ["c", "d"], ["e"]]


def test_nothing_to_write_is_no_transaction() -> None:
    assert pack({}) == []


def test_a_write_above_the_limit_goes_alone() -> None:
    writes = {"a": write("a"), "big": write(*"0123456789"), "b": write("b")}

    packs = pack(writes, max_bytes=60)

    assert [list(each.writes) for each in packs] == [["a"], ["big"], ["b"]]


@given(
    sizes=st.lists(st.integers(1, 6), max_size=12),
    max_bytes=st.integers(30, 300),
    max_products=st.integers(1, 5),
)
def test_packs_keep_the_order_lose_nothing_and_stay_within_the_limits(
    sizes: list[int], max_bytes: int, max_products: int
) -> None:
    writes = {f"p{i}": write(*(f"p{i}-{n}" for n in range(size))) for i, size in enumerate(sizes)}

    packs = pack(writes, max_bytes=max_bytes, max_products=max_products)

    assert [each for pack_ in packs for each in pack_.writes.items()] == list(writes.items())
    for each in packs:
        assert 1 <= len(each.writes) <= max_products
        assert len(encoded(each.mutations)) <= max_bytes or len(each.writes) == 1


# a transaction that was refused


TRANSACTION = Transaction({"a": write("a1", "a2"), "b": write("b1"), "c": write("c1")})


@pytest.mark.parametrize(
    ("indexes", "expected"),
    [
        ((), set()),
        ((0,), {"a"}),
        ((1,), {"a"}),
        ((2,), {"b"}),
        ((3, 0), {"a", "c"}),
        ((4,), set()),  # no such mutation
        ((-1,), set()),
    ],
)
def test_a_mutations_place_names_its_product(indexes: tuple[int, ...], expected: set[str]) -> None:
    assert TRANSACTION.products_at(indexes) == expected


def test_a_transaction_can_be_narrowed() -> None:
    assert list(TRANSACTION.without({"b"}).writes) == ["a", "c"]
    assert [list(each.writes) for each in TRANSACTION.only({"c", "a"})] == [["a"], ["c"]]
    assert [list(each.writes) for each in TRANSACTION.halves()] == [["a"], ["b", "c"]]


def test_one_product_has_no_halves() -> None:
    assert [list(each.writes) for each in Transaction({"a": write("a")}).halves()] == [["a"]]


def test_two_events_with_one_revision_are_a_counter_set_back() -> None:
    first = incoming(1)
    second = Incoming(event(1, "A", product="p", id=UUID(int=99)), {"title": "A"})

    with pytest.raises(RevisionSetBackError, match="advance-revisions"):
        coalesce([first, second], EqualRuns())
