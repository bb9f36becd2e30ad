"""What one change event asks of what lies in Sanity: the decision table, as pure functions.

Every write is guarded: it fails, whole, when a document is no longer as it was read. So whoever
decides on an outdated read, or wakes after a long sleep, changes nothing, and decides again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from consumer import mutation
from consumer.document import (
    DRAFT_PREFIX,
    SYNC_FIELD,
    TOMBSTONE_PREFIX,
    TOMBSTONE_TYPE,
    Document,
    FieldMapping,
    ProductState,
    kept_documents,
    new_document,
    restored_document,
    sync_object,
    tombstone_body,
)
from consumer.errors import RevisionSetBackError
from consumer.mutation import Mutation
from outbox.event import ChangeEvent

CLOCK_TOLERANCE: Final = timedelta(minutes=1)


class OnDelete(StrEnum):
    """What a deleted product leaves behind (`CONSUMER_ON_DELETE`)."""

    DELETE = "delete"  # its documents go, a tombstone keeps what editors wrote
    MARK = "mark"  # its documents stay, with `sync.deletedAt`
    KEEP = "keep"  # its documents stay as they are


class Outcome(StrEnum):
    """What a write does."""

    CREATED = "created"
    RESTORED = "restored"  # created again from what its tombstone kept
    PATCHED = "patched"
    RECORDED = (
        "recorded"  # only `sync`: the fields are equal, the revisions between must leave a trace
    )
    DELETED = "deleted"
    MARKED = "marked"  # the delete of `CONSUMER_ON_DELETE=mark` or `keep`


class Reason(StrEnum):
    """Why nothing is written."""

    STALE = "stale"  # a higher revision has been here
    DUPLICATE = "duplicate"  # this revision has been here
    UNCHANGED = "unchanged"  # a newer revision whose owned fields are the same
    SUPERSEDED = "superseded"  # a newer event of the same batch stands for it


@dataclass(frozen=True, slots=True)
class Change:
    """The newest event of a product in a batch.

    `owned` are the document's fields as the event states them (null: absent; a delete has none).
    All revisions from `equal_since` to the event's are known to have had the same.
    """

    event: ChangeEvent
    owned: Mapping[str, Any]
    equal_since: int

    @property
    def product_id(self) -> str:
        """The aggregate's id, which is the record's key."""
        return self.event.aggregate_id


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing to write."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Write:
    """One product's part of a transaction; `leaves_tombstone` is its state afterwards."""

    outcome: Outcome
    mutations: list[Mutation]
    leaves_tombstone: bool = False


@dataclass(frozen=True, slots=True)
class Park:
    """The product can't be written; somebody has to look."""

    reason: str


Decision = Skip | Write | Park


def decide(
    state: ProductState,
    change: Change,
    mapping: FieldMapping,
    *,
    now: datetime,
    on_delete: OnDelete = OnDelete.DELETE,
    applied_revision: int = 0,
) -> Decision:
    """What to do about `change`, given all that lies in Sanity for its product.

    `applied_revision` is the ledger's hint for a product of which Sanity holds nothing: an editor
    has deleted it, and an older event does not bring it back. Raises `RevisionSetBackError`.
    """
    event = change.event
    _refuse_set_back(state, event)
    is_forgotten = state == ProductState() and event.revision < applied_revision
    if state.revision > event.revision or is_forgotten:
        return Skip(Reason.STALE)
    if foreign := [document for document in state.documents if document.type != mapping.type]:
        return Park(
            f"document {foreign[0].id} has _type {foreign[0].type!r}, not {mapping.type!r}: "
            "another tool uses this id; move it away, or set id_prefix in the mapping"
        )
    if event.is_delete:
        return _remove(state, event, mapping, now, on_delete)
    if not state.documents:
        return _create(state, change, mapping, now)
    return _update(state, change, now)


def _refuse_set_back(state: ProductState, event: ChangeEvent) -> None:
    for copy in state.copies:
        sync = copy.sync
        is_reused = sync.revision == event.revision and sync.event_id not in {None, str(event.id)}
        is_younger = (
            sync.revision > event.revision
            and sync.occurred_at is not None
            and event.occurred_at - CLOCK_TOLERANCE > sync.occurred_at
        )
        if is_reused or is_younger:
            raise RevisionSetBackError(
                f"product {event.aggregate_id}: event {event.id} of {event.occurred_at} has "
                f"revision {event.revision}, but {copy.id} was written by event {sync.event_id} "
                f"of {sync.occurred_at} at revision {sync.revision}. Was the database restored? "
                "Run `outbox advance-revisions`, then a bulk sync"
            )


def _create(state: ProductState, change: Change, mapping: FieldMapping, now: datetime) -> Write:
    new = new_document(change.event, change.owned, mapping, now)
    tombstone = state.tombstone
    if tombstone is None:
        unburied = mutation.assert_absent(TOMBSTONE_PREFIX + new["_id"], TOMBSTONE_TYPE)
        # An editor may have unpublished it since the read: then a draft is all there is of it.
        not_hidden = mutation.assert_absent(DRAFT_PREFIX + new["_id"], mapping.type)
        return Write(Outcome.CREATED, [*unburied, *not_hidden, mutation.create(new)])
    kept = kept_documents(tombstone)
    restored = [restored_document(body, change.event, change.owned, now) for body in kept] or [new]
    return Write(
        Outcome.RESTORED,
        [
            mutation.guard(tombstone.id, tombstone.rev),
            *map(mutation.create, restored),
            mutation.delete(tombstone.id),
        ],
    )


def _update(state: ProductState, change: Change, now: datetime) -> Skip | Write:
    patches = [
        patch
        for document in state.documents
        if (patch := _refresh(document, change, now)) is not None
    ]
    tombstone = state.tombstone
    buried = [] if tombstone is None else _exhume(state, tombstone, change, now)
    if patches or buried:
        is_trace = all(_is_trace(patch) for patch in patches)
        return Write(Outcome.RECORDED if is_trace else Outcome.PATCHED, [*patches, *buried])
    is_duplicate = all(d.sync.revision == change.event.revision for d in state.documents)
    return Skip(Reason.DUPLICATE if is_duplicate else Reason.UNCHANGED)


def _refresh(document: Document, change: Change, now: datetime) -> Mutation | None:
    """The patch that brings one copy to the event's revision; None where it needs none."""
    if document.sync.revision >= change.event.revision:
        return None
    differing = {
        name: value for name, value in change.owned.items() if document.body.get(name) != value
    }
    is_gap = change.equal_since > document.sync.revision + 1
    if not differing and not is_gap and document.sync.deleted_at is None:
        return None
    present = {name: value for name, value in differing.items() if value is not None}
    return mutation.patch(
        document.id,
        document.rev,
        set_={**present, SYNC_FIELD: sync_object(change.event, now)},
        unset=tuple(differing.keys() - present.keys()),
    )


def _exhume(
    state: ProductState, tombstone: Document, change: Change, now: datetime
) -> list[Mutation]:
    """An older tombstone beside documents goes; what it kept and is not there comes back.

    So it is when a draft was opened while a delete was under way, and only the draft is left.
    """
    present = {document.id for document in state.documents}
    missing = [body for body in kept_documents(tombstone) if body["_id"] not in present]
    restored = [restored_document(body, change.event, change.owned, now) for body in missing]
    return [
        mutation.guard(tombstone.id, tombstone.rev),
        *map(mutation.create, restored),
        mutation.delete(tombstone.id),
    ]


def _is_trace(patch: Mutation) -> bool:
    return set(patch["patch"]["set"]) == {SYNC_FIELD} and "unset" not in patch["patch"]


def _remove(
    state: ProductState,
    event: ChangeEvent,
    mapping: FieldMapping,
    now: datetime,
    on_delete: OnDelete,
) -> Skip | Write:
    is_buried = state.tombstone is not None and state.tombstone.sync.revision == event.revision
    older = [document for document in state.documents if document.sync.revision < event.revision]
    if not state.documents:
        return Skip(Reason.DUPLICATE) if is_buried else _bury(state, event, mapping, now)
    if on_delete is not OnDelete.DELETE:
        is_mark = on_delete is OnDelete.MARK
        return _mark(older, event, now, deleted=is_mark) if older else Skip(Reason.DUPLICATE)
    return _bury(state, event, mapping, now) if older or is_buried else Skip(Reason.DUPLICATE)


def _bury(state: ProductState, event: ChangeEvent, mapping: FieldMapping, now: datetime) -> Write:
    """Takes the product's documents away, and keeps what editors wrote in its tombstone."""
    body = tombstone_body(event, state, mapping.document_id(event.aggregate_id), now)
    tombstone = state.tombstone
    if tombstone is None:
        bury = mutation.create(body)
    else:
        fields = {name: value for name, value in body.items() if name not in {"_id", "_type"}}
        bury = mutation.patch(tombstone.id, tombstone.rev, set_=fields)
    deletes = [
        step
        for document in state.documents
        for step in mutation.guarded_delete(document.id, document.rev)
    ]
    return Write(Outcome.DELETED, [*deletes, bury], leaves_tombstone=True)


def _mark(older: list[Document], event: ChangeEvent, now: datetime, *, deleted: bool) -> Write:
    sync = sync_object(event, now, deleted=deleted)
    patches = [mutation.patch(d.id, d.rev, set_={SYNC_FIELD: sync}) for d in older]
    return Write(Outcome.MARKED, patches)
