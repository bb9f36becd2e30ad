"""One batch, step by step: the only place where read, decide, send and ledger meet.

    parse → read → decide → send → read_again → settle → park → keep → log   (→ commit, the loop's)

The order is what makes it safe. Between any two steps the process may die or sleep for an hour:
before `send` nothing has happened; after it every record comes again and is skipped, because its
revision lies in Sanity; and whoever wakes with an outdated read fails on a guard.
"""

import random
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from consumer.batch import EqualRuns, Incoming, Transaction, coalesce, pack
from consumer.budget import Lane
from consumer.content_lake import AlreadyCommittedError, ContentLake
from consumer.decide import Change, Decision, OnDelete, Park, Reason, Skip, Write, decide
from consumer.document import (
    TOMBSTONE_PREFIX,
    TOMBSTONE_TYPE,
    Document,
    FieldMapping,
    ProductState,
    group_by_product,
    sync_object,
)
from consumer.errors import (
    ContentLakeUnavailableError,
    DeadLettersUnavailableError,
    MalformedRecordError,
    MutationRejectedError,
    RateLimitedError,
    ReferencedDocumentError,
    RetriableError,
    RevisionConflictError,
)
from consumer.ledger import Entry, Ledger
from consumer.record import Record, parse
from consumer.retry import wait_seconds
from consumer.unlink import unlink

log = structlog.get_logger()

PARKED = "parked"


class DeadLetters(Protocol):
    """Where records go that can't be applied."""

    def park(self, parked: Sequence[tuple[Record, str]]) -> None:
        """Keeps them durably before it returns."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one product's change."""

    change: Change
    outcome: str  # of `Outcome`, of `Reason`, or "parked"
    transaction_id: str | None = None
    error: str | None = None
    before: Mapping[str, Any] | None = None


@dataclass
class Batch:
    """Some records on their way; each step fills in its part."""

    records: list[Record]
    sources: dict[tuple[str, int], Record] = field(default_factory=dict)  # by product and revision
    unreadable: list[tuple[Record, str]] = field(default_factory=list)
    unsettled: dict[str, Change] = field(default_factory=dict)  # by product, as all below
    states: dict[str, ProductState] = field(default_factory=dict)
    applied: dict[str, int] = field(default_factory=dict)  # the ledger's hints of this round
    decisions: dict[str, Decision] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)  # committed in this round
    written: dict[str, Result] = field(default_factory=dict)  # the last write, of whatever round
    results: dict[str, Result] = field(default_factory=dict)
    rounds: int = 0


Step = Callable[[Batch], None]


class Applier:
    """Applies batches of one lane to one dataset."""

    def __init__(
        self,
        *,
        lake: ContentLake,
        ledger: Ledger,
        dead_letters: DeadLetters,
        mapping: FieldMapping,
        lane: Lane,
        wait: Callable[[float], None],
        on_delete: OnDelete = OnDelete.DELETE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._lake = lake
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._mapping = mapping
        self._lane = lane
        self._wait = wait
        self._on_delete = on_delete
        self._clock = clock
        self._runs = EqualRuns()
        self._log = log.bind(lane=lane.name.lower())

    @property
    def steps(self) -> list[Step]:
        """The steps of a batch in their order; whoever runs them commits the offsets last."""
        return [
            self.parse,
            self.read,
            self.decide,
            self.send,
            self.read_again,
            self.settle,
            self.park,
            self.keep,
            self.log,
        ]

    def parse(self, batch: Batch) -> None:
        """Records to changes, the newest per product; the unreadable are set aside."""
        incoming = []
        for record in batch.records:
            try:
                each = self._incoming(record)
            except MalformedRecordError as exc:
                batch.unreadable.append((record, str(exc)))
                continue
            incoming.append(each)
            batch.sources[each.event.aggregate_id, each.event.revision] = record
        batch.unsettled = {each.product_id: each for each in coalesce(incoming, self._runs)}

    def read(self, batch: Batch) -> None:
        """What lies in Sanity for all products of the batch, in one request.

        The first read may be behind (a query's index): guards catch it. Later ones are not.
        """
        published = [self._mapping.document_id(product_id) for product_id in batch.unsettled]
        if batch.rounds == 0:
            bodies = self._lake.read_states(published, self._lane)
        else:
            tombstones = [TOMBSTONE_PREFIX + document_id for document_id in published]
            bodies = self._lake.read_documents([*published, *tombstones], self._lane)
        batch.states = self._states(batch.unsettled, bodies)
        batch.rounds += 1

    def decide(self, batch: Batch) -> None:
        """What each change asks for, given what was read."""
        absent = [p for p in batch.unsettled if batch.states[p] == ProductState()]
        batch.applied = self._ledger.applied_revisions(absent) if absent else {}
        now = self._clock()
        batch.decisions = {
            product_id: self._decide(batch.states[product_id], change, now, batch.applied)
            for product_id, change in batch.unsettled.items()
        }
        for product_id, decision in batch.decisions.items():
            if isinstance(decision, Park):
                self._set_aside(batch, product_id, decision.reason)

    def send(self, batch: Batch) -> None:
        """All writes as few transactions; whatever is refused is narrowed down to its product.

        A death in here is harmless: a transaction is there as a whole or not at all.
        """
        batch.sent = set()
        writes = {p: d for p, d in batch.decisions.items() if isinstance(d, Write)}
        pending = deque(pack(writes))
        while pending:
            transaction = pending.popleft()
            try:
                transaction_id = self._commit(transaction)
            except RevisionConflictError as exc:
                # Somebody else wrote: those products are read and decided again in `settle`.
                losers = transaction.products_at(exc.indexes) or set(transaction.writes)
                pending.extendleft(_non_empty(transaction.without(losers)))
            except MutationRejectedError as exc:
                pending.extendleft(self._narrow(batch, transaction, exc))
            else:
                for product_id, write in transaction.writes.items():
                    batch.sent.add(product_id)
                    batch.written[product_id] = self._written(
                        batch, product_id, write, transaction_id
                    )

    def read_again(self, batch: Batch) -> None:
        """Sees every committed write, and what is not as decided goes round again.

        A draft opened between read and send would carry the old title into a later publication.
        """
        published = [self._mapping.document_id(product_id) for product_id in batch.unsettled]
        bodies = self._lake.read_documents(published, self._lane) if published else []
        seen = self._states(batch.unsettled, bodies)
        now = self._clock()
        for product_id, change in list(batch.unsettled.items()):
            decision = batch.decisions[product_id]
            is_refused = isinstance(decision, Write) and product_id not in batch.sent
            tombstone = self._expected_tombstone(batch, product_id)
            after = replace(seen[product_id], tombstone=tombstone)
            settled = self._decide(after, change, now, batch.applied)
            if is_refused or not isinstance(settled, Skip):
                continue
            if isinstance(decision, Skip):
                batch.results[product_id] = Result(change, decision.reason)
            if product_id in batch.written:
                batch.results[product_id] = batch.written[product_id]
            del batch.unsettled[product_id]

    def settle(self, batch: Batch) -> None:
        """Again for the products that somebody else changed meanwhile, until none is left."""
        while batch.unsettled:
            conflict = RevisionConflictError("changed by somebody else")
            self._wait(wait_seconds(conflict, batch.rounds, random.random()))  # noqa: S311 (jitter)
            for step in (self.read, self.decide, self.send, self.read_again):
                step(batch)

    def park(self, batch: Batch) -> None:
        """What can't be applied lies in the dead letter topic before its offset is committed."""
        refused = [
            (batch.sources[product_id, result.change.event.revision], result.error or "")
            for product_id, result in batch.results.items()
            if result.outcome == PARKED
        ]
        parked = [*batch.unreadable, *refused]
        attempt = 0
        while parked:
            try:
                self._dead_letters.park(parked)
            except DeadLettersUnavailableError as exc:
                attempt += 1
                self._retry(exc, attempt)
            else:
                return

    def keep(self, batch: Batch) -> None:
        """The ledger, before the offset: a death in between keeps the same entry twice at worst."""
        entries = [
            Entry(
                change=result.change,
                document_id=self._mapping.document_id(product_id),
                outcome=result.outcome,
                error=result.error,
                transaction_id=result.transaction_id,
                before=None if result.before is None else dict(result.before),
                after=dict(result.change.owned),
            )
            for product_id, result in batch.results.items()
        ]
        if not self._ledger.record(entries):
            self._log.warning("ledger_entries_missed", count=len(entries))

    def log(self, batch: Batch) -> None:
        """One canonical line per record."""
        now = self._clock()
        for record, reason in batch.unreadable:
            self._log.warning("record_parked", position=record.position, error=reason)
        for (product_id, revision), record in batch.sources.items():
            result = batch.results[product_id]
            event = result.change.event
            line = self._log.bind(
                product_id=product_id, revision=revision, position=record.position
            )
            if revision != event.revision:
                line.info("record_skipped", reason=Reason.SUPERSEDED.value)
            elif result.outcome == PARKED:
                line.warning("record_parked", event_id=str(event.id), error=result.error)
            elif result.transaction_id is None:
                line.info("record_skipped", event_id=str(event.id), reason=result.outcome)
            else:
                line.info(
                    "record_applied",
                    event_id=str(event.id),
                    outcome=result.outcome,
                    transaction_id=result.transaction_id,
                    behind_ms=round((now - event.occurred_at).total_seconds() * 1000),
                )

    def _incoming(self, record: Record) -> Incoming:
        event = parse(record)
        self._mapping.document_id(event.aggregate_id)
        return Incoming(event, {} if event.is_delete else self._mapping.owned_fields(event))

    def _states(
        self, products: Iterable[str], bodies: Iterable[Mapping[str, Any]]
    ) -> dict[str, ProductState]:
        by_document = group_by_product(bodies)
        return {
            product_id: by_document.get(self._mapping.document_id(product_id), ProductState())
            for product_id in products
        }

    def _decide(
        self, state: ProductState, change: Change, now: datetime, applied: Mapping[str, int]
    ) -> Decision:
        return decide(
            state,
            change,
            self._mapping,
            now=now,
            on_delete=self._on_delete,
            applied_revision=applied.get(change.product_id, 0),
        )

    def _commit(self, transaction: Transaction) -> str:
        """The id under which the transaction is now committed.

        Chosen afresh for each decision, and the same for each sending of it: a hash of the body
        would take a replay into an emptied dataset for a repetition.
        """
        transaction_id = str(uuid.uuid4())
        mutations = transaction.mutations
        attempt = 0
        while True:
            try:
                self._lake.commit(transaction_id, mutations, self._lane)
            except AlreadyCommittedError:
                return transaction_id
            except (ContentLakeUnavailableError, RateLimitedError) as exc:
                attempt += 1
                self._retry(exc, attempt)
            else:
                return transaction_id

    def _narrow(
        self, batch: Batch, transaction: Transaction, refusal: MutationRejectedError
    ) -> list[Transaction]:
        """What to send instead of a refused transaction; a product refused alone is parked."""
        if len(transaction.writes) == 1:
            (product_id,) = transaction.writes
            if isinstance(refusal, ReferencedDocumentError):
                return self._unlinked(batch, product_id, transaction.writes[product_id], refusal)
            self._set_aside(batch, product_id, str(refusal))
            return []
        if culprits := transaction.products_at(refusal.indexes):
            return [*transaction.only(culprits), *_non_empty(transaction.without(culprits))]
        return transaction.halves()

    def _unlinked(
        self, batch: Batch, product_id: str, write: Write, refusal: ReferencedDocumentError
    ) -> list[Transaction]:
        """The same delete, with the product taken out of the add-ons that hold it."""
        bodies = self._lake.read_documents(refusal.referencing_ids, self._lane)
        held = self._mapping.document_id(product_id)
        # Own documents go anyway; what was taken out before and still holds can't be taken out.
        known = {each["patch"]["id"] for each in write.mutations if "patch" in each}
        others = [d for d in map(Document, bodies) if d.id not in known]
        patches = unlink(others, held, self._mapping)
        if isinstance(patches, Park):
            self._set_aside(batch, product_id, patches.reason)
            return []
        if not patches:  # the reference has gone meanwhile, or Sanity names nobody
            self._set_aside(batch, product_id, str(refusal))
            return []
        for patch in patches:
            self._log.warning(
                "reference_removed", product_id=product_id, document_id=patch["patch"]["id"]
            )
        return [Transaction({product_id: replace(write, mutations=[*patches, *write.mutations])})]

    def _expected_tombstone(self, batch: Batch, product_id: str) -> Document | None:
        """The tombstone after what was decided: the second read asks for documents only."""
        decision = batch.decisions[product_id]
        if not isinstance(decision, Write):
            return batch.states[product_id].tombstone
        if not decision.leaves_tombstone:
            return None
        event = batch.unsettled[product_id].event
        sync = sync_object(event, self._clock())
        return Document({"_id": product_id, "_rev": "", "_type": TOMBSTONE_TYPE, "sync": sync})

    def _set_aside(self, batch: Batch, product_id: str, reason: str) -> None:
        change = batch.unsettled.pop(product_id)
        batch.results[product_id] = Result(change, PARKED, error=reason)

    def _written(self, batch: Batch, product_id: str, write: Write, transaction_id: str) -> Result:
        change = batch.unsettled[product_id]
        # The published copy where there is one: its id is the only one without a dot.
        documents = sorted(batch.states[product_id].documents, key=lambda each: "." in each.id)
        before = {name: documents[0].body.get(name) for name in change.owned} if documents else None
        return Result(change, write.outcome, transaction_id, before=before)

    def _retry(self, error: RetriableError, attempt: int) -> None:
        seconds = wait_seconds(error, attempt, random.random())  # noqa: S311 (jitter)
        self._log.warning(
            "request_retried", attempt=attempt, wait_seconds=round(seconds, 2), error=str(error)
        )
        self._wait(seconds)


def _non_empty(transaction: Transaction) -> list[Transaction]:
    return [transaction] if transaction.writes else []
