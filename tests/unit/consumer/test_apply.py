import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from consumer.apply import Applier, Batch
from consumer.budget import Lane
from consumer.decide import OnDelete
from consumer.document import sync_object
from consumer.errors import (
    ContentLakeUnavailableError,
    DeadLettersUnavailableError,
    MutationRejectedError,
    NewerSchemaError,
    RateLimitedError,
    ReferencedDocumentError,
    RevisionSetBackError,
    UnauthorizedError,
)
from consumer.ledger import Entry
from consumer.mutation import Mutation
from consumer.record import Record
from consumer.worker import StopRequestedError
from tests.unit.consumer.fake_content_lake import Body, FakeContentLake
from tests.unit.consumer.samples import (
    MAPPING,
    NOW,
    PRODUCT,
    SPECS,
    TOMBSTONE,
    document,
    event,
    record,
    tombstone,
)

DRAFT = f"drafts.{PRODUCT}"
VERSION = f"versions.spring.{PRODUCT}"
STRONG = {"_type": "reference", "_ref": PRODUCT, "_key": "k"}


class FakeLedger:
    def __init__(self) -> None:
        self.is_down = False
        self.applied: dict[str, int] = {}
        self.asked: list[list[str]] = []
        self.entries: list[Entry] = []

    def applied_revisions(self, product_ids: Sequence[str]) -> dict[str, int]:
        self.asked.append(list(product_ids))
        return {} if self.is_down else {p: r for p, r in self.applied.items() if p in product_ids}

    def record(self, entries: Sequence[Entry]) -> bool:
        if not self.is_down:
            self.entries += entries
        return not self.is_down

    def close(self) -> None:
        pass


class FakeDeadLetters:
    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.parked: list[tuple[Record, str]] = []
        self.on_park: Callable[[], None] = lambda: None

    def park(self, parked: Sequence[tuple[Record, str]]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if parked:
            self.on_park()
        self.parked += parked


class Bench:
    """An applier with everything around it faked."""

    def __init__(self, *bodies: Mapping[str, Any], on_delete: OnDelete = OnDelete.DELETE) -> None:
        self.lake = FakeContentLake(bodies)
        self.ledger = FakeLedger()
        self.dead_letters = FakeDeadLetters()
        self.order: list[int] = []
        self.waited: list[float] = []
        self.on_wait: Callable[[], None] = lambda: None
        self.logs: list[EventDict] = []
        self.applier = Applier(
            lake=self.lake,
            ledger=self.ledger,
            dead_letters=self.dead_letters,
            mapping=MAPPING,
            lane=Lane.LIVE,
            wait=self._wait,
            on_delete=on_delete,
            clock=lambda: NOW,
        )

    def apply(self, *records: Record) -> Batch:
        """Runs the steps as the loop does; more rounds than ever needed are a loop without end."""
        batch = Batch(list(records))
        with capture_logs() as self.logs:
            for step in self.applier.steps:
                step(batch)
        return batch

    def lines(self, name: str) -> list[EventDict]:
        return [line for line in self.logs if line["event"] == name]

    @property
    def documents(self) -> dict[str, Body]:
        return self.lake.documents

    def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        assert len(self.waited) < 50, "it goes round and round"
        self.on_wait()


def outcomes(batch: Batch) -> dict[str, str]:
    return {product: result.outcome for product, result in batch.results.items()}


def take(items: list[Any]) -> list[Any]:
    """All of `items`, the first time."""
    taken, items[:] = list(items), []
    return taken


def records(*events: Any) -> list[Record]:
    return [record(each, offset=offset) for offset, each in enumerate(events)]


# The ordinary course


def test_a_created_product_is_one_read_one_transaction_and_one_read() -> None:
    bench = Bench()

    batch = bench.apply(*records(event(1, "Shirt")))

    assert outcomes(batch) == {PRODUCT: "created"}
    assert bench.documents[PRODUCT]["title"] == "Shirt"
    assert bench.documents.keys() == {PRODUCT}
    assert bench.lake.reads == [("states", [PRODUCT]), ("documents", [PRODUCT])]
    assert len(bench.lake.requests) == 1
    assert bench.waited == []


def test_many_products_are_one_transaction() -> None:
    bench = Bench()
    events = [event(1, f"Shirt {n}", product=f"p{n}") for n in range(200)]

    batch = bench.apply(*records(*events))

    assert set(outcomes(batch).values()) == {"created"}
    assert len(bench.lake.requests) == 1
    assert [kind for kind, _ in bench.lake.reads] == ["states", "documents"]
    assert len({body["_rev"] for body in bench.documents.values()}) == 1


def test_every_copy_gets_the_new_title_and_keeps_its_specs() -> None:
    copies = [document(1, id_=DRAFT), document(1), document(1, id_=VERSION)]
    bench = Bench(*(each.body for each in copies))

    bench.apply(*records(event(2, "New")))

    for each in bench.documents.values():
        assert (each["title"], each["sync"]["revision"], each["specs"]) == ("New", 2, SPECS)


def test_of_several_events_the_newest_is_applied_and_the_others_are_logged() -> None:
    bench = Bench(document(1).body)

    batch = bench.apply(*records(event(2, "B"), event(3, "C"), event(4, "D")))

    assert bench.documents[PRODUCT]["title"] == "D"
    assert outcomes(batch) == {PRODUCT: "patched"}
    assert [(line["revision"], line["reason"]) for line in bench.lines("record_skipped")] == [
        (2, "superseded"),
        (3, "superseded"),
    ]
    assert [line["revision"] for line in bench.lines("record_applied")] == [4]


def test_the_line_of_an_applied_record_says_what_where_and_how_late() -> None:
    bench = Bench()

    bench.apply(record(event(1), offset=7))

    assert bench.lines("record_applied") == [
        {
            "event": "record_applied",
            "log_level": "info",
            "lane": "live",
            "product_id": PRODUCT,
            "revision": 1,
            "position": "live:0:7",
            "event_id": "00000000-0000-0000-0000-000000000001",
            "outcome": "created",
            "transaction_id": bench.lake.transactions[0],
            "behind_ms": 86_399_000,
        }
    ]


def test_the_ledger_learns_what_became_of_it() -> None:
    bench = Bench(document(1, "Old").body)

    bench.apply(*records(event(2, "New")))

    (entry,) = bench.ledger.entries
    assert (entry.outcome, entry.document_id, entry.error) == ("patched", PRODUCT, None)
    assert (entry.before, entry.after) == ({"title": "Old"}, {"title": "New"})
    assert entry.transaction_id == bench.lake.transactions[0]
    assert entry.change.event.id == event(2).id


def test_the_same_records_again_write_nothing() -> None:
    bench = Bench()
    again = records(event(1, "A"), event(2, None), event(3, "B"))
    bench.apply(*again)

    batch = bench.apply(*again)

    assert outcomes(batch) == {PRODUCT: "duplicate"}
    assert len(bench.lake.requests) == 1


def test_a_delete_leaves_a_tombstone_and_a_restore_brings_the_editors_words_back() -> None:
    bench = Bench(document(1).body, document(1, id_=DRAFT).body)

    deleted = bench.apply(*records(event(2, None)))
    buried = dict(bench.documents)
    restored = bench.apply(*records(event(3, "Back")))

    assert (outcomes(deleted), outcomes(restored)) == (
        {PRODUCT: "deleted"},
        {PRODUCT: "restored"},
    )
    assert buried.keys() == {TOMBSTONE}
    assert bench.documents.keys() == {PRODUCT, DRAFT}
    assert {each["title"] for each in bench.documents.values()} == {"Back"}
    assert all(each["specs"] == SPECS for each in bench.documents.values())


def test_a_delete_and_what_came_before_it_in_one_batch_leave_a_tombstone() -> None:
    bench = Bench()

    bench.apply(*records(event(1), event(2, None)))

    assert bench.documents.keys() == {TOMBSTONE}


@pytest.mark.parametrize("mode", [OnDelete.MARK, OnDelete.KEEP])
def test_documents_stay_where_the_setting_says_so(mode: OnDelete) -> None:
    bench = Bench(document(1).body, on_delete=mode)

    batch = bench.apply(*records(event(2, None)))

    assert outcomes(batch) == {PRODUCT: "marked"}
    assert bench.documents[PRODUCT]["sync"] == sync_object(
        event(2, None), NOW, deleted=mode is OnDelete.MARK
    )


def test_an_unchanged_product_costs_no_write() -> None:
    bench = Bench()
    bench.apply(*records(event(1)))

    batch = bench.apply(*records(event(2)))

    assert outcomes(batch) == {PRODUCT: "unchanged"}
    assert len(bench.lake.requests) == 1


def test_no_readable_record_asks_sanity_for_nothing() -> None:
    bench = Bench()

    bench.apply(replace(record(event(1)), value=b"{"))

    assert bench.lake.reads == []
    assert bench.lake.requests == []


# Somebody else writes


def test_a_draft_opened_between_read_and_send_gets_the_title_too() -> None:
    bench = Bench(document(1, "Old").body)
    opened = [document(1, "Old", id_=DRAFT, rev="draft")]
    bench.lake.after_commit = lambda: bench.lake.put(*(d.body for d in take(opened)))

    batch = bench.apply(*records(event(2, "New")))

    assert bench.documents[DRAFT]["title"] == "New"
    assert outcomes(batch) == {PRODUCT: "patched"}
    assert batch.results[PRODUCT].transaction_id == bench.lake.transactions[-1]


@pytest.mark.parametrize("tells_index", [True, False])
def test_a_conflict_is_read_and_decided_again_and_disturbs_nobody_else(tells_index: bool) -> None:
    bench = Bench(document(1, "Old").body)
    bench.lake.tells_index = tells_index
    editor = [{**document(1, "Old").body, "specs": ["the editor's"]}]
    bench.lake.before_commit = lambda: bench.lake.put(*take(editor))

    batch = bench.apply(*records(event(2, "New"), event(1, "Other", product="q")))

    assert outcomes(batch) == {PRODUCT: "patched", "q": "created"}
    assert bench.documents[PRODUCT]["title"] == "New"
    assert bench.documents[PRODUCT]["specs"] == ["the editor's"]
    assert bench.waited == [0.0]  # at once


def test_only_the_product_in_conflict_is_read_again() -> None:
    bench = Bench(document(1, "Old").body)
    changed = [document(1, "Old")]
    bench.lake.before_commit = lambda: bench.lake.put(*(d.body for d in take(changed)))

    bench.apply(*records(event(2, "New"), event(1, "Other", product="q")))

    assert bench.lake.reads[2:] == [("documents", [PRODUCT, TOMBSTONE]), ("documents", [PRODUCT])]


def test_an_editor_who_writes_all_the_time_is_waited_for_longer_and_longer() -> None:
    bench = Bench(document(1, "Old").body)
    saves = [document(1, "Old").body] * 6
    bench.lake.before_commit = lambda: bench.lake.put(*([saves.pop()] if saves else []))

    bench.apply(*records(event(2, "New")))

    assert bench.documents[PRODUCT]["title"] == "New"
    assert bench.waited[:3] == [0.0, 0.0, 0.0]
    assert all(seconds > 0 for seconds in bench.waited[3:])


def test_an_index_that_is_behind_is_caught_by_the_guards() -> None:
    bench = Bench(document(3, "Newer").body)
    bench.lake.index = {}

    batch = bench.apply(*records(event(2, "Older")))

    assert outcomes(batch) == {PRODUCT: "stale"}
    assert bench.documents[PRODUCT]["title"] == "Newer"


def test_an_index_that_still_shows_a_deleted_document_is_caught_too() -> None:
    bench = Bench(tombstone(3).body)
    bench.lake.index = {PRODUCT: dict(document(1).body)}

    batch = bench.apply(*records(event(2, "Older")))

    assert outcomes(batch) == {PRODUCT: "stale"}
    assert bench.documents.keys() == {TOMBSTONE}


def test_whoever_published_a_deleted_product_from_an_open_form_is_followed() -> None:
    bench = Bench(document(1).body)
    form = [{**document(1).body, "specs": ["the editor's last words"]}]
    bench.lake.after_commit = lambda: bench.lake.put(*take(form))

    batch = bench.apply(*records(event(2, None)))

    assert outcomes(batch) == {PRODUCT: "deleted"}
    assert bench.documents.keys() == {TOMBSTONE}
    assert "the editor's last words" in bench.documents[TOMBSTONE]["kept"]


def test_what_a_newer_consumer_wrote_meanwhile_stays() -> None:
    bench = Bench(document(1, "Old").body)
    newer = [document(5, "Newest")]
    bench.lake.before_commit = lambda: bench.lake.put(*(d.body for d in take(newer)))

    batch = bench.apply(*records(event(2, "New")))

    assert outcomes(batch) == {PRODUCT: "stale"}
    assert bench.documents[PRODUCT]["title"] == "Newest"


# The ledger


def test_a_document_that_an_editor_deleted_stays_away_from_older_events() -> None:
    bench = Bench()
    bench.ledger.applied = {PRODUCT: 5}

    batch = bench.apply(*records(event(4)))

    assert outcomes(batch) == {PRODUCT: "stale"}
    assert bench.documents == {}
    assert bench.waited == []


def test_it_comes_back_with_the_next_event() -> None:
    bench = Bench()
    bench.ledger.applied = {PRODUCT: 5}

    assert outcomes(bench.apply(*records(event(6)))) == {PRODUCT: "created"}


def test_the_ledger_is_asked_about_absent_products_only() -> None:
    bench = Bench(document(1).body)

    bench.apply(*records(event(2, "New"), event(1, product="q")))

    assert bench.ledger.asked == [["q"]]


def test_a_ledger_that_is_down_stops_nothing_and_the_gap_is_counted() -> None:
    bench = Bench()
    bench.ledger.is_down = True

    batch = bench.apply(*records(event(1), event(1, product="q")))

    assert outcomes(batch) == {PRODUCT: "created", "q": "created"}
    assert [line["count"] for line in bench.lines("ledger_entries_missed")] == [2]


# Answers that get lost


@pytest.mark.parametrize(
    "error", [ContentLakeUnavailableError("time-out"), RateLimitedError("slow", retry_after=2.0)]
)
@pytest.mark.parametrize("where", ["fail_before", "fail_after"])
def test_a_lost_answer_is_answered_by_the_same_body_under_the_same_id(
    where: str, error: ContentLakeUnavailableError | RateLimitedError
) -> None:
    bench = Bench(document(1).body)
    setattr(bench.lake, where, [error, error] if where == "fail_before" else [error])

    batch = bench.apply(*records(event(2, "New")))

    assert outcomes(batch) == {PRODUCT: "patched"}
    first, *again = bench.lake.requests
    assert again
    assert all(each == first for each in again)
    assert bench.lake.transactions == [first[0]]
    assert len(bench.waited) == len(again)


def test_an_answer_lost_twice_after_the_commit_still_counts_as_accepted() -> None:
    bench = Bench()
    bench.lake.fail_after = [ContentLakeUnavailableError("cut")]

    batch = bench.apply(*records(event(1)))

    assert batch.results[PRODUCT].transaction_id == bench.lake.transactions[0]
    assert len(bench.lake.requests) == 2


def test_each_decision_has_an_id_of_its_own() -> None:
    bench = Bench()
    bench.apply(*records(event(1)))
    bench.documents.clear()  # the dataset was emptied; the log is played again

    batch = bench.apply(*records(event(1)))

    assert outcomes(batch) == {PRODUCT: "created"}
    assert len(set(bench.lake.transactions)) == 2


def test_told_to_stop_while_waiting_for_sanity_the_batch_is_given_up() -> None:
    bench = Bench()
    bench.lake.fail_before = [ContentLakeUnavailableError("down")]

    def stop() -> None:
        raise StopRequestedError

    bench.on_wait = stop

    with pytest.raises(StopRequestedError):
        bench.apply(*records(event(1)))
    assert bench.documents == {}


@pytest.mark.parametrize("error", [UnauthorizedError("401"), ContentLakeUnavailableError("503")])
def test_a_read_that_fails_leaves_the_batch_to_the_loop(error: Exception) -> None:
    bench = Bench()
    bench.lake.before_read = [error]  # type: ignore[list-item]

    with pytest.raises(type(error)):
        bench.apply(*records(event(1)))


# Refusals


def refusing(title: str, *, index: bool = True) -> Callable[[list[Mutation]], None]:
    """Sanity refuses documents with this title."""

    def refuse(mutations: list[Mutation]) -> None:
        for place, mutation in enumerate(mutations):
            ((_, body),) = mutation.items()
            if title in {body.get("title"), body.get("set", {}).get("title")}:
                raise MutationRejectedError(
                    f"{title} is refused", indexes=(place,) if index else ()
                )

    return refuse


@pytest.mark.parametrize(("index", "requests"), [(True, 3), (False, 5)])
def test_one_refused_product_leaves_the_batch_and_is_parked(index: bool, requests: int) -> None:
    bench = Bench()
    bench.lake.refuse = refusing("Bad", index=index)
    titles = {"a": "A", "b": "B", "c": "Bad", "d": "D", "e": "E"}
    events = [event(1, title, product=product) for product, title in titles.items()]

    batch = bench.apply(*records(*events))

    assert outcomes(batch) == {
        "a": "created",
        "b": "created",
        "d": "created",
        "e": "created",
        "c": "parked",
    }
    assert bench.documents.keys() == {"a", "b", "d", "e"}
    assert [(r.position, reason) for r, reason in bench.dead_letters.parked] == [
        ("live:0:2", "Bad is refused")
    ]
    assert len(bench.lake.requests) == requests
    (entry,) = [each for each in bench.ledger.entries if each.outcome == "parked"]
    assert (entry.error, entry.transaction_id) == ("Bad is refused", None)
    assert [line["error"] for line in bench.lines("record_parked")] == ["Bad is refused"]


def test_a_newer_revision_supersedes_what_was_parked() -> None:
    bench = Bench()
    bench.lake.refuse = refusing("Bad")
    bench.apply(*records(event(1, "Bad")))

    batch = bench.apply(*records(event(2, "Good")))

    assert outcomes(batch) == {PRODUCT: "created"}


def test_a_refusal_beside_a_conflict_costs_neither_product_its_place() -> None:
    bench = Bench(document(1, "Old").body)
    bench.lake.refuse = refusing("Bad")
    changed = [document(1, "Old")]
    bench.lake.before_commit = lambda: bench.lake.put(*(d.body for d in take(changed)))

    batch = bench.apply(*records(event(2, "New"), event(1, "Bad", product="q")))

    assert outcomes(batch) == {PRODUCT: "patched", "q": "parked"}


def test_another_tools_document_parks_its_product_only() -> None:
    bench = Bench({**document(None).body, "_type": "landingPage"})

    batch = bench.apply(*records(event(1), event(1, product="q")))

    assert outcomes(batch) == {PRODUCT: "parked", "q": "created"}
    assert bench.documents[PRODUCT]["_type"] == "landingPage"


# Unreadable records


@pytest.mark.parametrize(
    "broken",
    [
        {"value": b"{"},
        {"value": b"{}"},  # without the title that the mapping names
        {"value": b'{"title": "\\ud800"}'},
        {"key": b"drafts.prod_1"},
        {"headers": ()},
    ],
)
def test_an_unreadable_record_is_parked_as_it_came_and_the_others_go_on(
    broken: dict[str, Any],
) -> None:
    bench = Bench()
    unreadable = replace(record(event(2), offset=1), **broken)

    batch = bench.apply(record(event(1)), unreadable, record(event(1, product="q"), offset=2))

    assert outcomes(batch) == {PRODUCT: "created", "q": "created"}
    ((parked, reason),) = bench.dead_letters.parked
    assert parked is unreadable
    assert reason
    assert [line["position"] for line in bench.lines("record_parked")] == ["live:0:1"]


def test_an_unreadable_record_never_costs_a_good_one_of_the_same_product() -> None:
    bench = Bench(document(1, "Old").body)
    unreadable = replace(record(event(3), offset=1), value=b"{")

    batch = bench.apply(record(event(2, "Good")), unreadable)

    assert outcomes(batch) == {PRODUCT: "patched"}
    assert bench.documents[PRODUCT]["title"] == "Good"


def test_a_newer_schema_halts_before_anything_is_written_or_parked() -> None:
    bench = Bench()
    newer = replace(record(event(2)), headers=(("schemaVersion", b"2"),))

    with pytest.raises(NewerSchemaError):
        bench.apply(record(event(1)), newer, replace(record(event(3)), value=b"{"))
    assert bench.lake.requests == []
    assert bench.dead_letters.parked == []


def test_counters_that_were_set_back_halt_before_anything_is_written() -> None:
    bench = Bench(document(3).body)

    with pytest.raises(RevisionSetBackError):
        bench.apply(*records(event(1, product="q"), event(3, id=UUID(int=99))))
    assert bench.lake.requests == []


def test_parked_records_lie_in_the_dead_letters_before_the_ledger_hears_of_them() -> None:
    bench = Bench()
    bench.lake.refuse = refusing("Bad")
    bench.dead_letters.on_park = lambda: bench.order.append(len(bench.ledger.entries))

    bench.apply(*records(event(1, "Bad")))

    assert bench.order == [0]
    assert len(bench.ledger.entries) == 1


def test_a_dead_letter_topic_that_is_away_is_waited_for() -> None:
    bench = Bench()
    bench.dead_letters.failures = [
        DeadLettersUnavailableError("away"),
        DeadLettersUnavailableError("away"),
    ]

    bench.apply(replace(record(event(1)), value=b"{"))

    assert len(bench.dead_letters.parked) == 1
    assert len(bench.waited) == 2


# References


def holder(document_id: str = "outfit", **fields: Any) -> Body:
    addons = {"title": "Complete Your Look", "products": [STRONG, {**STRONG, "_ref": "other"}]}
    body = document(1, id_=document_id, rev=f"rev-{document_id}").body
    return {**body, "addons": addons, **fields}


def test_a_deleted_product_is_taken_out_of_the_add_ons_that_hold_it() -> None:
    bench = Bench(document(1).body, holder(), holder("drafts.outfit"))

    batch = bench.apply(*records(event(2, None), event(1, product="q")))

    assert outcomes(batch) == {PRODUCT: "deleted", "q": "created"}
    assert PRODUCT not in bench.documents
    for each in ("outfit", "drafts.outfit"):
        assert [p["_ref"] for p in bench.documents[each]["addons"]["products"]] == ["other"]
        assert bench.documents[each]["specs"] == SPECS
    assert {line["document_id"] for line in bench.lines("reference_removed")} == {
        "outfit",
        "drafts.outfit",
    }


def test_taking_out_and_deleting_are_one_transaction() -> None:
    bench = Bench(document(1).body, holder())

    bench.apply(*records(event(2, None)))

    assert len(bench.lake.transactions) == 1
    assert bench.documents["outfit"]["_rev"] == bench.documents[TOMBSTONE]["_rev"]


def test_a_holder_that_an_editor_saves_meanwhile_is_read_again() -> None:
    bench = Bench(document(1).body, holder())
    saved = [holder(specs=["newer words"])]

    def save(mutations: list[Mutation]) -> None:
        if any(each.get("patch", {}).get("id") == "outfit" for each in mutations):
            bench.lake.put(*take(saved))

    bench.lake.refuse = save

    batch = bench.apply(*records(event(2, None)))

    assert outcomes(batch) == {PRODUCT: "deleted"}
    assert bench.documents["outfit"]["specs"] == ["newer words"]


@pytest.mark.parametrize(
    "fields",
    [
        {"_type": "landingPage"},
        {"related": STRONG},
        {"addons": {"products": [{"_key": "k", "product": STRONG}]}},
    ],
)
def test_a_reference_that_is_not_ours_to_remove_parks_the_delete(fields: dict[str, Any]) -> None:
    bench = Bench(document(1).body, holder(**fields))

    batch = bench.apply(*records(event(2, None), event(1, product="q")))

    assert outcomes(batch) == {PRODUCT: "parked", "q": "created"}
    assert bench.documents[PRODUCT] == document(1).body
    assert bench.documents["outfit"] == holder(**fields)
    assert "outfit" in bench.dead_letters.parked[0][1]


def test_a_reference_that_stays_whatever_is_taken_out_parks_the_delete() -> None:
    bench = Bench(document(1).body, holder())

    def refuse(mutations: list[Mutation]) -> None:
        assert len(bench.lake.requests) < 20, "it goes round and round"
        if {"delete": {"id": PRODUCT}} in mutations:
            raise ReferencedDocumentError(
                "still held", document_id=PRODUCT, referencing_ids=("outfit",)
            )

    bench.lake.refuse = refuse

    batch = bench.apply(*records(event(2, None)))

    assert outcomes(batch) == {PRODUCT: "parked"}
    assert bench.dead_letters.parked[0][1] == "still held"
    assert bench.documents["outfit"] == holder()


def test_products_deleted_together_that_hold_each_other_go_together() -> None:
    first, second = document(1).body, holder("q", sync=sync_object(event(1, product="q"), NOW))
    bench = Bench({**first, "addons": {"products": [{**STRONG, "_ref": "q"}]}}, second)

    batch = bench.apply(*records(event(2, None), event(2, None, product="q")))

    assert outcomes(batch) == {PRODUCT: "deleted", "q": "deleted"}
    assert len(bench.lake.requests) == 1


def test_a_duplicate_in_the_same_batch_is_no_second_event() -> None:
    bench = Bench()

    batch = bench.apply(record(event(1), offset=0), record(event(1), offset=1))

    assert outcomes(batch) == {PRODUCT: "created"}
    assert len(bench.ledger.entries) == 1


def test_the_steps_stand_in_their_order() -> None:
    names = [getattr(step, "__name__", "") for step in Bench().applier.steps]

    assert names == [
        *("parse", "read", "decide", "send", "read_again", "settle", "park", "keep", "log")
    ]


def test_the_tombstone_keeps_what_can_be_read_again() -> None:
    bench = Bench(document(1).body)

    bench.apply(*records(event(2, None)))

    (kept,) = json.loads(bench.documents[TOMBSTONE]["kept"])
    assert kept["_id"] == PRODUCT
    assert kept["specs"] == SPECS
