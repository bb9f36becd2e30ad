from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consumer import mutation
from consumer.decide import Change, Decision, OnDelete, Outcome, Park, Reason, Skip, Write, decide
from consumer.document import (
    Document,
    FieldMapping,
    ProductState,
    group_by_product,
    kept_documents,
    sync_object,
    tombstone_body,
)
from consumer.errors import RevisionSetBackError
from consumer.mutation import Mutation
from tests.unit.consumer.fake_content_lake import applied
from tests.unit.consumer.samples import (
    MAPPING,
    NOW,
    PRODUCT,
    SPECS,
    START,
    TOMBSTONE,
    change,
    document,
    event,
    state,
    tombstone,
)

DRAFT = f"drafts.{PRODUCT}"
VERSION = f"versions.spring.{PRODUCT}"


def decided(
    seen: ProductState,
    its_change: Change,
    *,
    on_delete: OnDelete = OnDelete.DELETE,
    applied_revision: int = 0,
    mapping: FieldMapping = MAPPING,
) -> Decision:
    return decide(
        seen,
        its_change,
        mapping,
        now=NOW,
        on_delete=on_delete,
        applied_revision=applied_revision,
    )


def synced(revision: int, title: str | None = "Shirt") -> dict[str, Any]:
    return sync_object(event(revision, title), NOW)


def patch(target: Document, **fields: Any) -> Mutation:
    return {"patch": {"id": target.id, "ifRevisionID": target.rev, "set": fields}}


def removal(target: Document) -> list[Mutation]:
    return mutation.guarded_delete(target.id, target.rev)


# Row: anything at a higher revision than the event, any event: skip (stale).


@pytest.mark.parametrize(
    "seen",
    [
        state(document(3)),
        state(document(1), document(3, id_=DRAFT)),  # one copy is enough
        state(document(1), document(3, id_=VERSION)),
        state(tombstone=tombstone(3)),  # deleted since
        state(document(1), tombstone=tombstone(3)),  # an editor published from an open form
        state(document(3, _type="landingPage")),  # whatever it is, the event is too old for it
    ],
)
@pytest.mark.parametrize("title", ["Other", None])
@pytest.mark.parametrize("on_delete", list(OnDelete))
def test_an_older_event_is_stale(
    seen: ProductState, title: str | None, on_delete: OnDelete
) -> None:
    assert decided(seen, change(2, title), on_delete=on_delete) == Skip(Reason.STALE)


# Row: nothing, upsert: assert no tombstone, create.


def test_a_product_that_sanity_has_not_seen_is_created() -> None:
    spec = {"_key": PRODUCT, "_type": "spec", "title": "Shirt", "lang": "en", "content": ""}

    assert decided(state(), change(1)) == Write(
        Outcome.CREATED,
        [
            {"create": {"_id": TOMBSTONE, "_type": "sync.tombstone"}},
            {"delete": {"id": TOMBSTONE}},
            {"create": {"_id": DRAFT, "_type": "product"}},
            {"delete": {"id": DRAFT}},
            {
                "create": {
                    "_id": PRODUCT,
                    "_type": "product",
                    "title": "Shirt",
                    "specs": [spec],
                    "sync": synced(1),
                }
            },
        ],
    )


def test_the_id_prefix_reaches_document_and_tombstone() -> None:
    mapping = FieldMapping(id_prefix="shop-", owned={"title": "title"})

    decision = decided(state(), change(1), mapping=mapping)

    assert isinstance(decision, Write)
    assert decision.mutations[0]["create"]["_id"] == f"sync.tombstone.shop-{PRODUCT}"
    assert decision.mutations[4]["create"]["_id"] == f"shop-{PRODUCT}"


def test_an_editors_deletion_is_not_undone_by_an_event_below_the_ledgers_revision() -> None:
    assert decided(state(), change(4), applied_revision=5) == Skip(Reason.STALE)


@pytest.mark.parametrize("applied_revision", [0, 4, 3])
def test_with_nothing_there_an_event_at_or_above_the_ledgers_revision_creates(
    applied_revision: int,
) -> None:
    decision = decided(state(), change(4), applied_revision=applied_revision)

    assert isinstance(decision, Write)
    assert decision.outcome is Outcome.CREATED


def test_the_ledger_is_a_hint_for_an_empty_place_only() -> None:
    decision = decided(state(document(1)), change(4, "New"), applied_revision=9)

    assert isinstance(decision, Write)


# Row: older tombstone only, upsert: guarded patch of it, create from what it kept, delete it.


def test_a_restored_product_gets_its_documents_back_from_the_tombstone() -> None:
    kept: list[dict[str, Any]] = [
        {"_id": DRAFT, "_type": "product", "title": "Old", "specs": SPECS},
        {"_id": PRODUCT, "_type": "product", "title": "Old", "specs": []},
    ]
    buried = tombstone(2, kept)

    assert decided(state(tombstone=buried), change(3, "New")) == Write(
        Outcome.RESTORED,
        [
            mutation.guard(TOMBSTONE, buried.rev),
            {"create": {**kept[0], "title": "New", "sync": synced(3)}},
            {"create": {**kept[1], "title": "New", "sync": synced(3)}},
            mutation.delete(TOMBSTONE),
        ],
    )


def test_a_product_that_was_unpublished_when_deleted_is_restored_as_a_draft_only() -> None:
    buried = tombstone(2, [{"_id": DRAFT, "_type": "product", "title": "Old"}])

    decision = decided(state(tombstone=buried), change(3))

    assert isinstance(decision, Write)
    assert [each["create"]["_id"] for each in decision.mutations if "create" in each] == [DRAFT]


def test_a_tombstone_that_kept_nothing_gives_way_to_a_new_document() -> None:
    decision = decided(state(tombstone=tombstone(2)), change(3))

    assert isinstance(decision, Write)
    assert decision.outcome is Outcome.RESTORED
    assert decision.mutations[1]["create"]["specs"][0]["lang"] == "en"


# Row: published, draft or version at an older revision, upsert: each gets a guarded patch.


def test_a_title_is_patched_and_nothing_else() -> None:
    old = document(1)

    assert decided(state(old), change(2, "New")) == Write(
        Outcome.PATCHED, [patch(old, title="New", sync=synced(2))]
    )


def test_every_copy_is_patched() -> None:
    copies = (document(1, id_=DRAFT), document(1), document(1, id_=VERSION))

    assert decided(state(*copies), change(2, "New")) == Write(
        Outcome.PATCHED, [patch(each, title="New", sync=synced(2)) for each in copies]
    )


def test_copies_at_different_revisions_meet_at_the_events() -> None:
    draft = document(1, "Oldest", id_=DRAFT)  # restored from its history by an editor
    published = document(3, "Older")
    version = document(4, "New", id_=VERSION)  # already written: a crash between two transactions

    assert decided(state(draft, published, version), change(4, "New")) == Write(
        Outcome.PATCHED,
        [patch(each, title="New", sync=synced(4)) for each in (draft, published)],
    )


def test_a_copy_that_has_the_title_already_gets_the_trace_only() -> None:
    draft, published = document(1, "New", id_=DRAFT), document(2, "Old")

    assert decided(state(draft, published), change(3, "New")) == Write(
        Outcome.PATCHED,
        [patch(draft, sync=synced(3)), patch(published, title="New", sync=synced(3))],
    )


def test_a_document_made_by_hand_is_taken_over() -> None:
    by_hand = document(None, "By hand")

    assert decided(state(by_hand), change(1, "New")) == Write(
        Outcome.PATCHED, [patch(by_hand, title="New", sync=synced(1))]
    )


def test_a_document_of_another_tool_with_the_right_title_is_taken_over_at_a_later_revision() -> (
    None
):
    by_hand = document(None)

    assert decided(state(by_hand), change(7)) == Write(
        Outcome.RECORDED, [patch(by_hand, sync=synced(7))]
    )


def test_an_owned_field_that_is_null_now_is_unset() -> None:
    old = document(1, handle="shirt")
    its_change = Change(event(2), {"title": "Shirt", "handle": None}, equal_since=2)

    assert decided(state(old), its_change) == Write(
        Outcome.PATCHED,
        [
            {
                "patch": {
                    "id": PRODUCT,
                    "ifRevisionID": old.rev,
                    "set": {"sync": synced(2)},
                    "unset": ["handle"],
                }
            }
        ],
    )


def test_an_absent_field_that_is_null_is_no_difference() -> None:
    its_change = Change(event(2), {"title": "Shirt", "handle": None}, equal_since=2)

    assert decided(state(document(1)), its_change) == Skip(Reason.UNCHANGED)


def test_an_older_tombstone_beside_documents_is_deleted_under_guard() -> None:
    old, buried = document(1), tombstone(2)

    assert decided(state(old, tombstone=buried), change(3, "New")) == Write(
        Outcome.PATCHED, [patch(old, title="New", sync=synced(3)), *removal(buried)]
    )


def test_an_older_tombstone_goes_even_where_the_documents_are_up_to_date() -> None:
    buried = tombstone(2)

    decision = decided(state(document(3), tombstone=buried), change(3))

    assert isinstance(decision, Write)
    assert decision.mutations == removal(buried)
    assert not decision.leaves_tombstone


def test_what_an_older_tombstone_kept_and_is_not_there_comes_back() -> None:
    kept: list[dict[str, Any]] = [
        {"_id": DRAFT, "_type": "product", "title": "Old", "specs": []},
        {"_id": PRODUCT, "_type": "product", "title": "Old", "specs": SPECS},
    ]
    draft, buried = document(1, id_=DRAFT), tombstone(2, kept)

    assert decided(state(draft, tombstone=buried), change(3, "New")) == Write(
        Outcome.PATCHED,
        [
            patch(draft, title="New", sync=synced(3)),
            mutation.guard(TOMBSTONE, buried.rev),
            {"create": {**kept[1], "title": "New", "sync": synced(3)}},
            mutation.delete(TOMBSTONE),
        ],
    )


def test_a_product_marked_as_deleted_loses_the_mark_with_the_next_upsert() -> None:
    marked = Document({**document(1).body, "sync": sync_object(event(1), NOW, deleted=True)})

    assert decided(state(marked), change(2)) == Write(
        Outcome.RECORDED, [patch(marked, sync=synced(2))]
    )


# Rows: the same, owned fields equal: nothing where no revision lies between, else `sync` only.


@pytest.mark.parametrize(
    ("document_revision", "event_revision", "equal_since", "is_written"),
    [
        (1, 2, 2, False),  # the very next revision
        (1, 5, 2, False),  # 2 to 5 are known to have been equal
        (1, 5, 1, False),  # and so is the document's own
        (1, 3, 3, True),  # 2 has not been seen: it may have been another title (A, B, A)
        (1, 5, 4, True),  # nor have 2 and 3
        (0, 1, 1, False),  # made by hand, and the product's first revision says the same
        (0, 2, 2, True),  # made by hand, 1 has not been seen
    ],
)
def test_equal_fields_are_written_only_where_a_revision_would_go_without_a_trace(
    document_revision: int, event_revision: int, equal_since: int, is_written: bool
) -> None:
    lies = document(document_revision or None)

    decision = decided(state(lies), change(event_revision, equal_since=equal_since))

    trace = Write(Outcome.RECORDED, [patch(lies, sync=synced(event_revision))])
    assert decision == (trace if is_written else Skip(Reason.UNCHANGED))


def test_a_stale_title_between_two_equal_ones_finds_a_trace() -> None:
    """A at 1, B at 2, A at 3: after 3, an event at 2 that comes late must find a 3."""
    first = document(1, "A")
    trace = decided(state(first), change(3, "A"))
    assert isinstance(trace, Write)

    lying = Document(applied({PRODUCT: dict(first.body)}, trace.mutations, "t")[PRODUCT])

    assert decided(state(lying), change(2, "B")) == Skip(Reason.STALE)


# Row: draft or version, nothing published, upsert: patch those; publish nothing.


@pytest.mark.parametrize("copy_id", [DRAFT, VERSION])
def test_an_unpublished_product_stays_unpublished(copy_id: str) -> None:
    only = document(1, id_=copy_id)

    assert decided(state(only), change(2, "New")) == Write(
        Outcome.PATCHED, [patch(only, title="New", sync=synced(2))]
    )


# Row: nothing, or documents that are all older, delete: all go, a tombstone stays.


def test_a_delete_of_what_sanity_never_had_leaves_a_tombstone() -> None:
    assert decided(state(), change(1, None)) == Write(
        Outcome.DELETED,
        [{"create": tombstone_body(event(1, None), state(), PRODUCT, NOW)}],
        leaves_tombstone=True,
    )


def test_a_delete_takes_every_copy_under_guard_and_keeps_them() -> None:
    copies = (document(1, id_=DRAFT), document(2), document(None, id_=VERSION))
    seen = state(*copies)

    decision = decided(seen, change(3, None))

    assert isinstance(decision, Write)
    *removals, bury = decision.mutations
    assert removals == [step for each in copies for step in removal(each)]
    assert bury == {"create": tombstone_body(event(3, None), seen, PRODUCT, NOW)}
    kept = kept_documents(Document(bury["create"]))
    assert [each["_id"] for each in kept] == [DRAFT, PRODUCT, VERSION]
    assert decision.leaves_tombstone


@pytest.mark.parametrize("documents", [(), (document(1),)])
def test_an_older_tombstone_is_replaced_under_guard(documents: tuple[Document, ...]) -> None:
    seen = state(*documents, tombstone=tombstone(2))

    decision = decided(seen, change(3, None))

    assert isinstance(decision, Write)
    body = tombstone_body(event(3, None), seen, PRODUCT, NOW)
    fields = {name: value for name, value in body.items() if name not in {"_id", "_type"}}
    assert seen.tombstone is not None
    assert decision.mutations[-1] == patch(seen.tombstone, **fields)


# Row: tombstone at the event's revision, documents at or below it: they are deleted.


@pytest.mark.parametrize("revision", [None, 1, 3])
def test_documents_beside_the_events_own_tombstone_are_deleted(revision: int | None) -> None:
    # At 3: an editor brought the deleted document back from its history after a mark.
    back = document(None) if revision is None else Document(_marked(revision))
    buried = tombstone(3, [{"_id": DRAFT, "title": "Kept"}])

    decision = decided(state(back, tombstone=buried), change(3, None))

    assert isinstance(decision, Write)
    assert decision.mutations[:2] == removal(back)
    assert decision.leaves_tombstone
    kept = kept_documents(Document(decision.mutations[2]["patch"]["set"]))
    assert {each["_id"] for each in kept} == {DRAFT, PRODUCT}  # nothing an editor wrote is lost


def _marked(revision: int) -> dict[str, Any]:
    return {**document(1).body, "sync": sync_object(event(revision, None), NOW)}


# Row: everything at the event's revision, any: skip (duplicate).


@pytest.mark.parametrize(
    ("seen", "its_change"),
    [
        (state(document(2)), change(2)),
        (state(document(2), document(2, id_=DRAFT)), change(2)),
        (state(document(2, "Changed by hand")), change(2)),  # a drift: reconcile's work
        (state(tombstone=tombstone(2)), change(2, None)),
    ],
)
def test_the_same_event_again_is_a_duplicate(seen: ProductState, its_change: Change) -> None:
    assert decided(seen, its_change) == Skip(Reason.DUPLICATE)


def test_a_sync_request_heals_what_was_changed_by_hand() -> None:
    drifted = document(2, "Changed by hand")

    assert decided(state(drifted), change(3)) == Write(
        Outcome.PATCHED, [patch(drifted, title="Shirt", sync=synced(3))]
    )


# CONSUMER_ON_DELETE


@pytest.mark.parametrize(
    ("on_delete", "is_marked"), [(OnDelete.MARK, True), (OnDelete.KEEP, False)]
)
def test_documents_may_stay_after_a_delete(on_delete: OnDelete, is_marked: bool) -> None:
    copies = (document(1, id_=DRAFT), document(1))
    sync = sync_object(event(2, None), NOW, deleted=is_marked)

    assert decided(state(*copies), change(2, None), on_delete=on_delete) == Write(
        Outcome.MARKED, [patch(each, sync=sync) for each in copies]
    )


@pytest.mark.parametrize("on_delete", [OnDelete.MARK, OnDelete.KEEP])
def test_a_delete_that_left_its_mark_is_a_duplicate(on_delete: OnDelete) -> None:
    marked = Document(_marked(2))

    assert decided(state(marked), change(2, None), on_delete=on_delete) == Skip(Reason.DUPLICATE)


@pytest.mark.parametrize("on_delete", list(OnDelete))
def test_a_delete_with_nothing_to_keep_leaves_a_tombstone_in_every_mode(
    on_delete: OnDelete,
) -> None:
    decision = decided(state(), change(2, None), on_delete=on_delete)

    assert isinstance(decision, Write)
    assert decision.leaves_tombstone


# Foreign documents


@pytest.mark.parametrize("title", ["New", None])
@pytest.mark.parametrize("revision", [None, 1])
def test_another_tools_document_under_the_id_parks(title: str | None, revision: int | None) -> None:
    foreign = document(revision, _type="landingPage")

    decision = decided(state(document(1, id_=DRAFT), foreign), change(2, title))

    assert isinstance(decision, Park)
    assert "'landingPage'" in decision.reason
    assert "id_prefix" in decision.reason


# Counters that were set back


@pytest.mark.parametrize(
    "seen",
    [
        state(document(2)),
        state(document(1), document(2, id_=DRAFT)),
        state(tombstone=tombstone(2)),
    ],
)
@pytest.mark.parametrize("title", ["New", None])
def test_the_same_revision_of_another_event_halts(seen: ProductState, title: str | None) -> None:
    with pytest.raises(RevisionSetBackError, match="outbox advance-revisions"):
        decided(seen, change(2, title, id=UUID(int=99)))


@pytest.mark.parametrize(
    ("seconds", "halts"),
    [
        (61, True),  # younger than the newer revision: given out twice
        (59, False),  # clocks are given a minute
        (-3600, False),  # an ordinary late event
    ],
)
def test_an_older_revision_with_a_younger_moment_halts(seconds: int, halts: bool) -> None:
    late = START + timedelta(seconds=3) + timedelta(seconds=seconds)
    its_change = change(2, occurred_at=late)

    if halts:
        with pytest.raises(RevisionSetBackError, match="Was the database restored"):
            decided(state(document(3)), its_change)
    else:
        assert decided(state(document(3)), its_change) == Skip(Reason.STALE)


def test_a_document_that_names_no_event_does_not_halt() -> None:
    nameless = Document({**document(1).body, "sync": {"revision": 2}})

    assert decided(state(nameless), change(2)) == Skip(Reason.DUPLICATE)


def test_a_moment_at_the_end_of_time_in_sanity_does_not_halt_or_break() -> None:
    odd = {"revision": 3, "occurredAt": "9999-12-31T23:59:59.999Z"}

    assert decided(state(Document({**document(1).body, "sync": odd})), change(2)) == Skip(
        Reason.STALE
    )


# Whatever lies there


revisions = st.integers(0, 4)
titles = st.sampled_from(["A", "B"])


def _copies() -> st.SearchStrategy[tuple[Document, ...]]:
    ids = (DRAFT, PRODUCT, VERSION)
    one = st.none() | st.tuples(revisions, titles)
    return st.tuples(one, one, one).map(
        lambda three: tuple(
            document(each[0] or None, each[1], id_=id_)
            for id_, each in zip(ids, three, strict=True)
            if each is not None
        )
    )


@given(
    copies=_copies(),
    buried=st.none() | st.integers(1, 4),
    revision=st.integers(1, 4),
    title=st.none() | titles,
    equal_since=st.integers(1, 4),
)
def test_after_a_decision_the_same_event_has_nothing_left_to_do(
    copies: tuple[Document, ...],
    buried: int | None,
    revision: int,
    title: str | None,
    equal_since: int,
) -> None:
    since = min(equal_since, revision)
    was_deleted_since = buried is not None and since <= buried <= revision
    assume(title is None or not was_deleted_since)
    stone = None if buried is None else tombstone(buried)
    seen = state(*copies, tombstone=stone)
    its_change = change(revision, title, equal_since=since)

    decision = decided(seen, its_change)

    if not isinstance(decision, Write):
        assert isinstance(decision, Skip)
        return
    dataset = applied({each.id: dict(each.body) for each in seen.copies}, decision.mutations, "t")
    after = group_by_product(dataset.values())[PRODUCT]
    assert after.revision >= seen.revision
    assert isinstance(decided(after, its_change), Skip)
    before = {each.id: each for each in seen.documents}
    for each in after.documents:
        if each.id not in before or before[each.id].sync.revision < revision:
            assert each.body["title"] == title
        if each.id in before:
            assert each.sync.revision >= before[each.id].sync.revision
            assert each.body["specs"] == before[each.id].body["specs"]
    if title is None:
        assert not after.documents


@pytest.mark.parametrize("title", ["New", None])
@pytest.mark.parametrize(
    "seen",
    [
        state(),
        state(document(1)),
        state(document(1), document(1, id_=DRAFT)),
        state(tombstone=tombstone(1)),
        state(document(1), tombstone=tombstone(1)),
    ],
)
def test_every_write_is_guarded(seen: ProductState, title: str | None) -> None:
    """Nobody who read earlier can change what has been written since."""
    decision = decided(seen, change(2, title))

    assert isinstance(decision, Write)
    guarded = set()
    for each in decision.mutations:
        ((kind, body),) = each.items()
        if kind == "patch":
            assert body["ifRevisionID"]
            guarded.add(body["id"])
        elif kind == "delete":
            assert body["id"] in guarded
        else:
            guarded.add(body["_id"])
    assert {each.id for each in seen.copies} <= guarded
