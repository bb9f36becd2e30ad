"""A small world around the real `Applier`: one product, one partition, and everything that may go
wrong between two of its requests.

Each actor is an `Applier` of its own that is stepped through its real steps. A step holds at most
one request to Sanity, so whatever may happen between two requests happens between two steps: being
suspended is not being stepped, being dead is never being stepped again.

Sanity's `_rev` matters in one way only: whether it is still what was read. So a dataset holds
"fresh" for each, and what an actor has read turns "stale" when somebody writes the document.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from consumer.apply import Applier, Batch
from consumer.budget import Lane
from consumer.content_lake import AlreadyCommittedError, ContentLake
from consumer.decide import Change, Write
from consumer.document import (
    TOMBSTONE_PREFIX,
    Document,
    ProductState,
    kept_documents,
    new_document,
)
from consumer.errors import ContentLakeUnavailableError
from consumer.ledger import NullLedger
from consumer.mutation import GUARD_FIELD, Mutation
from consumer.record import Record
from tests.unit.consumer.fake_content_lake import Body, Dataset, applied
from tests.unit.consumer.samples import MAPPING, NOW, PRODUCT, TOMBSTONE, event, record

DRAFT: Final = f"drafts.{PRODUCT}"
FRESH: Final = "fresh"
STALE: Final = "stale"

Edit = Callable[[list[Mutation]], list[Mutation]]


@dataclass(frozen=True)
class Protocol:
    """The protocol under test: the real one, unless something is taken out of it."""

    edit: Edit = lambda mutations: mutations
    traces_gaps: bool = True
    reads_again: bool = True


def _is_guard(mutation: Mutation) -> bool:
    return mutation.get("patch", {}).get("unset") == [GUARD_FIELD]


def _is_about_tombstone(mutation: Mutation) -> bool:
    ((_, body),) = mutation.items()
    return str(body.get("id", body.get("_id"))).startswith(TOMBSTONE_PREFIX)


def _unguarded(mutation: Mutation) -> Mutation:
    patch = {name: each for name, each in mutation["patch"].items() if name != "ifRevisionID"}
    return {"patch": patch}


def without_patch_guard(mutations: list[Mutation]) -> list[Mutation]:
    """Patches of documents are written whatever lies there."""
    return [
        _unguarded(each)
        if "patch" in each and not _is_guard(each) and not _is_about_tombstone(each)
        else each
        for each in mutations
    ]


def without_delete_guard(mutations: list[Mutation]) -> list[Mutation]:
    """Documents are deleted whatever has become of them."""
    return [each for each in mutations if not _is_guard(each) or _is_about_tombstone(each)]


def without_tombstone_guard(mutations: list[Mutation]) -> list[Mutation]:
    """Tombstones are replaced and deleted whatever they say by now."""
    return [
        _unguarded(each) if "patch" in each and _is_about_tombstone(each) else each
        for each in mutations
        if not (_is_guard(each) and _is_about_tombstone(each))
    ]


def without_tombstone_assertion(mutations: list[Mutation]) -> list[Mutation]:
    """A document is created whether or not its product was deleted meanwhile."""
    is_asserting = bool(mutations) and mutations[0].get("create", {}).get("_id") == TOMBSTONE
    return mutations[2:] if is_asserting and "delete" in mutations[1] else mutations


class ModelLake(ContentLake):
    """A dataset whose `_rev` are "fresh", and answers as scripted."""

    def __init__(self, dataset: Dataset, edit: Edit) -> None:
        self.dataset = dataset
        self.seen = dataset  # what a read returns: an index may lag behind
        self.edit = edit
        self.script: list[Exception] = []

    def read_states(self, document_ids: Sequence[str], lane: Lane) -> list[Body]:
        del document_ids, lane
        return list(self.seen.values())

    def read_documents(self, document_ids: Sequence[str], lane: Lane) -> list[Body]:
        del lane
        return [
            body
            for id_, body in self.dataset.items()
            if not id_.startswith(TOMBSTONE_PREFIX) or id_ in document_ids
        ]

    def commit(self, transaction_id: str, mutations: list[Mutation], lane: Lane) -> None:
        del lane
        if self.script:
            raise self.script.pop(0)
        self.dataset = applied(self.dataset, self.edit(mutations), transaction_id)


class NoDeadLetters:
    """Nothing in this world deserves to be parked."""

    def park(self, parked: Sequence[tuple[Record, str]]) -> None:
        raise AssertionError(parked)


@dataclass(frozen=True)
class Actor:
    """Who applies records: where it stands, and what it has in hand.

    `records` from `first` on have been seen by this process, those from `start` to `end` are in
    hand. `key` is all of `batch` that can matter to what comes next.
    """

    phase: str = "idle"  # idle, read, send, resend, again, commit, gone
    first: int = 0
    start: int = 0
    end: int = 0
    key: str = ""
    batch: Batch | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Outcome:
    """What a step made of an actor and the dataset; `touched` documents have a new `_rev`."""

    actor: int
    dataset: int
    touched: frozenset[str] = frozenset()
    problem: str | None = None


class Stepper:
    """Steps actors; what was computed once is remembered, by values."""

    def __init__(self, history: Sequence[str | None], protocol: Protocol) -> None:
        self.records = [
            record(event(revision, title), offset=revision - 1)
            for revision, title in enumerate(history, start=1)
        ]
        self.protocol = protocol
        self.datasets: list[Dataset] = []
        self._dataset_ids: dict[str, int] = {}
        self.actors: list[Actor] = []
        self._actor_ids: dict[Actor, int] = {}
        self._taken: dict[int, list[int]] = {}
        self._steps: dict[tuple[int, int, int, bool], list[Outcome]] = {}
        self._outdated: dict[tuple[int, frozenset[str]], int] = {}

    def intern(self, dataset: Dataset) -> int:
        """The number of a dataset; equal ones have the same."""
        key = json.dumps(dataset, sort_keys=True)
        if key not in self._dataset_ids:
            self._dataset_ids[key] = len(self.datasets)
            self.datasets.append(dataset)
        return self._dataset_ids[key]

    def number(self, actor: Actor) -> int:
        """The number of an actor; equal ones have the same."""
        if actor not in self._actor_ids:
            self._actor_ids[actor] = len(self.actors)
            self.actors.append(actor)
        return self._actor_ids[actor]

    def taken(self, actor: int) -> list[int]:
        """An idle actor with some of the records in hand: any number from where it stands."""
        if actor not in self._taken:
            idle, ends = self.actors[actor], range(1, len(self.records) + 1)
            self._taken[actor] = [
                self.number(replace(idle, phase="read", end=end))
                for end in ends
                if end > idle.start
            ]
        return self._taken[actor]

    def step(self, actor: int, dataset: int, seen: int, *, may_lose: bool) -> list[Outcome]:
        """All that the actor's next step can lead to; `seen` is what a query returns."""
        key = (actor, dataset, seen, may_lose)
        if key not in self._steps:
            steps = self._step(self.actors[actor], dataset, seen, may_lose=may_lose)
            self._steps[key] = list(steps)
        return self._steps[key]

    def outdated(self, actor: int, touched: frozenset[str]) -> int:
        """The actor after somebody has written `touched`: its guards on them will fail."""
        if not touched or self.actors[actor].phase not in {"send", "resend"}:
            return actor
        key = (actor, touched)
        if key not in self._outdated:
            self._outdated[key] = self.number(self._outdate(self.actors[actor], touched))
        return self._outdated[key]

    def _step(self, actor: Actor, dataset: int, seen: int, *, may_lose: bool) -> Iterator[Outcome]:
        match actor.phase:
            case "read":
                yield Outcome(self.number(self._read(actor, dataset, seen)), dataset)
            case "send":
                yield self._send(actor, dataset)
                if may_lose:
                    yield from self._lose(actor, dataset)
            case "resend":
                yield Outcome(self.number(self._told(actor, dataset)), dataset)
                yield self._send(actor, dataset)  # Sanity has forgotten the id
            case "again":
                yield Outcome(self.number(self._read_again(actor, dataset)), dataset)

    def _applier(self, dataset: int, seen: int | None = None) -> tuple[Applier, ModelLake]:
        lake = ModelLake(self.datasets[dataset], self.protocol.edit)
        if seen is not None:
            lake.seen = self.datasets[seen]
        applier = Applier(
            lake=lake,
            ledger=NullLedger(),
            dead_letters=NoDeadLetters(),
            mapping=MAPPING,
            lane=Lane.LIVE,
            wait=lambda _seconds: None,
            clock=_clock,
        )
        return applier, lake

    def _read(self, actor: Actor, dataset: int, seen: int) -> Actor:
        applier, _ = self._applier(dataset, seen)
        if actor.batch is None:
            applier.parse(Batch(self.records[actor.first : actor.start]))  # what it remembers
            batch = Batch(self.records[actor.start : actor.end])
            applier.parse(batch)
            if not self.protocol.traces_gaps:
                batch.unsettled = {
                    product: replace(change, equal_since=1)
                    for product, change in batch.unsettled.items()
                }
        else:
            batch = _copy(actor.batch)
        applier.read(batch)
        applier.decide(batch)
        if isinstance(batch.decisions[PRODUCT], Write):
            return _at("send", actor, batch)
        batch.sent = set()
        return self._after_send(actor, batch)

    def _send(self, actor: Actor, dataset: int) -> Outcome:
        applier, lake = self._applier(dataset)
        batch = _copy(_batch(actor))
        applier.send(batch)
        before, after = self.datasets[dataset], lake.dataset
        touched = frozenset(
            id_ for id_ in before.keys() | after.keys() if before.get(id_) is not after.get(id_)
        )
        problem = _harm(before, after, batch.unsettled[PRODUCT])
        settled = {id_: {**body, "_rev": FRESH} for id_, body in after.items()}
        done = self.number(self._after_send(actor, batch))
        return Outcome(done, self.intern(settled), touched, problem)

    def _lose(self, actor: Actor, dataset: int) -> Iterator[Outcome]:
        """The transaction is committed, and the answer does not come."""
        committed = self._send(actor, dataset)
        if committed.touched:
            waiting = _at("resend", actor, _batch(actor))
            waits = self.number(self._outdate(waiting, committed.touched))
            yield replace(committed, actor=waits)

    def _told(self, actor: Actor, dataset: int) -> Actor:
        """Sent again, Sanity says that it has been committed."""
        applier, lake = self._applier(dataset)
        lake.script = [ContentLakeUnavailableError("time-out"), AlreadyCommittedError("again")]
        batch = _copy(_batch(actor))
        applier.send(batch)
        return self._after_send(actor, batch)

    def _after_send(self, actor: Actor, batch: Batch) -> Actor:
        if self.protocol.reads_again:
            return _at("again", actor, batch)
        is_refused = isinstance(batch.decisions[PRODUCT], Write) and not batch.sent
        return _at("read", actor, batch) if is_refused else _at("commit", actor, None)

    def _read_again(self, actor: Actor, dataset: int) -> Actor:
        applier, _ = self._applier(dataset)
        batch = _copy(_batch(actor))
        applier.read_again(batch)
        return _at("read", actor, batch) if batch.unsettled else _at("commit", actor, None)

    def _outdate(self, actor: Actor, touched: frozenset[str]) -> Actor:
        batch = _copy(_batch(actor))
        state = batch.states[PRODUCT]
        batch.states = {
            PRODUCT: ProductState(
                tuple(_stale(each, touched) for each in state.documents),
                None if state.tombstone is None else _stale(state.tombstone, touched),
            )
        }
        applier, _ = self._applier(0)
        applier.decide(batch)  # the same decision, with the guards that were read
        return _at(actor.phase, actor, batch)


def born(title: str = "A") -> Dataset:
    """The dataset after the product's first event."""
    new = new_document(event(1, title), {"title": title}, MAPPING, NOW)
    return {PRODUCT: {**new, "_rev": FRESH}}


def _clock() -> datetime:
    return NOW


def _batch(actor: Actor) -> Batch:
    assert actor.batch is not None
    return actor.batch


def _copy(batch: Batch) -> Batch:
    return replace(
        batch,
        unsettled=dict(batch.unsettled),
        written=dict(batch.written),
        results=dict(batch.results),
        sent=set(batch.sent),
        rounds=min(batch.rounds, 1),
    )


def _stale(document: Document, touched: frozenset[str]) -> Document:
    is_touched = document.id in touched
    return Document({**document.body, "_rev": STALE}) if is_touched else document


def _at(phase: str, actor: Actor, batch: Batch | None) -> Actor:
    key: list[Any] = []
    if batch is not None and phase in {"send", "resend", "again"}:
        change, state = batch.unsettled[PRODUCT], batch.states[PRODUCT]
        key = [change.equal_since, min(batch.rounds, 1)]
        if phase == "again":
            decision = batch.decisions[PRODUCT]
            key += [type(decision).__name__, bool(batch.sent)]
            key += [isinstance(decision, Write) and decision.leaves_tombstone]
            key += [None if state.tombstone is None else dict(state.tombstone.body)]
        else:
            key += [dict(each.body) for each in state.copies]
    elif batch is not None:
        key = [batch.unsettled[PRODUCT].equal_since]
    return replace(actor, phase=phase, key=json.dumps(key, sort_keys=True), batch=batch)


def _harm(before: Dataset, after: Dataset, change: Change) -> str | None:
    """What a transaction of ours did that none may do."""
    kept = before.keys() & after.keys()
    gone = before.keys() - after.keys() - {TOMBSTONE}
    made = after.keys() - before.keys() - {TOMBSTONE}
    in_tombstone, was_in_tombstone = _specs_kept(after), _specs_kept(before)
    harms = {
        "a revision fell": any(_revision(after[id_]) < _revision(before[id_]) for id_ in kept),
        "the product's revision fell": _highest(after) < _highest(before),
        "an editor's text changed": any(
            before[id_].get("specs") != after[id_].get("specs") for id_ in kept
        ),
        "an upsert deleted a document": bool(gone) and not change.event.is_delete,
        "an editor's text was not kept": any(
            in_tombstone.get(id_) != before[id_]["specs"] for id_ in gone
        ),
        "an editor's text did not come back": any(
            after[id_]["specs"] != was_in_tombstone[id_] for id_ in made & was_in_tombstone.keys()
        ),
        "published over an editor's head": bool(made - was_in_tombstone.keys())
        and bool(before.keys() - {TOMBSTONE}),
    }
    return next((harm for harm, is_done in harms.items() if is_done), None)


def _revision(body: Body) -> int:
    return Document(body).sync.revision


def _highest(dataset: Dataset) -> int:
    return max(map(_revision, dataset.values()), default=0)


def _specs_kept(dataset: Dataset) -> dict[str, Any]:
    if TOMBSTONE not in dataset:
        return {}
    return {each["_id"]: each["specs"] for each in kept_documents(Document(dataset[TOMBSTONE]))}
